/// The self-test: every promise of the protocol and every part of the kernel, checked from inside.
#include "kernel.h"

static u32 passed, total;

static void check(const char *name, bool ok)
{
    total++;
    passed += ok;
    print("selftest: %-28s %s\n", name, ok ? "ok" : "FAIL");
}

static bool map_is_sound(void)
{
    const struct bbp_list *l = bbp_find(k.info, BBP_TAG_MEMMAP, NULL);
    const u8 *p = (const u8 *)(l + 1);
    u64 end = 0, usable = 0;
    bool kernel_seen = false;
    for (u32 i = 0; i < l->count; i++) {
        const struct bbp_mem *m = (const void *)(p + (u64)i * l->entry_size);
        if (!m->len || m->base % 4096 || m->len % 4096 || m->base < end)
            return false;
        end = m->base + m->len;
        usable += m->type == BBP_MEM_USABLE ? m->len : 0;
        kernel_seen = kernel_seen || (m->type == BBP_MEM_KERNEL && m->base <= k.info->kernel_phys &&
                                      end >= k.info->kernel_phys + k.info->kernel_size);
    }
    return kernel_seen && usable > 16u << 20;
}

/// A pointer in initialised data: right only if relocations were applied with the slide.
static bool (*const relocated)(void) = map_is_sound;
static u8 zeroed[8192];
static u32 writable = 7;

static bool bss_is_zero(void)
{
    for (u32 i = 0; i < sizeof zeroed; i++)
        if (((volatile u8 *)zeroed)[i])
            return false;
    return true;
}

/// Each access that must work or fault, by name, so that a failure says which.
static bool rights_hold(void)
{
    static const u32 constant = 0x600D600D;
    u64 text = (u64)(uintptr_t)&selftest, data = (u64)(uintptr_t)&writable;
    u64 rodata = (u64)(uintptr_t)&constant, alias = image_phys((void *)(uintptr_t)text) + k.hhdm;
    u32 v = 0;
    struct br_walk w;
    const struct {
        char what[28];
        bool ok;
    } row[] = {
        {"code can be read", probe_read32(text, &v)},
        {"code cannot be written", !probe_write32(text, v)},
        {"constants can be read", probe_read32(rodata, &v) && v == constant},
        {"constants cannot be written", !probe_write32(rodata, 1)},
        {"constants cannot be run", !probe_exec(rodata)},
        {"data can be written", probe_write32(data, 7)},
        {"data cannot be run", !probe_exec(data)},
        {"no writable alias of code", !probe_write32(alias, v)},
        {"tables say code is R-X", vm_walk(text, &w) && w.flags == BR_MAP_X},
    };
    bool ok = true;
    for (u32 i = 0; i < ARRAY_LEN(row); i++) {
        if (!row[i].ok)
            print("selftest: not so: %s (fault address 0x%llx)\n", row[i].what,
                  (unsigned long long)probe_fault_addr);
        ok = ok && row[i].ok;
    }
    return ok;
}

static bool null_faults(void)
{
    u32 v;
    return !probe_read32(0, &v) && probe_fault_addr == 0 && !probe_read32(0xdead0000000, &v);
}

static bool pages_are_distinct(void)
{
    u64 page[32], before = pmm_free_pages();
    bool ok = true;
    for (u32 i = 0; i < 32; i++) {
        page[i] = pmm_alloc(1 + i % 3);
        u64 *p = phys_ptr(page[i]);
        ok = ok && page[i] && !*p;
        *p = i;
    }
    for (u32 i = 0; i < 32; i++) {
        ok = ok && *(u64 *)phys_ptr(page[i]) == i;
        pmm_free(page[i], 1 + i % 3);
    }
    return ok && pmm_free_pages() == before;
}

static bool heap_survives(void)
{
    u8 *block[64] = {0};
    u32 size[64] = {0};
    u64 seed = 42;
    bool ok = true;
    for (u32 i = 0; i < 4000; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        u32 n = (u32)(seed >> 58);
        for (u32 b = 0; block[n] && b < size[n]; b++)
            ok = ok && block[n][b] == (u8)n;
        heap_free(block[n]);
        size[n] = (u32)(seed >> 40) % 700 + 1;
        block[n] = heap_alloc(size[n]);
        ok = ok && block[n];
        if (block[n])
            memset(block[n], (int)n, size[n]);
    }
    for (u32 n = 0; n < 64; n++)
        heap_free(block[n]);
    return ok && heap_used() == 0;
}

