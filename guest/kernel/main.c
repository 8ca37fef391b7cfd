/// From the entry code to the shell. The order is the point: vectors, block, console, memory, own
/// tables, devices, interrupts; the loader's memory is given back last.
#include "kernel.h"

struct kernel k;

static void start_console(void)
{
    const struct bbp_console *con = bbp_find(k.info, BBP_TAG_CONSOLE, NULL);
    if (con)
        console_start(con, k.hhdm);
}

static void start_framebuffer(void)
{
    const struct bbp_list *l = bbp_find(k.info, BBP_TAG_FRAMEBUFFER, NULL);
    const struct bbp_framebuffer *f = l && l->count ? (const void *)(l + 1) : NULL;
    if (f && f->bpp == 32 && vm_uncached(f->phys, f->len))
        fb_start(f, k.hhdm);
}

static void print_facts(void)
{
    const struct bbp_loader *l = bbp_find(k.info, BBP_TAG_LOADER, NULL);
    const struct bbp_entry_state *s = bbp_find(k.info, BBP_TAG_ENTRY_STATE, NULL);
    const struct bbp_list *map = bbp_find(k.info, BBP_TAG_MEMMAP, NULL);
    unsigned long long f = k.info->features;
    print("kernel: BBP %u.%u block of %u bytes, %u tags, from %.32s\n", k.info->major,
          k.info->minor, k.info->total_size, k.info->tag_count, l ? l->name : "?");
    print("kernel: image 0x%llx at physical 0x%llx, slide 0x%llx, direct map 0x%llx\n",
          (unsigned long long)k.info->kernel_virt, (unsigned long long)k.info->kernel_phys,
          (unsigned long long)k.info->kaslr_slide, (unsigned long long)k.hhdm);
    print("kernel: features 0x%llx%s%s%s, %u memory ranges", f,
          f & BBP_FEAT_MMU_ON ? " mmu-on" : " mmu-off", f & BBP_FEAT_FROM_EL2 ? " from-el2" : "",
          f & BBP_FEAT_VHE ? " vhe" : "", map ? map->count : 0);
    if (s && s->entry_el)
        print(", firmware at EL%u, entered at EL%u", s->firmware_el, s->entry_el);
    print("\nkernel: command line \"%s\"\n", k.cmdline);
}

/// Our own copy: the original lies in memory that will be reclaimed.
static void copy_block(void)
{
    u64 phys = pmm_alloc((k.info->total_size + PAGE - 1) / PAGE);
    if (!phys)
        halt(HALT_NO_MEMORY);
    memcpy(phys_ptr(phys), k.info, k.info->total_size);
    k.info = phys_ptr(phys);
    k.cmdline = bbp_find(k.info, BBP_TAG_CMDLINE, NULL);
}

/// Reads the device tree or ACPI; a tree in reclaimable memory is read before that is reclaimed.
static void find_devices(void)
{
    const struct bbp_blob *dtb = bbp_find(k.info, BBP_TAG_DTB, NULL);
    const struct bbp_blob *rsdp = bbp_find(k.info, BBP_TAG_RSDP, NULL);
    bool found = (dtb && hw_from_dtb(&k.hw, phys_ptr(dtb->phys), dtb->len)) ||
                 (rsdp && hw_from_acpi(&k.hw, rsdp->phys, k.hhdm));
    k.has_psci = k.hw.conduit != HW_PSCI_NONE;
    print("kernel: devices from %s: gic v%u, %u cpus\n",
          !found ? "nowhere" : k.hw.from_acpi ? "ACPI" : "the device tree", k.hw.gic_version,
          k.hw.cpu_count);
}

bool has_option(const char *name)
{
    size_t n = br_strlen(name);
    for (const char *s = k.cmdline; s && *s;) {
        if (br_strlen(s) >= n && !memcmp(s, name, n) && (!s[n] || s[n] == ' ' || s[n] == '='))
            return true;
        while (*s && *s != ' ')
            s++;
        while (*s == ' ')
            s++;
    }
    return false;
}

const char *option_value(const char *name)
{
    size_t n = br_strlen(name);
    for (const char *s = k.cmdline; s && *s; s++)
        if ((s == k.cmdline || s[-1] == ' ') && br_strlen(s) > n && !memcmp(s, name, n) &&
            s[n] == '=')
            return s + n + 1;
    return NULL;
}

/// The kernel's first C line: our stack, our vectors, interrupts masked, the loader's tables.
_Noreturn void kmain(struct bbp_info *info)
{
    debug_block.magic = DEBUG_MAGIC;
    const char *fault = bbp_check(info, 64u << 20);
    if (fault)
        arch_stop(HALT_BAD_BLOCK);
    k.info = info;
    k.hhdm = info->hhdm_base ? info->hhdm_base : HHDM_DEFAULT;
    k.slide_phys = (s64)((u64)(uintptr_t)__image_start - info->kernel_phys);
    k.mmu_was_off = !(info->features & BBP_FEAT_MMU_ON);
    k.cmdline = bbp_find(info, BBP_TAG_CMDLINE, NULL);
    start_console();
    print("\nkernel: first C line reached\n");
    checkpoint(1);
    arch_start();
    print_facts();
    pmm_start();
    copy_block();
    symbols_start();
    checkpoint(2);
    vm_start();
    print("kernel: own page tables in force, levels %u\n", vm_tables.levels);
    checkpoint(3);
    find_devices();
    start_framebuffer();
    arch_irq_start();
    checkpoint(4);
    pmm_reclaim();
    arch_irq_enable(true);
    checkpoint(5);
    print("kernel: up; %llu MiB free\n", (unsigned long long)(pmm_free_pages() * PAGE >> 20));
    if (has_option("selftest") && !selftest())
        halt(HALT_SELFTEST);
    if (has_option("poweroff"))
        power_off();
    monitor();
}
