// A small kernel with every mistake of its age: console, device tree, tables, GIC, timer, a second CPU, a program
// at EL0. Without a BUG_ it works and powers off. variants.txt says what each is and how it is to be named.
#include "young.h"
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;
#ifndef UART_PA
#define UART_PA 0x09000000UL
#endif
#define UART (UART_PA + VOFF)
#define GICD (0x08000000UL + VOFF)
#define GICC (0x08010000UL + VOFF)
#define GICR (0x080a0000UL + VOFF)
#define R32(a) (*(volatile u32 *)(a))
#define PTE_TABLE 3UL
#define AF (1UL << 10)
#define SH (3UL << 8)
#define RO (1UL << 7)
#define USER (1UL << 6)
#define UXN (1UL << 54)
#define PXN (1UL << 53)
#define ATTR(n) ((u64)(n) << 2)
extern char _text[], _end[], __bss_start[], __bss_end[], user_start[], user_end[], stack_top[], second_entry[];
u64 psci_call(u64, u64, u64, u64);
void to_user(void *entry, void *sp);
__attribute__((section(".tables,\"aw\",%nobits//"), aligned(65536))) u64 table0[8192];
__attribute__((section(".tables,\"aw\",%nobits//"), aligned(65536))) u64 table1[8192];
__attribute__((section(".tables,\"aw\",%nobits//"), aligned(65536))) u64 table2[8192];
__attribute__((section(".stacks,\"aw\",%nobits//"), aligned(16))) char stack1[8192];
__attribute__((section(".stacks,\"aw\",%nobits//"), aligned(4096))) char ustack[65536] __attribute__((aligned(65536)));
volatile u64 kernel_state = 42;
volatile u32 ticks, second_up, lock, uart_got, flag;
static inline void dsb(void) { __asm__ volatile("dsb sy" ::: "memory"); }
static inline void isb(void) { __asm__ volatile("isb" ::: "memory"); }

