// What several CPUs may rely on: order of barriers, acquire and release; exclusives and LSE atomics; events and
// SGIs; TLBI and changed code that reach the others. Exits with the number of the check that failed.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef __uint128_t u128;

enum { CPUS_MAX = 8, LINE = 64 };
extern char second_start[];
void guest_exit(u32 status) __attribute__((noreturn));

static u32 cpus, scale;
#define CHECK(cond, n)                                                                             \
    do {                                                                                           \
        if (!(cond))                                                                               \
            guest_exit(n);                                                                         \
    } while (0)

/* ---- pieces ---- */

static inline u64 ldar(const volatile u64 *p)
{
    u64 v;
    __asm__ volatile("ldar %0, [%1]" : "=r"(v) : "r"(p) : "memory");
    return v;
}
static inline void stlr(volatile u64 *p, u64 v)
{
    __asm__ volatile("stlr %0, [%1]" : : "r"(v), "r"(p) : "memory");
}
static inline void dmb(void) { __asm__ volatile("dmb ish" : : : "memory"); }
static inline u64 add64(volatile u64 *p, u64 v)
{
    u64 old;
    __asm__ volatile("ldaddal %1, %0, [%2]" : "=r"(old) : "r"(v), "r"(p) : "memory");
    return old;
}
/// Waits in WFE until *p is no longer v.
static void wait_change(volatile u64 *p, u64 v)
{
    u64 now;
    for (;;) {
        __asm__ volatile("ldaxr %0, [%1]" : "=r"(now) : "r"(p) : "memory");
        if (now != v)
            break;
        __asm__ volatile("wfe");
    }
    __asm__ volatile("clrex");
}

struct padded {
    volatile u64 v;
    u64 pad[15];
} __attribute__((aligned(128)));
static struct padded arrived, generation;
static void barrier(void)
{
    u64 g = ldar(&generation.v);
    if (add64(&arrived.v, 1) + 1 == cpus) {
        arrived.v = 0;
        stlr(&generation.v, g + 1);
        __asm__ volatile("sev");
    } else {
        wait_change(&generation.v, g);
    }
}

static u64 hvc(u64 fn, u64 a, u64 b, u64 c)
{
    register u64 x0 __asm__("x0") = fn;
    register u64 x1 __asm__("x1") = a;
    register u64 x2 __asm__("x2") = b;
    register u64 x3 __asm__("x3") = c;
    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
    return x0;
}

/* ---- translation ---- */

static u64 l1[512] __attribute__((aligned(4096))), l2[512] __attribute__((aligned(4096))),
    l3[512] __attribute__((aligned(4096)));
static u8 pages[4][4096] __attribute__((aligned(4096)));
enum { NORMAL = 0 << 2, DEVICE = 1 << 2, AF = 1 << 10, INNER = 3 << 8, READ_ONLY = 1 << 7 };
#define WINDOW 0x80000000UL ///< its pages are in l3

static void make_tables(void)
{
    l1[0] = 0x00000000 | DEVICE | AF | 1;
    l1[1] = 0x40000000 | NORMAL | AF | INNER | 1;
    l1[2] = (u64)l2 | 3;
    l2[0] = (u64)l3 | 3;
    for (u32 k = 0; k < 4; k++)
        l3[k] = (u64)pages[k] | NORMAL | AF | INNER | 3;
}
static void mmu_on(void)
{
    u64 sctlr;
    __asm__ volatile(
        "msr mair_el1, %0\n msr tcr_el1, %1\n msr ttbr0_el1, %2\n isb\n tlbi vmalle1\n dsb sy\n isb"
        :
        : "r"(0x00ffUL), "r"(25UL | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2UL << 32), "r"((u64)l1)
        : "memory");
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
    __asm__ volatile("msr sctlr_el1, %0\n isb" : : "r"(sctlr | 1 | 1 << 2 | 1 << 12) : "memory");
}
static void tlbi_page(u64 va)
{
    __asm__ volatile("dsb ishst\n tlbi vaae1is, %0\n dsb ish\n isb" : : "r"(va >> 12) : "memory");
}

/* ---- order ---- */

static struct padded x, y, flag, data, seen[CPUS_MAX];

