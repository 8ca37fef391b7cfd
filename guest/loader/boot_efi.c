/// Starts other EFI programs: chain loading, and Linux through its EFI stub.
#include "loader.h"

typedef unsigned long long ull;
static const struct efi_guid device_path_guid = EFI_GUID_DEVICE_PATH;
static const struct efi_guid load_file2_guid = EFI_GUID_LOAD_FILE2;

static u32 path_length(const struct efi_device_path *p)
{
    const u8 *b = (const u8 *)p;
    u32 n = 0;
    while (b[n] != 0x7F) {
        u16 len = br_ld16(b + n + 2);
        if (len < 4 || n > 4096)
            break;
        n += len;
    }
    return n;
}

/// The device's path with a file node appended (UEFI Specification, "File Path Media Device Path").
static struct efi_device_path *file_device_path(const char *path)
{
    static u8 buffer[4096 + 600];
    struct efi_device_path *dev = NULL;
    u32 n = 0;
    if (ld.bs->handle_protocol(ld.self->device, &device_path_guid, (void **)&dev) || !dev)
        return NULL;
    n = path_length(dev);
    if (n > 4096)
        return NULL;
    memcpy(buffer, dev, n);
    u8 *node = buffer + n;
    u32 chars = (u32)br_strlen(path) + 1, len = 4 + 2 * chars;
    node[0] = 4;
    node[1] = 4;
    node[2] = (u8)len;
    node[3] = (u8)(len >> 8);
    for (u32 i = 0; i < chars; i++) {
        node[4 + 2 * i] = (u8)(path[i] == '/' ? '\\' : path[i]);
        node[5 + 2 * i] = 0;
    }
    static const u8 end[4] = {0x7F, 0xFF, 4, 0};
    memcpy(node + len, end, 4);
    return (struct efi_device_path *)(void *)buffer;
}

static struct br_area wide_cmdline(const char *s)
{
    u64 n = br_strlen(s) + 1;
    struct br_area a = alloc_pages(n * 2, 4096);
    for (u64 i = 0; a.bytes && i < n; i++)
        a.bytes[2 * i] = (u8)s[i];
    return a;
}

/// Starts a PE image that is in memory. ret  false after complaining or when the program returned
static bool start_image(const struct boot_entry *e, const struct conf_path *path,
                        struct br_area file, u64 len)
{
    efi_handle image = NULL;
    static const struct efi_guid loaded_guid = EFI_GUID_LOADED_IMAGE;
    struct efi_loaded_image *li = NULL;
    efi_status s = ld.bs->load_image(0, ld.image, file_device_path(path->path), file.bytes, len,
                                     &image);
    if (s)
        return complain("%s: the firmware cannot load it: %s; is it an EFI program for %s?",
                        path->path, status_name(s), LOADER_ARCH_NAME);
    struct br_area options = {0};
    if (!ld.bs->handle_protocol(image, &loaded_guid, (void **)&li) && li) {
        if (!li->device)
            li->device = ld.self->device;
        if (e->cmdline && *e->cmdline) {
            options = wide_cmdline(e->cmdline);
            li->load_options = options.bytes;
            li->load_options_size = options.bytes ? (u32)(br_strlen(e->cmdline) + 1) * 2 : 0;
        }
    }
    say("%s: starting EFI program", path->path);
    s = ld.bs->start_image(image, NULL, NULL);
    free_area(&options);
    return complain("%s: returned to the loader: %s", path->path, status_name(s));
}

static bool read_program(const struct boot_entry *e, struct conf_path *path, struct br_area *file,
                         u64 *len)
{
    struct br_why why;
    if (!conf_path_parse(e->path, path, &why))
        return complain("path: %s", why.msg);
    return read_file(path, true, file, len);
}

bool boot_efi(const struct boot_entry *e)
{
    struct conf_path path;
    struct br_area file = {0};
    u64 len = 0;
    if (!read_program(e, &path, &file, &len))
        return false;
    start_image(e, &path, file, len);
    free_area(&file);
    return false;
}

/// --- the initrd: Linux asks for it through LoadFile2 on a device path of its own GUID

static struct br_area initrd;
static u64 initrd_len;

static efi_status EFIAPI load_initrd(struct efi_load_file2 *self, struct efi_device_path *path,
                                     u8 boot_policy, u64 *size, void *buffer)
{
    (void)self, (void)path;
    if (boot_policy)
        return EFI_UNSUPPORTED;
    if (!size)
        return EFI_INVALID_PARAMETER;
    u64 room = *size;
    *size = initrd_len;
    if (!buffer || room < initrd_len)
        return EFI_BUFFER_TOO_SMALL;
    memcpy(buffer, initrd.bytes, initrd_len);
    return EFI_SUCCESS;
}

static struct efi_load_file2 initrd_protocol = {load_initrd};
static struct {
    u8 vendor[4];
    struct efi_guid guid;
    u8 end[4];
} initrd_path = {{4, 3, 20, 0}, EFI_GUID_LINUX_INITRD, {0x7F, 0xFF, 4, 0}};

