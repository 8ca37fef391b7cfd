// Programs that take exceptions on purpose, many of them.
// guest: probe_skip probe_jump probe_devices lazy_pages lazy_memset emulate_undef undef_in_a_row progress retry_until
// guest: single_steps brk_loop self_watch user_calls user_fixup svc_nested lazy_fp unaligned_fixup ldtr_fixup fault_in_irq
// guest: stack_grows user_spins user_wfi user_id_regs svc_first_in_vector exception_from_handler smc_probe hlt_caught
// guest: unwinding panics_on_purpose=--semihosting,exit=42 semihosting=--semihosting,exit=0 user_demand
#include "good.h"

static volatile u64 count, sink, page_pa;
static u64 last_esr, last_far, jump[16];

/* ---- probing ---- */

/// Notes the fault and goes on behind the instruction.
static void skip(struct frame *f)
{
    last_esr = READ(esr_el1);
    last_far = READ(far_el1);
    count++;
    f->elr += 4;
}
/// Looks for memory: most addresses abort.
void probe_skip(void)
{
    on_sync = skip;
    u64 tried = 0;
    for (u64 a = 0x100000000; a < 0x200000000; a += 0x100000, tried++)
        sink = R32(a);
    CHECK(count == tried && tried == 4096);
}

/// The same by a handler that does not return but goes to where the probe said, without an ERET.
static NOINLINE int probe_one(u64 a)
{
    if (catch_here(jump))
        return 0;
    sink = R32(a);
    return 1;
}
static void jump_out(struct frame *f)
{
    count++;
    throw_to(jump);
}
void probe_jump(void)
{
    on_sync = jump_out;
    for (u64 k = 0; k < 20000; k++)
        CHECK(!probe_one(0x100000000 + k * 0x10000) && count == k + 1);
    CHECK(probe_one(RAM));
}

/// Looks at each device's page, and between them.
void probe_devices(void)
{
    on_sync = skip;
    for (u64 a = 0x08000000; a < 0x10000000; a += 0x10000)
        sink = R32(a + 0xffc);
    for (u64 a = 0x0a000000; a < 0x0a004000; a += 0x200)
        CHECK(R32(a) == 0x74726976);
    CHECK(count > 100);
}

/* ---- demand ---- */

static void demand(struct frame *f)
{
    u64 va = READ(far_el1);
    CHECK(esr_class() == 0x25 && va - PAGES < 0x40000000);
    count++;
    map_page(va & ~4095UL, page_pa + (va & 0x3ff000), PTE(NORMAL) | PTE_XN);
}
void lazy_pages(void)
{
    on_sync = demand;
    page_pa = allocate(0x400000);
    mmu_on();
    for (u64 round = 0; round < 8; round++) {
        for (u64 n = 0; n < 1024; n++)
            R64(PAGES + n * 4096) += 1;
        CHECK(count == (round + 1) * 1024);
        for (u64 n = 0; n < 1024; n++)
            unmap_page(PAGES + n * 4096);
    }
    CHECK(R64(page_pa) == 8);
}
/// One store that faults at each page it comes to; its handler returns to it.
void lazy_memset(void)
{
    on_sync = demand;
    page_pa = allocate(0x400000);
    mmu_on();
    for (u64 a = PAGES; a < PAGES + 0x1000000; a += 512)
        R64(a) = a;
    CHECK(count == 4096);
}

/* ---- emulation ---- */

static void emulate(struct frame *f)
{
    u32 word = R32(f->elr);
    CHECK(esr_class() == 0 && word < 0x10000);
    f->x[word & 15] += word >> 8;
    count++;
    f->elr += 4;
}
void emulate_undef(void)
{
    on_sync = emulate;
    register u64 x3 __asm__("x3") = 0;
    for (u64 n = 0; n < 20000; n++)
        __asm__ volatile("udf #0x0203" : "+r"(x3));
    CHECK(x3 == 40000 && count == 20000);
}
/// No instruction between them that does not trap.
void undef_in_a_row(void)
{
    on_sync = emulate;
    register u64 x3 __asm__("x3") = 0;
    for (u64 n = 0; n < 4; n++)
        __asm__ volatile(".rept 5000\nudf #0x0203\n.endr" : "+r"(x3));
    CHECK(x3 == 40000 && count == 20000);
}

