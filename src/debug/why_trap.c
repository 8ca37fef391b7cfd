/// F02: exceptions that have a good reason and nobody who deals with them.
#include "debug/why.h"

/// The word of an MSR, MRS or SYS in the terms of SYSREG_ENC.
static u32 encoding(u32 word) { return (u32)bits(word, 20, 5); }

/// The bit of EL1 that lets EL0 do it.
static const char *opens_to_el0(u32 enc, const char *reg, bool is_sys)
{
    static const struct {
        const char *prefix, *bit;
    } of[] = {
        {"CNTVCT", "CNTKCTL_EL1.EL0VCTEN"},
        {"CNTPCT", "CNTKCTL_EL1.EL0PCTEN"},
        {"CNTFRQ", "CNTKCTL_EL1.EL0VCTEN or EL0PCTEN"},
        {"CNTV_", "CNTKCTL_EL1.EL0VTEN"},
        {"CNTP_", "CNTKCTL_EL1.EL0PTEN"},
        {"CTR_EL0", "SCTLR_EL1.UCT"},
        {"PM", "PMUSERENR_EL0.EN"},
        {"DAIF", "SCTLR_EL1.UMA"},
    };
    if (is_sys)
        return (enc & 0x7ff) >> 7 == 7 && (enc >> 3 & 15) == 4 ? "SCTLR_EL1.DZE" : "SCTLR_EL1.UCI";
    for (unsigned i = 0; i < ARRAY_LEN(of); i++)
        if (strncmp(reg, of[i].prefix, strlen(of[i].prefix)) == 0)
            return of[i].bit;
    return "SCTLR_EL1 (UMA, UCT, UCI, DZE)";
}

/// The bit of EL2 that takes it away from EL1.
static const char *trapped_by_el2(u32 enc, const char *reg, bool is_sys)
{
    if (is_sys)
        return (enc >> 7 & 15) == 8 ? "HCR_EL2.TTLB" : "HCR_EL2.TSW, TPC or TPU";
    if (strncmp(reg, "CNTP", 4) == 0)
        return "CNTHCTL_EL2.EL1PCEN (and EL1PCTEN for the counter)";
    if (strncmp(reg, "CNT", 3) == 0)
        return "CNTHCTL_EL2";
    if (strncmp(reg, "ICC_", 4) == 0)
        return "ICC_SRE_EL2.Enable or ICH_HCR_EL2";
    if (strncmp(reg, "ID_", 3) == 0)
        return "HCR_EL2.TID3";
    if (strncmp(reg, "PM", 2) == 0 || strncmp(reg, "MD", 2) == 0 || strncmp(reg, "OS", 2) == 0 ||
        strncmp(reg, "DBG", 3) == 0)
        return "MDCR_EL2 (TPM, TDA, TDOSA)";
    if ((enc >> 7 & 15) == 2 || enc == SYSREG_ENC(3, 0, 1, 0, 0) || enc == SYSREG_ENC(3, 0, 10, 2, 0))
        return "HCR_EL2.TVM or TRVM";
    if (strncmp(reg, "CPACR", 5) == 0)
        return "CPTR_EL2.TCPAC";
    return strncmp(reg, "ACTLR", 5) == 0 ? "HCR_EL2.TACR" : "HCR_EL2, HSTR_EL2 or MDCR_EL2";
}

/// Code that fell to EL0 by a wrong SPSR looks like a program that may not do this.
static void add_spsr(struct scene *s)
{
    u64 eret = trail_eret(s);
    char at[96];
    if (eret && bits(s->f->spsr, 3, 2) == 0 && bits(s->c->eret_spsr, 3, 2) == 0)
        why_add_fix(s, " If this is the kernel's own code, the ERET at %s had a wrong SPSR_EL1 (0x%llx is EL0; EL1h is 0x3c5).",
                    name_full(s->x, eret, at, sizeof at), (ull)s->c->eret_spsr);
}

