// What guests that start at EL2 share: system registers, the way to a lower level and back.
#ifndef EL2_H
#define EL2_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#define READ(reg) ({ u64 v_; __asm__ volatile("mrs %0, " #reg : "=r"(v_)); v_; })
#define WRITE(reg, v) __asm__ volatile("msr " #reg ", %0\n isb" : : "r"((u64)(v)) : "memory")
#define SYS(op, v) __asm__ volatile("dsb sy\n " op ", %0\n dsb sy\n isb" : : "r"((u64)(v)) : "memory")

// One exception to EL2, and the one to EL1 that came before it when vector is 0x400 and imm 0x7e.
struct outcome {
    u64 vector, esr, elr, far, hpfar, spsr, x0, x1;
    u64 vector1, esr1, elr1, far1;
};
u64 run_at(struct outcome *o, u64 spsr, u64 pc, u64 x0, u64 x1);
extern char vectors_el1[];

enum { SPSR_EL0 = 0x3c0, SPSR_EL1 = 0x3c5, SPSR_EL2 = 0x3c9 };
#define EC(esr) ((u32)((esr) >> 26))

// One instruction of a guest level, and the call that ends it when nothing else does.
static u32 run_code[4] __attribute__((aligned(64)));
static inline void run_word(struct outcome *o, u64 spsr, u32 word, u64 x0, u64 x1)
{
    run_code[0] = word;
    run_code[1] = (spsr & 0xc) ? 0xd4000fe2 /* hvc #0x7f */ : 0xd4000fe1 /* svc #0x7f */;
    __asm__ volatile("dc cvau, %0\n dsb sy\n ic ivau, %0\n dsb sy\n isb" : : "r"(run_code) : "memory");
    for (unsigned k = 0; k < sizeof *o / 8; k++)
        ((u64 *)o)[k] = 0;
    run_at(o, spsr, (u64)run_code, x0, x1);
}

__attribute__((unused)) static unsigned checks, failed;
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        checks++;                                                                                  \
        if (!(cond) && !failed)                                                                    \
            failed = checks;                                                                       \
    } while (0)

#endif
