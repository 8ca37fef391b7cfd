/// Handles and protocols. UEFI, "Protocol Handler Services".
#include "fw.h"

static struct fw_handle handles[FW_HANDLES];
enum { OPEN_BY_HANDLE = 1, OPEN_GET = 2, OPEN_TEST = 4, OPEN_BY_CHILD = 8, OPEN_BY_DRIVER = 16, OPEN_EXCLUSIVE = 32 };

static struct fw_handle *valid(efi_handle h)
{
    for (u32 k = 0; k < FW_HANDLES; k++)
        if (&handles[k] == h && handles[k].used)
            return &handles[k];
    return NULL;
}
struct fw_handle *fw_handle_new(void)
{
    for (u32 k = 0; k < FW_HANDLES; k++)
        if (!handles[k].used) {
            memset(&handles[k], 0, sizeof handles[k]);
            handles[k].used = true;
            return &handles[k];
        }
    return NULL;
}
static struct fw_protocol *find(struct fw_handle *h, const struct efi_guid *guid)
{
    for (u32 k = 0; h && k < FW_PROTOCOLS; k++)
        if (h->p[k].used && fw_guid_eq(&h->p[k].guid, guid))
            return &h->p[k];
    return NULL;
}
void *fw_get(efi_handle h, const struct efi_guid *guid)
{
    struct fw_protocol *p = find(valid(h), guid);
    return p ? p->iface : NULL;
}
efi_status fw_install(efi_handle *h, const struct efi_guid *guid, void *iface)
{
    struct fw_handle *to = *h ? valid(*h) : fw_handle_new();
    if (to == NULL)
        return *h ? EFI_INVALID_PARAMETER : EFI_OUT_OF_RESOURCES;
    if (find(to, guid))
        return EFI_INVALID_PARAMETER;
    for (u32 k = 0; k < FW_PROTOCOLS; k++)
        if (!to->p[k].used) {
            to->p[k] = (struct fw_protocol){*guid, iface, true};
            *h = to;
            return EFI_SUCCESS;
        }
    return EFI_OUT_OF_RESOURCES;
}
efi_status fw_uninstall(efi_handle h, const struct efi_guid *guid)
{
    struct fw_handle *from = valid(h);
    struct fw_protocol *p = find(from, guid);
    if (p == NULL)
        return EFI_NOT_FOUND;
    p->used = false;
    for (u32 k = 0; k < FW_PROTOCOLS; k++)
        if (from->p[k].used)
            return EFI_SUCCESS;
    from->used = false;
    return EFI_SUCCESS;
}

/* ---- services ---- */

static efi_status EFIAPI install_protocol(efi_handle *h, const struct efi_guid *guid, u32 type, void *iface)
{
    if (!fw_alive(FWHOST_SVC_HANDLE, CALLER))
        return EFI_UNSUPPORTED;
    return h && guid && type == 0 ? fw_install(h, guid, iface) : EFI_INVALID_PARAMETER;
}
static efi_status EFIAPI uninstall_protocol(efi_handle h, const struct efi_guid *guid, void *iface)
{
    return guid ? fw_uninstall(h, guid) : EFI_INVALID_PARAMETER;
}
static efi_status EFIAPI reinstall_protocol(efi_handle h, const struct efi_guid *guid, void *old, void *iface)
{
    struct fw_protocol *p = find(valid(h), guid);
    if (p == NULL)
        return EFI_NOT_FOUND;
    p->iface = iface;
    return EFI_SUCCESS;
}
static efi_status EFIAPI install_protocols(efi_handle *h, ...)
{
    va_list ap;
    efi_status s = EFI_SUCCESS;
    va_start(ap, h);
    for (;;) {
        const struct efi_guid *guid = va_arg(ap, const struct efi_guid *);
        if (guid == NULL)
            break;
        s = fw_install(h, guid, va_arg(ap, void *));
        if (s != EFI_SUCCESS)
            break;
    }
    va_end(ap);
    return s;
}
static efi_status EFIAPI uninstall_protocols(efi_handle h, ...)
{
    va_list ap;
    va_start(ap, h);
    for (;;) {
        const struct efi_guid *guid = va_arg(ap, const struct efi_guid *);
        if (guid == NULL)
            break;
        (void)va_arg(ap, void *);
        fw_uninstall(h, guid);
    }
    va_end(ap);
    return EFI_SUCCESS;
}