static void message_passing(u32 cpu)
{
    u64 n = 20000 * scale;
    if (cpu == 0) {
        for (u64 k = 1; k <= n; k++) {
            data.v = k;
            stlr(&flag.v, k);
        }
    } else {
        for (u64 f = 0; f < n;) {
            f = ldar(&flag.v);
            CHECK(data.v >= f, 1);
        }
    }
}

/// Store buffering: each of two CPUs stores to one place and loads from the other; one must see the other.
static void store_buffering(u32 cpu, int release)
{
    for (u32 k = 0; k < 500 * scale; k++) {
        if (cpu == 0)
            x.v = y.v = 0;
        barrier();
        if (cpu < 2) {
            volatile u64 *mine = cpu ? &y.v : &x.v, *other = cpu ? &x.v : &y.v;
            if (release) {
                stlr(mine, 1);
                seen[cpu].v = ldar(other);
            } else {
                *mine = 1;
                dmb();
                seen[cpu].v = *other;
            }
        }
        barrier();
        if (cpu == 0)
            CHECK(seen[0].v || seen[1].v, 2 + release);
    }
}

/* ---- atomics ---- */

static struct padded n_xr, n_add, n_cas, n_lock, lock, n_set, n_max, n_swp, swp, sub8, sub16;
static struct {
    u64 v[2];
} pair __attribute__((aligned(128)));

static void spin_lock(volatile u64 *p)
{
    u64 v;
    u32 w;
    do {
        __asm__ volatile("ldaxr %0, [%1]" : "=r"(v) : "r"(p) : "memory");
        if (v) {
            __asm__ volatile("wfe");
            continue;
        }
        __asm__ volatile("stxr %w0, %2, [%1]" : "=&r"(w) : "r"(p), "r"(1UL) : "memory");
    } while (v || w);
}

static void casp_add(void)
{
    register u64 o0 __asm__("x0"), o1 __asm__("x1");
    register u64 n0 __asm__("x2"), n1 __asm__("x3");
    u64 a, b;
    do {
        a = pair.v[0];
        b = pair.v[1];
        o0 = a, o1 = b, n0 = a + 1, n1 = b + 2;
        __asm__ volatile("caspal %0, %1, %2, %3, [%4]"
                         : "+r"(o0), "+r"(o1)
                         : "r"(n0), "r"(n1), "r"(&pair)
                         : "memory");
    } while (o0 != a || o1 != b);
}

static void atomics(u32 cpu)
{
    u64 v, mine = 1UL << (8 * cpu);
    u32 w, n = 3000 * scale;
    for (u32 k = 0; k < n; k++) {
        do {
            __asm__ volatile("ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]"
                             : "=&r"(v), "=&r"(w)
                             : "r"(&n_xr.v)
                             : "memory");
        } while (w);
        __asm__ volatile("stadd %0, [%1]" : : "r"(1UL), "r"(&n_add.v) : "memory");
        __asm__ volatile("staddb %w0, [%1]" : : "r"(1), "r"((u8 *)&sub8.v + 1) : "memory");
        __asm__ volatile("ldaddh %w0, wzr, [%1]" : : "r"(1), "r"((u16 *)&sub16.v + 1) : "memory");
        for (u64 old = n_cas.v;;) {
            u64 was = old;
            __asm__ volatile("casal %0, %1, [%2]"
                             : "+r"(was)
                             : "r"(old + 1), "r"(&n_cas.v)
                             : "memory");
            if (was == old)
                break;
            old = was;
        }
        spin_lock(&lock.v);
        n_lock.v = n_lock.v + 1;
        stlr(&lock.v, 0);
        __asm__ volatile("ldsetal %1, %0, [%2]" : "=r"(v) : "r"(mine), "r"(&n_set.v) : "memory");
        CHECK(!(v & mine), 10);
        __asm__ volatile("ldclral %1, %0, [%2]" : "=r"(v) : "r"(mine), "r"(&n_set.v) : "memory");
        CHECK(v & mine, 11);
        __asm__ volatile("ldeoral %1, %0, [%2]"
                         : "=r"(v)
                         : "r"(mine << 4), "r"(&n_set.v)
                         : "memory");
        CHECK(!(v & mine << 4) == !(k & 1), 12);
        __asm__ volatile("ldumaxal %1, %0, [%2]" : "=r"(v) : "r"((u64)k), "r"(&n_max.v) : "memory");
        do { // a lock by exchange
            __asm__ volatile("swpal %1, %0, [%2]" : "=r"(v) : "r"(1UL), "r"(&swp.v) : "memory");
            if (v)
                __asm__ volatile("yield");
        } while (v);
        n_swp.v = n_swp.v + 1;
        stlr(&swp.v, 0);
        casp_add();
    }
    barrier();
    u64 all = (u64)n * cpus;
    CHECK(n_xr.v == all, 13);
    CHECK(n_add.v == all, 14);
    CHECK((u8)(sub8.v >> 8) == (u8)all && !(sub8.v & ~0xff00UL), 15);
    CHECK((u16)(sub16.v >> 16) == (u16)all && !(sub16.v & ~0xffff0000UL), 16);
    CHECK(n_cas.v == all, 17);
    CHECK(n_lock.v == all, 18);
    CHECK(n_max.v == n - 1, 19);
    CHECK(n_swp.v == all, 20);
    CHECK(pair.v[0] == all && pair.v[1] == 2 * all, 21);
}

