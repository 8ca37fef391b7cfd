/// Between the emitters of scalar (emit_fp.c, emit_fp_conv.c) and vector (emit_fpv*.c) floating
/// point.
///
/// The guest's FPCR is constant in a block; its rounding mode is in MXCSR, whose sticky flags are
/// part of the guest's FPSR. Results are x86's except where the two architectures differ: NaNs, and
/// results next to the subnormals. Those are recognised after the operation and computed again by
/// the exec_ body in cold code, from the operands that cpu.v still holds: an emitter therefore
/// stores its result only after the check.
#ifndef BRUIN_JIT_FP_H
#define BRUIN_JIT_FP_H

#include "cpu/softfp.h"
#include "jit/jit.h"
#include "jit/translate.h"

/// Constants in the code cache, 16-byte aligned; [0] is the single format's, [1] the double's.
struct fp_consts {
    u32 abs[2][4], sign[2][4];       ///< every lane
    u32 abs1[2][4], sign1[2][4];     ///< abs1: clears all but the lowest lane; sign1: that lane's sign
    u32 min_normal[2][4], ones[2][4];
    u32 zero[4];
    u64 subnormal_max2, unused; ///< below this, twice a double less one is a subnormal's
    u32 half[2][4], integral[2][4]; ///< 0.5; 2^23 and 2^52: from here on numbers are integers
    u32 below_half[2][4]; ///< the number before 0.5
    u64 below_single[2], middle[2]; ///< of a double, what a single does not have of its fraction; half a unit of that
    u64 two_normals[2], infinity[2]; ///< as doubles: twice the smallest normal single
    u32 nzcv_lt, nzcv_gt, nzcv_eq, nzcv_un; ///< cpu.nzcv after a comparison
};
#define FP_CONST(j, field) xrip((j)->fp_consts + offsetof(struct fp_consts, field))

/// Tables of estimates in the code cache: the eight bits below the leading one.
struct fp_estimates {
    u8 recip[256];      ///< by the first eight bits of the fraction
    u8 rsqrt[512];      ///< by the last bit of the biased exponent and those
    u8 rsqrt_int[512];  ///< by the upper nine bits of a number from 0 to 1
};

/// Index into the constants, and the opcode of a format: ps/pd/ss/sd.
static inline unsigned fp_di(unsigned fmt) { return fmt == FP_D; }
static inline u32 fp_op_scalar(unsigned fmt, unsigned byte) { return XO(fmt == FP_D ? 3 : 2, 1, byte); }
static inline u32 fp_op_packed(unsigned fmt, unsigned byte) { return XO(fmt == FP_D ? 1 : 0, 1, byte); }

/// Predicates of cmpps and the like; the rest are of AVX.
enum { CMP_EQ, CMP_LT, CMP_LE, CMP_UNORD, CMP_NEQ, CMP_NLT, CMP_GE = 13, CMP_GT = 14 };

/// FPCR fields of the block.
static inline bool fp_flush(const struct jit *j) { return j->mode >> (MODE_FPCR_SHIFT + 2) & 1; }
static inline unsigned fp_rmode_of(const struct jit *j) { return j->mode >> MODE_FPCR_SHIFT & 3; }
static inline bool fp_default_nans(const struct jit *j) { return j->mode >> (MODE_FPCR_SHIFT + 3) & 1; }

/// Runs the body again when cc holds (from cpu.v), then continues after the instruction. Between
/// begin and end the hot path stores its result.
void fp_repair_begin(struct jit *j, const struct insn *i, unsigned cc);
void fp_repair_end(struct jit *j, const struct insn *i);

void jit_init_fp_conv(jit_emit_fn **t);
void jit_init_fp_vec(jit_emit_fn **t);
void jit_init_fpv_conv(jit_emit_fn **t);
void jit_init_fpv_int(jit_emit_fn **t);
void jit_init_fp_est(jit_emit_fn **t);
void jit_init_half(jit_emit_fn **t);
void jit_init_half_conv(jit_emit_fn **t);
void jit_init_fpv_more(jit_emit_fn **t);

/// With FPCR.FZ: emits the tests that leave an instruction to its body when an operand is to be
/// flushed, or when Inexact is not recorded yet (x86 records it for a result that is flushed, the
/// guest's processor does not). The next repair includes them. ret  false when this emits nothing
/// and the instruction must be left to its body; call it last.
bool fp_flush_guard(struct jit *j, const struct insn *i);
enum { CC_NEVER = 17 }; ///< fp_repair_begin without a jump of its own

