/// Entries that one instruction tells: what it is, and why this CPU refuses it here.
#include "debug/why.h"

bool f04_fp_trap(struct scene *s)
{
    if (s->ec != EC_FP)
        return false;
    if (s->f->el == 2 && !(s->c->sr[SYSREG_HCR_EL2] & HCR_E2H)) {
        SAY(cause, "FP/SIMD instruction `%s` while CPTR_EL2.TFP=1 traps it (CPTR_EL2=0x%llx).", s->dis, (ull)s->f->sr_cpacr);
        SAY(fix, "Clear CPTR_EL2.TFP (msr cptr_el2, 0x33ff; isb) first, or build with -mgeneral-regs-only.");
        return name_it(s, "F04", "FP/SIMD used before CPTR_EL2 allows it");
    }
    SAY(cause, "FP/SIMD instruction `%s` while CPACR_EL1.FPEN=%llu traps it%s.", s->dis,
        (ull)bits(s->f->sr_cpacr, 21, 20),
        s->f->sr_cpacr ? "" : "; compilers use SIMD registers for copies and varargs even in integer code");
    SAY(fix, "Set CPACR_EL1.FPEN to 0b11 (mov x0, #3 << 20; msr cpacr_el1, x0; isb) first, or build with "
             "-mgeneral-regs-only.");
    return name_it(s, "F04", "FP/SIMD used before CPACR_EL1.FPEN allows it");
}

bool f03_alignment(struct scene *s)
{
    if (!is_dabt(s) || s->fsc != 0x21)
        return false;
    static const char *const atomics[] = {"ldx", "stx", "ldax", "stlx", "cas", "ldadd", "ldset", "ldclr", "ldeor", "ldsm", "ldum",
                                          "swp"};
    bool atomic = false, zva = s->have_word && (s->word & 0xffffffe0) == 0xd50b7420;
    for (unsigned i = 0; i < ARRAY_LEN(atomics); i++)
        atomic |= strncmp(s->dis, atomics[i], strlen(atomics[i])) == 0;
    if (zva)
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
    if (zva)
        SAY(fix, "Clear memory with plain stores before the MMU is on (a libc memset uses DC ZVA), or map it as Normal memory.");
    else if (s->mmu && bit(s->f->sr_sctlr, 1))
        SAY(fix, "Clear SCTLR_EL1.A, align the address, or build with -mstrict-align.");
    else if (atomic)
        SAY(fix, "Align the variable to its size.");
    else if (s->mmu)
        SAY(fix, "Map RAM as Normal memory, or access devices with aligned loads and stores only.");
    else
        SAY(fix, "Build the code that runs before the MMU is on with -mstrict-align (Rust: +strict-align), and keep "
                 "memcpy/memset there free of unaligned and SIMD accesses.");
    return name_it(s, "F03", zva ? "DC ZVA on Device memory" : atomic ? "unaligned exclusive or atomic access"
                             : s->mmu && bit(s->f->sr_sctlr, 1) ? "unaligned access while SCTLR_EL1.A forbids it"
                                                                : "unaligned access to Device memory");
}

bool f15_exclusive(struct scene *s)
{
    if (!is_dabt(s) || s->fsc != 0x35)
        return false;
    SAY(cause, "`%s` on 0x%llx, where no RAM answers: exclusives and atomics work on memory only.", s->dis,
        (ull)s->f->far);
    SAY(fix, "Use plain loads and stores for device registers.");
    return name_it(s, "F15", "exclusive or atomic access to a device");
}

