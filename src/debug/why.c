/// From evidence to a catalogue entry: what most likely went wrong, and what to change. One function an
/// entry; the first that recognises the fault names it.
#include "debug/why.h"

#include <ctype.h>
#include <stdarg.h>

void why_add(struct scene *s, const char *fmt, ...)
{
    size_t n = strlen(s->out->cause);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->out->cause + n, sizeof s->out->cause - n, fmt, ap);
    va_end(ap);
}

/// Where a raw binary goes above the start of RAM.
#define RAW_OFFSET 0x80000

/// The code at pc is no longer what was loaded, or never was code.
static bool is_zero_word(const struct scene *s) { return s->have_word && s->word == 0; }

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
static bool is_return_at(struct scene *s, u64 pc) { return op_at(s, pc) == OP_RET; }

u64 trail_source(const struct fault *f, u64 to)
{
    for (unsigned k = 1; k <= TRAIL_LEN && k <= f->trail.head; k++) {
        unsigned h = (f->trail.head - k) & (TRAIL_LEN - 1);
        if (f->trail.e[h].to == to && f->trail.e[h].from)
            return f->trail.e[h].from;
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

static bool by_sp(const struct scene *s)
{
    return s->have_word && (s->insn.flags & (LD | ST)) && s->insn.rn == REG_SP;
}

/// Data at a virtual address while the MMU is off.
static bool f10_virtual(struct scene *s)
{
    const struct boot_plan *p = &s->x->plan;
    char sym[96];
    u64 at = s->f->far;
    if (s->mmu || !is_dabt(s) || !(at >> 48))
        return false;
    SAY(cause, "`%s` uses 0x%llx, a virtual address, while the MMU is off.", s->dis, (ull)at);
    for (unsigned i = 0; s->x->has_plan && i < p->seg_count; i++)
        if (p->seg[i].va && at - p->seg[i].va < p->seg[i].mem_len)
            why_add(s, " It is the link address of %s, which lies at PA 0x%llx.",
                    *name_addr(s->x, p->seg[i].gpa + (at - p->seg[i].va), sym, sizeof sym) ? sym : p->seg[i].what,
                    (ull)(p->seg[i].gpa + (at - p->seg[i].va)));
    SAY(fix, "%s", "Use pc-relative addresses (adr, adrp + :lo12:) until the MMU is on; a literal (ldr x0, =symbol) holds the link "
                   "address.");
    return name_it(s, "F10", "link address used while the MMU is off");
}

/// The same where RAM is too, at 0 (a position-independent program whose pointers were not relocated) and in the file.
static bool link_near(struct scene *s, u64 at)
{
    const struct boot_plan *p = &s->x->plan;
    u64 ram = machine_config(s->x->m)->ram_base, base[] = {0, ram, ram + 0x10000, ram + RAW_OFFSET, ram + 0x100000, ram + 0x200000,
                  ram + 0x400000, ram + 0x800000, ram + 0x1000000, ram + 0x2000000, ram + 0x4000000, ram + 0x8000000, ram + 0x10000000};
    u32 word, there = 0;
    bool jump = !is_dabt(s);
    for (unsigned i = 0; jump && i < ARRAY_LEN(base); i++) {
        if (base[i] == p->seg[0].gpa || at - base[i] >= p->seg[0].mem_len || at - p->seg[0].gpa < p->seg[0].mem_len || (at & 3))
            continue;
        if (!mem_read(machine_mem(s->x->m), p->seg[0].gpa + (at - base[i]), &word, 4) || word == 0 ||
            (mem_read(machine_mem(s->x->m), at, &there, 4) && there != 0))
            continue;
        SAY(cause, "0x%llx is 0x%llx above 0x%llx: the program was linked for 0x%llx and uses absolute addresses, but it was loaded at 0x%llx%s.",
            (ull)at, (ull)(at - base[i]), (ull)base[i], (ull)base[i], (ull)p->seg[0].gpa,
            base[i] ? "" : "; pointers in its data need relocations that nobody applied");
        SAY(fix, "Link it for 0x%llx (-Ttext=0x%llx), pass the ELF file, or say where it belongs (--load FILE@0x%llx)%s.",
            (ull)p->seg[0].gpa, (ull)p->seg[0].gpa, (ull)(base[i] ? base[i] : p->seg[0].gpa),
            base[i] ? "" : "; a position-independent program applies its .rela.dyn itself before it uses pointers");
        return name_it(s, "F10", "linked for another address");
    }
    return false;
}

/// An address that would be inside the program had it been put where it was linked.
static bool f10_link(struct scene *s)
{
    static const u64 bases[] = {0x80000, 0x8000, 0x10000, 0x200000, 0x400000, 0x60000000, 0x80000000, 0xffff000000000000,
                                0xffff000000080000, 0xffffff8000000000, 0xffffff8000080000, 0xffff800000000000};
    const struct boot_plan *p = &s->x->plan;
    u64 at = is_iabt(s) ? s->f->pc : s->f->far, size = 0;
    bool zeros = s->ec == EC_UNKNOWN && is_zero_word(s);
    if (zeros)
        at = s->f->pc;
    if (!s->x->has_plan || p->kind != BOOT_KIND_FLAT || p->seg_count == 0 || s->mmu || !(is_iabt(s) || is_dabt(s) || zeros))
        return false;
    if (is_ram(s->x, at) || (at && at < 4096))
        return link_near(s, at);
    size = p->seg[0].mem_len + 64 * KIB; /* bss is not in the file */
    for (unsigned i = 0; i < ARRAY_LEN(bases); i++)
        if (at - bases[i] < size || (by_sp(s) && bases[i] - at <= 4096)) { /* a stack that grows down from the start */
            SAY(cause, "0x%llx is 0x%llx %s 0x%llx: the program was linked for 0x%llx and uses absolute addresses, but it was "
                       "loaded at 0x%llx.", (ull)at, (ull)(at < bases[i] ? bases[i] - at : at - bases[i]),
                at < bases[i] ? "below" : "above", (ull)bases[i], (ull)bases[i], (ull)p->seg[0].gpa);
            SAY(fix, "Link it for 0x%llx (-Ttext=0x%llx), or pass the ELF file.", (ull)p->seg[0].gpa, (ull)p->seg[0].gpa);
            return name_it(s, "F10", "linked for another address");
        }
    return false;
}

/// What is special about an address where nothing answers.
static void place_hint(struct scene *s, gpa_t pa)
{
    const struct machine_config *m = machine_config(s->x->m);
    char who[96];
    u64 behind = pa - (m->ram_base + m->ram_size);
    const char *board = behind < MIB ? NULL : board_at(pa, who, sizeof who);
    if (!m->bare && m->gic == 3 && pa >= 0x08010000 && pa < 0x08020000)
        why_add(s, ", where the CPU interface of a GICv2 would be: this machine has a GICv3 (system registers ICC_*; --gic 2 gives "
                   "a GICv2).");
    else if (!m->bare && m->gic == 2 && pa >= 0x080a0000 && pa < 0x09000000)
        why_add(s, ", where the redistributors of a GICv3 would be: this machine has a GICv2 (--gic 3 gives a GICv3).");
    else if (board)
        why_add(s, ", where this board has nothing: that is %s.", board);
    else if (behind < 1024 * MIB)
        why_add(s, ", behind the end of RAM (0x%llx): the guest has %llu MiB, -m gives more.",
                (ull)(m->ram_base + m->ram_size - 1), (ull)(m->ram_size / MIB));
    else
        why_add(s, ", where this board has neither RAM nor a device.");
}

/// No register that a call preserves holds the address of the device tree any more.
static bool lost_dtb_pointer(struct scene *s)
{
    const struct explain *x = s->x;
    bool kept = !x->has_plan || x->is_linux || x->quiet || memcmp(x->dtb_head, "\xd0\x0d\xfe\xed", 4) != 0;
    for (unsigned r = 0; r < 31; r++)
        kept |= s->f->x[r] == x->plan.dtb;
    return !kept;
}

static bool f09_device(struct scene *s)
{
    char val[80] = "", who[96];
    struct bad_access b = s->f->bad;
    const struct machine_config *m = machine_config(s->x->m);
    gpa_t pa = s->f->far;
    bool foreign = s->mmu && is_dabt(s) && s->fsc >= 4 && s->fsc < 8 && linear_pa(s->x, s->c, s->f->pc, s->f->far, &pa) &&
                   !mem_find(machine_mem(s->x->m), pa) &&
                   (board_at(pa, who, sizeof who) || pa - (m->ram_base + m->ram_size) < MIB);
    if (!is_dabt(s) || (!foreign && (s->fsc != 0x10 || !b.valid)))
        return false;
    if (foreign)
        b = (struct bad_access){.write = bit(s->f->esr, 6), .pa = pa, .size = 1u << s->insn.p};
    bool null = b.pa < 4096;
    if (b.write && b.size == 1 && b.val >= 32 && b.val < 127)
        snprintf(val, sizeof val, " '%c'", (char)b.val);
    SAY(cause, "%s of %u byte%s%s at %sPA 0x%llx", b.write ? "Write" : "Read", b.size, b.size == 1 ? "" : "s", val,
        foreign ? "unmapped " : "", (ull)b.pa);
    if (null) {
        why_add(s, ": a null pointer (plus an offset); nothing answers there.");
        SAY(fix, "Check where the pointer came from; with the MMU off, .bss that was not cleared or an address that was "
                 "never relocated also ends here%s.", b.write || !lost_dtb_pointer(s) ? ""
                 : ", and so does a device tree pointer that was not kept: x0 holds it at the first instruction only");
        return name_it(s, "F09", "access through a null pointer");
    }
    place_hint(s, b.pa);
    SAY(fix, "This board's PL011 is at 0x09000000, the GIC at 0x08000000, RAM at 0x%llx; take addresses from the "
             "device tree in x0 (`bruin dtb dump` shows the map).", (ull)machine_config(s->x->m)->ram_base);
    return name_it(s, "F09", "access to an address where this board has nothing");
}

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

/// Code was here when the program was loaded.
static bool was_overwritten(struct scene *s, u64 src)
{
    struct xlat w;
    u32 old;
    u64 writer;
    char by[96], dis[80], from[96];
    if (!s->have_word || !mmu_walk(s->c, s->f->pc, &w) || !lint_code_was(s->x, w.pa, &old, &writer) || old == 0 || s->x->is_linux)
        return false;
    insn_disas(old, s->f->pc, dis, sizeof dis);
    SAY(cause, "The code at %s was overwritten%s%s: there was `%s`, and now there is 0x%08x.", s->at, writer ? ", last by pc=" : "",
        writer ? name_full(s->x, writer, by, sizeof by) : "", dis, s->word);
    if (src)
        why_add(s, " Control came from %s.", name_full(s->x, src, from, sizeof from));
    SAY(fix, "Check the bounds of what writes there: a .bss cleared by wrong symbols, a copy with a wrong size or destination, an array, a stack "
             "(F14); map code read-only to be told at once.");
    return name_it(s, "F01", "code that was overwritten");
}

/// Control came here one instruction after the other: off the end of the program.
static bool ran_off_the_end(struct scene *s, bool zeros)
{
    u32 before;
    char dis[80];
    u64 pc = s->f->pc;
    if (!zeros || trail_source(s->f, pc) || !mmu_debug_read(s->c, pc - 4, &before, 4) || before == 0)
        return false;
    insn_disas(before, pc - 4, dis, sizeof dis);
    SAY(cause, "Execution ran off the end of the code: after `%s` at 0x%llx come zeros (udf #0).", dis, (ull)(pc - 4));
    SAY(fix, "%s", "End the program with a loop or PSCI SYSTEM_OFF, or return; if the code there was meant to be loaded, check the "
                   "link script and objcopy's sections.");
    return name_it(s, "F01", "ran off the end of the code");
}

/// The level whose ERET led here: the one above when this one was entered by it.
static unsigned returned_from(struct scene *s) { return s->c->has_el2 && s->f->kind < 0x400 && s->f->el == 1 && s->c->erets == 1 ? 2 : 1; }

static bool f01_jump(struct scene *s)
{
    const struct fault *f = s->f;
    char from[96], place[80];
    u64 src = trail_source(f, f->pc);
    bool zeros = s->ec == EC_UNKNOWN && is_zero_word(s), run_text = false;
    char text[24];
    run_text = (s->ec == EC_UNKNOWN || s->ec == EC_FP || s->ec == EC_SYSREG) && is_text(s, text, sizeof text);
    if (!is_iabt(s) && !zeros && s->ec != EC_PC_ALIGN && !run_text)
        return false;
    if (ran_off_the_end(s, zeros))
        return true;
    if (was_overwritten(s, src))
        return true;
    if (src)
        name_full(s->x, src, from, sizeof from);
    else
        snprintf(from, sizeof from, "an unknown place (LR=0x%llx)", (ull)f->x[30]);
    place_name(s->x, f->pc, place, sizeof place);
    if (f->cpu && f->trail.head <= 1) { /* its first instruction */
        SAY(cause, "cpu%u was started by PSCI CPU_ON at 0x%llx, where there is %s.", f->cpu, (ull)f->pc, place);
        SAY(fix, "Pass CPU_ON the physical address of the entry: the CPU starts with its MMU off.");
        return name_it(s, "F07", "secondary CPU started at a wrong address");
    }
    if (is_eret_at(s, src))
        SAY(cause, "ERET at %s went to ELR_EL%u=0x%llx, where there is %s%s.", from, f->el == 2 ? 2 : returned_from(s), (ull)f->pc,
            s->mmu && s->fsc >= 4 ? "no executable mapping" : zeros ? "memory of zeros (udf #0)" : place,
            f->pc ? bit(f->pc, 63) && !s->mmu ? ": a virtual address, while the MMU is off" : "" : ": it was never set");
    else if (is_return_at(s, src) && f->pc == 0)
        SAY(cause, "The return (ret) at %s went to 0x0: there is no caller, because the function was entered by a branch (b) and not by a "
                   "call, or x30 was lost.", from);
    else if (is_return_at(s, src))
        SAY(cause, "The return (ret) at %s went to 0x%llx, where there is %s: the return address on the stack was overwritten, or never "
                   "saved.", from, (ull)f->pc, s->ec == EC_PC_ALIGN ? "no code (it is not even a multiple of 4)" : run_text ? "text" : zeros ?
            "memory of zeros" : s->mmu && s->fsc >= 4 ? "no executable mapping" : place);
    else if (s->ec == EC_PC_ALIGN)
        SAY(cause, "Jump from %s to 0x%llx, which is not a multiple of 4.", from, (ull)f->pc);
    else if (run_text)
        SAY(cause, "Jump from %s to 0x%llx, where there is text (\"%s\"), not code.", from, (ull)f->pc, text);
    else if (zeros)
        SAY(cause, "Jump from %s to 0x%llx, where memory holds zeros (udf #0): no code was ever put there.", from,
            (ull)f->pc);
    else if (f->pc < 4096)
        SAY(cause, "Jump from %s to 0x%llx: a call through a null pointer.", from, (ull)f->pc);
    else if (s->mmu && s->fsc >= 12 && s->fsc < 16)
        SAY(cause, "Jump from %s to 0x%llx, which is mapped but not executable at EL1 (PXN, or writable at EL0).", from,
            (ull)f->pc);
    else if (s->mmu && bit(f->pc, 55))
        SAY(cause, "Jump from %s to 0x%llx, which nothing maps: the upper half is translated by TTBR1_EL1=0x%llx with "
                   "T1SZ=%llu%s.", from, (ull)f->pc, (ull)f->sr_ttbr1, (ull)bits(f->sr_tcr, 21, 16),
            bit(f->sr_tcr, 23) ? ", and EPD1=1 turns it off" : "");
    else if (s->mmu)
        SAY(cause, "Jump from %s to 0x%llx, which nothing maps.", from, (ull)f->pc);
    else if (bit(f->pc, 63) || f->pc >> 40)
        SAY(cause, "Jump from %s to 0x%llx, a virtual address, while the MMU is off.", from, (ull)f->pc);
    else
        SAY(cause, "Jump from %s to 0x%llx, where there is %s.", from, (ull)f->pc, place);
    if (is_return_at(s, src))
        SAY(fix, "Look for an array on the stack that is written past its end, a stack that overflows (F14) or shares memory with another, "
                 "a function that calls others without saving x30, or a frame restored with another size than it was made.");
    else if (is_eret_at(s, src))
        SAY(fix, "%s", "Write the address of the code to return to (physical while the MMU is off; adr, not ldr =symbol) to ELR_ELx before "
                       "ERET, and restore it on every way out of a handler.");
    else
        SAY(fix, "%s", bit(f->pc, 63) && !s->mmu ? "Turn the MMU on first, or use pc-relative addresses (adr, adrp) before."
                   : "Check the pointer or return address that was used: the registers above show its origin, often an "
                     "overwritten stack, a missing relocation or an unset function pointer.");
    return name_it(s, "F01", zeros || run_text ? "jump into memory without code" : "jump to nothing");
}

/// Before anything that is told by the instruction: what runs may be no instruction.
static bool f01_text(struct scene *s)
{
    char text[24];
    return (s->ec == EC_UNKNOWN || s->ec == EC_FP) && is_text(s, text, sizeof text) && f01_jump(s);
}

/// Data aborts that no entry above explains.
static bool data_abort(struct scene *s)
{
    char fsc[80];
    if (!is_dabt(s))
        return false;
    fsc_name(s->fsc, fsc, sizeof fsc);
    if (s->f->far < 4096)
        SAY(cause, "%s 0x%llx: a null pointer (plus an offset); %s.", bit(s->f->esr, 6) ? "Write to" : "Read of",
            (ull)s->f->far, fsc);
    else if (s->fsc >= 12 && s->fsc < 16)
        SAY(cause, "The mapping of 0x%llx does not allow this %s (%s).", (ull)s->f->far,
            bit(s->f->esr, 6) ? "write" : "read", fsc);
    else if (s->fsc >= 8 && s->fsc < 12)
        SAY(cause, "The descriptor of 0x%llx has AF=0 (access flag).", (ull)s->f->far);
    else
        SAY(cause, "%s of 0x%llx: %s.", bit(s->f->esr, 6) ? "Write" : "Read", (ull)s->f->far, fsc);
    SAY(fix, "See the walk above for the descriptor that stopped it, and install vectors (VBAR_EL1) whose handler prints "
             "ESR_EL1, ELR_EL1 and FAR_EL1.");
    if (s->f->far < 4096)
        return name_it(s, "F09", "access through a null pointer");
    return name_it(s, "F02", "data abort that nothing handles");
}

/// A system register that EL2 traps: which, and by what.
static bool f02_trapped(struct scene *s)
{
    char reg[40];
    u32 iss = (u32)bits(s->f->esr, 24, 0);
    u32 enc = (u32)(bits(iss, 21, 20) << 14 | bits(iss, 16, 14) << 11 | bits(iss, 13, 10) << 7 | bits(iss, 4, 1) << 3 | bits(iss, 19, 17));
    if (s->ec != EC_SYSREG || !s->have_word || s->insn.op == OP_SYS)
        return false;
    sysreg_word_name(s->word, reg, sizeof reg);
    unsigned from = (unsigned)bits(s->f->spsr, 3, 2);
    bool timer = strncmp(reg, "CNTP", 4) == 0, other = strncmp(reg, "CNT", 3) == 0, icc = strncmp(reg, "ICC_", 4) == 0;
    bool vm = (enc >> 7 & 15) == 2 || enc == SYSREG_ENC(3, 0, 1, 0, 0) || enc == SYSREG_ENC(3, 0, 10, 2, 0);
    const char *by = s->f->el == 1 ? other ? "CNTKCTL_EL1 (EL0PCTEN, EL0VCTEN, EL0PTEN, EL0VTEN)" : "SCTLR_EL1 (UMA, UCT, UCI, DZE)"
                     : timer ? "CNTHCTL_EL2.EL1PCEN (and EL1PCTEN for the counter)" : other ? "CNTHCTL_EL2" : icc ? "ICC_SRE_EL2.Enable or ICH_HCR_EL2"
                     : vm ? "HCR_EL2.TVM or TRVM" : "HCR_EL2, HSTR_EL2 or MDCR_EL2";
    SAY(cause, "`%s` at EL%u is trapped to EL%u: %s belongs to a level that did not give it away.", s->dis, from, s->f->el, reg);
    SAY(fix, "Open it at EL%u with %s before the ERET to EL%u%s.", s->f->el, by, from,
        timer && s->f->el == 2 ? ", as with mov x0, #3; msr cnthctl_el2, x0" : "");
    return name_it(s, "F02", "system register access that a higher level traps");
}

static bool f02_vectors(struct scene *s)
{
    const struct fault *f = s->f;
    char place[80];
    const char *extension = s->have_word ? extension_of(s->word) : NULL;
    place_name(s->x, f->sr_vbar, place, sizeof place);
    if (s->ec == EC_BRK)
        SAY(cause, "BRK #0x%llx: a trap the program itself contains (assertion, __builtin_trap, unreachable code).",
            (ull)bits(f->esr, 15, 0));
    else if (s->have_word && s->insn.op == OP_HLT && s->ec == EC_UNKNOWN)
        SAY(cause, "`%s`: a semihosting or debugger call, which is UNDEFINED unless --semihosting serves it.", s->dis);
    else if (s->ec == EC_UNKNOWN && extension)
        SAY(cause, "`%s` needs %s, which this CPU does not have (its ID registers say so).", s->dis, extension);
    else if (s->ec == EC_UNKNOWN)
        SAY(cause, "`%s` is UNDEFINED on this CPU%s.", s->dis,
            s->have_word && s->insn.op == OP_INVALID ? ": no such instruction; pc may run through data" : "");
    else
        SAY(cause, "%s from EL%llu.", ec_name(s->ec), (ull)bits(f->spsr, 3, 2));
    if (f->sr_vbar == 0)
        why_add(s, " VBAR_EL1 is 0: no vectors were installed.");
    else if (!mem_find(machine_mem(s->x->m), f->sr_vbar) && !s->mmu)
        why_add(s, " VBAR_EL1=0x%llx lies in %s.", (ull)f->sr_vbar, place);
    SAY(fix, "%s", s->insn.op == OP_HLT && s->have_word ? "Run with --semihosting."
                   : extension ? "Build for the CPU (-march=armv8.2-a), or test the ID register before using the extension."
                   : f->sr_vbar == 0 ? "Set VBAR_EL1 to a 2 KiB-aligned table in mapped memory before anything can trap."
                                     : "Let the handler at VBAR_EL1 deal with this exception, or remove its cause.");
    return name_it(s, "F02", extension ? "instruction that this CPU does not have" : "exception that nothing handles");
}

static bool interrupt(struct scene *s)
{
    static const char *const kind[] = {"", "IRQ", "FIQ", "SError"};
    unsigned k = s->f->kind >> 7 & 3;
    char what[96], at[96];
    if (k == 0)
        return false;
    bool hangs = s->x->verdict == V_FAULT;
    SAY(cause, "%s%s was taken at %s", kind[k], k == 3 ? "" : pending_interrupt(s->x, s->c, what, sizeof what), s->at);
    if (s->f->sr_vbar == 0)
        why_add(s, " while VBAR_EL1 is 0: no vectors were installed.");
    else if (hangs && s->c->pc - s->f->sr_vbar < 0x800)
        why_add(s, " and its vector at %s does nothing but hang.", name_full(s->x, s->c->pc, at, sizeof at));
    else if (hangs)
        why_add(s, " and its handler never came back: it hangs at %s.", name_full(s->x, s->c->pc, at, sizeof at));
    else
        why_add(s, " and its handler never came back.");
    SAY(fix, "%s", k == 3 ? "Find the access that failed, or mask SErrors (PSTATE.A) as long as no handler exists."
                          : "Install a handler that acknowledges the interrupt (ICC_IAR1_EL1), serves its device, ends it (ICC_EOIR1_EL1) "
                            "and returns with ERET; or do not enable or unmask it yet.");
    return name_it(s, "F02", "interrupt that nothing handles");
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

/// The loop is in the handler: what it does faults again.
static void add_handler(struct scene *s)
{
    const struct fault *l = &s->w->last;
    char at[96], fsc[80];
    u32 word = 1;
    if (s->w->vbar_written)
        why_add(s, " VBAR_EL1 was set to 0x%llx, which is not a multiple of 2 KiB: the vectors are taken from 0x%llx.",
                (ull)s->w->vbar_written, (ull)(s->w->vbar_written & ~0x7ffULL));
    if (s->f->sr_vbar && has_narrow_vectors(s))
        why_add(s, " The table at VBAR_EL1=0x%llx holds branches one word apart: each of its 16 entries is 0x80 bytes long, so this exception "
                   "entered at +0x%x, in other code.", (ull)s->f->sr_vbar, s->f->kind);
    if (s->x->verdict != V_LOOP || !l->valid || s->w->nested == 0)
        return;
    u64 vbar = s->f->sr_vbar, ec = bits(l->esr, 31, 26);
    bool first = l->pc - vbar < 0x800;
    if (first && (ec == EC_IABT || ec == EC_PC_ALIGN)) {
        why_add(s, " Its vector at 0x%llx cannot be fetched%s", (ull)l->pc, vbar ? "" : " (VBAR_EL1 was never set)");
        if (vbar)
            add_walk_of(s, l->pc);
        why_add(s, ", so the exception repeats for ever.");
    }
    else if (first && ec == EC_UNKNOWN && mmu_debug_read(s->c, l->pc, &word, 4) && word == 0)
        why_add(s, " Its vector at %s holds zeros: there are no vectors at VBAR_EL1.", name_full(s->x, l->pc, at, sizeof at));
    else if (l->sp == 0)
        why_add(s, " The handler itself faults at %s: SP was never set.", name_full(s->x, l->pc, at, sizeof at));
    else
        why_add(s, " The handler itself faults at %s (%s%s%s), so it never ends.", name_full(s->x, l->pc, at, sizeof at),
                ec_name((u32)ec), ec == EC_DABT ? ": " : "", ec == EC_DABT ? fsc_name((u32)l->esr, fsc, sizeof fsc) : "");
}

/// A handler returned to the faulting instruction over and over.
static void add_retry(struct scene *s)
{
    if (s->x->verdict == V_LOOP && s->w->nested == 0 && s->w->retry_count && s->f->sr_vbar)
        why_add(s, "%s", s->w->retry_moves ? " The handler steps over each instruction that faults and returns to the next, which faults as well."
                                           : " The handler returns to the same instruction each time without having removed the cause.");
}

/// At EL2, and what was set belongs to EL1.
static void add_wrong_level(struct scene *s)
{
    const u64 *sr = s->c->sr;
    if (bits(s->f->spsr, 3, 2) != 2)
        return;
    if (!s->mmu && bit(sr[SYSREG_SCTLR_EL1], 0))
        why_add(s, " SCTLR_EL1.M was set, but this CPU is at EL2, where SCTLR_EL2 turns the MMU on: drop to EL1 first, or use the registers of EL2.");
    else if (s->f->sr_vbar == 0 && sr[SYSREG_VBAR_EL1])
        why_add(s, " VBAR_EL1 was set (0x%llx), but this CPU is at EL2, which uses VBAR_EL2.", (ull)sr[SYSREG_VBAR_EL1]);
}

/// What EL1 does is translated once more, by tables that EL2 did not make.
static bool f08_stage2(struct scene *s)
{
    u64 hcr = s->c->sr[SYSREG_HCR_EL2];
    bool abort = s->ec == EC_IABT_LOW || s->ec == EC_DABT_LOW;
    char fsc[80];
    if (s->f->el != 2 || !abort || !(hcr & 1) || s->c->stage2)
        return false;
    SAY(cause, "%s at 0x%llx by EL%llu is stopped by stage 2: HCR_EL2.VM=1, and the tables at VTTBR_EL2=0x%llx do not let IPA 0x%llx through "
               "(%s).", s->ec == EC_IABT_LOW ? "The fetch" : "The access", (ull)s->f->far, (ull)bits(s->f->spsr, 3, 2),
        (ull)s->c->sr[SYSREG_VTTBR_EL2], (ull)(bits(s->c->sr[SYSREG_HPFAR_EL2], 43, 4) << 12 | (s->f->far & 0xfff)),
        fsc_name(s->fsc, fsc, sizeof fsc));
    SAY(fix, "Clear HCR_EL2.VM (write all of HCR_EL2, its reset value is unknown on silicon: 1 << 31 for a kernel at EL1), or build stage 2 tables "
             "and set VTCR_EL2 and VTTBR_EL2.");
    return name_it(s, "F08", "stage 2 does not map what EL1 uses");
}

void why_fault(struct explain *x, const struct cpu_watch *w, const struct fault *f, struct why *out)
{
    struct cpu *c = machine_cpu(x->m, f->cpu);
    struct scene sc = {.x = x, .c = c, .w = w, .f = f, .out = out}, *s = &sc;
    static bool (*const entry[])(struct scene *) = {
        f05_unsynced, interrupt, f08_stage2, f12_conduit, f11_level, f14_stack, f10_link, f08_moved, bad_stack, f01_text, f04_fp_trap, f03_alignment, f15_exclusive,
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
    size_t own = strcmp(out->id, "F11") && strcmp(out->id, "F12") && s->ec != EC_SYSREG && s->ec != EC_IABT_LOW && s->ec != EC_DABT_LOW ? 0 : strlen(out->cause); /* they name levels themselves */
    add_handler(s);
    add_retry(s);
    if (f->el == 2) {
        name_for_el2(out->cause + own);
        name_for_el2(own ? out->fix + strlen(out->fix) : out->fix);
        add_wrong_level(s);
    }
}
