/// The host, Linux: RAM, clocks, threads, files.
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL

void *os_ram_alloc(u64 size)
{
    if (!size || size > (u64)SIZE_MAX / 2)
        return NULL;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (size >= 2 * MIB)
        (void)madvise(p, size, MADV_HUGEPAGE);
    (void)madvise(p, size, MADV_DONTFORK);
    return p;
}

void os_ram_free(void *p, u64 size)
{
    if (p)
        munmap(p, size);
}

void os_ram_discard(void *p, u64 size) { (void)madvise(p, size, MADV_DONTNEED); }

int os_pid(void) { return (int)getpid(); }
u64 os_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * NS_PER_S + (u64)t.tv_nsec;
}

#if defined(__x86_64__)
/// Linux takes the time from it only while it is steady and the same everywhere.
static bool tsc_is_clock(void)
{
    char name[8] = "";
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    bool is = f && fgets(name, sizeof name, f) && strcmp(name, "tsc\n") == 0;
    if (f)
        fclose(f);
    return is;
}
u64 os_cycles(void)
{
    static _Atomic int known; // the same value every time: a race is harmless
    int k = atomic_load_explicit(&known, memory_order_relaxed);
    if (k == 0) {
        k = tsc_is_clock() ? 1 : -1;
        atomic_store_explicit(&known, k, memory_order_relaxed);
    }
    __builtin_ia32_lfence(); // not before what was read earlier
    return k > 0 ? __builtin_ia32_rdtsc() : 0;
}
#else
u64 os_cycles(void) { return 0; }
#endif

u64 os_wall_s(void) { return (u64)time(NULL); }

void os_sleep_ns(u64 ns)
{
    struct timespec t = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

void os_random(void *buf, size_t len)
{
    u8 *p = buf;
    while (len) {
        ssize_t n = getrandom(p, len > 256 ? 256 : len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            log_line("the host gives no random bytes (getrandom: %s)", strerror(errno));
            exit(ERR_USAGE);
        }
        p += n;
        len -= (size_t)n;
    }
}

/* ---- threads ---- */

void os_mutex_init(struct os_mutex *m) { pthread_mutex_init(&m->m, NULL); }
void os_mutex_init_recursive(struct os_mutex *m)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&m->m, &a);
    pthread_mutexattr_destroy(&a);
}
void os_mutex_destroy(struct os_mutex *m) { pthread_mutex_destroy(&m->m); }

void os_cond_init(struct os_cond *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&c->c, &a);
    pthread_condattr_destroy(&a);
}
void os_cond_destroy(struct os_cond *c) { pthread_cond_destroy(&c->c); }

bool os_cond_wait_until(struct os_cond *c, struct os_mutex *m, u64 deadline_ns)
{
    if (deadline_ns == ~0ULL) {
        pthread_cond_wait(&c->c, &m->m);
        return true;
    }
    struct timespec t = {(time_t)(deadline_ns / NS_PER_S), (long)(deadline_ns % NS_PER_S)};
    return pthread_cond_timedwait(&c->c, &m->m, &t) != ETIMEDOUT;
}

struct thread_start {
    void (*fn)(void *);
    void *arg;
    char name[16];
};

static void *thread_main(void *arg)
{
    struct thread_start s = *(struct thread_start *)arg;
    free(arg);
    pthread_setname_np(pthread_self(), s.name);
    s.fn(s.arg);
    return NULL;
}

bool os_thread_start(struct os_thread *t, const char *name, void (*fn)(void *), void *arg,
                     struct err *e)
{
    struct thread_start *s = xcalloc(1, sizeof *s);
    s->fn = fn;
    s->arg = arg;
    snprintf(s->name, sizeof s->name, "%s", name);
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&t->t, NULL, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    t->is_running = rc == 0;
    if (rc) {
        free(s);
        return err_set(e, ERR_USAGE, "thread %s: the host refuses it: %s", name, strerror(rc));
    }
    return true;
}

static _Thread_local unsigned thread_number;
void os_thread_set_number(unsigned n) { thread_number = n; }
unsigned os_thread_number(void) { return thread_number; }

unsigned os_cpu_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (unsigned)n;
}

void os_thread_relax(unsigned round)
{
    enum { SPINS = 400, YIELDS = 4000, NAP_NS = 20000 };
    if (round < SPINS) {
#ifdef __x86_64__
        __builtin_ia32_pause();
#endif
    } else if (round < YIELDS) {
        sched_yield();
    } else {
        os_sleep_ns(NAP_NS);
    }
}

void os_thread_join(struct os_thread *t)
{
    if (t->is_running)
        pthread_join(t->t, NULL);
    t->is_running = false;
}

/* ---- files ---- */

enum { FIFO_PATIENCE_MS = 900 };

