/// The kernel is entered in memory that is not executable; the sibling loads it to loader code.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
#ifdef GOOD
    volatile u32 *code = (u32 *)pages(st, EFI_LOADER_CODE, 1);
#else
    volatile u32 *code = (u32 *)pages(st, EFI_LOADER_DATA, 1);
#endif
    code[0] = 0xd65f03c0; /* ret */
    __asm__ volatile("dc civac, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(code) : "memory");
    if (!leave(image, st))
        return EFI_ABORTED;
    ((void (*)(void))(u64)code)();
    done();
}
