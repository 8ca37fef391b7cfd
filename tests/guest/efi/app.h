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
