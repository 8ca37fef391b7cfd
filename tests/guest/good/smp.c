// Programs on several CPUs, which wait for each other.
// cpus: 2 wait_flag wait_lock wait_wfe wait_sev wait_mmu_off boss_is_off cpu_off_on ipi_ping spin_table sleepers_wake
// cpus: 2 alarm_elsewhere alarm_wakes_one patched_while_running wait_fault wait_wfi_sgi wait_armed suspend_cpu
// cpus: 4 parked tickets barrier parked_masked counters_lse
// gic2: ipi_ping
#include "good.h"

static volatile u64 flag, flags[16], lock, shared, sink;

static void work(u64 t)
{
    for (u64 end = now() + t; now() < end;)
        for (u64 n = 0; n < 1000; n++)
            ASM("");
}
static void set_flag(u64 cpu)
{
    work(ms(MS));
    flag = 1;
    dsb();
    ASM("sev");
    for (;;)
        ASM("wfi");
}
/// The boot CPU spins on memory, interrupts masked, until the other has worked long.
void wait_flag(void)
{
    mmu_on();
    cpu_start(1, set_flag);
    while (!flag)
        ;
}
void wait_mmu_off(void)
{
    cpu_start(1, set_flag);
    while (!flag)
        ;
}
void wait_wfe(void)
{
    cpu_start(1, set_flag);
    while (!flag)
        ASM("wfe");
}

/// LDXR arms the monitor; the store of the other CPU is the event.
static void set_quietly(u64 cpu)
{
    mmu_on();
    work(ms(MS));
    flag = 1;
    for (;;)
        ASM("wfi");
}
void wait_armed(void)
{
    mmu_on();
    cpu_start(1, set_quietly);
    ASM("sevl");
    u64 v;
    do {
        ASM("wfe");
        __asm__ volatile("ldaxr %0, [%1]" : "=r"(v) : "r"(&flag) : "memory");
    } while (!v);
}

static void hold(u64 cpu)
{
    mmu_on();
    while (swap_word(&lock, 1))
        ;
    flag = 1;
    work(ms(MS));
    shared = 7;
    __asm__ volatile("stlr xzr, [%0]" ::"r"(&lock) : "memory");
    for (;;)
        ASM("wfe");
}
void wait_lock(void)
{
    mmu_on();
    cpu_start(1, hold);
    while (!flag)
        ;
    while (swap_word(&lock, 1))
        ;
    CHECK(shared == 7);
}

static void event_later(u64 cpu)
{
    work(ms(MS));
    flag = 1;
    dsb();
    ASM("sev");
    for (;;)
        ASM("wfe");
}
void wait_sev(void)
{
    cpu_start(1, event_later);
    ASM("wfe");
    while (!flag)
        ASM("wfe");
}

/// CPU 0 starts the other and goes off for ever.
static void finish_alone(u64 cpu)
{
    while (psci(0xc4000004, 0, 0, 0) != 1)
        ;
    work(ms(MS));
    put("GOOD\n");
    psci(0x84000008, 0, 0, 0);
}
void boss_is_off(void)
{
    cpu_start(1, finish_alone);
    psci(0x84000002, 0, 0, 0);
    fail("CPU_OFF", 0);
}

static void count_and_go(u64 cpu)
{
    flag++;
    dsb();
    psci(0x84000002, 0, 0, 0);
}
void cpu_off_on(void)
{
    for (u64 k = 0; k < 100; k++) {
        cpu_start(1, count_and_go);
        while (psci(0xc4000004, 1, 0, 0) != 1)
            ;
        CHECK(flag == k + 1);
    }
}

static void ping(struct frame *f)
{
    u32 id = gic_ack();
    CHECK(id % 1024 == 3);
    gic_end(id);
    flags[cpu_number()]++;
    if (flags[0] < 2000)
        sgi(!cpu_number(), 3);
}
static void pong(u64 cpu)
{
    gic_init();
    gic_enable(3);
    irq_on();
    flag = 1;
    for (;;)
        ASM("wfi");
}
void ipi_ping(void)
{
    on_irq = ping;
    gic_init();
    gic_enable(3);
    irq_on();
    cpu_start(1, pong);
    while (!flag)
        ;
    sgi(1, 3);
    while (flags[0] < 2000)
        ASM("wfi");
}

