/// Network card. Source: VIRTIO 1.2, "Network Device". Checksums are the host's work: the guest
/// leaves them out (CSUM) and trusts those of received frames (GUEST_CSUM), since emulated
/// additions cost more than native ones.
#include "virtio/devices.h"

#include <stdlib.h>

enum { F_CSUM = 0, F_GUEST_CSUM = 1, F_MTU = 3, F_MAC = 5, F_MRG_RXBUF = 15, F_STATUS = 16 };
enum { Q_RX = 0, Q_TX = 1, CONFIG_SIZE = 12, MERGE_MAX = 64 };
enum { HDR_NEEDS_CSUM = 1, HDR_DATA_VALID = 2, HDR_LEN = 12, HDR_LEN_LEGACY = 10 };

struct card {
    struct virtio_core core;
    struct net *net;
    u8 mac[6];
    struct chain chain;
    u32 pending; ///< length of a received frame that waits for buffers
    u8 rx[NET_FRAME_MAX], tx[NET_FRAME_MAX];
};

static u64 net_features(void *dev)
{
    return 1ULL << F_CSUM | 1ULL << F_GUEST_CSUM | 1ULL << F_MTU | 1ULL << F_MAC |
           1ULL << F_MRG_RXBUF | 1ULL << F_STATUS;
}

static void net_config_read(void *dev, u32 off, void *dst, u32 len)
{
    const struct card *n = dev;
    u8 c[CONFIG_SIZE] = {0};
    memcpy(c, n->mac, 6);
    st16(c + 6, 1); /* link is up */
    st16(c + 8, 1);
    st16(c + 10, n->net->mtu);
    memcpy(dst, c + off, len);
}

static u32 header_len(const struct card *n)
{
    bool modern = virtio_has_feature(n->core.v, 32);
    return modern || virtio_has_feature(n->core.v, F_MRG_RXBUF) ? HDR_LEN : HDR_LEN_LEGACY;
}

/// Internet checksum over [start, len) stored at start + offset, as the driver asked.
static bool finish_checksum(u8 *frame, u32 len, u32 start, u32 offset)
{
    u32 at = start + offset;
    u64 sum = 0;
    if (start >= len || at + 2 > len)
        return false;
    for (u32 i = start; i + 1 < len; i += 2)
        sum += ld16(frame + i);
    if ((len - start) & 1)
        sum += frame[len - 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    u16 v = (u16)~sum;
    st16(frame + at, v ? v : 0xffff);
    return true;
}

static void transmit(struct card *n)
{
    u8 hdr[HDR_LEN];
    u32 hlen = header_len(n);
    for (unsigned i = 0; i < VIRTQ_SIZE_MAX && virtio_pop(n->core.v, Q_TX, &n->chain); i++) {
        u64 got = chain_read(&n->chain, hdr, hlen);
        u32 len = (u32)chain_read(&n->chain, n->tx, sizeof n->tx);
        bool fits = got == hlen && len && n->chain.out_pos == n->chain.out_len;
        if (fits &&
            (!(hdr[0] & HDR_NEEDS_CSUM) || finish_checksum(n->tx, len, ld16(hdr + 6), ld16(hdr + 8))))
            n->net->ops->send(n->net, n->tx, len);
        virtio_push(n->core.v, Q_TX, &n->chain);
    }
}

/// Gives the waiting frame to the driver, over several buffers when it merges them.
/// ret  false when there are too few buffers now
static bool deliver(struct card *n)
{
    struct virtio *v = n->core.v;
    bool merge = virtio_has_feature(v, F_MRG_RXBUF);
    u32 hlen = header_len(n), done = 0, used = 0;
    u8 hdr[HDR_LEN] = {0};
    static const u32 max = MERGE_MAX;
    u64 room = 0;
    /* First see that there is room, so that a frame is never half delivered. */
    while (room < hlen + n->pending && used < max && (used == 0 || merge) &&
           virtio_pop(v, Q_RX, &n->chain)) {
        room += n->chain.in_len;
        used++;
    }
    for (u32 i = 0; i < used; i++)
        virtio_unpop(v, Q_RX);
    if (room < hlen + n->pending) {
        bool hopeless = used == max || (used && !merge);
        n->pending = hopeless ? 0 : n->pending; /* buffers too small for it: drop */
        return hopeless;
    }
    hdr[0] = virtio_has_feature(v, F_GUEST_CSUM) ? HDR_DATA_VALID : 0;
    st16(hdr + 10, (u16)used);
    for (u32 i = 0; i < used && virtio_pop(v, Q_RX, &n->chain); i++) {
        if (i == 0)
            chain_write(&n->chain, virtio_mem(v), hdr, hlen);
        done += (u32)chain_write(&n->chain, virtio_mem(v), n->rx + done, n->pending - done);
        virtio_push(v, Q_RX, &n->chain);
    }
    n->pending = 0;
    return true;
}

void virtio_net_ready(void *dev)
{
    struct card *n = dev;
    if (!virtio_is_running(n->core.v)) {
        while (n->net->ops->receive(n->net, n->rx, sizeof n->rx))
            ; /* no driver: the wire ends here */
        return;
    }
    for (unsigned i = 0; i < VIRTQ_SIZE_MAX; i++) {
        if (!n->pending)
            n->pending = n->net->ops->receive(n->net, n->rx, sizeof n->rx);
        if (!n->pending)
            break;
        if (!deliver(n)) {
            n->net->ops->want_input(n->net, false);
            return;
        }
    }
    n->net->ops->want_input(n->net, true);
}

static void net_notify(void *dev, unsigned queue)
{
    if (queue == Q_TX)
        transmit(dev);
    else
        virtio_net_ready(dev);
}

static void net_reset(void *dev) { ((struct card *)dev)->pending = 0; }
static bool net_can_wake(const void *dev) { return true; }

static void net_free(void *dev)
{
    struct card *n = dev;
    net_close(n->net);
    free(n);
}

const struct virtio_device_ops virtio_net_ops = {
    .name = "virtio-net",
    .id = 1,
    .queue_count = 2,
    .features = net_features,
    .config_size = CONFIG_SIZE,
    .config_read = net_config_read,
    .notify = net_notify,
    .reset = net_reset,
    .can_wake = net_can_wake,
    .free = net_free,
};

void *virtio_net_new(struct net *net, const u8 mac[6])
{
    struct card *n = xcalloc(1, sizeof *n);
    n->net = net;
    memcpy(n->mac, mac, 6);
    return n;
}
