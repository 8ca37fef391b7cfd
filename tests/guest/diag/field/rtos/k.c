#include "tiny.h"
#ifndef GIC
#define GIC 3
#endif
#define GICD 0x08000000UL
#define GICR 0x080a0000UL
#define GICC 0x08010000UL
#ifndef STACK
#define STACK 4096
#endif
enum { F_ELR = 31, F_SPSR = 32, F_WORDS = 34 };
struct task {
    u64 *sp;
    u64 id;
    void (*main)(void);
    u64 stack[STACK / 8] __attribute__((aligned(16)));
} __attribute__((aligned(64)));
static struct task tasks[2];
static struct task *current;
static volatile u64 ticks, done[2], sec_up, sec_ticks;
static volatile u32 the_lock;
extern char secondary[];
extern char kstacks[];
u64 *interrupt(u64 kind, u64 *frame);
u64 *(*handler_ptr)(u64, u64 *);

u64 use_smc;
static u64 psci(u64 f, u64 a, u64 b, u64 c)
{
    if (!use_smc)
        return hvc(f, a, b, c);
    register u64 x0 __asm__("x0") = f, x1 __asm__("x1") = a, x2 __asm__("x2") = b,
                    x3 __asm__("x3") = c;
    __asm__ volatile("smc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

void lock(volatile u32 *l)
{
#ifdef M_LOCK_WFE
    while (__atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE))
        __asm__ volatile("wfe");
#else
    while (__atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE))
        ;
#endif
}
void unlock(volatile u32 *l) { __atomic_store_n(l, 0, __ATOMIC_RELEASE); }

void paging(void)
{
    volatile u64 *l0 = (u64 *)pgd, *l1 = (u64 *)pud, *l2 = (u64 *)pmd, *l3 = (u64 *)pte;
    u64 ram = 0x701, dev = 0x0060000000000401;
#ifdef M_NO_AF
    ram &= ~0x400UL;
#endif
#ifdef M_NS_SH
    ram &= ~0x300UL;
#endif
#ifdef M_ATTR3
    ram |= 3 << 2;
#else
    ram |= 1 << 2;
#endif
    l0[0] = (u64)l1 | 3;
#ifdef M_L1_DEV_ADDR
    l1[0] = dev | 0x40000000;
#else
    l1[0] = dev;
#endif
    l1[1] = (u64)l2 | 3;
    for (u64 i = 0; i < 512; i++)
        l2[i] = (0x40000000 + (i << 21)) | ram;
    // The kernel's own 2 MiB by pages.
    for (u64 i = 0; i < 512; i++) {
        u64 a = ((u64)image_start & ~0x1fffffUL) + i * 4096;
        l3[i] = a | ram | 2;
#ifdef M_TASK_STACK_UNMAPPED
        if (a == ((u64)&tasks[1] & ~0xfffUL))
            l3[i] = 0;
#endif
#ifdef M_GUARD
        if (a == ((u64)kstacks & ~0xfffUL))
            l3[i] = 0;
#endif
    }
#ifdef M_L3_NOTPAGE
    l3[3] &= ~2UL;
#endif
    l2[((u64)image_start - 0x40000000) >> 21] = (u64)l3 | 3;
#ifdef M_L2_WRONGSLOT
    l2[((u64)image_start - 0x40000000) >> 21] = 0;
#endif
    DSB();
}