/// An instruction that the handler does in parts, returning to it until all is done: as memory copies are interruptible.
static void one_part(struct frame *f)
{
    CHECK(esr_class() == 0);
    count++;
    if (f->x[3] == 0)
        f->elr += 4;
    else
        *(volatile u8 *)(f->x[4] + --f->x[3]) = 0x5a;
}
void progress(void)
{
    static u8 buf[20000];
    on_sync = one_part;
    register u64 x3 __asm__("x3") = sizeof buf;
    register u64 x4 __asm__("x4") = (u64)buf;
    __asm__ volatile("udf #1" : "+r"(x3) : "r"(x4) : "memory");
    for (u64 k = 0; k < sizeof buf; k++)
        CHECK(buf[k] == 0x5a);
}

/// The handler looks whether the time has come and lets the access be tried again.
static u64 until;
static void not_yet(struct frame *f)
{
    count++;
    if (now() >= until)
        map_page(PAGES, page_pa, PTE(NORMAL) | PTE_XN);
}
void retry_until(void)
{
    on_sync = not_yet;
    page_pa = allocate(4096);
    mmu_on();
    until = now() + ms(150);
    CHECK(R64(PAGES) == 0 && count > 10);
}

/* ---- debug exceptions ---- */

static void step_handler(struct frame *f)
{
    if (esr_class() == 0x3c) { /* BRK: starts or ends the steps */
        f->elr += 4;
        f->spsr ^= 1 << 21;
        return;
    }
    CHECK(esr_class() == 0x33);
    count++;
    f->spsr |= 1 << 21;
}
void single_steps(void)
{
    on_sync = step_handler;
    WRITE(oslar_el1, 0);
    WRITE(mdscr_el1, 1 | 1 << 13);
    ASM("isb\nmsr daifclr, #8\nbrk #1");
    for (u64 n = 0; n < 3000; n++)
        sink += n;
    WRITE(mdscr_el1, 0);
    ASM("isb");
    CHECK(count > 9000);
}
static void brk_handler(struct frame *f)
{
    CHECK(esr_class() == 0x3c && (READ(esr_el1) & 0xffff) == 0x123);
    count++;
    f->elr += 4;
}
void brk_loop(void)
{
    on_sync = brk_handler;
    for (u64 n = 0; n < 30000; n++)
        ASM("brk #0x123");
    CHECK(count == 30000);
}
/// A program that watches its own variable.
static void watch_handler(struct frame *f)
{
    CHECK(esr_class() == 0x35);
    count++;
    f->elr += 4;
}
void self_watch(void)
{
    on_sync = watch_handler;
    WRITE(oslar_el1, 0);
    WRITE(dbgwvr0_el1, (u64)&sink & ~7UL);
    WRITE(dbgwcr0_el1, 0xff << 5 | 2 << 3 | 1 << 1 | 1);
    WRITE(mdscr_el1, 1 << 15 | 1 << 13);
    ASM("isb\nmsr daifclr, #8\nisb");
    for (u64 n = 0; n < 2000; n++)
        sink = n;
    WRITE(mdscr_el1, 0);
    ASM("isb");
    CHECK(count == 2000);
}

/// HLT without a debugger is UNDEFINED, and that is dealt with.
void hlt_caught(void)
{
    on_sync = skip;
    for (u64 n = 0; n < 100; n++)
        ASM("hlt #0x77");
    CHECK(count == 100);
}
/// Asks whether SMC exists.
void smc_probe(void)
{
    on_sync = skip;
    register u64 x0 __asm__("x0") = 0x80000000;
    __asm__ volatile("smc #0" : "+r"(x0)::"memory");
    CHECK(count == 1);
}

/* ---- system calls, EL0 ---- */

