/// Vectors in boot-services memory after the exit; the sibling has them in loader data.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
#ifdef GOOD
    u64 vectors = pages(st, EFI_LOADER_DATA, 1);
#else
    u64 vectors = pages(st, EFI_BOOT_DATA, 1);
#endif
    if (!leave(image, st))
        return EFI_ABORTED;
    MASK_INTERRUPTS();
    __asm__ volatile("msr vbar_el1, %0\n isb" ::"r"(vectors) : "memory");
    done();
}
