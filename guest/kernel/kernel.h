/// The demonstration kernel: small enough to read in an evening. What each file shows is told in
/// docs/boot.md, "The kernel".
#ifndef KERNEL_H
#define KERNEL_H

// Everything is in one image: no reference goes through the GOT, whose entries are virtual addresses
// and of no use while the MMU is off.
#pragma GCC visibility push(hidden)

#include "../bridge/bbp.h"
#include "../bridge/def.h"
#include "../bridge/hw.h"
#include "../bridge/memmap.h"
#include "../bridge/pagetable.h"

#define PAGE 4096ULL
#define HHDM_DEFAULT 0xFFFF800000000000ULL

/// Where the image's parts begin and end (kernel.ld).
extern char __image_start[], __text_start[], __text_end[], __rodata_start[], __rodata_end[],
    __data_start[], __data_end[], __bss_start[], __bss_end[], __image_end[];

struct kernel {
    const struct bbp_info *info; ///< our own copy once memory is up
    u64 hhdm;                    ///< physical + hhdm = virtual
    s64 slide_phys;              ///< virtual address of the image minus its physical one
    struct hw hw;
    const char *cmdline;
    bool mmu_was_off;  ///< entered with the MMU off
    bool has_psci;
};
extern struct kernel k;

static inline void *phys_ptr(u64 phys) { return (void *)(uintptr_t)(phys + k.hhdm); }
/// The physical address of something inside the image.
static inline u64 image_phys(const void *p) { return (u64)(uintptr_t)p - (u64)k.slide_phys; }

/// --- console.c
void console_start(const struct bbp_console *c, u64 hhdm);
void console_write(const char *s);
void console_char(char c);
int console_poll(void); ///< a character, or -1
void print(const char *fmt, ...) PRINTF_LIKE(1, 2);
/// --- fb.c: the same text on a framebuffer, if there is one
void fb_start(const struct bbp_framebuffer *f, u64 hhdm);
void fb_char(char c);

/// --- debug.c: habits that need no debugger
/// Known values at a known symbol: find the block in a memory dump, or watch it from outside.
struct debug_block {
    u32 magic;      ///< 0xCAFEBABE once the kernel owns its memory
    u32 checkpoint; ///< the last one passed
    u64 passed;     ///< how many were passed
    u64 halt_code;  ///< why it stopped; 0 = running
    u64 fault_pc, fault_addr, fault_code;
    u32 magic_end; ///< 0xBEBAFECA
    u32 reserved;
};
#define DEBUG_MAGIC 0xCAFEBABEu
extern struct debug_block debug_block;
/// A binary breakpoint: notes that this place was reached; with `stop-at=ID` on the command line it
/// stops there, so that a silent death can be bisected.
void checkpoint(u32 id);
enum { HALT_BAD_BLOCK = 0xB0B1, HALT_STOP_AT = 0xB0B2, HALT_FAULT = 0xB0B3, HALT_NO_MEMORY = 0xB0B4,
       HALT_DOUBLE_FAULT = 0xB0B5, HALT_SELFTEST = 0xB0B6, HALT_ASSERT = 0xB0B7 };
/// Stops with a code in the debug block and in a register, and says so.
_Noreturn void halt(u64 code);
#define ASSERT(c)                                                                                  \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            print("assertion failed: %s (%s:%d)\n", #c, __FILE__, __LINE__);                       \
            halt(HALT_ASSERT);                                                                     \
        }                                                                                          \
    } while (0)

/// --- symbols.c
void symbols_start(void);
/// Nearest symbol at or below an address. ret  NULL if unknown
const char *symbol_of(u64 addr, u64 *offset);
void print_address(u64 addr);

/// --- pmm.c: physical pages, one bit each
void pmm_start(void);
u64 pmm_alloc(u64 pages); ///< physical address of zeroed pages, 0 if none
void pmm_free(u64 phys, u64 pages);
u64 pmm_free_pages(void);
/// Gives back what the loader left: call once nothing of it is used any more.
void pmm_reclaim(void);
/// --- heap.c
void *heap_alloc(u64 size);
void heap_free(void *p);
u64 heap_used(void);

/// --- vm.c: the kernel's own tables
void vm_start(void);
/// Maps device registers. ret  their virtual address
volatile void *vm_device(u64 phys, u64 len);
bool vm_map(u64 va, u64 phys, u64 len, u32 flags);
bool vm_walk(u64 va, struct br_walk *out);
void vm_dump(u64 va);
bool vm_uncached(u64 phys, u64 len);
extern struct br_pt vm_tables;

/// --- arch.c of each architecture
/// Registers at an exception; the layout is the entry code's.
struct frame;
void arch_start(void);
void arch_use_tables(const struct br_pt *pt);
void arch_flush_tlb(void);
void arch_irq_start(void);
void arch_irq_enable(bool on);
void arch_print_frame(const struct frame *f);
void arch_print_state(void);
void arch_backtrace(u64 fp);
u64 arch_ticks(void);
u64 arch_tick_hz(void);
void arch_idle(void);
_Noreturn void arch_stop(u64 code);
_Noreturn void power_off(void);
_Noreturn void arch_reset(void);
void arch_breakpoint(void);
void arch_overflow_stack(void);
u8 arch_port_read(u16 port);
void arch_port_write(u16 port, u8 v);
/// Whether the machine is in the state the protocol and our own tables promise.
const char *arch_check_state(void);
/// Switches translation off, reads one word at a physical address, switches it on again.
bool arch_mmu_cycle(u64 phys, u32 *out);
u64 arch_other_cpus(void); ///< starts them; ret how many answered
extern const bool arch_can_cycle;
extern volatile u64 timer_ticks;
extern volatile u64 breakpoints_hit;

/// --- probe: touch an address that may fault
enum probe_kind { PROBE_NONE, PROBE_READ, PROBE_WRITE, PROBE_EXEC };
extern volatile enum probe_kind probe_active;
extern volatile u64 probe_fault_addr;
#define PROBE_FAULTED 0xFA17FA17FA17FA17ULL
bool probe_read32(u64 addr, u32 *out);
bool probe_write32(u64 addr, u32 v);
bool probe_exec(u64 addr);
u64 probe_load(u64 addr, u32 *out);
u64 probe_store(u64 addr, u32 v);
extern char probe_fail[], probe_begin[], probe_end[];

/// --- monitor.c, selftest.c
_Noreturn void monitor(void);
bool selftest(void);
bool has_option(const char *name);
const char *option_value(const char *name);
_Noreturn void kmain(struct bbp_info *info);

#endif
