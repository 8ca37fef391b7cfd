// Programs that wait: long, in unusual ways, for things that come.
// guest: poll_time poll_timer poll_gic poll_isr wfi_masked poll_rtc poll_key delay_count delay_memory compute
// guest: flag_from_irq tick_idle sleep_long wfe_stream two_timers tick_while_wfe slow_ticks fiq_masked_sleep
// guest: uart_tx_irq uart_rx_sleep
// guest: poll_tval poll_cycles poll_alarm poll_alarm_status hash_long
// guest: fast_ticks nested_irq spurious_irq
// slow: talk talk_by_irq
// gic2: flag_from_irq tick_idle poll_gic wfi_masked nested_irq
#include "good.h"

static volatile u64 ticks, sink;

/// Polls the counter with interrupts masked.
void poll_time(void)
{
    for (u64 end = now() + ms(MS); now() < end;)
        ;
}

/// Polls the timer's status bit with interrupts masked; nothing is enabled in the GIC.
void poll_timer(void)
{
    timer_in(ms(MS));
    while (!(READ(cntv_ctl_el0) & 4))
        ;
    timer_off();
}

/// The timer's interrupt is polled in the GIC and acknowledged without ever being taken.
void poll_gic(void)
{
    gic_init();
    gic_enable(27);
    for (unsigned k = 0; k < 3; k++) {
        u32 id;
        timer_in(ms(MS) / 3);
        while ((id = gic_ack()) != 27)
            CHECK(id >= 1020);
        timer_off();
        gic_end(27);
    }
}

void poll_isr(void)
{
    gic_init();
    gic_enable(27);
    timer_in(ms(MS));
    while (!(READ(isr_el1) & 0x80))
        ;
    timer_off();
}

/// WFI wakes for an interrupt that is masked and not taken.
void wfi_masked(void)
{
    gic_init();
    gic_enable(27);
    for (unsigned k = 0; k < 20; k++) {
        timer_in(ms(MS) / 20);
        while (!(READ(cntv_ctl_el0) & 4))
            ASM("dsb sy\nwfi");
        CHECK(gic_ack() == 27);
        timer_off();
        gic_end(27);
    }
}

void poll_rtc(void)
{
    for (u32 first = R32(RTC), k = 0; k < 1 + MS / 1000; k++)
        while (R32(RTC) - first <= k)
            ;
}

/// "Press any key", and nobody does.
void poll_key(void)
{
    for (u64 end = now() + ms(MS); now() < end;)
        if (!(R32(UART + 0x18) & 0x10))
            sink += R32(UART);
}

/// Counted loops without a look at anything.
void delay_count(void)
{
    for (u64 end = now() + ms(MS); now() < end;)
        for (u64 n = 20000000 * (MS / 700); n; n--)
            ASM("");
}

void delay_memory(void)
{
    for (u64 end = now() + ms(MS); now() < end;)
        for (volatile u32 n = 0; n < 5000000; n++)
            ;
}

/// Computes for long and prints nothing; a result comes out.
void compute(void)
{
    u64 primes = 0, n = 2;
    for (u64 end = now() + ms(MS); now() < end; n++) {
        u64 d = 2;
        while (d * d <= n && n % d)
            d++;
        primes += d * d > n;
    }
    CHECK(primes > 100 && primes < n);
}

/* ---- with interrupts ---- */

static u64 period;
static void tick(struct frame *f)
{
    u32 id = gic_ack();
    CHECK(id == 27);
    ticks++;
    timer_in(period);
    gic_end(id);
}
static void ticking(u64 p)
{
    period = p;
    on_irq = tick;
    gic_init();
    gic_enable(27);
    timer_in(period);
    irq_on();
}

/// The loop of every first kernel: nothing in it ends it.
void flag_from_irq(void)
{
    ticking(ms(MS) / 3);
    while (ticks < 3)
        ;
}

/// An idle loop that only its ticks disturb.
void tick_idle(void)
{
    ticking(ms(10));
    while (ticks < MS / 10)
        ASM("wfi");
}

