/// ramfb: a framebuffer in guest RAM that firmware announces through the fw_cfg file etc/ramfb.
#ifndef BRUIN_DEV_RAMFB_H
#define BRUIN_DEV_RAMFB_H

#include "dev/fw_cfg.h"

struct ramfb;
/// Adds the file. ret  NULL when fw_cfg is full
struct ramfb *ramfb_new(struct fw_cfg *f);
void ramfb_free(struct ramfb *r);
void ramfb_reset(struct ramfb *r);

/// The picture as 8-bit RGB, rows from the top, to be freed.
/// ret  NULL with the reason: nothing was announced, or not a picture in RAM
u8 *ramfb_picture(const struct ramfb *r, const struct mem *m, u32 *width, u32 *height, struct err *e);

#endif
