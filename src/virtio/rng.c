/// Entropy device. Source: VIRTIO 1.2, "Entropy Device".
#include "virtio/devices.h"

#include <stdlib.h>

enum { FILL_MAX = 64 * 1024 }; ///< bytes given to one request

struct entropy {
    struct virtio_core core;
    u64 *rng;
    struct chain chain;
};

static void rng_notify(void *dev, unsigned queue)
{
    struct entropy *r = dev;
    for (unsigned n = 0; n < VIRTQ_SIZE_MAX && virtio_pop(r->core.v, queue, &r->chain); n++) {
        u8 word[8];
        for (u64 done = 0; done < FILL_MAX; done += sizeof word) {
            st64(word, rng_next(r->rng));
            if (chain_write(&r->chain, virtio_mem(r->core.v), word, sizeof word) < sizeof word)
                break;
        }
        virtio_push(r->core.v, queue, &r->chain);
    }
}

static void rng_free(void *dev) { free(dev); }

const struct virtio_device_ops virtio_rng_ops = {
    .name = "virtio-rng",
    .id = 4,
    .queue_count = 1,
    .notify = rng_notify,
    .free = rng_free,
};

void *virtio_rng_new(u64 *rng)
{
    struct entropy *r = xcalloc(1, sizeof *r);
    r->rng = rng;
    return r;
}
