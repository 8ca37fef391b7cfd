/// From evidence to a catalogue entry: what most likely went wrong, and what to change. One function an
/// entry; the first that recognises the fault names it.
#include "debug/why.h"

#include <stdarg.h>

void why_add(struct scene *s, const char *fmt, ...)
{
    size_t n = strlen(s->out->cause);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->out->cause + n, sizeof s->out->cause - n, fmt, ap);
    va_end(ap);
}

void why_add_fix(struct scene *s, const char *fmt, ...)
{
    size_t n = strlen(s->out->fix);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->out->fix + n, sizeof s->out->fix - n, fmt, ap);
    va_end(ap);
}

void add_pattern(struct scene *s, u64 addr)
{
    if ((s64)addr < 0 && (s64)addr > -4096) {
        why_add(s, " It is %lld: an error code, or a null pointer less an offset.", (long long)addr);
        return;
    }
    static const u32 marks[] = {0xdeadbeef, 0xdeadc0de, 0xcafebabe, 0xbaadf00d, 0xfeedface, 0xabababab, 0xcdcdcdcd};
    u8 b = (u8)(addr >> 40);
    bool same = b && b != 0xff, text = true;
    for (unsigned i = 2; i < 8; i++) { /* the low bytes may have an offset added */
        u8 k = (u8)(addr >> 8 * i);
        same &= k == b;
        text &= k >= 32 && k < 127;
    }
    unsigned letters = 0;
    while (letters < 8 && (u8)(addr >> 8 * letters) >= 32 && (u8)(addr >> 8 * letters) < 127)
        letters++;
    if (letters >= 6 && letters < 8 && addr >> 8 * letters == 0) { /* with the end of the string */
        char word[9] = "";
        memcpy(word, &addr, letters);
        why_add(s, " Its bytes are text (\"%s\"): a string is used as a pointer.", word);
        return;
    }
    if (same)
        why_add(s, " All its bytes are 0x%02x%s%c%s: memory that was filled with it is used as a pointer.", b, text ? " (the letter " : "", text ? b : 0, text ? ")" : "");
    else if (text)
        why_add(s, " Its bytes are text (\"%c%c%c%c%c%c\"): a string was copied over the pointer.", (char)(addr >> 16), (char)(addr >> 24),
                (char)(addr >> 32), (char)(addr >> 40), (char)(addr >> 48), (char)(addr >> 56));
    for (unsigned i = 0; i < ARRAY_LEN(marks) && !same; i++)
        if ((addr & 0xffffff00) == (marks[i] & 0xffffff00))
            why_add(s, " It begins as 0x%08x does, a mark for memory that was never set or was freed.", marks[i]);
}

static u16 op_at(struct scene *s, u64 pc)
{
    u32 word;
    struct insn i;
    if (pc == 0 || !image_read(s->x, s->c, pc, &word, 4))
        return OP_INVALID;
    insn_decode(word, &i);
    return i.op;
}

bool is_eret_at(struct scene *s, u64 pc) { return op_at(s, pc) == OP_ERET; }
bool is_return_at(struct scene *s, u64 pc) { return op_at(s, pc) == OP_RET; }

u64 trail_source(const struct fault *f, u64 to)
{
    for (unsigned k = 1; k <= TRAIL_LEN && k <= f->trail.head; k++) {
        unsigned h = (f->trail.head - k) & (TRAIL_LEN - 1);
        if (f->trail.e[h].to == to && f->trail.e[h].from)
            return f->trail.e[h].from;
    }
    return 0;
}

bool trail_has_call(struct scene *s)
{
    const struct trail *t = &s->f->trail;
    for (unsigned k = 0; k < TRAIL_LEN && k < t->head; k++) {
        u16 op = op_at(s, t->e[k].from);
        if (op == OP_BL || op == OP_BLR)
            return true;
    }
    return t->head >= TRAIL_LEN;
}

u64 trail_eret(struct scene *s)
{
    const struct trail *t = &s->f->trail;
    for (unsigned k = 1; k <= TRAIL_LEN && k <= t->head; k++) {
        u64 from = t->e[(t->head - k) & (TRAIL_LEN - 1)].from;
        if (is_eret_at(s, from))
            return from;
    }
    return 0;
}

/* ---- the entries ---- */

static bool f05_unsynced(struct scene *s)
{
    char by[96];
    if (!s->w->unsynced.is_root && !(s->w->unsynced.id && s->f->pc == s->w->unsynced.went_to))
        return false;
    SAY(cause, "%s was written at %s and no context synchronisation event (ISB, ERET) came before this instruction, so it "
               "ran with the old value (strict: silicon may do so).", sysreg_id_name((enum sysreg_id)s->w->unsynced.id),
        name_full(s->x, s->w->unsynced.pc, by, sizeof by));
    SAY(fix, "Put an isb directly after the msr.");
    return name_it(s, "F05", "system register written without ISB");
}