#ifdef BUG_EARLY_C
void early_console(void) { R32(UART_PA) = 'E'; }
#endif
static u64 pa(const void *p) { return (u64)p & 0x7fffffffffUL; }
__attribute__((section(".head.text"))) void tables_build(void)
{
    u64 *t = (u64 *)pa(table0), *l2 = (u64 *)pa(table1), *l3 = (u64 *)pa(table2);
    u64 dev = AF | ATTR(0) | UXN | PXN | 1, ram = AF | SH | ATTR(1) | UXN | 1;
#ifdef BUG_RAM_DEVICE
    ram = AF | SH | ATTR(0) | UXN | 1;
#endif
#ifdef BUG_DEV_NORMAL
    dev = AF | ATTR(1) | UXN | PXN | 1;
#endif
#ifdef BUG_RAM_NC
    ram = AF | SH | ATTR(2) | UXN | 1;
#endif
#ifdef BUG_RAM_NSH
    ram = AF | ATTR(1) | UXN | 1;
#endif
#ifdef BUG_MAIR_INDEX
    ram = AF | SH | ATTR(5) | UXN | 1;
#endif
#ifdef BUG_NO_AF
    ram &= ~AF;
#endif
#ifdef BUG_NO_AF_DEV
    dev &= ~AF;
#endif
#ifdef BUG_RAM_RO
    ram |= RO;
#endif
#ifdef BUG_RAM_PXN
    ram |= PXN;
#endif
#ifdef BUG_RAM_USER
    ram |= USER;
#endif
#ifdef BUG_RAM_INVALID
    ram &= ~1UL;
#endif
    volatile u64 *v = t;
#if TG == 4
#ifndef BUG_NO_DEV
    v[0] = dev;
#endif
#ifdef BUG_TABLE_IS_BLOCK
    v[1] = pa(l2) | 1 | AF | SH | ATTR(1);
#elif defined BUG_TABLE_LINK
    v[1] = (u64)table1 | PTE_TABLE;
#elif defined BUG_TABLE_SHIFT
    v[1] = (u64)l2 << 12 | PTE_TABLE;
#elif defined BUG_NO_RAM
#else
    v[1] = pa(l2) | PTE_TABLE;
#endif
    volatile u64 *m = l2, *p = l3;
    for (u64 i = 0; i < 256; i++)
        m[i] = (0x40000000UL + i * 0x200000) | ram;
    u64 kbase = pa(_text) & ~0x1fffffUL;
#ifndef BUG_L3_INDEX
    m[(kbase - 0x40000000) >> 21] = pa(l3) | PTE_TABLE;
#else
    m[(kbase - 0x40000000) >> 20] = pa(l3) | PTE_TABLE;
#endif
    for (u64 i = 0; i < 512; i++) {
        u64 a = kbase + i * 4096, f = (ram & ~3UL) | 3;
#ifdef BUG_PAGE_AS_BLOCK
        f = ram;
#endif
        if (a >= pa(user_start) && a < pa(user_end)) {
            f = (f | USER | RO | PXN) & ~UXN;
#ifdef BUG_USER_UXN
            f |= UXN;
#endif
        } else if (a >= pa(ustack) && a < pa(ustack) + 65536)
            f |= USER | PXN;
        else if (a >= pa(_text) && a < pa(user_start))
            f |= RO;
        else
            f |= PXN;
#ifdef BUG_DATA_RO
        if (a >= pa(__bss_start) && a < pa(__bss_end))
            f |= RO;
#endif
#ifdef BUG_STACK_RO
        if (a >= pa(stack_top) - 16384 && a < pa(stack_top))
            f |= RO;
#endif
#ifdef BUG_STACK_UNMAPPED
        if (a >= pa(stack_top) - 16384 && a < pa(stack_top))
            f = 0;
#endif
#ifdef BUG_TEXT_NX
        if (a >= pa(_text) && a < pa(user_start))
            f |= PXN;
#endif
#ifdef BUG_OFF_BY_PAGE
        a += 4096;
#endif
        p[i] = a | f;
    }
#else
#if TG == 16
#define BLK 0x2000000UL
#else
#define BLK 0x20000000UL
#endif
    for (u64 a = 0; a < 0x40000000UL; a += BLK)
        v[a / BLK] = a | dev;
#ifdef BUG_NO_RAM
    if (0)
#endif
    for (u64 a = 0x40000000UL; a < 0x60000000UL; a += BLK)
        v[a / BLK] = a | ram;
#ifdef BUG_NO_DEV
    v[0x09000000UL / BLK] = 0;
    v[0] = 0;
#endif
#endif
#ifdef BUG_L0_BLOCK
    v[0] = dev;
#endif
    dsb();
}

