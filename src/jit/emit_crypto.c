/// Emission of AES, SHA1, SHA256 and SHA3 instructions on AES-NI and the SHA extensions.
///
/// AESE is xor, SubBytes, ShiftRows; x86 xors its key last, so the key of one round is the
/// operand of the round before: a run AESE, AESMC, AESE, AESMC, ... on one register becomes one
/// aesenc for each pair. SHA256H and SHA256H2 compute the same four rounds; a pair that shares its
/// inputs becomes one computation.
#include "jit/emit_simd.h"

static const struct insn *next_insn(const struct jit *j, unsigned ahead)
{
    return j->k + ahead < j->n ? &j->in[j->k + ahead] : NULL;
}

/* AES. */

struct aes_ops {
    u16 add_key, mix; ///< AESE, AESMC or AESD, AESIMC
    u32 round, last;
};
static const struct aes_ops aes_encrypt = {OP_AESE, OP_AESMC, XV_AESENC, XV_AESENCLAST};

static bool is_on(const struct insn *i, unsigned op, unsigned d) { return i != NULL && i->op == op && i->rd == d; }

/// AESE and what follows it on the same register, as one sequence in X2.
static int emit_AESE(struct jit *j, const struct insn *i)
{
    const struct aes_ops *o = &aes_encrypt;
    const struct insn *mix, *key;
    unsigned reg = i->rd;
    if (!j->cpu.aes)
        return 0;
    int d = simd_d(j, i), state = jit_vread(j, reg, X2);
    v3m(j, XV_PXOR, X2, state, simd_rm(j, i->rn));
    for (;;) {
        mix = next_insn(j, 1);
        if (!is_on(mix, o->mix, reg) || mix->rn != reg)
            break;
        key = next_insn(j, 2);
        bool chained = is_on(key, o->add_key, reg) && key->rn != reg;
        j->k += chained ? 2 : 1;
        v3m(j, o->round, chained ? X2 : d, X2, chained ? simd_rm(j, key->rn) : simd_k(j, SK_ZERO));
        if (!chained)
            return simd_finish_clean(j, i, d);
    }
    key = next_insn(j, 1); /* EOR Vreg, Vreg, Vkey of the last round */
    bool has_key = is_on(key, OP_EOR_v, reg) && simd_q(key->word) && (key->rn == reg) != (key->rm == reg);
    xrm last = simd_k(j, SK_ZERO);
    if (has_key) {
        j->k++;
        last = simd_rm(j, key->rn == reg ? key->rm : key->rn);
    }
    v3m(j, o->last, d, X2, last);
    return simd_finish_clean(j, i, d);
}
/// The equivalent inverse cipher of x86 mixes keys differently: AESD and AESIMC stay separate.
static int emit_AESD(struct jit *j, const struct insn *i)
{
    if (!j->cpu.aes)
        return 0;
    int d = simd_d(j, i), state = jit_vread(j, i->rd, X2);
    v3m(j, XV_PXOR, X2, state, simd_rm(j, i->rn));
    const struct insn *mix = next_insn(j, 1);
    bool both = is_on(mix, OP_AESIMC, i->rd) && mix->rn == i->rd;
    j->k += both;
    v3m(j, both ? XV_AESDEC : XV_AESDECLAST, d, X2, simd_k(j, SK_ZERO));
    return simd_finish_clean(j, i, d);
}
/// MixColumns alone: undo the last round's SubBytes and ShiftRows first.
static int emit_AESMC(struct jit *j, const struct insn *i)
{
    if (!j->cpu.aes)
        return 0;
    int n = simd_n(j, i), d = simd_d(j, i);
    v3m(j, XV_AESDECLAST, X2, n, simd_k(j, SK_ZERO));
    v3m(j, XV_AESENC, d, X2, simd_k(j, SK_ZERO));
    return simd_finish_clean(j, i, d);
}
static int emit_AESIMC(struct jit *j, const struct insn *i)
{
    if (!j->cpu.aes)
        return 0;
    xrm n = simd_rm(j, i->rn);
    int d = simd_d(j, i);
    v3m(j, XV_AESIMC, d, 0, n);
    return simd_finish_clean(j, i, d);
}