static void arm(void)
{
#ifdef M_TIMER_CVAL
    WR("cntv_cval_el0", RD("cntfrq_el0") / 1000); // relative written as absolute: fires at once
#elif defined M_TIMER_TVAL_BIG
    WR("cntv_tval_el0", 0xffffffff);
#elif defined M_TIMER_P
    WR("cntp_tval_el0", RD("cntfrq_el0") / 1000);
#else
    WR("cntv_tval_el0", RD("cntfrq_el0") / 1000);
#endif
}
static void timer_init(void)
{
    arm();
#ifdef M_TIMER_P
    WR("cntp_ctl_el0", 1);
#elif defined M_TIMER_CTL2
    WR("cntv_ctl_el0", 2);
#elif defined M_TIMER_HCTL
    __asm__ volatile("msr cnthp_ctl_el2, %0" ::"r"(1UL));
#elif !defined M_TIMER_OFF
    WR("cntv_ctl_el0", 1);
#endif
}
static void gic_cpu(u64 cpu)
{
#if GIC == 3
#ifdef M_GICR_CPU0
    cpu = 0;
#endif
    u64 r = GICR + cpu * 0x20000;
    MMIO(r + 0x14) &= ~2u;
#ifdef M_GICR_FRAME
    u64 s = r; // SGI frame forgotten
#else
    u64 s = r + 0x10000;
#endif
    MMIO(s + 0x80) = 0xffffffff;
#ifdef M_PPI_30
    MMIO(s + 0x100) = 1u << 30;
#elif defined M_PPI_SHIFT
    MMIO(s + 0x100) = 27;
#else
    MMIO(s + 0x100) = 1u << 27 | 1u << 1;
#endif
    for (int i = 0; i < 32; i++)
        ((volatile u8 *)(s + 0x400))[i] = 0x80;
    WR("S3_0_C12_C12_5", 1);
    ISB();
#ifdef M_PMR_LOW
    WR("S3_0_C4_C6_0", 0x40);
#else
    WR("S3_0_C4_C6_0", 0xf0);
#endif
#ifdef M_GRP0
    WR("S3_0_C12_C12_6", 1);
#else
    WR("S3_0_C12_C12_7", 1);
#endif
#ifdef M_EOIMODE
    WR("S3_0_C12_C12_4", 2);
#endif
    ISB();
#else
    MMIO(GICD + 0x100) = 1u << 27 | 1u << 1;
    for (int i = 0; i < 8; i++)
        MMIO(GICD + 0x400 + 4 * i) = 0x80808080;
#ifdef M_PMR_LOW
    MMIO(GICC + 4) = 0x10;
#else
    MMIO(GICC + 4) = 0xf0;
#endif
#ifdef M_GRP0
    MMIO(GICC) = 2;
#else
    MMIO(GICC) = 1;
#endif
#endif
}
static void gic_init(void)
{
#if GIC == 3
#ifdef M_DIST_ARE
    MMIO(GICD) = 0x10;
#else
    MMIO(GICD) = 0x13;
#endif
#else
    MMIO(GICD) = 1;
#endif
    gic_cpu(0);
}
static u64 ack(void)
{
#ifdef M_ACK_HPPIR
    return GIC == 3 ? RD("S3_0_C12_C12_2") : MMIO(GICC + 0x18);
#endif
    return GIC == 3 ? RD("S3_0_C12_C12_0") : MMIO(GICC + 12);
}
static void eoi(u64 i)
{
#ifdef M_EOI_WRONG
    i = 0;
#endif
    if (GIC == 3)
        WR("S3_0_C12_C12_1", i);
    else
        MMIO(GICC + 16) = i;
}

__attribute__((noinline)) void die(const char *s)
{
    outs("panic: ");
    outs(s);
    outs("\n");
    for (;;)
        __asm__ volatile("wfi");
}

