/// The VMM's end of the tiny firmware's device (guest/bridge/fwhost.h): a read-only view of a host
/// directory, disks, boot information, and what the firmware reports. All requests are hostile input.
#ifndef BRUIN_BOOT_FWHOST_H
#define BRUIN_BOOT_FWHOST_H

#include "base/base.h"
#include "mem/mem.h"
#include "../guest/bridge/fwhost.h"

enum { FWHOST_DISKS_MAX = 8 };
struct fwhost_config {
    const char *dir;      ///< root of the volume; NULL: only the application is there
    const char *app_file; ///< host path of the application, seen as info.app; NULL: in dir
    const char *disk[FWHOST_DISKS_MAX];
    bool disk_read_only[FWHOST_DISKS_MAX];
    unsigned disk_count;
    struct fwhost_bootinfo info; ///< sizes, disks and volumes are filled in
    /// a: as enum fwhost_event says; name: the path of FWHOST_EV_IMAGE, else "".
    void (*event)(void *ctx, const u64 a[6], const char *name);
    void *event_ctx;
    /// Before files and disks are read into guest RAM; may be NULL. With event_ctx.
    void (*before_write)(void *ctx, gpa_t gpa, u64 len);
};
struct fwhost;
/// ret  NULL with a message naming the file or directory
struct fwhost *fwhost_new(struct mem *m, const struct fwhost_config *cfg, struct err *e);
void fwhost_free(struct fwhost *h);
/// Exchanges the states of two: for a machine that boots again.
void fwhost_swap(struct fwhost *a, struct fwhost *b);
extern const struct mmio_ops fwhost_mmio;

/// The firmware's image, embedded. len 0: this build has none.
const u8 *firmware_image(size_t *len);
/// Bytes of memory it needs from its load address (64 KiB boundary), 0 when there is none.
u64 firmware_span(void);

#endif