/// WFI, WFE or SMC that the level above takes away.
static bool trapped_plain(struct scene *s)
{
    bool wfe = bit(s->f->esr, 0), wait = s->ec == EC_WFX;
    unsigned from = (unsigned)bits(s->f->spsr, 3, 2);
    if (!wait && !(s->ec == EC_SMC64 && s->f->el == 2))
        return false;
    const char *by = !wait           ? "HCR_EL2.TSC=1"
                     : s->f->el == 2 ? wfe ? "HCR_EL2.TWE=1" : "HCR_EL2.TWI=1"
                     : wfe           ? "SCTLR_EL1.nTWE=0"
                                     : "SCTLR_EL1.nTWI=0";
    SAY(cause, "`%s` at EL%u is trapped to EL%u by %s.", s->dis, from, s->f->el, by);
    SAY(fix, "%s %.*s%s, or give EL%u vectors that deal with it.",
        wait && s->f->el == 1 ? "Set" : "Clear", (int)strcspn(by, "="),
        by, s->f->el == 2 ? " (HCR_EL2 is unknown after reset on silicon: write all of it, 1 << 31 for a kernel at EL1)" : "",
        s->f->el);
    add_spsr(s);
    return name_it(s, "F02", wait ? "WFI or WFE that a higher level traps" : "SMC that EL2 traps");
}

/// A system register or instruction that the level above traps: which, and by what.
bool f02_trapped(struct scene *s)
{
    char reg[40];
    if (trapped_plain(s))
        return true;
    if (s->ec != EC_SYSREG || !s->have_word)
        return false;
    bool is_sys = s->insn.op == OP_SYS, daif = (s->word & 0xfff8f01f) == 0xd500401f;
    u32 enc = encoding(s->word);
    if (is_sys)
        sys_op_name(s->word, reg, sizeof reg);
    else
        snprintf(reg, sizeof reg, "DAIF");
    if (!is_sys && !daif)
        sysreg_word_name(s->word, reg, sizeof reg);
    unsigned from = (unsigned)bits(s->f->spsr, 3, 2);
    SAY(cause, "`%s` at EL%u is trapped to EL%u: %s belongs to a level that did not give it away.",
        is_sys ? reg : s->dis, from, s->f->el, reg);
    SAY(fix, "Open it at EL%u with %s before the ERET to EL%u%s.", s->f->el,
        s->f->el == 1 ? opens_to_el0(enc, reg, is_sys) : trapped_by_el2(enc, reg, is_sys), from,
        strncmp(reg, "CNTP", 4) == 0 && s->f->el == 2 ? ", as with mov x0, #3; msr cnthctl_el2, x0"
                                                      : "");
    add_spsr(s);
    return name_it(s, "F02", "system register access that a higher level traps");
}

/// A raw binary whose words are none of this architecture's.
bool f02_foreign(struct scene *s)
{
    enum { LOOK = 8, SIGNS = 6 };
    const struct boot_plan *p = &s->x->plan;
    u32 word[LOOK];
    unsigned a32 = 0, bad = 0;
    if (s->ec != EC_UNKNOWN && s->ec != EC_FP && !is_dabt(s) && !is_iabt(s))
        return false;
    if (!s->x->has_plan || p->kind != BOOT_KIND_FLAT || p->seg_count == 0 || s->f->trail.head > 4 ||
        !mem_read(machine_mem(s->x->m), p->entry, word, sizeof word))
        return false;
    for (unsigned i = 0; i < LOOK; i++) {
        struct insn k;
        insn_decode(word[i], &k);
        a32 += word[i] >> 28 == 0xe;
        bad += k.op == OP_INVALID && word[i] != 0;
    }
    if (a32 < SIGNS - 1 && bad < SIGNS - 2)
        return false;
    SAY(cause, "The program at 0x%llx is not AArch64 code: %s (`%s` stopped it).", (ull)p->entry,
        a32 >= SIGNS - 1 ? "its words begin with 0xe, as the instructions of AArch32 (A32) do"
                         : "most of its first words are no instructions",
        s->dis);
    SAY(fix, "Build it for AArch64 (aarch64-linux-gnu-gcc, --target=aarch64-none-elf) and pass the "
             "ELF file or a raw binary of it; packed or "
             "signed files must be unpacked first.");
    return name_it(s, "F02", "program of another architecture");
}