/* SHA256. The Arm registers are {a b c d} and {e f g h}, lane 0 first; x86 wants {f e b a} and
 * {h g d c}: one shuffle of both each way, since they are on the path from round to round. The SHA
 * instructions have only their two-operand legacy form, with xmm0 implied. */

enum { SHA256_OUTER = 0xbb, SHA256_INNER = 0x11 }; ///< elements 3 2 and 1 0 of either operand

static void sha(struct jit *j, u32 op, int d, int s) { x_rr(&j->b, op, d, s); }

/// Four rounds from abcd and efgh (registers X1, X2 or homes) with the words of m.
/// out  X1 {f e b a}, X3 {h g d c}.
static void sha256_rounds(struct jit *j, int abcd, int efgh, unsigned m)
{
    v3i(j, XV_SHUFPS, X3, efgh, abcd, SHA256_OUTER);
    v3i(j, XV_SHUFPS, X1, efgh, abcd, SHA256_INNER);
    int w = jit_vread(j, m, X0);
    if (w != X0)
        v2(j, XV_MOVAPS, X0, w);
    sha(j, XS_SHA256RNDS2, X3, X1); /* X3: febA after two rounds; X1: their hgdc */
    v2i(j, XV_PSHUFD, X0, X0, 0xee);
    sha(j, XS_SHA256RNDS2, X1, X3);
}
/// abcd or efgh out of the result of sha256_rounds, into d.
static void sha256_part(struct jit *j, int d, bool upper)
{
    v3i(j, XV_SHUFPS, d, X1, X3, upper ? SHA256_OUTER : SHA256_INNER);
}

/// Whether registers t and a hold the same before instruction k, through a MOV (ORR with equal
/// sources) from one to the other shortly before.
static bool is_copy_of(const struct jit *j, unsigned t, unsigned a)
{
    for (unsigned back = 1; back <= 6 && back <= j->k; back++) {
        const struct insn *p = &j->in[j->k - back];
        bool is_mov = p->op == OP_ORR_v && simd_q(p->word) && p->rn == p->rm;
        if (is_mov && ((p->rd == t && p->rn == a) || (p->rd == a && p->rn == t)))
            return true;
        if (p->flags & (BR | END) || ((p->flags & LD) && (p->flags & VD)))
            return false;
        if ((p->flags & VD) && (p->flags & DW) && (p->rd == t || p->rd == a))
            return false;
    }
    return false;
}

static int emit_SHA256H(struct jit *j, const struct insn *i)
{
    if (!j->cpu.sha)
        return 0;
    const struct insn *h2 = next_insn(j, 1);
    unsigned abcd = i->rd, efgh = i->rn;
    bool both = h2 != NULL && h2->op == OP_SHA256H2 && h2->rd == efgh && h2->rm == i->rm &&
                abcd != efgh && i->rm != abcd && h2->rn != abcd && h2->rn != efgh &&
                is_copy_of(j, h2->rn, abcd);
    sha256_rounds(j, jit_vread(j, abcd, X1), jit_vread(j, efgh, X2), i->rm);
    int d = jit_vwrite(j, abcd, X2);
    sha256_part(j, d, true);
    jit_vdone(j, abcd, d);
    if (both) {
        d = jit_vwrite(j, efgh, X2);
        sha256_part(j, d, false);
        jit_vdone(j, efgh, d);
        j->k++;
    }
    return 1;
}
static int emit_SHA256H2(struct jit *j, const struct insn *i)
{
    if (!j->cpu.sha)
        return 0;
    sha256_rounds(j, jit_vread(j, i->rn, X1), jit_vread(j, i->rd, X2), i->rm);
    int d = simd_d(j, i);
    sha256_part(j, d, false);
    return simd_finish_clean(j, i, d);
}
static int emit_SHA256SU0(struct jit *j, const struct insn *i)
{
    if (!j->cpu.sha)
        return 0;
    int n = simd_n(j, i), d = simd_d(j, i), old = jit_vread(j, i->rd, X2);
    if (n == d && old == d)
        v2(j, XV_MOVAPS, X0, n), n = X0;
    if (old != d)
        v2(j, XV_MOVAPS, d, old);
    sha(j, XS_SHA256MSG1, d, n);
    return simd_finish_clean(j, i, d);
}
static int emit_SHA256SU1(struct jit *j, const struct insn *i)
{
    if (!j->cpu.sha)
        return 0;
    int m = simd_m(j, i);
    xrm n = simd_rm(j, i->rn);
    x_vi(&j->b, XV_PALIGNR, X2, m, n, 4);
    v3m(j, XV_PADDD, X2, X2, simd_rm(j, i->rd));
    sha(j, XS_SHA256MSG2, X2, m);
    return simd_finish_clean(j, i, X2);
}

