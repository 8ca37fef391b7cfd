/// F14, and stack pointers that never were right.
#include "debug/why.h"

enum { NEAR_SP = 4096, DEEP_FRAMES = 4, DEEP_CALLS = 6 };
#define OUT_OF_SIGHT (16 * MIB)

/// How often the most frequent call of the trail occurs: recursion repeats itself.
static unsigned call_repeats(struct scene *s)
{
    const struct trail *t = &s->f->trail;
    unsigned best = 0;
    if (trail_eret(s)) /* a handler is called often without recursion */
        return 0;
    for (unsigned i = 0; i < TRAIL_LEN; i++) {
        struct insn k;
        u32 word;
        unsigned n = 0;
        if (t->e[i].to == 0 || !image_read(s->x, s->c, t->e[i].from, &word, 4))
            continue;
        insn_decode(word, &k);
        if (k.op != OP_BL && k.op != OP_BLR)
            continue;
        for (unsigned j = 0; j < TRAIL_LEN; j++)
            n += t->e[j].from == t->e[i].from && t->e[j].to == t->e[i].to;
        best = n > best ? n : best;
    }
    return best;
}

/// How often one return address stands on the stack: recursion leaves it in every frame.
static unsigned stack_repeats(struct scene *s)
{
    u8 buf[2048];
    unsigned n = 0;
    u64 sp = align_up(s->f->sp, 16), lr = s->f->x[30];
    if (lr == 0 || !image_read(s->x, s->c, sp, buf, sizeof buf))
        return 0;
    for (unsigned i = 0; i < sizeof buf; i += 8)
        n += ld64(buf + i) == lr;
    return n;
}

/// ... and in the chain of frame records.
static unsigned frame_repeats(struct scene *s)
{
    u64 fp = s->f->x[29], rec[2], pc[16];
    unsigned n = 0, best = 0;
    for (; n < ARRAY_LEN(pc) && !(fp & 7) && fp && image_read(s->x, s->c, fp, rec, sizeof rec); n++, fp = rec[0]) {
        pc[n] = rec[1];
        if (rec[0] <= fp)
            break;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned k = 0;
        for (unsigned j = 0; j < n; j++)
            k += pc[j] == pc[i];
        best = k > best ? k : best;
    }
    return best;
}

static bool sp_in_ram(struct scene *s)
{
    struct xlat w;
    return mmu_walk(s->c, s->f->sp & ~15ULL, &w) && is_ram(s->x, w.pa);
}

/// SP lies in the program's code: in a segment that is only executed, or next to what ran.
static bool sp_in_code(struct scene *s)
{
    const struct trail *t = &s->f->trail;
    u64 sp = s->f->sp;
    for (unsigned i = 0; i < TRAIL_LEN; i++)
        if (t->e[i].from && sp - t->e[i].from + 256 <= 512 && t->e[i].from != s->f->pc)
            return true;
    for (unsigned i = 0; s->x->has_plan && i < s->x->plan.seg_count; i++) {
        const struct boot_seg *g = &s->x->plan.seg[i];
        if ((g->flags & 3) == 1 && sp + 4096 >= g->gpa && sp < g->gpa + g->file_len)
            return true;
    }
    return false;
}

/// SP came down to a table that the walk of FAR reads: pushes overwrote it.
static bool sp_at_tables(struct scene *s)
{
    const struct xlat *w = &s->walk;
    u64 page = w->desc_pa[w->level & 3] & ~0xfffULL;
    gpa_t sp;
    return s->mmu && !s->walk_ok && page && linear_pa(s->x, s->c, s->f->pc, s->f->sp, &sp) && sp - (page - 0x1000) <= 0x3000;
}

static bool was_noted(struct scene *s)
{
    for (unsigned i = 0; i < s->x->note_count; i++)
        if (strcmp(s->x->note[i].id, "F14") == 0)
            return true;
    return false;
}

