/// Processor state on x86_64. Intel SDM volume 3.
#include "loader.h"

enum { MSR_EFER = 0xC0000080, CR4_LA57 = 1 << 12 };

static u64 read_msr(u32 n)
{
    u32 lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(n));
    return (u64)hi << 32 | lo;
}
static void cpuid(u32 leaf, u32 sub, u32 r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}
static u64 read_cr0(void)
{
    u64 v;
    __asm__ volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}
static u64 read_cr4(void)
{
    u64 v;
    __asm__ volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}

void cpu_env(struct bbp_env *env)
{
    env->arch = BR_ARCH_X86_64;
    u32 r[4] = {0};
    cpuid(0, 0, r);
    if (r[0] >= 7)
        cpuid(7, 0, r);
    else
        r[2] = 0;
    env->levels = read_cr4() & CR4_LA57 ? 5 : 4;
    env->levels_other = r[2] >> 16 & 1 ? 9 - env->levels : 0;
}

void cpu_entry_state(struct bbp_entry_state *s)
{
    s->fw_sctlr = read_cr0();
    s->fw_tcr = read_cr4();
    s->fw_hcr = read_msr(MSR_EFER);
}

u64 cpu_ticks(void)
{
    u32 lo, hi;
    __asm__ volatile("lfence\n rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (u64)hi << 32 | lo;
}

/// CPUID leaf 0x15 or 0x16 if the CPU tells, else a short measurement against the firmware.
u64 cpu_tick_hz(void)
{
    static u64 measured;
    u32 r[4];
    cpuid(0, 0, r);
    u32 max = r[0];
    if (max >= 0x15) {
        cpuid(0x15, 0, r);
        if (r[0] && r[1] && r[2])
            return (u64)r[2] * r[1] / r[0];
    }
    if (!measured) {
        u64 start = cpu_ticks();
        ld.bs->stall(10000);
        measured = (cpu_ticks() - start) * 100;
    }
    return measured;
}

bool cpu_random(u64 *out)
{
    u32 r[4];
    cpuid(1, 0, r);
    if (!(r[2] >> 30 & 1))
        return false;
    for (int i = 0; i < 16; i++) {
        u64 v;
        u8 ok;
        __asm__ volatile("rdrand %0\n setc %1" : "=r"(v), "=qm"(ok)::"cc");
        if (ok) {
            *out = v;
            return true;
        }
    }
    return false;
}

void cpu_mask_interrupts(void) { __asm__ volatile("cli" ::: "memory"); }
u64 cpu_handoff_flags(void) { return 0; }
void cpu_clean(const void *start, u64 len) { (void)start, (void)len; }
void cpu_sync_code(void) {}
void cpu_spin(void) { __asm__ volatile("cli\n hlt"); }

void cpu_port_write(u16 port, u8 v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
u8 cpu_port_read(u16 port)
{
    u8 v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

/// No interrupt source may fire into a kernel that has no IDT yet: both PICs and every I/O APIC pin.
void cpu_quiet_devices(const struct hw *hw)
{
    cpu_port_write(0x21, 0xFF);
    cpu_port_write(0xA1, 0xFF);
    if (!hw->ioapic)
        return;
    volatile u32 *sel = (volatile u32 *)(uintptr_t)hw->ioapic;
    volatile u32 *win = sel + 4;
    *sel = 1;
    u32 pins = (*win >> 16 & 0xFF) + 1;
    for (u32 i = 0; i < pins; i++) {
        *sel = 0x10 + 2 * i;
        *win = *win | 1 << 16;
    }
}

/// Null, then code and data of 16, 32 and 64 bits: the order the Limine protocol fixes.
void cpu_fill_page(u8 *page)
{
    static const u64 gdt[7] = {0,
                               0x00009B000000FFFFULL, 0x000093000000FFFFULL,
                               0x00CF9B000000FFFFULL, 0x00CF93000000FFFFULL,
                               0x00AF9B000000FFFFULL, 0x00CF93000000FFFFULL};
    memcpy(page, gdt, sizeof gdt);
}

_Noreturn void cpu_jump(const struct handoff *h)
{
    ((void (*)(const struct handoff *))(void *)handoff_page)(h);
    __builtin_unreachable();
}
