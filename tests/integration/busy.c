// What a busy Linux user does to a kernel, in one static program: signals, single steps, code made at run time, BPF,
// huge pages, timers, CPUs that go and come. usage: busy PART...     Parts that this kernel does not offer are passed over.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MB (1UL << 20)
static volatile sig_atomic_t hits;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void handle(int sig, void (*fn)(int, siginfo_t *, void *))
{
    struct sigaction a = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(sig, &a, NULL);
}

/* ---- faults that a program handles ---- */

static void open_page(int sig, siginfo_t *i, void *u)
{
    mprotect((void *)((unsigned long)i->si_addr & ~0xffffUL), 0x10000, PROT_READ | PROT_WRITE);
    hits++;
}

static int segv(void)
{
    handle(SIGSEGV, open_page);
    for (int round = 0; round < 40; round++) {
        char *p = mmap(NULL, 8 * MB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (unsigned long k = 0; k < 8 * MB; k += 0x10000)
            p[k]++;
        munmap(p, 8 * MB);
    }
    return hits < 40 * 128;
}

static sigjmp_buf back;
static void jump_out(int sig, siginfo_t *i, void *u) { hits++, siglongjmp(back, 1); }

/// Instructions that trap, wild jumps, wild accesses: the same ones, over and over.
static int traps(void)
{
    static const int sigs[] = {SIGSEGV, SIGILL, SIGTRAP, SIGBUS};
    for (unsigned k = 0; k < 4; k++)
        handle(sigs[k], jump_out);
    for (volatile int n = 0; n < 20000; n++) {
        if (sigsetjmp(back, 0))
            continue;
        switch (n % 5) {
        case 0: __asm__ volatile(".inst 0"); break;
        case 1: __asm__ volatile("brk #1"); break;
        case 2: *(volatile int *)8 = 1; break;
        case 3: ((void (*)(void))0x123456780000)(); break;
        case 4: __asm__ volatile("mrs x0, midr_el1\nmrs x0, ctr_el0" ::: "x0"); break;
        }
    }
    return hits < 16000;
}

static int trace_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        for (volatile int k = 0; k < 1000; k++)
            ;
        _exit(0);
    }
    int status, steps = 0;
    waitpid(child, &status, 0);
    while (WIFSTOPPED(status)) {
        ptrace(++steps < 5000 ? PTRACE_SINGLESTEP : PTRACE_CONT, child, 0, 0);
        waitpid(child, &status, 0);
    }
    return steps < 1000;
}

/* ---- code made at run time ---- */

static int made_code(void)
{
    unsigned *p = mmap(NULL, MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned n = 0; n < 3000; n++) {
        mprotect(p, MB, PROT_READ | PROT_WRITE);
        p[0] = 0x52800000 | (n & 0xffff) << 5; /* mov w0, #n */
        p[1] = 0xd65f03c0;                      /* ret */
        mprotect(p, MB, PROT_READ | PROT_EXEC);
        __builtin___clear_cache((char *)p, (char *)(p + 2));
        if (((unsigned (*)(void))p)() != (n & 0xffff))
            return 1;
    }
    return 0;
}

/* ---- memory ---- */

