/// What the small EFI applications of the tests share.
#include "bridge/uefi.h"

static u8 map[32768];

static void say(struct efi_system_table *st, const efi_char *text) { st->con_out->output_string(st->con_out, text); }
static efi_status get_map(struct efi_system_table *st, u64 *key)
{
    u64 size = sizeof map, step;
    u32 version;
    return st->bs->get_memory_map(&size, map, key, &step, &version);
}
/// Switches the machine off by PSCI, with a word on the PL011: there is no console after exit.
static _Noreturn void done(void)
{
    for (const char *p = "APP-DONE\n"; *p; p++)
        *(volatile u32 *)0x09000000ULL = (u8)*p;
    for (;;)
        __asm__ volatile("ldr x0, =0x84000008\n mrs x1, currentel\n cmp x1, #8\n b.eq 1f\n hvc #0\n1: smc #0" ::: "x0", "x1", "memory");
}

/// Leaves boot services, with the map in `map`. ret  false when that failed
static inline int leave(efi_handle image, struct efi_system_table *st)
{
    u64 key = 0;
    return get_map(st, &key) == EFI_SUCCESS && st->bs->exit_boot_services(image, key) == EFI_SUCCESS;
}
static inline u64 pages(struct efi_system_table *st, u32 type, u64 n)
{
    u64 at = 0;
    st->bs->allocate_pages(EFI_ANY_PAGES, type, n, &at);
    return at;
}
/// Cleans the line of p to the point of coherency.
#define CLEAN(p) __asm__ volatile("dc civac, %0\n dsb sy" ::"r"(p) : "memory")
/// Executes code with the MMU and caches off, and turns them on again; text uses %0 as an operand.
#define MMU_OFF_DO(text, operand)                                                                                      \
    __asm__ volatile("mrs x9, sctlr_el1\n bic x10, x9, #1\n bic x10, x10, #4\n msr sctlr_el1, x10\n isb\n" text                           \
                     "\n msr sctlr_el1, x9\n isb" ::"r"(operand) : "x9", "x10", "x11", "memory")
#define MASK_INTERRUPTS() __asm__ volatile("msr daifset, #15" ::: "memory")
