/// MAIR_EL1 is written and used without an ISB.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    static volatile u64 word;
    if (!leave(image, st))
        return EFI_ABORTED;
    MASK_INTERRUPTS();
    __asm__ volatile("mrs x9, mair_el1\n eor x9, x9, #0xff00000000000000\n msr mair_el1, x9\n"
#ifdef GOOD
                     "isb\n"
#endif
                     "ldr x9, [%0]\n isb" ::"r"(&word) : "x9", "memory");
    done();
}