static void putc_(char c)
{
#ifdef BUG_UART_LSR
    while (!(R32(UART + 0x14) & 0x20))
        ;
#elif defined BUG_UART_BIT
    while (!(R32(UART + 0x18) & 0x100))
        ;
#elif defined BUG_UART_INVERTED
    while (!(R32(UART + 0x18) & 0x20))
        ;
#else
    while (R32(UART + 0x18) & 0x20)
        ;
#endif
    R32(UART) = (u8)c;
}
__attribute__((noinline)) void print(const char *s)
{
    while (*s)
        putc_(*s++);
}
void hex(u64 v)
{
    for (int i = 60; i >= 0; i -= 4)
        putc_("0123456789abcdef"[v >> i & 15]);
    putc_('\n');
}
static void off(void)
{
    psci_call(0x84000008, 0, 0, 0);
    for (;;)
        ;
}
__attribute__((noinline)) void panic(const char *why)
{
    print("PANIC: ");
    print(why);
    print("\n");
    for (;;)
        __asm__ volatile("wfe");
}
#define SYSREG(name, v) __asm__ volatile("msr " name ", %0" ::"r"((u64)(v)))
#define RSYS(name) ({ u64 v_; __asm__ volatile("mrs %0, " name : "=r"(v_)); v_; })
#ifdef BUG_TIMER_PHYS
#define ICTL "cntp_ctl_el0"
#define ITVAL "cntp_tval_el0"
#else
#define ICTL "cntv_ctl_el0"
#define ITVAL "cntv_tval_el0"
#endif
static void timer_arm(void) { SYSREG(ITVAL, RSYS("cntfrq_el0") / 1000); }
static u64 irq_ack(void) { return GIC == 3 ? RSYS("S3_0_C12_C12_0") : R32(GICC + 12); }
static void irq_eoi(u64 id)
{
#ifdef BUG_NO_EOI
    return;
#endif
    if (GIC == 3)
        SYSREG("S3_0_C12_C12_1", id);
    else
        R32(GICC + 16) = (u32)id;
}
static void handle_irq(void)
{
    u64 id = irq_ack();
    if (id == 27) {
        ticks++;
#ifdef BUG_DIES_LATER
        if (ticks == BUG_DIES_LATER)
            ((void (*)(void))kernel_state)();
#endif
#ifdef BUG_NO_REARM
        SYSREG(ICTL, 2);
#elif defined BUG_NO_REARM_STORM
#else
        timer_arm();
#endif
    } else if (id == 33) {
#ifdef BUG_UART_IRQ
        uart_got++;
#else
        uart_got = R32(UART);
        R32(UART + 0x44) = 0x7ff;
#endif
    }
    irq_eoi(id);
}
void exception(u64 kind, u64 *frame)
{
    u64 esr = RSYS("esr_el1");
    if (kind == 5 || kind == 9) {
        handle_irq();
        return;
    }
    if (kind == 8 && esr >> 26 == 0x15) {
        print("svc\n");
        off();
    }
#ifdef HANDLER_SKIP
    frame[31] += 4;
    return;
#endif
#ifdef HANDLER_RETURN
    return;
#endif
#ifdef HANDLER_SPIN
    for (;;)
        ;
#endif
#ifdef HANDLER_FAULTS
    R32(0x10) = 1;
#endif
    print("exception ");
    hex(kind);
    hex(esr);
    hex(RSYS("elr_el1"));
    hex(RSYS("far_el1"));
    for (;;)
        __asm__ volatile("wfe");
}
static void gic_cpu(u64 cpu)
{
#if GIC == 3
    u64 rd = GICR + cpu * 0x20000;
#ifndef BUG_WAKER
    R32(rd + 0x14) &= ~2u;
#ifndef BUG_WAKER_NOWAIT
    while (R32(rd + 0x14) & 4)
        ;
#endif
#endif
    rd += 0x10000;
#ifndef BUG_GROUP0
    R32(rd + 0x80) = ~0u;
#endif
#ifdef BUG_PRIO
    for (int i = 0; i < 8; i++)
        R32(rd + 0x400 + 4 * i) = 0xf0f0f0f0;
#else
    for (int i = 0; i < 8; i++)
        R32(rd + 0x400 + 4 * i) = 0xa0a0a0a0;
#endif
#ifdef BUG_WRONG_PPI
    R32(rd + 0x100) = 1u << 30;
#elif !defined BUG_NO_ENABLE
    R32(rd + 0x100) = 1u << 27;
#endif
    SYSREG("S3_0_C12_C12_5", 7);
    isb();
#ifdef BUG_PRIO
    SYSREG("S3_0_C4_C6_0", 0x80);
#elif !defined BUG_NO_PMR
    SYSREG("S3_0_C4_C6_0", 0xf0);
#endif
#ifndef BUG_NO_IGRPEN
    SYSREG("S3_0_C12_C12_7", 1);
#endif
    isb();
#else
#ifndef BUG_NO_ENABLE
    R32(GICD + 0x100) = 1u << 27;
#endif
    for (int i = 0; i < 8; i++)
        R32(GICD + 0x400 + 4 * i) = 0xa0a0a0a0;
#ifndef BUG_NO_PMR
    R32(GICC + 4) = 0xf0;
#endif
#ifndef BUG_NO_IGRPEN
    R32(GICC) = 1;
#endif
#endif
}
static void gic_dist(void)
{
#ifdef BUG_NO_DIST
    return;
#endif
#if GIC == 3
#ifdef BUG_DIST_G0
    R32(GICD) = 0x11;
#else
    R32(GICD) = 0x12;
#endif
#else
    R32(GICD) = 1;
#endif
}
static void lock_(volatile u32 *l)
{
    u32 v, s;
    __asm__ volatile("1: ldaxr %w0, [%2]\n cbnz %w0, 1b\n stxr %w1, %w3, [%2]\n cbnz %w1, 1b"
                     : "=&r"(v), "=&r"(s) : "r"(l), "r"(1) : "memory");
}
__attribute__((noinline)) void work(void)
{
    volatile u64 a[4];
    a[0] = ticks;
    a[1] = a[0];
}
void second_main(void)
{
#ifdef BUG_SECOND_FP
    SYSREG("cpacr_el1", 0);
    isb();
    __asm__ volatile("fmov d0, #1.0");
#endif
#ifdef BUG_SECOND_NULL
    void (*volatile f)(void) = 0;
    f();
#endif
#ifdef BUG_SECOND_LOCK
    lock_(&lock);
#endif
#ifdef BUG_SECOND_UNALIGNED
    *(volatile u64 *)(UART + 1) = 1;
#endif
    work();
    second_up = 1;
    dsb();
#ifdef BUG_SECOND_RET
    return;
#endif
    for (;;)
        __asm__ volatile("wfi");
}
__attribute__((noinline)) int recurse(int n)
{
    volatile u64 a[32];
    for (int i = 0; i < 32; i++)
        a[i] = n;
    return recurse(n + 1) + (int)a[3];
}
struct ops { void (*volatile start)(void); void (*volatile stop)(void); };
struct ops *volatile driver;
__attribute__((noinline)) int smash2(int n)
{
    smash(n);
    print("y\n");
    return ticks;
}
static void check_dtb(const u8 *d)
{
#ifdef BUG_DTB_MEMSET
    for (u64 a = 0x40000000UL; a < 0x40070000UL; a += 8)
        *(volatile u64 *)(a + VOFF) = 0;
#endif
#ifdef BUG_DTB_LE
    if (*(u32 *)d != 0xd00dfeed)
        panic("no device tree");
#else
    if (d[0] != 0xd0 || d[1] != 0x0d || d[2] != 0xfe || d[3] != 0xed)
#ifdef BUG_DTB_SPIN
        for (;;)
            ;
#else
        panic("no device tree");
#endif
#endif
}
__attribute__((noinline)) void smash(int n)
{
    volatile u64 b[4];
    for (volatile int i = 0; i < n; i++)
        b[i] = 0x4141414141414141;
    print("x\n");
    b[0] = ticks;
}
void kmain(u64 dtb)
{
    print("young kernel\n");
#ifndef NO_DTB
    check_dtb((const u8 *)(dtb + VOFF));
#endif
#ifdef BUG_RECURSE
    recurse(0);
#endif
#ifdef BUG_SMASH
    smash2(64);
#endif
#ifdef BUG_NULL_CALL
    driver->start();
#endif
#ifdef BUG_NULL_READ
    hex(*(volatile u64 *)8);
#endif
#ifdef BUG_NULL_OPS
    static struct ops none;
    driver = &none;
    driver->stop();
#endif
#ifdef BUG_BEYOND_RAM
    for (volatile u64 *p = (u64 *)(0x40000000UL + VOFF + 0x20000000 - 0x1000);; p++)
        *p = 1;
#endif
#ifdef BUG_MMU_STACK
    char *p = stack_top - 16384;
    for (u64 i = 0; i < 16384; i++)
        p[i] = (char)0xff;
#endif
#ifdef BUG_TABLES_MEMSET
    for (u64 i = 0; i < 8192; i++)
        ((volatile u64 *)table1)[i] = 0;
    dsb();
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
#endif
#ifdef BUG_UNMAP_SELF
    ((volatile u64 *)table2)[(pa(_text) & 0x1fffff) >> 12] = 0;
    dsb();
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
#endif
#ifdef BUG_TEXT_WRITE
    *(volatile u32 *)(u64)print = 0xd65f03c0;
#endif
#ifdef BUG_JIT
    static u32 code[1024] __attribute__((aligned(4096)));
    ((volatile u32 *)code)[0] = 0xd65f03c0;
    dsb();
    isb();
    ((void (*)(void))code)();
    ((volatile u32 *)code)[0] = 0xd503201f;
    ((volatile u32 *)code)[1] = 0xd65f03c0;
    ((void (*)(void))code)();
#endif
#ifdef BUG_TTBR0_ZERO
    SYSREG("ttbr0_el1", 0);
    isb();
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
    print("still here?\n");
#endif
#ifdef BUG_LOCK_TWICE
    lock_(&lock);
    lock_(&lock);
#endif
#ifdef BUG_X18
    register u64 *cpu __asm__("x18");
    __asm__ volatile("mov x18, #0\n str x18, [x18, #16]");
#endif
#ifdef BUG_UNDEF
    __asm__ volatile(".inst 0x12345678\n.inst 0");
#endif
#ifdef BUG_ASSERT
    __builtin_trap();
#endif
#ifdef BUG_ZVA_DEV
    __asm__ volatile("dc zva, %0" ::"r"(UART));
#endif
#ifdef BUG_UART8
    *(volatile u64 *)(UART + 4) = 'x';
#endif
#ifdef BUG_ATOMIC_DEV
    __asm__ volatile(".arch armv8.1-a\n ldadd w0, w1, [%0]" ::"r"(UART) : "x1", "memory");
#endif
#ifdef BUG_FLAG_LOOP
    while (!flag)
        ;
#endif
#ifdef BUG_RX_POLL
    while (R32(UART + 0x18) & 0x10)
        ;
#endif
#ifdef BUG_GICV2_ON_3
    R32(GICC) = 1;
#endif
#ifdef BUG_GICR_ON_2
    R32(GICR + 0x14) = 0;
#endif
#ifdef BUG_UNSUPPORTED
    __asm__ volatile(".arch armv8.5-a+sve\n rdvl x0, #1" ::: "x0");
#endif
#ifdef BUG_LONG_WAIT
    u64 until = RSYS("cntvct_el0") + RSYS("cntfrq_el0") * BUG_LONG_WAIT / 10;
    while (RSYS("cntvct_el0") < until)
        ;
    driver->start();
#endif
    gic_dist();
    gic_cpu(0);
#ifdef SMP
    u64 target = 1;
#ifdef BUG_CPU_ON_TARGET
    target = 0x100;
#endif
#ifdef BUG_CPU_ON_SELF
    target = 0;
#endif
    u64 fn = 0xc4000003;
#ifdef BUG_CPU_ON_FN
    fn = 0xc4000004;
#endif
#ifdef BUG_CPU_ON_VIRT
    u64 r = psci_call(fn, target, (u64)second_entry, 0);
#elif defined BUG_CPU_ON_START
    u64 r = psci_call(fn, target, pa(_text), 0);
#elif defined BUG_CPU_ON_ZERO
    u64 r = psci_call(fn, target, 0, 0);
#else
    u64 r = psci_call(fn, target, pa(second_entry), 0);
#endif
#ifdef CHECK_PSCI
    if (r)
        panic("cpu 1 does not start");
#endif
    (void)r;
#ifdef BUG_SECOND_LOCK
    lock_(&lock);
#endif
    while (!second_up)
#ifdef SECOND_WFE
        __asm__ volatile("wfe");
#else
        ;
#endif
#endif
#ifdef BUG_UART_IRQ
    R32(GICD + 0x80 + 4) = ~0u;
    R32(GICD + 0x100 + 4) = 2;
    R32(UART + 0x2c) = 0x70;
    R32(UART + 0x30) = 0x301;
    R32(UART + 0x38) = 0x20;
    R32(UART) = 'i';
#endif
#ifndef BUG_NO_TIMER
#ifndef BUG_TVAL_FORGOTTEN
    timer_arm();
#else
    SYSREG("cntv_cval_el0", ~0UL);
#endif
#ifdef BUG_TIMER_IMASK
    SYSREG(ICTL, 3);
#else
    SYSREG(ICTL, 1);
#endif
#endif
#ifndef BUG_MASKED
    __asm__ volatile("msr daifclr, #2");
#endif
#ifdef WAIT_SPIN
    while (ticks < 5)
        ;
#else
    while (ticks < 5)
        __asm__ volatile("wfi");
#endif
#ifdef LATE
    while (ticks < LATE)
        __asm__ volatile("wfi");
#endif
#ifdef BUG_LATE_NULL
    ((void (*)(void))(kernel_state - 42))();
#endif
#ifdef BUG_LATE_SMASH
    smash2(64);
#endif
    __asm__ volatile("msr daifset, #2");
    print("ticks\n");
#if TG == 4 && !defined HIGH && !defined NO_USER
    to_user((void *)pa(user_start), ustack + 65536);
#endif
    off();
}
