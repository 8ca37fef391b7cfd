/// Floating-point and SIMD workloads: a part of lb.c.
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
