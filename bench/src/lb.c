/* lb - little benchmark: one static binary, many workloads, same source for
 * aarch64 (guest) and x86-64 (native anchor).   usage: lb NAME[,NAME..] [scale%]
 * Output per workload:  RESULT <name> <seconds> <units> <unit> <checksum>
 * Checksums are arch independent where the last column is not "-". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>
#ifdef __aarch64__
#pragma GCC push_options
#pragma GCC target("+crypto+crc")
#include <arm_neon.h>
#include <arm_acle.h>
#pragma GCC pop_options
#define TCRYPTO __attribute__((target("+crypto+crc")))
#else
#include <immintrin.h>
#define TCRYPTO __attribute__((target("aes,sha,sse4.2,ssse3,pclmul")))
#endif
typedef uint64_t u64;
typedef uint32_t u32;
typedef uint8_t u8;
#define NI __attribute__((noinline))
static char *self;
static int pct = 100;
static double units;
static const char *unit = "it";
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static u64 sc(u64 n)
{
    u64 r = n * pct / 100;
    return r ? r : 1;
}
static u64 rs = 88172645463325252ull;
static inline u64 rnd(void)
{
    rs ^= rs << 13;
    rs ^= rs >> 7;
    rs ^= rs << 17;
    return rs;
}
static void die(const char *m)
{
    printf("FAIL %s: %s\n", m, strerror(errno));
    fflush(stdout);
    _exit(1);
}

/* ---------- integer ---------- */
struct node {
    struct node *n;
    int v;
};
static struct node *lmerge(struct node *a, struct node *b)
{
    struct node h, *t = &h;
    while (a && b) {
        if (a->v <= b->v) {
            t->n = a;
            a = a->n;
        } else {
            t->n = b;
            b = b->n;
        }
        t = t->n;
    }
    t->n = a ? a : b;
    return h.n;
}
static NI struct node *lsort(struct node *l)
{
    if (!l || !l->n)
        return l;
    struct node *s = l, *f = l->n;
    while (f && f->n) {
        s = s->n;
        f = f->n->n;
    }
    f = s->n;
    s->n = 0;
    return lmerge(lsort(l), lsort(f));
}
static NI u32 crc16(u32 c, u32 d)
{
    for (int i = 0; i < 16; i++) {
        u32 x = (c ^ d) & 1;
        d >>= 1;
        c >>= 1;
        if (x)
            c ^= 0xa001;
    }
    return c;
}
static NI int state(const char *s)
{
    int st = 0, n = 0;
    for (; *s; s++) {
        char c = *s;
        switch (st) {
        case 0:
            if (c >= '0' && c <= '9')
                st = 1;
            else if (c == '-' || c == '+')
                st = 2;
            else if (c == '.')
                st = 3;
            else {
                st = 0;
                n++;
            }
            break;
        case 1:
            if (c == '.')
                st = 3;
            else if (c == 'e')
                st = 4;
            else if (c < '0' || c > '9') {
                st = 0;
                n += 2;
            }
            break;
        case 2:
            if (c >= '0' && c <= '9')
                st = 1;
            else {
                st = 0;
                n += 3;
            }
            break;
        case 3:
            if (c == 'e')
                st = 4;
            else if (c < '0' || c > '9') {
                st = 0;
                n += 5;
            }
            break;
        case 4:
            if (c == '-' || c == '+' || (c >= '0' && c <= '9'))
                st = 5;
            else
                st = 0;
            break;
        case 5:
            if (c < '0' || c > '9') {
                st = 0;
                n += 7;
            }
        }
    }
    return n + st;
}
static NI u32 intcore(u64 it)
{
    static __thread struct node nd[128];
    static __thread short A[24][24], B[24][24];
    static __thread int C[24][24];
    u32 crc = 0;
    u64 r = 12345;
    static const char *S = "5012 -874 +122 35.54400 .1234500 -110.700 +0.64400 5.500e+3 -.123e-2 "
                           "-87e+832 +0.6e-12 T0.3e-1F -T.T++Tq 1T3.4e4z 34.0e-T^ ";
    for (u64 k = 0; k < it; k++) {
        for (int i = 0; i < 128; i++) {
            r = r * 6364136223846793005ull + 1442695040888963407ull;
            nd[i].v = (r >> 33) & 0xffff;
            nd[i].n = i < 127 ? &nd[i + 1] : 0;
        }
        struct node *l = lsort(nd);
        int s = 0;
        for (; l; l = l->n)
            s = s * 31 + l->v;
        crc = crc16(crc, s);
        for (int i = 0; i < 24; i++)
            for (int j = 0; j < 24; j++) {
                A[i][j] = (short)(i * j + k);
                B[i][j] = (short)(i - j + s);
            }
        for (int i = 0; i < 24; i++)
            for (int j = 0; j < 24; j++) {
                int a = 0;
                for (int q = 0; q < 24; q++)
                    a += A[i][q] * B[q][j];
                C[i][j] = a;
            }
        for (int i = 0; i < 24; i++)
            crc = crc16(crc, C[i][i]);
        crc = crc16(crc, state(S));
    }
    return crc;
}
static u64 b_intcore(void)
{
    units = sc(8000);
    return intcore(units);
}
static NI void qs(u32 *a, long l, long h)
{
    while (l < h) {
        long i = l, j = h;
        u32 p = a[(l + h) / 2];
        while (i <= j) {
            while (a[i] < p)
                i++;
            while (a[j] > p)
                j--;
            if (i <= j) {
                u32 t = a[i];
                a[i] = a[j];
                a[j] = t;
                i++;
                j--;
            }
        }
        if (j - l < h - i) {
            qs(a, l, j);
            l = i;
        } else {
            qs(a, i, h);
            h = j;
        }
    }
}
static u64 b_sort(void)
{
    long n = sc(2000000);
    units = n;
    u32 *a = malloc(n * 4);
    for (long i = 0; i < n; i++)
        a[i] = rnd();
    qs(a, 0, n - 1);
    u64 s = 0;
    for (long i = 0; i < n; i += 97)
        s = s * 31 + a[i];
    free(a);
    return s;
}
static u64 b_hash(void)
{
    u64 n = sc(1500000), m = 1 << 20, s = 0;
    units = n * 2;
    u64 *t = calloc(m, 16);
    for (int ph = 0; ph < 2; ph++) {
        u64 x = 1;
        for (u64 i = 0; i < n; i++) {
            x = x * 6364136223846793005ull + 1;
            u64 k = (x >> 40) | 1, h = k * 0x9E3779B97F4A7C15ull;
            h ^= h >> 29;
            h &= m - 1;
            int c = 0;
            while (t[h * 2] && t[h * 2] != k && c++ < 64)
                h = (h + 1) & (m - 1);
            if (!ph) {
                if (!t[h * 2])
                    t[h * 2] = k;
                t[h * 2 + 1] += i;
            } else
                s += t[h * 2 + 1];
        }
    }
    free(t);
    return s;
}
static u64 chase(u64 n, u64 it)
{
    u32 *a = malloc(n * 4);
    for (u64 i = 0; i < n; i++)
        a[i] = i;
    for (u64 i = n - 1; i > 0; i--) {
        u64 j = rnd() % i;
        u32 t = a[i];
        a[i] = a[j];
        a[j] = t;
    }
    u32 p = 0;
    double t = now();
    for (u64 i = 0; i < it; i++)
        p = a[p];
    units = it;
    (void)t;
    free(a);
    return p;
}
static u64 b_chase_l1(void) { return chase(4096, sc(80000000)); }
static u64 b_chase_32m(void) { return chase(8 << 20, sc(3000000)); }
static u64 b_alu(void)
{
    u64 n = sc(15000000), a = 0x123456789abcdefull, b = 987654321, s = 0;
    units = n;
    for (u64 i = 0; i < n; i++) {
        u64 q = a / (b | 1);
        s += q;
        s ^= __builtin_clzll(a | 1);
        s += (u64)(((unsigned __int128)a * b) >> 64);
        a = (a << 13) | (a >> 51);
        a ^= i;
        b = __builtin_bswap64(b) + s;
        if ((s & 7) == 3)
            b += 5;
        s += (a < b);
        s -= ((int64_t)a < (int64_t)s);
    }
    return s;
}
static u64 b_flags(void)
{
    u64 n = sc(40000000), s = 0;
    u32 a = 1, b = 7;
    units = n;
    for (u64 i = 0; i < n; i++) {
        unsigned __int128 x = ((unsigned __int128)a << 70) + s;
        x += ((unsigned __int128)b << 60) + i;
        s += (u64)(x >> 64);
        int o;
        if (__builtin_add_overflow((int)a, (int)b, &o))
            s++;
        a = a * 1664525 + 1013904223;
        b ^= a >> 7;
        s += a > b ? 3 : 1;
        s -= (int)a > (int)b;
    }
    return s;
}
/* branchy bytecode interpreter, computed goto = indirect branches */
static NI u64 interp(u64 it)
{
    enum { ADD, SUB, XOR, SHL, LDI, JNZ, DEC, MUL, LD, ST, CMPJ, HALT };
    static const u8 P[] = {LDI, 0, 7, LDI, 1, 3, LDI, 2, 200, /*9*/ ADD, 0, 1,
                           XOR, 3, 0, SHL, 3, 1, SUB, 3, 2,   ST,        3, 2,
                           LD,  4, 2, MUL, 4, 1, XOR, 0, 4,   CMPJ,      3, 42,
                           ADD, 3, 4, DEC, 2, 0, JNZ, 2, 9,   HALT,      0, 0};
    static void *L[] = {&&ADD_, &&SUB_, &&XOR_, &&SHL_, &&LDI_,  &&JNZ_,
                        &&DEC_, &&MUL_, &&LD_,  &&ST_,  &&CMPJ_, &&HALT_};
    u64 R[8] = {0}, M[256] = {0}, acc = 0;
    const u8 *p;
#define NX                                                                                         \
    do {                                                                                           \
        p += 3;                                                                                    \
        goto *L[*p];                                                                               \
    } while (0)
    for (u64 k = 0; k < it; k++) {
        p = P;
        goto *L[*p];
    ADD_:
        R[p[1]] += R[p[2]];
        NX;
    SUB_:
        R[p[1]] -= R[p[2]];
        NX;
    XOR_:
        R[p[1]] ^= R[p[2]];
        NX;
    SHL_:
        R[p[1]] = (R[p[1]] << p[2]) | (R[p[1]] >> (64 - p[2]));
        NX;
    LDI_:
        R[p[1]] = p[2];
        NX;
    DEC_:
        R[p[1]]--;
        NX;
    MUL_:
        R[p[1]] *= R[p[2]] | 1;
        NX;
    LD_:
        R[p[1]] = M[R[p[2]] & 255];
        NX;
    ST_:
        M[R[p[2]] & 255] = R[p[1]];
        NX;
    JNZ_:
        if (R[p[1]]) {
            p = P + p[2];
            goto *L[*p];
        }
        NX;
    CMPJ_:
        if (R[p[1]] & 1) {
            p = P + p[2];
            goto *L[*p];
        }
        NX;
    HALT_:
        acc += R[0] ^ R[3];
    }
    return acc;
}
static u64 b_interp(void)
{
    u64 n = sc(20000);
    units = n * 200 * 11;
    return interp(n);
}
#define F(i)                                                                                       \
    static NI u64 vf##i(u64 a, u64 b) { return (a * (2 * i + 3)) ^ (b >> (i + 1)); }