/// Registers of one kind of core, which its boot code sets up on boards.
static bool implementation_defined(struct scene *s)
{
    static const struct {
        u32 enc;
        const char *name;
    } known[] = {
        {SYSREG_ENC(3, 1, 15, 2, 0), "CPUACTLR_EL1 of Cortex-A53, A57 and A72"},
        {SYSREG_ENC(3, 1, 15, 2, 1), "CPUECTLR_EL1 of Cortex-A53, A57 and A72 (SMPEN)"},
        {SYSREG_ENC(3, 1, 11, 0, 2), "L2CTLR_EL1 of Cortex-A53, A57 and A72"},
        {SYSREG_ENC(3, 1, 11, 0, 3), "L2ECTLR_EL1 of Cortex-A53, A57 and A72"},
        {SYSREG_ENC(3, 1, 15, 0, 0), "L2ACTLR_EL1 of Cortex-A53, A57 and A72"},
        {SYSREG_ENC(3, 0, 15, 1, 4), "CPUECTLR_EL1 of Cortex-A55 and later"},
        {SYSREG_ENC(3, 0, 15, 1, 0), "CPUACTLR_EL1 of Cortex-A55 and later"},
        {SYSREG_ENC(3, 1, 15, 3, 0), "CBAR_EL1, the base of the GIC"},
    };
    u32 enc = encoding(s->word), crn = enc >> 7 & 15;
    const char *name = "";
    if (s->ec != EC_UNKNOWN || !s->have_word || (s->insn.op != OP_MRS && s->insn.op != OP_MSR) ||
        enc >> 14 != 3 || (crn != 11 && crn != 15))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].enc == enc)
            name = known[i].name;
    SAY(cause, "`%s` accesses an IMPLEMENTATION DEFINED register%s%s%s, which this CPU does not have.",
        s->dis, *name ? " (" : "", name, *name ? ")" : "");
    SAY(fix, "Skip it on other cores (compare MIDR_EL1 first), or remove it: firmware sets such "
             "registers up.");
    return true;
}

/// ICC_* while the machine has a GICv2.
bool f09_gic_registers(struct scene *s)
{
    u32 enc = encoding(s->word), crn = enc >> 7 & 15, crm = enc >> 3 & 15;
    bool icc = s->have_word && (s->insn.op == OP_MRS || s->insn.op == OP_MSR) && enc >> 14 == 3 &&
               ((crn == 12 && crm >= 8) || (crn == 4 && crm == 6));
    if (s->ec != EC_UNKNOWN || !icc || machine_config(s->x->m)->gic != 2)
        return false;
    SAY(cause, "`%s` accesses the CPU interface of a GICv3 (ICC_*), and this machine has a GICv2: its CPU interface (GICC) is at 0x08010000.", s->dis);
    SAY(fix, "Run with --gic 3, or take the kind of interrupt controller from the device tree (ID_AA64PFR0_EL1.GIC tells of the registers).");
    return name_it(s, "F09", "GICv3 register on a machine with a GICv2");
}

bool f02_vectors(struct scene *s)
{
    const struct fault *f = s->f;
    char place[80];
    const char *extension = s->have_word ? extension_of(s->word) : NULL;
    place_name(s->x, f->sr_vbar, place, sizeof place);
    if (implementation_defined(s))
        return name_it(s, "F02", "register of another kind of core");
    if (s->ec == EC_BRK)
        SAY(cause, "BRK #0x%llx: a trap the program itself contains (assertion, __builtin_trap, unreachable code).",
            (ull)bits(f->esr, 15, 0));
    else if (s->have_word && s->insn.op == OP_HLT && s->ec == EC_UNKNOWN)
        SAY(cause, "`%s`: a semihosting or debugger call, which is UNDEFINED unless --semihosting serves it.",
            s->dis);
    else if (s->ec == EC_UNKNOWN && extension)
        SAY(cause, "`%s` needs %s, which this CPU does not have (its ID registers say so).", s->dis,
            extension);
    else if (s->ec == EC_UNKNOWN && s->have_word && s->word >> 16 == 0)
        SAY(cause, "`%s`: a trap the program itself contains (assertion, __builtin_trap, unreachable code).", s->dis);
    else if (s->ec == EC_UNKNOWN)
        SAY(cause, "`%s` is UNDEFINED on this CPU%s.", s->dis,
            s->have_word && s->insn.op == OP_INVALID
                ? ": no such instruction; pc may run through data"
                : "");
    else
        SAY(cause, "%s from EL%llu.", ec_name(s->ec), (ull)bits(f->spsr, 3, 2));
    if (f->sr_vbar == 0)
        why_add(s, " VBAR_EL1 is 0: no vectors were installed.");
    else if (!mem_find(machine_mem(s->x->m), f->sr_vbar) && !s->mmu)
        why_add(s, " VBAR_EL1=0x%llx lies in %s.", (ull)f->sr_vbar, place);
    SAY(fix, "%s",
        s->insn.op == OP_HLT && s->have_word ? "Run with --semihosting."
        : extension ? "Build for the CPU (-march=armv8.2-a), or test the ID register before using "
                      "the extension."
        : f->sr_vbar == 0
            ? "Set VBAR_EL1 to a 2 KiB-aligned table in mapped memory before anything can trap."
            : "Let the handler at VBAR_EL1 deal with this exception, or remove its cause.");
    if (s->f->kind >= 0x400)
        add_spsr(s);
    return name_it(s, "F02",
                   extension ? "instruction that this CPU does not have"
                             : "exception that nothing handles");
}

