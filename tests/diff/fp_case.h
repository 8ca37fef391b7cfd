/// Random machine states for floating-point tests, the same on the host and in the guest program.
#ifndef FP_CASE_H
#define FP_CASE_H

#include <stdint.h>
#include <string.h>

enum { FP_CASE_V = 8, FP_CASE_X = 4 };

/// Input of one execution. Vector registers 0..7 and general registers 0..3 are used.
struct fp_case {
    uint64_t v[FP_CASE_V][2];
    uint64_t x[FP_CASE_X];
    uint64_t fpcr, fpsr, nzcv;
};
/// What it left behind: the destination as a vector and as a general register.
struct fp_result {
    uint64_t v[2], x;
    uint32_t fpsr, nzcv;
};
/// One instruction word, run `count` times with the states of seed, seed + 1, ...
struct fp_job {
    uint32_t word, count;
    uint64_t seed;
};

static inline uint64_t fp_rand(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/// A number of 16 << k bits, biased to the corners.
static inline uint64_t fp_rand_number(unsigned k, uint64_t *s)
{
    static const unsigned ebits[3] = {5, 8, 11}, fbits[3] = {10, 23, 52};
    unsigned eb = ebits[k], fb = fbits[k];
    uint64_t r = fp_rand(s), q = fp_rand(s), emax = (1ULL << eb) - 1, bias = emax >> 1;
    uint64_t fmask = (1ULL << fb) - 1, sign = (r >> 8 & 1) << (eb + fb), e, f;
    switch (r & 7) {
    case 0: /* 0, 1, maximum, infinity or NaN */
        e = (r >> 9 & 3) == 0 ? 0 : (r >> 9 & 3) == 1 ? 1 : (r >> 9 & 3) == 2 ? emax - 1 : emax;
        break;
    case 1:
    case 2: /* near 1 */
        e = bias - 4 + (r >> 9 & 7);
        break;
    case 3: /* near the limits of the integers */
        e = bias + ((r >> 9 & 1) ? 28 : (r >> 10 & 1) ? 60 : 12) + (r >> 11 & 7);
        break;
    case 4: /* near the ends */
        e = (r >> 9 & 1) ? (r >> 10 & 31) : emax - (r >> 10 & 31);
        break;
    default: e = r >> 9; break;
    }
    switch (r >> 32 & 7) {
    case 0: f = 0; break;
    case 1: f = 1ULL << (q % fb); break;
    case 2: f = fmask & ~(q & q >> 20 & q >> 40); break;
    case 3: f = (q & 0xff) << (fb - 8); break;
    case 4: f = fmask - (q & 3); break;
    case 5: f = (q & 3) | (q >> 8 & 1) << (fb - 1); break;
    default: f = q; break;
    }
    return sign | (e & emax) << fb | (f & fmask);
}

static inline void fp_rand_vector(uint64_t *v, uint64_t *s)
{
    uint64_t r = fp_rand(s);
    if ((r & 15) == 0) {
        v[0] = fp_rand(s);
        v[1] = fp_rand(s);
        return;
    }
    unsigned k = (unsigned)(r >> 4) % 3;
    v[0] = v[1] = 0;
    for (unsigned e = 0; e < 8u >> k; e++) {
        uint64_t n = fp_rand_number(k, s);
        v[e * (16u << k) / 64] |= n << (e * (16u << k) % 64);
    }
}

static inline void fp_case_make(struct fp_case *c, uint64_t seed)
{
    uint64_t s = seed * 0xd1342543de82ef95ULL, r = fp_rand(&s);
    for (unsigned k = 0; k < FP_CASE_V; k++)
        fp_rand_vector(c->v[k], &s);
    if ((r & 7) == 0) { /* close operands, for cancellation */
        c->v[1][0] = c->v[0][0] + (r >> 8 & 3);
        c->v[3][0] = c->v[2][0] ^ 1ULL << 63 ^ 1ULL << 31 ^ (r >> 10 & 1) << 63;
    }
    for (unsigned k = 0; k < FP_CASE_X; k++) {
        uint64_t n = fp_rand(&s); /* before the next: the order of two calls in one expression is free */
        c->x[k] = n >> (fp_rand(&s) & 63);
        if (r >> (20 + k) & 1)
            c->x[k] = -c->x[k];
    }
    /* FZ16, RMode, FZ, DN, AHP; often the default */
    c->fpcr = (r >> 32 & 1) ? 0 : (r >> 40 & 0xf9) << 19;
    c->fpsr = (r >> 34 & 1) ? 0 : (r >> 50 & 0x9f);
    c->nzcv = (r >> 60) << 28;
}

#endif
