/// The local APIC and its timer, in either of its modes. Intel SDM volume 3, "Advanced Programmable
/// Interrupt Controller (APIC)".
#include "arch.h"

enum { MSR_APIC_BASE = 0x1B, MSR_X2APIC = 0x800, REG_EOI = 0xB0, REG_SPURIOUS = 0xF0,
       REG_LVT_TIMER = 0x320, REG_INITIAL = 0x380, REG_DIVIDE = 0x3E0, PERIODIC = 1 << 17 };

static volatile u8 *mmio;

static void wr(u32 reg, u32 v)
{
    if (mmio)
        *(volatile u32 *)(volatile void *)(mmio + reg) = v;
    else
        write_msr(MSR_X2APIC + (reg >> 4), v);
}

void apic_end(void) { wr(REG_EOI, 0); }

/// The rate of the timer is not known without calibration and does not matter here: a period of
/// 2^20 bus ticks is between one and ten milliseconds on every machine of the last twenty years.
void apic_start(void)
{
    u64 base = read_msr(MSR_APIC_BASE);
    if (!(base & 1 << 11))
        write_msr(MSR_APIC_BASE, base | 1 << 11);
    if (!(base & 1 << 10)) // not in x2APIC mode
        mmio = vm_device(base & 0xFFFFFFFFFF000ULL, 4096);
    wr(REG_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    wr(REG_DIVIDE, 0xB);
    wr(REG_LVT_TIMER, PERIODIC | VECTOR_TIMER);
    wr(REG_INITIAL, 1 << 20);
}