u64 *interrupt(u64 kind, u64 *frame)
{
    if (kind == 4 || kind == 0) {
        u64 ec = RD("esr_el1") >> 26;
        if (ec == 0x15) {
#ifdef M_SVC_ELR4
            frame[F_ELR] -= 4;
#endif
            return frame;
        }
#ifdef M_HANDLER_RECURSES
        *(volatile u64 *)(RD("far_el1") & ~7UL);
#endif
#ifdef M_HANDLER_IGNORES
        return frame;
#endif
        die("trap");
    }
#ifdef M_IRQ_LOCK
    lock(&the_lock);
#endif
    u64 id = ack();
#ifdef M_ACK_NONE
    id = 27;
#endif
    if (id == 27) {
        ticks++;
#ifndef M_NOREARM
        arm();
#endif
#ifdef M_IRQ_UNMASK
        __asm__ volatile("msr daifclr, #2");
#endif
    }
#ifdef M_SEC_TIMER
    if (RD("mpidr_el1") & 1) {
        sec_ticks++;
        eoi(id);
        return frame;
    }
#endif
#ifndef M_EOI_NONE
    if (id < 1020)
        eoi(id);
#endif
#ifdef M_IRQ_LOCK
    unlock(&the_lock);
#endif
    if (!current || RD("mpidr_el1") & 1)
        return frame;
    current->sp = frame;
#ifdef M_SWITCH_RANGE
    current = &tasks[ticks % 3];
#else
    current = &tasks[ticks & 1];
#endif
    return current->sp;
}
static void task_main0(void)
{
#ifdef M_TASK_CRITICAL
    lock(&the_lock);
    for (;;)
        __asm__ volatile("wfi");
#endif
#ifdef M_TASK_DEEP
    volatile char a[6000];
    for (int i = 6000; i--;)
        a[i] = (char)0x7f;
#endif
    for (int i = 0; i < 3; i++) {
        __asm__ volatile("svc #0");
        __asm__ volatile("wfi");
    }
    done[0] = 1;
#ifdef M_TASK_RETURNS
    return;
#endif
    for (;;)
        __asm__ volatile("wfi");
}
static void task_main1(void)
{
#ifdef M_TASK_NULL
    *(volatile u32 *)0x18 = 1;
#endif
#ifdef M_TASK_MASKS
    __asm__ volatile("msr daifset, #2");
    while (ticks < 8)
        ;
#endif
    while (ticks < 6 || !done[0])
        __asm__ volatile("wfi");
    outs("all done\n");
    psci(0x84000008, 0, 0, 0);
}
static void task_make(struct task *t, u64 id, void (*f)(void))
{
    t->id = id;
    t->main = f;
    u64 *f_ = t->stack + STACK / 8 - F_WORDS;
#ifdef M_TASK_STACK_BASE
    f_ = t->stack - F_WORDS;
#endif
    for (int i = 0; i < F_WORDS; i++)
        f_[i] = 0;
#ifndef M_TASK_ELR
    f_[F_ELR] = (u64)f;
#endif
#ifdef M_TASK_SPSR0
    f_[F_SPSR] = 0;
#elif defined M_TASK_EL1T
    f_[F_SPSR] = 4;
#elif defined M_TASK_SPSR_A32
    f_[F_SPSR] = 0x13;
#elif defined M_TASK_DAIF
    f_[F_SPSR] = 0x3c5;
#else
    f_[F_SPSR] = 5;
#endif
    t->sp = f_;
}
void smain(u64 arg)
{
#ifdef M_SEC_TPIDR
    struct task *me = (struct task *)RD("tpidr_el1");
    me->id = 9;
#endif
#ifdef M_SEC_NULLFN
    ((void (*)(void))arg)();
#endif
#ifdef M_SEC_DEADLOCK
    lock(&the_lock);
#endif
    sec_up = 1;
#ifndef M_SEC_NOSEV
    DSB();
    __asm__ volatile("sev");
#endif
#ifdef M_SEC_TIMER
    gic_cpu(1);
    timer_init();
    __asm__ volatile("msr daifclr, #2");
    while (sec_ticks < 3)
        __asm__ volatile("wfi");
    outs("second ticks\n");
#endif
#ifdef M_SEC_MASK_TIMER
    gic_cpu(1);
    timer_init();
    while (ticks < 1000)
        __asm__ volatile("wfi");
#endif
    for (;;)
        __asm__ volatile("wfi");
}
__attribute__((noinline)) u64 deep(volatile u64 n)
{
    volatile u64 pad[64];
    pad[n & 63] = n;
    return deep(n + 1) + pad[n & 63];
}
void kmain(u64 dtb)
{
    outs("rtos\n");
    handler_ptr = interrupt;
#ifdef M_VEC_CALL_REG
    handler_ptr = 0;
    __asm__ volatile("svc #0");
#endif
#ifdef M_DTB_CHECK
    if (__builtin_bswap32(*(u32 *)dtb) != 0xd00dfeed)
        for (;;)
            ;
#endif
#ifdef M_DEEP
    deep(0);
#endif
#ifdef M_FNOVERWRITE
    for (int i = 0; i < 64; i++)
        ((volatile u32 *)die)[i] = 0;
    die("x");
#endif
#ifdef M_PGD_CLEARED
    for (int i = 0; i < 512; i++)
        ((volatile u64 *)pmd)[i] = 0;
    DSB();
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
#endif
#ifdef M_UNMAP_NOTLBI
    *(volatile u64 *)0x44000000 = 1;
    ((volatile u64 *)pmd)[32] = 0;
    DSB();
    *(volatile u64 *)0x44000000 = 2;
#endif
#ifdef M_TLBI_NOSHIFT
    *(volatile u64 *)0x44000000 = 1;
    ((volatile u64 *)pmd)[32] = 0;
    DSB();
    __asm__ volatile("tlbi vaae1, %0\n dsb sy\n isb" ::"r"(0x44000000UL));
    *(volatile u64 *)0x44000000 = 2;
#endif
#ifdef M_NO_BBM
    *(volatile u64 *)0x44000000 = 1;
    ((volatile u64 *)pmd)[32] = 0x46000705;
    DSB();
    __asm__ volatile("tlbi vaae1, %0\n dsb sy\n isb" ::"r"(0x44000UL));
    *(volatile u64 *)0x44000000 = 2;
#endif
#ifdef M_TLBI_NODSB
    *(volatile u64 *)0x44000000 = 1;
    ((volatile u64 *)pmd)[32] = 0;
    __asm__ volatile("tlbi vaae1, %0" ::"r"(0x44000UL));
    *(volatile u64 *)0x46000000 = 2;
    __asm__ volatile("dsb sy\n isb");
#endif
#ifdef M_ALIAS_NC
    WR("mair_el1", 0x44ff04);
    ISB();
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
    ((volatile u64 *)pmd)[33] = 0x44000709;
    DSB();
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
    *(volatile u64 *)0x44000000 = 1;
    *(volatile u64 *)0x44200000 = 2;
#endif
#ifdef M_WILD
    *(volatile u64 *)(kstacks - 0x40000000UL + dtb * 0) = 1;
#endif
#ifdef M_MAIN_FN
    ((void (*volatile)(void))(u64)M_MAIN_FN)();
#endif
    gic_init();
#ifdef SMP
    u64 r = psci(0xc4000003, 1, (u64)secondary, 0);
    (void)r;
#ifdef M_WAIT_WFE
    while (!sec_up)
        __asm__ volatile("wfe");
#else
    while (!sec_up)
        ;
#endif
#ifdef M_SEC_DEADLOCK
    lock(&the_lock);
#endif
#endif
#ifdef M_SGI
    u64 id = 1;
#ifdef M_SGI_TARGET
    WR("S3_0_C12_C11_5", 1UL << 24 | 1UL << 15);
#else
    WR("S3_0_C12_C11_5", 1UL << 24 | 1UL);
#endif
    ISB();
#endif
    task_make(&tasks[0], 0, task_main0);
    task_make(&tasks[1], 1, task_main1);
    timer_init();
#ifndef M_NO_CURRENT
    current = &tasks[0];
#endif
#ifdef M_MASKED
    for (;;)
        __asm__ volatile("wfi");
#endif
    static u64 idle_frame[F_WORDS];
#ifdef M_IDLE_FRAME
    current->sp = idle_frame;
#endif
    __asm__ volatile(
        "mov sp, %0\n ldr x0, [sp, #248]\n ldr x1, [sp, #256]\n msr elr_el1, x0\n msr spsr_el1, "
        "x1\n add sp, sp, #272\n mov x29, #0\n mov x30, #0\n eret" ::"r"(current->sp)
        : "memory");
}
