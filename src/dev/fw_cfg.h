/// fw_cfg: named blobs for firmware, by register or by DMA.
#ifndef BRUIN_DEV_FW_CFG_H
#define BRUIN_DEV_FW_CFG_H

#include "dev/dev.h"

enum { FW_CFG_FILES_MAX = 64, FW_CFG_NAME_MAX = 56 };
struct fw_cfg;
extern const struct device_ops fw_cfg_ops;
struct fw_cfg *fw_cfg_new(struct mem *mem);
void fw_cfg_free(struct fw_cfg *f);
/// Adds or replaces a file. data is borrowed until the device goes.
/// ret  false when the name is too long or the directory is full
bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, u32 len);
/// The same, but guests may write it by DMA.
bool fw_cfg_add_writable(struct fw_cfg *f, const char *name, void *data, u32 len);
/// Adds or replaces an item by key (below 0x4000).
bool fw_cfg_add_item(struct fw_cfg *f, u16 key, const void *data, u32 len);

#endif