/// CPU 0 sleeps with interrupts masked and is woken by an SGI that it polls.
static void late_sgi(u64 cpu)
{
    gic_init();
    work(ms(MS));
    sgi(0, 5);
    for (;;)
        ASM("wfi");
}
void wait_wfi_sgi(void)
{
    gic_init();
    gic_enable(5);
    cpu_start(1, late_sgi);
    while (gic_ack() != 5)
        ASM("wfi");
    gic_end(5);
}

/// The way of the spin table: the other CPU polls its release address, long, before it is let go.
static volatile u64 release;
static void second(u64 cpu)
{
    while (!release)
        ;
    ((void (*)(u64))release)(cpu);
}
void spin_table(void)
{
    cpu_start(1, second);
    work(ms(MS));
    release = (u64)set_flag;
    dsb();
    while (!flag)
        ASM("wfe");
}

static void tick_twice(struct frame *f)
{
    u32 id = gic_ack();
    CHECK(id == 27);
    flags[cpu_number()]++;
    timer_in(ms(50));
    gic_end(id);
}
static void sleeper(u64 cpu)
{
    gic_init();
    gic_enable(27);
    timer_in(ms(50));
    irq_on();
    while (flags[cpu] < MS / 50)
        ASM("wfi");
    irq_off();
    timer_off();
    for (;;)
        ASM("wfi");
}
/// Both sleep most of the time and tick on their own.
void sleepers_wake(void)
{
    on_irq = tick_twice;
    cpu_start(1, sleeper);
    gic_init();
    gic_enable(27);
    timer_in(ms(50));
    irq_on();
    while (flags[0] < MS / 50 || flags[1] < MS / 50)
        ASM("wfi");
}

/// The others park for ever while CPU 0 works.
static void park(u64 cpu)
{
    flags[cpu] = 1;
    for (;;)
        if (cpu == 1)
            ASM("wfi");
        else if (cpu == 2)
            ASM("wfe");
        else
            ASM("");
}
void parked(void)
{
    for (unsigned k = 1; k < 4; k++)
        cpu_start(k, park);
    while (!flags[1] || !flags[2] || !flags[3])
        ;
    work(ms(MS));
}
static void park_pending(u64 cpu)
{
    gic_init();
    gic_enable(27);
    timer_in(10);
    for (;;)
        ASM("wfi");
}
/// Parked with a pending interrupt that they never take.
void parked_masked(void)
{
    for (unsigned k = 1; k < 4; k++)
        cpu_start(k, park_pending);
    work(ms(MS));
}

static volatile u64 ticket, serving;
static void take_tickets(u64 cpu)
{
    mmu_on();
    for (u64 n = 0; n < 300; n++) {
        u64 mine = add_word(&ticket, 1) - 1, v;
        for (;;) {
            __asm__ volatile("ldaxr %0, [%1]" : "=r"(v) : "r"(&serving) : "memory");
            if (v == mine)
                break;
            ASM("wfe");
        }
        shared++;
        __asm__ volatile("stlr %0, [%1]" ::"r"(mine + 1), "r"(&serving) : "memory");
    }
    add_word(&flag, 1);
    while (cpu)
        ASM("wfe");
}
void tickets(void)
{
    mmu_on();
    for (unsigned k = 1; k < 4; k++)
        cpu_start(k, take_tickets);
    take_tickets(0);
    while (flag < 4)
        ;
    CHECK(shared == 1200);
}

static volatile u64 arrived, round_no;
static void meet(u64 cpu)
{
    if (cpu)
        mmu_on();
    for (u64 n = 0; n < 200; n++) {
        u64 r = round_no;
        if (add_word(&arrived, 1) == 4) {
            arrived = 0;
            dsb();
            round_no = r + 1;
        } else {
            while (round_no == r)
                ;
        }
    }
    add_word(&flag, 1);
    while (cpu)
        ASM("wfi");
}
void barrier(void)
{
    mmu_on();
    for (unsigned k = 1; k < 4; k++)
        cpu_start(k, meet);
    meet(0);
    while (flag < 4)
        ;
    CHECK(round_no == 200);
}

