/// Tables are switched with interrupts open and the firmware's vectors.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 root;
    if (!leave(image, st))
        return EFI_ABORTED;
#ifdef GOOD
    MASK_INTERRUPTS();
#else
    __asm__ volatile("msr daifclr, #2" ::: "memory");
#endif
    __asm__ volatile("mrs %0, ttbr0_el1\n msr ttbr0_el1, %0\n isb" : "=r"(root)::"memory");
    done();
}
