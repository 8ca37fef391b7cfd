/// The MMU is turned off and on with other tables, and no TLBI in between.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 *copy = (u64 *)pages(st, EFI_LOADER_DATA, 1), root;
    __asm__("mrs %0, ttbr0_el1" : "=r"(root));
    if (!leave(image, st))
        return EFI_ABORTED;
    MASK_INTERRUPTS();
    for (int k = 0; k < 512; k++)
        copy[k] = ((volatile u64 *)root)[k];
    for (int k = 0; k < 512; k += 8)
        CLEAN(copy + k);
#ifdef GOOD
    MMU_OFF_DO("tlbi vmalle1\n dsb nsh\n msr ttbr0_el1, %0\n isb", copy);
#else
    MMU_OFF_DO("msr ttbr0_el1, %0\n isb", copy);
#endif
    done();
}
