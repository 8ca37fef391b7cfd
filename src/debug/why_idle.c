/// F13 and its kin: the machine waits for something that cannot come. Reads timers and interrupt
/// controller to say which link of the chain is missing.
#include "debug/priv.h"

#include <stdarg.h>
#include <stdio.h>

#define GICD 0x08000000ULL
#define GICR 0x080a0000ULL
#define GICC 0x08010000ULL
enum { GICR_STRIDE = 0x20000, GICR_SGI = 0x10000, IGROUPR = 0x80, ISENABLER = 0x100, ISPENDR = 0x200,
       ISACTIVER = 0x300, IPRIORITYR = 0x400, GICR_WAKER = 0x14 };
enum { EXTRA_ERETS = 8 };
#define YEAR_S (365ULL * 24 * 3600)
typedef unsigned long long ull;

struct chain {
    u64 v_ctl, p_ctl, hp_ctl, hv_ctl; ///< CNTV_CTL_EL0, CNTP_CTL_EL0, CNTHP_CTL_EL2, CNTHV_CTL_EL2
    u64 gicd_ctlr, enabled, group, pending, active, pmr, group1, group0;
    gpa_t bank;       ///< registers of this CPU's SGIs and PPIs
    bool has_gic, asleep; ///< GICR_WAKER.ProcessorSleep
};

static u64 io(struct explain *x, gpa_t pa)
{
    u64 v = 0;
    return mem_io_read(machine_mem(x->m), pa, 4, &v) ? v : 0;
}

static void read_chain(struct explain *x, struct cpu *c, struct chain *k)
{
    *k = (struct chain){.has_gic = !machine_config(x->m)->bare};
    k->v_ctl = c->sr[SYSREG_CNTV_CTL_EL0];
    k->p_ctl = c->sr[SYSREG_CNTP_CTL_EL0];
    k->hp_ctl = c->sr[SYSREG_CNTHP_CTL_EL2];
    k->hv_ctl = c->sr[SYSREG_CNTHV_CTL_EL2];
    if (!k->has_gic)
        return;
    k->gicd_ctlr = io(x, GICD);
    if (machine_config(x->m)->gic == 3) {
        k->asleep = bit(io(x, GICR + (u64)GICR_STRIDE * c->index + GICR_WAKER), 1);
        k->bank = GICR + (u64)GICR_STRIDE * c->index + GICR_SGI;
        if (c->icc.read) {
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 4, 6, 0), &k->pmr);
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 12, 12, 6), &k->group0);
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 12, 12, 7), &k->group1);
        }
    } else {
        k->bank = GICD;
        k->pmr = io(x, GICC + 4);
        k->group0 = io(x, GICC) & 1;
        k->group1 = io(x, GICC) >> 1 & 1;
    }
    k->group = io(x, k->bank + IGROUPR);
    k->enabled = io(x, k->bank + ISENABLER);
    k->pending = io(x, k->bank + ISPENDR);
    k->active = io(x, k->bank + ISACTIVER);
}

bool fiq_may_come(struct explain *x, struct cpu *c)
{
    struct chain k;
    read_chain(x, c, &k);
    return k.group0 != 0;
}

static u64 priority(struct explain *x, const struct chain *k, unsigned intid)
{
    return io(x, k->bank + IPRIORITYR + (intid & ~3u)) >> (intid & 3) * 8 & 0xff;
}

static const char *intid_name(unsigned intid)
{
    static const struct {
        unsigned intid;
        const char *name;
    } known[] = {{25, "the GIC's maintenance interrupt"}, {26, "the hypervisor timer"}, {27, "the virtual timer"}, {28, "the hypervisor's virtual timer"},
                 {30, "the physical timer"}, {33, "the UART"}, {34, "the RTC"}, {39, "the GPIO keys"}};
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].intid == intid)
            return known[i].name;
    return intid < 16 ? "an SGI" : intid < 32 ? "a private interrupt" : "a device";
}

