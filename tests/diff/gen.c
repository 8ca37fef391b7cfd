/// Random cases. A word comes from its row's pattern: letters are random, ignored bits are one (most
/// are "should be one"). Memory instructions get a base register that leads into the window; forms
/// that the architecture leaves CONSTRAINED UNPREDICTABLE are not generated.
#include "gen.h"

const char *const family_names[FAMILY_COUNT] = {"int", "ldst", "fp", "simd"};

static const u8 families[] = {
    FAMILY_INT, /* OP_INVALID */
#define A64(id, pattern, fmt, flags, p, dis) FAMILY_INT,
#include "a64/insn_int.def"
#undef A64
#define A64(id, pattern, fmt, flags, p, dis) FAMILY_LDST,
#include "a64/insn_ldst.def"
#undef A64
#define A64(id, pattern, fmt, flags, p, dis) FAMILY_FP,
#include "a64/insn_fp.def"
#undef A64
#define A64(id, pattern, fmt, flags, p, dis) FAMILY_SIMD,
#include "a64/insn_simd.def"
#undef A64
};
_Static_assert(sizeof families == OP_COUNT, "insn.def includes these four files in this order");

enum family gen_family(enum insn_op op) { return families[op]; }

bool gen_is_testable(enum insn_op op)
{
    switch (op) {
    case OP_INVALID:
    case OP_ERET:
    case OP_SVC:
    case OP_HVC:
    case OP_SMC:
    case OP_BRK:
    case OP_HLT:
    case OP_HINT:
    case OP_WFE:
    case OP_WFI:
    case OP_MSR_i:
    case OP_SYS:
    case OP_SYSL:
    case OP_MSR:
    case OP_MRS:
    case OP_CFINV: return false;
    default: return true;
    }
}

bool gen_word(u64 *rng, enum insn_op op, u32 *word)
{
    const char *p = insn_rows[op].pattern;
    for (int attempt = 0; attempt < 64; attempt++) {
        u32 w = 0, r = (u32)(rng_next(rng) >> 16);
        for (int i = 0; i < 32; i++) {
            u32 b = p[i] == '0' ? 0 : p[i] == '1' || p[i] == '.' ? 1 : r >> i & 1;
            w = w << 1 | b;
        }
        struct insn d;
        insn_decode(w, &d);
        if (d.op == op) {
            *word = w;
            return true;
        }
    }
    return false;
}

static u64 below(u64 *rng, u64 n) { return (rng_next(rng) >> 11) % n; }

/// A general register value: often a corner, seldom uniform.
static u64 random_general(u64 *rng)
{
    u64 r = rng_next(rng);
    switch (below(rng, 6)) {
    case 0: return (u64)sext(r, 1 + (unsigned)below(rng, 64));
    case 1: return 1ULL << (r >> 58);
    case 2: return (1ULL << (r >> 58)) - 1;
    case 3: return ~(1ULL << (r >> 58));
    case 4: {
        static const u64 corners[] = {0, 1, ~0ULL, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
                                      0x8000000000000000, 0x100000000, 0xffffffff80000000};
        return corners[below(rng, ARRAY_LEN(corners))];
    }
    default: return r;
    }
}

/// A floating-point bit pattern of the given width, corners first.
static u64 random_float(u64 *rng, unsigned width)
{
    unsigned frac = width == 64 ? 52 : width == 32 ? 23 : 10, expo = width - 1 - frac;
    u64 r = rng_next(rng), sign = below(rng, 2) << (width - 1), f = r & ((1ULL << frac) - 1);
    u64 bias = (1ULL << (expo - 1)) - 1, e_max = (1ULL << expo) - 1, e;
    switch (below(rng, 8)) {
    case 0: e = 0; break;                                             /* subnormal */
    case 1: e = 0, f = 0; break;                                      /* zero */
    case 2: e = e_max, f = 0; break;                                  /* infinity */
    case 3: e = e_max, f |= f ? 0 : 1; break;                         /* NaN of either kind */
    case 4: e = below(rng, 2) ? e_max - 1 - below(rng, 3) : 1 + below(rng, 3); break; /* edges */
    case 5: e = bias + below(rng, frac + 4), f &= ~((1ULL << below(rng, frac)) - 1); break; /* integers, ties */
    case 6: e = bias - 3 + below(rng, 7); break;
    default: e = below(rng, e_max + 1); break;
    }
    return sign | e << frac | f;
}

