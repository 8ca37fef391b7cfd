// Programs that write code, move, and use stacks in unusual ways.
// guest: patching patching_mmu_off copied copied_mmu_off generates overlays vectors_copied relocates
// guest: recursion tasks_below tasks_in_heap preempted stack_by_frames jump_table tail_calls threaded
// guest: exclusives_retry lse_all cas_loop computed_return
#include "good.h"

static volatile u64 sink, count;
typedef u64 fn(u64);

/* ---- code ---- */

#define RET 0xd65f03c0u
#define MOVZ(r, v) (0xd2800000u | (u32)(v) << 5 | (r))
#define ADDI(r, v) (0x91000000u | (u32)(v) << 10 | (r) << 5 | (r))

static u32 slot[64] __attribute__((aligned(64)));
static void patch(void)
{
    for (u64 n = 0; n < 3000; n++) {
        slot[0] = MOVZ(0, n);
        slot[1] = RET;
        code_sync(slot, 8);
        CHECK(((fn *)slot)(0) == n);
    }
}
void patching(void)
{
    mmu_on();
    patch();
}
void patching_mmu_off(void) { patch(); }

extern u8 piece[], piece_end[];
__asm__(".balign 16\npiece: add x0, x0, #5\nret\npiece_end:\n");
static void copy_around(void)
{
    u64 at = allocate(0x10000);
    for (u64 n = 0; n < 2000; n++) {
        u8 *to = (u8 *)(at + (n * 208 & 0xfff0));
        for (u64 k = 0; k < (u64)(piece_end - piece); k += 4)
            R32(to + k) = R32(piece + k);
        code_sync(to, (u64)(piece_end - piece));
        CHECK(((fn *)to)(n) == n + 5);
    }
}
void copied(void)
{
    mmu_on();
    copy_around();
}
void copied_mmu_off(void) { copy_around(); }

/// A translator's way: much code, one round of maintenance, then it runs.
void generates(void)
{
    mmu_on();
    u64 at = allocate(0x40000);
    for (unsigned round = 0; round < 12; round++) {
        for (u64 f = 0; f < 1024; f++) {
            u32 *p = (u32 *)(at + f * 256);
            for (unsigned k = 0; k < 40; k++)
                *p++ = ADDI(0, f + round);
            *p = RET;
        }
        code_sync((void *)at, 0x40000);
        for (u64 f = 0; f < 1024; f++)
            CHECK(((fn *)(at + f * 256))(1) == 1 + 40 * (f + round));
    }
}
/// Overlays in one place; the whole instruction cache is thrown away each time.
void overlays(void)
{
    mmu_on();
    u32 *p = (u32 *)allocate(4096);
    for (u64 n = 0; n < 500; n++) {
        for (unsigned k = 0; k < 1000; k++)
            p[k] = ADDI(0, n);
        p[1000] = RET;
        for (u64 k = 0; k < 4096; k += 64)
            __asm__ volatile("dc cvau, %0" ::"r"((u64)p + k) : "memory");
        ASM("dsb ish\nic iallu\ndsb ish\nisb");
        CHECK(((fn *)p)(0) == 1000 * n);
    }
}
/// The vectors go to RAM of their own.
static void calls(struct frame *f) { count++; }
void vectors_copied(void)
{
    on_sync = calls;
    u64 at = (allocate(0x10000) + 0x7fff) & ~0x7fffUL;
    /* what the vectors branch to moves along: one piece of 8 KiB */
    for (u64 k = 0; k < 8192; k += 8)
        R64(at + k) = R64((u64)vectors + k);
    s64 far = (s64)((u64)on_sync - (u64)vectors);
    (void)far;
    code_sync((void *)at, 8192);
    sink = at;
}
/// The program copies itself to another place and goes on there.
void relocates(void)
{
    u64 from = RAM + 0x80000, len = (u64)__end - from, to = RAM + 0x4000000;
    u64 pc;
    for (u64 k = 0; k < len; k += 8)
        R64(to + k) = R64(from + k);
    code_sync((void *)to, len);
    __asm__ volatile("adr x9, 1f\nsub x9, x9, %1\nadd x9, x9, %2\nbr x9\n1: adr %0, 1b" : "=r"(pc) : "r"(from), "r"(to) : "x9", "memory");
    CHECK(pc - to < len);
    for (u64 n = 0; n < 1000000; n++)
        sink += n;
}

/* ---- stacks ---- */

static NOINLINE u64 deep(u64 n)
{
    volatile u64 kept = n;
    u64 below = n ? deep(n - 1) : 0;
    return below + (kept != 0);
}
/// Goes down nearly the whole of the stack that the symbols name, and back.
void recursion(void)
{
    for (u64 n = 0; n < 2000; n++)
        CHECK(deep(1300) == 1300);
}

