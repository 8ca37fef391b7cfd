/// The local APIC and its timer, in either of its modes. Intel SDM volume 3, "Advanced Programmable
/// Interrupt Controller (APIC)".
#include "arch.h"

enum { MSR_APIC_BASE = 0x1B, MSR_X2APIC = 0x800, REG_EOI = 0xB0, REG_SPURIOUS = 0xF0,
       REG_LVT_TIMER = 0x320, REG_INITIAL = 0x380, REG_DIVIDE = 0x3E0, REG_ICR = 0x300, REG_ICR_HIGH = 0x310, PERIODIC = 1 << 17 };
enum { ICR_INIT = 5 << 8, ICR_STARTUP = 6 << 8, ICR_ASSERT = 1 << 14, MSR_X2APIC_ICR = 0x830 };

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

static void send(u32 cpu, u32 command)
{
    if (!mmio) {
        write_msr(MSR_X2APIC_ICR, (u64)cpu << 32 | command);
        return;
    }
    wr(REG_ICR_HIGH, cpu << 24);
    wr(REG_ICR, command);
    while (*(volatile u32 *)(volatile void *)(mmio + REG_ICR) >> 12 & 1) // still being sent
        ;
}

static void wait_us(u64 us)
{
    u64 end = arch_ticks() + arch_tick_hz() / 1000000 * us;
    while (arch_ticks() < end)
        ;
}

/// INIT puts a CPU into a state where it waits for a start-up message and forgets what it did.
void apic_stop_cpu(u32 cpu)
{
    send(cpu, ICR_INIT | ICR_ASSERT);
    wait_us(10000);
}
/// It begins in real mode at page << 12, a page below 1 MiB. The message is sent twice, as the manual asks.
void apic_start_cpu(u32 cpu, u32 page)
{
    apic_stop_cpu(cpu);
    for (int i = 0; i < 2; i++) {
        send(cpu, ICR_STARTUP | ICR_ASSERT | page);
        wait_us(200);
    }
}
