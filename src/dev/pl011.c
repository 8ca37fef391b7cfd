/// PL011 UART. Source: ARM DDI 0183 "PrimeCell UART (PL011) Technical Reference Manual", r1p4.
/// Sending takes no time unless the host is slow: then bytes wait in the transmit FIFO and the
/// guest sees TXFF, as on a slow line. Line settings are kept but do not matter, and DMA requests
/// never happen. Bytes are sent and received whether or not UARTEN is set: early consoles rely on
/// a UART that firmware enabled.
#include "dev/pl011.h"

#include <stdlib.h>

#define PL011_ROWS(R)                             \
    R(DR, 0x000, 0, 0xff, DEV_SIDE)               \
    R(RSR, 0x004, 0, 0xf, DEV_SIDE)               \
    R(FR, 0x018, 0x90, 0, DEV_RO | DEV_SIDE)      \
    R(ILPR, 0x020, 0, 0xff, DEV_RW)               \
    R(IBRD, 0x024, 0, 0xffff, DEV_RW)             \
    R(FBRD, 0x028, 0, 0x3f, DEV_RW)               \
    R(LCR_H, 0x02c, 0, 0xff, DEV_SIDE)            \
    R(CR, 0x030, 0x300, 0xff87, DEV_RW)           \
    R(IFLS, 0x034, 0x12, 0x3f, DEV_SIDE)          \
    R(IMSC, 0x038, 0, 0x7ff, DEV_SIDE)            \
    R(RIS, 0x03c, 0, 0, DEV_RO)                   \
    R(MIS, 0x040, 0, 0, DEV_RO | DEV_SIDE)        \
    R(ICR, 0x044, 0, 0x7ff, DEV_WO | DEV_SIDE)    \
    R(DMACR, 0x048, 0, 0x7, DEV_RW)

enum {
#define R(n, ...) n,
    PL011_ROWS(R)
#undef R
    REGS,
};
static const struct dev_reg rows[] = {
#define R(n, o, r, w, f) {#n, o, r, w, f},
    PL011_ROWS(R)
#undef R
};

enum { FR_RXFE = 1 << 4, FR_TXFF = 1 << 5, FR_RXFF = 1 << 6, FR_TXFE = 1 << 7, FR_BUSY = 1 << 3 };
enum { LCR_FEN = 1 << 4, CR_LBE = 1 << 7 };
enum { INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RT = 1 << 6 };
enum { FIFO_LEN = 16 };
#define PERIPH_ID 0x00141011U /* part 0x011, Arm, revision 1 */

struct fifo {
    u8 data[FIFO_LEN];
    u32 head, len;
};

struct pl011 {
    u32 reg[REGS];
    struct fifo rx, tx;
    struct chr *chr;
    struct irq_line irq;
    void (*tap)(void *ctx, u8 byte);
    void *tap_ctx;
};

static u32 depth(const struct pl011 *u) { return u->reg[LCR_H] & LCR_FEN ? FIFO_LEN : 1; }

static void fifo_put(struct fifo *f, u8 b)
{
    f->data[(f->head + f->len++) % FIFO_LEN] = b;
}

static u8 fifo_get(struct fifo *f)
{
    u8 b = f->data[f->head];
    f->head = (f->head + 1) % FIFO_LEN;
    f->len--;
    return b;
}

/// Bytes in the receive FIFO at which INT_RX is raised.
static u32 rx_trigger(const struct pl011 *u)
{
    static const u8 level[8] = {2, 4, 8, 12, 14, 14, 14, 14};
    return u->reg[LCR_H] & LCR_FEN ? level[u->reg[IFLS] >> 3 & 7] : 1;
}

static void update(struct pl011 *u) { irq_set(&u->irq, (u->reg[RIS] & u->reg[IMSC]) != 0); }

/// One byte arrived. The timeout interrupt stands for "nothing more came for 32 bit periods": the
/// caller raises it once after the last byte that is there.
static void receive(struct pl011 *u, u8 b)
{
    fifo_put(&u->rx, b);
    if (u->rx.len >= rx_trigger(u))
        u->reg[RIS] |= INT_RX;
}

void pl011_ready(struct pl011 *u)
{
    bool got = false;
    while (u->chr && u->rx.len < depth(u) && !(u->reg[CR] & CR_LBE)) {
        u8 b;
        if (!chr_read(u->chr, &b, 1))
            break;
        receive(u, b);
        got = true;
    }
    if (got && u->rx.len < rx_trigger(u))
        u->reg[RIS] |= INT_RT;
    bool sent = false;
    while (u->tx.len && chr_room(u->chr)) {
        u8 b = fifo_get(&u->tx);
        chr_write(u->chr, &b, 1);
        sent = true;
    }
    if (sent)
        u->reg[RIS] |= INT_TX;
    update(u);
}

