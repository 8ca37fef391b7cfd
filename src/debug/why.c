/// From evidence to a catalogue entry: what most likely went wrong, and what to change. One function an
/// entry; the first that recognises the fault names it.
#include "debug/priv.h"

#include <stdio.h>

typedef unsigned long long ull;

/// What the entries look at.
struct scene {
    struct explain *x;
    const struct cpu_watch *w;
    const struct fault *f;
    u32 ec, fsc;
    bool mmu, have_word, walk_ok;
    bool far_valid; ///< FAR holds the address of an access
    u32 word;
    struct insn insn;
    struct xlat walk;
    char at[96], dis[80];
    struct why *out;
};

#define SAY(field, ...) snprintf(s->out->field, sizeof s->out->field, __VA_ARGS__)
static bool name_it(struct scene *s, const char *id, const char *title)
{
    snprintf(s->out->id, sizeof s->out->id, "%s", id);
    snprintf(s->out->title, sizeof s->out->title, "%s", title);
    return true;
}

static bool is_iabt(const struct scene *s) { return s->ec == EC_IABT || s->ec == EC_IABT_LOW; }
static bool is_dabt(const struct scene *s) { return s->ec == EC_DABT || s->ec == EC_DABT_LOW; }
static bool is_unmapped(const struct scene *s) { return s->fsc < 0x0c; }

/// The code at pc is no longer what was loaded, or never was code.
static bool is_zero_word(const struct scene *s) { return s->have_word && s->word == 0; }

static u64 trail_source(const struct fault *f, u64 to)
{
    for (unsigned k = 1; k <= TRAIL_LEN && k <= f->trail.head; k++) {
        unsigned h = (f->trail.head - k) & (TRAIL_LEN - 1);
        if (f->trail.e[h].to == to && f->trail.e[h].from)
            return f->trail.e[h].from;
    }
    return 0;
}

/// How often the most frequent pair of the trail occurs: recursion repeats itself.
static unsigned trail_repeats(const struct fault *f)
{
    unsigned best = 0;
    for (unsigned i = 0; i < TRAIL_LEN; i++) {
        unsigned n = 0;
        for (unsigned k = 0; k < TRAIL_LEN; k++)
            n += f->trail.e[k].from == f->trail.e[i].from && f->trail.e[k].to == f->trail.e[i].to &&
                 f->trail.e[i].to != 0;
        best = n > best ? n : best;
    }
    return best;
}

/// How often the return address stands on the stack: recursion leaves it in every frame.
static unsigned stack_repeats(struct scene *s)
{
    u8 buf[2048];
    unsigned n = 0;
    u64 sp = align_up(s->f->sp, 16);
    if (s->f->x[30] == 0 || !mmu_debug_read(machine_cpu(s->x->m, s->f->cpu), sp, buf, sizeof buf))
        return 0;
    for (unsigned i = 0; i < sizeof buf; i += 8)
        n += ld64(buf + i) == s->f->x[30];
    return n;
}

/* ---- the entries ---- */

static bool f04_fp_trap(struct scene *s)
{
    if (s->ec != EC_FP)
        return false;
    SAY(cause, "FP/SIMD instruction `%s` while CPACR_EL1.FPEN=%llu traps it%s.", s->dis,
        (ull)bits(s->f->sr_cpacr, 21, 20),
        s->f->sr_cpacr ? "" : "; compilers use SIMD registers for copies and varargs even in integer code");
    SAY(fix, "Set CPACR_EL1.FPEN to 0b11 (mov x0, #3 << 20; msr cpacr_el1, x0; isb) first, or build with "
             "-mgeneral-regs-only.");
    return name_it(s, "F04", "FP/SIMD used before CPACR_EL1.FPEN allows it");
}

