#pragma once
/// A kernel of many parts for several CPUs, with 4, 16 or 64 KiB pages (GRAN), linked low or in the upper half (HIGH): device
/// tree, tables, GICv2 and v3, timer, threads, processes, PSCI. -DM_... puts one mistake into it each (../smp.cases).
#ifndef GRAN
#define GRAN 4
#endif
#ifndef HIGH
#define HIGH 0
#endif
#if GRAN == 4
#define PS 12
#elif GRAN == 16
#define PS 14
#else
#define PS 16
#endif
#define PAGE (1 << PS)
#define VA_BITS 39
#if HIGH
#define KOFF 0xffffff8000000000
#else
#define KOFF 0
#endif
#define MAXCPU 4
#if M_BOOT_STACK_SMALL
#define BOOT_STACK 1024
#else
#define BOOT_STACK 16384
#endif
#define SECOND_STACK 8192
#define UVA_CODE 0x10000
#define UVA_DATA 0x20000
#define UVA_STACK 0x40000
#define UVA_HEAP 0x50000
#ifndef __ASSEMBLER__
/// 1 when M_x was defined (as 1), else 0: in expressions.
#define IS(x) IS_OF(M_##x)
#define IS_OF(v) IS_ON(v)
#define IS_ON(v) IS_SECOND(IS_MARK_##v 1, 0, 0)
#define IS_SECOND(a, ...) IS_PICK(a, __VA_ARGS__)
#define IS_PICK(a, b, ...) b
#define IS_MARK_1 0,
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
#define rd(r) ({ u64 v_; __asm__ volatile("mrs %0, " #r : "=r"(v_)); v_; })
#define wr(r, v) __asm__ volatile("msr " #r ", %0" ::"r"((u64)(v)) : "memory")
#define isb() __asm__ volatile("isb" ::: "memory")
#define dsb(x) __asm__ volatile("dsb " #x ::: "memory")
#define pa_to_va(p) ((void *)((u64)(p) + KOFF))
#define va_to_pa(v) ((u64)(v)-KOFF)
static inline void w32(u64 a, u32 v) { *(volatile u32 *)a = v; }
static inline u32 r32(u64 a) { return *(volatile u32 *)a; }
struct frame { u64 x[31], sp_el0, elr, spsr; };
struct thread {
    u64 sp;
    u64 fp[66] __attribute__((aligned(16)));
    int state, id;
    u64 ttbr0, asid;
    void (*fn)(void *);
    void *arg;
    char *stack;
    struct thread *next;
};
struct lock { volatile u32 v; };
struct board {
    u64 mem_base, mem_size, uart, gicd, gicr, gicc;
    int gic, ncpu, timer_irq;
    u64 mpidr[MAXCPU];
    bool smc;
};
extern struct board board;
/* printf.c */
void uart_init(void);
void uart_putc(char c);
int printf(const char *f, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *f, ...) __attribute__((noreturn));
/* mem.c */
void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
int strcmp(const char *a, const char *b);
size_t strlen(const char *s);
/* dtb.c */
void dtb_parse(const void *dtb);
/* mmu.c */
#define P_W 1
#define P_X 2
#define P_U 4
#define P_DEV 8
#define P_NG 16
u64 *pt_new(void);
void map(u64 *root, u64 va, u64 pa, u64 size, int prot);
void vmap_test(void);
void map_ram(void);
u64 *pte_of(u64 *root, u64 va);
void tlbi_va(u64 va, u64 asid);
/* alloc.c */
void alloc_init(void);
void *page_alloc(void);
void page_free(void *p);
void *kmalloc(size_t n);
/* gic.c */
void gic_init(void);
void gic_cpu_init(int cpu);
void irq_handle(struct frame *f);
/* timer.c */
void timer_init(void);
void timer_tick(void);
extern volatile u64 ticks[MAXCPU];
/* sched.c */
void sched_init(void);
struct thread *thread_new(void (*fn)(void *), void *arg);
void schedule(void);
void thread_exit(void) __attribute__((noreturn));
extern struct thread *current;
extern bool preempt_on;
void sched_run(void);
void lock(struct lock *l);
void unlock(struct lock *l);
u64 irq_save(void);
void irq_restore(u64 f);
/* smp.c */
void smp_init(void);
int cpu_id(void);
u64 psci(u64 fn, u64 a, u64 b, u64 c);
/* user.c */
void user_init(void);
void syscall(struct frame *f);
bool user_fault(struct frame *f, u64 esr, u64 far);
/* user.S */
long fp_work(int n);
#endif