/// Tasks whose stacks lie right below the first one.
static __attribute__((section(".stack_low,\"aw\",%nobits//"), aligned(16))) u8 task_stack[8][4096];
static u64 task_sp[8], main_sp, current;
static void task(u64 id)
{
    for (u64 n = 0; n < 200; n++) {
        count += deep(20 + id) > 0;
        current = (id + 1) & 7;
        switch_to(&task_sp[id], task_sp[current]);
    }
    switch_to(&task_sp[id], main_sp);
}
static void start_tasks(u8 *stacks, u64 size)
{
    for (u64 k = 0; k < 8; k++) {
        u64 *top = (u64 *)(stacks + (k + 1) * size);
        for (unsigned n = 0; n < 12; n++)
            *--top = 0;
        top[1] = (u64)switch_start;
        top[2] = (u64)task;
        top[3] = k;
        task_sp[k] = (u64)top;
    }
    switch_to(&main_sp, task_sp[0]);
    CHECK(count >= 1593);
}
void tasks_below(void) { start_tasks(&task_stack[0][0], sizeof task_stack[0]); }
void tasks_in_heap(void) { start_tasks((u8 *)allocate(8 * 8192), 8192); }

/// Tasks on stacks below the first one, switched by the timer, in the handler.
static u64 now_runs, started;
static void preempt(struct frame *f)
{
    u32 id = gic_ack();
    timer_in(ms(2));
    gic_end(id);
    if (++count > 300) {
        f->elr = sink;
        f->spsr |= 0x80;
        return;
    }
    u64 old = now_runs;
    now_runs = (now_runs + 1) & 7;
    switch_to(&task_sp[old], task_sp[now_runs]);
}
static void endless(u64 id)
{
    irq_on();
    for (u64 n = 0;; n++)
        if (n % 100000 == 0)
            deep(10);
}
__asm__(".text\npreempted_end: adrp x0, __stack_top\nadd x0, x0, :lo12:__stack_top\nmov sp, x0\nbl finish\n");
void preempted(void)
{
    on_irq = preempt;
    gic_init();
    gic_enable(27);
    for (u64 k = 1; k < 8; k++) {
        u64 *top = (u64 *)&task_stack[k][4096];
        for (unsigned n = 0; n < 12; n++)
            *--top = 0;
        top[1] = (u64)switch_start;
        top[2] = (u64)endless;
        task_sp[k] = (u64)top;
    }
    __asm__ volatile("adr x0, preempted_end\nstr x0, [%0]" ::"r"(&sink) : "x0", "memory");
    timer_in(ms(2));
    endless(0);
}
/// Large frames, within the stack.
static NOINLINE u64 large(u64 n)
{
    volatile u64 a[512];
    for (u64 k = 0; k < 512; k++)
        a[k] = k + n;
    return a[n & 511] + (n ? large(n - 1) : 0);
}
void stack_by_frames(void)
{
    for (u64 n = 0; n < 200; n++)
        sink += large(13);
}

/* ---- jumps ---- */

void jump_table(void)
{
    static void *const to[] = {&&a, &&b, &&c, &&d};
    u64 n = 0;
    for (;;) {
        goto *to[random_next() & 3];
    a:
        n += 1;
        continue;
    b:
        n += 2;
        continue;
    c:
        n += 3;
        continue;
    d:
        if (++count == 300000)
            break;
    }
    CHECK(n > 300000);
}
static NOINLINE u64 even(u64 n);
static NOINLINE u64 odd(u64 n) { return n ? even(n - 1) : 0; }
static NOINLINE u64 even(u64 n) { return n ? odd(n - 1) : 1; }
void tail_calls(void) { CHECK(even(sink + 5000000) == 1); }

/// An interpreter whose words are addresses.
void threaded(void)
{
    static void *const program[] = {&&push, &&add, &&dup, &&loop};
    void *const *ip = program;
    u64 acc = 0, n = 0;
    goto **ip++;
push:
    acc += 3;
    goto **ip++;
add:
    acc ^= n;
    goto **ip++;
dup:
    n++;
    goto **ip++;
loop:
    ip = program;
    if (n < 300000)
        goto **ip++;
    sink = acc;
}
/// RET to an address that was computed, not called from.
void computed_return(void)
{
    for (u64 n = 0; n < 100000; n++)
        __asm__ volatile("adr x9, 1f\nret x9\nudf #0\n1:" ::: "x9");
}

/* ---- atomics ---- */

void exclusives_retry(void)
{
    mmu_on();
    u64 old, st, tries = 0;
    for (u64 n = 0; n < 20000; n++) {
        do {
            __asm__ volatile("ldxr %0, [%1]" : "=r"(old) : "r"(&sink) : "memory");
            if (++tries % 7 == 0)
                ASM("clrex"); /* as an interrupt would */
            __asm__ volatile("stxr %w0, %1, [%2]" : "=&r"(st) : "r"(old + 1), "r"(&sink) : "memory");
        } while (st & 1);
    }
    CHECK(sink == 20000 && tries > 20000);
}
void lse_all(void)
{
    mmu_on();
    for (u64 n = 0; n < 20000; n++)
        __asm__ volatile(".arch_extension lse\nldadd %0, x9, [%1]\nldset %0, x9, [%1]\nldclr xzr, x9, [%1]\nswp %0, x9, [%2]"
                         ::"r"(1UL), "r"(&sink), "r"(&count) : "x9", "memory");
}
void cas_loop(void)
{
    mmu_on();
    for (u64 n = 0; n < 20000; n++) {
        u64 seen = sink, got;
        do {
            got = seen;
            __asm__ volatile(".arch_extension lse\ncasal %0, %1, [%2]" : "+r"(got) : "r"(seen + 1), "r"(&sink) : "memory");
            seen = got == seen ? seen : got;
        } while (got != seen);
    }
    CHECK(sink == 20000);
}