const char *pending_interrupt(struct explain *x, struct cpu *c, char *buf, size_t size)
{
    struct chain k;
    buf[0] = 0;
    read_chain(x, c, &k);
    for (unsigned n = 0; k.has_gic && n < 8; n++) { /* banks: private ones, then SPIs */
        u64 on = n ? io(x, GICD + ISENABLER + 4 * n) : k.enabled;
        u64 act = n ? io(x, GICD + ISACTIVER + 4 * n) : k.active, pend = n ? io(x, GICD + ISPENDR + 4 * n) : k.pending;
        u64 hit = act & on ? act & on : pend & on;
        if (hit) {
            unsigned intid = 32 * n + (unsigned)__builtin_ctzll(hit);
            snprintf(buf, size, " (INTID %u, %s%s)", intid, intid_name(intid), act & on ? ", acknowledged" : "");
            break;
        }
    }
    return buf;
}

/// The links of a chain that are broken, one after the other.
struct links {
    char *buf;
    size_t size, len;
    unsigned count;
};

static void PRINTF_LIKE(2, 3) broken(struct links *l, const char *fmt, ...)
{
    va_list ap;
    if (l->count++ && l->len < l->size)
        l->len += (size_t)snprintf(l->buf + l->len, l->size - l->len, "; and ");
    if (l->len >= l->size)
        return;
    va_start(ap, fmt);
    l->len += (size_t)vsnprintf(l->buf + l->len, l->size - l->len, fmt, ap);
    va_end(ap);
}

static void gic_links(struct explain *x, const struct chain *k, unsigned intid, struct links *l)
{
    unsigned n = intid % 32;
    bool group1 = bit(k->group, n), v3 = machine_config(x->m)->gic == 3;
    u64 prio = priority(x, k, intid);
    if (!bit(k->enabled, n))
        broken(l, "INTID %u is not enabled in the GIC (%s_ISENABLER%u=0x%llx)", intid, v3 && intid < 32 ? "GICR" : "GICD", intid / 32,
               (ull)k->enabled);
    if (k->asleep)
        broken(l, "the redistributor sleeps (GICR_WAKER.ProcessorSleep=1): clear it first");
    if (!(k->gicd_ctlr & 3))
        broken(l, "the distributor is off (GICD_CTLR=0x%llx)", (ull)k->gicd_ctlr);
    if (bit(k->active, n))
        broken(l, "INTID %u is still active: its handler acknowledged it (IAR) and never ended it (EOIR), so it cannot come again", intid);
    if (!k->group1 && !k->group0)
        broken(l, "the CPU interface takes no interrupts (group enable is 0: %s)", v3 ? "ICC_IGRPEN1_EL1" : "GICC_CTLR");
    else if (!(group1 ? k->group1 : k->group0))
        broken(l, "INTID %u is in group %d (IGROUPR%u=0x%llx), which is not enabled in the CPU interface", intid, group1, intid / 32,
               (ull)k->group);
    else if ((k->gicd_ctlr & 3) && !bit(k->gicd_ctlr, group1))
        broken(l, "INTID %u is in group %d (IGROUPR%u=0x%llx), which is not enabled in GICD_CTLR", intid, group1, intid / 32, (ull)k->group);
    if (k->pmr == 0)
        broken(l, "the priority mask (PMR) is 0 and blocks every interrupt");
    else if (prio >= k->pmr)
        broken(l, "INTID %u has priority 0x%llx, and the priority mask (PMR=0x%llx) lets only lower values through", intid, (ull)prio,
               (ull)k->pmr);
}

