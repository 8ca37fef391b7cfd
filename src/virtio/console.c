/// Console device with one port. Source: VIRTIO 1.2, "Console Device".
#include "virtio/devices.h"

#include <stdlib.h>

enum { Q_RX = 0, Q_TX = 1, CONFIG_SIZE = 12 };

struct console {
    struct virtio_core core;
    struct chr *chr;
    struct chain chain, tx;
    bool is_sending;        ///< tx has more than the host took so far
    struct os_timer *timer; ///< ends the silence after output; NULL: there is none
    bool is_silent;
    void (*tap)(void *ctx, u8 byte);
    void *tap_ctx;
};

static void config_read(void *dev, u32 off, void *dst, u32 len)
{
    static const u8 c[CONFIG_SIZE] = {80, 0, 25, 0, 1}; /* columns, rows, ports */
    memcpy(dst, c + off, len);
}

static void receive(struct console *k)
{
    u8 buf[256];
    for (unsigned n = 0; n < VIRTQ_SIZE_MAX; n++) {
        if (!virtio_pop(k->core.v, Q_RX, &k->chain))
            return;
        u64 room = k->chain.in_len < sizeof buf ? k->chain.in_len : sizeof buf;
        size_t got = chr_read(k->chr, buf, room);
        if (!got) {
            virtio_unpop(k->core.v, Q_RX);
            return;
        }
        chain_write(&k->chain, virtio_mem(k->core.v), buf, got);
        virtio_push(k->core.v, Q_RX, &k->chain);
    }
}

/// Linux waits for each piece of its output with interrupts masked, and would find nothing to do in the
/// interrupt that follows; after 99,900 of these it turns the line off ("nobody cared"), and input is
/// dead. So the driver has time to look by itself before it is told.
static void tell_sent(struct console *k)
{
    enum { SILENCE_NS = 1000000 };
    if (!k->timer) {
        virtio_signal(k->core.v, Q_TX);
    } else if (!k->is_silent) {
        k->is_silent = true;
        os_timer_set(k->timer, os_now_ns() + SILENCE_NS);
    }
}

static void transmit(struct console *k)
{
    u8 buf[1024];
    for (unsigned n = 0; n < VIRTQ_SIZE_MAX; n++) {
        if (!k->is_sending && !virtio_pop(k->core.v, Q_TX, &k->tx))
            return;
        k->is_sending = true;
        for (;;) {
            u64 room = chr_room(k->chr),
                len = chain_read(&k->tx, buf, room < sizeof buf ? room : sizeof buf);
            if (!room)
                return; /* virtio_console_ready goes on */
            if (!len)
                break;
            chr_write(k->chr, buf, len);
            for (u64 i = 0; k->tap && i < len; i++)
                k->tap(k->tap_ctx, buf[i]);
        }
        k->is_sending = false;
        virtio_push_quietly(k->core.v, Q_TX, &k->tx);
        tell_sent(k);
    }
}

static void notify(void *dev, unsigned queue)
{
    if (queue == Q_RX)
        receive(dev);
    else
        transmit(dev);
}

void virtio_console_ready(void *dev)
{
    struct console *k = dev;
    k->is_silent = false;
    if (!virtio_is_running(k->core.v))
        return;
    virtio_signal(k->core.v, Q_TX);
    receive(dev);
    transmit(dev);
}

void virtio_console_set_timer(void *dev, struct os_timer *t) { ((struct console *)dev)->timer = t; }

void virtio_console_set_tap(void *dev, void (*tap)(void *ctx, u8 byte), void *ctx)
{
    struct console *k = dev;
    k->tap = tap;
    k->tap_ctx = ctx;
}

static void reset(void *dev) { ((struct console *)dev)->is_sending = false; }
static bool can_wake(const void *dev) { return chr_can_input(((const struct console *)dev)->chr); }
static void console_free(void *dev) { free(dev); }

const struct virtio_device_ops virtio_console_ops = {
    .name = "virtio-console",
    .id = 3,
    .queue_count = 2,
    .config_size = CONFIG_SIZE,
    .config_read = config_read,
    .notify = notify,
    .reset = reset,
    .can_wake = can_wake,
    .free = console_free,
};

void *virtio_console_new(struct chr *chr)
{
    struct console *k = xcalloc(1, sizeof *k);
    k->chr = chr;
    return k;
}
