/// Memory workloads: a part of lb.c.
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
