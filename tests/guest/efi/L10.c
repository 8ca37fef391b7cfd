/// An unaligned load with the MMU off; the sibling is aligned.
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
    MMU_OFF_DO("ldr x11, [%0]", (u8 *)words + 1);
#endif
    done();
}