/* SHA1: sha1rnds4 wants the lanes reversed, e added to the first word, and adds K itself. */

static int sha1_rounds(struct jit *j, const struct insn *i, unsigned function, enum simd_const k)
{
    if (!j->cpu.sha)
        return 0;
    int m = simd_m(j, i), n = simd_n(j, i);
    v3m(j, XV_PSUBD, X1, m, simd_k(j, k));
    v2i(j, XV_PSHUFD, X1, X1, 0x1b);
    v_bytes_left(j, X0, n, 12);
    v3(j, XV_PADDD, X1, X1, X0);
    v2i(j, XV_PSHUFD, X2, jit_vread(j, i->rd, X2), 0x1b);
    x_op(&j->b, XS_SHA1RNDS4, X2, xr(X1), 1);
    x_u8(&j->b, function);
    int d = simd_d(j, i);
    v2i(j, XV_PSHUFD, d, X2, 0x1b);
    return simd_finish_clean(j, i, d);
}
static int emit_SHA1C(struct jit *j, const struct insn *i) { return sha1_rounds(j, i, 0, SK_SHA1_K0); }
static int emit_SHA1P(struct jit *j, const struct insn *i) { return sha1_rounds(j, i, 1, SK_SHA1_K1); }
static int emit_SHA1M(struct jit *j, const struct insn *i) { return sha1_rounds(j, i, 2, SK_SHA1_K2); }

/// d <- a rotated left by n, words. Uses X3; d must not be a.
static void rotate_words(struct jit *j, int d, int a, unsigned n)
{
    x_vshift_i(&j->b, XV_PSHIFT_D, 6, d, a, n);
    x_vshift_i(&j->b, XV_PSHIFT_D, 2, X3, a, 32 - n);
    v3(j, XV_POR, d, d, X3);
}
static int emit_SHA1H(struct jit *j, const struct insn *i)
{
    rotate_words(j, X2, simd_n(j, i), 30);
    v3m(j, XV_PAND, X2, X2, simd_k(j, SK_LOW_S));
    return simd_finish_clean(j, i, X2);
}
static int emit_SHA1SU0(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), old = jit_vread(j, i->rd, X2), d = simd_d(j, i);
    x_vi(&j->b, XV_PALIGNR, X3, n, xr(old), 8);
    v3(j, XV_PXOR, X3, X3, old);
    v3m(j, XV_PXOR, d, X3, simd_rm(j, i->rm));
    return simd_finish_clean(j, i, d);
}
static int emit_SHA1SU1(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i);
    v_bytes_right(j, X0, n, 4);
    v3m(j, XV_PXOR, X0, X0, simd_rm(j, i->rd));
    rotate_words(j, X2, X0, 1);
    v_bytes_left(j, X1, X0, 12);
    rotate_words(j, X0, X1, 2);
    v3(j, XV_PXOR, X2, X2, X0);
    return simd_finish_clean(j, i, X2);
}

/* SHA3. */

