/// Generated and self-modifying code: a part of lb.c.
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