static bool f03_alignment(struct scene *s)
{
    if (!is_dabt(s) || s->fsc != 0x21)
        return false;
    bool atomic = strncmp(s->dis, "ldx", 3) == 0 || strncmp(s->dis, "stx", 3) == 0 || strncmp(s->dis, "ldax", 4) == 0 ||
                  strncmp(s->dis, "stlx", 4) == 0 || strncmp(s->dis, "cas", 3) == 0 || strncmp(s->dis, "ldadd", 5) == 0;
    if (strncmp(s->dis, "dc", 2) == 0)
        SAY(cause, "DC ZVA at 0x%llx %s: it faults on Device memory.", (ull)s->f->far,
            s->mmu ? "on a Device mapping" : "with the MMU off, when all data is Device-nGnRnE");
    else if (atomic)
        SAY(cause, "`%s` at 0x%llx: exclusives and atomics must be naturally aligned, whatever the memory type.", s->dis,
            (ull)s->f->far);
    else if (!s->mmu)
        SAY(cause, "Unaligned access to 0x%llx with the MMU off: all data memory is then Device-nGnRnE, which faults. "
                   "Emulators hide this; silicon does not.", (ull)s->f->far);
    else if (bit(s->f->sr_sctlr, 1))
        SAY(cause, "Unaligned access to 0x%llx while SCTLR_EL1.A=1 forbids it.", (ull)s->f->far);
    else
        SAY(cause, "Unaligned access to 0x%llx, which is mapped as Device memory (MAIR byte 0x%02x).", (ull)s->f->far,
            s->walk.attr);
    if (s->mmu && bit(s->f->sr_sctlr, 1))
        SAY(fix, "Clear SCTLR_EL1.A, align the address, or build with -mstrict-align.");
    else if (atomic)
        SAY(fix, "Align the variable to its size.");
    else if (s->mmu)
        SAY(fix, "Map RAM as Normal memory, or access devices with aligned loads and stores only.");
    else
        SAY(fix, "Build the code that runs before the MMU is on with -mstrict-align (Rust: +strict-align), and keep "
                 "memcpy/memset there free of unaligned and SIMD accesses.");
    return name_it(s, "F03", "unaligned access to Device memory");
}

static bool f15_exclusive(struct scene *s)
{
    if (!is_dabt(s) || s->fsc != 0x35)
        return false;
    SAY(cause, "`%s` on 0x%llx, where no RAM answers: exclusives and atomics work on memory only.", s->dis,
        (ull)s->f->far);
    SAY(fix, "Use plain loads and stores for device registers.");
    return name_it(s, "F15", "exclusive or atomic access to a device");
}

static bool f11_level(struct scene *s)
{
    char reg[40];
    if (s->ec == EC_ILLEGAL) {
        unsigned el = (unsigned)bits(s->f->spsr, 3, 2);
        u64 to = machine_cpu(s->x->m, s->f->cpu)->sr[SYSREG_SPSR_EL1];
        SAY(cause, "ERET with an SPSR_EL1 that names no state this CPU can enter (SPSR=0x%llx, M field EL%u): an "
                   "exception cannot return to a higher level.", (ull)to, el);
        SAY(fix, "Set SPSR_EL1 to 0x3c5 (EL1h, DAIF masked) or 0 (EL0t); take EL from CurrentEL at entry.");
        return name_it(s, "F11", "return to an exception level that cannot be entered");
    }
    if (s->ec != EC_UNKNOWN || !s->have_word)
        return false;
    bool sys = s->insn.op == OP_MRS || s->insn.op == OP_MSR || s->insn.op == OP_SYS;
    unsigned op1 = (unsigned)bits(s->word, 18, 16);
    if (!sys || op1 < 4 || (op1 == 7 && s->insn.op == OP_SYS))
        return false;
    sysreg_word_name(s->word, reg, sizeof reg);
    const char *level = op1 == 4 ? "EL2" : op1 == 5 ? "EL2 with FEAT_VHE" : op1 == 6 ? "EL3" : "Secure EL1";
    SAY(cause, "`%s`: %s needs %s, and the CPU was entered at EL1.", s->dis, s->insn.op == OP_SYS ? "it" : reg, level);
    SAY(fix, "Read CurrentEL first and skip the EL2/EL3 setup at EL1; start code that needs EL2 on a machine that "
             "offers it.");
    return name_it(s, "F11", "EL2 or EL3 register accessed at EL1");
}

static bool f12_conduit(struct scene *s)
{
    if (s->ec != EC_UNKNOWN || !s->have_word || s->insn.op != OP_SMC)
        return false;
    SAY(cause, "SMC with x0=0x%llx: there is no EL3, so SMC is UNDEFINED; the device tree says /psci method = \"hvc\".",
        (ull)s->f->x[0]);
    SAY(fix, "Use hvc #0 for PSCI here; read `method` from the /psci node of the device tree.");
    return name_it(s, "F12", "SMC used for PSCI where HVC is the conduit");
}

