/// Shared by the x86_64 files only.
#ifndef KERNEL_X86_64_H
#define KERNEL_X86_64_H

#include "../kernel.h"

/// As entry.S stores it.
struct frame {
    u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    u64 vector, error, rip, cs, rflags, rsp, ss;
};
_Static_assert(offsetof(struct frame, vector) == 120, "entry.S");

enum { VECTOR_TIMER = 32, VECTOR_SPURIOUS = 63 };

#define READ_CR(n)                                                                                 \
    ({                                                                                             \
        u64 v_;                                                                                    \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_));                                         \
        v_;                                                                                        \
    })

static inline u64 read_msr(u32 n)
{
    u32 lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(n));
    return (u64)hi << 32 | lo;
}
static inline void write_msr(u32 n, u64 v)
{
    __asm__ volatile("wrmsr" ::"c"(n), "a"((u32)v), "d"((u32)(v >> 32)));
}

void apic_start(void);
void apic_end(void);
void apic_start_cpu(u32 cpu, u32 page);
void apic_stop_cpu(u32 cpu);

#endif
