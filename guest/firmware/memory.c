/// Memory services: a sorted list of regions is the map; pools are cut from pages of their type.
/// UEFI, "Memory Allocation Services".
#include "fw.h"

enum { REGIONS_MAX = 512 };
#define EFI_MEMORY_WB 8ULL
#define EFI_MEMORY_RUNTIME (1ULL << 63)

struct region {
    u64 start, pages;
    u32 type;
};
static struct region map[REGIONS_MAX];
static u32 map_count;
static u64 map_key;

u64 fw_map_key(void) { return map_key; }

static void remove_at(u32 k)
{
    for (map_count--; k < map_count; k++)
        map[k] = map[k + 1];
}
static bool insert_at(u32 k, struct region r)
{
    if (map_count == REGIONS_MAX)
        return false;
    for (u32 i = map_count++; i > k; i--)
        map[i] = map[i - 1];
    map[k] = r;
    return true;
}
static void merge(void)
{
    for (u32 k = 0; k + 1 < map_count;) {
        if (map[k].type == map[k + 1].type && map[k].start + map[k].pages * FW_PAGE == map[k + 1].start) {
            map[k].pages += map[k + 1].pages;
            remove_at(k + 1);
        } else {
            k++;
        }
    }
}
/// Gives [start, start + pages) a type. ret  false when it is not wholly inside one region
static bool set_type(u64 start, u64 pages, u32 type)
{
    for (u32 k = 0; k < map_count; k++) {
        struct region r = map[k];
        if (start < r.start || !br_range_ok((start - r.start) / FW_PAGE, pages, r.pages))
            continue;
        if (map_count + 2 > REGIONS_MAX)
            return false;
        u64 before = (start - r.start) / FW_PAGE, after = r.pages - before - pages;
        map[k] = (struct region){start, pages, type};
        if (after)
            insert_at(k + 1, (struct region){start + pages * FW_PAGE, after, r.type});
        if (before)
            insert_at(k, (struct region){r.start, before, r.type});
        merge();
        map_key++;
        fw_event(FWHOST_EV_MEMORY, start, pages, type, 0);
        return true;
    }
    return false;
}

static u32 perm_of(u32 type)
{
    bool code = type == EFI_LOADER_CODE || type == EFI_BOOT_CODE || type == EFI_RUNTIME_CODE;
    return FW_W | (code && !fw_info.strict_nx ? FW_X : 0);
}
static void poison(u64 start, u64 pages)
{
    u64 pattern = 0xa5a5a5a5a5a5a5a5ULL;
    for (u64 *p = (u64 *)(uintptr_t)start, *end = p + pages * (FW_PAGE / 8); p < end; p++)
        *p = pattern ^= pattern << 13;
}

efi_status fw_alloc_pages(u32 how, u32 type, u64 pages, u64 *address)
{
    u64 limit = ~0ULL, start = 0;
    bool found = false;
    if (pages == 0 || how > EFI_ADDRESS || (type >= EFI_MEMORY_TYPES && type < 0x70000000) || type == EFI_CONVENTIONAL)
        return EFI_INVALID_PARAMETER;
    if (how == EFI_MAX_ADDRESS)
        limit = *address;
    if (how == EFI_ADDRESS) {
        start = *address;
        if (start & (FW_PAGE - 1))
            return EFI_INVALID_PARAMETER;
        for (u32 k = 0; k < map_count && !found; k++)
            found = map[k].type == EFI_CONVENTIONAL && start >= map[k].start &&
                    br_range_ok((start - map[k].start) / FW_PAGE, pages, map[k].pages);
        if (!found)
            return EFI_NOT_FOUND;
    }
    u64 align = type == EFI_RUNTIME_CODE || type == EFI_RUNTIME_DATA || type == EFI_RESERVED || type == EFI_ACPI_NVS ? 65536 : FW_PAGE;
    if (align > FW_PAGE)
        pages = br_up(pages, align / FW_PAGE);
    for (u32 k = map_count; k-- > 0 && !found;) {
        u64 end = map[k].start + map[k].pages * FW_PAGE;
        if (map[k].type != EFI_CONVENTIONAL)
            continue;
        if (limit != ~0ULL && end > limit + 1)
            end = limit + 1;
        if (end < map[k].start || end - map[k].start < pages * FW_PAGE)
            continue;
        start = br_down(end - pages * FW_PAGE, align);
        found = start >= map[k].start;
    }
    if (!found || !set_type(start, pages, type))
        return EFI_OUT_OF_RESOURCES;
    if (perm_of(type) & FW_X)
        fw_pt_protect(start, pages, perm_of(type));
    if (fw_info.poison)
        poison(start, pages);
    *address = start;
    return EFI_SUCCESS;
}