/// The stack ran over: the access goes through SP, and SP is where no stack should be.
static bool f14_stack(struct scene *s)
{
    const struct fault *f = s->f;
    bool by_sp = s->have_word && (s->insn.flags & (LD | ST)) && s->insn.rn == REG_SP;
    bool near = f->far - (f->sp - 4096) <= 8192;
    bool below = s->x->stack_used && f->sp < s->x->stack_lo && s->x->stack_lo - f->sp < 16 * MIB;
    bool deep = trail_repeats(f) >= 6 || stack_repeats(s) >= 4;
    bool gone = is_dabt(s) ? !s->walk_ok || !is_ram(s->x, s->walk.pa) : !is_ram(s->x, f->sp & ~15ULL);
    for (unsigned i = 0; i < s->x->note_count; i++)
        below |= strcmp(s->x->note[i].id, "F14") == 0;
    if (is_dabt(s) && by_sp && near && (below || (deep && (gone || s->mmu))))
        SAY(cause, "The stack overflowed: SP=0x%llx %s%s.", (ull)f->sp,
            below ? "is below its stack" : "ran out of memory", deep ? ", and the same call repeats: recursion without "
            "end" : "");
    else if ((s->ec == EC_UNKNOWN || is_iabt(s) || is_dabt(s)) && (below || (deep && gone)))
        SAY(cause, "The stack overflowed (SP=0x%llx) and overwrote code or data that is used here%s.", (ull)f->sp,
            deep ? "; the same call repeats" : "");
    else
        return false;
    SAY(fix, "Bound the recursion, make large locals static, or give the stack more room%s.",
        s->x->stack_hi ? "" : " (--stack LO-HI checks its bounds)");
    return name_it(s, "F14", "stack overflow");
}

static bool f08_identity(struct scene *s)
{
    const struct fault *f = s->f;
    char place[80], fsc[80];
    if (!s->mmu || !s->w->mmu_on_pc || !(is_iabt(s) || is_dabt(s)))
        return false;
    bool code = is_iabt(s) && f->far - s->w->mmu_on_pc <= 4096;
    bool data = is_dabt(s) && is_unmapped(s) && !bit(f->far, 55) && mem_find(machine_mem(s->x->m), f->far);
    bool walk = s->fsc >= 0x14 && s->fsc < 0x18;
    if (!code && !data && !walk)
        return false;
    fsc_name(s->fsc, fsc, sizeof fsc);
    place_name(s->x, f->far, place, sizeof place);
    if (walk)
        SAY(cause, "The translation table walk for 0x%llx leaves RAM: TTBR or a table descriptor holds an address where "
                   "nothing is.", (ull)f->far);
    else if (s->fsc >= 8 && s->fsc < 12)
        SAY(cause, "The descriptor of 0x%llx has AF=0 (access flag): every first access faults.", (ull)f->far);
    else if (s->fsc >= 12)
        SAY(cause, "The MMU was turned on at 0x%llx by code that the new tables do not allow to %s (%s).",
            (ull)s->w->mmu_on_pc, code ? "execute" : "access this", fsc);
    else if (code)
        SAY(cause, "The MMU was turned on at 0x%llx and the code that did it has no mapping under the new tables (%s); "
                   "pc needs VA 0x%llx = PA 0x%llx.", (ull)s->w->mmu_on_pc, fsc, (ull)f->far, (ull)f->far);
    else
        SAY(cause, "0x%llx (%s) was reachable before the MMU was turned on at 0x%llx; the new tables do not map it (%s).",
            (ull)f->far, place, (ull)s->w->mmu_on_pc, fsc);
    if (s->fsc >= 8 && s->fsc < 12)
        SAY(fix, "Set AF (bit 10) in block and page descriptors.");
    else if (s->fsc >= 12 && s->fsc < 16)
        SAY(fix, "Clear PXN and UXN%s of the descriptor; a page writable at EL0 is never executable at EL1.",
            code ? "" : ", or AP[2]");
    else
        SAY(fix, "Map it one to one before setting SCTLR_EL1.M, and check that T0SZ and TG0 in TCR_EL1 fit the level at "
                 "which TTBR0_EL1's table starts.");
    return name_it(s, "F08", "MMU turned on without a mapping for what runs next");
}

/// An address that would be inside the program had it been put where it was linked.
static bool f10_link(struct scene *s)
{
    static const u64 bases[] = {0x80000, 0x8000, 0x10000, 0x200000, 0x400000, 0x60000000, 0x80000000, 0xffff000000000000,
                                0xffff000000080000, 0xffffff8000000000, 0xffffff8000080000, 0xffff800000000000};
    const struct boot_plan *p = &s->x->plan;
    u64 at = is_iabt(s) ? s->f->pc : s->f->far, size = 0;
    if (!s->x->has_plan || p->kind != BOOT_KIND_FLAT || p->seg_count == 0 || s->mmu || !(is_iabt(s) || is_dabt(s)))
        return false;
    size = p->seg[0].mem_len + 64 * KIB; /* bss is not in the file */
    if (is_ram(s->x, at))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(bases); i++)
        if (at - bases[i] < size) {
            SAY(cause, "0x%llx is 0x%llx above 0x%llx: the program was linked for 0x%llx and uses absolute addresses, but it was "
                       "loaded at 0x%llx.", (ull)at, (ull)(at - bases[i]), (ull)bases[i], (ull)bases[i], (ull)p->seg[0].gpa);
            SAY(fix, "Link it for 0x%llx (-Ttext=0x%llx), or pass the ELF file.", (ull)p->seg[0].gpa, (ull)p->seg[0].gpa);
            return name_it(s, "F10", "linked for another address");
        }
    return false;
}