bool f11_level(struct scene *s)
{
    char reg[40], at[96];
    if (s->ec == EC_ILLEGAL) {
        u64 to = s->c->eret_spsr;
        u64 src = trail_source(s->f, s->f->pc);
        name_full(s->x, src, at, sizeof at);
        unsigned el = s->f->el;
        const char *why = bits(to, 3, 2) == 1 && el == 2 ? "HCR_EL2.TGE=1 leaves no EL1"
                          : bit(to, 4)                   ? "AArch32, which this CPU does not have"
                          : bits(to, 3, 2) <= el         ? "it is reserved"
                          : bits(to, 3, 2) == 3          ? "it is EL3, and an exception cannot return to a higher level"
                                                         : "it is EL2, and an exception cannot return to a higher level";
        SAY(cause, "ERET%s%s with SPSR_EL%u=0x%llx, whose M field 0x%llx names no state that can be entered from EL%u: %s.",
            src ? " at " : "", src ? at : "", el, (ull)to, (ull)bits(to, 4, 0), el,
            why);
        SAY(fix, "Set SPSR_EL%u to 0x3c5 (EL1h, DAIF masked) or 0 (EL0t)%s; take EL from CurrentEL at entry%s.", el,
            el == 2 ? ", with HCR_EL2.TGE=0 for EL1" : "",
            bits(to, 3, 2) == 2 && el == 1 ? ", or give the guest EL2 with --el 2" : "");
        return name_it(s, "F11", "return to an exception level that cannot be entered");
    }
    if (s->ec != EC_UNKNOWN || !s->have_word)
        return false;
    bool sys = s->insn.op == OP_MRS || s->insn.op == OP_MSR || s->insn.op == OP_SYS;
    unsigned op1 = (unsigned)bits(s->word, 18, 16);
    bool op = s->insn.op == OP_SYS;
    if (sys && op)
        sys_op_name(s->word, s->dis, sizeof s->dis);
    if (sys && s->f->kind >= 0x400 && op1 < 3) {
        sysreg_word_name(s->word, reg, sizeof reg);
        SAY(cause, "`%s` at EL0: %s needs EL1.", s->dis, op ? "it" : reg);
        SAY(fix, "Do it at EL1, through a system call; the program runs at EL0 since the ERET before.");
        if (s->c->erets == 1)
            why_add(s, " The first ERET had SPSR=0x%llx, which is EL0; a kernel is entered with 0x3c5 (EL1h, DAIF masked).",
                    (ull)s->c->eret_spsr);
        return name_it(s, "F11", "EL1 register accessed at EL0");
    }
    if (!sys || op1 < 4 || (op1 == 7 && s->insn.op == OP_SYS))
        return false;
    sysreg_word_name(s->word, reg, sizeof reg);
    if (s->f->el == 2 && op1 == 5 && s->c->has_vhe) {
        SAY(cause, "`%s`: names with _EL12 and _EL02 exist while HCR_EL2.E2H=1 only, and it is 0.", s->dis);
        SAY(fix, "Set HCR_EL2.E2H first, or use the register's name of EL1.");
        return name_it(s, "F11", "register of the EL2&0 regime while HCR_EL2.E2H is 0");
    }
    if (s->f->el == 2) {
        bool vhe = op1 < 6;
        SAY(cause, "`%s`%s%s needs %s, and this CPU has none.", s->dis, op || strstr(s->dis, reg) ? "" : ": ", op || strstr(s->dis, reg) ? "" : reg, vhe ? "Virtualization Host Extensions" : op1 == 6 ? "EL3" : "Secure EL1");
        SAY(fix, "%s", vhe ? "Read ID_AA64MMFR1_EL1.VH first; --vhe on gives the CPU the extensions."
                           : "Read ID_AA64PFR0_EL1.EL3 and CurrentEL first: EL2 is the highest level here.");
        return name_it(s, "F11", vhe ? "FEAT_VHE used on a CPU without it" : "EL3 register accessed at EL2");
    }
    const char *level = op1 == 4 ? "EL2" : op1 == 5 ? "EL2 with FEAT_VHE" : op1 == 6 ? "EL3" : "Secure EL1";
    SAY(cause, "`%s`: %s needs %s, and the CPU %s EL1.", s->dis, s->insn.op == OP_SYS ? "it" : reg, level,
        s->c->has_el2 ? "is at" : "was entered at");
    SAY(fix, "Read CurrentEL first and skip the EL2/EL3 setup at EL1%s.",
        op1 > 5 || s->c->has_el2 ? "" : "; code that needs EL2 gets it with --el 2");
    if (op && bits(s->word, 15, 12) == 8)
        why_add_fix(s, " At EL1 the TLB is invalidated with TLBI VMALLE1 and its kin.");
    return name_it(s, "F11", "EL2 or EL3 register accessed at EL1");
}

/// With EL2 in the guest's hands HVC is a call to it, and nobody answers.
static bool hvc_conduit(struct scene *s)
{
    if (s->ec != EC_HVC64 || (s->f->x[0] & 0xbfff0000u) >> 16 != 0x8400)
        return false;
    SAY(cause, "HVC with x0=0x%llx: this CPU has EL2, so HVC calls the guest's own EL2; the device tree says /psci method = \"smc\".",
        (ull)s->f->x[0]);
    SAY(fix, "Use smc #0 for PSCI here; read `method` from the /psci node of the device tree.");
    return name_it(s, "F12", "HVC used for PSCI where SMC is the conduit");
}

bool f12_conduit(struct scene *s)
{
    if (hvc_conduit(s))
        return true;
    if (s->ec != EC_UNKNOWN || !s->have_word || s->insn.op != OP_SMC)
        return false;
    SAY(cause, "SMC with x0=0x%llx: there is no EL3, so SMC is UNDEFINED; the device tree says /psci method = \"hvc\".",
        (ull)s->f->x[0]);
    SAY(fix, "Use hvc #0 for PSCI here; read `method` from the /psci node of the device tree.");
    return name_it(s, "F12", "SMC used for PSCI where HVC is the conduit");
}

/* ---- extensions ---- */

