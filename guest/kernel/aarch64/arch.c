/// What aarch64 does its own way.
#include "arch.h"

extern u64 mmu_cycle(u64 phys, u64 sctlr_off);
extern char secondary_entry[];
enum { PSCI_OFF = 0x84000008, PSCI_RESET = 0x84000009 };
#define PSCI_CPU_ON 0xC4000003ULL
const bool arch_can_cycle = true;

void arch_start(void) {} // entry.S has set vectors and stacks already

/// The new tables map everything the old ones did where we stand, so they may replace each other while
/// translation is on; each takes effect at its ISB.
void arch_use_tables(const struct br_pt *pt)
{
    dsb(); // the tables are written before the walker may read them
    __asm__ volatile("msr ttbr1_el1, %0\n isb\n msr ttbr0_el1, %1\n isb" ::"r"(pt->root_high),
                     "r"(pt->root_low)
                     : "memory");
    arch_flush_tlb();
}

void arch_flush_tlb(void)
{
    __asm__ volatile("dsb ishst\n tlbi vmalle1is\n dsb ish\n isb" ::: "memory");
}

void arch_irq_start(void)
{
    gic_start();
    timer_start();
}

void arch_irq_enable(bool on)
{
    if (on)
        __asm__ volatile("msr daifclr, #2" ::: "memory");
    else
        __asm__ volatile("msr daifset, #2" ::: "memory");
}

void arch_print_state(void)
{
    print("CurrentEL %u  DAIF %llx  SCTLR %llx  TCR %llx\n", current_el(),
          (unsigned long long)READ("DAIF"), (unsigned long long)READ("SCTLR_EL1"),
          (unsigned long long)READ("TCR_EL1"));
    print("TTBR0 %llx  TTBR1 %llx  MAIR %llx  VBAR %llx\n", (unsigned long long)READ("TTBR0_EL1"),
          (unsigned long long)READ("TTBR1_EL1"), (unsigned long long)READ("MAIR_EL1"),
          (unsigned long long)READ("VBAR_EL1"));
    print("MIDR %llx  MPIDR %llx  MMFR0 %llx\n", (unsigned long long)READ("MIDR_EL1"),
          (unsigned long long)READ("MPIDR_EL1"), (unsigned long long)READ("ID_AA64MMFR0_EL1"));
}

u64 arch_ticks(void)
{
    isb();
    return READ("CNTVCT_EL0");
}
u64 arch_tick_hz(void) { return READ("CNTFRQ_EL0"); }
void arch_idle(void) { __asm__ volatile("wfi" ::: "memory"); }
void arch_breakpoint(void) { __asm__ volatile("brk #0xB001" ::: "memory"); }
u8 arch_port_read(u16 port) { return 0xFF; }
void arch_port_write(u16 port, u8 v) {}

/// The code stays in x0, the block in memory: both can be read from outside.
_Noreturn void arch_stop(u64 code)
{
    register u64 x0 __asm__("x0") = code;
    debug_block.halt_code = code;
    __asm__ volatile("msr daifset, #15\n1: wfi\n b 1b" ::"r"(x0) : "memory");
    __builtin_unreachable();
}

static s64 psci(u64 function, u64 a, u64 b, u64 c)
{
    register u64 x0 __asm__("x0") = function;
    register u64 x1 __asm__("x1") = a;
    register u64 x2 __asm__("x2") = b;
    register u64 x3 __asm__("x3") = c;
    if (k.hw.conduit == HW_PSCI_SMC)
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory", "x4", "x5",
                         "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                         "x17");
    else
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory", "x4", "x5",
                         "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                         "x17");
    return (s64)x0;
}

_Noreturn void power_off(void)
{
    print("kernel: powering off\n");
    if (k.has_psci)
        psci(PSCI_OFF, 0, 0, 0);
    print("kernel: no PSCI, so no way to power off\n");
    arch_stop(0);
}

_Noreturn void arch_reset(void)
{
    if (k.has_psci)
        psci(PSCI_RESET, 0, 0, 0);
    halt(0);
}

__attribute__((noinline)) static u64 eat_stack(u64 depth)
{
    volatile u64 block[64];
    block[depth % 64] = depth;
    return depth ? eat_stack(depth - 1) + block[depth % 64] : 0;
}
void arch_overflow_stack(void) { print("%llu\n", (unsigned long long)eat_stack(1u << 20)); }

const char *arch_check_state(void)
{
    const struct bbp_entry_state *s = bbp_find(k.info, BBP_TAG_ENTRY_STATE, NULL);
    unsigned want = s && s->entry_el == 2 && k.info->features & BBP_FEAT_VHE ? 2 : 1;
    if (current_el() != want)
        return "not at the exception level the block names";
    if ((READ("SCTLR_EL1") & 0x1005) != 0x1005)
        return "MMU or caches are off";
    if (READ("MAIR_EL1") != BR_MAIR || READ("TTBR1_EL1") != vm_tables.root_high)
        return "other tables than ours are in force";
    if (READ("SPSel") != 0)
        return "not on the kernel's stack pointer";
    if (READ("DAIF") & 0x80)
        return "interrupts are masked";
    return NULL;
}

/// The code runs at its physical address, so its page gets an identity mapping; the word must be in
/// memory, not only in a cache, so its line is cleaned first.
bool arch_mmu_cycle(u64 phys, u32 *out)
{
    u64 code = image_phys((const void *)mmu_cycle), g = 1ULL << vm_tables.granule_shift;
    struct br_walk w;
    if (!vm_walk(br_down(code, g), &w) &&
        !vm_map(br_down(code, g), br_down(code, g), 2 * g, BR_MAP_X))
        return false;
    __asm__ volatile("dc cvac, %0\n dsb sy" ::"r"(phys + k.hhdm) : "memory");
    arch_irq_enable(false);
    u64 off = READ("SCTLR_EL1") & ~0x5ULL;
    *out = (u32)((u64(*)(u64, u64))(uintptr_t)code)(phys, off);
    arch_irq_enable(true);
    return true;
}

/// The others write their slot with the MMU off, past our caches: drop our line before each look.
u64 arch_other_cpus(void)
{
    static struct {
        volatile u32 word;
        u8 pad[252];
    } slot[8] __attribute__((aligned(256)));
    u64 answered = 0;
    for (u32 i = 1; i < k.hw.cpu_count && i < 8; i++) {
        slot[i].word = 0;
        __asm__ volatile("dc civac, %0\n dsb sy" ::"r"(&slot[i]) : "memory");
        if (psci(PSCI_CPU_ON, k.hw.cpu_id[i], image_phys(secondary_entry), image_phys(&slot[i])))
            continue;
        u64 limit = arch_ticks() + arch_tick_hz();
        while (slot[i].word != DEBUG_MAGIC && arch_ticks() < limit)
            __asm__ volatile("dc civac, %0\n dsb sy" ::"r"(&slot[i]) : "memory");
        answered += slot[i].word == DEBUG_MAGIC;
    }
    return answered;
}
