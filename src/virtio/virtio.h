/// VIRTIO devices and their MMIO transport. A device core knows its queues and configuration; the
/// transport knows registers, feature negotiation and interrupts. Source: VIRTIO 1.2.
#ifndef BRUIN_VIRTIO_H
#define BRUIN_VIRTIO_H

#include "dev/dev.h"
#include "virtio/queue.h"

enum { VIRTIO_QUEUES_MAX = 4 };
#define VIRTIO_F_INDIRECT (1ULL << 28)
#define VIRTIO_F_EVENT_IDX (1ULL << 29)
#define VIRTIO_F_VERSION_1 (1ULL << 32)

struct virtio;

struct virtio_device_ops {
    const char *name;
    u32 id; ///< device type
    unsigned queue_count;
    u64 (*features)(void *dev); ///< beyond those of the transport
    /// Device configuration; len 1..8 within config_size.
    u32 config_size;
    void (*config_read)(void *dev, u32 off, void *dst, u32 len);
    void (*config_write)(void *dev, u32 off, const void *src, u32 len); ///< NULL: read-only
    /// The driver made buffers available in a queue.
    void (*notify)(void *dev, unsigned queue);
    void (*reset)(void *dev); ///< driver reset; may be NULL
    void (*state)(void *dev, struct state *s);
    bool (*can_wake)(const void *dev); ///< the host may make it interrupt unasked; NULL never
    void (*free)(void *dev);
};

/// Wraps a device core, which it owns from then on. is_legacy: version 1 registers and rings.
struct virtio *virtio_new(const struct virtio_device_ops *ops, void *dev, struct mem *mem,
                          struct irq_line irq, bool is_legacy);
void virtio_free(struct virtio *v);
extern const struct device_ops virtio_mmio_ops;
bool virtio_can_wake(const void *v);
const char *virtio_name(const struct virtio *v);

/* ---- for device cores ---- */

/// Called by virtio_new so that the core can reach its queues.
struct virtio_core {
    struct virtio *v; ///< set by the transport; first member of every device core
};
bool virtio_pop(struct virtio *v, unsigned queue, struct chain *c);
/// Returns a request, and interrupts if the driver wants that.
void virtio_push(struct virtio *v, unsigned queue, const struct chain *c);
/// The two halves of virtio_push. Between them a driver that looks by itself may take what was returned;
/// then virtio_signal does not interrupt (with event indices).
void virtio_push_quietly(struct virtio *v, unsigned queue, const struct chain *c);
void virtio_signal(struct virtio *v, unsigned queue);
void virtio_unpop(struct virtio *v, unsigned queue);
struct mem *virtio_mem(struct virtio *v);
bool virtio_has_feature(const struct virtio *v, unsigned bit);
bool virtio_is_running(const struct virtio *v); ///< DRIVER_OK
/// The configuration changed: interrupt, new generation.
void virtio_config_changed(struct virtio *v);

#endif