void sleep_long(void)
{
    ticking(ms(MS + 1000));
    while (ticks < 1)
        ASM("wfi");
}

/// Ticks that are rare against the rate of samples, and a loop that polls memory in between.
void slow_ticks(void)
{
    ticking(ms(MS));
    while (ticks < 2)
        sink = ticks;
}

/// The event stream of the counter ends WFE.
void wfe_stream(void)
{
    WRITE(cntkctl_el1, READ(cntkctl_el1) | 4 | 10 << 4);
    isb();
    for (u64 end = now() + ms(MS); now() < end;)
        ASM("wfe");
}

void tick_while_wfe(void)
{
    ticking(ms(20));
    while (ticks < MS / 20)
        ASM("wfe");
}

/// A watchdog of two timers: one would end the program, the other puts it off.
static void watchdog(struct frame *f)
{
    u32 id = gic_ack();
    CHECK(id == 27);
    WRITE(cntp_tval_el0, ms(10000));
    ticks++;
    timer_in(ms(20));
    gic_end(id);
}
void two_timers(void)
{
    on_irq = watchdog;
    gic_init();
    gic_enable(27);
    gic_enable(30);
    WRITE(cntp_tval_el0, ms(10000));
    WRITE(cntp_ctl_el0, 1);
    timer_in(ms(20));
    irq_on();
    while (ticks < MS / 20)
        ASM("wfi");
}

/// Sleeps with IRQ and FIQ masked and lets them in for a moment after each sleep.
void fiq_masked_sleep(void)
{
    ticking(ms(20));
    irq_off();
    while (ticks < MS / 20) {
        ASM("wfi");
        irq_on();
        isb();
        irq_off();
    }
}

/// The deadline is always in the past: the program between gets on little, and ends all the same.
static void tick_now(struct frame *f)
{
    u32 id = gic_ack();
    CHECK(id == 27);
    if (++ticks == 60000)
        timer_off();
    gic_end(id);
}
void fast_ticks(void)
{
    on_irq = tick_now;
    gic_init();
    gic_enable(27);
    timer_in(1);
    irq_on();
    while (ticks < 60000)
        sink++;
}

/// Interrupts that are let in again inside the handler, after the acknowledge and before the end.
static volatile u64 depth, deepest;
static void nest(struct frame *f)
{
    u32 id = gic_ack();
    CHECK(id < 16 || id == 27);
    if (id == 27)
        timer_in(ms(1));
    ticks++;
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (id && depth < 8)
        sgi(0, id == 27 ? 8 : id - 1);
    irq_on();
    isb();
    for (u64 n = 0; n < 100; n++)
        sink++;
    irq_off();
    depth--;
    gic_end(id);
}
void nested_irq(void)
{
    on_irq = nest;
    gic_init();
    for (u32 id = 0; id < 16; id++)
        R32(
#ifdef GIC2
            GICD + 0x400
#else
            GICR + 0x10400
#endif
            + (id & ~3u)) = 0x01010101u * (0x10 + (id & ~3u) * 8);
    gic_enable(27);
    for (u32 id = 0; id < 16; id++)
        gic_enable(id);
    timer_in(ms(1));
    irq_on();
    while (ticks < 3000)
        ASM("wfi");
    irq_off();
}

/// The handler finds nothing to do: the interrupt went away before it was acknowledged.
static void maybe(struct frame *f)
{
    if (ticks & 1)
        timer_off();
    u32 id = gic_ack();
    CHECK(id == 27 || id >= 1020);
    if (id == 27) {
        timer_off();
        gic_end(id);
    }
    ticks++;
}
void spurious_irq(void)
{
    on_irq = maybe;
    gic_init();
    gic_enable(27);
    irq_on();
    while (ticks < 3000) {
        u64 seen = ticks;
        timer_in(1);
        for (u64 n = 0; ticks == seen && n < 1000; n++)
            ASM("wfi");
    }
}