/// A fused multiply-add of singles without FMA (fma_single.c): Vd <- +-Va +- Vn * Vm. ret  0: not emitted
struct fp_fused {
    u8 addend;  ///< a
    s8 element; ///< of Vm for all lanes, or -1
    bool scalar, quad, minus_product, minus_addend;
};
int fp_fused_single(struct jit *j, const struct insn *i, const struct fp_fused *f);

/* Scalar operands (emit_fp.c). */

/// Source as a register whose bits above the format are zero.
int fp_src(struct jit *j, unsigned n, unsigned fmt, int scratch);
/// Source as a register or memory operand; bits above the format are anything.
xrm fp_opnd(struct jit *j, unsigned n);
/// Where to compute a result that is checked before it counts: Vd's own register unless the repair
/// needs its old value and cpu.v does not have it.
int fp_dest(struct jit *j, const struct insn *i);
/// Result x, bits above the format zero.
void fp_done(struct jit *j, unsigned n, int x);
/// EFLAGS <- the check of result x; ret  the condition for repair. tiny: also when x is the smallest
/// normal number (which may have been tiny before rounding). Clobbers xmm3.
unsigned fp_check(struct jit *j, unsigned fmt, int x, bool tiny);

/// RAX <- x toward zero as an integer of 64 or 32 bits. Leaves when it does not fit.
void fp_to_integer(struct jit *j, unsigned fmt, bool is_64, bool is_unsigned, int x);
/// RAX <- x toward zero as an unsigned number of 64 or 32 bits. Leaves when it does not fit. Clobbers rcx.
void fp_to_unsigned(struct jit *j, unsigned fmt, bool is_64, int x);
/// d <- the unsigned number in r, zeros above. EFLAGS, rax, rdx and X3 change.
void fp_from_unsigned(struct jit *j, unsigned fmt, int d, int r);

/* Half precision (emit_half.c), as singles. */

static inline bool fpv_is_half_scalar(const struct insn *i) { return i->word >> 28 & 1; }
/// Begins an instruction. ret  false: this host, or FPCR, leaves it to the body
bool fp_has_half(struct jit *j);
/// Fours of lanes that the instruction has.
static inline unsigned fp_half_groups(const struct insn *i)
{
    return !fpv_is_half_scalar(i) && i->word >> 30 & 1 ? 2 : 1;
}
/// x <- the lowest half of Vn, zeros above: its bits (ret x), or as a single.
int fp_half_raw(struct jit *j, unsigned n, int x);
void fp_half_scalar(struct jit *j, unsigned n, int x);
/// x <- four singles, of the lower or upper halves of Vn; of a scalar the lowest alone.
void fp_half_widen(struct jit *j, const struct insn *i, unsigned n, unsigned group, int x);
/// X2 <- (group 1: and) the halves of singles x, which is not X2. X1 is clobbered.
void fp_half_narrow(struct jit *j, unsigned group, int x);
/// Ends an instruction with its result in X2, unless it has NaNs or what may have been tiny.
int fp_half_finish(struct jit *j, const struct insn *i);

/* Vectors (emit_fpv.c). */

static inline bool fpv_is_q(const struct insn *i) { return i->word >> 30 & 1; }
static inline bool fpv_is_scalar(const struct insn *i) { return (i->word >> 28 & 0xd) == 5; }
/// A source with zeros above its 64 bits when Q = 0.
int fpv_src(struct jit *j, const struct insn *i, unsigned n, int scratch);
/// Vn with zeros above what the instruction reads of it, vector or scalar.
int fpv_source(struct jit *j, const struct insn *i);
/// X2 <- lanes of x rounded to nearest, ties away from zero. Raises nothing. Lanes without a fraction, and
/// NaNs, stay themselves. x is not X1..X3.
void fpv_round_away(struct jit *j, unsigned fmt, int x);
/// X2 <- doubles of x as singles, rounded to odd, without any exception; X1 is clobbered. Leaves before that
/// unless each is zero or stays far from the subnormals and the largest single; X1 to X3 are clobbered.
void fpv_double_to_odd(struct jit *j, int x);
void fpv_leave_unless_single(struct jit *j, int x);
/// EFLAGS <- any lane of x has its sign bit set; ret  the condition. Clobbers rax.
unsigned fpv_any_lane(struct jit *j, unsigned fmt, int x);
/// As fp_check, for all lanes.
unsigned fpv_check(struct jit *j, unsigned fmt, int x, bool tiny);
/// Ends an instruction whose result is in x, unless cc holds.
int fpv_finish(struct jit *j, const struct insn *i, int x, unsigned cc);
/// Leaves the instruction to its body when cc holds; the next repair includes this.
static inline void fp_leave_if(struct jit *j, unsigned cc) { j->fz_site[j->fz_count++] = x_jcc(&j->b, cc, NULL); }

#endif