static bool f09_device(struct scene *s)
{
    char who[96], val[80] = "";
    const struct bad_access *b = &s->f->bad;
    if (!is_dabt(s) || s->fsc != 0x10 || !b->valid)
        return false;
    const char *board = board_at(b->pa, who, sizeof who);
    bool null = b->pa < 4096;
    if (b->write && b->size == 1 && b->val >= 32 && b->val < 127)
        snprintf(val, sizeof val, " '%c'", (char)b->val);
    if (null)
        SAY(cause, "%s of %u bytes at 0x%llx: a null pointer (plus an offset); nothing answers there.",
            b->write ? "Write" : "Read", b->size, (ull)b->pa);
    else if (board)
        SAY(cause, "%s of %u byte%s%s at PA 0x%llx, where this board has nothing: that is %s.", b->write ? "Write" : "Read",
            b->size, b->size == 1 ? "" : "s", val, (ull)b->pa, board);
    else
        SAY(cause, "%s of %u byte%s%s at PA 0x%llx, where this board has neither RAM nor a device.",
            b->write ? "Write" : "Read", b->size, b->size == 1 ? "" : "s", val, (ull)b->pa);
    if (null)
        SAY(fix, "Check where the pointer came from; with the MMU off, .bss that was not cleared or an address that was "
                 "never relocated also ends here.");
    else
        SAY(fix, "This board's PL011 is at 0x09000000, the GIC at 0x08000000, RAM at 0x%llx; take addresses from the "
                 "device tree in x0 (`bruin dtb dump` shows the map).", (ull)machine_config(s->x->m)->ram_base);
    return name_it(s, "F09", null ? "access through a null pointer" : "access to an address where this board has nothing");
}

static bool f01_jump(struct scene *s)
{
    const struct fault *f = s->f;
    char from[96], place[80];
    u64 src = trail_source(f, f->pc);
    bool zeros = s->ec == EC_UNKNOWN && is_zero_word(s);
    if (!is_iabt(s) && !zeros && s->ec != EC_PC_ALIGN)
        return false;
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
    if (s->ec == EC_PC_ALIGN)
        SAY(cause, "Jump from %s to 0x%llx, which is not a multiple of 4.", from, (ull)f->pc);
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
    SAY(fix, "%s", bit(f->pc, 63) && !s->mmu ? "Turn the MMU on first, or use pc-relative addresses (adr, adrp) before."
                   : "Check the pointer or return address that was used: the registers above show its origin, often an "
                     "overwritten stack, a missing relocation or an unset function pointer.");
    return name_it(s, "F01", zeros ? "jump into memory without code" : "jump to nothing");
}

/// Data aborts that no entry above explains.
static bool data_abort(struct scene *s)
{
    char fsc[80];
    if (!is_dabt(s))
        return false;
    fsc_name(s->fsc, fsc, sizeof fsc);
    if (s->f->far < 4096)
        SAY(cause, "Access to 0x%llx: a null pointer (plus an offset); %s.", (ull)s->f->far, fsc);
    else if (s->fsc >= 12 && s->fsc < 16)
        SAY(cause, "The mapping of 0x%llx does not allow this %s (%s).", (ull)s->f->far,
            bit(s->f->esr, 6) ? "write" : "read", fsc);
    else if (s->fsc >= 8 && s->fsc < 12)
        SAY(cause, "The descriptor of 0x%llx has AF=0 (access flag).", (ull)s->f->far);
    else
        SAY(cause, "%s of 0x%llx: %s.", bit(s->f->esr, 6) ? "Write" : "Read", (ull)s->f->far, fsc);
    SAY(fix, "See the walk above for the descriptor that stopped it, and install vectors (VBAR_EL1) whose handler prints "
             "ESR_EL1, ELR_EL1 and FAR_EL1.");
    return name_it(s, "F02", "data abort that nothing handles");
}