/// An interrupt that is pending and cannot reach the CPU it is for. ret  NULL when there is none
static const char *blocked_link(struct explain *x, char *buf, size_t size)
{
    struct chain k;
    struct links l = {.buf = buf, .size = size};
    for (unsigned i = 0; i < x->cpus; i++) {
        struct cpu *c = machine_cpu(x->m, i);
        if (!machine_cpu_is_on(x->m, i))
            continue;
        read_chain(x, c, &k);
        for (unsigned n = 0; k.has_gic && n <= 8; n++) { /* banks: private ones, then SPIs */
            if (n) {
                k.bank = GICD;
                k.group = io(x, GICD + IGROUPR + 4 * n);
                k.enabled = io(x, GICD + ISENABLER + 4 * n);
                k.pending = io(x, GICD + ISPENDR + 4 * n);
                k.active = io(x, GICD + ISACTIVER + 4 * n);
            }
            if ((k.pending & ~k.active) == 0 || (n && i != x->verdict_cpu))
                continue;
            unsigned bit_no = (unsigned)__builtin_ctzll(k.pending & ~k.active), intid = 32 * n + bit_no;
            l.len = (size_t)snprintf(buf, size, "INTID %u (%s) is pending for cpu%u, but ", intid, intid_name(intid), i);
            gic_links(x, &k, intid, &l);
            if (l.count && l.len + 1 < size) {
                snprintf(buf + l.len, size - l.len, ".");
                return buf;
            }
        }
    }
    return NULL;
}

/// ret  NULL when no timer is enabled
static const char *timer_link(struct explain *x, const struct cpu *c, const struct chain *k, char *buf, size_t size)
{
    const struct {
        u64 ctl;
        unsigned intid;
        const char *name;
        enum sysreg_id cval;
    } all[] = {{k->v_ctl, 27, "virtual", SYSREG_CNTV_CVAL_EL0}, {k->p_ctl, 30, "physical", SYSREG_CNTP_CVAL_EL0},
               {k->hp_ctl, 26, "EL2 physical", SYSREG_CNTHP_CVAL_EL2}, {k->hv_ctl, 28, "EL2 virtual", SYSREG_CNTHV_CVAL_EL2}};
    struct links l = {.buf = buf, .size = size};
    unsigned t = 0;
    while (t < ARRAY_LEN(all) && !(all[t].ctl & 1))
        t++;
    if (t == ARRAY_LEN(all))
        return NULL;
    l.len = (size_t)snprintf(buf, size, "The %s timer runs, but ", all[t].name);
    u64 cval = c->sr[all[t].cval], freq = c->sr[SYSREG_CNTFRQ_EL0];
    if (all[t].ctl & 2)
        broken(&l, "its IMASK bit masks it");
    if (freq && cval / freq > YEAR_S)
        broken(&l, "its compare value 0x%llx is %llu years away", (ull)cval, (ull)(cval / freq / YEAR_S));
    if (k->has_gic)
        gic_links(x, k, all[t].intid, &l);
    if (l.count && (c->daif & DAIF_I) && c->el == 1)
        broken(&l, "interrupts are masked (DAIF.I=1)");
    if (l.count == 0)
        broken(&l, "its interrupt does not reach the CPU (an active one of higher priority?)");
    if (l.len + 1 < size)
        snprintf(buf + l.len, size - l.len, ".");
    return buf;
}

static const char *psci_name(u64 fn)
{
    static const char *const shown[] = {" (PSCI_VERSION)", " (CPU_SUSPEND)", " (CPU_OFF)", " (CPU_ON)", " (AFFINITY_INFO; CPU_ON is 0xc4000003)",
                                        " (MIGRATE)", " (MIGRATE_INFO_TYPE)", " (MIGRATE_INFO_UP_CPU)", " (SYSTEM_OFF)", " (SYSTEM_RESET)",
                                        " (PSCI_FEATURES)"};
    unsigned n = fn & 0xffff;
    return (fn & ~0x4000ffffULL) == 0x84000000 && n < ARRAY_LEN(shown) ? shown[n] : "";
}

/// A firmware call that was refused before: most likely what is waited for.
static bool add_psci(struct explain *x, const struct cpu_watch *w, struct why *out)
{
    size_t n = strlen(out->cause);
    char at[96];
    u64 fn = w->psci.fn & 0xffffffff;
    bool on = (fn & ~0x40000000ULL) == 0x84000003;
    if (!w->psci.failed)
        return false;
    name_full(x, w->psci.pc, at, sizeof at);
    if (on)
        snprintf(out->cause + n, sizeof out->cause - n,
                 " PSCI CPU_ON for MPIDR 0x%llx at %s was refused (%lld: %s); the machine has %u CPU%s, with MPIDR 0x0%s.",
                 (ull)w->psci.arg, at, (long long)w->psci.ret,
                 (s64)w->psci.ret == -4 ? "already on" : w->psci.entry & 3 ? "the entry is not a multiple of 4" : "no such CPU",
                 x->cpus, x->cpus == 1 ? "" : "s", x->cpus == 1 ? " (-c N gives more)" : x->cpus == 2 ? " and 0x1" : ", 0x1, ...");
    else
        snprintf(out->cause + n, sizeof out->cause - n, " Before, the firmware call x0=0x%llx%s at %s was refused (%lld%s).", (ull)fn, psci_name(fn), at,
                 (long long)w->psci.ret, (s64)w->psci.ret == -1 ? ": no such function" : "");
    return on;
}

