/// Runtime services: variables in memory, time from the PL031, reset by PSCI. They run where they are:
/// SetVirtualAddressMap is declared unsupported. UEFI, "Services - Runtime Services".
#include "fw.h"

enum { VAR_NAME = 64, VAR_SIZE = 4096, VAR_RUNTIME = 4, VAR_BOOT = 2, VAR_NV = 1, VAR_APPEND = 0x40 };
struct var {
    bool used;
    efi_char name[VAR_NAME];
    struct efi_guid guid;
    u32 attributes;
    u64 size;
    u8 data[VAR_SIZE];
};
static struct var vars[FW_VARS];

static bool same_name(const efi_char *a, const efi_char *b)
{
    u64 k = 0;
    while (k < VAR_NAME && a[k] && a[k] == b[k])
        k++;
    return k < VAR_NAME && a[k] == b[k];
}
static struct var *find(const efi_char *name, const struct efi_guid *guid)
{
    for (u32 k = 0; k < FW_VARS; k++)
        if (vars[k].used && fw_guid_eq(&vars[k].guid, guid) && same_name(vars[k].name, name))
            return &vars[k];
    return NULL;
}
static efi_status EFIAPI get_variable(const efi_char *name, const struct efi_guid *guid, u32 *attributes, u64 *size, void *data)
{
    if (name == NULL || guid == NULL || size == NULL)
        return EFI_INVALID_PARAMETER;
    struct var *v = find(name, guid);
    if (v == NULL || (fw_exited && !(v->attributes & VAR_RUNTIME)))
        return EFI_NOT_FOUND;
    if (attributes)
        *attributes = v->attributes;
    u64 room = *size;
    *size = v->size;
    if (room < v->size)
        return EFI_BUFFER_TOO_SMALL;
    if (data == NULL)
        return EFI_INVALID_PARAMETER;
    memcpy(data, v->data, v->size);
    return EFI_SUCCESS;
}
static efi_status EFIAPI get_next_variable(u64 *size, efi_char *name, struct efi_guid *guid)
{
    u32 k = 0;
    if (size == NULL || name == NULL || guid == NULL)
        return EFI_INVALID_PARAMETER;
    if (name[0]) {
        struct var *v = find(name, guid);
        if (v == NULL)
            return EFI_NOT_FOUND;
        k = (u32)(v - vars) + 1;
    }
    while (k < FW_VARS && (!vars[k].used || (fw_exited && !(vars[k].attributes & VAR_RUNTIME))))
        k++;
    if (k == FW_VARS)
        return EFI_NOT_FOUND;
    u64 need = 2 * (fw_len16(vars[k].name) + 1);
    if (*size < need) {
        *size = need;
        return EFI_BUFFER_TOO_SMALL;
    }
    *size = need;
    memcpy(name, vars[k].name, need);
    *guid = vars[k].guid;
    return EFI_SUCCESS;
}
static efi_status EFIAPI set_variable(const efi_char *name, const struct efi_guid *guid, u32 attributes, u64 size,
                                      const void *data)
{
    if (name == NULL || guid == NULL || name[0] == 0)
        return EFI_INVALID_PARAMETER;
    struct var *v = find(name, guid);
    u64 from = v && (attributes & VAR_APPEND) ? v->size : 0;
    if (size == 0 && from == 0) {
        if (v)
            v->used = false;
        return v ? EFI_SUCCESS : EFI_NOT_FOUND;
    }
    for (u32 k = 0; k < FW_VARS && v == NULL; k++)
        v = vars[k].used ? NULL : &vars[k];
    if (v == NULL || fw_len16(name) >= VAR_NAME || size > VAR_SIZE - from)
        return EFI_OUT_OF_RESOURCES;
    v->used = true;
    v->guid = *guid;
    v->attributes = attributes & ~(u32)VAR_APPEND;
    v->size = from + size;
    memcpy(v->name, name, 2 * (fw_len16(name) + 1));
    memcpy(v->data + from, data, size);
    return EFI_SUCCESS;
}
static efi_status EFIAPI query_variable_info(u32 attributes, u64 *max, u64 *left, u64 *one)
{
    u64 used = 0;
    for (u32 k = 0; k < FW_VARS; k++)
        used += vars[k].used;
    *max = FW_VARS * VAR_SIZE;
    *left = (FW_VARS - used) * VAR_SIZE;
    *one = VAR_SIZE;
    return EFI_SUCCESS;
}

#define RTC ((volatile u32 *)0x09010000ULL)
static efi_status EFIAPI get_time(struct efi_time *t, void *capabilities)
{
    static const struct {
        u32 resolution, accuracy;
        u8 sets_to_zero;
    } caps = {1, 50000000, 0};
    if (t == NULL)
        return EFI_INVALID_PARAMETER;
    fw_fill_time(t, RTC[0]);
    if (capabilities)
        memcpy(capabilities, &caps, sizeof caps);
    return EFI_SUCCESS;
}
static efi_status EFIAPI set_time(struct efi_time *t) { return EFI_UNSUPPORTED; }
static efi_status EFIAPI get_wakeup(u8 *enabled, u8 *pending, struct efi_time *t) { return EFI_UNSUPPORTED; }
static efi_status EFIAPI set_wakeup(u8 enable, struct efi_time *t) { return EFI_UNSUPPORTED; }
static efi_status EFIAPI set_virtual_address_map(u64 size, u64 desc_size, u32 version, void *map) { return EFI_UNSUPPORTED; }
static efi_status EFIAPI convert_pointer(u64 how, void **p) { return EFI_UNSUPPORTED; }
static efi_status EFIAPI next_high_monotonic(u32 *count) { return EFI_UNSUPPORTED; }
static void EFIAPI reset_system(u32 type, efi_status status, u64 size, void *data)
{
    fw_psci(type == EFI_RESET_SHUTDOWN ? 0x84000008 : 0x84000009, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}
static efi_status EFIAPI update_capsule(void **list, u64 count, u64 gather) { return EFI_UNSUPPORTED; }
static efi_status EFIAPI query_capsule(void **list, u64 count, u64 *max, u32 *reset) { return EFI_UNSUPPORTED; }

/// EFI_RT_PROPERTIES_TABLE: what still works after ExitBootServices.
static struct {
    u16 version, length;
    u32 supported;
} rt_properties = {1, 8, 0x0001 | 0x0010 | 0x0020 | 0x0040 | 0x0400 | 0x2000};

void fw_runtime_init(void)
{
    static const struct efi_guid props = {0xeb66918a, 0x7eef, 0x402a, {0x84, 0x2e, 0x93, 0x1d, 0x21, 0xc3, 0x8a, 0xe9}};
    fw_rt = (struct efi_runtime_services){
        .hdr = {0x56524553544e5552ULL, 2 << 16 | 100, sizeof fw_rt, 0, 0}, .get_time = get_time, .set_time = set_time,
        .get_wakeup_time = get_wakeup, .set_wakeup_time = set_wakeup, .set_virtual_address_map = set_virtual_address_map,
        .convert_pointer = convert_pointer, .get_variable = get_variable, .get_next_variable = get_next_variable,
        .set_variable = set_variable, .next_high_monotonic = next_high_monotonic, .reset_system = reset_system,
        .update_capsule = update_capsule, .query_capsule = query_capsule, .query_variable_info = query_variable_info};
    fw_install_config(&props, &rt_properties);
}