static efi_status EFIAPI handle_protocol(efi_handle h, const struct efi_guid *guid, void **iface)
{
    if (!fw_alive(FWHOST_SVC_HANDLE, CALLER))
        return EFI_UNSUPPORTED;
    if (guid == NULL || iface == NULL || valid(h) == NULL)
        return EFI_INVALID_PARAMETER;
    struct fw_protocol *p = find(valid(h), guid);
    *iface = p ? p->iface : NULL;
    return p ? EFI_SUCCESS : EFI_UNSUPPORTED;
}
static efi_status EFIAPI open_protocol(efi_handle h, const struct efi_guid *guid, void **iface, efi_handle agent,
                                       efi_handle controller, u32 attributes)
{
    if (!fw_alive(FWHOST_SVC_HANDLE, CALLER))
        return EFI_UNSUPPORTED;
    if (guid == NULL || valid(h) == NULL || (iface == NULL && attributes != OPEN_TEST))
        return EFI_INVALID_PARAMETER;
    struct fw_protocol *p = find(valid(h), guid);
    if (iface && attributes != OPEN_TEST)
        *iface = p ? p->iface : NULL;
    return p ? EFI_SUCCESS : EFI_UNSUPPORTED;
}
static efi_status EFIAPI close_protocol(efi_handle h, const struct efi_guid *guid, efi_handle agent, efi_handle controller)
{
    return find(valid(h), guid) ? EFI_SUCCESS : EFI_NOT_FOUND;
}
static efi_status EFIAPI open_protocol_info(efi_handle h, const struct efi_guid *guid, void **buf, u64 *count)
{
    *count = 0;
    *buf = fw_pool(16, EFI_BOOT_DATA);
    return find(valid(h), guid) ? EFI_SUCCESS : EFI_NOT_FOUND;
}
static efi_status EFIAPI protocols_per_handle(efi_handle h, struct efi_guid ***list, u64 *count)
{
    struct fw_handle *from = valid(h);
    if (from == NULL || list == NULL || count == NULL)
        return EFI_INVALID_PARAMETER;
    struct efi_guid **out = fw_pool(FW_PROTOCOLS * sizeof *out, EFI_BOOT_DATA);
    if (out == NULL)
        return EFI_OUT_OF_RESOURCES;
    *count = 0;
    for (u32 k = 0; k < FW_PROTOCOLS; k++)
        if (from->p[k].used)
            out[(*count)++] = &from->p[k].guid;
    *list = out;
    return EFI_SUCCESS;
}

static u64 matching(u32 how, const struct efi_guid *guid, efi_handle *out, u64 max)
{
    u64 n = 0;
    for (u32 k = 0; k < FW_HANDLES; k++) {
        if (!handles[k].used || (how == EFI_BY_PROTOCOL && !find(&handles[k], guid)))
            continue;
        if (n < max)
            out[n] = &handles[k];
        n++;
    }
    return n;
}
static efi_status EFIAPI locate_handle(u32 how, const struct efi_guid *guid, void *key, u64 *size, efi_handle *out)
{
    if (!fw_alive(FWHOST_SVC_HANDLE, CALLER))
        return EFI_UNSUPPORTED;
    if (size == NULL || (how == EFI_BY_PROTOCOL && guid == NULL) || how == EFI_BY_NOTIFY)
        return EFI_INVALID_PARAMETER;
    u64 n = matching(how, guid, NULL, 0);
    if (n == 0)
        return EFI_NOT_FOUND;
    if (*size < n * sizeof *out || out == NULL) {
        *size = n * sizeof *out;
        return EFI_BUFFER_TOO_SMALL;
    }
    *size = n * sizeof *out;
    matching(how, guid, out, n);
    return EFI_SUCCESS;
}
static efi_status EFIAPI locate_handle_buffer(u32 how, const struct efi_guid *guid, void *key, u64 *count,
                                              efi_handle **out)
{
    if (!fw_alive(FWHOST_SVC_HANDLE, CALLER))
        return EFI_UNSUPPORTED;
    if (count == NULL || out == NULL || (how == EFI_BY_PROTOCOL && guid == NULL) || how == EFI_BY_NOTIFY)
        return EFI_INVALID_PARAMETER;
    u64 n = matching(how, guid, NULL, 0);
    *count = 0;
    *out = NULL;
    if (n == 0)
        return EFI_NOT_FOUND;
    *out = fw_pool(n * sizeof **out, EFI_BOOT_DATA);
    if (*out == NULL)
        return EFI_OUT_OF_RESOURCES;
    *count = matching(how, guid, *out, n);
    return EFI_SUCCESS;
}
static efi_status EFIAPI locate_protocol(const struct efi_guid *guid, void *registration, void **iface)
{
    efi_handle h;
    if (!fw_alive(FWHOST_SVC_HANDLE, CALLER))
        return EFI_UNSUPPORTED;
    if (guid == NULL || iface == NULL)
        return EFI_INVALID_PARAMETER;
    *iface = NULL;
    if (matching(EFI_BY_PROTOCOL, guid, &h, 1) == 0)
        return EFI_NOT_FOUND;
    *iface = fw_get(h, guid);
    return EFI_SUCCESS;
}

