/// Character back ends: where a UART's bytes go to and come from. A back end has two queues: output
/// waiting for the host, and input waiting for the guest. The guest's side never blocks; the host's
/// side is served by a poll loop, or by chr_poll on a machine that has none.
#ifndef BRUIN_CHR_H
#define BRUIN_CHR_H

#include "base/base.h"
#include "os/os.h"

struct chr;

/// Opens a back end by specification: "stdio", "null", "file:PATH", "pty", "unix:PATH" (listens).
/// name: what messages call it, "serial". ret  NULL with a message
struct chr *chr_open(const char *name, const char *spec, struct err *e);
/// A back end without a host side: output is kept (the last cap bytes), input comes from
/// chr_ring_input. For tests and embedders.
struct chr *chr_ring_new(size_t cap);
/// Writes what is queued (giving up when the host takes nothing for two seconds), restores the
/// terminal, closes.
void chr_free(struct chr *c);

/* ---- the guest's side: any thread ---- */

/// Bytes of output that fit now. When it was 0, ready() is called once there is room.
size_t chr_room(struct chr *c);
/// Queues output for the host. It leaves with the next flush: a full buffer, chr_flush, or a few
/// milliseconds later. ret  bytes accepted
size_t chr_write(struct chr *c, const u8 *data, size_t len);
/// Takes input. ret  bytes copied, 0 when there is none
size_t chr_read(struct chr *c, u8 *data, size_t len);
/// Writes queued output to the host as far as it accepts it now.
void chr_flush(struct chr *c);
/// True when the host can still send input (not at end of file, not "null" or "file").
bool chr_can_input(struct chr *c);

/* ---- the host's side ---- */

/// ready: input arrived or output has room again. Called from the poll loop, chr_poll or
/// chr_ring_input, with no lock held. poll NULL: no loop, chr_poll is called instead.
/// ret  false with a message when the loop is full
MUST_USE bool chr_attach(struct chr *c, struct os_poll *poll, void (*ready)(void *ctx), void *ctx,
                         struct err *e);
void chr_detach(struct chr *c);
/// Serves the host's side without waiting.
void chr_poll(struct chr *c);

/// Keys after Ctrl-A, on a terminal only; Ctrl-A Ctrl-A sends one Ctrl-A. Called from the polling
/// loop. ret of fn  false: not a command, both bytes go to the guest
void chr_set_escape(struct chr *c, bool (*fn)(void *ctx, u8 key), void *ctx);
/// Takes every byte of input away from the guest (fn NULL: gives it back). Called from the polling loop.
void chr_set_capture(struct chr *c, void (*fn)(void *ctx, u8 byte), void *ctx);

/// Ring only: bytes for the guest. ret  bytes accepted (the input queue is bounded)
size_t chr_ring_input(struct chr *c, const u8 *data, size_t len);
/// Ring only: says whether the embedder may still send input (false at first): a machine that waits
/// for input which cannot come is reported as deadlocked.
void chr_ring_promise_input(struct chr *c, bool may_come);
/// Ring only: removes and copies up to len bytes of output. ret  count
size_t chr_ring_output(struct chr *c, u8 *data, size_t len);

/// "/dev/pts/3" for a pty, the path of a socket or file, else "".
const char *chr_where(const struct chr *c);

#endif