bool f14_stack(struct scene *s)
{
    const struct fault *f = s->f;
    const struct explain *x = s->x;
    u64 base = machine_config(x->m)->ram_base;
    bool near = f->far - (f->sp - NEAR_SP) <= 2 * NEAR_SP;
    bool below = x->stack_hi && f->sp < x->stack_lo && x->stack_lo - f->sp < OUT_OF_SIGHT;
    bool deep = call_repeats(s) >= DEEP_CALLS || stack_repeats(s) >= DEEP_FRAMES || frame_repeats(s) >= DEEP_FRAMES;
    struct xlat to;
    bool ram = is_dabt(s) && near ? mmu_walk(s->c, f->far, &to) && is_ram(s->x, to.pa) : sp_in_ram(s);
    bool ate_tables = deep && s->mmu && !mmu_walk(s->c, f->pc, &to); /* not even the code is mapped any more */
    if (f->sp == 0)
        return false;
    if (is_dabt(s) && by_sp(s) && near && sp_at_tables(s)) {
        SAY(cause, "The stack ran over the translation tables: SP=0x%llx is at the level %d table 0x%llx, whose descriptor for it is now 0x%llx%s.",
            (ull)f->sp, s->walk.level, (ull)(s->walk.desc_pa[s->walk.level & 3] & ~0xfffULL), (ull)s->walk.desc[s->walk.level & 3],
            deep ? "; the same call repeats: recursion without end" : "");
        SAY(fix, "Give the stack more room, away from the tables and with an unmapped page below it.");
        return name_it(s, "F14", "stack overflow");
    }
    bool fell = !s->mmu && f->far < base && base - f->sp + NEAR_SP < OUT_OF_SIGHT && f->sp >= MIB; /* out of the bottom of RAM */
    if (is_dabt(s) && (by_sp(s) || near) && (below || was_noted(s) || ((deep || fell) && !ram) || (deep && s->mmu && by_sp(s)) || ate_tables))
        SAY(cause, "The stack overflowed: SP=0x%llx %s%s.", (ull)f->sp, below ? "is below its stack" : "ran out of memory",
            deep ? ", and the same call repeats: recursion without end" : ": a large local array, or too small a stack");
    else if ((s->ec == EC_UNKNOWN || is_iabt(s) || is_dabt(s) || s->ec == EC_PC_ALIGN || s->ec == EC_FP) &&
             (below || was_noted(s) || (deep && (!ram || sp_in_code(s)))))
        SAY(cause, "The stack overflowed (SP=0x%llx) and overwrote code or data that is used here%s.", (ull)f->sp,
            deep ? "; the same call repeats: recursion without end" : "");
    else
        return false;
    if (ate_tables)
        why_add(s, " On its way down it ran over the translation tables: not even the code is mapped any more.");
    SAY(fix, "Bound the recursion, make large locals static, or give the stack more room%s.",
        x->stack_hi ? "" : " (--stack LO-HI checks its bounds)");
    return name_it(s, "F14", "stack overflow");
}

/// The memory at SP may be written, the page below may not: the stack was used up, or SP was set to its lower end.
static bool used_up(struct scene *s, const char *who)
{
    const struct fault *f = s->f;
    bool user = bits(f->spsr, 3, 2) == 0;
    struct xlat at;
    char sym[96];
    bool kind = (s->fsc >= 4 && s->fsc < 8) || (s->fsc >= 0x0c && s->fsc < 0x10);
    if (!s->mmu || !kind || !bit(f->esr, 6) || f->far >= f->sp || f->sp - f->far > 4 * NEAR_SP || !mmu_walk(s->c, f->sp, &at) ||
        !is_ram(s->x, at.pa) || !(user ? at.user_w : at.priv_w))
        return false;
    name_addr(s->x, user ? 0 : f->sp, sym, sizeof sym);
    bool at_top = f->sp == s->x->stack_hi || (f->far >= s->x->stack_lo && f->far < s->x->stack_hi) ||
                  (*sym && !strchr(sym, '+') && (strstr(sym, "top") || strstr(sym, "end") || strstr(sym, "hi")));
    if (at_top) /* nothing was pushed yet: it is the mapping that is wrong */
        return false;
    SAY(cause, "`%s` with %s=0x%llx%s%s%s writes to 0x%llx, below the memory that is its stack: it is used up.", s->dis, who, (ull)f->sp,
        *sym ? " (" : "", sym, *sym ? ")" : "", (ull)f->far);
    SAY(fix, "Give this stack more room, bound recursion, make large locals static; or, if it was just set, point SP at the end of the stack (its "
             "highest address), not at its start.");
    return name_it(s, "F14", "stack overflow");
}

