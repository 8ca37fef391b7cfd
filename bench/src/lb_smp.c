/// Atomics and threads: a part of lb.c.
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
