/// Descriptor tables and exceptions. Intel SDM volume 3, "Interrupt and Exception Handling".
#include "arch.h"

volatile u64 timer_ticks, breakpoints_hit;
typedef unsigned long long ull;
extern char isr_stubs[], __exception_stack_top[];
void load_descriptors(const void *gdt, const void *idt);
enum { VECTORS = 64, STUB = 16, FAULT_BREAKPOINT = 3, FAULT_DOUBLE = 8, FAULT_PAGE = 14 };

struct __attribute__((packed)) pointer {
    u16 limit;
    u64 base;
};
struct gate {
    u16 offset0, selector;
    u8 ist, type;
    u16 offset1;
    u32 offset2, reserved;
};
struct __attribute__((packed)) tss {
    u32 reserved0;
    u64 rsp[3], reserved1, ist[7], reserved2;
    u16 reserved3, io_map;
};
_Static_assert(sizeof(struct tss) == 104, "TSS");

static u64 gdt[5];
static struct gate idt[VECTORS] __attribute__((aligned(16)));
static struct tss tss;
static u8 double_fault_stack[4096] __attribute__((aligned(16)));

/// Exceptions run on a stack of their own (IST 1), double faults on another (IST 2), so that a stack
/// overflow can be reported; interrupts stay on the kernel's stack.
void descriptors_start(void)
{
    u64 t = (u64)(uintptr_t)&tss;
    gdt[1] = 0x00AF9B000000FFFFULL;
    gdt[2] = 0x00CF93000000FFFFULL;
    gdt[3] = (sizeof tss - 1) | (t & 0xFFFFFF) << 16 | 0x89ULL << 40 | (t >> 24 & 0xFF) << 56;
    gdt[4] = t >> 32;
    tss.ist[0] = (u64)(uintptr_t)__exception_stack_top;
    tss.ist[1] = (u64)(uintptr_t)(double_fault_stack + sizeof double_fault_stack);
    tss.io_map = sizeof tss;
    for (u32 i = 0; i < VECTORS; i++) {
        u64 at = (u64)(uintptr_t)(isr_stubs + i * STUB);
        u8 ist = i == FAULT_DOUBLE || i == 2 ? 2 : i < 32 ? 1 : 0;
        idt[i] = (struct gate){(u16)at, 8, ist, 0x8E, (u16)(at >> 16), (u32)(at >> 32), 0};
    }
    struct pointer g = {sizeof gdt - 1, (u64)(uintptr_t)gdt};
    struct pointer d = {sizeof idt - 1, (u64)(uintptr_t)idt};
    load_descriptors(&g, &d);
}

static const char *class_name(u64 vector)
{
    switch (vector) {
    case 0: return "divide error";
    case FAULT_BREAKPOINT: return "breakpoint";
    case 6: return "undefined instruction";
    case 7: return "FPU access while it is off";
    case FAULT_DOUBLE: return "double fault";
    case 12: return "stack fault";
    case 13: return "general protection";
    case FAULT_PAGE: return "page fault";
    default: return "other";
    }
}

void arch_print_frame(const struct frame *f)
{
    print("rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n", (ull)f->rax, (ull)f->rbx,
          (ull)f->rcx, (ull)f->rdx);
    print("rsi %016llx  rdi %016llx  rbp %016llx  rsp %016llx\n", (ull)f->rsi, (ull)f->rdi,
          (ull)f->rbp, (ull)f->rsp);
    print("r8  %016llx  r9  %016llx  r10 %016llx  r11 %016llx\n", (ull)f->r8, (ull)f->r9,
          (ull)f->r10, (ull)f->r11);
    print("r12 %016llx  r13 %016llx  r14 %016llx  r15 %016llx\n", (ull)f->r12, (ull)f->r13,
          (ull)f->r14, (ull)f->r15);
    print("rflags %llx  cr3 %llx\n", (ull)f->rflags, (ull)READ_CR(3));
}

void arch_backtrace(u64 fp)
{
    for (u32 i = 0; i < 16 && fp && !(fp & 7); i++) {
        u32 v[4];
        for (u32 w = 0; w < 4; w++)
            if (!probe_read32(fp + w * 4, &v[w]))
                return;
        u64 ret = v[2] | (u64)v[3] << 32, next = v[0] | (u64)v[1] << 32;
        if (!ret)
            return;
        print("  called from ");
        print_address(ret - 1);
        print("\n");
        if (next <= fp)
            return;
        fp = next;
    }
}

static void report(const struct frame *f)
{
    extern char __stack_guard[], __stack_bottom[];
    u64 cr2 = READ_CR(2);
    debug_block.fault_pc = f->rip;
    debug_block.fault_addr = cr2;
    debug_block.fault_code = f->vector << 32 | f->error;
    print("\nEXCEPTION %s (vector %llu, error 0x%llx) at ", class_name(f->vector), (ull)f->vector,
          (ull)f->error);
    print_address(f->rip);
    print("\n");
    if (f->vector == FAULT_PAGE) {
        print("  %s at 0x%llx: %s\n", f->error & 16 ? "fetch" : f->error & 2 ? "write" : "read",
              (ull)cr2, f->error & 1 ? "permission" : "not present");
        print("  ");
        vm_dump(cr2);
    }
    if (cr2 >= (u64)(uintptr_t)__stack_guard && cr2 < (u64)(uintptr_t)__stack_bottom)
        print("  that is the guard below the stack: the stack overflowed\n");
    arch_print_frame(f);
    // The backtrace may fault itself, and IST 1 is in use: only read what the tables map.
    struct br_walk w;
    if (vm_walk(f->rbp, &w) && f->rbp % PAGE < PAGE - 16)
        print("  called from "), print_address(((const u64 *)(uintptr_t)f->rbp)[1]), print("\n");
}

static bool resume_probe(struct frame *f)
{
    bool in_probe = f->rip >= (u64)(uintptr_t)probe_begin && f->rip < (u64)(uintptr_t)probe_end;
    bool expected = f->vector == FAULT_PAGE || f->vector == 13;
    if (probe_active == PROBE_EXEC && f->vector == FAULT_PAGE && f->error & 16) {
        f->rip = *(u64 *)(uintptr_t)f->rsp;
        f->rsp += 8;
        f->rax = PROBE_FAULTED;
    } else if (probe_active != PROBE_NONE && expected && in_probe) {
        f->rip = (u64)(uintptr_t)probe_fail;
    } else {
        return false;
    }
    probe_fault_addr = READ_CR(2);
    return true;
}

void trap(struct frame *f)
{
    if (f->vector == VECTOR_TIMER) {
        timer_ticks++;
        apic_end();
        return;
    }
    if (f->vector == VECTOR_SPURIOUS)
        return;
    if (f->vector == FAULT_BREAKPOINT) { // the id is in eax, the way `brk #id` carries it on aarch64
        breakpoints_hit++;
        print("breakpoint 0x%llx at ", (ull)(f->rax & 0xFFFF));
        print_address(f->rip - 1);
        print("\n");
        return;
    }
    if (resume_probe(f))
        return;
    report(f);
    halt(f->vector == FAULT_DOUBLE ? HALT_DOUBLE_FAULT : HALT_FAULT);
}