/// Joins all modules: the kernel unpacks concatenated archives, each padded to four bytes.
static bool collect_initrd(const struct boot_entry *e)
{
    struct br_area part[16] = {0};
    u64 len[16] = {0}, total = 0;
    u32 n = 0;
    const char *v;
    bool ok = true;
    for (; ok && n < ARRAY_LEN(part) && e->index >= 0 &&
           (v = conf_get(e->conf, e->index, "module_path", n));
         n++) {
        struct conf_path path;
        struct br_why why;
        ok = conf_path_parse(v, &path, &why) || complain("module_path: %s", why.msg);
        ok = ok && read_file(&path, true, &part[n], &len[n]);
        total += br_up(len[n], 4);
    }
    initrd_len = total;
    if (ok && total) {
        initrd = alloc_pages(total, 4096);
        ok = initrd.bytes || complain("no %llu bytes for the initrd", (ull)total);
    }
    for (u64 i = 0, at = 0; i < n; i++) {
        if (ok && total)
            memcpy(initrd.bytes + at, part[i].bytes, len[i]);
        at += br_up(len[i], 4);
        free_area(&part[i]);
    }
    return ok;
}

static bool install_dtb(const struct boot_entry *e)
{
    static const struct efi_guid dtb_guid = EFI_GUID_DTB;
    const char *v = e->index >= 0 ? conf_get(e->conf, e->index, "dtb_path", 0) : NULL;
    struct conf_path path;
    struct br_area dtb = {0};
    struct br_why why;
    u64 len = 0;
    if (!v)
        return true;
    if (!conf_path_parse(v, &path, &why))
        return complain("dtb_path: %s", why.msg);
    if (!read_file(&path, true, &dtb, &len))
        return false;
    if (!hw_dtb_len(dtb.bytes) || hw_dtb_len(dtb.bytes) > len)
        return complain("%s: is no device tree", path.path);
    efi_status s = ld.bs->install_config(&dtb_guid, dtb.bytes);
    return !s || complain("%s: the firmware does not take a device tree: %s", path.path,
                          status_name(s));
}

/// An arm64 Image without an EFI stub: entered with the MMU off, x0 = device tree (Linux
/// Documentation/arm64/booting.rst).
static bool enter_raw_image(const struct conf_path *path, struct br_area file, u64 len)
{
    static const struct efi_guid dtb_guid = EFI_GUID_DTB;
    u8 *dtb = config_table(&dtb_guid);
    u64 text = br_ld64(file.bytes + 8), span = br_ld64(file.bytes + 16);
    if (!dtb || !hw_dtb_len(dtb))
        return complain("%s: has no EFI stub and the firmware publishes no device tree: give one "
                        "with dtb_path", path->path);
    if (initrd_len)
        return complain("%s: has no EFI stub, so an initrd cannot be passed: build the kernel with "
                        "CONFIG_EFI_STUB", path->path);
    if (text >= 2u << 20 || span < len || span > 1u << 30)
        return complain("%s: the Image header claims text offset 0x%llx, size 0x%llx", path->path,
                        (ull)text, (ull)span);
    struct br_area image = alloc_pages(text + span, 2u << 20);
    if (!image.bytes)
        return complain("%s: no 0x%llx bytes on a 2 MiB boundary", path->path, (ull)(text + span));
    memcpy(image.bytes + text, file.bytes, len);
    struct br_area map = alloc_pages(65536, 4096);
    struct hw hw;
    struct efi_map m = {0};
    struct handoff h = {.entry = image.phys + text, .arg = (u64)(uintptr_t)dtb,
                        .sp = image.phys + text + span, .flags = cpu_handoff_flags()};
    // Images with virtualization support want EL2 if there is one.
    h.flags |= h.flags & HANDOFF_AT_EL2 ? HANDOFF_STAY_EL2 : 0;
    hw_from_dtb(&hw, dtb, hw_dtb_len(dtb));
    ld.console = hw.console;
    say("%s: entering the Image at 0x%llx with the MMU off", path->path, (ull)h.entry);
    if (!map.bytes || !leave_firmware(map.bytes, map.len, &m))
        stop_visibly("the firmware refused ExitBootServices; the machine must be reset");
    cpu_mask_interrupts();
    cpu_clean(image.bytes, image.len);
    cpu_clean(dtb, hw_dtb_len(dtb));
    cpu_clean(handoff_page, 4096);
    cpu_sync_code();
    cpu_jump(&h);
}

bool boot_linux(const struct boot_entry *e)
{
    struct conf_path path;
    struct br_area file = {0};
    u64 len = 0;
    efi_handle handle = NULL;
    if (!read_program(e, &path, &file, &len) || !collect_initrd(e) || !install_dtb(e))
        return false;
    if (len >= 2 && file.bytes[0] == 0x1F && file.bytes[1] == 0x8B) {
        complain("%s: is gzip-compressed; unpack it (gunzip) or use the vmlinuz with an EFI stub",
                 path.path);
    } else if (len >= 64 && file.bytes[0] == 'M' && file.bytes[1] == 'Z') {
        if (initrd_len &&
            (ld.bs->install_protocol(&handle, &device_path_guid, 0, &initrd_path) ||
             ld.bs->install_protocol(&handle, &load_file2_guid, 0, &initrd_protocol)))
            complain("the firmware does not accept the initrd's LoadFile2 protocol");
        else
            start_image(e, &path, file, len);
        if (handle) {
            ld.bs->uninstall_protocol(handle, &load_file2_guid, &initrd_protocol);
            ld.bs->uninstall_protocol(handle, &device_path_guid, &initrd_path);
        }
    } else if (LOADER_ARCH == BR_ARCH_AARCH64 && len >= 64 &&
               br_ld32(file.bytes + 56) == 0x644d5241) {
        enter_raw_image(&path, file, len);
    } else {
        complain("%s: is neither an EFI program (MZ) nor an arm64 Image (ARM\\x64 at byte 56)",
                 path.path);
    }
    free_area(&file);
    free_area(&initrd);
    return false;
}
