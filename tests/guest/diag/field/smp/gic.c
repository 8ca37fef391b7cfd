#define GICD(o) ((u64)pa_to_va(board.gicd) + (o))
#define GICC(o) ((u64)pa_to_va(board.gicc) + (o))
#if M_TIMER_INTID
#define TIMER_INT 27
#elif M_TIMER_PPI14
#define TIMER_INT 14
#else
#define TIMER_INT 30
#endif
static void v3_cpu(int cpu)
{
    u64 r = (u64)pa_to_va(board.gicr) + (u64)cpu * (IS(GICR_STRIDE) ? 0x10000 : 0x20000);
#if M_GICR_CPU0
    r = (u64)pa_to_va(board.gicr);
#endif
#if !M_GICR_SLEEP
    w32(r + 0x14, r32(r + 0x14) & ~2u);
    while (r32(r + 0x14) & 4)
        ;
#endif
    u64 s = r + 0x10000;
    w32(s + 0x80, IS(GIC_GROUP0) ? 0 : ~0u);
    for (int i = 0; i < 32; i += 4)
        w32(s + 0x400 + (u64)i, IS(GIC_PRIO) ? 0xffffffff : 0x80808080);
    if (IS(ISENABLER_SPI))
        w32(GICD(0x104), 1u << (TIMER_INT & 31));
    else
        w32(s + 0x100, 1u << TIMER_INT);
    if (!IS(ICC_SRE))
        wr(S3_0_C12_C12_5, rd(S3_0_C12_C12_5) | 1);
    else
        wr(S3_0_C12_C12_5, 0);
    isb();
    wr(S3_0_C4_C6_0, IS(GIC_PMR) ? 0 : 0xf0);
    wr(S3_0_C12_C12_3, 0);
    if (!IS(GIC_IGRPEN))
        wr(S3_0_C12_C12_7, 1);
    isb();
}
static void v2_cpu(void)
{
    if (IS(GIC_GROUP1_V2))
        w32(GICD(0x80), ~0u);
    for (u64 i = 0; i < 32; i += 4)
        w32(GICD(0x400) + i, IS(GIC_PRIO) ? 0xffffffff : 0x80808080);
    w32(GICD(0x100), 1u << TIMER_INT);
    w32(GICC(4), IS(GIC_PMR) ? 0 : 0xf0);
    if (!IS(GICC_CTLR))
        w32(GICC(0), 1);
}
void gic_cpu_init(int cpu)
{
    if (board.gic == 3)
        v3_cpu(cpu);
    else
        v2_cpu();
}
void gic_init(void)
{
#if M_GIC_WRONG_VER
    board.gic = 2;
    board.gicc = 0x08010000;
#endif
#if !M_GICD_OFF
    w32(GICD(0), board.gic == 3 ? 0x12 : 1);
#endif
    gic_cpu_init(0);
}
#if M_LOCK_IRQ_DATA
extern struct lock work_lock;
#endif
void irq_handle(struct frame *f)
{
    (void)f;
#if M_IAR_TWICE
    if (board.gic == 3) {
        u64 dbg = rd(S3_0_C12_C12_0);
        (void)dbg;
    } else
        (void)r32(GICC(12));
#endif
    u32 iar = board.gic == 3 ? (u32)rd(S3_0_C12_C12_0) : r32(GICC(12));
    u32 id = iar & 0x3ff;
    if (id == TIMER_INT)
        timer_tick();
    else if (id >= 1020) {
        return;
    } else
        printf("minik: interrupt %u?\n", id);
#if !M_NO_EOI
    u32 e = IS(EOI_WRONG) ? id + 1 : iar;
    if (board.gic == 3)
        wr(S3_0_C12_C12_1, e);
    else
        w32(GICC(16), e);
#endif
}