/* ---- events and interrupts ---- */

static struct padded turn;
static void events(u32 cpu)
{
    for (u64 k = 0; k < 300 * scale; k++) { // in turn, woken by SEV only
        while (ldar(&turn.v) != k * cpus + cpu)
            __asm__ volatile("wfe");
        stlr(&turn.v, k * cpus + cpu + 1);
        __asm__ volatile("dsb ish\n sev");
    }
}

/// In turn, woken by the exclusive monitor only: each sleeps by the time the other stores, and sleeps at once after
/// its own store, so that for a while all do.
static void monitors(u32 cpu)
{
    static struct padded next;
    for (u64 k = 0; k < 50 * scale; k++) {
        for (u64 now; (now = ldar(&next.v)) != k * cpus + cpu;)
            wait_change(&next.v, now);
        for (volatile u32 d = 0; d < 20000; d++)
            ;
        stlr(&next.v, k * cpus + cpu + 1);
    }
}

static void gic_up(u32 cpu)
{
    volatile u32 *rd = (volatile u32 *)(0x080a0000UL + 0x20000UL * cpu);
    if (cpu == 0)
        *(volatile u32 *)0x08000000UL = 0x13;
    rd[5] = 0;
    rd[(0x10000 + 0x80) / 4] = ~0u;
    rd[(0x10000 + 0x100) / 4] = 0xffff;
    __asm__ volatile("msr icc_pmr_el1, %0\n msr icc_igrpen1_el1, %1\n isb"
                     :
                     : "r"(0xf0UL), "r"(1UL));
}
static void interrupts(u32 cpu)
{
    u64 next = (cpu + 1) % cpus, v;
    gic_up(cpu);
    barrier();
    for (u32 k = 0; k < 300 * scale; k++) { // a round of SGIs
        if (k || cpu) {
            do {
                __asm__ volatile("wfi\n mrs %0, isr_el1" : "=r"(v));
            } while (!v);
            __asm__ volatile("mrs %0, icc_iar1_el1" : "=r"(v));
            CHECK(v == 5, 30);
            __asm__ volatile("msr icc_eoir1_el1, %0\n isb" : : "r"(v));
        }
        if (k + 1 == 300 * scale && cpu + 1 == cpus)
            break;
        __asm__ volatile("dsb ish\n msr icc_sgi1r_el1, %0\n isb" : : "r"(5UL << 24 | 1UL << next));
    }
}

/* ---- TLBI ---- */

static struct padded step, done[CPUS_MAX];