/// Numbers of one format, 1 + ulp or 1 - ulp, whose products are often just below the smallest normal number
/// and rounded to it.
static void edge_vector(u64 *rng, unsigned width, uint64_t v[2])
{
    unsigned frac = width == 64 ? 52 : 23;
    u64 bias = (1ULL << (width - 2 - frac)) - 1;
    memset(v, 0, 16);
    for (unsigned at = 0; at < 128; at += width) {
        u64 f = (below(rng, 2) ? 1 : ~1ULL) & ((1ULL << frac) - 1), e = bias - bias / 2 - below(rng, 2);
        v[at / 64] |= (below(rng, 2) << (width - 1) | e << frac | f) << at % 64;
    }
}

static void random_vector(u64 *rng, uint64_t v[2])
{
    unsigned kind = (unsigned)below(rng, 6), width = kind == 0 ? 64 : kind == 1 ? 32 : 16;
    for (unsigned k = 0; k < 2; k++) {
        v[k] = 0;
        if (kind >= 3)
            v[k] = kind == 3 ? random_general(rng) : kind == 4 ? rng_next(rng) : below(rng, 256) * 0x0101010101010101ULL;
        else
            for (unsigned at = 0; at < 64; at += width)
                v[k] |= random_float(rng, width) << at;
    }
}

static void random_state(struct gen *g, struct diff_state *s)
{
    u64 *rng = &g->rng;
    memset(s, 0, sizeof *s);
    for (unsigned r = 0; r < 31; r++)
        s->x[r] = random_general(rng);
    s->sp = WINDOW_BASE + WINDOW_SIZE / 2;
    unsigned edges = below(rng, 8) ? 0 : below(rng, 2) ? 64 : 32;
    for (unsigned r = 0; r < 32; r++)
        if (edges)
            edge_vector(rng, edges, s->v[r]);
        else
            random_vector(rng, s->v[r]);
    s->nzcv = (u32)(rng_next(rng) >> 32) & 0xf0000000u;
    u32 f = (u32)(rng_next(rng) >> 16);
    if (!g->plain_fpcr && below(rng, 4)) {
        s->fpcr = f & (3u << 22); /* RMode */
        s->fpcr |= f & 1 ? 1u << 24 : 0;            /* FZ */
        s->fpcr |= f & 2 ? 1u << 25 : 0;            /* DN */
        s->fpcr |= (f & 12) == 4 ? 1u << 19 : 0;    /* FZ16 */
        s->fpcr |= (f & 0x30) == 0x10 ? 1u << 26 : 0; /* AHP */
    }
    s->fpsr = below(rng, 4) ? 0 : f & 0x0800009f;
    for (unsigned k = 0; k < WINDOW_SIZE; k += 8) {
        u64 v = below(rng, 2) ? rng_next(rng) : random_general(rng);
        memcpy(s->window + k, &v, 8);
    }
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && strcmp(name + n - m, suffix) == 0;
}

/// CONSTRAINED UNPREDICTABLE register choices of memory instructions.
static bool is_unpredictable(const struct insn *i)
{
    unsigned d = i->word & 31, n = i->word >> 5 & 31, m = i->word >> 16 & 31, a = i->word >> 10 & 31;
    u32 f = i->flags;
    bool pair = (f & (AR | AW)) != 0;
    if ((f & NW) && n != 31 && ((!(f & VD) && d == n) || (pair && !(f & VA) && a == n)))
        return true;
    if ((f & LD) && pair && !(f & ST) && d == a)
        return true;
    if ((f & MW) && (f & ST) && !(f & LD) && (m == n || m == d || (pair && m == a))) /* store exclusive */
        return true;
    return false;
}