static bool mapping_works(void)
{
    u64 phys = pmm_alloc(32), va = 0xFFFFC00000000000ULL;
    u64 g = 1ULL << vm_tables.granule_shift;
    if (vm_tables.va_bits < 48)
        va = 0 - (1ULL << 37);
    phys = phys ? br_up(phys, g) : 0;
    if (!phys || !vm_map(va, phys, g, BR_MAP_W))
        return false;
    *(volatile u32 *)(uintptr_t)va = 0x12345678;
    return *(volatile u32 *)phys_ptr(phys) == 0x12345678;
}

/// The debug block is where a tool would look for it: at its physical address, with its signature.
static bool signature_in_memory(void)
{
    const struct debug_block *d = phys_ptr(image_phys(&debug_block));
    return d->magic == DEBUG_MAGIC && d->checkpoint == 5 && d->magic_end == 0xBEBAFECA;
}

static bool breakpoint_resumes(void)
{
    u64 before = breakpoints_hit;
    arch_breakpoint();
    arch_breakpoint();
    return breakpoints_hit == before + 2;
}

/// Interrupts must arrive while we wait; the counter bounds the wait.
static bool timer_interrupts(void)
{
    u64 start = timer_ticks, limit = arch_ticks() + 5 * arch_tick_hz();
    while (timer_ticks < start + 5 && arch_ticks() < limit)
        ; // not arch_idle(): without interrupts that would never end
    return timer_ticks >= start + 5;
}

static bool names_resolve(void)
{
    u64 off = 0;
    const char *n = symbol_of((u64)(uintptr_t)&kmain + 8, &off);
    return n && br_streq(n, "kmain") && off == 8;
}

static bool module_intact(const struct bbp_list *l)
{
    const struct bbp_module *m = (const void *)(l + 1);
    const char *text = (const char *)k.info + m->string_off;
    u64 want = 0;
    u32 crc = br_crc32c(0, phys_ptr(m->phys), m->len);
    const char *v = option_value("modcrc");
    u64 n = 0;
    while (v && v[n] && v[n] != ' ')
        n++;
    print("selftest: module %s (%s), %llu bytes, crc 0x%x\n", (const char *)k.info + m->path_off,
          text, (unsigned long long)m->len, crc);
    return !v || (br_number(v, n, &want) && want == crc);
}

static void run_memory(void)
{
    check("memory map", map_is_sound());
    check("relocation", relocated == map_is_sound && relocated());
    check("bss is zero", bss_is_zero());
    check("page rights (W^X)", rights_hold());
    check("null and holes fault", null_faults());
    check("physical pages", pages_are_distinct());
    check("heap", heap_survives());
    check("map a page", mapping_works());
    check("signature in memory", signature_in_memory());
}

bool selftest(void)
{
    const char *state = arch_check_state();
    u32 v = 0;
    check("boot block", !bbp_check(k.info, k.info->total_size));
    if (state)
        print("selftest: %s\n", state);
    check("processor state", !state);
    run_memory();
    check("breakpoint resumes", breakpoint_resumes());
    check("timer interrupts", timer_interrupts());
    if (arch_can_cycle)
        check("translation off and on",
              arch_mmu_cycle(image_phys(&debug_block.magic), &v) && v == DEBUG_MAGIC);
    if (bbp_find(k.info, BBP_TAG_SYMBOLS, NULL))
        check("symbols", names_resolve());
    if (bbp_find(k.info, BBP_TAG_MODULE, NULL))
        check("module", module_intact(bbp_find(k.info, BBP_TAG_MODULE, NULL)));
    if (k.hw.cpu_count > 1 && has_option("smp"))
        check("other cpus", arch_other_cpus() == k.hw.cpu_count - 1);
    print("SELFTEST %s %u/%u\n", passed == total ? "PASS" : "FAIL", passed, total);
    return passed == total;
}
