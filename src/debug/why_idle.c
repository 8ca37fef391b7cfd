/// F13 and its kin: the machine waits for something that cannot come.
#include "debug/wake.h"

#include <stdio.h>

enum { EXTRA_ERETS = 8, WAKER = 0x14 };
typedef unsigned long long ull;

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
    if (on && bit(w->psci.arg, 31)) {
        n = strlen(out->cause);
        snprintf(out->cause + n, sizeof out->cause - n, " Bit 31, which is always 1 in MPIDR_EL1, is no part of the affinity: mask it (0xff).");
    } else if (!on) {
        snprintf(out->cause + n, sizeof out->cause - n, " Before, the firmware call x0=0x%llx%s at %s was refused (%lld%s).", (ull)fn, psci_name(fn), at,
                 (long long)w->psci.ret, (s64)w->psci.ret == -1 ? ": no such function" : "");
        n = strlen(out->fix);
        snprintf(out->fix + n, sizeof out->fix - n, " Check x0 after each firmware call, a negative value is an error: CPU_ON is 0xc4000003, CPU_OFF 0x84000002, "
                                                    "SYSTEM_OFF 0x84000008.");
    }
    return on;
}

static const char cpu_on_fix[] = "Take the MPIDR of each CPU from `reg` of the /cpus nodes of the device tree (-c N gives more CPUs), and check x0 after "
                                 "CPU_ON: a negative value is an error.";

/// At EL2 without HCR_EL2.IMO or TGE physical interrupts belong to EL1 and are never taken.
static bool keeps_from_el2(const struct cpu *c)
{
    return c->el == 2 && !(c->sr[SYSREG_HCR_EL2] & (HCR_IMO | HCR_TGE));
}

static u64 loop_value(const struct explain *x)
{
    return x->loop.size >= 8 ? x->loop.val : x->loop.val & ((1ULL << 8 * x->loop.size) - 1);
}

/// " #0" after what calls the firmware here, to end a program.
static const char *power_off(const struct cpu *c) { return c->has_el2 ? "end with PSCI SYSTEM_OFF (x0=0x84000008, smc #0)" : "end with PSCI SYSTEM_OFF (x0=0x84000008, hvc #0)"; }

/// A loop of one RET, or one that ends in it: the return address is its own.
static bool returns_to_itself(struct cpu *c, const char *at, struct why *out)
{
    u32 word;
    struct insn i = {0};
    if (!mmu_debug_read(c, c->pc, &word, 4))
        return false;
    insn_decode(word, &i);
    if (i.op != OP_RET || c->x[i.rn & 31] != c->pc)
        return false;
    snprintf(out->title, sizeof out->title, "a return to itself");
    snprintf(out->cause, sizeof out->cause,
             "The ret at %s returns to itself for ever: x30 holds its own address. The function it ends called another (bl), which set x30, "
             "and did not save its own return address first.", at);
    snprintf(out->fix, sizeof out->fix, "Save x30 on entry (stp x29, x30, [sp, #-16]!) and restore it before ret in every function that calls one.");
    return true;
}

/// A loop through an ERET: ELR holds an address in the handler itself.
static bool returns_in_circle(struct explain *x, struct cpu *c, struct why *out)
{
    const struct cpu_watch *w = watch_of(x, c);
    const struct fault *f = w->loop.nested ? &w->last : &w->root;
    unsigned el = c->el == 2 ? 2 : 1;
    char at[96], from[96];
    if (x->loop.eret_pc == 0)
        return false;
    snprintf(out->id, sizeof out->id, "F02");
    snprintf(out->title, sizeof out->title, "an exception return into its own handler");
    snprintf(out->cause, sizeof out->cause, "The ERET at %s returns to ELR_EL%u=0x%llx for ever, without an exception between: ",
             name_full(x, x->loop.eret_pc, at, sizeof at), el, (ull)c->sr[cpu_el_regs[el].elr]);
    size_t n = strlen(out->cause);
    if (f->valid)
        snprintf(out->cause + n, sizeof out->cause - n, "%s at %s, taken inside the handler, overwrote ELR_EL%u and SPSR_EL%u.",
                 f->kind & 0x180 ? "an interrupt" : ec_name((u32)bits(f->esr, 31, 26)), name_full(x, f->pc, from, sizeof from), el, el);
    else
        snprintf(out->cause + n, sizeof out->cause - n, "no exception was taken that could have set it.");
    snprintf(out->fix, sizeof out->fix, "A handler that can take another exception (svc, brk, a fault, unmasked interrupts) saves ELR_EL%u and SPSR_EL%u on "
                                        "entry and restores them before ERET.", el, el);
    x->verdict = V_LOOP;
    return true;
}