/// At EL2 without HCR_EL2.IMO or TGE physical interrupts belong to EL1 and are never taken.
static bool keeps_from_el2(const struct cpu *c)
{
    return c->el == 2 && !(c->sr[SYSREG_HCR_EL2] & (HCR_IMO | HCR_TGE));
}

static u64 loop_value(const struct explain *x)
{
    return x->loop.size >= 8 ? x->loop.val : x->loop.val & ((1ULL << 8 * x->loop.size) - 1);
}

static void why_stuck(struct explain *x, struct cpu *c, const char *at, struct why *out)
{
    struct chain k;
    bool masked = c->daif & DAIF_I;
    char what[96], link[400];
    snprintf(out->title, sizeof out->title, "a loop that nothing can end");
    char held[160] = "";
    if (x->loop.va && x->loop.exclusive)
        snprintf(held, sizeof held, " It waits for a lock at %s, which holds 0x%llx: taken, and never released.",
                 name_full(x, x->loop.va, what, sizeof what), (ull)loop_value(x));
    else if (x->loop.va)
        snprintf(held, sizeof held, " It last read %s, which holds 0x%llx.", name_full(x, x->loop.va, what, sizeof what), (ull)loop_value(x));
    snprintf(out->cause, sizeof out->cause, "cpu%u loops at %s on values that nothing else changes, and %s, so it never leaves.%s",
             c->index, at, masked ? "interrupts are masked (DAIF.I=1)" : "no interrupt is enabled that could come", held);
    snprintf(out->fix, sizeof out->fix,
             "If the program is finished here, end with PSCI SYSTEM_OFF (x0=0x84000008, %s #0); else find why it came "
             "to this loop from the transfers above.", c->has_el2 ? "smc" : "hvc");
    if (x->loop.exclusive)
        snprintf(out->fix, sizeof out->fix, "Release the lock on every way out, do not take it twice (also not in a handler that interrupted its "
                                            "holder), and clear it before its first use; on silicon a lock also needs cacheable memory.");
    size_t n = strlen(out->cause);
    if (x->polls_uart) {
        snprintf(out->title, sizeof out->title, "waiting for a UART flag that never changes");
        snprintf(out->cause + n, sizeof out->cause - n, " It reads a register of the PL011 and waits for a bit that this UART never shows "
                                                        "there, whatever is received.");
        snprintf(out->fix, sizeof out->fix, "The UART here is a PL011: UARTFR is at offset 0x18, TXFF is bit 5 (1: full), RXFE bit 4; a "
                                            "16550's LSR at offset 5 or 0x14 does not exist. Use 32-bit accesses.");
    } else if (masked && cpu_irq_wire(c)) {
        snprintf(out->cause + n, sizeof out->cause - n, " An interrupt%s is pending and would be taken with DAIF.I=0.",
                 pending_interrupt(x, c, what, sizeof what));
        snprintf(out->fix, sizeof out->fix, "Unmask interrupts (msr daifclr, #2) before waiting for one; WFI wakes while they are masked, "
                                            "but no handler runs.");
        return;
    } else if (!masked && keeps_from_el2(c) && cpu_irq_wire(c)) {
        snprintf(out->title, sizeof out->title, "waiting at EL2 for an interrupt that goes to EL1");
        snprintf(out->cause, sizeof out->cause,
                 "cpu%u loops at %s at EL2. An interrupt%s is pending, but HCR_EL2.IMO=0 routes it to EL1, so it is never taken at EL2.",
                 c->index, at, pending_interrupt(x, c, what, sizeof what));
        snprintf(out->fix, sizeof out->fix, "A kernel for EL1 drops to EL1 first (SPSR_EL2=0x3c5, ELR_EL2, ERET): what it wrote to registers "
                                            "of EL1 has no effect at EL2. A kernel for EL2 sets HCR_EL2.IMO and uses VBAR_EL2.");
        return;
    }
    read_chain(x, c, &k);
    if (!x->polls_uart && ((timer_link(x, c, &k, link, sizeof link) && !strstr(link, "active one of")) || blocked_link(x, link, sizeof link))) {
        snprintf(out->cause + n, sizeof out->cause - n, " %s", link);
        snprintf(out->fix, sizeof out->fix, "If the loop waits for the timer's interrupt, mend that link of the chain: timer, INTID enabled in the "
                                            "GIC, group, priority below PMR, CPU interface on, DAIF.I=0, and EOI after each one.");
    }
}

