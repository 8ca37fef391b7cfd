/// The kernel runs on a stack of the type that is given out again.
#include "app.h"
#ifdef GOOD
#define STACK EFI_LOADER_DATA
#else
#define STACK EFI_BOOT_DATA
#endif

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    static const u32 kernel[] = {0xf81f0fe0, 0xf84107e0, 0xd65f03c0}; /* str x0, [sp, #-16]!; ldr x0, [sp], #16; ret */
    u64 code = pages(st, EFI_LOADER_CODE, 1), stack = pages(st, STACK, 1) + 4096;
    for (unsigned k = 0; k < 3; k++)
        ((volatile u32 *)code)[k] = kernel[k];
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(code) : "memory");
    if (!leave(image, st))
        return EFI_ABORTED;
    MASK_INTERRUPTS();
    __asm__ volatile("mov x19, sp\n mov sp, %1\n blr %0\n mov sp, x19" ::"r"(code), "r"(stack) : "x0", "x19", "x30", "memory");
    done();
}
