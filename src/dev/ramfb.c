/// ramfb. Source: QEMU, "docs/specs" and hw/display/ramfb.c's interface: the file holds address, DRM fourcc,
/// flags, width, height and stride, big-endian. What firmware writes is hostile until a picture is asked for.
#include "dev/ramfb.h"

#include <stdlib.h>

enum { CONFIG_LEN = 28, SIDE_MAX = 8192, FOURCC_XR24 = 0x34325258, FOURCC_AR24 = 0x34325241, FOURCC_RG24 = 0x34324752 };

struct ramfb {
    u8 config[CONFIG_LEN];
};

struct ramfb *ramfb_new(struct fw_cfg *f)
{
    struct ramfb *r = xcalloc(1, sizeof *r);
    if (fw_cfg_add_writable(f, "etc/ramfb", r->config, sizeof r->config))
        return r;
    free(r);
    return NULL;
}
void ramfb_free(struct ramfb *r) { free(r); }
void ramfb_reset(struct ramfb *r) { memset(r->config, 0, sizeof r->config); }

static u32 be32_at(const struct ramfb *r, unsigned off) { return __builtin_bswap32(ld32(r->config + off)); }

u8 *ramfb_picture(const struct ramfb *r, const struct mem *m, u32 *width, u32 *height, struct err *e)
{
    gpa_t base = __builtin_bswap64(ld64(r->config));
    u32 fourcc = be32_at(r, 8), w = be32_at(r, 16), h = be32_at(r, 20), stride = be32_at(r, 24);
    u32 bytes = fourcc == FOURCC_RG24 ? 3 : 4;
    if (base == 0) {
        err_set(e, ERR_NOT_FOUND, "no picture: the firmware or kernel has not set the framebuffer up");
        return NULL;
    }
    if ((fourcc != FOURCC_XR24 && fourcc != FOURCC_AR24 && fourcc != FOURCC_RG24) || !w || !h || w > SIDE_MAX || h > SIDE_MAX) {
        err_set(e, ERR_FORMAT, "framebuffer: %ux%u, format 0x%x; wanted XRGB8888 or RGB888 up to %d pixels a side", w, h, fourcc,
                SIDE_MAX);
        return NULL;
    }
    if (stride == 0)
        stride = w * bytes;
    const u8 *from = stride >= w * bytes ? mem_host(m, base, (u64)stride * (h - 1) + (u64)w * bytes) : NULL;
    if (from == NULL) {
        err_set(e, ERR_FORMAT, "framebuffer: 0x%llx, %u rows of %u bytes: not in RAM", (unsigned long long)base, h, stride);
        return NULL;
    }
    u8 *rgb = xcalloc((size_t)w * h, 3), *to = rgb;
    for (u32 y = 0; y < h; y++)
        for (u32 x = 0; x < w; x++, to += 3) {
            const u8 *p = from + (u64)y * stride + (u64)x * bytes; /* blue, green, red */
            to[0] = p[2];
            to[1] = p[1];
            to[2] = p[0];
        }
    *width = w;
    *height = h;
    return rgb;
}
