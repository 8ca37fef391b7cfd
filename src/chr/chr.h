/// Character back ends: where a UART's bytes go to and come from.
#ifndef BRUIN_CHR_H
#define BRUIN_CHR_H

#include "base/base.h"
#include "os/os.h"

/// What the reader of a back end (a UART) offers. Called from the loop that polls, without locks.
struct chr_reader {
    void *ctx;
    /// How many bytes are welcome now; 0 stops reading until chr_accept is called.
    size_t (*room)(void *ctx);
    void (*receive)(void *ctx, const u8 *data, size_t len);
};

struct chr;

/// Opens a back end by specification: "stdio", "null", "file:PATH", "pty", "unix:PATH" (listens).
/// ret  NULL with a message
struct chr *chr_open(const char *spec, struct err *e);
/// A back end without a host side: output is kept (the last cap bytes), input comes from
/// chr_ring_input. For tests and embedders.
struct chr *chr_ring_new(size_t cap);
/// Flushes what can be written without waiting long, restores the terminal, closes.
void chr_free(struct chr *c);

/// Queues output; never blocks. Bytes beyond a cap (64 KiB of unread output) wait up to 100 ms for
/// the host and are then dropped and counted. Any thread.
void chr_write(struct chr *c, const u8 *data, size_t len);
/// Writes queued bytes to the host.
void chr_flush(struct chr *c);
/// True when nothing is waiting to be written.
bool chr_is_drained(struct chr *c);

/// Attaches the reader and the loop that polls; NULL loop detaches. The reader is owned by the
/// caller.
void chr_attach(struct chr *c, struct os_poll *poll, const struct chr_reader *reader);
/// The reader has room again. Any thread.
void chr_accept(struct chr *c);
/// True when the host can still send input (not at end of file, not "null" or "file").
bool chr_can_input(const struct chr *c);
/// Polls for input without a loop (deterministic machines).
void chr_poll(struct chr *c);

/// Keys after Ctrl-A on a terminal ("stdio" only). key: the byte after Ctrl-A; Ctrl-A Ctrl-A sends
/// one. Called from the polling loop. ret  false: not handled, the key goes to the guest
void chr_set_escape(struct chr *c, bool (*fn)(void *ctx, u8 key), void *ctx);

/// Ring only: bytes for the guest; what does not fit now waits inside. Any thread.
void chr_ring_input(struct chr *c, const u8 *data, size_t len);
/// Ring only: copies up to len bytes of unread output and removes them. ret  count
size_t chr_ring_output(struct chr *c, u8 *data, size_t len);

/// "/dev/pts/3" for a pty, the path of a socket, else "".
const char *chr_where(const struct chr *c);

#endif
