/// Shared by the aarch64 files only.
#ifndef KERNEL_AARCH64_H
#define KERNEL_AARCH64_H

#include "../kernel.h"

#define READ(reg)                                                                                  \
    ({                                                                                             \
        u64 v_;                                                                                    \
        __asm__ volatile("mrs %0, " reg : "=r"(v_));                                               \
        v_;                                                                                        \
    })
#define WRITE(reg, v) __asm__ volatile("msr " reg ", %0" ::"r"((u64)(v)) : "memory")

/// The barriers by name.
static inline void isb(void) { __asm__ volatile("isb" ::: "memory"); }
static inline void dsb(void) { __asm__ volatile("dsb sy" ::: "memory"); }
static inline unsigned current_el(void) { return READ("CurrentEL") >> 2 & 3; }

/// As entry.S stores it.
struct frame {
    u64 x[31], sp_el0, elr, spsr, esr, far, pad[2];
};
_Static_assert(offsetof(struct frame, elr) == 256, "entry.S");
_Static_assert(offsetof(struct frame, esr) == 272, "entry.S");
_Static_assert(sizeof(struct frame) == 304, "entry.S");

void gic_start(void);
void gic_enable(u32 intid);
u32 gic_acknowledge(void);
void gic_end(u32 intid);
void timer_start(void);
void timer_rearm(void);
u32 timer_intid(void);

#endif