static int huge(void)
{
    for (int round = 0; round < 12; round++) {
        char *p = mmap(NULL, 64 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(p, 64 * MB, round & 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        for (unsigned long k = 0; k < 64 * MB; k += 4096)
            p[k] = (char)k;
        pid_t child = fork();
        if (child == 0) { /* copies pages of which the parent holds the others */
            for (unsigned long k = 0; k < 64 * MB; k += 3 * 4096)
                p[k]++;
            _exit(0);
        }
        mprotect(p + 3 * MB, MB, PROT_READ);
        madvise(p + 8 * MB, MB, MADV_DONTNEED);
        madvise(p, 32 * MB, 25 /* MADV_COLLAPSE */);
        waitpid(child, NULL, 0);
        p = mremap(p, 64 * MB, 96 * MB, MREMAP_MAYMOVE);
        madvise(p, 96 * MB, MADV_MERGEABLE);
        munmap(p, 96 * MB);
    }
    return 0;
}

static void *serve_faults(void *arg)
{
    int fd = *(int *)arg;
    struct uffd_msg m;
    static char page[65536];
    while (read(fd, &m, sizeof m) == sizeof m) {
        struct uffdio_copy c = {.dst = m.arg.pagefault.address & ~0xffffUL, .src = (unsigned long)page, .len = 65536};
        ioctl(fd, UFFDIO_COPY, &c);
        hits++;
    }
    return NULL;
}

static int user_faults(void)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
    struct uffdio_api api = {.api = UFFD_API};
    char *p = mmap(NULL, 16 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p = (char *)(((unsigned long)p + 65535) & ~65535UL);
    struct uffdio_register r = {.range = {(unsigned long)p, 8 * MB}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &r))
        return 0;
    pthread_t t;
    pthread_create(&t, NULL, serve_faults, &fd);
    for (unsigned long k = 0; k < 8 * MB; k += 65536)
        p[k]++;
    return hits < 100; /* the last one is counted late */
}

/* ---- threads and time ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile long shared;

static void *wander(void *arg)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    for (int k = 0; k < 400; k++) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((unsigned)(k + (long)arg) % (unsigned)cpus, &set);
        if (k % 16 == 0)
            sched_setaffinity(0, sizeof set, &set);
        pthread_mutex_lock(&lock);
        shared++;
        pthread_cond_broadcast(&cond);
        if (k % 4 == 0 && shared < 1550) {
            struct timespec t;
            clock_gettime(CLOCK_REALTIME, &t);
            t.tv_nsec = (t.tv_nsec + 200000) % 1000000000;
            pthread_cond_timedwait(&cond, &lock, &t);
        }
        pthread_mutex_unlock(&lock);
        k % 64 ? 0 : syscall(SYS_membarrier, 1, 0, 0);
    }
    return NULL;
}

static int threads(void)
{
    pthread_t t[4];
    for (long k = 0; k < 4; k++)
        pthread_create(&t[k], NULL, wander, (void *)k);
    for (int k = 0; k < 4; k++)
        pthread_join(t[k], NULL);
    return shared != 1600;
}

static void count(int sig, siginfo_t *i, void *u) { hits++; }

static int timers(void)
{
    struct itimerval v = {{0, 500}, {0, 500}};
    handle(SIGALRM, count);
    setitimer(ITIMER_REAL, &v, NULL);
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec s = {{0, 1000000}, {0, 1000000}};
    timerfd_settime(fd, 0, &s, NULL);
    for (double end = now() + 1; now() < end;) {
        unsigned long n;
        if (read(fd, &n, 8) < 0 && errno != EINTR)
            return 1;
    }
    v = (struct itimerval){0};
    setitimer(ITIMER_REAL, &v, NULL);
    return hits == 0;
}

static int perf(void)
{
    static const struct {
        unsigned type, config;
    } kinds[] = {{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK}, {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES}, {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS}};
    for (unsigned k = 0; k < 3; k++) {
        struct perf_event_attr a = {.type = kinds[k].type, .size = sizeof a, .config = kinds[k].config, .sample_period = 100000, .sample_type = PERF_SAMPLE_IP};
        int fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
        if (fd < 0)
            continue;
        mmap(NULL, 9 * (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        for (double end = now() + 0.3; now() < end;)
            getppid();
        close(fd);
    }
    return 0;
}

/* ---- BPF, which the kernel translates ---- */

static int filters(void)
{
    for (int n = 0; n < 300; n++) {
        struct sock_filter f[64];
        for (int k = 0; k < 63; k++)
            f[k] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, (unsigned)(k * n));
        f[63] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0x40000);
        struct sock_fprog prog = {64, f};
        int s[2];
        char c = 1;
        socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
        setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog);
        for (int k = 0; k < 5; k++)
            if (write(s[0], &c, 1) != 1 || read(s[1], &c, 1) != 1)
                return 1;
        close(s[0]);
        close(s[1]);
    }
    if (fork() == 0) {
        struct sock_filter ok[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        struct sock_fprog prog = {1, ok};
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        for (int k = 0; k < 50; k++)
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
        for (int k = 0; k < 5000; k++)
            getppid();
        _exit(0);
    }
    wait(NULL);
    return 0;
}

/* ---- disk, without the page cache ---- */