/// Output by interrupts.
static void send(struct frame *f)
{
    u32 id = gic_ack();
    CHECK(id == 33);
    R32(UART + 0x44) = 0x20;
    if (ticks < 200)
        R32(UART) = (ticks & 63) == 63 ? '\n' : '.';
    else
        R32(UART + 0x38) = 0;
    ticks++;
    gic_end(id);
}
void uart_tx_irq(void)
{
    on_irq = send;
    gic_init();
    gic_enable(33);
    R32(UART + 0x38) = 0x20;
    R32(UART) = '\n';
    while (ticks < 201) {
        ASM("wfi");
        irq_on();
        isb();
        irq_off();
    }
    R32(UART) = '\n';
}

/// A shell that sleeps until a key comes, with a timer that ends it at last.
void uart_rx_sleep(void)
{
    ticking(ms(MS));
    gic_enable(33);
    R32(UART + 0x38) = 0x50;
    while (ticks < 1)
        ASM("wfi");
}

/* ---- what else shows the time ---- */

/// The timer's countdown, with the timer on or off.
void poll_tval(void)
{
    timer_in(ms(MS));
    while ((int)READ(cntv_tval_el0) > 0)
        ;
    timer_off();
    WRITE(cntp_ctl_el0, 0);
    WRITE(cntp_tval_el0, ms(MS));
    isb();
    while ((int)READ(cntp_tval_el0) > 0)
        ;
}

/// The cycle counter, where there is one; with a bound, as it may stand still.
void poll_cycles(void)
{
    if ((READ(id_aa64dfr0_el1) >> 8 & 15) == 0)
        return;
    WRITE(pmcr_el0, 5);
    WRITE(pmcntenset_el0, 1UL << 31);
    isb();
    u64 first = READ(pmccntr_el0), end = now() + ms(MS);
    while (READ(pmccntr_el0) - first < 1000000000UL && now() < end)
        ;
}

/// The alarm of the RTC, by its raw status, then by the interrupt that the GIC shows.
void poll_alarm_status(void)
{
    R32(RTC + 4) = R32(RTC) + 2;
    while (!(R32(RTC + 0x14) & 1))
        ;
    R32(RTC + 0x1c) = 1;
}
void poll_alarm(void)
{
    u32 id;
    gic_init();
    gic_enable(34);
    R32(RTC + 0x10) = 1;
    R32(RTC + 4) = R32(RTC) + 2;
    while ((id = gic_ack()) != 34)
        CHECK(id >= 1020);
    R32(RTC + 0x1c) = 1;
    gic_end(34);
}

/// A checksum over all memory, round after round, with interrupts masked and nothing printed.
void hash_long(void)
{
    u64 h = 0xcbf29ce484222325UL;
    for (u64 end = now() + ms(MS); now() < end;)
        for (u64 a = RAM + 0x4000000; a < RAM + 0x6000000; a += 64)
            h = (h ^ R64(a)) * 0x100000001b3UL;
    CHECK(h);
}

/// Prints more than the host takes at once, and polls until there is room.
void talk(void)
{
    for (unsigned n = 0; n < 400000; n++) {
        while (R32(UART + 0x18) & 0x20)
            ;
        R32(UART) = (n & 63) == 63 ? '\n' : '.';
    }
    while (R32(UART + 0x18) & 8)
        ;
}

/// The same by interrupts, asleep until there is room.
static void send_more(struct frame *f)
{
    u32 id = gic_ack();
    R32(UART + 0x44) = 0x20;
    for (; ticks < 400000 && !(R32(UART + 0x18) & 0x20); ticks++)
        R32(UART) = (ticks & 63) == 63 ? '\n' : '.';
    if (ticks == 400000)
        R32(UART + 0x38) = 0;
    gic_end(id);
}
void talk_by_irq(void)
{
    on_irq = send_more;
    gic_init();
    gic_enable(33);
    R32(UART + 0x2c) = 0x70;
    R32(UART + 0x38) = 0x20;
    R32(UART) = '\n';
    while (ticks < 400000) {
        ASM("wfi");
        irq_on();
        isb();
        irq_off();
    }
}
