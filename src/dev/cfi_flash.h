/// A bank of NOR flash with the common flash interface.
#ifndef BRUIN_DEV_CFI_FLASH_H
#define BRUIN_DEV_CFI_FLASH_H

#include "dev/dev.h"

#define CFI_FLASH_SIZE (64 * MIB)

struct cfi_flash;
extern const struct device_ops cfi_flash_ops;
struct cfi_flash *cfi_flash_new(struct mem *mem);
void cfi_flash_free(struct cfi_flash *f);
/// The array of CFI_FLASH_SIZE bytes that mem_add_flash made.
void cfi_flash_attach(struct cfi_flash *f, u8 *array);
/// Keeps the contents in a file: read now, written through as the guest programs. A missing one is made.
MUST_USE bool cfi_flash_open(struct cfi_flash *f, const char *path, struct err *e);

#endif
