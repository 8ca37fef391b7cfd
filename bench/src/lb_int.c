/// Integer workloads: a part of lb.c.
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
