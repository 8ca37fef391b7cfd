/// The VIRTIO devices there are. Each constructor returns a device core for virtio_new, which
/// takes it over.
#ifndef BRUIN_VIRTIO_DEVICES_H
#define BRUIN_VIRTIO_DEVICES_H

#include "block/block.h"
#include "chr/chr.h"
#include "net/net.h"
#include "virtio/virtio.h"

/// Disk. serial: at most 20 characters. The block back end is taken over.
extern const struct virtio_device_ops virtio_blk_ops;
void *virtio_blk_new(struct block *b, const char *serial);

/// Entropy from a generator that the owner keeps.
extern const struct virtio_device_ops virtio_rng_ops;
void *virtio_rng_new(u64 *rng);

/// Console hvc0. The back end stays the owner's; call virtio_console_ready under the machine lock
/// when it has input or room.
extern const struct virtio_device_ops virtio_console_ops;
void *virtio_console_new(struct chr *chr);
void virtio_console_ready(void *console);
/// Interrupts for output wait a moment, which ends with t: it has to call virtio_console_ready. Without
/// this they come at once. The timer stays the owner's.
void virtio_console_set_timer(void *console, struct os_timer *t);

/// tap sees every byte sent; may be NULL.
void virtio_console_set_tap(void *console, void (*tap)(void *ctx, u8 byte), void *ctx);

/// Network card. The back end is taken over.
extern const struct virtio_device_ops virtio_net_ops;
void *virtio_net_new(struct net *n, const u8 mac[6]);
/// Frames may have arrived: takes what there are buffers for. Under the machine lock.
void virtio_net_ready(void *card);

#endif
