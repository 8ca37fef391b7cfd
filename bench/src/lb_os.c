/// System calls and the kernel: a part of lb.c.
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