static const struct {
    u32 mask, value;
    const char *name;
} extensions[] = {
    {0x1e000000, 0x04000000, "SVE (FEAT_SVE)"},
    {0x9e000000, 0x80000000, "SME (FEAT_SME)"},
    {0xffffc000, 0xdac10000, "pointer authentication (FEAT_PAuth)"},
    {0xffe0fc00, 0x9ac03000, "pointer authentication (FEAT_PAuth)"},
    {0xfffffbff, 0xd65f0bff, "pointer authentication (FEAT_PAuth)"},
    {0xfffffbff, 0xd69f0bff, "pointer authentication (FEAT_PAuth)"},
    {0xfefff800, 0xd61f0800, "pointer authentication (FEAT_PAuth)"},
    {0xff200400, 0xf8200400, "pointer authentication (FEAT_PAuth)"},
    {0xffe0fc00, 0x9ac01000, "memory tagging (FEAT_MTE)"},
    {0xffe0fc00, 0x9ac01400, "memory tagging (FEAT_MTE)"},
    {0xffe0fc00, 0x9ac00000, "memory tagging (FEAT_MTE)"},
    {0xff200000, 0xd9200000, "memory tagging (FEAT_MTE)"},
    {0xffc00000, 0x91800000, "memory tagging (FEAT_MTE)"},
    {0xffc00000, 0xd1800000, "memory tagging (FEAT_MTE)"},
    {0x3f200c00, 0x19000000, "FEAT_LRCPC2"},
    {0x3fe00c00, 0x1d400400, "memory copy instructions (FEAT_MOPS)"},
    {0x3b200c00, 0x19000400, "memory copy instructions (FEAT_MOPS)"},
    {0xfffff800, 0xce60c000, "SM3/SM4 (FEAT_SM4)"},
    {0xffe0c000, 0xce408000, "SM3 (FEAT_SM3)"},
    {0xbfe0fc00, 0x2e40fc00, "BFloat16 (FEAT_BF16)"},
    {0xbfe0fc00, 0x2e40ec00, "BFloat16 (FEAT_BF16)"},
    {0xfffffc00, 0x1e634000, "BFloat16 (FEAT_BF16)"},
    {0xbfe0f400, 0x0e80a400, "matrix multiplication (FEAT_I8MM)"},
};

static const struct {
    u32 enc;
    const char *name;
} extension_regs[] = {
    {SYSREG_ENC(3, 0, 1, 2, 0), "SVE (ZCR_EL1)"},
    {SYSREG_ENC(3, 0, 1, 2, 6), "SME (SMCR_EL1)"},
    {SYSREG_ENC(3, 3, 4, 2, 2), "SME (SVCR)"},
    {SYSREG_ENC(3, 3, 4, 2, 5), "FEAT_DIT (register DIT)"},
    {SYSREG_ENC(3, 3, 4, 2, 6), "FEAT_SSBS (register SSBS)"},
    {SYSREG_ENC(3, 3, 4, 2, 7), "memory tagging (register TCO)"},
    {SYSREG_ENC(3, 0, 4, 2, 4), "FEAT_UAO (register UAO)"},
    {SYSREG_ENC(3, 0, 1, 0, 5), "memory tagging (RGSR_EL1)"},
    {SYSREG_ENC(3, 0, 1, 0, 6), "memory tagging (GCR_EL1)"},
    {SYSREG_ENC(3, 0, 5, 6, 0), "memory tagging (TFSR_EL1)"},
    {SYSREG_ENC(3, 0, 0, 4, 4), "SVE (ID_AA64ZFR0_EL1)"},
    {SYSREG_ENC(3, 0, 10, 4, 4), "memory partitioning (FEAT_MPAM)"},
    {SYSREG_ENC(3, 0, 10, 5, 0), "memory partitioning (FEAT_MPAM)"},
    {SYSREG_ENC(3, 0, 9, 9, 0), "statistical profiling (FEAT_SPE)"},
    {SYSREG_ENC(3, 0, 1, 0, 3), "FEAT_TCR2 (TCR2_EL1 or SCTLR2_EL1)"},
    {SYSREG_ENC(3, 0, 2, 0, 3), "FEAT_TCR2 (TCR2_EL1)"},
    {SYSREG_ENC(3, 0, 10, 2, 2), "permission indirection (PIRE0_EL1)"},
    {SYSREG_ENC(3, 0, 10, 2, 3), "permission indirection (PIR_EL1)"},
    {SYSREG_ENC(3, 3, 13, 0, 5), "SME (TPIDR2_EL0)"},
};

const char *extension_of(u32 word)
{
    struct insn i;
    insn_decode(word, &i);
    if (i.op == OP_MRS || i.op == OP_MSR) {
        u32 enc = (u32)bits(word, 20, 5);
        for (unsigned k = 0; k < ARRAY_LEN(extension_regs); k++)
            if (extension_regs[k].enc == enc)
                return extension_regs[k].name;
        if (enc >= SYSREG_ENC(3, 0, 2, 1, 0) && enc <= SYSREG_ENC(3, 0, 2, 3, 3))
            return "pointer authentication (its key registers)";
        return NULL;
    }
    if (i.op != OP_INVALID)
        return NULL;
    for (unsigned k = 0; k < ARRAY_LEN(extensions); k++)
        if ((word & extensions[k].mask) == extensions[k].value)
            return extensions[k].name;
    return NULL;
}
