/// What the files of this folder share.
#ifndef BRUIN_CHR_PRIV_H
#define BRUIN_CHR_PRIV_H

#include "chr/chr.h"

/// A ring of bytes.
struct queue {
    u8 *data;
    size_t cap, head, len;
};

enum chr_kind { CHR_NULL, CHR_STDIO, CHR_FILE, CHR_PTY, CHR_UNIX, CHR_RING };

struct chr {
    enum chr_kind kind;
    struct os_mutex lock; ///< guards everything below
    struct queue in, out;
    int in_fd, out_fd, listen_fd;
    bool is_tty, is_eof, is_starved; ///< starved: the guest saw no room
    bool had_ctrl_a;
    bool (*escape)(void *ctx, u8 key);
    void *escape_ctx;
    void (*capture)(void *ctx, u8 byte);
    void *capture_ctx;
    struct os_poll *poll;
    struct os_timer *timer;
    bool timer_set;
    int polled_fd; ///< descriptor registered with poll for input, -1 none
    int polled_out;
    void (*ready)(void *ctx);
    void *ready_ctx;
    char where[108];
};

/* ---- queue.c; the back end's lock is held ---- */

/// An empty queue for cap bytes.
void queue_init(struct queue *q, size_t cap);
/// ret  bytes taken: fewer than len when it is full
size_t queue_put(struct queue *q, const u8 *data, size_t len);
/// The longest contiguous run at the head.
/// out  p    its first byte
/// ret  its length
size_t queue_run(const struct queue *q, const u8 **p);
/// Forgets n bytes at the head, at most len.
void queue_drop(struct queue *q, size_t n);
/// ret  bytes taken from the head: at most len
size_t queue_get(struct queue *q, u8 *data, size_t len);

/* ---- host.c ---- */

/// Writes what is queued as far as the host takes it. lock held
/// in   timeout_ms   how long a host that takes nothing is waited for
void chr_send(struct chr *c, int timeout_ms);
/// Calls the guest's side if there is input, or room it had waited for. lock not held
void chr_tell(struct chr *c, bool input);

#endif