efi_status fw_free_pages(u64 address, u64 pages)
{
    if ((address & (FW_PAGE - 1)) || pages == 0)
        return EFI_INVALID_PARAMETER;
    for (u32 k = 0; k < map_count; k++)
        if (address >= map[k].start && br_range_ok((address - map[k].start) / FW_PAGE, pages, map[k].pages)) {
            if (map[k].type == EFI_CONVENTIONAL)
                return EFI_NOT_FOUND;
            fw_pt_protect(address, pages, FW_W);
            return set_type(address, pages, EFI_CONVENTIONAL) ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;
        }
    return EFI_NOT_FOUND;
}

/* Pools: blocks of powers of two from chunks of 64 KiB per type, larger ones as pages. */

enum { POOL_MIN_LOG2 = 6, POOL_MAX_LOG2 = 15, POOL_MAGIC = 0x4c4f4f50 };
struct pool_head {
    u32 magic, type;
    u32 log2, pages; ///< pages != 0: allocated as pages
};
struct pool_free {
    struct pool_free *next;
};
_Static_assert(sizeof(struct pool_head) == 16, "pools are 16-byte aligned");
static struct pool_free *free_list[EFI_MEMORY_TYPES][POOL_MAX_LOG2 + 1];

static void *pool_grow(u32 type, u32 log2)
{
    u64 at = 0, chunk = 65536;
    if (fw_alloc_pages(EFI_ANY_PAGES, type, chunk / FW_PAGE, &at) != EFI_SUCCESS)
        return NULL;
    for (u64 k = 0; k + (1ULL << log2) <= chunk; k += 1ULL << log2) {
        struct pool_free *f = (void *)(uintptr_t)(at + k);
        f->next = free_list[type][log2];
        free_list[type][log2] = f;
    }
    return free_list[type][log2];
}
void *fw_pool(u64 size, u32 type)
{
    u32 log2 = POOL_MIN_LOG2;
    struct pool_head *h;
    if (size > 1ULL << 40 || type >= EFI_MEMORY_TYPES)
        return NULL;
    size += sizeof *h;
    while (log2 <= POOL_MAX_LOG2 && (1ULL << log2) < size)
        log2++;
    if (log2 > POOL_MAX_LOG2) {
        u64 at = 0, pages = br_up(size, FW_PAGE) / FW_PAGE;
        if (fw_alloc_pages(EFI_ANY_PAGES, type, pages, &at) != EFI_SUCCESS)
            return NULL;
        h = (void *)(uintptr_t)at;
        *h = (struct pool_head){POOL_MAGIC, type, 0, (u32)pages};
        return h + 1;
    }
    if (free_list[type][log2] == NULL && pool_grow(type, log2) == NULL)
        return NULL;
    h = (void *)free_list[type][log2];
    free_list[type][log2] = free_list[type][log2]->next;
    *h = (struct pool_head){POOL_MAGIC, type, log2, 0};
    return h + 1;
}
void fw_pool_free(void *p)
{
    struct pool_head *h = (struct pool_head *)p - 1;
    if (p == NULL || h->magic != POOL_MAGIC)
        return;
    h->magic = 0;
    if (h->pages) {
        fw_free_pages((u64)(uintptr_t)h, h->pages);
        return;
    }
    struct pool_free *f = (void *)h;
    u32 type = h->type, log2 = h->log2;
    f->next = free_list[type][log2];
    free_list[type][log2] = f;
}

/* ---- the services ---- */

