/// Images: loading PE/COFF with relocation and page permissions, starting, leaving. Microsoft, "PE Format";
/// UEFI, "Image Services".
#include "fw.h"
#include "../bridge/pe.h"

enum { IMAGES_MAX = 16, NEST_MAX = 8 };

struct image {
    bool used, started;
    efi_handle handle;
    struct efi_loaded_image info;
    u64 entry, pages;
    struct fw_jump jump;
    u64 exit_status;
};
static struct image images[IMAGES_MAX];
static struct image *running[NEST_MAX];
static u32 depth;
static const struct efi_guid loaded_guid = EFI_GUID_LOADED_IMAGE;
static const struct efi_guid loaded_path_guid = {0xbc62157e, 0x3e33, 0x4fec, {0x99, 0x20, 0x2d, 0x3b, 0x36, 0xd7, 0x50, 0xdf}};

/// Code read-only and executable, the rest not executable, when sections have pages of their own.
static void protect(const struct br_pe *p, u64 base)
{
    u64 pages = br_up(p->image_size, FW_PAGE) / FW_PAGE;
    if (p->section_align < FW_PAGE) {
        fw_pt_protect(base, pages, FW_W | FW_X);
        return;
    }
    fw_pt_protect(base, pages, FW_W);
    for (u32 k = 0; k < p->section_count; k++) {
        u64 rva, count;
        u32 rights;
        if (br_pe_section(p, k, &rva, &count, &rights))
            fw_pt_protect(base + rva, count, (rights & PE_X ? FW_X : 0) | (rights & PE_W ? FW_W : 0));
    }
}

static struct image *image_of(efi_handle h)
{
    for (u32 k = 0; k < IMAGES_MAX; k++)
        if (images[k].used && images[k].handle == h)
            return &images[k];
    return NULL;
}

/// The volume's path followed by a file node.
static struct efi_device_path *file_path(const struct fw_volume *v, const char *path)
{
    efi_char name[256];
    u64 n = fw_utf16(path, name, ARRAY_LEN(name)) + 1, head = v ? fw_path_len(v->path) - 4 : 0;
    for (u64 k = 0; k < n; k++)
        name[k] = name[k] == '/' ? '\\' : name[k];
    u8 *out = fw_pool(head + 4 + 2 * n + 4, EFI_BOOT_DATA);
    if (out == NULL)
        return NULL;
    if (v)
        memcpy(out, v->path, head);
    u8 *node = out + head;
    u64 len = 4 + 2 * n;
    node[0] = 4; /* media, file path */
    node[1] = 4;
    node[2] = (u8)len;
    node[3] = (u8)(len >> 8);
    memcpy(node + 4, name, 2 * n);
    memcpy(node + len, "\x7f\xff\x04\x00", 4);
    return (void *)out;
}

efi_status fw_load(struct fw_volume *v, const void *data, u64 size, const char *path, efi_handle *out)
{
    struct br_pe p;
    const char *why = NULL;
    u64 base = 0;
    struct image *im = NULL;
    for (u32 k = 0; k < IMAGES_MAX && im == NULL; k++)
        im = images[k].used ? NULL : &images[k];
    if (im == NULL)
        return EFI_OUT_OF_RESOURCES;
    if (!br_pe_parse(data, size, &p, &why)) {
        fw_print("firmware: %s: %s\n", path, why);
        return EFI_UNSUPPORTED;
    }
    u64 pages = br_up(p.image_size, FW_PAGE) / FW_PAGE, align = p.section_align > FW_PAGE ? p.section_align : FW_PAGE;
    efi_status s = fw_alloc_pages(EFI_ANY_PAGES, EFI_LOADER_CODE, pages + align / FW_PAGE, &base);
    if (s != EFI_SUCCESS) {
        fw_print("firmware: %s: no %lu pages of memory\n", path, pages);
        return s;
    }
    base = br_up(base, align);
    fw_pt_protect(base, pages, FW_W);
    if (!br_pe_load(&p, (u8 *)(uintptr_t)base, base, &why)) {
        fw_print("firmware: %s: %s\n", path, why);
        fw_free_pages(base, pages);
        return EFI_LOAD_ERROR;
    }
    protect(&p, base);
    fw_sync_code(base, p.image_size);
    memset(im, 0, sizeof *im);
    im->used = true;
    im->entry = base + p.entry;
    im->pages = pages;
    im->info = (struct efi_loaded_image){.revision = 0x1000, .system_table = &fw_st, .device = v ? v->handle : NULL,
                                         .image_base = (void *)(uintptr_t)base, .image_size = p.image_size,
                                         .code_type = EFI_LOADER_CODE, .data_type = EFI_LOADER_DATA};
    struct efi_device_path *full = file_path(v, path);
    if (full)
        im->info.file_path = (void *)((u8 *)full + (v ? fw_path_len(v->path) - 4 : 0));
    fw_install(&im->handle, &loaded_guid, &im->info);
    fw_install(&im->handle, &loaded_path_guid, full);
    *out = im->handle;
    fw_event(FWHOST_EV_IMAGE, base, p.image_size, im->entry, (u64)(uintptr_t)path);
    return EFI_SUCCESS;
}

