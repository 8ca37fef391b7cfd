/// F01: control went where no code is.
#include "debug/why.h"

/// Text where code should be: a string or a table was run.
static bool is_text(struct scene *s, char *text, size_t size)
{
    u8 b[20];
    if ((s->f->pc & 3) || !mmu_debug_read(s->c, s->f->pc, b, sizeof b))
        return false;
    for (unsigned i = 0; i < 12; i++)
        if (b[i] != '\n' && (b[i] < 32 || b[i] > 126))
            return false;
    unsigned n = 0;
    for (; n < sizeof b && n + 1 < size && b[n] >= 32 && b[n] < 127; n++)
        text[n] = (char)b[n];
    text[n] = 0;
    return true;
}

/// The instruction at an address stores through SP.
static bool stores_by_sp(struct scene *s, u64 pc)
{
    u32 word;
    struct insn i;
    if (pc == 0 || !image_read(s->x, s->c, pc, &word, 4))
        return false;
    insn_decode(word, &i);
    return (i.flags & ST) && i.rn == REG_SP;
}

/// Code was here when the program was loaded.
static bool was_overwritten(struct scene *s, u64 src)
{
    struct xlat w;
    u32 old;
    u64 writer;
    char by[96], dis[80], from[96];
    if (!s->have_word || !mmu_walk(s->c, s->f->pc, &w) ||
        !lint_code_was(s->x, w.pa, &old, &writer) || old == 0 || s->x->is_linux)
        return false;
    insn_disas(old, s->f->pc, dis, sizeof dis);
    if (stores_by_sp(s, writer) || (s->f->pc - s->f->sp < 4096 && s->f->sp)) {
        SAY(cause, "The stack ran into the code: SP=0x%llx, and pushes%s%s overwrote `%s` at %s.",
            (ull)s->f->sp, writer ? ", last at " : "",
            writer ? name_full(s->x, writer, by, sizeof by) : "", dis, s->at);
        SAY(fix, "Give the stack more room and point SP at its end (the highest address), not its "
                 "start; bound recursion, make large "
                 "locals static.");
        return name_it(s, "F14", "stack overflow");
    }
    SAY(cause, "The code at %s was overwritten%s%s: there was `%s`, and now there is 0x%08x.",
        s->at, writer ? ", last by pc=" : "", writer ? name_full(s->x, writer, by, sizeof by) : "",
        dis, s->word);
    if (src)
        why_add(s, " Control came from %s.", name_full(s->x, src, from, sizeof from));
    SAY(fix, "Check the bounds of what writes there: a .bss cleared by wrong symbols, a copy with "
             "a wrong size or destination, an array, a stack "
             "(F14); map code read-only to be told at once.");
    return name_it(s, "F01", "code that was overwritten");
}

/// Control came here one instruction after the other: off the end of the program.
static bool ran_off_the_end(struct scene *s, bool zeros)
{
    u32 before;
    char dis[80];
    u64 pc = s->f->pc, src = trail_source(s->f, pc);
    struct insn i;
    if (!zeros || !mmu_debug_read(s->c, pc - 4, &before, 4) || before == 0)
        return false;
    insn_decode(before, &i);
    if (src && (!is_return_at(s, src) || (i.op != OP_BL && i.op != OP_BLR)))
        return false;
    insn_disas(before, pc - 4, dis, sizeof dis);
    if (src) {
        SAY(cause, "The function that `%s` at 0x%llx called returned, and nothing follows the call but zeros (udf #0).", dis, (ull)(pc - 4));
        SAY(fix, "A kernel's main function has nowhere to return to: put a loop of wfi or PSCI SYSTEM_OFF (x0=0x84000008) behind the call, or do not "
                 "return.");
        return name_it(s, "F01", "ran off the end of the code");
    }
    SAY(cause, "Execution ran off the end of the code: after `%s` at 0x%llx come zeros (udf #0).",
        dis, (ull)(pc - 4));
    SAY(fix, "%s",
        "End the program with a loop or PSCI SYSTEM_OFF, or return; if the code there was meant to "
        "be loaded, check the "
        "link script and objcopy's sections.");
    return name_it(s, "F01", "ran off the end of the code");
}

