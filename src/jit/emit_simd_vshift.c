/// Emission of Advanced SIMD shifts by register with rounding and saturation, for hosts with AVX-512:
/// lanes of 16, 32 and 64 bits, in xmm16 to xmm20 and the mask registers.
///
/// The count is the signed low byte of each lane of Vm: to the left, or when it is negative to the right.
/// Shifts of the host by too much give zero or copies of the sign, as the guest's do.
#include "jit/emit_simd.h"

enum { COUNT = 16, BACK, LEFT, RIGHT, TEMP }; ///< xmm registers
enum { K_RIGHT = 1, K_SATURATED = 2 };
enum { CMP_LT = 1, CMP_NEQ = 4 };

struct lanes {
    unsigned lg;
    u32 sll, srl, sra;          ///< by lanes of counts
    u32 imm;                    ///< by an immediate
    u32 cmp, sub, add, mov;
};
static const struct lanes lanes_of[4] = {
    [1] = {1, XE_PSLLVW, XE_PSRLVW, XE_PSRAVW, XV_PSHIFT_W, XO(1, 3, 0x3f) | XW, XV_PSUBW, XV_PADDW, XO(3, 1, 0x6f) | XW},
    [2] = {2, XV_PSLLVD, XV_PSRLVD, XV_PSRAVD, XV_PSHIFT_D, XO(1, 3, 0x1f), XV_PSUBD, XV_PADDD, XO(1, 1, 0x6f)},
    [3] = {3, XV_PSLLVD | XW, XV_PSRLVD | XW, XV_PSRAVD | XW, XV_PSHIFT_Q | XW, XO(1, 3, 0x1f) | XW, XV_PSUBQ | XW, XV_PADDQ | XW,
           XO(1, 1, 0x6f) | XW},
};
enum { SRL = 2, SRA = 4, SLL = 6 };

static void e3(struct jit *j, u32 op, int d, int a, int b) { x_ev(&j->b, op, d, a, xr(b)); }
/// d <- a shifted by an immediate. Of 64-bit lanes the arithmetic one is the form of words with W.
static void shift_imm(struct jit *j, const struct lanes *l, unsigned kind, int d, int a, unsigned n)
{
    u32 op = kind == SRA && l->lg == 3 ? XV_PSHIFT_D | XW : l->imm;
    x_evex(&j->b, op, (int)kind, d, xr(a), 0, 1);
    x_u8(&j->b, n);
}
/// Mask register k <- lanes of a and b compared; `within`: a mask register whose lanes count, 0 all.
static void compare(struct jit *j, const struct lanes *l, int k, int a, int b, unsigned pred, unsigned within)
{
    x_evex(&j->b, l->cmp, k, a, xr(b), within, 1);
    x_u8(&j->b, pred);
}
static void merge(struct jit *j, const struct lanes *l, int d, int a, unsigned k) { x_evex(&j->b, l->mov, d, 0, xr(a), k, 0); }

/// COUNT <- counts, BACK <- zero minus counts, K_RIGHT <- lanes shifted to the right.
static void counts(struct jit *j, const struct lanes *l, int m)
{
    unsigned high = (8u << l->lg) - 8;
    shift_imm(j, l, SLL, COUNT, m, high);
    shift_imm(j, l, SRA, COUNT, COUNT, high);
    e3(j, XV_PXOR | (l->lg == 3 ? XW : 0), TEMP, TEMP, TEMP);
    e3(j, l->sub, BACK, TEMP, COUNT);
    compare(j, l, K_RIGHT, COUNT, TEMP, CMP_LT, 0);
}