extern u8 user_code[], user_fault[], user_loop[], user_sleep[], user_ids[], user_walk[];
__asm__(".text\n.balign 4096\nuser_code: svc #1\nsubs x0, x0, #1\nb.ne user_code\nsvc #0\nb .\n"
        "user_fault: ldr x1, [x0]\nsvc #1\nadd x0, x0, #4096\nb user_fault\n"
        "user_loop: b user_loop\n"
        "user_sleep: wfi\nsubs x0, x0, #1\nb.ne user_sleep\nsvc #0\nb .\n"
        "user_ids: mrs x1, midr_el1\nmrs x2, id_aa64isar0_el1\nsubs x0, x0, #1\nb.ne user_ids\nsvc #0\nb .\n"
        "user_walk: str x0, [x0]\nadd x0, x0, #4096\nb user_walk\n.balign 4096\n");
#define USER_TEXT (PAGES + 0x100000)
#define USER_STACK (PAGES + 0x202000)

static void user_memory(void)
{
    page_pa = allocate(0x400000);
    mmu_on();
    map_page(USER_TEXT, (u64)user_code, PTE(NORMAL) | PTE_USER | PTE_RO | PTE_NG | 1UL << 53);
    map_page(USER_STACK - 4096, allocate(4096), PTE(NORMAL) | PTE_USER | PTE_NG | PTE_XN);
}
static u64 user(const void *label, u64 arg) { return run_user((void *)(USER_TEXT + (u64)label - (u64)user_code), arg, USER_STACK); }

static void calls(struct frame *f)
{
    CHECK(esr_class() == 0x15);
    if ((READ(esr_el1) & 0xffff) == 0)
        leave_user(count);
    count++;
}
void user_calls(void)
{
    on_sync = calls;
    user_memory();
    CHECK(user(user_code, 50000) == 50000);
}
/// EL0 runs into faults, which are skipped or end it.
static void user_faults(struct frame *f)
{
    if (esr_class() == 0x24 && ++count < 5000) {
        f->elr += 4;
        return;
    }
    if (esr_class() != 0x15)
        leave_user(count);
}
void user_fixup(void)
{
    on_sync = user_faults;
    user_memory();
    CHECK(user(user_fault, PAGES + 0x1000000) == 5000);
}
static void user_pages(struct frame *f)
{
    u64 va = READ(far_el1);
    CHECK(esr_class() == 0x24);
    if (++count == 5000)
        leave_user(count);
    map_page(va & ~4095UL, page_pa + (va & 0x3ff000), PTE(NORMAL) | PTE_USER | PTE_NG | PTE_XN);
}
void user_demand(void)
{
    on_sync = user_pages;
    user_memory();
    CHECK(user(user_walk, PAGES + 0x1000000) == 5000);
}
/// A program at EL0 that never ends, until the timer has had enough of it.
static void enough(struct frame *f)
{
    u32 id = gic_ack();
    timer_in(ms(10));
    gic_end(id);
    if (++count == MS / 10)
        leave_user(count);
}
void user_spins(void)
{
    on_irq = enough;
    user_memory();
    gic_init();
    gic_enable(27);
    timer_in(ms(10));
    CHECK(user(user_loop, 0) == MS / 10);
}
/// WFI at EL0 traps, and the kernel skips it.
static void skip_wfi(struct frame *f)
{
    if (esr_class() == 0x15)
        leave_user(count);
    CHECK(esr_class() == 1);
    count++;
    f->elr += 4;
}
void user_wfi(void)
{
    on_sync = skip_wfi;
    user_memory();
    WRITE(sctlr_el1, READ(sctlr_el1) & ~(1UL << 16));
    isb();
    CHECK(user(user_sleep, 3000) == 3000);
}
static void give_ids(struct frame *f)
{
    if (esr_class() == 0x15)
        leave_user(count);
    f->x[1] = f->x[2] = 0;
    count++;
    f->elr += 4;
}
void user_id_regs(void)
{
    on_sync = give_ids;
    user_memory();
    CHECK(user(user_ids, 3000) == 6000);
}

/// SVC at EL1, whose handler calls again.
static void calls_again(struct frame *f)
{
    CHECK(esr_class() == 0x15);
    count++;
    if (f->x[3]) {
        register u64 x3 __asm__("x3") = f->x[3] - 1;
        __asm__ volatile("svc #3" ::"r"(x3) : "memory");
    }
}
void svc_nested(void)
{
    on_sync = calls_again;
    for (u64 n = 0; n < 300; n++) {
        register u64 x3 __asm__("x3") = 40;
        __asm__ volatile("svc #3" ::"r"(x3) : "memory");
    }
    CHECK(count == 300 * 41);
}