/// A conditional branch to `to` shortly behind an MRS of `enc`: code that parks who is not meant. ret  its address; 0: none
static u64 parked_by(struct cpu *c, u64 to, u32 enc, u64 *mrs)
{
    enum { REACH = 2048, NEAR = 8 };
    struct insn i;
    u32 word;
    unsigned since = NEAR;
    for (u64 pc = to > REACH ? to - REACH : 0; pc < to + REACH; pc += 4, since++) {
        if (!mmu_debug_read(c, pc, &word, 4))
            continue;
        insn_decode(word, &i);
        if (i.op == OP_MRS && ((u32)bits(word, 20, 5) == enc)) {
            *mrs = pc;
            since = 0;
        } else if (since < NEAR && (i.op == OP_Bcond || i.op == OP_CBZ || i.op == OP_CBNZ || i.op == OP_TBZ || i.op == OP_TBNZ) && pc + i.imm == to)
            return pc;
    }
    return 0;
}

/// The boot CPU was sent to where others are parked, by what it read of itself.
static void add_parked(struct explain *x, struct cpu *c, struct why *out)
{
    enum { BACK = 4 };
    const u32 level = SYSREG_ENC(3, 0, 4, 2, 2), mpidr = SYSREG_ENC(3, 0, 0, 0, 5);
    size_t n = strlen(out->cause);
    char at[96];
    u64 by = 0, mrs = 0;
    bool el = false;
    if (x->is_linux || c->index || x->console_len || c->exceptions)
        return;
    for (unsigned k = 0; k < BACK && !by; k++) { /* the loop may begin before the wfe */
        by = parked_by(c, c->pc - 4 * k, level, &mrs);
        el = by != 0;
        by = by ? by : parked_by(c, c->pc - 4 * k, mpidr, &mrs);
    }
    if (!by)
        return;
    name_full(x, by, at, sizeof at);
    if (el) {
        snprintf(out->cause + n, sizeof out->cause - n, " The branch at %s leads here, after CurrentEL was read at 0x%llx: it is 0x%x (EL%u), and another "
                 "level was wanted.", at, (ull)mrs, c->el << 2, c->el);
        snprintf(out->fix, sizeof out->fix, "Accept EL%u: a kernel is entered at EL1, or at EL2 with --el 2; there is no EL3 here.", c->el);
        snprintf(out->id, sizeof out->id, "F11");
        snprintf(out->title, sizeof out->title, "code that waits for another exception level");
    } else {
        snprintf(out->cause + n, sizeof out->cause - n, " The branch at %s leads here, after MPIDR_EL1 was read at 0x%llx: it is 0x%llx, and the code takes "
                 "this, the boot CPU, for a secondary one.", at, (ull)mrs, (ull)c->sr[SYSREG_MPIDR_EL1]);
        snprintf(out->fix, sizeof out->fix, "Bit 31 of MPIDR_EL1 is always 1: compare the affinity only (and x0, x0, #0xff). Other CPUs are off until PSCI "
                                            "CPU_ON, so none needs parking here.");
    }
}

/// The call whose handler waits here.
static void add_call(struct explain *x, const struct cpu *c, struct why *out)
{
    const struct fault *r = &watch_of(x, c)->root;
    size_t n = strlen(out->cause);
    char at[96];
    if (r->valid && r->kind < 0x400 && !(r->kind & 0x180) && is_call(r->esr) && c->erets == watch_of(x, c)->erets_seen && !watch_of(x, c)->loop.nested)
        snprintf(out->cause + n, sizeof out->cause - n, " This is the handler of the %s at %s, which was taken to VBAR_EL%u+0x%x and did not return.",
                 ec_name((u32)bits(r->esr, 31, 26)), name_full(x, r->pc, at, sizeof at), r->el, r->kind);
}

