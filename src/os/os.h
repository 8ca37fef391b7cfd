/// What the host gives: guest RAM, time, threads, polling, terminals, files. The only folder that
/// may contain platform #ifdefs; errno does not leave it except inside messages.
#ifndef BRUIN_OS_H
#define BRUIN_OS_H

#include "base/base.h"

#include <pthread.h>

/* ---- memory ---- */

/// Zeroed, page-aligned memory that the host commits on first touch. size is a multiple of 4 KiB.
/// ret  NULL when the host refuses
void *os_ram_alloc(u64 size);
void os_ram_free(void *p, u64 size);
/// Gives the pages back to the host; they read as zero afterwards. p and size: whole host pages.
void os_ram_discard(void *p, u64 size);

/// Memory for generated code, mapped twice: what is written at rw runs at rx.
struct os_code {
    u8 *rw, *rx;
    u64 size;
};
/// size: a multiple of 4 KiB. ret  false with a message when the host forbids it
MUST_USE bool os_code_alloc(struct os_code *code, u64 size, struct err *e);
/// Drops whole pages of the writable mapping; they come back, unchanged, when written again.
void os_code_trim(struct os_code *code, u8 *from, u64 len);
void os_code_free(struct os_code *code);

/* ---- time ---- */

/// Nanoseconds of a clock that never steps.
u64 os_now_ns(void);
/// A counter of the host's that runs at one rate on all its CPUs, counting at least once a nanosecond: what
/// os_now_ns is made from. 0: none that may be read directly.
u64 os_cycles(void);
int os_pid(void);
/// Seconds since 1970-01-01 UTC.
u64 os_wall_s(void);
void os_sleep_ns(u64 ns);
/// Fills buf with unpredictable bytes.
void os_random(void *buf, size_t len);

/* ---- threads ---- */

struct os_mutex {
    pthread_mutex_t m;
};
struct os_cond {
    pthread_cond_t c;
};
struct os_thread {
    pthread_t t;
    bool is_running;
};

void os_mutex_init(struct os_mutex *m);
/// One that its holder may lock again.
void os_mutex_init_recursive(struct os_mutex *m);
void os_mutex_destroy(struct os_mutex *m);
static inline void os_mutex_lock(struct os_mutex *m) { pthread_mutex_lock(&m->m); }
static inline void os_mutex_unlock(struct os_mutex *m) { pthread_mutex_unlock(&m->m); }

void os_cond_init(struct os_cond *c);
void os_cond_destroy(struct os_cond *c);
static inline void os_cond_signal(struct os_cond *c) { pthread_cond_signal(&c->c); }
static inline void os_cond_broadcast(struct os_cond *c) { pthread_cond_broadcast(&c->c); }
static inline void os_cond_wait(struct os_cond *c, struct os_mutex *m)
{
    pthread_cond_wait(&c->c, &m->m);
}
/// Waits until signalled or until os_now_ns() reaches deadline_ns (~0: for ever).
/// ret  false when the deadline passed
bool os_cond_wait_until(struct os_cond *c, struct os_mutex *m, u64 deadline_ns);

/// Starts a thread whose signals are blocked. name: at most 15 characters.
MUST_USE bool os_thread_start(struct os_thread *t, const char *name, void (*fn)(void *), void *arg,
                              struct err *e);
/// Waits for its end; nothing to do when it never started.
void os_thread_join(struct os_thread *t);
/// A number that the calling thread carries, 0 until it was set.
void os_thread_set_number(unsigned n);
unsigned os_thread_number(void);
/// Tells threads that exist at the same time apart.
static inline u64 os_thread_self(void) { return (u64)(uintptr_t)pthread_self(); }
/// How many threads the host runs at a time.
unsigned os_cpu_count(void);
/// For loops that wait for another thread, which will be short: round counts from 0. Soon lets others run.
void os_thread_relax(unsigned round);

/* ---- polling: one loop owns a struct os_poll; others may add, remove and wake ---- */

