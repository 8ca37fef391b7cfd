/// A line written with caches on is read with the MMU off; the sibling cleans it first.
#include "app.h"

static volatile u64 line[8] __attribute__((aligned(64)));
efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    if (!leave(image, st))
        return EFI_ABORTED;
    MASK_INTERRUPTS();
    line[0] = 0x1234;
#ifdef GOOD
    CLEAN(line);
#endif
    MMU_OFF_DO("ldr x11, [%0]", line);
    done();
}
