/// Scalar floating point: arithmetic, comparison, selection, moves. Arm ARM, "Floating-point
/// data-processing" instructions.
#include "a64/exec_fp.h"

/// One body for each of the three formats.
#define EACH_FORMAT(M, ...) M(_h, FP_H, __VA_ARGS__) M(_s, FP_S, __VA_ARGS__) M(_d, FP_D, __VA_ARGS__)

/* Data processing (1 source) */

#define UNARY(sfx, F, id, expr)                                                                    \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F };                                                                          \
        u64 a = v_scalar(c, i->rn, fmt);                                                           \
        v_set_scalar(c, i->rd, expr);                                                              \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(UNARY, FMOV, a)
EACH_FORMAT(UNARY, FABS, fp_abs(fmt, a))
EACH_FORMAT(UNARY, FNEG, fp_neg(fmt, a))
EACH_FORMAT(UNARY, FSQRT, fp_sqrt(fmt, a, FPST))
EACH_FORMAT(UNARY, FRINTN, fp_rint(fmt, a, FPR_TIEEVEN, false, FPST))
EACH_FORMAT(UNARY, FRINTP, fp_rint(fmt, a, FPR_POSINF, false, FPST))
EACH_FORMAT(UNARY, FRINTM, fp_rint(fmt, a, FPR_NEGINF, false, FPST))
EACH_FORMAT(UNARY, FRINTZ, fp_rint(fmt, a, FPR_ZERO, false, FPST))
EACH_FORMAT(UNARY, FRINTA, fp_rint(fmt, a, FPR_TIEAWAY, false, FPST))
EACH_FORMAT(UNARY, FRINTX, fp_rint(fmt, a, fp_rmode(c->fpcr), true, FPST))
EACH_FORMAT(UNARY, FRINTI, fp_rint(fmt, a, fp_rmode(c->fpcr), false, FPST))
#define RINT_N(id, rm, width)                                                                      \
    UNARY(_s, FP_S, id, fp_rint_n(fmt, a, rm, width, FPST))                                        \
    UNARY(_d, FP_D, id, fp_rint_n(fmt, a, rm, width, FPST))
RINT_N(FRINT32Z, FPR_ZERO, 32)
RINT_N(FRINT32X, fp_rmode(c->fpcr), 32)
RINT_N(FRINT64Z, FPR_ZERO, 64)
RINT_N(FRINT64X, fp_rmode(c->fpcr), 64)

#define CONVERT(id, to, from)                                                                      \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        u64 a = v_scalar(c, i->rn, from);                                                          \
        v_set_scalar(c, i->rd, fp_convert(to, from, a, fp_rmode(c->fpcr), FPST));                  \
        return EXEC_NEXT;                                                                          \
    }
CONVERT(FCVT_ds, FP_D, FP_S)
CONVERT(FCVT_hs, FP_H, FP_S)
CONVERT(FCVT_sd, FP_S, FP_D)
CONVERT(FCVT_hd, FP_H, FP_D)
CONVERT(FCVT_sh, FP_S, FP_H)
CONVERT(FCVT_dh, FP_D, FP_H)

/* Data processing (2 and 3 source) */

#define BINARY(sfx, F, id, expr)                                                                   \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F };                                                                          \
        u64 a = v_scalar(c, i->rn, fmt), b = v_scalar(c, i->rm, fmt);                              \
        v_set_scalar(c, i->rd, expr);                                                              \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(BINARY, FMUL, fp_mul(fmt, a, b, FPST))
EACH_FORMAT(BINARY, FDIV, fp_div(fmt, a, b, FPST))
EACH_FORMAT(BINARY, FADD, fp_add(fmt, a, b, FPST))
EACH_FORMAT(BINARY, FSUB, fp_sub(fmt, a, b, FPST))
EACH_FORMAT(BINARY, FMAX, fp_max(fmt, a, b, FPST))
EACH_FORMAT(BINARY, FMIN, fp_min(fmt, a, b, FPST))
EACH_FORMAT(BINARY, FMAXNM, fp_maxnm(fmt, a, b, FPST))
EACH_FORMAT(BINARY, FMINNM, fp_minnm(fmt, a, b, FPST))
EACH_FORMAT(BINARY, FNMUL, fp_neg(fmt, fp_mul(fmt, a, b, FPST)))

#define TERNARY(sfx, F, id, expr)                                                                  \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F };                                                                          \
        u64 a = v_scalar(c, i->rn, fmt), b = v_scalar(c, i->rm, fmt), z = v_scalar(c, i->ra, fmt); \
        v_set_scalar(c, i->rd, expr);                                                              \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(TERNARY, FMADD, fp_muladd(fmt, z, a, b, FPST))
EACH_FORMAT(TERNARY, FMSUB, fp_muladd(fmt, z, fp_neg(fmt, a), b, FPST))
EACH_FORMAT(TERNARY, FNMADD, fp_muladd(fmt, fp_neg(fmt, z), fp_neg(fmt, a), b, FPST))
EACH_FORMAT(TERNARY, FNMSUB, fp_muladd(fmt, fp_neg(fmt, z), a, b, FPST))

/* Compare, conditional compare, conditional select, immediate */

#define COMPARE(sfx, F, id, rhs, signal)                                                           \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F };                                                                          \
        u64 a = v_scalar(c, i->rn, fmt);                                                           \
        fp_set_flags(c, fp_compare(fmt, a, rhs, signal, FPST));                                    \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(COMPARE, FCMP, v_scalar(c, i->rm, fmt), false)
EACH_FORMAT(COMPARE, FCMPE, v_scalar(c, i->rm, fmt), true)
EACH_FORMAT(COMPARE, FCMP0, 0, false)
EACH_FORMAT(COMPARE, FCMPE0, 0, true)

#define COND_COMPARE(sfx, F, id, signal)                                                           \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        u32 nzcv = i->word & 15;                                                                   \
        if (cond_holds(i->word >> 12 & 15, c->nzcv))                                               \
            nzcv = fp_compare(F, v_scalar(c, i->rn, F), v_scalar(c, i->rm, F), signal, FPST);      \
        fp_set_flags(c, nzcv);                                                                     \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(COND_COMPARE, FCCMP, false)
EACH_FORMAT(COND_COMPARE, FCCMPE, true)

#define SELECT(sfx, F, id)                                                                         \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        unsigned r = cond_holds(i->word >> 12 & 15, c->nzcv) ? i->rn : i->rm;                      \
        v_set_scalar(c, i->rd, v_scalar(c, r, F));                                                 \
        return EXEC_NEXT;                                                                          \
    }
SELECT(_h, FP_H, FCSEL)
SELECT(_s, FP_S, FCSEL)
SELECT(_d, FP_D, FCSEL)

#define MOVE_IMM(sfx, F, id)                                                                       \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        v_set_scalar(c, i->rd, fp_expand_imm(F, (unsigned)i->imm));                                \
        return EXEC_NEXT;                                                                          \
    }
MOVE_IMM(_h, FP_H, FMOVi)
MOVE_IMM(_s, FP_S, FMOVi)
MOVE_IMM(_d, FP_D, FMOVi)