/// Vectors of another program: the first instruction of one is a call to the other table.
extern u8 other_vectors[];
__asm__(".balign 2048\nother_vectors:\n.rept 4\n.balign 128\nb .\n.endr\n.balign 128\nmsr tpidr_el1, x30\nmrs x30, elr_el1\nadd x30, x30, #4\n"
        "msr elr_el1, x30\nmrs x30, tpidr_el1\neret\n.balign 2048\n");
static void swap_vectors(struct frame *f)
{
    count++;
}
void svc_first_in_vector(void)
{
    on_sync = swap_vectors;
    for (u64 n = 0; n < 3000; n++) {
        WRITE(vbar_el1, other_vectors);
        isb();
        ASM("brk #1");
        WRITE(vbar_el1, vectors);
        isb();
        ASM("svc #1");
    }
    CHECK(count == 3000);
}

/// A handler that probes memory itself: an exception inside an exception, each time.
static void probes_inside(struct frame *f)
{
    if (esr_class() == 0x25) {
        f->elr += 4;
        sink++;
        return;
    }
    CHECK(esr_class() == 0x15);
    count++;
    for (u64 k = 0; k < 100; k++)
        (void)R32(0x100000000 + k * 4096);
}
void exception_from_handler(void)
{
    on_sync = probes_inside;
    for (u64 n = 0; n < 200; n++)
        ASM("svc #0");
    CHECK(count == 200 && sink == 20000);
}

/// An error that unwinds ten levels of handlers at once, by putting the stack pointer back.
static void deeper(struct frame *f)
{
    if (++count % 10)
        ASM("svc #9");
    throw_to(jump);
}
void unwinding(void)
{
    on_sync = deeper;
    catch_here(jump);
    if (count < 30000)
        ASM("svc #9");
}

/* ---- floating point on demand, alignment, unprivileged accesses ---- */

static void give_fp(struct frame *f)
{
    CHECK(esr_class() == 7);
    count++;
    WRITE(cpacr_el1, 3 << 20);
    isb();
}
void lazy_fp(void)
{
    on_sync = give_fp;
    for (u64 n = 0; n < 3000; n++) {
        WRITE(cpacr_el1, 0);
        isb();
        __asm__ volatile(".arch_extension fp\n.arch_extension simd\nfmov d0, #1.0\nfadd d0, d0, d0");
    }
    CHECK(count == 3000);
}
static void load_bytes(struct frame *f)
{
    CHECK(esr_class() == 0x25 && (READ(esr_el1) & 63) == 0x21);
    u64 a = READ(far_el1), v = 0;
    for (u64 k = 0; k < 8; k++)
        v |= (u64) * (volatile u8 *)(a + k) << 8 * k;
    f->x[R32(f->elr) & 31] = v;
    f->elr += 4;
    count++;
}
/// Alignment checks are on, and the handler does what was not aligned.
void unaligned_fixup(void)
{
    static volatile u64 buf[2] = {0x1122334455667788, 0};
    on_sync = load_bytes;
    mmu_on();
    WRITE(sctlr_el1, READ(sctlr_el1) | 2);
    isb();
    for (u64 n = 0; n < 3000; n++) {
        u64 v;
        __asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"((u64)buf + 1) : "memory");
        CHECK(v == 0x11223344556677);
    }
    CHECK(count == 3000);
}
static void fixup(struct frame *f)
{
    CHECK(esr_class() == 0x25);
    f->x[0] = ~0UL;
    f->elr += 4;
    count++;
}
/// As copy_from_user does with bad pointers.
void ldtr_fixup(void)
{
    on_sync = fixup;
    user_memory();
    for (u64 n = 0; n < 3000; n++) {
        register u64 x0 __asm__("x0") = 0;
        __asm__ volatile("ldtr x0, [%1]" : "+r"(x0) : "r"(n & 1 ? PAGES + 0x1000000 : (u64)&count) : "memory");
        CHECK(x0 == ~0UL);
    }
    CHECK(count == 3000);
}