/// Registers of a straight piece: small indices, bases into the window that stay aligned (qemu-user
/// does not check the alignment of atomics), bases that writeback moves.
enum { LOOP_COUNTER = 21, INDEX_FIRST = 22, INDEX_LAST = 23, FIXED_FIRST = 24, FIXED_LAST = 25, BASE_FIRST = 26, BASE_LAST = 28 };

static bool clobbers_reserved(const struct insn *i)
{
    unsigned d = i->word & 31, m = i->word >> 16 & 31, a = i->word >> 10 & 31;
    u32 f = i->flags;
#define RESERVED(r) ((r) >= LOOP_COUNTER && ((r) <= BASE_LAST || (r) == 31))
    if (i->op == OP_CASPw || i->op == OP_CASPx)
        return true;
    return ((f & DW) && !(f & VD) && (RESERVED(d) && (d != 31 || (f & DSP)))) || ((f & AW) && !(f & VA) && RESERVED(a)) ||
           ((f & MW) && RESERVED(m));
#undef RESERVED
}

static u32 with_field(u32 w, unsigned lo, unsigned width, u64 v)
{
    u32 mask = (u32)((1ULL << width) - 1) << lo;
    return (w & ~mask) | ((u32)v << lo & mask);
}

/// Points a PC-relative load at the window.
static u32 aim_literal(u64 *rng, u32 w, u64 pc)
{
    u64 target = WINDOW_BASE + below(rng, (WINDOW_SIZE - 16) / 4) * 4;
    return with_field(w, 5, 19, (target - pc) >> 2);
}

/// Sends a branch forward, to one of the words after it that are still in the case.
static u32 aim_branch(u64 *rng, u32 w, const struct insn *i, unsigned at, struct diff_state *s, u64 pc)
{
    u64 words = 1 + below(rng, CASE_WORDS - 1 - at), n = w >> 5 & 31;
    switch (insn_rows[i->op].fmt) {
    case FMT_BR26: return with_field(w, 0, 26, below(rng, 8) ? words : (rng_next(rng) | 1u << 25) & ~(1u << 24));
    case FMT_BR19: return with_field(w, 5, 19, words);
    case FMT_TB14: return with_field(w, 5, 14, words);
    default:
        if (s != NULL && n != 31)
            s->x[n] = below(rng, 4) ? pc + words * 4 : random_general(rng) & ~3ULL; /* qemu checks the map first */
        return w;
    }
}

/// Gives a memory instruction's base (and index) a value that leads to a random place in the window.
static void aim_memory(u64 *rng, const struct insn *i, struct diff_state *s)
{
    const struct insn_row *row = &insn_rows[i->op];
    unsigned n = i->word >> 5 & 31, m = i->word >> 16 & 31;
    u64 target = WINDOW_BASE + 64 + below(rng, WINDOW_SIZE - 192), offset = 0;
    bool post = has_suffix(row->name, "_po");
    if (row->fmt == FMT_NONE) /* exclusives, atomics, ordered: aligned, to the pair */
        target &= ~15ULL;
    if (!post && (row->fmt == FMT_UIMM || row->fmt == FMT_S9 || row->fmt == FMT_S7))
        offset = i->imm;
    if (row->fmt == FMT_REGOFF && m != n) {
        unsigned option = (unsigned)(i->imm >> 8) & 7;
        if (m != 31) {
            s->x[m] = below(rng, 2) ? (u64)sext(rng_next(rng), 20) : random_general(rng);
            offset = option == 2 ? (u32)s->x[m] : option == 6 ? (u64)sext(s->x[m], 32) : s->x[m];
        }
        offset <<= i->imm & 7;
    }
    u64 base = target - offset;
    if (n == 31)
        s->sp = base & ~15ULL;
    else
        s->x[n] = base | (below(rng, 8) ? 0 : below(rng, 256) << 56); /* the top byte is ignored */
}

