/// Power-on to the application: page tables, tables of services, load, start, and what to say when it
/// comes back.
#include "fw.h"

struct efi_system_table fw_st;
struct efi_boot_services fw_bs;
struct efi_runtime_services fw_rt;
struct fwhost_bootinfo fw_info;
bool fw_exited;
u8 fw_stack[65536] __attribute__((aligned(16)));
__asm__(".globl fw_stack_top\n .set fw_stack_top, fw_stack + 65536");
static struct efi_config_entry config[FW_CONFIG];

_Noreturn void fw_stop(const char *why)
{
    fw_print("firmware: %s\n", why);
    fw_psci(0x84000008, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}
void fw_fault(u64 esr, u64 elr, u64 far)
{
    fw_event(FWHOST_EV_FAULT, esr, elr, far, 0);
    fw_print("\nfirmware: exception in boot services time: ESR 0x%lx ELR 0x%lx FAR 0x%lx\n", esr, elr, far);
    fw_stop("the application faulted");
}
bool fw_guid_eq(const struct efi_guid *a, const struct efi_guid *b) { return memcmp(a, b, sizeof *a) == 0; }

efi_status fw_install_config(const struct efi_guid *guid, void *table)
{
    u64 k = 0;
    while (k < fw_st.config_count && !fw_guid_eq(&config[k].guid, guid))
        k++;
    if (table == NULL) {
        if (k == fw_st.config_count)
            return EFI_NOT_FOUND;
        config[k] = config[--fw_st.config_count];
        return EFI_SUCCESS;
    }
    if (k == FW_CONFIG)
        return EFI_OUT_OF_RESOURCES;
    config[k] = (struct efi_config_entry){*guid, table};
    fw_st.config_count += k == fw_st.config_count;
    return EFI_SUCCESS;
}

/* ---- the remaining boot services ---- */

static efi_status EFIAPI install_config(const struct efi_guid *guid, void *table)
{
    return guid ? fw_install_config(guid, table) : EFI_INVALID_PARAMETER;
}
static efi_status EFIAPI monotonic_count(u64 *count)
{
    static u64 n;
    *count = ++n;
    return EFI_SUCCESS;
}
static efi_status EFIAPI set_watchdog(u64 seconds, u64 code, u64 size, efi_char *data)
{
    fw_event(FWHOST_EV_WATCHDOG, seconds, CALLER, 0, 0);
    return EFI_SUCCESS;
}
static u32 crc(const void *data, u64 len)
{
    u32 c = ~0u;
    const u8 *p = data;
    while (len--) {
        c ^= *p++;
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (0xedb88320 & -(c & 1));
    }
    return ~c;
}
static efi_status EFIAPI crc32(void *data, u64 size, u32 *out)
{
    *out = crc(data, size);
    return EFI_SUCCESS;
}
static void EFIAPI copy_mem(void *to, void *from, u64 n) { memmove(to, from, n); }
static void EFIAPI set_mem(void *to, u64 n, u8 v) { memset(to, v, n); }

static void make_tables(void)
{
    static efi_char vendor[] = {'B', 'r', 'u', 'i', 'n', 0};
    static const struct efi_guid dtb = EFI_GUID_DTB, acpi = EFI_GUID_ACPI_20;
    fw_bs.hdr = (struct efi_table_header){0x56524553544f4f42ULL, 2 << 16 | 100, sizeof fw_bs, 0, 0};
    fw_mem_services();
    fw_handle_services();
    fw_event_services();
    fw_image_services();
    fw_bs.install_config = install_config;
    fw_bs.monotonic_count = monotonic_count;
    fw_bs.set_watchdog = set_watchdog;
    fw_bs.crc32 = crc32;
    fw_bs.copy_mem = copy_mem;
    fw_bs.set_mem = set_mem;
    fw_st.hdr = (struct efi_table_header){0x5453595320494249ULL, 2 << 16 | 100, sizeof fw_st, 0, 0};
    fw_st.vendor = vendor;
    fw_st.firmware_revision = 1 << 16;
    fw_st.rt = &fw_rt;
    fw_st.bs = &fw_bs;
    fw_st.config = config;
    fw_runtime_init();
    fw_console_init();
    if (fw_info.volumes)
        fw_volume_host();
    fw_block_init();
    fw_extra_init();
    fw_gop_init();
    if (fw_info.dtb)
        fw_install_config(&dtb, (void *)(uintptr_t)fw_info.dtb);
    if (fw_info.acpi)
        fw_install_config(&acpi, (void *)(uintptr_t)fw_info.acpi);
    fw_bs.hdr.crc32 = crc(&fw_bs, sizeof fw_bs);
    fw_rt.hdr.crc32 = crc(&fw_rt, sizeof fw_rt);
    fw_st.hdr.crc32 = crc(&fw_st, sizeof fw_st);
}

static void set_options(efi_handle image)
{
    static const struct efi_guid loaded = EFI_GUID_LOADED_IMAGE;
    struct efi_loaded_image *info = fw_get(image, &loaded);
    efi_char *wide = fw_info.options[0] ? fw_pool(2 * sizeof fw_info.options, EFI_LOADER_DATA) : NULL;
    if (wide == NULL)
        return;
    info->load_options = wide;
    info->load_options_size = (u32)(2 * (fw_utf16(fw_info.options, wide, sizeof fw_info.options) + 1));
}

static efi_status app_status; ///< of the last application that came back

/// Loads and starts a file of a volume. ret  EFI_NOT_FOUND when it is not there
static efi_status run_file(struct fw_volume *v, const char *path)
{
    u64 size = 0;
    efi_handle h = NULL;
    void *file = fw_read_file(v, path, EFI_BOOT_DATA, &size);
    if (file == NULL)
        return EFI_NOT_FOUND;
    efi_status s = fw_load(v, file, size, path, &h);
    fw_free_pages((u64)(uintptr_t)file, br_up(size ? size : 1, FW_PAGE) / FW_PAGE);
    if (s == EFI_SUCCESS) {
        set_options(h);
        fw_event(FWHOST_EV_PHASE, FWHOST_PHASE_APP, 0, (u64)(uintptr_t)fw_stack, sizeof fw_stack);
        fw_pt_flush();
        s = fw_start(h);
    }
    if (s != EFI_SUCCESS)
        fw_print("firmware: %s returned status 0x%lx\n", path, s);
    app_status = s;
    return s == EFI_NOT_FOUND ? EFI_ABORTED : s;
}

/// The application by name, or the default loader of the first volume that has one. UEFI, "Boot Manager",
/// "Removable Media Boot Behavior".
static void run_application(void)
{
    const char *path = fw_info.app[0] ? fw_info.app : "/EFI/BOOT/BOOTAA64.EFI";
    efi_status s = EFI_NOT_FOUND;
    for (u32 k = 0; k < fw_volume_count && s == EFI_NOT_FOUND; k++)
        s = run_file(&fw_volumes[k], path);
    if (s == EFI_NOT_FOUND)
        fw_print("firmware: %s is on none of %u volumes (%u disks)\n", path, fw_volume_count, (u32)fw_info.disks);
    fw_event(FWHOST_EV_RETURNED, s == EFI_NOT_FOUND ? s : app_status, s == EFI_NOT_FOUND, 0, 0);
}

void fw_main(u64 image, u64 end)
{
    extern char _data_start[];
    struct fwhost_req r = {.op = FWHOST_BOOTINFO, .a = {(u64)(uintptr_t)&fw_info, sizeof fw_info}};
    fw_event(FWHOST_EV_PHASE, FWHOST_PHASE_START, 0, 0, 0);
    if (fw_host(&r) != FWHOST_OK || fw_info.size != sizeof fw_info)
        fw_stop("the machine has no firmware device of this version");
    fw_pt_init();
    fw_mem_init(image, (u64)(uintptr_t)_data_start, end);
    make_tables();
    run_application();
    fw_psci(0x84000008, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}
