/// Exceptions: resume what was expected, explain what was not. Arm Architecture Reference Manual,
/// "ESR_EL1, Exception Syndrome Register".
#include "arch.h"

volatile u64 timer_ticks, breakpoints_hit;
enum { EC_UNKNOWN = 0, EC_FP = 7, EC_SYSREG = 0x18, EC_IABORT = 0x21, EC_PC = 0x22, EC_DABORT = 0x25,
       EC_SP = 0x26, EC_BRK = 0x3C };
typedef unsigned long long ull;

static const char *class_name(u64 ec)
{
    switch (ec) {
    case EC_UNKNOWN: return "undefined instruction";
    case EC_FP: return "FP/SIMD access while it is off";
    case EC_SYSREG: return "trapped system register";
    case EC_IABORT: return "instruction abort";
    case EC_PC: return "PC alignment";
    case EC_DABORT: return "data abort";
    case EC_SP: return "SP alignment";
    case EC_BRK: return "breakpoint";
    default: return "other";
    }
}

static const char *fault_name(u64 esr)
{
    switch (esr >> 2 & 15) {
    case 0: return "address size";
    case 1: return "translation";
    case 2: return "access flag";
    case 3: return "permission";
    default: return (esr & 63) == 0x21 ? "alignment" : "external or other";
    }
}

void arch_print_frame(const struct frame *f)
{
    for (u32 i = 0; i < 31; i++)
        print("x%-2u %016llx%s", i, (ull)f->x[i], i % 4 == 3 || i == 30 ? "\n" : "  ");
    print("sp  %016llx  spsr %llx\n", (ull)f->sp_el0, (ull)f->spsr);
}

void arch_backtrace(u64 fp)
{
    for (u32 i = 0; i < 16 && fp && !(fp & 7); i++) {
        u32 v[4];
        for (u32 w = 0; w < 4; w++)
            if (!probe_read32(fp + w * 4, &v[w]))
                return;
        u64 lr = v[2] | (u64)v[3] << 32, next = v[0] | (u64)v[1] << 32;
        if (!lr)
            return;
        print("  called from ");
        print_address(lr - 4);
        print("\n");
        if (next <= fp)
            return;
        fp = next;
    }
}

static void report(struct frame *f, u64 index)
{
    u64 ec = f->esr >> 26 & 63;
    extern char __stack_guard[], __stack_bottom[];
    debug_block.fault_pc = f->elr;
    debug_block.fault_addr = f->far;
    debug_block.fault_code = f->esr;
    print("\nEXCEPTION %s (vector %llu, ESR 0x%llx) at ", class_name(ec), (ull)index, (ull)f->esr);
    print_address(f->elr);
    print("\n");
    if (ec == EC_DABORT || ec == EC_IABORT) {
        print("  %s fault at 0x%llx, level %llu, %s\n", fault_name(f->esr), (ull)f->far,
              (ull)(f->esr & 3), ec == EC_IABORT ? "fetch" : f->esr & 64 ? "write" : "read");
        print("  ");
        vm_dump(f->far);
        if (f->far >= (u64)(uintptr_t)__stack_guard && f->far < (u64)(uintptr_t)__stack_bottom)
            print("  that is the guard below the stack: the stack overflowed\n");
    }
    arch_print_frame(f);
    arch_backtrace(f->x[29]);
}

static bool resume_probe(struct frame *f, u64 ec)
{
    bool in_probe = f->elr >= (u64)(uintptr_t)probe_begin && f->elr < (u64)(uintptr_t)probe_end;
    if (probe_active == PROBE_EXEC && ec == EC_IABORT) {
        f->elr = f->x[30];
        f->x[0] = PROBE_FAULTED;
    } else if (probe_active != PROBE_NONE && ec == EC_DABORT && in_probe) {
        f->elr = (u64)(uintptr_t)probe_fail;
    } else {
        return false;
    }
    probe_fault_addr = f->far;
    return true;
}

void trap(struct frame *f, u64 index)
{
    u64 ec = f->esr >> 26 & 63;
    if (index % 4 == 1) {
        u32 id = gic_acknowledge();
        if (id == timer_intid()) {
            timer_ticks++;
            timer_rearm();
        }
        if (id < 1020)
            gic_end(id);
        return;
    }
    if (index % 4 == 0 && ec == EC_BRK) {
        breakpoints_hit++;
        print("breakpoint 0x%llx at ", (ull)(f->esr & 0xFFFF));
        print_address(f->elr);
        print("\n");
        f->elr += 4;
        return;
    }
    if (index % 4 == 0 && resume_probe(f, ec))
        return;
    report(f, index);
    halt(index >= 4 ? HALT_DOUBLE_FAULT : HALT_FAULT);
}
