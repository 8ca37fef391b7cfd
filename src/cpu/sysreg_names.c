/// Names of system registers that no CPU here has: of EL2 and EL3, and the aliases of FEAT_VHE. Guests made for
/// other levels touch them, and a report names them. Arm ARM, "AArch64 System register encodings".
#include "cpu/cpu.h"

static const struct {
    u32 enc;
    const char *name;
} high_regs[] = {
// clang-format off
#define HR(n, op1, crn, crm, op2) {SYSREG_ENC(3, op1, crn, crm, op2), n}
    HR("VPIDR_EL2", 4, 0, 0, 0), HR("VMPIDR_EL2", 4, 0, 0, 5), HR("SCTLR_EL2", 4, 1, 0, 0),
    HR("ACTLR_EL2", 4, 1, 0, 1), HR("HCR_EL2", 4, 1, 1, 0), HR("MDCR_EL2", 4, 1, 1, 1),
    HR("CPTR_EL2", 4, 1, 1, 2), HR("HSTR_EL2", 4, 1, 1, 3), HR("HACR_EL2", 4, 1, 1, 7),
    HR("TTBR0_EL2", 4, 2, 0, 0), HR("TTBR1_EL2", 4, 2, 0, 1), HR("TCR_EL2", 4, 2, 0, 2),
    HR("VTTBR_EL2", 4, 2, 1, 0), HR("VTCR_EL2", 4, 2, 1, 2), HR("SPSR_EL2", 4, 4, 0, 0),
    HR("ELR_EL2", 4, 4, 0, 1), HR("SP_EL1", 4, 4, 1, 0), HR("AFSR0_EL2", 4, 5, 1, 0),
    HR("ESR_EL2", 4, 5, 2, 0), HR("FAR_EL2", 4, 6, 0, 0), HR("HPFAR_EL2", 4, 6, 0, 4),
    HR("MAIR_EL2", 4, 10, 2, 0), HR("AMAIR_EL2", 4, 10, 3, 0), HR("VBAR_EL2", 4, 12, 0, 0),
    HR("ICC_SRE_EL2", 4, 12, 9, 5), HR("ICH_HCR_EL2", 4, 12, 11, 0), HR("ICH_VTR_EL2", 4, 12, 11, 1),
    HR("ICH_VMCR_EL2", 4, 12, 11, 7), HR("CONTEXTIDR_EL2", 4, 13, 0, 1), HR("TPIDR_EL2", 4, 13, 0, 2),
    HR("CNTVOFF_EL2", 4, 14, 0, 3), HR("CNTHCTL_EL2", 4, 14, 1, 0), HR("CNTHP_TVAL_EL2", 4, 14, 2, 0),
    HR("CNTHP_CTL_EL2", 4, 14, 2, 1), HR("CNTHP_CVAL_EL2", 4, 14, 2, 2),
    HR("SCTLR_EL3", 6, 1, 0, 0), HR("ACTLR_EL3", 6, 1, 0, 1), HR("SCR_EL3", 6, 1, 1, 0),
    HR("SDER32_EL3", 6, 1, 1, 1), HR("CPTR_EL3", 6, 1, 1, 2), HR("MDCR_EL3", 6, 1, 3, 1),
    HR("TTBR0_EL3", 6, 2, 0, 0), HR("TCR_EL3", 6, 2, 0, 2), HR("SPSR_EL3", 6, 4, 0, 0),
    HR("ELR_EL3", 6, 4, 0, 1), HR("SP_EL2", 6, 4, 1, 0), HR("ESR_EL3", 6, 5, 2, 0),
    HR("FAR_EL3", 6, 6, 0, 0), HR("MAIR_EL3", 6, 10, 2, 0), HR("VBAR_EL3", 6, 12, 0, 0),
    HR("RVBAR_EL3", 6, 12, 0, 1), HR("RMR_EL3", 6, 12, 0, 2), HR("ICC_CTLR_EL3", 6, 12, 12, 4),
    HR("ICC_SRE_EL3", 6, 12, 12, 5), HR("ICC_IGRPEN1_EL3", 6, 12, 12, 7), HR("TPIDR_EL3", 6, 13, 0, 2),
    HR("SCTLR_EL12", 5, 1, 0, 0), HR("CPACR_EL12", 5, 1, 0, 2), HR("TTBR0_EL12", 5, 2, 0, 0),
    HR("TTBR1_EL12", 5, 2, 0, 1), HR("TCR_EL12", 5, 2, 0, 2), HR("SPSR_EL12", 5, 4, 0, 0),
    HR("ELR_EL12", 5, 4, 0, 1), HR("ESR_EL12", 5, 5, 2, 0), HR("FAR_EL12", 5, 6, 0, 0),
    HR("MAIR_EL12", 5, 10, 2, 0), HR("VBAR_EL12", 5, 12, 0, 0), HR("CNTKCTL_EL12", 5, 14, 1, 0),
    HR("CNTP_TVAL_EL02", 5, 14, 2, 0), HR("CNTP_CTL_EL02", 5, 14, 2, 1), HR("CNTP_CVAL_EL02", 5, 14, 2, 2),
    HR("CNTV_TVAL_EL02", 5, 14, 3, 0), HR("CNTV_CTL_EL02", 5, 14, 3, 1), HR("CNTV_CVAL_EL02", 5, 14, 3, 2),
    HR("CNTPS_TVAL_EL1", 7, 14, 2, 0), HR("CNTPS_CTL_EL1", 7, 14, 2, 1), HR("CNTPS_CVAL_EL1", 7, 14, 2, 2),
#undef HR
    // clang-format on
};

const char *sysreg_any_name(u32 enc)
{
    const char *name = sysreg_name(enc);
    for (unsigned i = 0; i < ARRAY_LEN(high_regs) && name == NULL; i++)
        if (high_regs[i].enc == enc)
            name = high_regs[i].name;
    return name;
}
