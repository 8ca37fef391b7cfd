/// The interrupt controller, both kinds, and the timer that drives it. Arm Generic Interrupt
/// Controller Architecture Specification v2 and v3; Arm ARM, "The Generic Timer".
#include "arch.h"

enum { GICD_CTLR = 0, GICD_IGROUPR = 0x80, GICD_ISENABLER = 0x100, GICC_CTLR = 0, GICC_PMR = 4,
       GICC_IAR = 0xC, GICC_EOIR = 0x10, GICR_WAKER = 0x14, GICR_TYPER = 8, GICR_SGI = 0x10000,
       GICR_FRAME = 0x20000, TIMER_HZ = 100 };

static volatile u8 *dist, *cpu, *redist;
static u32 version;

static u32 rd(volatile u8 *b, u32 off) { return *(volatile u32 *)(volatile void *)(b + off); }
static void wr(volatile u8 *b, u32 off, u32 v) { *(volatile u32 *)(volatile void *)(b + off) = v; }

/// Our redistributor frame: the one whose affinity is ours.
static volatile u8 *find_redist(void)
{
    u64 mpidr = READ("MPIDR_EL1");
    u32 aff = (u32)((mpidr >> 8 & 0xFF000000) | (mpidr & 0xFFFFFF));
    u64 len = k.hw.gic_redist_len ? k.hw.gic_redist_len : GICR_FRAME;
    for (u64 off = 0; off + GICR_FRAME <= len; off += GICR_FRAME) {
        volatile u8 *r = vm_device(k.hw.gic_redist + off, GICR_FRAME);
        if (rd(r, GICR_TYPER + 4) == aff)
            return r;
        if (rd(r, GICR_TYPER) & 16) // Last
            break;
    }
    return NULL;
}

static void start_v3(void)
{
    WRITE("S3_0_C12_C12_5", READ("S3_0_C12_C12_5") | 1); // ICC_SRE_EL1.SRE
    isb();
    wr(dist, GICD_CTLR, 0x12); // ARE_NS, EnableGrp1NS (EnableGrp1 with one security state)
    wr(redist, GICR_WAKER, rd(redist, GICR_WAKER) & ~2u);
    while (rd(redist, GICR_WAKER) & 4)
        ;
    wr(redist + GICR_SGI, GICD_IGROUPR, 0xFFFFFFFF);
    WRITE("S3_0_C4_C6_0", 0xFF);  // ICC_PMR_EL1
    WRITE("S3_0_C12_C12_7", 1);   // ICC_IGRPEN1_EL1
    isb();
}

void gic_start(void)
{
    version = k.hw.gic_version;
    if (!version)
        return;
    dist = vm_device(k.hw.gic_dist, 0x10000);
    if (version == 3) {
        redist = find_redist();
        if (redist)
            start_v3();
        else
            version = 0;
        return;
    }
    cpu = vm_device(k.hw.gic_cpu, 0x2000);
    wr(dist, GICD_CTLR, 1);
    wr(cpu, GICC_PMR, 0xFF);
    wr(cpu, GICC_CTLR, 1);
}

void gic_enable(u32 intid)
{
    if (version == 3)
        wr(redist + GICR_SGI, GICD_ISENABLER, 1u << intid);
    else if (version == 2)
        wr(dist, GICD_ISENABLER, 1u << intid);
}

u32 gic_acknowledge(void)
{
    if (version == 3)
        return (u32)READ("S3_0_C12_C12_0"); // ICC_IAR1_EL1
    return version == 2 ? rd(cpu, GICC_IAR) & 0x3FF : 1023;
}

void gic_end(u32 intid)
{
    if (version == 3)
        WRITE("S3_0_C12_C12_1", intid); // ICC_EOIR1_EL1
    else if (version == 2)
        wr(cpu, GICC_EOIR, intid);
}

/// At EL1 the virtual timer, PPI 11. At EL2 with VHE the physical one, whose EL1 name then means the
/// EL2 physical timer, PPI 10: the EL2 virtual timer has no interrupt on older machines.
static bool at_el2(void) { return current_el() == 2; }
u32 timer_intid(void) { return at_el2() ? 26 : 27; }

void timer_rearm(void)
{
    u64 ticks = READ("CNTFRQ_EL0") / TIMER_HZ;
    if (at_el2())
        WRITE("CNTP_TVAL_EL0", ticks);
    else
        WRITE("CNTV_TVAL_EL0", ticks);
    isb();
}

void timer_start(void)
{
    timer_rearm();
    if (at_el2())
        WRITE("CNTP_CTL_EL0", 1);
    else
        WRITE("CNTV_CTL_EL0", 1);
    isb();
    gic_enable(timer_intid());
}