static int disk(void)
{
    int fd = open("/dev/vda", O_RDONLY | O_DIRECT);
    char *buf = mmap(NULL, MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned long sum = 0;
    if (fd < 0)
        return 0;
    for (int k = 0; k < 2000; k++) {
        if (pread(fd, buf, 4096, k % 1000 * 4096L) != 4096)
            return 1;
        sum += (unsigned char)buf[k % 4096];
    }
    for (int k = 0; k < 16; k++)
        if (pread(fd, buf, MB, k % 4 * (long)MB) != (long)MB)
            return 1;
    return sum == 1;
}

/* ---- the next kernel ---- */

enum { KERNEL_AT = 0x48000000, INITRD_AT = 0x50000000, TREE_AT = 0x4f000000, START_AT = 0x4f800000 };
extern char kexec_start[];
__asm__(".balign 8\nkexec_start: ldr x0, 1f\nldr x16, 2f\nmov x1, xzr\nmov x2, xzr\nmov x3, xzr\nbr x16\n.balign 8\n"
        "1: .quad 0x4f000000\n2: .quad 0x48000000");

static void *contents(const char *path, unsigned long *len)
{
    int fd = open(path, O_RDONLY);
    char *p = mmap(NULL, 80 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long n;
    for (*len = 0; (n = read(fd, p + *len, 80 * MB - *len)) > 0;)
        *len += (unsigned long)n;
    return p;
}

static unsigned be(const char *p) { return __builtin_bswap32(*(const unsigned *)p); }

/// A property of 4 or 8 bytes gets another value.
static void set_property(char *tree, const char *name, unsigned long v)
{
    char *end = tree + be(tree + 8) + be(tree + 36), *strings = tree + be(tree + 12);
    for (char *p = tree + be(tree + 8); p < end; p += 4)
        if (be(p) == 3 && be(p + 8) < be(tree + 32) && strcmp(strings + be(p + 8), name) == 0 && (be(p + 4) == 4 || be(p + 4) == 8)) {
            unsigned *to = (unsigned *)(p + 12), words = be(p + 4) / 4;
            to[words - 1] = __builtin_bswap32((unsigned)v);
            if (words == 2)
                to[0] = 0;
        }
}

static int next_kernel(void)
{
    struct {
        void *buf;
        unsigned long len, at, room;
    } seg[4] = {{.at = KERNEL_AT}, {.at = INITRD_AT}, {.at = TREE_AT}, {kexec_start, 64, START_AT, 65536}};
    seg[0].buf = contents("/tmp/Image", &seg[0].len);
    seg[1].buf = contents("/tmp/initrd", &seg[1].len);
    seg[2].buf = contents("/sys/firmware/fdt", &seg[2].len);
    set_property(seg[2].buf, "linux,initrd-start", INITRD_AT);
    set_property(seg[2].buf, "linux,initrd-end", INITRD_AT + seg[1].len);
    for (int k = 0; k < 3; k++)
        seg[k].room = (seg[k].len + 65535) & ~65535UL;
    seg[0].room += 2 * MB; /* .bss */
    for (int k = 0; k < 4; k++)
        printf("kexec: %lu bytes at 0x%lx, %08x\n", seg[k].len, seg[k].at, *(unsigned *)seg[k].buf);
    if (syscall(SYS_kexec_load, START_AT, 4, seg, 0UL)) {
        printf("kexec: %s\n", strerror(errno));
        return 1;
    }
    reboot(0x45584543);
    return 1;
}

static const struct {
    const char *name;
    int (*run)(void);
} parts[] = {{"segv", segv},     {"traps", traps}, {"step", trace_child}, {"code", made_code}, {"huge", huge},
             {"uffd", user_faults}, {"threads", threads}, {"timers", timers}, {"perf", perf}, {"bpf", filters}, {"disk", disk}, {"kexec", next_kernel}};

int main(int argc, char **argv)
{
    int bad = 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int a = 1; a < argc; a++)
        for (unsigned k = 0; k < sizeof parts / sizeof parts[0]; k++)
            if (strcmp(argv[a], parts[k].name) == 0) {
                double from = now();
                hits = 0;
                int r = parts[k].run();
                printf("BUSY-%s %s %.2f\n", parts[k].name, r ? "FAILED" : "ok", now() - from);
                bad += r;
            }
    return bad;
}