enum { OS_POLL_IN = 1, OS_POLL_OUT = 2, OS_POLL_HUP = 4 };
enum { OS_POLL_MAX = 64 };
struct os_poll;
typedef void (*os_poll_fn)(void *ctx, unsigned events);

/// ret  NULL with a message when the host gives no descriptors
struct os_poll *os_poll_new(struct err *e);
void os_poll_free(struct os_poll *p);
/// Calls fn from os_poll_wait when fd is ready for one of events, or hung up. Any thread.
/// ret  false when OS_POLL_MAX descriptors are watched already
MUST_USE bool os_poll_add(struct os_poll *p, int fd, unsigned events, os_poll_fn fn, void *ctx);
/// events 0 keeps fd but does not watch it. Any thread.
void os_poll_set(struct os_poll *p, int fd, unsigned events);
void os_poll_del(struct os_poll *p, int fd);
/// Waits for descriptors, the deadline (~0: none) or a wake, and calls back. Loop thread only.
void os_poll_wait(struct os_poll *p, u64 deadline_ns);
/// Ends a wait that is going on or the next one. Any thread, also from a signal handler.
void os_poll_wake(struct os_poll *p);

/// A one-shot deadline watched by a poll loop. set: any thread, ~0 disarms, cheap when unchanged.
struct os_timer;
struct os_timer *os_timer_new(struct os_poll *p, void (*fn)(void *), void *ctx, struct err *e);
void os_timer_free(struct os_timer *t);
void os_timer_set(struct os_timer *t, u64 deadline_ns);

/* ---- terminal ---- */

bool os_is_tty(int fd);
/// Puts the terminal into raw mode and remembers its state, which is restored by os_tty_restore,
/// at exit, and when SIGINT, SIGTERM, SIGHUP, SIGQUIT or a fatal signal ends the process.
void os_tty_raw(int fd);
void os_tty_restore(void);

/* ---- files and descriptors ---- */

/// A whole file, mapped read-only or read into memory.
struct os_file {
    const u8 *data;
    u64 size;
    bool is_mapped;
};
/// Opens a file of 0 .. max bytes. Anything that is not a regular file is read to its end.
/// ret  false with ERR_NOT_FOUND or ERR_FORMAT (too large) and a message
MUST_USE bool os_file_open(struct os_file *f, const char *path, u64 max, struct err *e);
void os_file_close(struct os_file *f);
/// True for a pipe and the like: what was read is gone, so it is to be opened once.
bool os_file_is_stream(const char *path);

/// Starts a program found in PATH; it sees fd as child_fd, /dev/null as input and output, and the
/// caller's standard error. ret  process id, or 0 with a message that says what to install
int os_child_start(const char *const *argv, int fd, int child_fd, struct err *e);
/// Ends it, if it still runs, and forgets it.
void os_child_end(int pid);

/// Bytes read, 0 at the end, -1 when nothing is there now, -2 on an error. Retries EINTR.
long os_read(int fd, void *buf, size_t len);
/// Bytes written, -1 when the descriptor would block, -2 on an error. Retries EINTR.
long os_write(int fd, const void *buf, size_t len);
/// Writes all of it at an offset. ret  false on an error
bool os_write_at(int fd, u64 off, const void *buf, size_t len);
/// Opens a file for reading and writing, for this process alone; a missing or empty one becomes size
/// zeros. ret  -1 with a message
int os_open_rw(const char *path, u64 size, struct err *e);
void os_set_nonblock(int fd, bool on);
void os_close(int fd);

/* ---- local sockets (linux_net.c) ---- */

/// Listens on 127.0.0.1:*port (0: chosen by the system and returned), or on a UNIX socket at path when
/// path is not NULL (an old socket there is replaced). ret  -1 with a message
int os_listen(const char *path, unsigned *port, struct err *e);
/// Waits for a connection. ret  -1 when the listener was closed or failed
int os_accept(int listener);
/// Writes to a connection; when the other end has gone that is an error and no signal. ret  as os_write
long os_send(int fd, const void *buf, size_t len);
/// True when fd can be read (or is at its end) within timeout_ns.
bool os_wait_readable(int fd, u64 timeout_ns);

#endif