/// The loop looks at a device that will not change what it shows.
static bool polls_device(struct explain *x, const struct cpu *c, const char *at, struct why *out)
{
    char place[80];
    gpa_t pa = x->loop.device;
    if (x->loop.timer != SYSREG_COUNT && x->loop.timer) {
        snprintf(out->title, sizeof out->title, "waiting for a timer that is off");
        snprintf(out->cause, sizeof out->cause, "cpu%u loops at %s and reads %s, whose ENABLE bit (0) is clear: a timer that is off never sets "
                 "ISTATUS.", c->index, at, sysreg_id_name(x->loop.timer));
        snprintf(out->fix, sizeof out->fix, "Write 1 to %s (2 as well to poll without an interrupt: 3) before waiting for ISTATUS (bit 2).", sysreg_id_name(x->loop.timer));
        return true;
    }
    if (pa == 0 || x->polls_uart)
        return false;
    place_name(x, pa, place, sizeof place);
    snprintf(out->title, sizeof out->title, "waiting for a device register that never changes");
    snprintf(out->cause, sizeof out->cause, "cpu%u loops at %s and reads 0x%llx of the %s, which shows 0x%llx and will not change by itself%s.", c->index,
             at, (ull)pa, place, (ull)x->loop.device_val,
             (pa & 0x1ff) == 8 ? ": it says which device is in the slot" : "");
    if (strncmp(place, "virtio", 6) == 0)
        snprintf(out->fix, sizeof out->fix, "Add the device that is wanted (-d DISK, --net user), and let the driver skip slots whose DeviceID (offset "
                                            "8) is another or 0; the device tree lists the slots.");
    else if (strstr(place, "redist") && (pa & 0x1ffff) == WAKER)
        snprintf(out->fix, sizeof out->fix, "Clear GICR_WAKER.ProcessorSleep (bit 1) first; then ChildrenAsleep (bit 2) clears.");
    else
        snprintf(out->fix, sizeof out->fix, "Compare the bit that is waited for with the device's manual, and write what makes it change first.");
    return true;
}

/// A lock that the interrupted code may hold.
static void add_interrupted(struct explain *x, const struct cpu *c, struct why *out)
{
    const struct fault *r = &watch_of(x, c)->root;
    size_t n = strlen(out->cause);
    char at[96];
    if (x->loop.exclusive && r->valid && (r->kind & 0x180) && c->erets == watch_of(x, c)->erets_seen)
        snprintf(out->cause + n, sizeof out->cause - n, " This is the handler of an interrupt taken at %s: if the code there holds the lock, neither "
                                                        "can go on.", name_full(x, r->pc, at, sizeof at));
}

