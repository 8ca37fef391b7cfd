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

#include "lb_int.c"
#include "lb_mem.c"
#include "lb_fp.c"
#include "lb_crypto.c"
#include "lb_smp.c"
#include "lb_os.c"
#include "lb_disk.c"
#include "lb_code.c"

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
