struct board board;
#if M_DTB_LE
static u32 be(const void *p) { return *(const u32 *)p; }
#else
static u32 be(const void *p) { return __builtin_bswap32(*(const u32 *)p); }
#endif
static u64 cells(const u8 *p, int n) { return n == 2 ? (u64)be(p) << 32 | be(p + 4) : be(p); }
static bool starts(const char *a, const char *b)
{
    while (*b)
        if (*a++ != *b++)
            return false;
    return true;
}
static bool has(const char *list, u32 len, const char *s)
{
    for (const char *p = list; p < list + len; p += strlen(p) + 1)
        if (!strcmp(p, s))
            return true;
    return false;
}
void dtb_parse(const void *dtb)
{
    const u8 *d = dtb;
#if M_DTB_LE || M_DTB_NOMAGIC
#else
    if (be(d) != 0xd00dfeed)
        panic("no device tree at %p (%x)", dtb, be(d));
#endif
    const u8 *st = d + be(d + 8);
    const char *str = (const char *)d + be(d + 12);
    const char *name[8] = {""};
    int depth = 0;
    u8 reg[8][64];
    u32 reglen[8] = {0};
    char compat[8] = {0};
    for (;;) {
        u32 tok = be(st);
        st += 4;
        if (tok == 1) {
            depth++;
            if (depth < 8) {
                name[depth] = (const char *)st;
                reglen[depth] = 0;
                compat[depth] = 0;
            }
            st += (strlen((const char *)st) + 4) & ~3ul;
        } else if (tok == 2) {
            if (depth < 8) {
                const u8 *r = reg[depth];
                if (starts(name[depth], "memory@"))
                    board.mem_base = cells(r, 2), board.mem_size = cells(r + 8, 2);
                if (depth == 3 && starts(name[depth], "cpu@") && board.ncpu < MAXCPU)
                    board.mpidr[board.ncpu++] = cells(r, reglen[depth] / 4 == 2 ? 2 : 1);
                if (compat[depth] == 'p')
                    board.uart = cells(r, 2);
                if (compat[depth] == '2')
                    board.gic = 2, board.gicd = cells(r, 2), board.gicc = cells(r + 16, 2);
                if (compat[depth] == '3')
                    board.gic = 3, board.gicd = cells(r, 2), board.gicr = cells(r + 16, 2);
            }
            depth--;
        } else if (tok == 3) {
            u32 len = be(st), off = be(st + 4);
            const u8 *v = st + 8;
            const char *n = str + off;
            if (depth < 8) {
                if (!strcmp(n, "reg") && len <= 64) {
                    memcpy(reg[depth], v, len);
                    reglen[depth] = len;
                }
                if (!strcmp(n, "compatible")) {
                    if (has((const char *)v, len, "arm,pl011"))
                        compat[depth] = 'p';
                    if (has((const char *)v, len, "arm,gic-v3"))
                        compat[depth] = '3';
                    if (has((const char *)v, len, "arm,cortex-a15-gic"))
                        compat[depth] = '2';
                }
                if (!strcmp(n, "method") && starts(name[depth], "psci"))
                    board.smc = !strcmp((const char *)v, "smc");
            }
            st += 8 + ((len + 3) & ~3u);
        } else if (tok == 4) {
            continue;
        } else {
            break;
        }
    }
#if M_PSCI_CONDUIT
    board.smc = !board.smc;
#endif
    if (!board.mem_size || !board.gic)
        panic("device tree without memory or GIC");
    printf("minik: %lu MiB at %p, %d cpus, gicv%d\n", board.mem_size >> 20, (void *)board.mem_base, board.ncpu, board.gic);
}