/// The last line the guest printed: often its own reason for stopping.
static void add_last_words(struct explain *x, struct why *out)
{
    unsigned end = x->console_len, n = 0;
    while (end && (u8)x->console[end - 1] <= ' ')
        end--;
    unsigned from = end;
    while (from && x->console[from - 1] != '\n' && x->console[from - 1] != '\r' && end - from < 100)
        from--;
    char words[104];
    for (; from < end; from++)
        words[n++] = (u8)x->console[from] >= ' ' && (u8)x->console[from] < 127 ? x->console[from] : '?';
    words[n] = 0;
    size_t len = strlen(out->cause);
    if (n)
        snprintf(out->cause + len, sizeof out->cause - len, " The last line it printed: \"%s\".", words);
}

static void why_asleep(struct explain *x, struct cpu *c, const char *at, struct why *out)
{
    struct chain k;
    char link[400];
    u32 word;
    struct insn i = {0};
    if (mmu_debug_read(c, c->pc - 4, &word, 4))
        insn_decode(word, &i);
    bool wfe = i.op == OP_WFE;
    read_chain(x, c, &k);
    snprintf(out->title, sizeof out->title, "WFI or WFE with nothing that can wake it");
    if (!wfe && (timer_link(x, c, &k, link, sizeof link) || blocked_link(x, link, sizeof link)))
        snprintf(out->cause, sizeof out->cause, "Every CPU sleeps at %s and nothing can wake one. %s", at, link);
    else if (wfe)
        snprintf(out->cause, sizeof out->cause,
                 "Every CPU sleeps in WFE at %s and no event can come: no other CPU runs that could send one (SEV) or write what is "
                 "waited for, and no interrupt is enabled.", at);
    else
        snprintf(out->cause, sizeof out->cause,
                 "Every CPU sleeps at %s and nothing can wake one: no timer is enabled, no device interrupt is enabled in the "
                 "GIC, and no host input can arrive.", at);
    if (strstr(out->cause, " but "))
        snprintf(out->fix, sizeof out->fix, "Mend that link of the chain: the source (CNT*_CTL=1, or the device's mask), INTID enabled in the GIC, "
                                            "its group on in GICD_CTLR and in the CPU interface, priority below PMR (0xff), EOI after each one. If the "
                                            "program is finished, end with PSCI SYSTEM_OFF (x0=0x84000008, %s #0).", c->has_el2 ? "smc" : "hvc");
    else if (wfe)
        snprintf(out->fix, sizeof out->fix, "If a lock is waited for, find who took it and did not release it; if another CPU, whether it "
                                            "was started (PSCI CPU_ON); if the program is finished, end with PSCI SYSTEM_OFF.");
    else
        snprintf(out->fix, sizeof out->fix,
                 "Arm a timer (CNTV_CVAL_EL0, CNTV_CTL_EL0=1), enable its INTID 27 in the GIC with PMR=0xff and group 1 on; or, if "
                 "the program is finished, end with PSCI SYSTEM_OFF (x0=0x84000008, %s #0).", c->has_el2 ? "smc" : "hvc");
}