static int emit_EOR3(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    v3m(j, XV_PXOR, X3, n, simd_rm(j, i->rm));
    v3m(j, XV_PXOR, d, X3, simd_rm(j, i->ra));
    return simd_finish_clean(j, i, d);
}
static int emit_BCAX(struct jit *j, const struct insn *i)
{
    int a = jit_vread(j, i->ra, X1), d = simd_d(j, i);
    v3m(j, XV_PANDN, X3, a, simd_rm(j, i->rm));
    v3m(j, XV_PXOR, d, X3, simd_rm(j, i->rn));
    return simd_finish_clean(j, i, d);
}
/// X2 <- a rotated left by n, doublewords.
static void rotate_doubles(struct jit *j, int a, unsigned n)
{
    x_vshift_i(&j->b, XV_PSHIFT_Q, 2, X3, a, 64 - n);
    x_vshift_i(&j->b, XV_PSHIFT_Q, 6, X2, a, n);
    v3(j, XV_POR, X2, X2, X3);
}
static int emit_RAX1(struct jit *j, const struct insn *i)
{
    rotate_doubles(j, simd_m(j, i), 1);
    int d = simd_d(j, i);
    v3m(j, XV_PXOR, d, X2, simd_rm(j, i->rn));
    return simd_finish_clean(j, i, d);
}
static int emit_XAR(struct jit *j, const struct insn *i)
{
    unsigned right = (unsigned)bits(i->word, 15, 10);
    int n = simd_n(j, i);
    v3m(j, XV_PXOR, X0, n, simd_rm(j, i->rm));
    if (right)
        rotate_doubles(j, X0, 64 - right);
    return simd_finish_clean(j, i, right ? X2 : X0);
}

/* CRC32 with the IEEE polynomial, bit-reflected: a Barrett reduction of 64 bits. The quotient by P
 * is the low half of a product with floor(x^95 / P); the remainder is the high half of its product
 * with P. Shorter data stand at the top, and what they do not reach of the old value is added. */

static int emit_CRC32(struct jit *j, const struct insn *i)
{
    unsigned width = 8u << i->p;
    if (!j->cpu.pclmul || !j->cpu.sse42)
        return 0;
    if (i->rd == REG_SINK)
        return 1;
    x_v(&j->b, XV_MOVD, X0, 0, xr(jit_xread(j, i->rn, RAX)));
    x_v(&j->b, XV_MOVD | (width == 64 ? XW : 0), X1, 0, xr(jit_xread(j, i->rm, RDX)));
    if (width < 32)
        x_vshift_i(&j->b, XV_PSHIFT_Q, 2, X3, X0, width);
    v3(j, XV_PXOR, X0, X0, X1);
    if (width < 64)
        x_vshift_i(&j->b, XV_PSHIFT_Q, 6, X0, X0, 64 - width);
    xrm k = simd_const128(j, 0xb4e5b025f7011641, 0x1db710641);
    x_vi(&j->b, XV_PCLMULQDQ, X0, X0, k, 0x00);
    x_vi(&j->b, XV_PCLMULQDQ, X0, X0, k, 0x10);
    if (width < 32) {
        v_bytes_right(j, X0, X0, 8);
        v3(j, XV_PXOR, X0, X0, X3);
    }
    int d = jit_xwrite(j, i->rd, RAX);
    if (width < 32)
        x_v(&j->b, XV_MOVD_ST, X0, 0, xr(d));
    else
        x_vi(&j->b, XV_PEXTRD, X0, 0, xr(d), 2);
    jit_xdone(j, i->rd, d);
    return 1;
}

void simd_init_crypto(jit_emit_fn **t)
{
    t[OP_CRC32B] = t[OP_CRC32H] = t[OP_CRC32W] = t[OP_CRC32X] = emit_CRC32;
    t[OP_AESE] = emit_AESE;
    t[OP_AESD] = emit_AESD;
    t[OP_AESMC] = emit_AESMC;
    t[OP_AESIMC] = emit_AESIMC;
    t[OP_SHA256H] = emit_SHA256H;
    t[OP_SHA256H2] = emit_SHA256H2;
    t[OP_SHA256SU0] = emit_SHA256SU0;
    t[OP_SHA256SU1] = emit_SHA256SU1;
    t[OP_SHA1C] = emit_SHA1C;
    t[OP_SHA1P] = emit_SHA1P;
    t[OP_SHA1M] = emit_SHA1M;
    t[OP_SHA1H] = emit_SHA1H;
    t[OP_SHA1SU0] = emit_SHA1SU0;
    t[OP_SHA1SU1] = emit_SHA1SU1;
    t[OP_EOR3] = emit_EOR3;
    t[OP_BCAX] = emit_BCAX;
    t[OP_RAX1] = emit_RAX1;
    t[OP_XAR] = emit_XAR;
}