/// LEFT gets the lanes that go to the right from a shift of n, with rounding: plus the last bit shifted out.
static void put_right(struct jit *j, const struct lanes *l, bool is_signed, bool round, int n)
{
    e3(j, is_signed ? l->sra : l->srl, RIGHT, n, BACK);
    if (round) {
        x_ev(&j->b, l->add, BACK, BACK, simd_const_lanes(j, l->lg, ~0ULL));
        e3(j, is_signed ? l->sra : l->srl, TEMP, n, BACK);
        x_ev(&j->b, XV_PAND | (l->lg == 3 ? XW : 0), TEMP, TEMP, simd_const_lanes(j, l->lg, 1));
        e3(j, l->add, RIGHT, RIGHT, TEMP);
    }
    merge(j, l, LEFT, RIGHT, K_RIGHT);
}

/// Lanes that lost bits on the way to the left get the largest or smallest number, and QC is set.
static void saturate(struct jit *j, const struct insn *i, const struct lanes *l, bool is_signed, int n)
{
    struct xbuf *b = &j->b;
    e3(j, is_signed ? l->sra : l->srl, RIGHT, LEFT, COUNT);
    x_vex(b, XV_KNOTW, K_SATURATED, 0, xr(K_RIGHT), 0);
    compare(j, l, K_SATURATED, RIGHT, n, CMP_NEQ, K_SATURATED);
    if (is_signed) {
        shift_imm(j, l, SRA, TEMP, n, (8u << l->lg) - 1);
        x_ev(b, XV_PXOR | (l->lg == 3 ? XW : 0), TEMP, TEMP, simd_const_lanes(j, l->lg, ~0ULL >> (64 - (8u << l->lg)) >> 1));
    } else {
        x_evi(b, XE_PTERNLOGD, TEMP, TEMP, xr(TEMP), 0xff);
    }
    merge(j, l, LEFT, TEMP, K_SATURATED);
    x_v(b, XV_KMOVW_R, RAX, 0, xr(K_SATURATED));
    x_test_i(b, 0, xr(RAX), (1 << (simd_width(i) >> l->lg)) - 1);
    struct xbuf *c = jit_cold_begin(j, CC_NE);
    x_alu_i(c, ALU_OR, 0, ENV(fpsr), FPSR_QC);
    jit_cold_end(j);
}

static int shift(struct jit *j, const struct insn *i, bool round, bool sat)
{
    unsigned lg = simd_size(i->word);
    bool is_signed = !simd_u(i->word);
    if (lg == 0 || !j->cpu.avx512vl || !j->cpu.avx512bw || !j->cpu.avx512dq)
        return simd_shift_by_register_plain(j, i, round, sat);
    const struct lanes *l = &lanes_of[lg];
    int n = simd_n(j, i), m = simd_m(j, i);
    if (sat)
        jit_clobber(j);
    counts(j, l, m);
    e3(j, l->sll, LEFT, n, COUNT);
    if (sat)
        saturate(j, i, l, is_signed, n);
    put_right(j, l, is_signed, round, n);
    x_ev(&j->b, XV_MOVAPS, X2, 0, xr(LEFT));
    return simd_finish(j, i, X2);
}
int simd_shift_by_register(struct jit *j, const struct insn *i) { return shift(j, i, false, false); }
static int emit_RSHL(struct jit *j, const struct insn *i) { return shift(j, i, true, false); }
static int emit_QSHL(struct jit *j, const struct insn *i) { return shift(j, i, false, true); }
static int emit_QRSHL(struct jit *j, const struct insn *i) { return shift(j, i, true, true); }

void simd_init_vshift(jit_emit_fn **t)
{
    t[OP_SRSHL_v] = t[OP_SRSHL_s] = t[OP_URSHL_v] = t[OP_URSHL_s] = emit_RSHL;
    t[OP_SQSHL_v] = t[OP_SQSHL_s] = t[OP_UQSHL_v] = t[OP_UQSHL_s] = emit_QSHL;
    t[OP_SQRSHL_v] = t[OP_SQRSHL_s] = t[OP_UQRSHL_v] = t[OP_UQRSHL_s] = emit_QRSHL;
    t[OP_SSHL_s] = simd_shift_by_register;
}
