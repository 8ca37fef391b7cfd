/// The guest's FPCR and FPSR in the host's MXCSR. Translated code runs with the guest's rounding
/// mode there and gathers exceptions in its sticky bits; cpu.fpsr holds the rest. Denormals are never
/// flushed by the host: blocks with FPCR.FZ call the bodies. Intel SDM volume 1, "MXCSR Control and
/// Status Register".
#include "jit/fp.h"

#include "cpu/sysreg_id.h"

enum { MXCSR_MASKED = 0x1f80, MXCSR_FLAGS = 0x3f };

static u32 mxcsr_of(u32 fpcr)
{
    static const u8 rc[4] = {0, 2, 1, 3}; // nearest, +inf, -inf, zero
    return MXCSR_MASKED | (u32)rc[fp_rmode(fpcr)] << 13;
}

void jit_fp_mode(struct cpu *c, bool inside)
{
    u32 want = mxcsr_of(c->fpcr), have = (u32)c->jit[JW_MXCSR];
    if (LIKELY((have & ~(u32)MXCSR_FLAGS) == want))
        return;
    c->jit[JW_MXCSR] = want | (have & MXCSR_FLAGS);
#ifdef __x86_64__
    if (inside)
        __builtin_ia32_ldmxcsr(want | (__builtin_ia32_stmxcsr() & MXCSR_FLAGS));
#endif
}

void jit_fp_left(struct cpu *c)
{
    u32 f = (u32)c->jit[JW_MXCSR];
    c->fpsr |= (f >> 1 & (FPSR_DZC | FPSR_OFC | FPSR_UFC | FPSR_IXC)) | (f & FPSR_IOC);
    c->jit[JW_MXCSR] = f & ~(u32)MXCSR_FLAGS;
}

/// rax <- the guest's flags in MXCSR, which are cleared there.
static void take_flags(struct jit *j)
{
    struct xbuf *b = &j->b;
    x_vex(b, XV_LDMXCSR, 3, 0, ENV_JW(JW_TMP), 0); // vstmxcsr
    x_rm(b, XI_MOV, RAX, ENV_JW(JW_TMP));
    x_mov32(b, RCX, RAX);
    x_alu_i(b, ALU_AND, 0, xr(RCX), FPSR_IOC);
    x_shift_i(b, SH_SHR, 0, xr(RAX), 1);
    x_alu_i(b, ALU_AND, 0, xr(RAX), FPSR_DZC | FPSR_OFC | FPSR_UFC | FPSR_IXC);
    x_rr(b, XI_OR, RAX, RCX);
    x_alu_i(b, ALU_AND, 0, ENV_JW(JW_TMP), ~MXCSR_FLAGS);
    x_vex(b, XV_LDMXCSR, 2, 0, ENV_JW(JW_TMP), 0);
}

bool jit_fp_sysreg(struct jit *j, const struct insn *i)
{
    bool is_fpcr = i->imm == SYSREG_ENC(3, 3, 4, 4, 0), is_fpsr = i->imm == SYSREG_ENC(3, 3, 4, 4, 1);
    if (!(is_fpcr || is_fpsr) || !j->cpu.sse42)
        return false;
    if (is_fpsr) {
        jit_clobber(j);
        take_flags(j);
        x_op(&j->b, XI_OR_MR, RAX, ENV(fpsr), 0);
    }
    if (i->op != OP_MRS || !(j->mode & MODE_FP) || j->cfg.no_inline)
        return false;
    int r = jit_xwrite(j, i->rd, RAX);
    x_rm(&j->b, XI_MOV, r, is_fpcr ? ENV(fpcr) : ENV(fpsr));
    jit_xdone(j, i->rd, r);
    return true;
}