static void gen_single(struct gen *g, u64 pc, u32 *words, struct diff_state *s)
{
    for (;;) {
        enum insn_op op = g->ops[below(&g->rng, g->op_count)];
        u32 w;
        struct insn i;
        if (!gen_word(&g->rng, op, &w))
            continue;
        insn_decode(w, &i);
        if (insn_rows[op].fmt == FMT_LIT19)
            w = aim_literal(&g->rng, w, pc);
        else if (i.flags & (LD | ST)) {
            if (is_unpredictable(&i))
                continue;
            aim_memory(&g->rng, &i, s);
        } else if (i.flags & BR)
            w = aim_branch(&g->rng, w, &i, 0, s, pc);
        words[0] = w;
        return;
    }
}

/// True for STXR and its kin, whose effect depends on a load-exclusive before.
static bool is_store_exclusive(u32 flags) { return (flags & (MW | ST | LD)) == (MW | ST); }

/// The store half of the exclusive at before, to the same address. ret  false: it is not one.
static bool pair_exclusive(u64 *rng, u32 before, u32 *out)
{
    struct insn i;
    u32 w = with_field(before & ~(1u << 22), 16, 5, below(rng, LOOP_COUNTER));
    w = with_field(w, 0, 5, below(rng, 32));
    insn_decode(w, &i);
    *out = w;
    return i.op != OP_INVALID && insn_rows[i.op].fmt == FMT_NONE && is_store_exclusive(i.flags) && !is_unpredictable(&i);
}

/// System instructions that a process may use, for the translator's inline forms.
static u32 system_word(u64 *rng)
{
    u32 t = (u32)below(rng, LOOP_COUNTER);
    switch (below(rng, 6)) { /* no DC ZVA: qemu's block is larger */
    case 0: return 0xd53b4200 | t;                  /* mrs xt, nzcv */
    case 1: return 0xd51b4200 | t;                  /* msr nzcv, xt */
    case 2: return 0xd53b4400 | t;                  /* mrs xt, fpcr */
    case 3: return 0xd53b4420 | t;                  /* mrs xt, fpsr */
    case 4: return 0xd500401f;                      /* cfinv */
    default: return 0xd503201f | t << 5;            /* hints; wfe and wfi continue */
    }
}

/// Uses only v0..v7, so that results meet again.
static u32 narrow_vectors(u32 w, u32 flags)
{
    static const struct {
        u32 flag;
        unsigned lo;
    } fields[] = {{VD, 0}, {VN, 5}, {VM, 16}, {VA, 10}};
    for (unsigned k = 0; k < ARRAY_LEN(fields); k++)
        if (flags & fields[k].flag)
            w &= ~(24u << fields[k].lo);
    return w;
}

static u32 word3(enum insn_op op, unsigned d, unsigned n, unsigned m)
{
    u32 mask, value;
    insn_row_bits(op, &mask, &value);
    return value | 1u << 30 | m << 16 | n << 5 | d; /* Q = 1 where it is free */
}

/// The sequences that ciphers are made of, which a translator may join: rounds of AES on one
/// register, and both halves of SHA256 rounds. ret  words written over the first.
static unsigned crypto_sequence(u64 *rng, u32 first, u32 *words, unsigned room)
{
    struct insn i;
    unsigned count = 1;
    insn_decode(first, &i);
    if ((i.op == OP_AESE || i.op == OP_AESD) && below(rng, 4)) {
        enum insn_op mix = i.op == OP_AESE ? OP_AESMC : OP_AESIMC;
        while (count + 2 <= room && below(rng, 4)) {
            words[count++] = word3(mix, i.rd, below(rng, 8) ? i.rd : i.rn, 0);
            words[count++] = word3(i.op, i.rd, (unsigned)below(rng, 8), 0);
        }
        if (count < room)
            words[count++] = word3(OP_EOR_v, below(rng, 4) ? i.rd : 9, (unsigned)below(rng, 8), i.rd);
    } else if (i.op == OP_SHA256H && room >= 4 && below(rng, 4)) {
        unsigned copy = below(rng, 4) ? 9 : (unsigned)below(rng, 8);
        bool from_copy = below(rng, 2);
        words[0] = from_copy ? word3(OP_ORR_v, i.rd, copy, copy) : word3(OP_ORR_v, copy, i.rd, i.rd);
        if (below(rng, 2))
            words[count++] = word3(OP_ADD_v, (unsigned)below(rng, 16), copy, i.rd);
        words[count++] = first;
        words[count++] = word3(OP_SHA256H2, i.rn, copy, below(rng, 8) ? i.rm : i.rn);
    }
    return count;
}