/// The RET at src ends an exception handler: the last transfers entered a vector, and neither ERET nor call followed.
static bool ends_handler(struct scene *s, u64 src)
{
    const struct trail *t = &s->f->trail;
    struct insn i;
    u32 word;
    if (!is_return_at(s, src))
        return false;
    if (src - s->f->sr_vbar < 0x800)
        return true;
    bool seen = false;
    for (unsigned k = 1; k <= TRAIL_LEN && k <= t->head && s->f->sr_vbar; k++) {
        u64 from = t->e[(t->head - k) & (TRAIL_LEN - 1)].from, to = t->e[(t->head - k) & (TRAIL_LEN - 1)].to;
        if (!seen) { /* the RET itself, and what came of it */
            seen = from == src;
            continue;
        }
        if (to - s->f->sr_vbar < 0x800)
            return true;
        if (!image_read(s->x, s->c, from, &word, 4))
            return false;
        insn_decode(word, &i);
        if (i.op == OP_ERET || i.op == OP_RET || i.op == OP_BL || i.op == OP_BLR)
            return false;
    }
    return false;
}

/// The level whose ERET led here: the one above when this one was entered by it.
static unsigned returned_from(struct scene *s)
{
    return s->c->has_el2 && s->f->kind < 0x400 && s->f->el == 1 && s->c->erets == 1 ? 2 : 1;
}

