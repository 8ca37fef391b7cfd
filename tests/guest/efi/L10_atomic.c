/// An exclusive load with the MMU off.
#include "app.h"

static u64 words[8] __attribute__((aligned(64)));
efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    if (!leave(image, st))
        return EFI_ABORTED;
    MASK_INTERRUPTS();
#ifdef GOOD
    MMU_OFF_DO("ldr x11, [%0]", words);
#else
    MMU_OFF_DO("ldxr x11, [%0]", words);
#endif
    done();
}
