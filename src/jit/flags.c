// NZCV in EFLAGS: who set it last, with which carry polarity, and when it has to be saved.
#include "jit/fp.h"

/// Byte of cpu.nzcv with N, Z, C (as lahf leaves ah), and the one with V.
#define ENV_NZC xm(RENV, (s32)offsetof(struct cpu, nzcv) + 1 - CPU_BIAS)
#define ENV_VF xm(RENV, (s32)offsetof(struct cpu, nzcv) - CPU_BIAS)

static void save(struct jit *j, struct xbuf *b, u8 kind)
{
    if (kind >= FL_FCMP) {
        jit_fcmp_nzcv(j, b, kind == FL_FCMPX);
    } else {
        if (kind == FL_SUB)
            x_cmc(b);
        x_lahf(b);
        x_setcc(b, CC_O, xr(RAX));
    }
    x_op(b, XI_ST16, RAX, ENV(nzcv), 0);
}

void jit_clobber(struct jit *j)
{
    bool wanted = (j->live_out[j->k] && !(j->in[j->k].flags & FW)) || j->live_taken[j->k];
    if (j->fl != FL_NONE && wanted && !j->fl_env) {
        save(j, &j->b, j->fl);
        j->fl_env = true;
    }
    j->fl = FL_NONE;
}

void jit_flags_set(struct jit *j, enum jit_flags kind)
{
    j->fl = (u8)kind;
    j->fl_env = false;
}

void jit_flags_in_env(struct jit *j)
{
    j->fl = FL_NONE;
    j->fl_env = true;
}

void jit_flags_to_env(struct jit *j)
{
    if (j->fl_env || j->fl == FL_NONE)
        return;
    save(j, &j->b, j->fl);
    if (j->fl == FL_SUB) // the carry was inverted
        j->fl = FL_ADD;
    j->fl_env = true;
}

void jit_flags_save_in(struct jit *j, struct xbuf *b)
{
    if (!j->fl_env && j->fl != FL_NONE)
        save(j, b, j->fl);
}

void jit_flags_to_host(struct jit *j, enum jit_flags kind)
{
    if (j->fl >= FL_FCMP) {
        jit_fcmp_nzcv(j, &j->b, j->fl == FL_FCMPX);
        x_u8(&j->b, 0x04); // as below
        x_u8(&j->b, 127);
        x_sahf(&j->b);
        j->fl = FL_ADD;
    } else if (j->fl == FL_NONE) {
        x_rm(&j->b, XI_MOVZX16, RAX, ENV(nzcv));
        x_u8(&j->b, 0x04); // add al, 127: OF = V
        x_u8(&j->b, 127);
        x_sahf(&j->b);
        j->fl = FL_ADD;
    }
    if (j->fl != kind) {
        x_cmc(&j->b);
        j->fl = (u8)kind;
    }
}

/// A condition on the EFLAGS of ucomis. 0xff: not one x86 condition in this order of operands.
static unsigned fcmp_cond(struct jit *j, unsigned cond)
{
    static const u8 plain[14] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, CC_P, CC_NP, 0xff, 0xff, CC_AE, CC_B, CC_A, CC_BE};
    static const u8 swapped[14] = {0xff, 0xff, 0xff, 0xff, CC_A, CC_BE, CC_P, CC_NP, CC_B, CC_AE, 0xff, 0xff, 0xff, 0xff};
    if (cond > 1)
        return j->fl == FL_FCMP ? plain[cond] : swapped[cond];
    if (j->live_out[j->k] || j->live_taken[j->k])
        jit_flags_to_env(j);
    x_mov_ri(&j->b, RAX, 0); // equal: ZF and not PF
    x_setcc(&j->b, CC_P, xr(RAX));
    x_cmov(&j->b, CC_NE, 0, RAX, FP_CONST(j, nzcv_gt));
    x_rr(&j->b, XI_TEST, RAX, RAX);
    j->fl = FL_NONE;
    return cond ? CC_NE : CC_E;
}

unsigned jit_cond(struct jit *j, unsigned cond)
{
    if (j->fl >= FL_FCMP) {
        unsigned cc = fcmp_cond(j, cond);
        if (cc != 0xff)
            return cc;
        jit_flags_to_host(j, FL_ADD);
    }
    static const u8 sub[14] = {CC_E, CC_NE, CC_AE, CC_B, CC_S, CC_NS, CC_O, CC_NO, CC_A, CC_BE, CC_GE, CC_L, CC_G, CC_LE};
    if (j->fl == FL_NONE && cond < 8) { // one flag: test it where it lies
        static const u8 bit_of[3] = {0x40, 0x01, 0x80};
        if (cond < 6)
            x_test8_i(&j->b, ENV_NZC, bit_of[cond >> 1]);
        else
            x_test8_i(&j->b, ENV_VF, 1);
        return cond & 1 ? CC_E : CC_NE;
    }
    if (j->fl == FL_NONE)
        jit_flags_to_host(j, FL_ADD);
    if (cond >> 1 == 4) // hi, ls need CF = !C
        jit_flags_to_host(j, FL_SUB);
    if (cond >> 1 == 1 && j->fl == FL_ADD)
        return cond == 2 ? CC_B : CC_AE;
    return sub[cond];
}