F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) static u64 b_icall(void)
{
    static u64 (*volatile T[])(u64, u64) = {vf0, vf1, vf2, vf3, vf4, vf5, vf6, vf7};
    u64 a = 1, n = sc(25000000);
    units = n;
    for (u64 i = 0; i < n; i++)
        a = T[(a >> 17) & 7](a, i);
    return a;
}
static NI u64 fib(u64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static NI u64 fibr(u64 n, u64 *c)
{
    (*c)++;
    if (n < 2)
        return n;
    u64 a = fibr(n - 1, c);
    __asm__ volatile("" : "+r"(a));
    return a + fibr(n - 2, c);
}
static u64 b_fib(void)
{
    u64 c = 0;
    (void)fib;
    u64 r = 0;
    for (u64 k = 0; k < sc(10); k++)
        r += fibr(32, &c);
    units = c;
    return r;
}
#ifdef __aarch64__
__attribute__((target("branch-protection=pac-ret"))) static NI u64 fibp(u64 n, u64 *c)
{
    (*c)++;
    if (n < 2)
        return n;
    u64 a = fibp(n - 1, c);
    __asm__ volatile("" : "+r"(a)::"x30");
    return a + fibp(n - 2, c);
}
#else
#define fibp fibr
#endif
static u64 b_fib_pac(void)
{
    u64 c = 0, r = 0;
    for (u64 k = 0; k < sc(2); k++)
        r += fibp(28, &c);
    units = c;
    return r;
}
static u64 b_str(void)
{
    size_t n = 1 << 16;
    char *a = malloc(n + 1), *b = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        a[i] = 'a' + rnd() % 26;
    a[n] = 0;
    u64 s = 0, it = sc(1200);
    units = it * n;
    unit = "B";
    for (u64 k = 0; k < it; k++) {
        char *d = b;
        const char *p = a;
        char c;
        while ((c = *p++)) {
            if (c == 'q')
                continue;
            *d++ = c >= 'n' ? c - 13 : c + 13;
            __asm__ volatile("" ::"r"(d) : "memory");
        }
        *d = 0;
        s += d - b;
        for (p = b; *p; p++)
            s = s * 33 + (u8)*p;
    }
    free(a);
    free(b);
    return s;
}
/* ---------- memory ---------- */
static u64 b_memcpy_s(void)
{
    static u8 a[8192], b[8192];
    u64 n = sc(12000000), o = 0;
    unit = "call";
    units = n;
    for (u64 i = 0; i < n; i++) {
        size_t l = (i * 37) & 127;
        memcpy(b + (o & 2047), a + ((o >> 3) & 2047), l);
        o = o * 5 + l + 1;
        __asm__ volatile("" ::: "memory");
    }
    return o;
}
static u64 b_memcpy_l(void)
{
    size_t n = 8 << 20;
    u8 *a = malloc(n), *b = malloc(n);
    memset(a, 1, n);
    memset(b, 2, n);
    u64 it = sc(150);
    units = it * n / 1e6;
    unit = "MB";
    for (u64 i = 0; i < it; i++) {
        memcpy(b, a, n);
        a[i]++;
        __asm__ volatile("" ::: "memory");
    }
    u64 r = b[it / 2];
    free(a);
    free(b);
    return r;
}
static u64 b_memset(void)
{
    size_t n = 8 << 20;
    u8 *a = malloc(n);
    memset(a, 9, n);
    u64 it = sc(300);
    units = it * n / 1e6;
    unit = "MB";
    for (u64 i = 0; i < it; i++) {
        memset(a, (int)i, n);
        __asm__ volatile("" ::: "memory");
    }
    u64 r = a[5];
    free(a);
    return r;
}
static u64 b_stream(void)
{
    size_t n = 2 << 20;
    double *a = malloc(n * 8), *b = malloc(n * 8), *c = malloc(n * 8);
    for (size_t i = 0; i < n; i++) {
        a[i] = 1;
        b[i] = 2;
        c[i] = 0.5;
    }
    u64 it = sc(16);
    units = it * n * 8 * 10 / 1e6;
    unit = "MB";
    for (u64 k = 0; k < it; k++) {
        for (size_t i = 0; i < n; i++)
            c[i] = a[i];
        for (size_t i = 0; i < n; i++)
            b[i] = 3 * c[i];
        for (size_t i = 0; i < n; i++)
            c[i] = a[i] + b[i];
        for (size_t i = 0; i < n; i++)
            a[i] = b[i] * 0.25 + c[i] * 0.0625;
    }
    u64 r = (u64)(a[77] * 1e6);
    free(a);
    free(b);
    free(c);
    return r;
}
/* ---------- FP ---------- */
static u64 b_nbody(void)
{
    struct {
        double x, y, z, u, v, w, m;
    } b[5] = {{0, 0, 0, 0, 0, 0, 39.47},
              {4.84, -1.16, -.10, .606, 2.81, -.02, .037},
              {8.34, 4.12, -4.03, -1.01, 1.81, .008, .011},
              {12.89, -15.11, -.22, 1.08, .868, -.01, .0017},
              {15.37, -25.9, .179, .979, .594, -.034, .002}};
    u64 n = sc(400000);
    units = n;
    for (u64 k = 0; k < n; k++) {
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                double x = b[i].x - b[j].x, y = b[i].y - b[j].y, z = b[i].z - b[j].z,
                       d = x * x + y * y + z * z, g = 0.001 / (d * sqrt(d));
                b[i].u -= x * b[j].m * g;
                b[i].v -= y * b[j].m * g;
                b[i].w -= z * b[j].m * g;
                b[j].u += x * b[i].m * g;
                b[j].v += y * b[i].m * g;
                b[j].w += z * b[i].m * g;
            }
        for (int i = 0; i < 5; i++) {
            b[i].x += .001 * b[i].u;
            b[i].y += .001 * b[i].v;
            b[i].z += .001 * b[i].w;
        }
    }
    u64 r;
    double s = b[0].x + b[3].y;
    memcpy(&r, &s, 8);
    return r;
}
static u64 b_whet(void)
{
    double x = .5, s = 0;
    u64 n = sc(600000);
    units = n;
    for (u64 i = 0; i < n; i++) {
        x = sin(x) * cos(x) + exp(-x);
        s += log(x + 1.5) + sqrt(x + 2) + atan(x) + pow(x + 1, 1.1);
    }
    return (u64)(s * 100 / n);
}
static u64 b_mandel(void)
{
    u64 s = 0;
    int N = sc(600);
    units = N * N;
    for (int y = 0; y < N; y++)
        for (int x = 0; x < N; x++) {
            float cr = x * 3.f / N - 2, ci = y * 2.f / N - 1, r = 0, i = 0;
            int k = 0;
            while (k < 200) {
                float r2 = r * r, i2 = i * i;
                if (r2 + i2 > 4)
                    break;
                i = 2 * r * i + ci;
                r = r2 - i2 + cr;
                k++;
            }
            s += k;
        }
    return s;
}
static u64 b_fpcvt(void)
{
    u64 n = sc(10000000), s = 0;
    double d = 0.5;
    float f = 1;
    units = n;
    for (u64 i = 0; i < n; i++) {
        d += (double)(int64_t)(i * 7 - 3000);
        s += (u64)(int64_t)(d * 0.125);
        f = (float)d;
        if (f > 1e9f)
            d = 1;
        d = fabs(d) + (double)(int)f * 1e-9;
        s ^= (u32)(int)(f * 0.5f);
    }
    return s;
}
typedef float v4f __attribute__((vector_size(16)));
typedef double v2d __attribute__((vector_size(16)));
#ifdef __aarch64__
#define FMA4(c, a, b) vfmaq_f32(c, a, b)
#define FMA2(c, a, b) vfmaq_f64(c, a, b)
#else
#define FMA4(c, a, b) ((c) + (a) * (b))
#define FMA2(c, a, b) ((c) + (a) * (b))
#endif
/* values are small integers so fused == unfused -> same checksum */
static u64 b_sgemm(void)
{
    enum { N = 192 };
    static float A[N][N], B[N][N], C[N][N];
    for (int i = 0; i < N * N; i++) {
        (&A[0][0])[i] = i % 13;
        (&B[0][0])[i] = i % 7;
    }
    u64 it = sc(32);
    units = it * 2.0 * N * N * N / 1e6;
    unit = "MFLOP";
    for (u64 k = 0; k < it; k++)
        for (int i = 0; i < N; i += 2)
            for (int j = 0; j < N; j += 8) {
                v4f c0 = {0}, c1 = c0, c2 = c0, c3 = c0;
                for (int q = 0; q < N; q++) {
                    v4f b0 = *(v4f *)&B[q][j], b1 = *(v4f *)&B[q][j + 4];
                    v4f a0 = A[i][q] - (v4f){0}, a1 = A[i + 1][q] - (v4f){0};
                    c0 = FMA4(c0, a0, b0);
                    c1 = FMA4(c1, a0, b1);
                    c2 = FMA4(c2, a1, b0);
                    c3 = FMA4(c3, a1, b1);
                }
                *(v4f *)&C[i][j] = c0;
                *(v4f *)&C[i][j + 4] = c1;
                *(v4f *)&C[i + 1][j] = c2;
                *(v4f *)&C[i + 1][j + 4] = c3;
            }
    return (u64)(C[5][9] + C[100][33]);
}
static u64 b_dgemm(void)
{
    enum { N = 160 };
    static double A[N][N], B[N][N], C[N][N];
    for (int i = 0; i < N * N; i++) {
        (&A[0][0])[i] = i % 13;
        (&B[0][0])[i] = i % 7;
    }
    u64 it = sc(48);
    units = it * 2.0 * N * N * N / 1e6;
    unit = "MFLOP";
    for (u64 k = 0; k < it; k++)
        for (int i = 0; i < N; i += 2)
            for (int j = 0; j < N; j += 4) {
                v2d c0 = {0}, c1 = c0, c2 = c0, c3 = c0;
                for (int q = 0; q < N; q++) {
                    v2d b0 = *(v2d *)&B[q][j], b1 = *(v2d *)&B[q][j + 2];
                    v2d a0 = A[i][q] - (v2d){0}, a1 = A[i + 1][q] - (v2d){0};
                    c0 = FMA2(c0, a0, b0);
                    c1 = FMA2(c1, a0, b1);
                    c2 = FMA2(c2, a1, b0);
                    c3 = FMA2(c3, a1, b1);
                }
                *(v2d *)&C[i][j] = c0;
                *(v2d *)&C[i][j + 2] = c1;
                *(v2d *)&C[i + 1][j] = c2;
                *(v2d *)&C[i + 1][j + 2] = c3;
            }
    return (u64)(C[5][9] + C[100][33]);
}
typedef u8 v16 __attribute__((vector_size(16)));
typedef uint16_t v8h __attribute__((vector_size(16)));
typedef u32 v4s __attribute__((vector_size(16)));
static u64 b_simdint(void)
{
    static u8 a[65536 + 16], b[65536 + 16];
    for (int i = 0; i < 65536; i++) {
        a[i] = rnd();
        b[i] = rnd();
    }
    u64 it = sc(1500);
    units = it * 65536;
    unit = "B";
    v4s acc = {0};
    for (u64 k = 0; k < it; k++) {
        v16 kk = (v16){0} + (u8)k;
        for (int i = 0; i < 65536; i += 16) {
            v16 x = *(v16 *)(a + i), y = *(v16 *)(b + i);
            v16 m = (v16)(x > y);
            v16 d = (m & (x - y)) | (~m & (y - x));
            v16 av = (x & y) + ((x ^ y) >> 1);
            d ^= av + kk;
            v8h h = (v8h)d;
            h = h * 7 + (h >> 3);
            acc += (v4s)h;
            acc = (acc << 3) ^ (acc >> 5);
        }
    }
    return acc[0] ^ ((u64)acc[1] << 32) ^ acc[2] ^ ((u64)acc[3] << 16);
}
/* ---------- crypto instr ---------- */
TCRYPTO static u64 b_aes(void)
{
    u64 n = sc(2000000);
    units = n * 16 / 1e6;
    unit = "MB";
    u8 k[11][16];
    for (int i = 0; i < 176; i++)
        k[i / 16][i % 16] = i * 29 + 7;
    u64 s = 0;
#ifdef __aarch64__
    uint8x16_t K[11];
    for (int i = 0; i < 11; i++)
        K[i] = vld1q_u8(k[i]);
    uint8x16_t acc = vdupq_n_u8(0);
    for (u64 i = 0; i < n; i++) {
        uint8x16_t x = vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(i), vcreate_u64(~i)));
        for (int r = 0; r < 9; r++)
            x = vaesmcq_u8(vaeseq_u8(x, K[r]));
        x = veorq_u8(vaeseq_u8(x, K[9]), K[10]);
        acc = veorq_u8(acc, x);
    }
    s = vgetq_lane_u64(vreinterpretq_u64_u8(acc), 0) ^ vgetq_lane_u64(vreinterpretq_u64_u8(acc), 1);
