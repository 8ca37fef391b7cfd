/// fw_cfg. Source: QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device". Registers are
/// big-endian: data at 0, selector at 8, DMA address at 16. Items are read-only but for those said otherwise.
#include "dev/fw_cfg.h"

#include <stdlib.h>

enum { KEY_SIGNATURE = 0, KEY_ID = 1, KEY_FILE_DIR = 0x19, KEY_FILE_FIRST = 0x20 };
enum { ITEMS_MAX = 32 + FW_CFG_FILES_MAX };
enum { ID_TRADITIONAL = 1, ID_DMA = 2 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
#define DMA_SIGNATURE 0x51454d5520434647ULL /* "QEMU CFG" */

struct item {
    u16 key;
    const u8 *data;
    u8 *writable; ///< the same bytes, or NULL
    u32 len;
};
/// Directory entry as the guest sees it: size, select, reserved, name.
enum { DIR_ENTRY = 64 };

struct fw_cfg {
    struct mem *mem;
    struct item item[ITEMS_MAX];
    u32 item_count, file_count;
    u8 dir[4 + FW_CFG_FILES_MAX * DIR_ENTRY];
    u8 id[4];
    u32 key, pos; ///< selected item and position in it
    u64 dma_addr;
};

static const struct item *selected(const struct fw_cfg *f)
{
    for (u32 i = 0; i < f->item_count; i++)
        if (f->item[i].key == f->key)
            return &f->item[i];
    return NULL;
}

static u8 next_byte(struct fw_cfg *f)
{
    const struct item *it = selected(f);
    return it && f->pos < it->len ? it->data[f->pos++] : 0;
}

/// Copies len bytes of the selected item to guest memory; past its end they are zero.
static bool dma_read(struct fw_cfg *f, gpa_t to, u32 len)
{
    static const u8 zeros[4096];
    const struct item *it = selected(f);
    while (len) {
        u32 left = it && f->pos < it->len ? it->len - f->pos : 0;
        u32 n = left ? (left < len ? left : len) : (len < sizeof zeros ? len : (u32)sizeof zeros);
        if (!mem_write(f->mem, to, left ? it->data + f->pos : zeros, n))
            return false;
        f->pos += left ? n : 0;
        to += n;
        len -= n;
    }
    return true;
}

/// Copies guest memory into the selected item; not past its end.
static bool dma_write(struct fw_cfg *f, gpa_t from, u32 len)
{
    const struct item *it = selected(f);
    if (it == NULL || it->writable == NULL || !range_ok(f->pos, len, it->len) || !mem_read(f->mem, from, it->writable + f->pos, len))
        return false;
    f->pos += len;
    return true;
}

static void dma_run(struct fw_cfg *f)
{
    u8 req[16];
    gpa_t at = f->dma_addr;
    f->dma_addr = 0;
    if (!mem_read(f->mem, at, req, sizeof req))
        return; /* nowhere to report it */
    u32 control = __builtin_bswap32(ld32(req)), len = __builtin_bswap32(ld32(req + 4));
    u64 addr = __builtin_bswap64(ld64(req + 8));
    u32 result = 0;
    if (control & DMA_SELECT) {
        f->key = control >> 16;
        f->pos = 0;
    }
    if (control & DMA_READ) {
        if (!dma_read(f, addr, len))
            result = DMA_ERROR;
    } else if (control & DMA_WRITE) {
        if (!dma_write(f, addr, len))
            result = DMA_ERROR;
    } else if (control & DMA_SKIP) {
        const struct item *it = selected(f);
        u32 left = it && f->pos < it->len ? it->len - f->pos : 0;
        f->pos += len < left ? len : left;
    }
    u8 out[4];
    st32(out, __builtin_bswap32(result));
    (void)!mem_write(f->mem, at, out, 4);
}

static bool fw_cfg_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct fw_cfg *f = dev;
    u64 v = 0;
    if (off < 8) {
        for (unsigned i = 0; i < size; i++) /* bytes in item order at ascending addresses */
            v |= (u64)next_byte(f) << i * 8;
    } else if (off >= 16 && off < 24) {
        u64 be = __builtin_bswap64(DMA_SIGNATURE);
        v = be >> (off - 16) * 8;
        if (size < 8)
            v &= (1ULL << size * 8) - 1;
    }
    *val = v;
    return true;
}