/* ---- device paths ---- */

enum { PATH_NODES_MAX = 32 };
static u64 node_len(const struct efi_device_path *p) { return br_ld16(p->len); }
static bool is_end(const struct efi_device_path *p) { return p->type == 0x7f || node_len(p) < 4; }
static const struct efi_device_path *next(const struct efi_device_path *p)
{
    return (const void *)((const u8 *)p + node_len(p));
}
u64 fw_path_len(const struct efi_device_path *p)
{
    const u8 *from = (const u8 *)p;
    for (u32 k = 0; k < PATH_NODES_MAX && !is_end(p); k++)
        p = next(p);
    return (u64)((const u8 *)p - from) + 4;
}
/// Bytes of `prefix` without its end, when path begins with it; 0 otherwise.
static u64 prefix_len(const struct efi_device_path *prefix, const struct efi_device_path *path)
{
    u64 n = fw_path_len(prefix) - 4;
    return n && fw_path_len(path) - 4 >= n && memcmp(prefix, path, n) == 0 ? n : 0;
}
static efi_status EFIAPI locate_device_path(const struct efi_guid *guid, struct efi_device_path **path, efi_handle *out)
{
    static const struct efi_guid dp_guid = EFI_GUID_DEVICE_PATH;
    u64 best = 0;
    if (!fw_alive(FWHOST_SVC_HANDLE, CALLER))
        return EFI_UNSUPPORTED;
    if (guid == NULL || path == NULL || *path == NULL)
        return EFI_INVALID_PARAMETER;
    for (u32 k = 0; k < FW_HANDLES; k++) {
        struct fw_protocol *dp = handles[k].used ? find(&handles[k], &dp_guid) : NULL;
        if (dp == NULL || !find(&handles[k], guid))
            continue;
        u64 n = prefix_len(dp->iface, *path);
        if (n > best) {
            best = n;
            *out = &handles[k];
        }
    }
    if (best == 0)
        return EFI_NOT_FOUND;
    *path = (void *)((u8 *)*path + best);
    return EFI_SUCCESS;
}

static efi_status EFIAPI register_notify(const struct efi_guid *guid, efi_event event, void **registration)
{
    *registration = event; /* protocols that appear later are found by those who look */
    return EFI_SUCCESS;
}
static efi_status EFIAPI connect_controller(efi_handle h, efi_handle *drivers, struct efi_device_path *rest, u8 recursive)
{
    return EFI_NOT_FOUND; /* everything is connected from the start */
}
static efi_status EFIAPI disconnect_controller(efi_handle h, efi_handle driver, efi_handle child) { return EFI_SUCCESS; }

void fw_handle_services(void)
{
    fw_bs.install_protocol = install_protocol;
    fw_bs.uninstall_protocol = uninstall_protocol;
    fw_bs.reinstall_protocol = reinstall_protocol;
    fw_bs.install_protocols = install_protocols;
    fw_bs.uninstall_protocols = uninstall_protocols;
    fw_bs.handle_protocol = handle_protocol;
    fw_bs.open_protocol = open_protocol;
    fw_bs.close_protocol = close_protocol;
    fw_bs.open_protocol_info = open_protocol_info;
    fw_bs.protocols_per_handle = protocols_per_handle;
    fw_bs.locate_handle = locate_handle;
    fw_bs.locate_handle_buffer = locate_handle_buffer;
    fw_bs.locate_protocol = locate_protocol;
    fw_bs.locate_device_path = locate_device_path;
    fw_bs.register_notify = register_notify;
    fw_bs.connect_controller = connect_controller;
    fw_bs.disconnect_controller = disconnect_controller;
}
