// What the guests of this folder share; see good.h.
#include "good.h"

void (*on_sync)(struct frame *f), (*on_irq)(struct frame *f);

/* ---- console, end ---- */

void put(const char *s)
{
    while (*s) {
        while (R32(UART + 0x18) & 0x20)
            ;
        R32(UART) = (u8)*s++;
    }
}
void put_number(u64 n)
{
    char digit[24], *p = digit + sizeof digit - 1;
    *p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    put(p);
}
void fail(const char *what, int line)
{
    put("WRONG ");
    put(what);
    put(" line ");
    put_number((u64)line);
    put("\n");
    psci(0x84000008, 0, 0, 0);
    for (;;)
        ;
}
void finish(void)
{
    put("GOOD\n");
    psci(0x84000008, 0, 0, 0);
}
void exception(struct frame *f)
{
    void (*handler)(struct frame *) = (f->kind & 3) == 0 ? on_sync : on_irq;
    if (!handler) {
        put("exception class ");
        put_number(esr_class());
        put(" at ");
        put_number(f->elr);
        put("\n");
        fail("no handler", (int)f->kind);
    }
    handler(f);
}

/* ---- CPUs ---- */

struct start {
    char *stack;
    void (*fn)(u64);
    u64 arg;
};
static struct start start_of[16];
static char cpu_stack[16][8192] __attribute__((aligned(16)));

void cpu_start_at(unsigned cpu, void (*fn)(u64), char *stack_top)
{
    start_of[cpu] = (struct start){stack_top, fn, cpu};
    __asm__ volatile("dc civac, %0\ndsb sy" ::"r"(&start_of[cpu]) : "memory");
    CHECK(psci(0xc4000003, cpu, (u64)secondary_entry, (u64)&start_of[cpu]) == 0);
}
void cpu_start(unsigned cpu, void (*fn)(u64)) { cpu_start_at(cpu, fn, cpu_stack[cpu] + sizeof cpu_stack[cpu]); }

/* ---- interrupts ---- */

#ifdef GIC2
void gic_init(void)
{
    R32(GICD) = 3;
    R32(GICC + 4) = 0xff;
    R32(GICC) = 1;
}
void gic_enable(u32 intid) { R32(GICD + 0x100 + intid / 32 * 4) = 1u << intid % 32; }
u32 gic_ack(void) { return R32(GICC + 0xc) & 0x3ff; }
void gic_end(u32 intid) { R32(GICC + 0x10) = intid; }
void sgi(unsigned cpu, u32 intid)
{
    dsb();
    R32(GICD + 0xf00) = 1u << (16 + cpu) | intid;
}
#else
void gic_init(void)
{
    R32(GICR + 0x14) &= ~2u;
    while (R32(GICR + 0x14) & 4)
        ;
    R32(GICD) = 0x12;
    R32(GICR + 0x10080) = ~0u;
    WRITE(S3_0_C12_C12_5, 7); /* ICC_SRE_EL1 */
    isb();
    WRITE(S3_0_C4_C6_0, 0xff); /* ICC_PMR_EL1 */
    WRITE(S3_0_C12_C12_7, 1);  /* ICC_IGRPEN1_EL1 */
    isb();
}
void gic_enable(u32 intid)
{
    if (intid < 32) {
        R32(GICR + 0x10100) = 1u << intid;
        return;
    }
    R32(GICD + 0x80 + intid / 32 * 4) |= 1u << intid % 32;
    R64(GICD + 0x6000 + 8 * intid) = cpu_number();
    R32(GICD + 0x100 + intid / 32 * 4) = 1u << intid % 32;
}
u32 gic_ack(void)
{
    u32 id = READ(S3_0_C12_C12_0) & 0xffffff;
    dsb();
    return id;
}
void gic_end(u32 intid)
{
    WRITE(S3_0_C12_C12_1, intid);
    isb();
}
void sgi(unsigned cpu, u32 intid)
{
    dsb();
    WRITE(S3_0_C12_C11_5, (u64)intid << 24 | 1u << cpu);
    isb();
}
#endif
void timer_in(u64 ticks)
{
    WRITE(cntv_tval_el0, ticks);
    WRITE(cntv_ctl_el0, 1);
    isb();
}
void timer_off(void)
{
    WRITE(cntv_ctl_el0, 0);
    isb();
}

/* ---- translation, 4 KiB, 39 bits ---- */

static u64 level1[512] __attribute__((aligned(4096))), level2[512] __attribute__((aligned(4096))), level3[512][512] __attribute__((aligned(4096)));

void mmu_on(void)
{
    level1[0] = 0x0060000000000401;
    for (u64 k = 1; k < 4; k++)
        level1[k] = k << 30 | 0x705;
    level1[PAGES >> 30 & 511] = (u64)level2 | 3;
    dsb();
    WRITE(mair_el1, 0x44ff04);
    WRITE(tcr_el1, 25 | 0x3500 | 1 << 23 | 2UL << 32);
    WRITE(ttbr0_el1, level1);
    isb();
    ASM("tlbi vmalle1\ndsb nsh\nisb");
    WRITE(sctlr_el1, READ(sctlr_el1) | 0x1005);
    isb();
}
void mmu_off(void)
{
    WRITE(sctlr_el1, READ(sctlr_el1) & ~0x1005UL);
    isb();
}
u64 *page_entry(u64 va)
{
    u64 k = va >> 21 & 511;
    if (!level2[k]) {
        level2[k] = (u64)level3[k] | 3;
        dsb();
        isb();
    }
    return &level3[k][va >> 12 & 511];
}
void map_page(u64 va, u64 pa, u64 bits)
{
    *(volatile u64 *)page_entry(va) = pa | bits;
    dsb();
    isb();
}
void flush_page(u64 va)
{
    __asm__ volatile("dsb ishst\ntlbi vaae1is, %0\ndsb ish\nisb" ::"r"(va >> 12 & 0xfffffffffff) : "memory");
}
void unmap_page(u64 va)
{
    *(volatile u64 *)page_entry(va) = 0;
    flush_page(va);
}
void code_sync(void *p, u64 len)
{
    for (u64 a = (u64)p & ~15UL; a < (u64)p + len; a += 16)
        __asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
    ASM("dsb ish");
    for (u64 a = (u64)p & ~15UL; a < (u64)p + len; a += 16)
        __asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
    ASM("dsb ish\nisb");
}

static u64 heap;
u64 allocate(u64 bytes)
{
    u64 at = heap ? heap : (u64)__end;
    heap = at + ((bytes + 4095) & ~4095UL);
    for (u64 a = at; a < heap; a += 8)
        *(volatile u64 *)a = 0;
    return at;
}
u64 random_next(void)
{
    static u64 x = 88172645463325252UL;
    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}
void *memset(void *p, int v, u64 n)
{
    for (u64 k = 0; k < n; k++)
        ((volatile u8 *)p)[k] = (u8)v;
    return p;
}
void *memcpy(void *d, const void *s, u64 n)
{
    for (u64 k = 0; k < n; k++)
        ((volatile u8 *)d)[k] = ((const u8 *)s)[k];
    return d;
}