/// All sleep: the one to tell of is the one whose firmware call was refused, else one with a timer, else the first.
static void choose_sleeper(struct explain *x)
{
    struct chain k;
    unsigned best = x->verdict_cpu, rank = 0;
    for (unsigned i = x->cpus; i-- > 0;) {
        struct cpu *c = machine_cpu(x->m, i);
        if (!machine_cpu_is_on(x->m, i))
            continue;
        read_chain(x, c, &k);
        unsigned r = watch_of(x, c)->psci.failed ? 3 : (k.v_ctl | k.p_ctl | k.hp_ctl | k.hv_ctl) & 1 ? 2 : 1;
        if (r >= rank) {
            rank = r;
            best = i;
        }
    }
    x->verdict_cpu = best;
}

void why_idle(struct explain *x, struct why *out)
{
    if (x->verdict == V_DEADLOCK)
        choose_sleeper(x);
    struct cpu *c = machine_cpu(x->m, x->verdict_cpu);
    char at[96];
    name_full(x, x->verdict == V_DEADLOCK ? c->pc - 4 : c->pc, at, sizeof at);
    snprintf(out->id, sizeof out->id, "F13");
    if (x->verdict == V_TIMEOUT) {
        out->id[0] = 0;
        snprintf(out->title, sizeof out->title, "the time given was used up");
        int n = snprintf(out->cause, sizeof out->cause, "Still running when the time was over; cpu%u was at %s, EL%u.", c->index, at,
                         c->el);
        if (watch_of(x, c)->extra_erets >= EXTRA_ERETS)
            snprintf(out->cause + n, sizeof out->cause - (size_t)n,
                     " %u times more than one ERET came between two interrupts: code ran into an exception return that no exception led to, as "
                     "when a handler calls functions (bl) and does not save and restore x30.", watch_of(x, c)->extra_erets);
        snprintf(out->fix, sizeof out->fix, "Give it more --timeout, or see what it waits for: where it is, and its last "
                                            "transfers, are above.");
        return;
    }
    bool any_on = false;
    for (unsigned i = 0; i < x->cpus; i++)
        any_on |= machine_cpu_is_on(x->m, i);
    if (!any_on) {
        snprintf(out->title, sizeof out->title, "every CPU was switched off");
        snprintf(out->cause, sizeof out->cause, "PSCI CPU_OFF at %s switched the last CPU off; nobody is left to start one.", at);
        snprintf(out->fix, sizeof out->fix, "To end the machine use SYSTEM_OFF (x0=0x84000008); CPU_ON is 0xc4000003, CPU_OFF 0x84000002.");
        return;
    }
    if (x->verdict == V_STUCK)
        why_stuck(x, c, at, out);
    else
        why_asleep(x, c, at, out);
    add_last_words(x, out);
    const struct cpu_watch *w = watch_of(x, c);
    if (add_psci(x, w, out)) {
        snprintf(out->id, sizeof out->id, "F07");
        snprintf(out->title, sizeof out->title, "secondary CPU that could not be started");
        snprintf(out->fix, sizeof out->fix, "Take the MPIDR of each CPU from `reg` of the /cpus nodes of the device tree, and check x0 "
                                            "after CPU_ON: a negative value is an error.");
    }
}

/// The state that decides about waking, in one line for the report.
void idle_state(struct explain *x, struct cpu *c, char *buf, size_t size)
{
    struct chain k;
    read_chain(x, c, &k);
    snprintf(buf, size,
             "CNTV_CTL=0x%llx CNTP_CTL=0x%llx DAIF=0x%x GICD_CTLR=0x%llx ISENABLER0=0x%llx PMR=0x%llx IGRPEN1=%llu wires=%u",
             (ull)k.v_ctl, (ull)k.p_ctl, c->daif, (ull)k.gicd_ctlr, (ull)k.enabled, (ull)k.pmr, (ull)k.group1,
             atomic_load(&c->irq_lines));
    size_t n = strlen(buf);
    if (c->has_el2)
        snprintf(buf + n, size - n, " CNTHP_CTL=0x%llx CNTHV_CTL=0x%llx", (ull)k.hp_ctl, (ull)k.hv_ctl);
}