/// Pages that come on demand, also to an interrupt's handler.
static void irq_demand(struct frame *f)
{
    u32 id = gic_ack();
    sink += R64(PAGES + (count & 1023) * 4096);
    timer_in(ms(1) / 4);
    gic_end(id);
}
void fault_in_irq(void)
{
    on_sync = demand;
    on_irq = irq_demand;
    page_pa = allocate(0x400000);
    mmu_on();
    gic_init();
    gic_enable(27);
    timer_in(10);
    irq_on();
    while (count < 1000)
        sink++;
    irq_off();
}

/// A stack that grows: its guard page is filled by a handler that has a stack of its own.
static u8 emergency[4096] __attribute__((aligned(16)));
extern u8 grow_vectors[];
__asm__(".balign 2048\ngrow_vectors:\n.rept 4\n.balign 128\nb .\n.endr\n.balign 128\n"
        "msr tpidr_el1, x0\nmov x0, sp\nmsr tpidr_el0, x0\nmrs x0, tpidrro_el0\nmov sp, x0\nmrs x0, tpidr_el1\n"
        "stp x0, x1, [sp, #-256]!\nstp x2, x3, [sp, #16]\nstp x4, x5, [sp, #32]\nstp x6, x7, [sp, #48]\nstp x8, x9, [sp, #64]\n"
        "stp x10, x11, [sp, #80]\nstp x12, x13, [sp, #96]\nstp x14, x15, [sp, #112]\nb 7f\n.balign 2048\n"
        "7: stp x16, x17, [sp, #128]\nstp x18, x29, [sp, #144]\nstp x30, xzr, [sp, #160]\nbl grow\n"
        "ldp x16, x17, [sp, #128]\nldp x18, x29, [sp, #144]\nldr x30, [sp, #160]\n"
        "ldp x2, x3, [sp, #16]\nldp x4, x5, [sp, #32]\nldp x6, x7, [sp, #48]\nldp x8, x9, [sp, #64]\nldp x10, x11, [sp, #80]\n"
        "ldp x12, x13, [sp, #96]\nldp x14, x15, [sp, #112]\nldp x0, x1, [sp]\nmsr tpidr_el1, x0\nmrs x0, tpidr_el0\nmov sp, x0\n"
        "mrs x0, tpidr_el1\neret\n");
void grow(void)
{
    u64 va = READ(far_el1);
    CHECK(esr_class() == 0x25 && va - PAGES < 0x400000);
    count++;
    map_page(va & ~4095UL, page_pa + (va & 0x3ff000), PTE(NORMAL) | PTE_XN);
}
static NOINLINE u64 down(u64 n)
{
    volatile u64 kept = n;
    u64 below = n ? down(n - 1) : 0;
    return below + (sink & 1) + kept - n;
}
static u64 main_sp, other_sp;
static void on_grown(u64 arg)
{
    sink = 2;
    CHECK(down(40000) == 0);
    switch_to(&other_sp, main_sp);
}
void stack_grows(void)
{
    page_pa = allocate(0x400000);
    mmu_on();
    WRITE(tpidrro_el0, emergency + sizeof emergency);
    WRITE(vbar_el1, grow_vectors);
    isb();
    map_page(PAGES + 0x3ff000, page_pa + 0x3ff000, PTE(NORMAL) | PTE_XN);
    u64 *top = (u64 *)(PAGES + 0x400000);
    for (unsigned k = 0; k < 12; k++)
        *--top = 0;
    top[2] = (u64)on_grown;
    top[1] = (u64)switch_start;
    switch_to(&main_sp, (u64)top);
    CHECK(count > 400);
}

/* ---- semihosting ---- */

static u64 semi(u64 op, u64 arg)
{
    register u64 x0 __asm__("x0") = op;
    register u64 x1 __asm__("x1") = arg;
    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
    return x0;
}
void panics_on_purpose(void)
{
    u64 block[2] = {0x20026, 42};
    put("kernel panic - as it should\nGOOD\n");
    semi(0x20, (u64)block);
}
void semihosting(void)
{
    u64 block[2] = {0x20026, 0};
    semi(4, (u64)"written by the host\n");
    CHECK(semi(0x10, 0) + 1);
    put("GOOD\n");
    semi(0x20, (u64)block);
}
