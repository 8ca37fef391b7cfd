volatile u64 ticks[MAXCPU];
static u64 period;
void timer_init(void)
{
    period = rd(cntfrq_el0) / 1000;
#if M_TIMER_FREQ
    period = rd(cntfrq_el0) * 100000;
#endif
    wr(cntp_tval_el0, period);
    wr(cntp_ctl_el0, IS(TIMER_IMASK) ? 3 : IS(TIMER_NOENABLE) ? 0 : 1);
    isb();
}
void timer_tick(void)
{
    ticks[cpu_id()]++;
#if !M_TIMER_REARM
    wr(cntp_tval_el0, period);
#endif
    isb();
#if M_LOCK_IRQ
    if (ticks[0] < 100)
        printf("tick\n");
#endif
}
