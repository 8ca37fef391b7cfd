/// Writes to memory of the runtime services after the exit; the sibling only reads it.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    volatile u64 *rt = (u64 *)(u64)st->rt;
    if (!leave(image, st))
        return EFI_ABORTED;
#ifdef GOOD
    (void)rt[0];
#else
    rt[0] = rt[0];
#endif
    done();
}