static void send(struct pl011 *u, u8 b)
{
    if (u->reg[CR] & CR_LBE) {
        if (u->rx.len < depth(u)) {
            receive(u, b);
            u->reg[RIS] |= INT_RT;
        }
        u->reg[RIS] |= INT_TX;
        return;
    }
    if (u->chr && (u->tx.len || !chr_room(u->chr))) {
        if (u->tx.len < depth(u)) {
            fifo_put(&u->tx, b);
            if (u->tap)
                u->tap(u->tap_ctx, b);
        }
        u->reg[RIS] &= ~(u32)INT_TX;
        return;
    }
    if (u->chr)
        chr_write(u->chr, &b, 1);
    if (u->tap)
        u->tap(u->tap_ctx, b);
    u->reg[RIS] |= INT_TX;
}

static u32 flags(struct pl011 *u)
{
    u32 f = 0;
    f |= u->rx.len ? 0 : FR_RXFE;
    f |= u->rx.len >= depth(u) ? FR_RXFF : 0;
    f |= u->tx.len ? FR_BUSY : FR_TXFE;
    f |= u->tx.len >= depth(u) ? FR_TXFF : 0;
    return f;
}

static u32 read_dr(struct pl011 *u)
{
    if (!u->rx.len)
        return 0;
    u8 b = fifo_get(&u->rx);
    if (u->rx.len < rx_trigger(u))
        u->reg[RIS] &= ~(u32)INT_RX;
    if (!u->rx.len)
        u->reg[RIS] &= ~(u32)INT_RT;
    pl011_ready(u);
    return b;
}

static bool pl011_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct pl011 *u = dev;
    int i = dev_reg_find(rows, REGS, off);
    u32 v = 0;
    if (off >= PRIMECELL_ID_OFF)
        v = primecell_id(PERIPH_ID, off);
    else if (i == DR)
        v = off & 3 ? 0 : read_dr(u);
    else if (i == FR)
        v = flags(u);
    else if (i == MIS)
        v = u->reg[RIS] & u->reg[IMSC];
    else if (i >= 0 && !(rows[i].flags & DEV_WO))
        v = u->reg[i];
    *val = dev_reg_part(v, off, size);
    return true;
}

static bool pl011_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct pl011 *u = dev;
    int i = dev_reg_find(rows, REGS, off);
    if (i < 0 || rows[i].flags & DEV_RO)
        return true;
    switch (i) {
    case DR:
        if (!(off & 3))
            send(u, (u8)val);
        break;
    case RSR: /* any write clears the errors */
        u->reg[RSR] = 0;
        break;
    case ICR:
        u->reg[RIS] &= ~((u32)(val << (off & 3) * 8) & rows[ICR].writable);
        break;
    case LCR_H: {
        u32 before = depth(u);
        dev_reg_write(&rows[i], &u->reg[i], off, size, val);
        if (depth(u) != before) {
            u->rx = u->tx = (struct fifo){0};
            u->reg[RIS] &= ~(u32)(INT_RX | INT_RT);
            pl011_ready(u);
        }
        break;
    }
    default:
        dev_reg_write(&rows[i], &u->reg[i], off, size, val);
        break;
    }
    update(u);
    return true;
}

static void pl011_reset(void *dev)
{
    struct pl011 *u = dev;
    dev_regs_reset(rows, REGS, u->reg);
    u->rx = u->tx = (struct fifo){0};
    update(u);
}

static void fifo_state(struct state *s, struct fifo *f)
{
    state_bytes(s, f->data, sizeof f->data);
    state_u32_max(s, &f->head, FIFO_LEN - 1);
    state_u32_max(s, &f->len, FIFO_LEN);
}

static void pl011_state(void *dev, struct state *s)
{
    struct pl011 *u = dev;
    for (unsigned i = 0; i < REGS; i++)
        state_u32(s, &u->reg[i]);
    fifo_state(s, &u->rx);
    fifo_state(s, &u->tx);
    if (!u->chr)
        u->tx.len = 0;
    if (s->is_loading)
        update(u);
}

static const char compatible[] = "arm,pl011\0arm,primecell";
static const char clock_names[] = "uartclk\0apb_pclk";
const struct device_ops pl011_ops = {
    .name = "pl011",
    .node = "pl011",
    .compatible = compatible,
    .compatible_len = sizeof compatible,
    .clock_names = clock_names,
    .clock_names_len = sizeof clock_names,
    .size = 0x1000,
    .io = {pl011_read, pl011_write, 1, 4},
    .reset = pl011_reset,
    .state = pl011_state,
};

struct pl011 *pl011_new(struct chr *chr, struct irq_line irq)
{
    struct pl011 *u = xcalloc(1, sizeof *u);
    u->chr = chr;
    u->irq = irq;
    pl011_reset(u);
    return u;
}

void pl011_free(struct pl011 *u) { free(u); }

void pl011_set_tap(struct pl011 *u, void (*tap)(void *ctx, u8 byte), void *ctx)
{
    u->tap = tap;
    u->tap_ctx = ctx;
}

bool pl011_can_wake(const struct pl011 *u)
{
    if (u->tx.len && u->reg[IMSC] & INT_TX) /* the host takes it some time */
        return true;
    return u->chr && chr_can_input(u->chr) && u->reg[IMSC] & (INT_RX | INT_RT);
}
