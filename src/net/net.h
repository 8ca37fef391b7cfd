/// Network back ends: where Ethernet frames go to and come from.
#ifndef BRUIN_NET_H
#define BRUIN_NET_H

#include "base/base.h"
#include "os/os.h"

enum { NET_FRAME_MAX = 65550 }; ///< MTU 65520, Ethernet header, some room

struct net;
struct net_ops {
    /// Sends a frame. A frame that cannot leave now is dropped, as on a wire.
    void (*send)(struct net *n, const u8 *frame, u32 len);
    /// Takes the next received frame. ret  its length, 0 none
    u32 (*receive)(struct net *n, u8 *frame, u32 cap);
    /// The card has buffers again, or none: frames wait in the host meanwhile.
    void (*want_input)(struct net *n, bool on);
    void (*close)(struct net *n);
};
struct net {
    const struct net_ops *ops;
    u16 mtu;
};

/// User-mode network through passt, a separate process. forward: comma-separated
/// [IP:]HOST:GUEST[/udp], or NULL. ready(ctx) is called from the loop when frames may have come.
/// ret  NULL with a message that says what to install
struct net *net_open_user(const char *forward, struct os_poll *poll, void (*ready)(void *ctx),
                          void *ctx, struct err *e);
/// Drops everything.
struct net *net_open_null(void);
void net_close(struct net *n);

#endif
