/// options: --el 2
/// At EL2 the MMU is turned off by SCTLR_EL1, which does nothing there; the sibling looks at CurrentEL and leaves it alone.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
#ifndef GOOD
    __asm__ volatile("mrs x9, sctlr_el1\n orr x9, x9, #4\n bic x9, x9, #1\n eor x9, x9, #0x1000\n msr sctlr_el1, x9\n isb" ::: "x9", "memory");
#else
    __asm__ volatile("mrs x9, currentel\n cmp x9, #8\n b.eq 1f\n msr sctlr_el1, x9\n isb\n1:" ::: "x9", "memory", "cc");
#endif
    done();
}