#else
    __m128i K[11], acc = _mm_setzero_si128();
    for (int i = 0; i < 11; i++)
        K[i] = _mm_loadu_si128((void *)k[i]);
    for (u64 i = 0; i < n; i++) {
        __m128i x = _mm_xor_si128(_mm_set_epi64x(~i, i), K[0]);
        for (int r = 1; r < 10; r++)
            x = _mm_aesenc_si128(x, K[r]);
        x = _mm_aesenclast_si128(x, K[10]);
        acc = _mm_xor_si128(acc, x);
    }
    s = _mm_extract_epi64(acc, 0) ^ _mm_extract_epi64(acc, 1);
#endif
    return s;
}
TCRYPTO static u64 b_sha256(void)
{
    static const u32 Kc[4] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5};
    u64 n = sc(800000);
    units = n * 64 / 1e6;
    unit = "MB";
    u64 s;
#ifdef __aarch64__
    uint32x4_t a = vdupq_n_u32(0x6a09e667), b = vdupq_n_u32(0x510e527f), w[4], k = vld1q_u32(Kc);
    for (int i = 0; i < 4; i++)
        w[i] = vdupq_n_u32(i + 1);
    for (u64 i = 0; i < n; i++) {
        uint32x4_t a0 = a, b0 = b;
        for (int r = 0; r < 16; r++) {
            uint32x4_t t = vaddq_u32(w[r & 3], k), o = a;
            a = vsha256hq_u32(a, b, t);
            b = vsha256h2q_u32(b, o, t);
            w[r & 3] = vsha256su1q_u32(vsha256su0q_u32(w[r & 3], w[(r + 1) & 3]), w[(r + 2) & 3],
                                       w[(r + 3) & 3]);
        }
        a = vaddq_u32(a, a0);
        b = vaddq_u32(b, b0);
    }
    s = vgetq_lane_u32(a, 0) ^ ((u64)vgetq_lane_u32(b, 2) << 32);