static efi_status EFIAPI allocate_pages(u32 how, u32 type, u64 pages, u64 *address)
{
    if (!fw_alive(FWHOST_SVC_ALLOCATE_PAGES, CALLER))
        return EFI_UNSUPPORTED;
    efi_status s = address ? fw_alloc_pages(how, type, pages, address) : EFI_INVALID_PARAMETER;
    if (s == EFI_SUCCESS)
        fw_event(FWHOST_EV_MAP_CHANGED, map_key, CALLER, FWHOST_SVC_ALLOCATE_PAGES, 0);
    return s;
}
static efi_status EFIAPI free_pages(u64 address, u64 pages)
{
    if (!fw_alive(FWHOST_SVC_FREE_PAGES, CALLER))
        return EFI_UNSUPPORTED;
    efi_status s = fw_free_pages(address, pages);
    if (s == EFI_SUCCESS)
        fw_event(FWHOST_EV_MAP_CHANGED, map_key, CALLER, FWHOST_SVC_FREE_PAGES, 0);
    return s;
}
static efi_status EFIAPI allocate_pool(u32 type, u64 size, void **buffer)
{
    if (!fw_alive(FWHOST_SVC_ALLOCATE_POOL, CALLER))
        return EFI_UNSUPPORTED;
    u64 before = map_key;
    if (buffer == NULL)
        return EFI_INVALID_PARAMETER;
    *buffer = fw_pool(size, type >= EFI_MEMORY_TYPES ? EFI_LOADER_DATA : type);
    /* A pool may change the map whenever it is called: one that does not, here, still might elsewhere. */
    map_key += map_key == before;
    fw_event(FWHOST_EV_MAP_CHANGED, map_key, CALLER, FWHOST_SVC_ALLOCATE_POOL, 0);
    return *buffer ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;
}
static efi_status EFIAPI free_pool(void *buffer)
{
    if (!fw_alive(FWHOST_SVC_FREE_POOL, CALLER))
        return EFI_UNSUPPORTED;
    if (buffer == NULL)
        return EFI_INVALID_PARAMETER;
    fw_pool_free(buffer);
    map_key++;
    fw_event(FWHOST_EV_MAP_CHANGED, map_key, CALLER, FWHOST_SVC_FREE_POOL, 0);
    return EFI_SUCCESS;
}
static efi_status EFIAPI get_memory_map(u64 *size, void *buffer, u64 *key, u64 *desc_size, u32 *version)
{
    u64 step = fw_info.descriptor_size ? fw_info.descriptor_size : 48, need = map_count * step;
    if (!fw_alive(FWHOST_SVC_GET_MEMORY_MAP, CALLER))
        return EFI_UNSUPPORTED;
    if (size == NULL)
        return EFI_INVALID_PARAMETER;
    if (desc_size)
        *desc_size = step;
    if (version)
        *version = 1;
    if (*size < need || buffer == NULL) {
        *size = need;
        return EFI_BUFFER_TOO_SMALL;
    }
    for (u32 k = 0; k < map_count; k++) {
        struct efi_memory_descriptor d = {
            .type = map[k].type, .physical_start = map[k].start, .pages = map[k].pages, .attribute = EFI_MEMORY_WB};
        if (d.type == EFI_RUNTIME_CODE || d.type == EFI_RUNTIME_DATA)
            d.attribute |= EFI_MEMORY_RUNTIME;
        memset((u8 *)buffer + k * step, 0, step);
        memcpy((u8 *)buffer + k * step, &d, sizeof d);
    }
    *size = need;
    if (key)
        *key = map_key;
    fw_map_given = true;
    fw_event(FWHOST_EV_MAP, map_key, CALLER, (u64)(uintptr_t)buffer, need << 16 | step);
    fw_pt_flush();
    return EFI_SUCCESS;
}

void fw_mem_init(u64 image, u64 data, u64 end)
{
    map[map_count++] = (struct region){fw_info.ram_base, fw_info.ram_size / FW_PAGE, EFI_CONVENTIONAL};
    set_type(image, (data - image) / FW_PAGE, EFI_RUNTIME_CODE);
    set_type(data, (end - data) / FW_PAGE, EFI_RUNTIME_DATA);
    if (fw_info.dtb)
        set_type(fw_info.dtb, br_up(fw_info.dtb_size, FW_PAGE) / FW_PAGE, EFI_ACPI_RECLAIM);
    if (fw_info.acpi)
        set_type(fw_info.acpi, br_up(fw_info.acpi_size, FW_PAGE) / FW_PAGE, EFI_ACPI_RECLAIM);
    if (fw_info.initrd)
        set_type(fw_info.initrd, br_up(fw_info.initrd_size, FW_PAGE) / FW_PAGE, EFI_BOOT_DATA);
    for (u32 k = 0; k < fw_info.hole_count && k < ARRAY_LEN(fw_info.hole); k++)
        set_type(fw_info.hole[k][0], br_up(fw_info.hole[k][1], FW_PAGE) / FW_PAGE, EFI_BOOT_DATA);
}
void fw_mem_services(void)
{
    fw_bs.allocate_pages = allocate_pages;
    fw_bs.free_pages = free_pages;
    fw_bs.allocate_pool = allocate_pool;
    fw_bs.free_pool = free_pool;
    fw_bs.get_memory_map = get_memory_map;
}
