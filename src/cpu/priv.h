/// What the files of this folder share.
#ifndef BRUIN_CPU_PRIV_H
#define BRUIN_CPU_PRIV_H

#include "cpu/cpu.h"

/// Fault status codes; the level is added where it applies.
enum {
    FSC_ADDR_SIZE = 0x00, FSC_TRANSLATION = 0x04, FSC_ACCESS_FLAG = 0x08, FSC_PERMISSION = 0x0c,
    FSC_EXTERNAL = 0x10, FSC_EXTERNAL_WALK = 0x14, FSC_ALIGNMENT = 0x21, FSC_DEBUG = 0x22,
    FSC_EXCLUSIVE = 0x35,
};

/// Enters a translation of RAM into a context. Pages that hold code must not come with ACC_STORE: their
/// stores stay on the slow path.
/// in  x     as mmu_translate gave it for acc
/// in  host  where the byte at va is
void tlb_enter(struct cpu *c, struct mmuctx *t, gva_t va, const struct xlat *x, enum access acc, const u8 *host);

/* ---- system registers ---- */

enum sr_access {
    SR_RW1, SR_RO1, SR_RW0, SR_RO0, SR_R0W1, SR_WO1, SR_ID, SR_CTR, SR_DAIF, SR_FP0, SR_CNT, SR_CNTP,
    SR_CNTV, SR_TIMP, SR_TIMV, SR_PMU, SR_RW2, SR_RO2, SR_VHE, SR_TOP1,
};

/// One row of sysreg.def.
typedef u64 sr_read_fn(struct cpu *c, enum sysreg_id id);
typedef void sr_write_fn(struct cpu *c, enum sysreg_id id, u64 val);
struct sr_row {
    const char *name;
    u32 enc;
    u8 access;
    sr_read_fn *read;
    sr_write_fn *write;
};

extern const struct sr_row sysreg_rows[SYSREG_COUNT]; ///< index: enum sysreg_id

/// The row an MRS or MSR of enc means in this state, or NULL.
const struct sr_row *sysreg_row_for(const struct cpu *c, u32 enc);

enum sysreg_verdict { SYSREG_ALLOWED, SYSREG_UNDEFINED, SYSREG_TRAPPED, SYSREG_FP_TRAP, SYSREG_TRAPPED_EL2 };

/// What becomes of an MRS (read) or MSR of enc, which means row r, at this exception level.
enum sysreg_verdict sysreg_verdict_on(const struct cpu *c, const struct sr_row *r, u32 enc, bool read);

/// Does what a verdict other than SYSREG_ALLOWED says. ret  exec_status
int sysreg_refuse(struct cpu *c, enum sysreg_verdict v, u32 enc, bool read);

/// Takes the trap of an MRS, MSR or SYS to el. ret  exec_status
int sysreg_trap(struct cpu *c, unsigned el, u32 enc, bool read) COLD;

/// ret  an access that EL1 or EL0 may make by their own rules goes to EL2: by HCR_EL2 alone, or by any
///      of its controls but MDCR_EL2
bool sysreg_hcr_traps(u64 hcr, u32 enc, bool read);
bool sysreg_el2_takes(const struct cpu *c, u32 enc, bool read) COLD;

/// ret  enc lies in the identification space, whose reserved part reads as zero at EL1
bool sysreg_is_id_space(u32 enc);

#endif