#else
    __m128i a = _mm_set1_epi32(0x6a09e667), b = _mm_set1_epi32(0x510e527f), w[4],
            k = _mm_loadu_si128((void *)Kc);
    for (int i = 0; i < 4; i++)
        w[i] = _mm_set1_epi32(i + 1);
    for (u64 i = 0; i < n; i++) {
        __m128i a0 = a, b0 = b;
        for (int r = 0; r < 16; r++) {
            __m128i t = _mm_add_epi32(w[r & 3], k);
            b = _mm_sha256rnds2_epu32(b, a, t);
            a = _mm_sha256rnds2_epu32(a, b, _mm_shuffle_epi32(t, 0x0e));
            __m128i x = _mm_sha256msg1_epu32(w[r & 3], w[(r + 1) & 3]);
            x = _mm_add_epi32(x, _mm_alignr_epi8(w[(r + 3) & 3], w[(r + 2) & 3], 4));
            w[r & 3] = _mm_sha256msg2_epu32(x, w[(r + 3) & 3]);
        }
        a = _mm_add_epi32(a, a0);
        b = _mm_add_epi32(b, b0);
    }
    s = _mm_extract_epi32(a, 0) ^ ((u64)_mm_extract_epi32(b, 2) << 32);
#endif
    return s;
}
TCRYPTO static u64 b_crc32c(void)
{
    u64 n = sc(40000000);
    units = n * 8 / 1e6;
    unit = "MB";
    u32 c = ~0u;
    for (u64 i = 0; i < n; i++)
#ifdef __aarch64__
        c = __crc32cd(c, i * 0x9E3779B97F4A7C15ull);
#else
        c = _mm_crc32_u64(c, i * 0x9E3779B97F4A7C15ull);
#endif
    return c;
}
TCRYPTO static u64 b_clmul(void)
{
    u64 n = sc(8000000), a = 0x123456789abcdefull, s = 0;
    units = n;
    for (u64 i = 0; i < n; i++) {
#ifdef __aarch64__
        poly128_t p = vmull_p64((poly64_t)a, (poly64_t)(i | 0xC200000000000000ull));
        a = (u64)p ^ (u64)(p >> 64) ^ i;
#else
        __m128i p = _mm_clmulepi64_si128(_mm_cvtsi64_si128(a),
                                         _mm_cvtsi64_si128(i | 0xC200000000000000ull), 0);
        a = _mm_cvtsi128_si64(p) ^ _mm_extract_epi64(p, 1) ^ i;
#endif
        s += a;
    }
    return s;
}
/* ---------- atomics ---------- */
static u64 ctr;
static u64 ncpu(void) { return sysconf(_SC_NPROCESSORS_ONLN); }
static NI u64 at_lse(u64 n)
{
    u64 o = 0;
#ifdef __aarch64__
    for (u64 i = 0; i < n; i++) {
        u64 e = i, t;
        __asm__ volatile(".arch_extension lse\n ldaddal %2,%0,[%1]"
                         : "=&r"(t)
                         : "r"(&ctr), "r"(i)
                         : "memory");
        o += t;
        e = t + i;
        __asm__ volatile(".arch_extension lse\n casal %0,%2,[%1]"
                         : "+&r"(e)
                         : "r"(&ctr), "r"(i)
                         : "memory");
        __asm__ volatile(".arch_extension lse\n swpal %2,%0,[%1]"
                         : "=&r"(t)
                         : "r"(&ctr), "r"(o)
                         : "memory");
        o ^= t;
    }
#else
    for (u64 i = 0; i < n; i++) {
        u64 t = __atomic_fetch_add(&ctr, i, 5), e;
        o += t;
        e = t + i;
        __atomic_compare_exchange_n(&ctr, &e, i, 0, 5, 5);
        t = __atomic_exchange_n(&ctr, o, 5);
        o ^= t;
    }
#endif
    return o;
}
static NI u64 at_llsc(u64 n)
{
    u64 o = 0;
#ifdef __aarch64__
    for (u64 i = 0; i < n; i++) {
        u64 t, x;
        u32 f;
        __asm__ volatile("1: ldaxr %0,[%3]\n add %1,%0,%4\n stlxr %w2,%1,[%3]\n cbnz %w2,1b"
                         : "=&r"(t), "=&r"(x), "=&r"(f)
                         : "r"(&ctr), "r"(i)
                         : "memory");
        o += t;
    }
#else
    for (u64 i = 0; i < n; i++)
        o += __atomic_fetch_add(&ctr, i, 5);
#endif
    return o;
}
static u64 b_at_lse(void)
{
#ifdef __aarch64__
    if (!(getauxval(16) & (1 << 8))) {
        units = 0;
        unit = "n/a";
        return 0;
    }
#endif
    u64 n = sc(4000000);
    units = 3 * n;
    ctr = 0;
    return at_lse(n);
}
static u64 b_at_llsc(void)
{
    u64 n = sc(12000000);
    units = n;
    ctr = 0;
    return at_llsc(n);
}
static u64 b_acqrel(void)
{
    static u64 v[64];
    u64 n = sc(30000000), s = 0;
    units = n;
    for (u64 i = 0; i < n; i++) {
        s += __atomic_load_n(&v[i & 63], __ATOMIC_ACQUIRE);
        __atomic_store_n(&v[(i * 7) & 63], s + i, __ATOMIC_RELEASE);
    }
    return s;
}
static u64 b_dmb(void)
{
    u64 n = sc(10000000);
    units = n;
    static volatile u64 v;
    for (u64 i = 0; i < n; i++) {
        v = i;
        __sync_synchronize();
    }
    return v;
}
struct th {
    pthread_t t;
    int id;
    u64 arg, res;
    void *(*f)(void *);
};
static void pin(int c)
{
    cpu_set_t s;
    CPU_ZERO(&s);
    CPU_SET(c, &s);
    sched_setaffinity(0, sizeof s, &s);
}
static u64 runth(int n, void *(*f)(void *), u64 arg)
{
    struct th t[64];
    u64 s = 0;
    for (int i = 0; i < n; i++) {
        t[i].id = i;
        t[i].arg = arg;
        t[i].res = 0;
        if (pthread_create(&t[i].t, 0, f, &t[i]))
            die("pthread");
    }
    for (int i = 0; i < n; i++) {
        pthread_join(t[i].t, 0);
        s += t[i].res;
    }
    return s;
}
static void *w_int(void *p)
{
    struct th *t = p;
    pin(t->id);
    t->res = intcore(t->arg);
    return 0;
}
static u64 b_par_int(void)
{
    u64 n = ncpu();
    units = n * sc(8000);
    return runth(n, w_int, sc(8000)) / n;
}
static void *w_llsc(void *p)
{
    struct th *t = p;
    pin(t->id);
    at_llsc(t->arg);
    return 0;
}
static u64 b_par_atomic(void)
{
    u64 n = ncpu();
    units = sc(6000000) * n;
    ctr = 0;
    runth(n, w_llsc, sc(6000000));
    return 0;
}
static pthread_mutex_t mtx = PTHREAD_MUTEX_INITIALIZER;
static u64 shared;
static void *w_mtx(void *p)
{
    struct th *t = p;
    pin(t->id);
    for (u64 i = 0; i < t->arg; i++) {
        pthread_mutex_lock(&mtx);
        shared++;
        pthread_mutex_unlock(&mtx);
    }
    return 0;
}
static u64 b_par_mutex(void)
{
    u64 n = ncpu();
    units = sc(1000000) * n;
    shared = 0;
    runth(n, w_mtx, sc(1000000));
    if (shared != units)
        die("mutex");
    return 0;
}
static void *w_mem(void *p)
{
    struct th *t = p;
    pin(t->id);
    size_t n = 4 << 20;
    u8 *a = malloc(n), *b = malloc(n);
    memset(a, 1, n);
    for (u64 i = 0; i < t->arg; i++) {
        memcpy(b, a, n);
        __asm__ volatile("" ::: "memory");
    }
    free(a);
    free(b);
    return 0;
}
static u64 b_par_mem(void)
{
    u64 n = ncpu();
    units = sc(150) * n;
    runth(n, w_mem, sc(150));
    return 0;
}
/* ---------- OS ---------- */
static u64 b_syscall(void)
{
    u64 n = sc(400000), s = 0;
    units = n;
    for (u64 i = 0; i < n; i++)
        s += syscall(SYS_getppid) >= 0;
    return s;
}
static u64 b_gettime(void)
{
    u64 n = sc(3000000), bad = 0;
    double p = 0;
    units = n;
    for (u64 i = 0; i < n; i++) {
        double t = now();
        bad += t < p;
        p = t;
    }
    return bad;
}
static u64 b_pipe(void)
{
    int a[2], b[2];
    char c = 0;
    u64 n = sc(8000);
    units = n * 2;
    unit = "switch";
    if (pipe(a) || pipe(b))
        die("pipe");
    fflush(stdout);
    pid_t p = fork();
    pin(0);
    if (!p) {
        while (read(a[0], &c, 1) == 1)
            if (c == 1 || write(b[1], &c, 1) != 1)
                break;
        _exit(0);
    }
    for (u64 i = 0; i < n; i++) {
        if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1)
            die("pp");
    }
    c = 1;
    if (write(a[1], &c, 1) != 1)
        die("pp");
    waitpid(p, 0, 0);
    close(a[0]);
    close(a[1]);
    close(b[0]);
    close(b[1]);
    return 0;
}
static int fx[2];
static void fwait(int *p, int v)
{
    while (__atomic_load_n(p, 5) != v)
        syscall(SYS_futex, p, FUTEX_WAIT, 1 - v, 0, 0, 0);
    __atomic_store_n(p, 1 - v, 5);
}
static void fwake(int *p, int v)
{
    __atomic_store_n(p, v, 5);
    syscall(SYS_futex, p, FUTEX_WAKE, 1, 0, 0, 0);
}
static void *w_fx(void *p)
{
    struct th *t = p;
    pin(t->id % ncpu());
    for (u64 i = 0; i < t->arg; i++) {
        if (t->id == 0) {
            fwake(&fx[1], 1);
            fwait(&fx[0], 1);
        } else {
            fwait(&fx[1], 1);
            fwake(&fx[0], 1);
        }
    }
    return 0;
}
static u64 b_futex(void)
{
    u64 n = sc(10000);
    units = 2 * n;
    unit = "wake";
    fx[0] = fx[1] = 0;
    runth(2, w_fx, n);
    return 0;
}
static u64 b_forkexec(void)
{
    u64 n = sc(200);
    units = n;
    fflush(stdout);
    for (u64 i = 0; i < n; i++) {
        pid_t p = fork();
        if (!p) {
            execl(self, self, "true", (char *)0);
            _exit(9);
        }
        int st;
        if (waitpid(p, &st, 0) != p || st)
            die("exec");
    }
    return 0;
}
static u64 b_fork(void)
{
    u64 n = sc(500);
    units = n;
    fflush(stdout);
    for (u64 i = 0; i < n; i++) {
        pid_t p = fork();
        if (!p)
            _exit(0);
        waitpid(p, 0, 0);
    }
    return 0;
}
static u64 b_thread(void)
{
    u64 n = sc(2000);
    units = n;
    extern void *w_nop(void *);
    for (u64 i = 0; i < n; i++)
        runth(1, w_nop, 0);
    return 0;
}
void *w_nop(void *p) { return p; }
static u64 b_pgfault(void)
{
    size_t n = 64 << 20;
    u64 it = sc(3), s = 0;
    units = it * (n >> 12);
    unit = "fault";
    for (u64 k = 0; k < it; k++) {
        u8 *p = mmap(0, n, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            die("mmap");
        madvise(p, n, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < n; i += 4096)
            p[i] = 1;
        s += p[4096];
        munmap(p, n);
    }
    return s;
}
static u64 b_mprot(void)
{
    u64 n = sc(15000);
    size_t L = 16 * 4096;
    units = 2 * n;
    u8 *p = mmap(0, L, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, L);
    u64 s = 0;
    for (u64 i = 0; i < n; i++) {
        mprotect(p, L, 1);
        s += p[(i & 15) * 4096];
        mprotect(p, L, 3);
        p[(i & 15) * 4096] = 1;
    }
    munmap(p, L);
    return s;
}
static volatile u64 sgn;
static void onsig(int s)
{
    (void)s;
    sgn++;
}
static u64 b_signal(void)
{
    u64 n = sc(50000);
    units = n;
    signal(SIGUSR1, onsig);
    sgn = 0;
    pid_t p = getpid();
    pid_t t = syscall(SYS_gettid);
    for (u64 i = 0; i < n; i++)
        syscall(SYS_tgkill, p, t, SIGUSR1);
    return sgn;
}
static u64 b_sleep(void)
{
    u64 n = sc(2000);
    units = n;
    struct timespec t = {0, 100000};
    for (u64 i = 0; i < n; i++)
        nanosleep(&t, 0);
    return 0;
}
static u64 b_tmpfs(void)
{
    const char *d = getenv("LB_TMP") ? getenv("LB_TMP") : "/tmp";
    char f[256], g[256];
    snprintf(f, 256, "%s/lb_a", d);
    snprintf(g, 256, "%s/lb_b", d);
    size_t bs = 65536, n = 32 << 20;
    u8 *b = malloc(bs);
    u64 it = sc(4);
    units = it * n / 1e6;
    unit = "MB";
    memset(b, 3, bs);
    for (u64 k = 0; k < it; k++) {
        int x = open(f, O_RDWR | O_CREAT | O_TRUNC, 0600),
            y = open(g, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (x < 0 || y < 0)
            die("open");
        for (size_t o = 0; o < n; o += bs)
            if (write(x, b, bs) != (ssize_t)bs)
                die("w");
        lseek(x, 0, 0);
        for (size_t o = 0; o < n; o += bs)
            if (read(x, b, bs) != (ssize_t)bs || write(y, b, bs) != (ssize_t)bs)
                die("c");
        close(x);
        close(y);
        unlink(f);
        unlink(g);
    }
    return 0;
}
static u64 b_stat(void)
{
    u64 n = sc(50000), s = 0;
    struct stat st;
    units = n;
    for (u64 i = 0; i < n; i++)
        s += stat("/proc/self/../../dev/null", &st) == 0 || 1;
    return s;
}
/* ---------- disk: raw device or file named by LB_DISK ---------- */
static int dopen(int fl)
{
    const char *d = getenv("LB_DISK");
    int f = open(d ? d : "/dev/vda", fl | O_DIRECT);
    if (f < 0)
        die("open disk");
    return f;
}
static u64 b_disk_rd(void)
{
    int f = dopen(O_RDONLY);
    size_t bs = 1 << 18;
    void *b;
    if (posix_memalign(&b, 4096, bs))
        return 0;
    u64 n = sc(256) * 4;
    units = n * bs / 1e6;
    unit = "MB";
    for (u64 i = 0; i < n; i++)
        if (pread(f, b, bs, (i % 384) * bs) != (ssize_t)bs)
            die("rd");
    close(f);
    free(b);
    return 0;
}
static u64 b_disk_wr(void)
{
    int f = dopen(O_RDWR);
    size_t bs = 1 << 18;
    void *b;
    if (posix_memalign(&b, 4096, bs))
        return 0;
    memset(b, 7, bs);
    u64 n = sc(128) * 4;
    units = n * bs / 1e6;
    unit = "MB";
    for (u64 i = 0; i < n; i++)
        if (pwrite(f, b, bs, (i % 384) * bs) != (ssize_t)bs)
            die("wr");
    close(f);
    free(b);
    return 0;
}
static u64 b_disk_4k(void)
{
    int f = dopen(O_RDONLY);
    void *b;
    if (posix_memalign(&b, 4096, 4096))
        return 0;
    u64 n = sc(5000);
    units = n;
    unit = "IO";
    for (u64 i = 0; i < n; i++)
        if (pread(f, b, 4096, ((i * 7919) % 24576) * 4096) != 4096)
            die("rd4k");
    close(f);
    free(b);
    return 0;
}
static u64 b_fs_copy(void)
{ /* needs LB_FS = mounted ext4 */
    const char *d = getenv("LB_FS");
    if (!d) {
        unit = "n/a";
        return 0;
    }
    char f[256], g[256];
    snprintf(f, 256, "%s/a", d);
    snprintf(g, 256, "%s/b", d);
    size_t bs = 65536, n = 32 << 20;
    u8 *b = malloc(bs);
    memset(b, 5, bs);
    units = n / 1e6 * 3;
    unit = "MB";
    int x = open(f, O_RDWR | O_CREAT | O_TRUNC, 0600),
        y = open(g, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (x < 0 || y < 0)
        die("open");
    for (size_t o = 0; o < n; o += bs)
        if (write(x, b, bs) != (ssize_t)bs)
            die("w");
    fsync(x);
    posix_fadvise(x, 0, 0, POSIX_FADV_DONTNEED);
    lseek(x, 0, 0);
    for (size_t o = 0; o < n; o += bs)
        if (read(x, b, bs) != (ssize_t)bs || write(y, b, bs) != (ssize_t)bs)
            die("c");
    fsync(y);
    close(x);
    close(y);
    unlink(f);
    unlink(g);
    free(b);
    return 0;
}
/* ---------- generated / self-modifying code ---------- */
typedef u32 (*jf)(u32);
static u8 *emit(u8 *p, int op, u32 imm)
{ /* a = a OP imm */
#ifdef __aarch64__
    u32 *q = (u32 *)p;
    *q++ = 0x52800001 | (imm & 0xffff) << 5;
    *q++ = 0x72a00001 | (imm >> 16) << 5;
    *q++ = op == 0 ? 0x0b010000 : op == 1 ? 0x4a010000 : 0x1b017c00;
    return (u8 *)q;
#else
    if (op == 2) {
        *p++ = 0x69;
        *p++ = 0xc0;
    } else
        *p++ = op ? 0x35 : 0x05;
    memcpy(p, &imm, 4);
    return p + 4;
#endif
}
static u8 *prolog(u8 *p)
{
#ifndef __aarch64__
    *p++ = 0x89;
    *p++ = 0xf8;
#endif
    return p;
}
static u8 *epilog(u8 *p)
{
#ifdef __aarch64__
    *(u32 *)p = 0xd65f03c0;
    return p + 4;
#else
    *p++ = 0xc3;
    return p;
#endif
}
static u8 *jmem(size_t n)
{
    u8 *p = mmap(0, n, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        die("mmap rwx");
    return p;
}
/* many distinct functions, each run once: translation throughput */
static u64 b_jit_cold(void)
{
    size_t N = sc(4000), ops = 32, sz = 512;
    u8 *m = jmem(N * sz);
    u32 a = 1;
    units = N * ops * 4;
    unit = "insn";
    for (int rep = 0; rep < 4; rep++) {
        for (size_t i = 0; i < N; i++) {
            u8 *p = prolog(m + i * sz);
            for (size_t j = 0; j < ops; j++)
                p = emit(p, (i + j + rep) % 3, (u32)(i * 2654435761u + j * 40503u + rep) | 1);
            epilog(p);
        }
        __builtin___clear_cache((char *)m, (char *)m + N * sz);
        for (size_t i = 0; i < N; i++)
            a = ((jf)(m + i * sz))(a);
    }
    munmap(m, N * sz);
    return a;
}
/* hot generated code */
static u64 b_jit_hot(void)
{
    u8 *m = jmem(65536), *p = prolog(m);
    for (int j = 0; j < 64; j++)
        p = emit(p, j % 3, j * 2654435761u | 1);
    p = epilog(p);
    __builtin___clear_cache((char *)m, (char *)p);
    u32 a = 1;
    u64 n = sc(2500000);
    units = n;
    for (u64 i = 0; i < n; i++)
        a = ((jf)m)(a);
    munmap(m, 65536);
    return a;
}
/* patch one instruction, flush, call: self-modifying code */
static u64 b_jit_smc(void)
{
    u8 *m = jmem(65536);
    u32 a = 1;
    u64 n = sc(30000);
    units = n;
    for (u64 i = 0; i < n; i++) {
        u8 *p = prolog(m + (i & 7) * 512);
        p = emit(p, i % 3, (u32)i * 2654435761u | 1);
        p = epilog(p);
        __builtin___clear_cache((char *)m + (i & 7) * 512, (char *)p);
        a = ((jf)(m + (i & 7) * 512))(a);
    }
    munmap(m, 65536);
    return a;
}
/* stores to a page that also holds hot code (no patching of the code itself) */
static u64 b_jit_data(void)
{
    u8 *m = jmem(8192), *p = prolog(m);
    for (int j = 0; j < 4; j++)
        p = emit(p, j % 3, j * 77777 | 1);
    p = epilog(p);
    __builtin___clear_cache((char *)m, (char *)p);
    volatile u32 *d = (u32 *)(m + 2048);
    u32 a = 1;
    u64 n = sc(60000);
    units = n;
    for (u64 i = 0; i < n; i++) {
        a = ((jf)m)(a);
        d[i & 31] = a;
    }
    munmap(m, 8192);
    return a;
}
static u64 b_uart(void)
{
    u64 n = sc(400);
    units = n * 64;
    unit = "B";
    char l[65];
    memset(l, 'u', 63);
    l[63] = '\n';
    for (u64 i = 0; i < n; i++)
        if (write(1, l, 64) != 64)
            die("uart");
    fsync(1);
    return 0;
}

#include <sys/auxv.h>
static struct {
    const char *n;
    u64 (*f)(void);
    char g;
    int chk;
} T[] = {
#define E(n, g, c)                                                                                 \
    {                                                                                              \
#n, b_##n, g, c                                                                            \
    }
    E(intcore, 'c', 1),   E(sort, 'c', 1),     E(hash, 'c', 1),       E(chase_l1, 'c', 1),
    E(chase_32m, 'c', 1), E(alu, 'c', 1),      E(flags, 'c', 1),      E(interp, 'c', 1),
    E(icall, 'c', 1),     E(fib, 'c', 1),      E(fib_pac, 'c', 1),    E(str, 'c', 1),
    E(memcpy_s, 'c', 1),  E(memcpy_l, 'c', 1), E(memset, 'c', 1),     E(stream, 'c', 1),
    E(nbody, 'c', 1),     E(whet, 'c', 1),     E(mandel, 'c', 1),     E(fpcvt, 'c', 1),
    E(sgemm, 'c', 1),     E(dgemm, 'c', 1),    E(simdint, 'c', 1),    E(aes, 'c', 1),
    E(sha256, 'c', 1),    E(crc32c, 'c', 1),   E(clmul, 'c', 1),      E(at_lse, 'c', 1),
    E(at_llsc, 'c', 1),   E(acqrel, 'c', 1),   E(dmb, 'c', 1),        E(jit_cold, 'c', 1),
    E(jit_hot, 'c', 1),   E(jit_smc, 'c', 1),  E(jit_data, 'c', 1),   E(syscall, 'o', 0),
    E(gettime, 'o', 1),   E(pipe, 'o', 0),     E(futex, 'o', 0),      E(forkexec, 'o', 0),
    E(fork, 'o', 0),      E(thread, 'o', 0),   E(pgfault, 'o', 0),    E(mprot, 'o', 0),
    E(signal, 'o', 1),    E(sleep, 'o', 0),    E(tmpfs, 'o', 0),      E(stat, 'o', 0),
    E(par_int, 'p', 1),   E(par_mem, 'p', 0),  E(par_atomic, 'p', 0), E(par_mutex, 'p', 0),
    E(disk_rd, 'd', 0),   E(disk_wr, 'd', 0),  E(disk_4k, 'd', 0),    E(fs_copy, 'd', 0),
    E(uart, 'u', 0)};
static void run1(int i)
{
    fflush(stdout);
    rs = 88172645463325252ull;
    unit = "it";
    units = 0;
    cpu_set_t all;
    sched_getaffinity(0, sizeof all, &all);
    printf("BEGIN %s\n", T[i].n);
    fflush(stdout);
    double t = now();
    u64 c = T[i].f();
    t = now() - t;
    sched_setaffinity(0, sizeof all, &all);
    if (!strcmp(unit, "n/a"))
        printf("RESULT %s 0 0 n/a -\n", T[i].n);
    else if (T[i].chk)
        printf("RESULT %s %.6f %.0f %s %016llx\n", T[i].n, t, units, unit, (unsigned long long)c);
    else
        printf("RESULT %s %.6f %.0f %s -\n", T[i].n, t, units, unit);
    fflush(stdout);
}
/* lb -t NAME cmd args..: time one command */
#include <sys/resource.h>
static int timecmd(char **av)
{
    printf("BEGIN %s\n", av[0]);
    fflush(stdout);
    double t = now();
    pid_t p = fork();
    int st;
    struct rusage u;
    if (!p) {
        execvp(av[1], av + 1);
        _exit(127);
    }
    wait4(p, &st, 0, &u);
    t = now() - t;
    double c =
        u.ru_utime.tv_sec * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_sec * 1e6 + u.ru_stime.tv_usec;
    if (st)
        printf("FAIL %s status %x\n", av[0], st);
    else
        printf("RESULT %s %.6f %.0f cpu_us -\n", av[0], t, c);
    return st != 0;
}
int main(int ac, char **av)
{
    self = av[0];
    if (ac > 3 && !strcmp(av[1], "-t"))
        return timecmd(av + 2);
    if (ac < 2) {
        for (size_t i = 0; i < sizeof T / sizeof *T; i++)
            printf("%c %s\n", T[i].g, T[i].n);
        return 0;
    }
    if (!strcmp(av[1], "true"))
        return 0;
    if (ac > 2)
        pct = atoi(av[2]);
    setvbuf(stdout, 0, _IOLBF, 0);
    for (char *s = strtok(strdup(av[1]), ","); s; s = strtok(0, ",")) {
        int hit = 0;
        for (size_t i = 0; i < sizeof T / sizeof *T; i++)
            if (!strcmp(s, T[i].n) || (s[0] == '@' && strchr(s, T[i].g))) {
                run1(i);
                hit = 1;
            }
        if (!hit)
            printf("FAIL unknown %s\n", s);
    }
    return 0;
}
