/// Code is written and called; the sibling does the maintenance that needs.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    volatile u32 *code = (u32 *)pages(st, EFI_LOADER_CODE, 1);
    code[0] = 0xd65f03c0; /* ret */
#ifdef GOOD
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(code) : "memory");
#endif
    ((void (*)(void))(u64)code)();
    done();
}
