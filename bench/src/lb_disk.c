/// A disk: a part of lb.c.
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
