/// SCTLR_EL2 is written at EL1; the sibling writes the one of its level.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
#ifdef GOOD
    __asm__ volatile("mrs x9, sctlr_el1\n msr sctlr_el1, x9\n isb" ::: "x9", "memory");
#else
    __asm__ volatile("mrs x9, sctlr_el1\n msr sctlr_el2, x9\n isb" ::: "x9", "memory");
#endif
    done();
}