static void count_lse(u64 cpu)
{
    mmu_on();
    for (u64 n = 0; n < 20000; n++)
        __asm__ volatile(".arch_extension lse\nldadd %0, xzr, [%1]" ::"r"(1UL), "r"(&shared) : "memory");
    add_word(&flag, 1);
    while (cpu)
        ASM("wfi");
}
void counters_lse(void)
{
    mmu_on();
    for (unsigned k = 1; k < 4; k++)
        cpu_start(k, count_lse);
    count_lse(0);
    while (flag < 4)
        ;
    CHECK(shared == 80000);
}

/// An access is tried again and again, by the fault's handler, until another CPU maps the page.
static void retry(struct frame *f) { CHECK(esr_class() == 0x25); }
static void map_later(u64 cpu)
{
    mmu_on();
    work(ms(150));
    map_page(PAGES, shared, PTE(NORMAL) | PTE_XN);
    for (;;)
        ASM("wfi");
}
void wait_fault(void)
{
    on_sync = retry;
    shared = allocate(4096);
    R64(shared) = 42;
    mmu_on();
    cpu_start(1, map_later);
    CHECK(R64(PAGES) == 42);
}

/// CPU_SUSPEND to standby, with the timer as the end, while the other CPU is idle too.
void suspend_cpu(void)
{
    gic_init();
    gic_enable(27);
    cpu_start(1, park);
    for (unsigned k = 0; k < 5; k++) {
        timer_in(ms(MS) / 5);
        psci(0xc4000001, 0, 0, 0);
        while (!(READ(cntv_ctl_el0) & 4))
            ;
        CHECK(gic_ack() == 27);
        timer_off();
        gic_end(27);
    }
}

/// A branch that is switched on and off while the other CPU runs through it: NOP and B may be exchanged so.
extern volatile u32 switched[];
u64 run_switched(void);
__asm__(".text\nrun_switched: mov x0, #1\nswitched: nop\nmov x0, #2\nret\n");
static volatile u64 seen_values, stop_running;
static void runs_it(u64 cpu)
{
    mmu_on();
    while (!stop_running) {
        u64 v = run_switched();
        CHECK(v == 1 || v == 2);
        seen_values |= v;
        shared++;
    }
    for (;;)
        ASM("wfi");
}
void patched_while_running(void)
{
    mmu_on();
    cpu_start(1, runs_it);
    for (unsigned n = 0; n < 60; n++) {
        u64 before = shared;
        while (shared - before < 50)
            ;
        *switched = n & 1 ? 0xd503201f : 0x14000002; /* nop; b ret */
        work(ms(1));                                  /* the other meets it as it is */
        code_sync((void *)switched, 4);
    }
    stop_running = 1;
    CHECK(seen_values == 3);
}

/* ---- an interrupt of a device that only the other CPU takes ---- */

static volatile u64 sleeps;
static void rang(struct frame *f)
{
    u32 id = gic_ack();
    CHECK(id == 34 || id >= 1020);
    if (id != 34)
        return;
    R32(RTC + 0x1c) = 1;
    shared++;
    gic_end(id);
}
static void alarm_to_other(void)
{
    gic_init();
    gic_enable(34);
#ifndef GIC2
    R64(GICD + 0x6000 + 8 * 34) = 1;
#else
    *(volatile u8 *)(GICD + 0x800 + 34) = 2;
#endif
    R32(RTC + 0x10) = 1;
    R32(RTC + 4) = R32(RTC) + 2;
}
static void takes_alarm(u64 cpu)
{
    on_irq = rang;
    gic_init();
    irq_on();
    flag = 1;
    while (!shared)
        ASM("wfi");
    if (sleeps)
        psci(0x84000008, 0, 0, 0);
    for (;;)
        ASM("wfi");
}
/// CPU 0 spins on memory, masked, while the other sleeps until the alarm.
void alarm_elsewhere(void)
{
    cpu_start(1, takes_alarm);
    while (!flag)
        ;
    alarm_to_other();
    while (!shared)
        ;
}
/// CPU 0 sleeps for ever; the other powers off.
void alarm_wakes_one(void)
{
    sleeps = 1;
    cpu_start(1, takes_alarm);
    while (!flag)
        ;
    alarm_to_other();
    put("GOOD\n");
    for (;;)
        ASM("wfi");
}