static void forget(struct image *im)
{
    fw_free_pages((u64)(uintptr_t)im->info.image_base, im->pages);
    fw_uninstall(im->handle, &loaded_guid);
    fw_uninstall(im->handle, &loaded_path_guid);
    im->used = false;
}

efi_status fw_start(efi_handle h)
{
    struct image *im = image_of(h);
    if (im == NULL || im->started || depth == NEST_MAX)
        return EFI_INVALID_PARAMETER;
    im->started = true;
    running[depth++] = im;
    u64 s = fw_call_image(h, &fw_st, im->entry, &im->jump);
    depth--;
    forget(im);
    return s;
}

/* ---- services ---- */

static const efi_char *path_name(const struct efi_device_path *path, char *out, u64 size)
{
    u64 n = 0;
    efi_char part[256];
    for (u32 k = 0; k < 32 && path->type != 0x7f; k++) {
        u64 len = br_ld16(path->len);
        if (len < 4)
            return NULL;
        if (path->type == 4 && path->subtype == 4 && len - 4 < sizeof part) {
            memset(part, 0, sizeof part);
            memcpy(part, (const u8 *)path + 4, len - 4);
            if (n && out[n - 1] != '/' && n + 1 < size)
                out[n++] = '/';
            n += fw_utf8(part, out + n, size - n);
        }
        path = (const void *)((const u8 *)path + len);
    }
    out[n] = '\0';
    for (u64 k = 0; k < n; k++)
        out[k] = out[k] == '\\' ? '/' : out[k];
    return n ? (const efi_char *)(const void *)out : NULL;
}
static efi_status EFIAPI load_image(u8 boot_policy, efi_handle parent, struct efi_device_path *path, void *source,
                                    u64 size, efi_handle *out)
{
    char name[512] = "(memory)";
    void *file = NULL;
    if (!fw_alive(FWHOST_SVC_LOAD_IMAGE, CALLER))
        return EFI_UNSUPPORTED;
    if (out == NULL || (source == NULL && path == NULL))
        return EFI_INVALID_PARAMETER;
    struct image *by = image_of(parent);
    struct fw_volume *v = fw_volume_find(path);
    if (v == NULL && by) /* a path of another kind: memory, say */
        v = fw_volume_of(by->info.device);
    if (path)
        path_name(path, name, sizeof name);
    if (source == NULL) {
        source = file = fw_read_file(v, name, EFI_BOOT_DATA, &size);
        if (file == NULL)
            return EFI_NOT_FOUND;
    }
    efi_status s = fw_load(v, source, size, name, out);
    if (file)
        fw_free_pages((u64)(uintptr_t)file, br_up(size ? size : 1, FW_PAGE) / FW_PAGE);
    if (s == EFI_SUCCESS)
        image_of(*out)->info.parent = parent;
    fw_event(FWHOST_EV_MAP_CHANGED, fw_map_key(), CALLER, FWHOST_SVC_LOAD_IMAGE, 0);
    return s;
}
static efi_status EFIAPI start_image(efi_handle h, u64 *exit_size, efi_char **exit_data)
{
    if (!fw_alive(FWHOST_SVC_START_IMAGE, CALLER))
        return EFI_UNSUPPORTED;
    if (exit_size)
        *exit_size = 0;
    return fw_start(h);
}
static efi_status EFIAPI leave(efi_handle h, efi_status status, u64 size, efi_char *data)
{
    struct image *im = image_of(h);
    if (im == NULL || depth == 0 || running[depth - 1] != im)
        return EFI_INVALID_PARAMETER;
    fw_leave_image(&im->jump, status);
}
static efi_status EFIAPI unload_image(efi_handle h)
{
    struct image *im = image_of(h);
    if (im == NULL || im->started)
        return EFI_INVALID_PARAMETER;
    forget(im);
    return EFI_SUCCESS;
}
void fw_signal_exit(void);
static efi_status EFIAPI exit_boot_services(efi_handle h, u64 key)
{
    static u32 refused;
    if (!fw_alive(FWHOST_SVC_EXIT_BOOT_SERVICES, CALLER))
        return EFI_UNSUPPORTED;
    bool refuse = key == fw_map_key() && refused < fw_info.refuse_exits;
    efi_status s = key != fw_map_key() || refuse ? EFI_INVALID_PARAMETER : EFI_SUCCESS;
    fw_event(FWHOST_EV_EXIT_TRY, key, fw_map_key(), CALLER, s);
    refused += refuse;
    if (s != EFI_SUCCESS)
        return s;
    fw_signal_exit();
    fw_exited = true;
    fw_event(FWHOST_EV_PHASE, FWHOST_PHASE_EXITED, CALLER, 0, 0);
    fw_st.con_in = NULL;
    fw_st.con_out = fw_st.std_err = NULL;
    fw_st.bs = NULL;
    fw_pt_flush();
    return EFI_SUCCESS;
}

void fw_image_services(void)
{
    fw_bs.load_image = load_image;
    fw_bs.start_image = start_image;
    fw_bs.exit = leave;
    fw_bs.unload_image = unload_image;
    fw_bs.exit_boot_services = exit_boot_services;
}