static bool fw_cfg_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct fw_cfg *f = dev;
    if (off == 8 && size == 2) {
        f->key = __builtin_bswap16((u16)val);
        f->pos = 0;
    } else if (off == 16 && size == 8) {
        f->dma_addr = __builtin_bswap64(val);
        dma_run(f);
    } else if (off == 16 && size == 4) {
        f->dma_addr = (u64)__builtin_bswap32((u32)val) << 32 | (u32)f->dma_addr;
    } else if (off == 20 && size == 4) {
        f->dma_addr = (f->dma_addr & ~0xffffffffULL) | __builtin_bswap32((u32)val);
        dma_run(f);
    }
    return true;
}

static void fw_cfg_reset(void *dev)
{
    struct fw_cfg *f = dev;
    f->key = f->pos = 0;
    f->dma_addr = 0;
}

static void fw_cfg_state(void *dev, struct state *s)
{
    struct fw_cfg *f = dev;
    state_u32(s, &f->key);
    state_u32(s, &f->pos);
    state_u64(s, &f->dma_addr);
}

static const char compatible[] = "qemu,fw-cfg-mmio";
const struct device_ops fw_cfg_ops = {
    .name = "fw-cfg",
    .node = "fw-cfg",
    .compatible = compatible,
    .compatible_len = sizeof compatible,
    .is_dma_coherent = true,
    .size = 0x18,
    .io = {fw_cfg_read, fw_cfg_write, 1, 8},
    .reset = fw_cfg_reset,
    .state = fw_cfg_state,
};

bool fw_cfg_add_item(struct fw_cfg *f, u16 key, const void *data, u32 len)
{
    for (u32 i = 0; i < f->item_count; i++)
        if (f->item[i].key == key) {
            f->item[i] = (struct item){key, data, NULL, len};
            return true;
        }
    if (f->item_count == ITEMS_MAX)
        return false;
    f->item[f->item_count++] = (struct item){key, data, NULL, len};
    return true;
}

bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, u32 len)
{
    size_t n = strlen(name);
    if (n >= FW_CFG_NAME_MAX)
        return false;
    u32 i = 0;
    while (i < f->file_count && strcmp((char *)f->dir + 4 + i * DIR_ENTRY + 8, name))
        i++;
    if (i == FW_CFG_FILES_MAX || !fw_cfg_add_item(f, (u16)(KEY_FILE_FIRST + i), data, len))
        return false;
    u8 *d = f->dir + 4 + i * DIR_ENTRY;
    st32(d, __builtin_bswap32(len));
    st16(d + 4, __builtin_bswap16((u16)(KEY_FILE_FIRST + i)));
    memcpy(d + 8, name, n + 1);
    f->file_count += i == f->file_count;
    st32(f->dir, __builtin_bswap32(f->file_count));
    return fw_cfg_add_item(f, KEY_FILE_DIR, f->dir, 4 + f->file_count * DIR_ENTRY);
}

bool fw_cfg_add_writable(struct fw_cfg *f, const char *name, void *data, u32 len)
{
    if (!fw_cfg_add_file(f, name, data, len))
        return false;
    for (u32 i = 0; i < f->item_count; i++)
        if (f->item[i].data == data)
            f->item[i].writable = data;
    return true;
}

struct fw_cfg *fw_cfg_new(struct mem *mem)
{
    struct fw_cfg *f = xcalloc(1, sizeof *f);
    f->mem = mem;
    f->id[0] = ID_TRADITIONAL | ID_DMA;
    fw_cfg_add_item(f, KEY_SIGNATURE, "QEMU", 4);
    fw_cfg_add_item(f, KEY_ID, f->id, 4);
    fw_cfg_add_item(f, KEY_FILE_DIR, f->dir, 4);
    return f;
}

void fw_cfg_free(struct fw_cfg *f) { free(f); }