/// Scalar arithmetic in one format on few registers, which a translator may test together. ret  words
static unsigned fp_sequence(u64 *rng, u32 *words, unsigned room)
{
    static const u16 ops[] = {OP_FADD_s, OP_FSUB_s, OP_FMUL_s, OP_FDIV_s, OP_FNMUL_s, OP_FSQRT_s, OP_FMADD_s, OP_FMSUB_s, OP_FNMADD_s,
                              OP_FNMSUB_s, OP_FMOV_s, OP_FABS_s, OP_FNEG_s, OP_FMUL_s, OP_FMADD_s};
    unsigned n = 1 + (unsigned)below(rng, room), from = (unsigned)below(rng, 25), is_double = (unsigned)below(rng, 2);
    for (unsigned k = 0; k < n; k++) {
        u32 mask, value;
        insn_row_bits((enum insn_op)ops[below(rng, ARRAY_LEN(ops))], &mask, &value);
        for (unsigned lo = 0; lo < 20; lo += 5) /* rd, rn, ra, rm */
            if (!(mask >> (lo == 15 ? 16 : lo) & 31))
                value = with_field(value, lo == 15 ? 16 : lo, 5, from + below(rng, 7));
        if (below(rng, 16))
            value |= is_double << 22;
        words[k] = value;
    }
    return n;
}

/// A comparison, or CCMPs with a branch behind: what they mean together is decided when they are translated.
/// ret  the number of words, at most room.
static unsigned flag_sequence(struct gen *g, unsigned at, u32 *words, unsigned room)
{
    static const u16 compares[] = {OP_SUBS_i, OP_ADDS_i, OP_ANDS_i, OP_SUBS_r, OP_ADDS_r, OP_ANDS_r};
    static const u16 chain[] = {OP_CCMP_i, OP_CCMP_r, OP_CCMN_i, OP_CCMN_r};
    unsigned n = 0, links = (unsigned)below(&g->rng, 4);
    struct insn i;
    if (links == 0 || links + 1 > room) {
        while (!gen_word(&g->rng, compares[below(&g->rng, ARRAY_LEN(compares))], &words[0]))
            continue;
        words[0] = with_field(words[0], 0, 5, 31);
        return 1;
    }
    while (n < links) {
        if (!gen_word(&g->rng, chain[below(&g->rng, ARRAY_LEN(chain))], &words[n]))
            continue;
        if (below(&g->rng, 2)) /* registers that are often equal or zero: conditions of every kind */
            words[n] = with_field(words[n], 5, 5, INDEX_FIRST);
        n++;
    }
    do
        while (!gen_word(&g->rng, OP_Bcond, &words[n]))
            continue;
    while ((words[n] & 15) >= 14);
    insn_decode(words[n], &i);
    words[n] = aim_branch(&g->rng, words[n], &i, at + n, NULL, 0);
    return n + 1;
}

