/// Graphics: a framebuffer in RAM, announced to the machine through fw_cfg's etc/ramfb. UEFI, "Graphics Output
/// Protocol"; QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device".
#include "fw.h"

#define FW_CFG 0x09020000ULL
enum { DMA_READ = 2, DMA_SELECT = 8, DMA_WRITE = 16, KEY_DIR = 0x19, FILES_MAX = 64 };
struct dma {
    u32 control, length;
    u64 address;
};
static u32 swap32(u32 v) { return __builtin_bswap32(v); }

/// One transfer of an item; the machine is coherent.
static bool transfer(u32 key, u32 op, void *buf, u32 len, bool first)
{
    volatile struct dma d = {swap32(key << 16 | op | (first ? DMA_SELECT : 0)), swap32(len), __builtin_bswap64((u64)(uintptr_t)buf)};
    __asm__ volatile("dsb sy" ::: "memory");
    *(volatile u64 *)(FW_CFG + 16) = __builtin_bswap64((u64)(uintptr_t)&d);
    __asm__ volatile("dsb sy" ::: "memory");
    return d.control == 0;
}

/// ret  the key of a file, 0 when there is none
static u32 find_file(const char *name)
{
    u8 entry[64];
    u32 count = 0;
    if (!transfer(KEY_DIR, DMA_READ, &count, 4, true))
        return 0;
    count = swap32(count);
    for (u32 k = 0; k < count && k < FILES_MAX; k++) {
        if (!transfer(KEY_DIR, DMA_READ, entry, sizeof entry, false))
            return 0;
        entry[63] = 0;
        if (br_streq((char *)entry + 8, name))
            return (u32)(entry[4] << 8 | entry[5]);
    }
    return 0;
}

/* ---- the protocol ---- */

struct pixel {
    u8 blue, green, red, reserved;
};
enum blt { BLT_FILL, BLT_VIDEO_TO_BUFFER, BLT_BUFFER_TO_VIDEO, BLT_VIDEO_TO_VIDEO, BLT_COUNT };
static const u16 sizes[][2] = {{1024, 768}, {640, 480}, {800, 600}, {1280, 1024}};
enum { SIDE_X = 1280, SIDE_Y = 1024 };
static u32 ramfb_key;
static struct efi_gop_info info;
static struct efi_gop_mode mode = {.max_mode = ARRAY_LEN(sizes), .info = &info, .info_size = sizeof info};
static struct pixel *video;

static void describe(u32 n, struct efi_gop_info *out)
{
    *out = (struct efi_gop_info){.width = sizes[n][0], .height = sizes[n][1], .format = 1, .pixels_per_line = sizes[n][0]};
}
static efi_status EFIAPI query_mode(struct efi_gop *g, u32 n, u64 *size, struct efi_gop_info **out)
{
    if (n >= ARRAY_LEN(sizes) || size == NULL || out == NULL)
        return EFI_INVALID_PARAMETER;
    *out = fw_pool(sizeof info, EFI_BOOT_DATA);
    if (*out == NULL)
        return EFI_OUT_OF_RESOURCES;
    describe(n, *out);
    *size = sizeof info;
    return EFI_SUCCESS;
}
static efi_status set(u32 n)
{
    struct {
        u64 address;
        u32 fourcc, flags, width, height, stride;
    } __attribute__((packed)) c = {__builtin_bswap64((u64)(uintptr_t)video), swap32(0x34325258), 0, swap32(sizes[n][0]),
                                   swap32(sizes[n][1]), swap32(sizes[n][0] * 4u)};
    if (!transfer(ramfb_key, DMA_WRITE, &c, sizeof c, true))
        return EFI_DEVICE_ERROR;
    describe(n, &info);
    mode.mode = n;
    mode.fb_base = (u64)(uintptr_t)video;
    mode.fb_size = 4ULL * info.width * info.height;
    memset(video, 0, mode.fb_size);
    return EFI_SUCCESS;
}
static efi_status EFIAPI set_mode(struct efi_gop *g, u32 n) { return n < ARRAY_LEN(sizes) ? set(n) : EFI_UNSUPPORTED; }

static bool on_screen(u64 x, u64 y, u64 w, u64 h) { return br_range_ok(x, w, info.width) && br_range_ok(y, h, info.height); }
/// delta: bytes a row of buf has; 0 = w pixels.
static efi_status EFIAPI blt(struct efi_gop *g, struct pixel *buf, u32 op, u64 sx, u64 sy, u64 dx, u64 dy, u64 w, u64 h, u64 delta)
{
    bool from_video = op == BLT_VIDEO_TO_BUFFER || op == BLT_VIDEO_TO_VIDEO;
    bool to_video = op != BLT_VIDEO_TO_BUFFER;
    if (op >= BLT_COUNT || w == 0 || h == 0 || (buf == NULL && op != BLT_VIDEO_TO_VIDEO) ||
        (from_video && !on_screen(sx, sy, w, h)) || (to_video && !on_screen(dx, dy, w, h)))
        return EFI_INVALID_PARAMETER;
    u64 row = delta ? delta / sizeof *buf : w, line = info.width;
    for (u64 k = 0; k < h; k++) {
        u64 y = op == BLT_VIDEO_TO_VIDEO && dy > sy ? h - 1 - k : k; /* overlapping rows */
        struct pixel *screen_to = video + (dy + y) * line + dx, *screen_from = video + (sy + y) * line + sx;
        if (op == BLT_FILL)
            for (u64 x = 0; x < w; x++)
                screen_to[x] = *buf;
        else if (op == BLT_VIDEO_TO_BUFFER)
            memcpy(buf + (dy + y) * row + dx, screen_from, w * sizeof *buf);
        else if (op == BLT_BUFFER_TO_VIDEO)
            memcpy(screen_to, buf + (sy + y) * row + sx, w * sizeof *buf);
        else
            memmove(screen_to, screen_from, w * sizeof *buf);
    }
    return EFI_SUCCESS;
}
static struct efi_gop gop = {query_mode, set_mode, blt, &mode};

void fw_gop_init(void)
{
    static const struct efi_guid guid = EFI_GUID_GOP;
    u64 at = 0;
    if (fw_info.no_gop || (ramfb_key = find_file("etc/ramfb")) == 0 ||
        fw_alloc_pages(EFI_ANY_PAGES, EFI_RESERVED, 4ULL * SIDE_X * SIDE_Y / FW_PAGE, &at) != EFI_SUCCESS)
        return;
    video = (struct pixel *)(uintptr_t)at;
    if (set(0) == EFI_SUCCESS)
        fw_install(&fw_st.con_out_handle, &guid, &gop);
}