/// A virtual address, and the program may have been linked for it.
static bool may_be_linked_there(struct scene *s)
{
    const struct boot_plan *p = &s->x->plan;
    u64 at = s->f->far;
    bool linked = at >> 48 == 0xffff && s->x->has_plan && p->kind == BOOT_KIND_FLAT;
    for (unsigned i = 0; s->x->has_plan && i < p->seg_count; i++)
        linked |= at >> 48 == 0xffff && p->seg[i].va >> 48 == 0xffff;
    return linked;
}

/// Not 0, and yet nowhere near a stack: a virtual address made twice, memory that is not there.
static bool stray_stack(struct scene *s, const char *who)
{
    const struct fault *f = s->f;
    const struct machine_config *m = machine_config(s->x->m);
    char place[80];
    gpa_t pa, once;
    struct xlat w;
    if (!linear_pa(s->x, s->c, f->pc, f->sp - 1, &pa) || is_ram(s->x, pa) || (!s->mmu && f->far >> 48 && may_be_linked_there(s)))
        return false;
    SAY(cause, "`%s` uses %s=0x%llx, where %s", s->dis, who, (ull)f->sp,
        s->mmu && !s->walk_ok ? "nothing is mapped and no RAM would be: the stack pointer was set wrong" : "no RAM is: the stack pointer was set wrong");
    if (bit(f->pc, 55) && mmu_walk(s->c, f->pc, &w) && linear_pa(s->x, s->c, f->pc, pa, &once) && is_ram(s->x, pa - (f->pc - w.pa)))
        why_add(s, "; the offset of the upper half (0x%llx) was added to it twice.", (ull)(f->pc - w.pa));
    else if (pa - (m->ram_base + m->ram_size) < 1024 * MIB)
        why_add(s, "; RAM ends at 0x%llx.", (ull)(m->ram_base + m->ram_size - 1));
    else
        why_add(s, mem_find(machine_mem(s->x->m), pa) ? "; the %s lies there." : "; there is %s.", place_name(s->x, pa, place, sizeof place));
    SAY(fix, "Point SP at the top of a stack inside the program's own memory (.bss), at the address that is valid while it is used.");
    return name_it(s, "F02", "stack pointer that points nowhere");
}

/// Not grown too far: never set, or not aligned.
bool bad_stack(struct scene *s)
{
    const struct fault *f = s->f;
    char who[40] = "SP";
    if ((f->spsr & 13) == 4 && !(f->spsr & 1))
        snprintf(who, sizeof who, "SP_EL0 (PSTATE.SP is 0)");
    if (s->ec == EC_SP_ALIGN) {
        SAY(cause, "%s=0x%llx is not a multiple of 16 when `%s` uses it for an access.", who, (ull)f->sp, s->dis);
        SAY(fix, "Keep SP 16-byte aligned: push registers in pairs and align the initial stack.");
        return name_it(s, "F02", "misaligned stack pointer");
    }
    if (is_dabt(s) && by_sp(s) && f->sp - 0x1000 < ~0ULL - 0x2000)
        return used_up(s, who) || ((s->fsc < 8 || !s->mmu || s->fsc >= 0x10) && stray_stack(s, who));
    if (!is_dabt(s) || !by_sp(s))
        return false;
    SAY(cause, "`%s` uses %s=0x%llx: the stack pointer%s was never set.", s->dis, who, (ull)f->sp,
        f->cpu ? " of this CPU" : "");
    SAY(fix, "Point SP at the top of a stack in RAM before the first push or call%s.",
        f->cpu ? "; every CPU needs one of its own, and CPU_ON does not give it one" : "");
    u64 eret = trail_eret(s);
    char at[96];
    if ((f->spsr & 15) == 4 && s->c->erets && (s->c->eret_spsr & 15) == 4 && f->el == 1) {
        why_add(s, " The last ERET%s%s had SPSR_EL1=0x%llx, which is EL1t: there SP is SP_EL0.", eret ? ", at " : "", eret ? name_full(s->x, eret, at, sizeof at) : "",
                (ull)s->c->eret_spsr);
        SAY(fix, "Return with the SPSR_EL1 that the exception saved (a kernel at EL1 runs with M=5, EL1h): compare what the handler saves and restores.");
    }
    return name_it(s, "F02", "stack pointer that was never set");
}
