/// The oracle's side of a differential run: an aarch64 program for qemu-aarch64 that executes cases
/// read from stdin and writes the results to stdout. Every case starts by returning from a signal
/// handler with the case's registers in the signal frame and ends in the next signal (the BRK after
/// its code, or a fault), so all registers belong to the case.
#define _GNU_SOURCE
#include "case.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static struct diff_state cases[BATCH_MAX];
static uint32_t count, current;
static char signal_stack[65536];

static void read_all(void *dst, size_t len)
{
    for (char *p = dst; len;) {
        ssize_t n = read(0, p, len);
        if (n <= 0)
            _exit(n < 0);
        p += n;
        len -= (size_t)n;
    }
}

static void write_all(const void *src, size_t len)
{
    for (const char *p = src; len;) {
        ssize_t n = write(1, p, len);
        if (n <= 0)
            _exit(1);
        p += n;
        len -= (size_t)n;
    }
}

static void map(unsigned long base, int prot)
{
    if (mmap((void *)base, BLOCK_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        _exit(2);
}

static void next_batch(void)
{
    struct diff_batch b;
    read_all(&b, sizeof b);
    if (b.count == 0 || b.count > BATCH_MAX)
        _exit(3);
    map(CODE_BLOCK, PROT_READ | PROT_WRITE);
    read_all((void *)CODE_BASE, (size_t)b.count * CASE_WORDS * 4);
    mprotect((void *)CODE_BLOCK, BLOCK_SIZE, PROT_READ | PROT_EXEC);
    read_all(cases, b.count * sizeof cases[0]);
    count = b.count;
    current = 0;
}

static struct fpsimd_context *fpsimd(mcontext_t *m)
{
    struct _aarch64_ctx *c = (struct _aarch64_ctx *)m->__reserved;
    while (c->magic != FPSIMD_MAGIC) {
        if (c->magic == 0)
            _exit(4);
        c = (struct _aarch64_ctx *)((char *)c + c->size);
    }
    return (struct fpsimd_context *)c;
}

static void save(struct diff_state *s, mcontext_t *m, int sig)
{
    struct fpsimd_context *f = fpsimd(m);
    memcpy(s->x, m->regs, sizeof s->x);
    s->sp = m->sp;
    s->pc = m->pc;
    s->nzcv = (uint32_t)m->pstate & 0xf0000000u;
    memcpy(s->v, f->vregs, sizeof s->v);
    s->fpcr = f->fpcr;
    s->fpsr = f->fpsr;
    s->end = sig == SIGTRAP ? END_BRK : sig == SIGILL ? END_UNDEF : sig == SIGSEGV ? END_SEGV : sig == SIGBUS ? END_BUS : END_OTHER;
    memcpy(s->window, (void *)WINDOW_BASE, WINDOW_SIZE);
}

static void load(const struct diff_state *s, mcontext_t *m)
{
    struct fpsimd_context *f = fpsimd(m);
    memcpy(m->regs, s->x, sizeof s->x);
    m->sp = s->sp;
    m->pc = s->pc;
    m->pstate = s->nzcv;
    memcpy(f->vregs, s->v, sizeof s->v);
    f->fpcr = s->fpcr;
    f->fpsr = s->fpsr;
    memcpy((void *)WINDOW_BASE, s->window, WINDOW_SIZE);
}

static void handler(int sig, siginfo_t *info, void *context)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    (void)info;
    if (sig != SIGUSR1)
        save(&cases[current++], m, sig);
    if (current == count) {
        if (count)
            write_all(cases, count * sizeof cases[0]);
        next_batch();
    }
    load(&cases[current], m);
}

int main(void)
{
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGUSR1};
    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &act, NULL);
    map(DATA_BLOCK, PROT_READ | PROT_WRITE);
    raise(SIGUSR1);
    return 5;
}