bool f01_jump(struct scene *s)
{
    const struct fault *f = s->f;
    char from[96], place[80], sym[96], how[140];
    u64 src = trail_source(f, f->pc);
    bool zeros = s->ec == EC_UNKNOWN && is_zero_word(s), run_text = false;
    char text[24];
    run_text = (s->ec == EC_UNKNOWN || s->ec == EC_FP || s->ec == EC_SYSREG) &&
               is_text(s, text, sizeof text);
    if (!is_iabt(s) && !zeros && s->ec != EC_PC_ALIGN && !run_text)
        return false;
    u32 next = 0;
    bool lone = zeros && !src && mmu_debug_read(s->c, f->pc + 4, &next, 4) && next; /* one udf between instructions is meant */
    if (!lone && ran_off_the_end(s, zeros))
        return true;
    if (was_overwritten(s, src))
        return true;
    if (lone)
        return false;
    if (src)
        name_full(s->x, src, from, sizeof from);
    else
        snprintf(from, sizeof from, "an unknown place (LR=0x%llx)", (ull)f->x[30]);
    bool eret = is_eret_at(s, src);
    snprintf(how, sizeof how, "%s %s%s", eret ? "ERET at" : is_return_at(s, src) ? "The return (ret) at" : "Jump from", from, eret || is_return_at(s, src) ? " went" : "");
    if (f08_jump(s, how))
        return true;
    place_name(s->x, f->pc, place, sizeof place);
    name_addr(s->x, f->pc, sym, sizeof sym);
    if (f->cpu && f->trail.head <= 1) { /* its first instruction */
        SAY(cause, "cpu%u was started by PSCI CPU_ON at 0x%llx, where there is %s.", f->cpu,
            (ull)f->pc, place);
        SAY(fix, "Pass CPU_ON the physical address of the entry: the CPU starts with its MMU off.");
        return name_it(s, "F07", "secondary CPU started at a wrong address");
    }
    if (ends_handler(s, src))
        SAY(cause,
            "The exception handler ends with ret at %s: that goes to x30 of the code "
            "it interrupted (0x%llx), and "
            "does not restore PSTATE.",
            from, (ull)f->pc);
    else if (is_eret_at(s, src))
        SAY(cause, "ERET at %s went%s to ELR_EL%u=0x%llx, where there is %s%s.", from,
            bits(f->spsr, 3, 2) == 0 && f->kind >= 0x400 ? " to EL0," : "",
            f->el == 2 ? 2 : returned_from(s), (ull)f->pc,
            s->ec == EC_PC_ALIGN  ? "no code (it is not a multiple of 4)"
            : s->mmu && s->fsc >= 0x0c && s->fsc < 0x10 && s->walk_ok && !s->walk.user_x && f->kind >= 0x400 ? "a mapping that EL0 may not execute (UXN, bit 54)"
            : s->mmu && s->fsc >= 4 ? "no executable mapping"
            : zeros               ? "memory of zeros (udf #0)"
                                  : place,
            f->pc ? bit(f->pc, 63) && !s->mmu ? ": a virtual address, while the MMU is off" : ""
                  : ": it was never set");
    else if (is_return_at(s, src) && f->pc == 0)
        SAY(cause,
            "The return (ret) at %s went to 0x0: there is no caller, because the function was "
            "entered by a branch (b) and not by a "
            "call, or x30 was lost.",
            from);
    else if (is_return_at(s, src))
        SAY(cause,
            "The return (ret) at %s went to 0x%llx, where there is %s: the return address on the "
            "stack was overwritten, or never "
            "saved.",
            from, (ull)f->pc,
            s->ec == EC_PC_ALIGN    ? "no code (it is not even a multiple of 4)"
            : run_text              ? "text"
            : zeros                 ? "memory of zeros"
            : s->mmu && s->fsc >= 4 ? "no executable mapping"
                                    : place);
    else if (s->ec == EC_PC_ALIGN)
        SAY(cause, "Jump from %s to 0x%llx, which is not a multiple of 4.", from, (ull)f->pc);
    else if (run_text)
        SAY(cause, "Jump from %s to 0x%llx, where there is text (\"%s\"), not code.", from,
            (ull)f->pc, text);
    else if (zeros)
        SAY(cause, "Jump from %s to 0x%llx%s%s, where memory holds zeros (udf #0): no code was ever put there.",
            from, (ull)f->pc, *sym ? ", the data " : "", sym);
    else if (f->pc < 4096)
        SAY(cause, "Jump from %s to 0x%llx: a call through a null pointer.", from, (ull)f->pc);
    else if (s->mmu && s->fsc >= 12 && s->fsc < 16)
        SAY(cause, "Jump from %s to 0x%llx, which is mapped but not executable at EL1 (PXN, or writable at EL0).",
            from, (ull)f->pc);
    else if (s->mmu && bit(f->pc, 55))
        SAY(cause,
            "Jump from %s to 0x%llx, which nothing maps: the upper half is translated by "
            "TTBR1_EL1=0x%llx with "
            "T1SZ=%llu%s.",
            from, (ull)f->pc, (ull)f->sr_ttbr1, (ull)bits(f->sr_tcr, 21, 16),
            bit(f->sr_tcr, 23) ? ", and EPD1=1 turns it off" : "");
    else if (s->mmu)
        SAY(cause, "Jump from %s to 0x%llx, which nothing maps.", from, (ull)f->pc);
    else if (f->pc >> 48 && f->pc >> 48 != 0xffff)
        SAY(cause, "Jump from %s to 0x%llx, which is no address at all: bits 63 to 48 are not 0 while the MMU is off.", from, (ull)f->pc);
    else if (bit(f->pc, 63) || f->pc >> 40)
        SAY(cause, "Jump from %s to 0x%llx, a virtual address, while the MMU is off.", from,
            (ull)f->pc);
    else
        SAY(cause, "Jump from %s to 0x%llx, where there is %s.", from, (ull)f->pc, place);
    if (!zeros && !run_text)
        add_pattern(s, f->pc);
    if (ends_handler(s, src))
        SAY(fix, "End every handler with eret, after restoring the registers it used.");
    else if (is_return_at(s, src) && f->pc == 0 && !trail_has_call(s))
        SAY(fix, "The entry point has nowhere to return to: end it with PSCI SYSTEM_OFF (x0=0x84000008, hvc #0) or a loop of wfi.");
    else if (is_return_at(s, src))
        SAY(fix, "Look for an array on the stack that is written past its end, a stack that "
                 "overflows (F14) or shares memory with another, "
                 "a function that calls others without saving x30, or a frame restored with "
                 "another size than it was made.");
    else if (is_eret_at(s, src) && f->pc && f->kind >= 0x400 && bits(f->spsr, 3, 2) == 0 && s->mmu && s->ec != EC_PC_ALIGN)
        SAY(fix, "Map the program at 0x%llx for EL0 in the tables of TTBR%d_EL1 (now 0x%llx), or write the process' own tables to it (and isb) before the ERET.",
            (ull)f->pc, (int)bit(f->pc, 55), (ull)(bit(f->pc, 55) ? f->sr_ttbr1 : f->sr_ttbr0));
    else if (is_eret_at(s, src))
        SAY(fix, "%s",
            "Write the address of the code to return to (physical while the MMU is off; adr, not "
            "ldr =symbol) to ELR_ELx before "
            "ERET, and restore it on every way out of a handler.");
    else
        SAY(fix, "%s",
            f->pc >> 48 == 0xffff && !s->mmu
                ? "Turn the MMU on first, or use pc-relative addresses (adr, adrp) before."
                : "Check the pointer or return address that was used: the registers above show its "
                  "origin, often an "
                  "overwritten stack, a missing relocation or an unset function pointer.");
    return name_it(s, "F01", zeros || run_text ? "jump into memory without code" : "jump to nothing");
}

/// Before anything that is told by the instruction: what runs may be no instruction.
bool f01_text(struct scene *s)
{
    char text[24];
    return (s->ec == EC_UNKNOWN || s->ec == EC_FP) && is_text(s, text, sizeof text) && f01_jump(s);
}
