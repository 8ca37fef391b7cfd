/// What x86_64 does its own way.
#include "arch.h"

const bool arch_can_cycle = false; // long mode implies paging

enum { MSR_EFER = 0xC0000080 };

void arch_start(void) {} // entry.S has loaded the descriptor tables already

void arch_use_tables(const struct br_pt *pt)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(pt->root_low) : "memory");
}
void arch_flush_tlb(void)
{
    u64 v = READ_CR(3);
    __asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}
void arch_irq_start(void) { apic_start(); }
void arch_irq_enable(bool on)
{
    if (on)
        __asm__ volatile("sti" ::: "memory");
    else
        __asm__ volatile("cli" ::: "memory");
}

void arch_print_state(void)
{
    print("CR0 %llx  CR2 %llx  CR3 %llx  CR4 %llx  EFER %llx\n", (unsigned long long)READ_CR(0),
          (unsigned long long)READ_CR(2), (unsigned long long)READ_CR(3),
          (unsigned long long)READ_CR(4), (unsigned long long)read_msr(MSR_EFER));
}

u64 arch_ticks(void)
{
    u32 lo, hi;
    __asm__ volatile("lfence\n rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (u64)hi << 32 | lo;
}
u64 arch_tick_hz(void)
{
    const struct bbp_times *t = bbp_find(k.info, BBP_TAG_TIMES, NULL);
    return t && t->freq_hz ? t->freq_hz : 1000000000;
}
void arch_idle(void) { __asm__ volatile("hlt" ::: "memory"); }
void arch_breakpoint(void) { __asm__ volatile("int3" ::"a"(0xB001) : "memory"); }
u8 arch_port_read(u16 port)
{
    u8 v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
void arch_port_write(u16 port, u8 v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }

_Noreturn void arch_stop(u64 code)
{
    debug_block.halt_code = code;
    for (;;)
        __asm__ volatile("cli\n hlt" ::"a"(code));
}

/// ACPI soft-off: SLP_TYP from \_S5 and SLP_EN into the PM1a control register.
_Noreturn void power_off(void)
{
    print("kernel: powering off\n");
    if (k.hw.pm1a_port)
        __asm__ volatile("outw %0, %1" ::"a"((u16)(k.hw.s5_type << 10 | 1 << 13)),
                         "Nd"((u16)k.hw.pm1a_port));
    print("kernel: no ACPI soft-off, so no way to power off\n");
    arch_stop(0);
}

_Noreturn void arch_reset(void)
{
    arch_port_write(0xCF9, 6);
    arch_port_write(0x64, 0xFE);
    arch_stop(0);
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
    const struct bbp_paging *pg = bbp_find(k.info, BBP_TAG_PAGING, NULL);
    if ((READ_CR(0) & 0x80010001) != 0x80010001)
        return "paging, write protection or protected mode is off";
    if (!(read_msr(MSR_EFER) >> 11 & 1))
        return "no-execute is off";
    if (READ_CR(3) != vm_tables.root_low)
        return "other tables than ours are in force";
    if (!pg || (READ_CR(4) >> 12 & 1) != (pg->levels == 5))
        return "CR4.LA57 does not match the block's levels";
    if (READ_CR(4) & 0xB20080)
        return "PGE, PCIDE, SMEP, SMAP or CET is on at entry";
    return NULL;
}

bool arch_mmu_cycle(u64 phys, u32 *out)
{
    (void)phys, (void)out;
    return false;
}
/// A page below 1 MiB that the map calls free, or the loader's. ret  0 if there is none
static u64 low_page(void)
{
    const struct bbp_list *l = bbp_find(k.info, BBP_TAG_MEMMAP, NULL);
    for (u32 i = 0; l && i < l->count; i++) {
        const struct bbp_mem *m = (const void *)((const u8 *)(l + 1) + (u64)i * l->entry_size);
        u64 from = m->base ? m->base : PAGE; // not the page of null pointers
        if ((m->type == BBP_MEM_USABLE || m->type == BBP_MEM_LOADER) && from + PAGE <= 1 << 20 && m->base + m->len >= from + PAGE)
            return from;
    }
    return 0;
}

/// Each of the others is started in real mode by INIT and SIPI, counts itself, and is stopped by INIT again;
/// the page it ran on gets its bytes back.
u64 arch_other_cpus(void)
{
    extern const u8 sipi_begin[], sipi_counter[], sipi_end[];
    u64 at = low_page(), len = (u64)(sipi_end - sipi_begin), answered = 0;
    u8 *page = at ? phys_ptr(at) : NULL, *saved = heap_alloc(len);
    if (!page || !saved)
        return 0;
    volatile u32 *counter = (volatile u32 *)(void *)(page + (sipi_counter - sipi_begin));
    memcpy(saved, page, len);
    memcpy(page, sipi_begin, len);
    for (u32 i = 1; i < k.hw.cpu_count; i++) {
        u32 before = *counter;
        apic_start_cpu((u32)k.hw.cpu_id[i], (u32)(at >> 12));
        for (u64 limit = arch_ticks() + arch_tick_hz() / 2; *counter == before && arch_ticks() < limit;)
            ;
        answered += *counter == before + 1;
        apic_stop_cpu((u32)k.hw.cpu_id[i]);
    }
    memcpy(page, saved, len);
    heap_free(saved);
    return answered;
}
