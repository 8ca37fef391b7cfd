// Shared by the guests of this folder: programs that do unusual things which the architecture allows.
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;
typedef long s64;
#define ARRAY_LEN(a) (sizeof(a) / sizeof(a)[0])
#define R32(a) (*(volatile u32 *)(u64)(a))
#define R64(a) (*(volatile u64 *)(u64)(a))
#define NOINLINE __attribute__((noinline))
#define READ(reg) ({ u64 v_; __asm__ volatile("mrs %0, " #reg : "=r"(v_)); v_; })
#define WRITE(reg, val) __asm__ volatile("msr " #reg ", %0" ::"r"((u64)(val)) : "memory")
#define ASM(text) __asm__ volatile(text ::: "memory")
#define CHECK(x) ((x) ? (void)0 : fail(#x, __LINE__))
#define UART 0x09000000UL
#define RTC 0x09010000UL
#define GICD 0x08000000UL
#define GICC 0x08010000UL
#define GICR (0x080a0000UL + 0x20000 * cpu_number())
#define RAM 0x40000000UL
#ifndef MS
#define MS 700 ///< how long those wait that wait: longer than a verdict takes
#endif

struct frame {
    u64 x[31], elr, spsr, sp0, kind, sp;
};
/// Handlers; NULL: the exception is a failure. kind: number of the vector.
extern void (*on_sync)(struct frame *f), (*on_irq)(struct frame *f);
extern char vectors[], __stack_bottom[], __stack_top[], __bss_start[], __end[];
void secondary_entry(void);
u64 psci(u64 fn, u64 a, u64 b, u64 c);
/// Runs fn(arg) at EL0 on the stack; its SVCs come to on_sync. leave_user ends it: run_user returns v.
u64 run_user(void *fn, u64 arg, u64 sp);
__attribute__((noreturn)) void leave_user(u64 v);
/// Saves what a call keeps and goes on with the other context.
void switch_to(u64 *save_sp, u64 sp);
void switch_start(void);

/// As setjmp and longjmp: throw_to makes catch_here return once more, with 1.
int catch_here(u64 *buf) __attribute__((returns_twice));
__attribute__((noreturn)) void throw_to(u64 *buf);

__attribute__((noreturn)) void fail(const char *what, int line);
void put(const char *s);
void put_number(u64 n);
void cpu_start(unsigned cpu, void (*fn)(u64));
void cpu_start_at(unsigned cpu, void (*fn)(u64), char *stack_top);
static inline u64 cpu_number(void) { return READ(mpidr_el1) & 0xff; }
static inline u64 now(void) { ASM("isb"); return READ(cntvct_el0); }
static inline u64 ms(u64 n) { return READ(cntfrq_el0) / 1000 * n; }
static inline void dsb(void) { ASM("dsb sy"); }
static inline void isb(void) { ASM("isb"); }
static inline void irq_on(void) { ASM("msr daifclr, #2"); }
static inline void irq_off(void) { ASM("msr daifset, #2"); }
static inline u64 esr_class(void) { return READ(esr_el1) >> 26 & 63; }

/* Interrupts: GICv3 unless GIC2. */
void gic_init(void);            ///< this CPU, private interrupts enabled as they come
void gic_enable(u32 intid);
u32 gic_ack(void);
void gic_end(u32 intid);
void sgi(unsigned cpu, u32 intid);
void timer_in(u64 ticks);       ///< the virtual timer, INTID 27
void timer_off(void);

/* Translation: RAM and devices one to one, in blocks; pages by map_page above 64 GiB. */
enum { DEVICE = 0, NORMAL = 1, UNCACHED = 2 };
#define PAGES 0x1000000000UL
#define PTE(type) ((u64)(type) << 2 | 1UL << 10 | 3UL << 8 | 3)
#define PTE_RO (1UL << 7)
#define PTE_USER (1UL << 6)
#define PTE_NG (1UL << 11)
#define PTE_XN (3UL << 53)
void mmu_on(void);
void mmu_off(void);
u64 *page_entry(u64 va);        ///< level 3, of PAGES up to 1 GiB; tables are made
void map_page(u64 va, u64 pa, u64 bits); ///< from invalid: no TLBI
void unmap_page(u64 va);
void flush_page(u64 va);
void code_sync(void *p, u64 len);
u64 allocate(u64 bytes);        ///< zeroed pages, never given back
u64 random_next(void);
static inline u64 swap_word(volatile u64 *p, u64 v)
{
    u64 old;
    u32 st;
    __asm__ volatile("1: ldaxr %0, [%2]\nstlxr %w1, %3, [%2]\ncbnz %w1, 1b" : "=&r"(old), "=&r"(st) : "r"(p), "r"(v) : "memory");
    return old;
}
static inline u64 add_word(volatile u64 *p, u64 v)
{
    u64 sum;
    u32 st;
    __asm__ volatile("1: ldaxr %0, [%2]\nadd %0, %0, %3\nstlxr %w1, %0, [%2]\ncbnz %w1, 1b"
                     : "=&r"(sum), "=&r"(st) : "r"(p), "r"(v) : "memory");
    return sum;
}