/// A table as for AArch32: sixteen branches, one word each.
static bool has_narrow_vectors(struct scene *s)
{
    u32 word[16];
    unsigned branches = 0;
    if (!image_read(s->x, s->c, s->f->sr_vbar, word, sizeof word))
        return false;
    for (unsigned i = 0; i < 16; i++)
        branches += word[i] >> 26 == 5; /* b */
    return branches >= 4 && word[0] >> 26 == 5 && word[1] >> 26 == 5;
}

static bool is_code(u32 word)
{
    struct insn i;
    insn_decode(word, &i);
    return i.op != OP_INVALID;
}

/// Entries of one macro that repeats in other steps than 0x80 bytes. ret  the step; 0: no such table
static unsigned vector_step(struct scene *s)
{
    u32 word[512];
    unsigned step = 0, hits = 0;
    if (!s->f->sr_vbar || !image_read(s->x, s->c, s->f->sr_vbar, word, sizeof word) || word[0] == 0)
        return 0;
    for (unsigned k = 2; k < 512 && !step; k++)
        step = word[k] == word[0] && word[k + 1 < 512 ? k + 1 : k] == word[1] ? k : 0;
    for (unsigned k = 0; step && k < 512; k += step)
        hits += word[k] == word[0] && (k + 1 == 512 || word[k + 1] == word[1]);
    return step && step != 32 && 32 % step && hits >= 12 ? step * 4 : 0;
}

/// The loop is in the handler: what it does faults again.
static void add_handler(struct scene *s)
{
    const struct fault *l = &s->w->last;
    char at[96], fsc[80];
    u32 word = 1;
    if (s->w->vbar_written) {
        const char *align = "Align the vector table to 2 KiB (.balign 2048, .align 11), and each of its entries to 128 bytes.";
        if (strcmp(s->out->id, "F02") == 0)
            SAY(fix, "%s", align);
        else
            why_add_fix(s, " %s", align);
        why_add(s, " VBAR_EL1 was set to 0x%llx, which is not a multiple of 2 KiB: the vectors are taken from 0x%llx.",
                (ull)s->w->vbar_written, (ull)(s->w->vbar_written & ~0x7ffULL));
    }
    if (s->f->sr_vbar && has_narrow_vectors(s))
        why_add(s, " The table at VBAR_EL1=0x%llx holds branches one word apart: each of its 16 entries is 0x80 bytes long, so this exception "
                   "entered at +0x%x, in other code.", (ull)s->f->sr_vbar, s->f->kind);
    unsigned step = vector_step(s);
    if (step) {
        why_add(s, " The entries of the table at VBAR_EL1=0x%llx lie 0x%x bytes apart; each takes 0x80, so this exception entered at +0x%x, in the "
                   "middle of another.", (ull)s->f->sr_vbar, step, s->f->kind);
        SAY(fix, "Align every entry of the vector table to 128 bytes (.balign 128, .align 7), the table itself to 2 KiB.");
    }
    if (s->x->verdict != V_LOOP || !l->valid || s->w->loop.nested == 0 || s->f == l)
        return;
    u64 vbar = s->f->sr_vbar, ec = bits(l->esr, 31, 26);
    bool first = l->pc - vbar < 0x800;
    if (first && (ec == EC_IABT || ec == EC_PC_ALIGN)) {
        why_add(s, " Its vector at 0x%llx cannot be fetched%s", (ull)l->pc, vbar ? "" : " (VBAR_EL1 was never set)");
        if (vbar)
            add_walk_of(s, l->pc);
        why_add(s, ", so the exception repeats for ever.");
        if (vbar && strstr(s->out->fix, "Let the handler at VBAR_EL1"))
            SAY(fix, "Set VBAR_EL1 to an address at which the table is mapped executable%s.",
                s->mmu || !(vbar >> 48) ? "" : "; while the MMU is off that is its physical address (adr, adrp + :lo12:)");
    }
    else if (first && ec == EC_UNKNOWN && mmu_debug_read(s->c, l->pc, &word, 4) && word == 0)
        why_add(s, " Its vector at %s holds zeros: there are no vectors at VBAR_EL1.", name_full(s->x, l->pc, at, sizeof at));
    else if (first && ec == EC_UNKNOWN && mmu_debug_read(s->c, l->pc, &word, 4) && !is_code(word)) {
        why_add(s, " Its vector at %s holds 0x%08x, which is no instruction%s.", name_full(s->x, l->pc, at, sizeof at), word,
                mmu_debug_read(s->c, word, &word, 4) && is_code(word) ? " but an address" : "");
        why_add_fix(s, " A vector table holds code, not addresses: put a branch to the handler at each entry.");
    }
    else if (l->pc == s->f->pc)
        why_add(s, " This is in the exception handler itself, so it never ends.");
    else if (l->sp == 0)
        why_add(s, " The handler itself faults at %s: SP was never set.", name_full(s->x, l->pc, at, sizeof at));
    else
        why_add(s, " The handler itself faults at %s (%s%s%s), so it never ends.", name_full(s->x, l->pc, at, sizeof at),
                ec_name((u32)ec), ec == EC_DABT ? ": " : "", ec == EC_DABT ? fsc_name((u32)l->esr, fsc, sizeof fsc) : "");
}