static bool read_stream(struct os_file *f, int fd, const char *path, u64 max, struct err *e)
{
    u8 *buf = NULL;
    u64 cap = 0, len = 0;
    for (;;) {
        if (len == cap) {
            cap = cap ? cap * 2 : 64 * KIB;
            buf = xrealloc(buf, cap);
        }
        long n = os_read(fd, buf + len, cap - len);
        if (n == 0)
            break;
        if (n < 0) {
            free(buf);
            return err_set(e, ERR_NOT_FOUND, "%s: cannot be read: %s", path, strerror(errno));
        }
        len += (u64)n;
        if (len > max) {
            free(buf);
            return err_set(e, ERR_FORMAT, "%s: more than the limit of %llu MiB", path,
                           (unsigned long long)(max / MIB));
        }
    }
    *f = (struct os_file){buf, len, false};
    return true;
}

/// A FIFO, opened without waiting, has a writer within FIFO_PATIENCE_MS. From then on reads wait.
static bool has_writer(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    bool has = poll(&p, 1, FIFO_PATIENCE_MS) > 0;
    os_set_nonblock(fd, false);
    return has;
}

bool os_file_open(struct os_file *f, const char *path, u64 max, struct err *e)
{
    *f = (struct os_file){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    struct stat st;
    bool ok = false;
    if (fstat(fd, &st)) {
        err_set(e, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        err_set(e, ERR_FORMAT, "%s: is a directory, not a file", path);
    } else if (S_ISCHR(st.st_mode)) {
        err_set(e, ERR_FORMAT, "%s: is a device, not a file", path);
    } else if (S_ISFIFO(st.st_mode) && !has_writer(fd)) {
        err_set(e, ERR_FORMAT, "%s: is a FIFO that nobody writes to", path);
    } else if (!S_ISREG(st.st_mode)) {
        ok = read_stream(f, fd, path, max, e);
    } else if ((u64)st.st_size > max) {
        err_set(e, ERR_FORMAT, "%s: %llu MiB; the limit is %llu MiB", path,
                (unsigned long long)st.st_size / MIB, (unsigned long long)(max / MIB));
    } else if (st.st_size == 0) {
        ok = read_stream(f, fd, path, max, e); /* /proc files say 0 and are not empty */
    } else {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        ok = p != MAP_FAILED;
        if (ok)
            *f = (struct os_file){p, (u64)st.st_size, true};
        else
            ok = read_stream(f, fd, path, max, e);
    }
    close(fd);
    return ok;
}

bool os_file_is_stream(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 &&
           (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) || S_ISSOCK(st.st_mode));
}

void os_file_close(struct os_file *f)
{
    if (f->is_mapped)
        munmap((void *)(uintptr_t)f->data, f->size);
    else
        free((void *)(uintptr_t)f->data);
    *f = (struct os_file){0};
}

static long io_result(ssize_t n)
{
    if (n >= 0)
        return (long)n;
    return errno == EAGAIN || errno == EWOULDBLOCK ? -1 : -2;
}

long os_read(int fd, void *buf, size_t len)
{
    ssize_t n;
    do
        n = read(fd, buf, len);
    while (n < 0 && errno == EINTR);
    return io_result(n);
}

long os_write(int fd, const void *buf, size_t len)
{
    ssize_t n;
    do
        n = write(fd, buf, len);
    while (n < 0 && errno == EINTR);
    return io_result(n);
}

bool os_write_at(int fd, u64 off, const void *buf, size_t len)
{
    const u8 *p = buf;
    while (len) {
        ssize_t n = pwrite(fd, p, len, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        off += (u64)n;
        len -= (size_t)n;
    }
    return true;
}

int os_open_rw(const char *path, u64 size, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct stat st;
    if (fd < 0)
        err_set(e, ERR_NOT_FOUND, "%s: cannot be written: %s", path, strerror(errno));
    else if (flock(fd, LOCK_EX | LOCK_NB))
        err_set(e, ERR_USAGE, "%s: another machine is using it", path);
    else if (fstat(fd, &st) || (st.st_size == 0 && ftruncate(fd, (off_t)size)))
        err_set(e, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    else
        return fd;
    os_close(fd);
    return -1;
}

void os_set_nonblock(int fd, bool on)
{
    int fl = fcntl(fd, F_GETFL);
    if (fl >= 0)
        (void)fcntl(fd, F_SETFL, on ? fl | O_NONBLOCK : fl & ~O_NONBLOCK);
}

void os_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* ---- child processes ---- */

extern char **environ;

int os_child_start(const char *const *argv, int fd, int child_fd, struct err *e)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    pid_t pid = 0;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&at);
    posix_spawnattr_setsigmask(&at, &none);
    posix_spawnattr_setpgroup(&at, 0); /* Ctrl-C of the terminal is not for it */
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&fa, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, fd, child_fd);
    int rc = posix_spawnp(&pid, argv[0], &fa, &at, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&at);
    if (rc) {
        err_set(e, ERR_USAGE, "%s: %s%s", argv[0], strerror(rc),
                rc == ENOENT ? "; install the package of that name" : "");
        return 0;
    }
    return pid;
}

void os_child_end(int pid)
{
    if (pid <= 0)
        return;
    if (waitpid(pid, NULL, WNOHANG) == pid)
        return;
    kill(pid, SIGTERM);
    for (unsigned i = 0; i < 100; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        os_sleep_ns(2000000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
