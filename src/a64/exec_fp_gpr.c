/// Floating point and general registers: moves and conversions. Arm ARM, "Conversion between
/// floating-point and integer", "Conversion between floating-point and fixed-point".
#include "a64/exec_fp.h"

#define EACH_FORMAT(M, ...) M(_h, FP_H, __VA_ARGS__) M(_s, FP_S, __VA_ARGS__) M(_d, FP_D, __VA_ARGS__)

#define MOVE_TO(id, val)                                                                           \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        c->x[i->rd] = val;                                                                         \
        return EXEC_NEXT;                                                                          \
    }
#define MOVE_FROM(id, type)                                                                        \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        v_set_scalar(c, i->rd, (type)c->x[i->rn]);                                                 \
        return EXEC_NEXT;                                                                          \
    }
MOVE_TO(FMOV_ws, c->v[i->rn].s[0])
MOVE_TO(FMOV_xd, c->v[i->rn].d[0])
MOVE_TO(FMOV_xv1, c->v[i->rn].d[1])
MOVE_TO(FMOV_rh, c->v[i->rn].h[0])
MOVE_FROM(FMOV_sw, u32)
MOVE_FROM(FMOV_dx, u64)
MOVE_FROM(FMOV_hr, u16)
EXEC(FMOV_v1x)
{
    FP_ACCESS(c);
    c->v[i->rd].d[1] = c->x[i->rn];
    return EXEC_NEXT;
}

#define TO_INT(sfx, F, id, rm, is_unsigned)                                                        \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        u64 a = v_scalar(c, i->rn, F);                                                             \
        c->x[i->rd] = fp_to_fixed(F, a, 0, is_unsigned, i->sf ? 64 : 32, rm, FPST);                \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(TO_INT, FCVTNS_r, FPR_TIEEVEN, false)
EACH_FORMAT(TO_INT, FCVTNU_r, FPR_TIEEVEN, true)
EACH_FORMAT(TO_INT, FCVTAS_r, FPR_TIEAWAY, false)
EACH_FORMAT(TO_INT, FCVTAU_r, FPR_TIEAWAY, true)
EACH_FORMAT(TO_INT, FCVTPS_r, FPR_POSINF, false)
EACH_FORMAT(TO_INT, FCVTPU_r, FPR_POSINF, true)
EACH_FORMAT(TO_INT, FCVTMS_r, FPR_NEGINF, false)
EACH_FORMAT(TO_INT, FCVTMU_r, FPR_NEGINF, true)
EACH_FORMAT(TO_INT, FCVTZS_r, FPR_ZERO, false)
EACH_FORMAT(TO_INT, FCVTZU_r, FPR_ZERO, true)

/// The general register as the 64-bit integer it stands for.
static inline u64 int_operand(const struct cpu *c, const struct insn *i, bool is_unsigned)
{
    u64 v = c->x[i->rn];
    if (i->sf)
        return v;
    return is_unsigned ? (u32)v : (u64)(s64)(s32)v;
}

#define FROM_INT(sfx, F, id, is_unsigned)                                                          \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        u64 v = int_operand(c, i, is_unsigned);                                                    \
        v_set_scalar(c, i->rd, fp_from_fixed(F, v, 0, is_unsigned, fp_rmode(c->fpcr), FPST));      \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(FROM_INT, SCVTF_r, false)
EACH_FORMAT(FROM_INT, UCVTF_r, true)

#define TO_FIXED(sfx, F, id, is_unsigned, width)                                                   \
    EXEC(id##sfx##width)                                                                           \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        u64 a = v_scalar(c, i->rn, F);                                                             \
        unsigned fbits = 64 - (i->word >> 10 & 63);                                                \
        c->x[i->rd] = fp_to_fixed(F, a, fbits, is_unsigned, i->sf ? 64 : 32, FPR_ZERO, FPST);      \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(TO_FIXED, FCVTZS_f, false, w)
EACH_FORMAT(TO_FIXED, FCVTZS_f, false, x)
EACH_FORMAT(TO_FIXED, FCVTZU_f, true, w)
EACH_FORMAT(TO_FIXED, FCVTZU_f, true, x)

#define FROM_FIXED(sfx, F, id, is_unsigned, width)                                                 \
    EXEC(id##sfx##width)                                                                           \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        u64 v = int_operand(c, i, is_unsigned);                                                    \
        unsigned fbits = 64 - (i->word >> 10 & 63);                                                \
        v_set_scalar(c, i->rd, fp_from_fixed(F, v, fbits, is_unsigned, fp_rmode(c->fpcr), FPST));  \
        return EXEC_NEXT;                                                                          \
    }
EACH_FORMAT(FROM_FIXED, SCVTF_f, false, w)
EACH_FORMAT(FROM_FIXED, SCVTF_f, false, x)
EACH_FORMAT(FROM_FIXED, UCVTF_f, true, w)
EACH_FORMAT(FROM_FIXED, UCVTF_f, true, x)

EXEC(FJCVTZS)
{
    FP_ACCESS(c);
    bool is_exact;
    c->x[i->rd] = fp_to_int_js(c->v[i->rn].d[0], &is_exact, FPST);
    fp_set_flags(c, is_exact ? 4 : 0);
    return EXEC_NEXT;
}
