/// Virtqueues: the only code that touches ring memory. Devices take chains of buffers, read the
/// driver's part, write theirs, and give them back. Source: VIRTIO 1.2, "Split Virtqueues".
#ifndef BRUIN_VIRTIO_QUEUE_H
#define BRUIN_VIRTIO_QUEUE_H

#include "base/base.h"
#include "mem/mem.h"

#include <sys/uio.h>

enum { VIRTQ_SIZE_MAX = 256, CHAIN_SEGS_MAX = 512 };

struct virtq {
    u32 size; ///< entries, a power of two when ready (split rings)
    gpa_t desc, avail, used;
    bool is_ready;
    bool is_broken; ///< the driver wrote nonsense; nothing happens until reset
    bool has_event_idx, has_indirect;
    u16 next_avail, next_used;
    u16 signalled; ///< next_used at the last interrupt decision
    bool has_signalled;
};

/// Buffers of one request: first those the driver filled, then those the device fills.
struct chain {
    u16 head;
    unsigned out_count, in_count;
    struct {
        u8 *host;
        gpa_t gpa;
        u32 len;
    } seg[CHAIN_SEGS_MAX];
    u64 out_len, in_len; ///< bytes in all
    u64 out_pos, in_pos; ///< consumed, written
};

/// Takes the next request. ret  false when there is none (or the queue broke: q->is_broken)
bool virtq_pop(struct virtq *q, struct mem *m, struct chain *c);
/// Returns it with what was written. The driver finds it when it looks; virtq_wants_interrupt follows,
/// now or later, once or after several.
void virtq_push(struct virtq *q, struct mem *m, const struct chain *c);
/// ret  true when the driver wants an interrupt for what was returned since this was last asked
bool virtq_wants_interrupt(struct virtq *q, struct mem *m);
/// Puts a request back: the next virtq_pop returns it again.
void virtq_unpop(struct virtq *q);
/// True when a request waits.
bool virtq_has_work(struct virtq *q, struct mem *m);

/// Copies from the driver's part. ret  bytes copied, less than len at its end
u64 chain_read(struct chain *c, void *dst, u64 len);
/// Appends to the device's part. ret  bytes copied, less than len at its end
u64 chain_write(struct chain *c, struct mem *m, const void *src, u64 len);
/// Overwrites bytes of the device's part at off; does not move the position.
bool chain_patch(struct chain *c, struct mem *m, u64 off, const void *src, u64 len);
/// The next len bytes as host ranges, for direct I/O, and moves past them. iov: at least
/// CHAIN_SEGS_MAX entries. ret  entries, 0 if there is not so much
unsigned chain_take_out(struct chain *c, u64 len, struct iovec *iov);
/// As above for the device's part; the caller calls chain_filled after writing.
unsigned chain_take_in(struct chain *c, u64 len, struct iovec *iov);
/// Tells the memory map that [from, in_pos) of the device's part changed.
void chain_filled(struct chain *c, struct mem *m, u64 from);

#endif