static bool f02_vectors(struct scene *s)
{
    const struct fault *f = s->f;
    char place[80];
    if (s->ec == EC_SP_ALIGN) {
        SAY(cause, "SP=0x%llx is not a multiple of 16 when it is used for an access.", (ull)f->sp);
        SAY(fix, "Keep SP 16-byte aligned: push registers in pairs and align the initial stack.");
        return name_it(s, "F02", "misaligned stack pointer");
    }
    place_name(s->x, f->sr_vbar, place, sizeof place);
    if (s->ec == EC_BRK)
        SAY(cause, "BRK #0x%llx: a trap the program itself contains (assertion, __builtin_trap, unreachable code).",
            (ull)bits(f->esr, 15, 0));
    else if (s->have_word && s->insn.op == OP_HLT && s->ec == EC_UNKNOWN)
        SAY(cause, "`%s`: a semihosting or debugger call, which is UNDEFINED unless --semihosting serves it.", s->dis);
    else if (s->ec == EC_UNKNOWN)
        SAY(cause, "`%s` is UNDEFINED on this CPU%s.", s->dis,
            s->have_word && s->insn.op == OP_INVALID ? ": no such instruction; pc may run through data" : "");
    else
        SAY(cause, "%s at EL1.", ec_name(s->ec));
    size_t n = strlen(s->out->cause);
    if (f->sr_vbar == 0)
        snprintf(s->out->cause + n, sizeof s->out->cause - n, " VBAR_EL1 is 0: no vectors were installed.");
    else if (!mem_find(machine_mem(s->x->m), f->sr_vbar) && !s->mmu)
        snprintf(s->out->cause + n, sizeof s->out->cause - n, " VBAR_EL1=0x%llx lies in %s.", (ull)f->sr_vbar, place);
    SAY(fix, "%s", s->insn.op == OP_HLT && s->have_word ? "Run with --semihosting."
                   : f->sr_vbar == 0 ? "Set VBAR_EL1 to a 2 KiB-aligned table in mapped memory before anything can trap."
                                     : "Let the handler at VBAR_EL1 deal with this exception, or remove its cause.");
    return name_it(s, "F02", "exception that nothing handles");
}

/// The loop is in the handler: what it does faults again.
static void add_handler(struct scene *s)
{
    const struct fault *l = &s->w->last;
    size_t n = strlen(s->out->cause);
    char at[96], fsc[80];
    if (s->x->verdict != V_LOOP || !l->valid || s->w->nested == 0)
        return;
    u64 vbar = s->f->sr_vbar, ec = bits(l->esr, 31, 26);
    if (l->pc - vbar < 0x800 && (ec == EC_IABT || ec == EC_PC_ALIGN))
        snprintf(s->out->cause + n, sizeof s->out->cause - n, " Its vector at 0x%llx cannot be fetched%s, so the exception "
                 "repeats for ever.", (ull)l->pc, vbar ? "" : " (VBAR_EL1 was never set)");
    else
        snprintf(s->out->cause + n, sizeof s->out->cause - n, " The handler itself faults at %s (%s%s%s), so it never ends.",
                 name_full(s->x, l->pc, at, sizeof at), ec_name((u32)ec), ec == EC_DABT ? ": " : "",
                 ec == EC_DABT ? fsc_name((u32)l->esr, fsc, sizeof fsc) : "");
}

void why_fault(struct explain *x, const struct cpu_watch *w, const struct fault *f, struct why *out)
{
    struct scene sc = {.x = x, .w = w, .f = f, .out = out}, *s = &sc;
    struct cpu *c = machine_cpu(x->m, f->cpu);
    static bool (*const entry[])(struct scene *) = {
        f04_fp_trap, f03_alignment, f15_exclusive, f12_conduit, f11_level, f14_stack, f08_identity,
        f10_link, f09_device, f01_jump, data_abort, f02_vectors,
    };
    s->ec = (u32)bits(f->esr, 31, 26);
    s->fsc = (u32)bits(f->esr, 5, 0);
    s->mmu = bit(f->sr_sctlr, 0);
    s->have_word = !(f->pc & 3) && mmu_debug_read(c, f->pc, &s->word, 4);
    if (s->have_word) {
        insn_decode(s->word, &s->insn);
        insn_disas(s->word, f->pc, s->dis, sizeof s->dis);
    }
    s->walk_ok = mmu_walk(c, f->far, &s->walk);
    name_full(x, f->pc, s->at, sizeof s->at);
    if (f->kind & 0x180) {
        name_it(s, "F02", "interrupt that nothing handles");
        SAY(cause, "%s", "An interrupt or SError was taken and its handler never came back.");
        SAY(fix, "%s", "Acknowledge the interrupt in its handler and return with ERET.");
    } else {
        for (unsigned i = 0; i < ARRAY_LEN(entry); i++)
            if (entry[i](s))
                break;
    }
    add_handler(s);
}