static void why_stuck(struct explain *x, struct cpu *c, const char *at, struct why *out)
{
    struct chain k;
    struct links l;
    bool masked = c->daif & DAIF_I;
    char what[96], held[160] = "";
    if (returns_to_itself(c, at, out) || returns_in_circle(x, c, out) || polls_device(x, c, at, out))
        return;
    snprintf(out->title, sizeof out->title, "a loop that nothing can end");
    if (x->loop.va && x->loop.exclusive)
        snprintf(held, sizeof held, " It waits for a lock at %s, which holds 0x%llx: taken, and never released.",
                 name_full(x, x->loop.va, what, sizeof what), (ull)loop_value(x));
    else if (x->loop.va)
        snprintf(held, sizeof held, " It last read %s, which holds 0x%llx.", name_full(x, x->loop.va, what, sizeof what), (ull)loop_value(x));
    snprintf(out->cause, sizeof out->cause, "cpu%u loops at %s on values that nothing else changes, and %s, so it never leaves.%s",
             c->index, at, masked ? "interrupts are masked (DAIF.I=1)" : "no interrupt is enabled that could come", held);
    snprintf(out->fix, sizeof out->fix,
             "If the program is finished here, %s; else find why it came to this loop from the transfers above. A flag that an interrupt or "
             "another CPU sets must be volatile or atomic, or the compiler reads it once.", power_off(c));
    if (x->loop.exclusive)
        snprintf(out->fix, sizeof out->fix, "Release the lock on every way out, do not take it twice (also not in a handler that interrupted its "
                                            "holder), and clear it before its first use; on silicon a lock also needs cacheable memory.");
    if (x->loop.acquires && !x->loop.exclusive)
        snprintf(out->fix, sizeof out->fix, "If this is a lock (it is read with load-acquire), release it on every way out and do not take it twice; if it is a "
                                            "flag, find who was to set it: nobody runs that could. If the program is finished here, %s.", power_off(c));
    add_interrupted(x, c, out);
    size_t n = strlen(out->cause);
    if (x->polls_uart) {
        snprintf(out->title, sizeof out->title, "waiting for a UART flag that never changes");
        snprintf(out->cause + n, sizeof out->cause - n, " It reads a register of the PL011 and waits for a bit that this UART never shows "
                                                        "there, whatever is received.");
        snprintf(out->fix, sizeof out->fix, "The UART here is a PL011: UARTFR is at offset 0x18, TXFF is bit 5 (1: full), RXFE bit 4; a "
                                            "16550's LSR at offset 5 or 0x14 does not exist. Use 32-bit accesses.");
    } else if (masked && cpu_irq_wire(c) && !x->loop.exclusive) {
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
    if (!x->polls_uart && !x->loop.exclusive && ((timer_link(x, c, &k, &l) && l.certain) || blocked_link(x, &l))) {
        snprintf(out->cause + n, sizeof out->cause - n, " %s.", l.text);
        snprintf(out->fix, sizeof out->fix, "If the loop waits for this interrupt: %s.", l.fix);
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
    struct links l;
    u32 word;
    struct insn i = {0};
    if (mmu_debug_read(c, c->pc - 4, &word, 4))
        insn_decode(word, &i);
    bool wfe = i.op == OP_WFE;
    read_chain(x, c, &k);
    snprintf(out->title, sizeof out->title, "WFI or WFE with nothing that can wake it");
    bool linked = !wfe && (timer_link(x, c, &k, &l) || blocked_link(x, &l) || device_link(x, c, &l));
    if (linked)
        snprintf(out->cause, sizeof out->cause, "Every CPU sleeps at %s and nothing can wake one. %s.", at, l.text);
    else if (wfe)
        snprintf(out->cause, sizeof out->cause,
                 "Every CPU sleeps in WFE at %s and no event can come: no other CPU runs that could send one (SEV) or write what is "
                 "waited for, and no interrupt is enabled.", at);
    else
        snprintf(out->cause, sizeof out->cause,
                 "Every CPU sleeps at %s and nothing can wake one: no timer is enabled, no device interrupt is enabled in the "
                 "GIC, and no host input can arrive.", at);
    if (linked && l.fix_len)
        snprintf(out->fix, sizeof out->fix, "Mend the chain: %s. If the program is finished, %s.", l.fix, power_off(c));
    else if (wfe)
        snprintf(out->fix, sizeof out->fix, "If a lock is waited for, find who took it and did not release it; if another CPU, whether it "
                                            "was started (PSCI CPU_ON); if the program is finished, end with PSCI SYSTEM_OFF.");
    else
        snprintf(out->fix, sizeof out->fix,
                 "Arm a timer (CNTV_CVAL_EL0, CNTV_CTL_EL0=1), enable its INTID 27 in the GIC with PMR=0xff and group 1 on; or, if "
                 "the program is finished, %s.", power_off(c));
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

/// The next time that an enabled timer of a sleeping CPU fires, in seconds; 0: none is near or far.
static u64 next_timer_s(struct cpu *c)
{
    u64 now = cpu_counter(c), freq = c->sr[SYSREG_CNTFRQ_EL0], best = ~0ULL;
    const u64 ctl[] = {c->sr[SYSREG_CNTV_CTL_EL0], c->sr[SYSREG_CNTP_CTL_EL0]}, cval[] = {c->sr[SYSREG_CNTV_CVAL_EL0], c->sr[SYSREG_CNTP_CVAL_EL0]};
    for (unsigned t = 0; t < 2; t++)
        if ((ctl[t] & 3) == 1 && cval[t] > now && cval[t] - now < best)
            best = cval[t] - now;
    return freq && best != ~0ULL ? best / freq : 0;
}

/// A CPU that sleeps and that nothing wakes, while others wait for it.
static bool add_sleeper(struct explain *x, struct why *out)
{
    struct chain k;
    struct links l;
    char at[96];
    size_t n = strlen(out->cause);
    for (unsigned i = 0; i < x->cpus; i++) {
        struct cpu *c = machine_cpu(x->m, i);
        if (x->is_linux || strcmp(machine_cpu_state(x->m, i), "in WFI") != 0)
            continue;
        name_full(x, c->pc - 4, at, sizeof at);
        read_chain(x, c, &k);
        u64 wait = next_timer_s(c);
        if (timer_link(x, c, &k, &l) && l.certain) {
            snprintf(out->cause + n, sizeof out->cause - n, " cpu%u sleeps at %s and is never woken: %s.", i, at, l.text);
            snprintf(out->fix, sizeof out->fix, "For cpu%u: %s.", i, l.fix);
            snprintf(out->id, sizeof out->id, "F13");
            return true;
        }
        if (wait >= 2) {
            snprintf(out->cause + n, sizeof out->cause - n, " cpu%u sleeps at %s until its timer fires, in %llu s.", i, at, (ull)wait);
            snprintf(out->fix, sizeof out->fix, "Check the time that was set: ticks are counted at CNTFRQ_EL0 (%llu Hz), and CNTx_TVAL takes 32 bits with a "
                                                "sign; or give it more --timeout.", (ull)c->sr[SYSREG_CNTFRQ_EL0]);
            return true;
        }
    }
    return false;
}

static void why_timeout(struct explain *x, struct cpu *c, const char *at, struct why *out)
{
    out->id[0] = 0;
    snprintf(out->title, sizeof out->title, "the time given was used up");
    int n = snprintf(out->cause, sizeof out->cause, "Still running when the time was over; cpu%u was at %s, EL%u.", c->index, at,
                     c->el);
    if (watch_of(x, c)->extra_erets >= EXTRA_ERETS)
        snprintf(out->cause + n, sizeof out->cause - (size_t)n,
                 " %u times more than one ERET came between two interrupts: code ran into an exception return that no exception led to, as "
                 "when a handler calls functions (bl) and does not save and restore x30.", watch_of(x, c)->extra_erets);
    else if (c->el == 2 && c->erets > 8 && !watch_of(x, c)->root.valid)
        snprintf(out->cause + n, sizeof out->cause - (size_t)n,
                 " %llu ERETs were executed at EL2 and no exception was taken; each goes to ELR_EL2, last 0x%llx: what was written to ELR_EL1 "
                 "(0x%llx) and SPSR_EL1 has no effect at EL2.", (ull)c->erets, (ull)c->eret_pc, (ull)c->sr[SYSREG_ELR_EL1]);
    snprintf(out->fix, sizeof out->fix, "Give it more --timeout, or see what it waits for: where it is, and its last "
                                        "transfers, are above.");
    add_sleeper(x, out);
    for (unsigned i = 0; i < x->cpus && !x->is_linux; i++)
        if (add_psci(x, &x->cpu[i], out)) {
            snprintf(out->id, sizeof out->id, "F07");
            snprintf(out->fix, sizeof out->fix, "%s", cpu_on_fix);
            return;
        }
    const char *no_init = x->is_linux ? strstr(x->console, "Failed to execute /init") : NULL;
    if (no_init) {
        size_t len = strlen(out->cause);
        snprintf(out->cause + len, sizeof out->cause - len, " It said: \"%.*s\": /init could not be run, and what runs now is a substitute.",
                 (int)strcspn(no_init, "\r\n"), no_init);
        snprintf(out->fix, sizeof out->fix, "Error -2: /init or the interpreter in its first line (#!, no CR at its end) is not in the archive; -13: /init is not executable; -8: it is a program of another architecture.");
    }
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
        why_timeout(x, c, at, out);
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
    const struct cpu_watch *w = watch_of(x, c);
    bool started = (w->psci.fn & 0xbfffffff) == 0x84000003; /* CPU_ON: told below, with the loop */
    if (!(w->psci.failed && started) && why_stopped(x, out)) {
        add_psci(x, w, out);
        return;
    }
    if (x->verdict == V_STUCK)
        why_stuck(x, c, at, out);
    else
        why_asleep(x, c, at, out);
    add_call(x, c, out);
    add_parked(x, c, out);
    add_last_words(x, out);
    if (add_psci(x, w, out)) {
        snprintf(out->id, sizeof out->id, "F07");
        snprintf(out->title, sizeof out->title, "secondary CPU that could not be started");
        snprintf(out->fix, sizeof out->fix, "%s", cpu_on_fix);
        if ((s64)w->psci.ret == -4)
            snprintf(out->fix, sizeof out->fix, "Start each CPU once; one that is on already is woken by an SGI, or by SEV when it sleeps in WFE.");
    }
}