/// A system call entered the table of vectors where it holds no code, and what faulted there was dealt with elsewhere.
bool f02_empty_vector(struct scene *s)
{
    static const char *const from[] = {"the current level with SP_EL0", "the current level", "a lower level (AArch64)", "a lower level (AArch32)"};
    const struct fault *r = &s->w->root;
    u64 at = s->f->pc - s->f->sr_vbar;
    if (s->f != &s->w->last || at >= 0x800 || s->f->pc != r->vector)
        return false;
    SAY(cause, "%s from EL%llu entered its vector at VBAR_EL1+0x%llx (exceptions from %s), and there is %s.", ec_name((u32)bits(r->esr, 31, 26)),
        (ull)bits(r->spsr, 3, 2), (ull)at, from[at >> 9 & 3],
        is_zero_word(s) ? "no code: it holds zeros" : s->ec == EC_UNKNOWN ? "no code" : "nothing that can be run");
    SAY(fix, "Fill all 16 entries of the table at VBAR_EL1, each 0x80 bytes long: exceptions from EL0 come at +0x400 (synchronous), +0x480 (IRQ).");
    return name_it(s, "F02", "vector without code");
}

bool f02_interrupt(struct scene *s)
{
    static const char *const kind[] = {"", "IRQ", "FIQ", "SError"};
    unsigned k = s->f->kind >> 7 & 3;
    char what[96], at[96];
    if (k == 0)
        return false;
    const struct fault *l = &s->w->last;
    u64 vbar = s->f->sr_vbar, ec = bits(l->esr, 31, 26);
    bool hangs = s->x->verdict == V_FAULT, unfetched = !hangs && l->valid && vbar && l->pc - vbar < 0x800 && ec == EC_IABT;
    SAY(cause, "%s%s was taken at %s", kind[k],
        k == 3 ? "" : pending_interrupt(s->x, s->c, what, sizeof what), s->at);
    if (s->f->sr_vbar == 0)
        why_add(s, " while VBAR_EL1 is 0: no vectors were installed.");
    else if (hangs && s->c->pc - s->f->sr_vbar < 0x800)
        why_add(s, " and its vector at %s does nothing but hang.",
                name_full(s->x, s->c->pc, at, sizeof at));
    else if (hangs)
        why_add(s, " and its handler never came back: it hangs at %s.",
                name_full(s->x, s->c->pc, at, sizeof at));
    else if (unfetched)
        why_add(s, ".");
    else
        why_add(s, " and its handler never came back.");
    if (unfetched && k != 3) {
        struct xlat w;
        bool low = bit(s->f->pc, 55) && !bit(vbar, 55) && mmu_walk(s->c, s->f->pc, &w);
        SAY(fix, "Write the address at which the vectors are mapped while they are used to VBAR_EL1 (with an isb)%s", low ? "" : ", and map them executable.");
        if (low)
            why_add_fix(s, ": 0x%llx is a physical one, and the kernel runs in the upper half, where it is 0x%llx.", (ull)vbar, (ull)(vbar + (s->f->pc - w.pa)));
        return name_it(s, "F02", "vectors that cannot be reached");
    }
    SAY(fix, "%s",
        k == 3 ? "Find the access that failed, or mask SErrors (PSTATE.A) as long as no handler "
                 "exists."
               : vbar == 0
                   ? "Set VBAR_EL1 of every CPU to a 2 KiB-aligned table of vectors (and isb) before interrupts are unmasked (DAIF.I)."
        : k == 2 && machine_config(s->x->m)->gic == 3 ? "Put the interrupt into group 1 (GICR_IGROUPR0, GICD_IGROUPR) if it is meant to come as IRQ; or install a handler at +0x300 "
                                                        "that acknowledges it (ICC_IAR0_EL1), serves its device, ends it (ICC_EOIR0_EL1) and returns with ERET."
               : "Install a handler that acknowledges the interrupt (ICC_IAR1_EL1), serves its "
                 "device, ends it (ICC_EOIR1_EL1) "
                 "and returns with ERET; or do not enable or unmask it yet.");
    return name_it(s, "F02", "interrupt that nothing handles");
}