/// An instruction that fits at position `at` of a straight piece. ret  false: try another.
static bool piece_word(struct gen *g, u64 pc, unsigned at, bool is_narrow, u32 *out)
{
    enum insn_op op = g->ops[below(&g->rng, g->op_count)];
    const struct insn_row *row = &insn_rows[op];
    u32 w;
    struct insn i;
    if (!gen_word(&g->rng, op, &w))
        return false;
    if (is_narrow)
        w = narrow_vectors(w, row->flags);
    if (row->fmt == FMT_LIT19)
        w = aim_literal(&g->rng, w, pc + at * 4);
    else if (row->flags & (LD | ST)) {
        w = with_field(w, 5, 5, row->fmt == FMT_NONE ? FIXED_FIRST + below(&g->rng, 2) : BASE_FIRST + below(&g->rng, 3));
        if (row->fmt == FMT_REGOFF)
            w = with_field(w, 16, 5, INDEX_FIRST + below(&g->rng, INDEX_LAST - INDEX_FIRST + 1));
        if (row->fmt == FMT_UIMM)
            w = with_field(w, 10, 12, below(&g->rng, 16));
        if ((row->flags & NW) && strchr(row->pattern, 'm') != NULL) /* post-index by a register */
            w = with_field(w, 16, 5, below(&g->rng, 2) ? 31 : INDEX_FIRST + below(&g->rng, 2));
    } else if (row->flags & BR) {
        if (row->fmt == FMT_NONE)
            return false;
        insn_decode(w, &i);
        w = aim_branch(&g->rng, w, &i, at, NULL, 0);
    }
    insn_decode(w, &i);
    *out = w;
    return i.op == op && !is_store_exclusive(i.flags) && !is_unpredictable(&i) && !clobbers_reserved(&i);
}

void gen_case(struct gen *g, u32 slot, unsigned length_max, u32 *words, struct diff_state *s)
{
    random_state(g, s);
    s->pc = CODE_BASE + (u64)slot * CASE_WORDS * 4;
    for (unsigned k = 0; k < CASE_WORDS; k++)
        words[k] = 0xd4200000;
    if (length_max == 1) {
        gen_single(g, s->pc, words, s);
        return;
    }
    for (unsigned r = FIXED_FIRST; r <= BASE_LAST; r++)
        s->x[r] = WINDOW_BASE + WINDOW_SIZE / 4 + below(&g->rng, WINDOW_SIZE / 32) * 16;
    for (unsigned r = INDEX_FIRST; r <= INDEX_LAST; r++)
        s->x[r] = below(&g->rng, 16);
    unsigned length = 2 + (unsigned)below(&g->rng, length_max - 1);
    bool is_narrow = below(&g->rng, 2), is_loop = below(&g->rng, 4) == 0;
    unsigned first = 0;
    g->has_fp = false;
    for (unsigned k = 0; k < g->op_count && !g->has_fp; k++)
        g->has_fp = gen_family((enum insn_op)g->ops[k]) == FAMILY_FP;
    if (is_loop) { /* counted at the top, which no branch of a piece can pass over */
        s->x[LOOP_COUNTER] = 1 + below(&g->rng, below(&g->rng, 3) ? 4 : 20);
        words[first++] = GEN_LOOP_TOP;
        length = length < CASE_WORDS - 2 ? length + 1 : CASE_WORDS - 2;
        words[length] = with_field(0xb5000000 | LOOP_COUNTER, 5, 19, 0 - (u64)length); /* cbnz x21, top */
    }
    for (unsigned at = first; at < length;) {
        u32 w;
        if (at > first && below(&g->rng, 4) && pair_exclusive(&g->rng, words[at - 1], &w))
            words[at++] = w;
        else if (g->has_fp && below(&g->rng, 12) == 0)
            at += fp_sequence(&g->rng, &words[at], length - at);
        else if (below(&g->rng, 24) == 0)
            words[at++] = system_word(&g->rng);
        else if (below(&g->rng, 12) == 0)
            at += flag_sequence(g, at, &words[at], length - at);
        else if (piece_word(g, s->pc, at, is_narrow, &words[at]))
            at += is_narrow ? crypto_sequence(&g->rng, words[at], &words[at], length - at) : 1;
    }
}