/// A handler returned to the faulting instruction over and over.
static void add_retry(struct scene *s)
{
    if (s->f == &s->w->again)
        why_add(s, " It faulted there %u times, with interrupts between: the handler returns to the same instruction without having removed the cause.",
                s->w->again_count);
    if (s->x->verdict != V_LOOP || s->w->loop.nested || !s->w->loop.retry_count || !s->f->sr_vbar)
        return;
    why_add(s, "%s", s->w->loop.retry_moves ? " The handler steps over each instruction that faults and returns to the next, which faults as well."
                                       : " The handler returns to the same instruction each time without having removed the cause.");
    if (s->ec == EC_SVC64 || s->ec == EC_HVC64)
        why_add_fix(s, " For %s ELR_EL1 already points behind it: return with it unchanged.", ec_name(s->ec));
    else if (strstr(s->out->fix, "Let the handler"))
        why_add_fix(s, " To go on behind the instruction it must add 4 to ELR_EL1 before ERET.");
}

/// At EL2, and what was set belongs to EL1.
static void add_wrong_level(struct scene *s)
{
    const u64 *sr = s->c->sr;
    if (bits(s->f->spsr, 3, 2) != 2)
        return;
    if (!s->mmu && bit(sr[SYSREG_SCTLR_EL1], 0)) {
        why_add(s, " SCTLR_EL1.M was set, but this CPU is at EL2, where SCTLR_EL2 turns the MMU on: drop to EL1 first, or use the registers of EL2.");
        if (s->c->erets == 0 && !bit(sr[SYSREG_HCR_EL2], 0))
            SAY(fix, "Look at CurrentEL first: at EL2 either drop to EL1 (HCR_EL2.RW=1, SPSR_EL2=0x3c5, ELR_EL2, eret) before the set-up, or write SCTLR_EL2, "
                     "TCR_EL2, TTBR0_EL2, MAIR_EL2 and VBAR_EL2 instead; --el 1 starts the kernel at EL1.");
    }
    else if (s->f->sr_vbar == 0 && sr[SYSREG_VBAR_EL1])
        why_add(s, " VBAR_EL1 was set (0x%llx), but this CPU is at EL2, which uses VBAR_EL2.", (ull)sr[SYSREG_VBAR_EL1]);
}

void why_fault(struct explain *x, const struct cpu_watch *w, const struct fault *f, struct why *out)
{
    struct cpu *c = machine_cpu(x->m, f->cpu);
    struct scene sc = {.x = x, .c = c, .w = w, .f = f, .out = out}, *s = &sc;
    static bool (*const entry[])(struct scene *) = {
        f05_unsynced, f02_empty_vector, f02_interrupt, f08_stage2, f02_foreign, f09_gic_registers, f12_conduit, f11_level, f14_stack, f10_link, f08_moved, bad_stack, f01_text, f04_fp_trap, f09_garbage, f03_alignment, f15_exclusive,
        f08_turned_off, f08_tables, f10_virtual, f09_device, f01_jump, data_abort, f02_trapped, f02_vectors,
    };
    s->ec = (u32)bits(f->esr, 31, 26);
    s->fsc = (u32)bits(f->esr, 5, 0);
    s->mmu = bit(f->sr_sctlr, 0);
    s->have_word = !(f->pc & 3) && image_read(x, c, f->pc, &s->word, 4);
    if (s->have_word) {
        insn_decode(s->word, &s->insn);
        insn_disas(s->word, f->pc, s->dis, sizeof s->dis);
    }
    s->walk_ok = mmu_walk(c, f->far, &s->walk);
    name_full(x, f->pc, s->at, sizeof s->at);
    for (unsigned i = 0; i < ARRAY_LEN(entry); i++)
        if (entry[i](s))
            break;
    if (s->instead[0])
        snprintf(out->fix, sizeof out->fix, "%s", s->instead);
    else if (s->first[0]) {
        size_t n = strnlen(s->first, sizeof s->first - 1);
        memmove(out->fix + n + 1, out->fix, sizeof out->fix - n - 2);
        memcpy(out->fix, s->first, n);
        out->fix[n] = ' ';
        out->fix[sizeof out->fix - 1] = 0;
    }
    size_t own = strcmp(out->id, "F11") && strcmp(out->id, "F12") && s->ec != EC_SYSREG && s->ec != EC_IABT_LOW && s->ec != EC_DABT_LOW ? 0 : strlen(out->cause); /* they name levels themselves */
    add_handler(s);
    add_retry(s);
    if (f->el == 2) {
        name_for_el2(out->cause + own);
        name_for_el2(own ? out->fix + strlen(out->fix) : out->fix);
        add_wrong_level(s);
    }
}