/// The others read through a page that changes what it maps; after the TLBI nobody sees the old one.
static void remap(u32 cpu)
{
    volatile u64 *p = (volatile u64 *)WINDOW;
    u64 n = 300 * scale;
    if (cpu == 0) {
        for (u32 k = 0; k < 2; k++)
            *(volatile u64 *)pages[k] = 0;
        for (u64 k = 1; k <= n; k++) {
            *(volatile u64 *)pages[k & 1] = k;
            *(volatile u64 *)&l3[0] = (u64)pages[k & 1] | NORMAL | AF | INNER | 3;
            tlbi_page(WINDOW);
            stlr(&step.v, k);
            for (volatile u32 d = 0; d < 50; d++)
                ;
        }
        stlr(&step.v, n + 1);
    } else {
        for (;;) {
            u64 s = ldar(&step.v), v = *p;
            if (s > n)
                break;
            CHECK(v >= s, 40);
        }
    }
}

/// The others write to a page that is made read-only under them: after the TLBI it stays as it is.
static volatile u64 stops[CPUS_MAX];
static void protect(u32 cpu)
{
    volatile u64 *p = (volatile u64 *)(WINDOW + 4096), *direct = (volatile u64 *)pages[1];
    static struct padded go;
    u64 n = 100 * scale;
    if (cpu == 0) {
        for (u64 k = 1; k <= n; k++) {
            u64 before[CPUS_MAX];
            *(volatile u64 *)&l3[1] = (u64)pages[2] | NORMAL | AF | INNER | 3;
            tlbi_page(WINDOW + 4096);
            for (u32 c = 1; c < cpus; c++)
                before[c] = direct[c * 8];
            for (volatile u32 d = 0; d < 300; d++)
                ;
            for (u32 c = 1; c < cpus; c++)
                CHECK(direct[c * 8] == before[c], 41);
            *(volatile u64 *)&l3[1] = (u64)pages[1] | NORMAL | AF | INNER | 3;
            tlbi_page(WINDOW + 4096);
            for (volatile u32 d = 0; d < 300; d++)
                ;
        }
        stlr(&go.v, 1);
    } else {
        for (u64 k = 1; !ldar(&go.v); k++) // three stores around one base, checked once
            p[cpu * 8] = k, p[cpu * 8 + 1] = k, p[cpu * 8 + 2] = k;
    }
}

/* ---- code ---- */

static u32 code[64] __attribute__((aligned(64)));
static void changed_code(u32 cpu)
{
    u64 n = 500 * scale;
    static struct padded version;
    if (cpu == 0) {
        for (u64 k = 1; k <= n; k++) {
            code[k & 1 ? 0 : 16] = 0x52800000u | (u32)(k & 0xffff) << 5; // mov w0, #k
            code[k & 1 ? 1 : 17] = 0xd65f03c0u;                          // ret
            __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb"
                             :
                             : "r"(&code[k & 1 ? 0 : 16])
                             : "memory");
            stlr(&version.v, k);
            for (volatile u32 d = 0; d < 100; d++)
                ;
        }
        stlr(&version.v, n + 1);
    } else {
        for (;;) {
            u64 v = ldar(&version.v);
            if (v == 0)
                continue;
            if (v > n)
                break;
            __asm__ volatile("isb");
            u32 got = ((u32(*)(void))(v & 1 ? &code[0] : &code[16]))();
            CHECK(got >= (v & 0xffff), 50);
        }
    }
}

/* ---- */

void guest_main(u64 cpu)
{
    if (cpu == 0) {
        scale = 1;
        make_tables();
        mmu_on();
        cpus = 1;
        while (cpus < CPUS_MAX &&
               hvc(0xc4000004, cpus, 0, 0) == 1) // AFFINITY_INFO: there is one, and it is off
            cpus++;
        for (u64 k = 1; k < cpus; k++)
            CHECK(hvc(0xc4000003, k, (u64)second_start, k) == 0, 90);
    } else {
        mmu_on();
    }
    barrier();
    message_passing((u32)cpu);
    barrier();
    store_buffering((u32)cpu, 0);
    store_buffering((u32)cpu, 1);
    barrier();
    atomics((u32)cpu);
    barrier();
    events((u32)cpu);
    barrier();
    monitors((u32)cpu);
    barrier();
    interrupts((u32)cpu);
    barrier();
    remap((u32)cpu);
    barrier();
    protect((u32)cpu);
    barrier();
    changed_code((u32)cpu);
    barrier();
    if (cpu == 0)
        guest_exit(0);
    for (;;) // off, if the first were not to end it
        hvc(0x84000002, 0, 0, 0);
}
