/// Direct entry: what a VMM would start is complete, mapped and checked.
#include "bbp_direct.h"
#include "make_elf.h"
#include "tap.h"

static unsigned char f[ELF_LEN];
static struct br_why why;
static _Alignas(65536) u8 ram[32 << 20];
#define RAM 0x40000000ULL

static struct bbp_direct ask(void)
{
    struct bbp_direct d = {.ram = {ram, RAM, sizeof ram}, .kernel = f, .kernel_len = ELF_LEN,
                           .cmdline = "hello", .console = {BBP_CON_PL011, 0, 0x9000000, 33, 0},
                           .env = {.arch = 183, .granules = 7, .pa_range = 4, .levels = 4},
                           .cpus = 2, .cpu_id = {0, 1}, .modules = 1};
    d.module[0].path = "/initrd";
    d.module[0].bytes = "module bytes";
    d.module[0].len = 12;
    return d;
}
static const void *at(u64 phys) { return ram + (phys - RAM); }

static void kernel_can_be_entered(void)
{
    struct bbp_direct d = ask();
    struct bbp_start s;
    make_elf(f, 183, BBP_WANT_SYMS);
    CHECK(bbp_direct_load(&d, &s, &why));
    const struct bbp_info *h = at(s.info_phys);
    CHECK(!bbp_check(h, h->total_size) && h->features == (BBP_FEAT_MMU_ON | BBP_FEAT_NO_FIRMWARE));
    CHECK(s.entry.pc == ELF_BASE + 0x10 && s.entry.arg == h->hhdm_base + s.info_phys);
    CHECK(((const u8 *)at(s.kernel_phys))[0x11] == 0x11 && s.sctlr & 1 && s.entry.tcr);
    CHECK(!strcmp(bbp_find(h, BBP_TAG_CMDLINE, NULL), "hello"));
    const struct bbp_list *l = bbp_find(h, BBP_TAG_MODULE, NULL);
    const struct bbp_module *m = (const void *)(l + 1);
    CHECK(l->count == 1 && !memcmp(at(m->phys), "module bytes", 12));
    CHECK(!strcmp((const char *)h + m->path_off, "/initrd"));
}
static void map_covers_all_ram_once(void)
{
    struct bbp_direct d = ask();
    struct bbp_start s;
    make_elf(f, 183, 0);
    CHECK(bbp_direct_load(&d, &s, &why));
    const struct bbp_list *l = bbp_find(at(s.info_phys), BBP_TAG_MEMMAP, NULL);
    const struct bbp_mem *e = (const void *)(l + 1);
    u64 next = RAM;
    for (u32 i = 0; i < l->count; i++) {
        CHECK(e[i].base == next);
        next += e[i].len;
    }
    CHECK(next == RAM + sizeof ram);
}
static void mmu_off_kernel_starts_at_its_physical_entry(void)
{
    struct bbp_direct d = ask();
    struct bbp_start s;
    make_elf(f, 183, BBP_WANT_MMU_OFF);
    CHECK(bbp_direct_load(&d, &s, &why));
    CHECK(s.entry.pc == s.kernel_phys + 0x10 && s.entry.arg == s.info_phys && !(s.sctlr & 1));
    CHECK(!s.entry.root_low && !s.entry.tcr);
}
static void small_or_misplaced_ram_is_named(void)
{
    struct bbp_direct d = ask();
    struct bbp_start s;
    make_elf(f, 183, 0);
    d.ram.len = 2 << 20;
    CHECK(!bbp_direct_load(&d, &s, &why) && strstr(why.msg, "more memory"));
    d = ask();
    make_elf(f, 183, BBP_WANT_PHYS_LINK);
    put16(f + 16, 2);
    CHECK(!bbp_direct_load(&d, &s, &why) && strstr(why.msg, "cannot be moved"));
}
static void needs_without_firmware_are_refused(void)
{
    struct bbp_direct d = ask();
    struct bbp_start s;
    make_elf(f, 183, BBP_WANT_NEED_ACPI);
    CHECK(!bbp_direct_load(&d, &s, &why) && strstr(why.msg, "RSDP"));
    make_elf(f, 183, 0);
    f[0x810 + 20] = 1 << BBP_TAG_SMBIOS;
    CHECK(!bbp_direct_load(&d, &s, &why) && strstr(why.msg, "SMBIOS"));
}

int main(void)
{
    RUN(kernel_can_be_entered);
    RUN(map_covers_all_ram_once);
    RUN(mmu_off_kernel_starts_at_its_physical_entry);
    RUN(small_or_misplaced_ram_is_named);
    RUN(needs_without_firmware_are_refused);
    return DONE();
}
