/// PL061 GPIO. Source: ARM DDI 0190 "PrimeCell General Purpose Input/Output (PL061) Technical
/// Reference Manual".
#include "dev/pl061.h"

#include <stdlib.h>

#define PL061_ROWS(R)                            \
    R(DIR, 0x400, 0, 0xff, DEV_SIDE)             \
    R(IS, 0x404, 0, 0xff, DEV_SIDE)              \
    R(IBE, 0x408, 0, 0xff, DEV_SIDE)             \
    R(IEV, 0x40c, 0, 0xff, DEV_SIDE)             \
    R(IE, 0x410, 0, 0xff, DEV_SIDE)              \
    R(RIS, 0x414, 0, 0, DEV_RO | DEV_SIDE)       \
    R(MIS, 0x418, 0, 0, DEV_RO | DEV_SIDE)       \
    R(IC, 0x41c, 0, 0xff, DEV_WO | DEV_SIDE)     \
    R(AFSEL, 0x420, 0, 0xff, DEV_RW)

enum {
#define R(n, ...) n,
    PL061_ROWS(R)
#undef R
    REGS,
};
static const struct dev_reg rows[] = {
#define R(n, o, r, w, f) {#n, o, r, w, f},
    PL061_ROWS(R)
#undef R
};
#define PERIPH_ID 0x00041061U
#define PULSE_NS 100000000ULL

struct pl061 {
    u32 reg[REGS];
    u8 in;    ///< levels driven from outside
    u8 out;   ///< data register of output pins
    u8 edges; ///< latched edge interrupts
    u8 pulsed;
    struct dev_host *host;
    struct dev_timer release;
    struct irq_line irq;
};

static u8 levels(const struct pl061 *g)
{
    u8 dir = (u8)g->reg[DIR];
    return (u8)((g->out & dir) | (g->in & ~dir));
}

static u8 raw_status(const struct pl061 *g)
{
    u8 level = (u8)~(levels(g) ^ g->reg[IEV]);
    return (u8)((level & g->reg[IS]) | (g->edges & ~g->reg[IS]));
}

static void update(struct pl061 *g) { irq_set(&g->irq, (raw_status(g) & g->reg[IE]) != 0); }

/// Latches edges after pin levels changed.
static void pins_changed(struct pl061 *g, u8 before)
{
    u8 now = levels(g), changed = before ^ now;
    u8 wanted = (u8)(g->reg[IBE] | ~(now ^ g->reg[IEV]));
    g->edges |= (u8)(changed & wanted & ~g->reg[IS]);
    update(g);
}

static bool pl061_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct pl061 *g = dev;
    int i = dev_reg_find(rows, REGS, off);
    u32 v = 0;
    if (off >= PRIMECELL_ID_OFF)
        v = primecell_id(PERIPH_ID, off);
    else if (off < 0x400) /* address bits 9..2 mask the pins */
        v = levels(g) & (u32)(off >> 2 & 0xff);
    else if (i == RIS)
        v = raw_status(g);
    else if (i == MIS)
        v = raw_status(g) & g->reg[IE];
    else if (i >= 0 && !(rows[i].flags & DEV_WO))
        v = g->reg[i];
    *val = dev_reg_part(v, off, size);
    return true;
}

static bool pl061_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct pl061 *g = dev;
    u8 before = levels(g);
    if (off < 0x400) {
        if (!(off & 3)) {
            u8 mask = (u8)(off >> 2 & g->reg[DIR]);
            g->out = (u8)((g->out & ~mask) | (val & mask));
        }
    } else {
        int i = dev_reg_find(rows, REGS, off);
        if (i < 0 || rows[i].flags & DEV_RO)
            return true;
        if (i == IC)
            g->edges &= (u8)~(off & 3 ? 0 : val);
        else
            dev_reg_write(&rows[i], &g->reg[i], off, size, val);
    }
    pins_changed(g, before);
    return true;
}

void pl061_set_input(struct pl061 *g, unsigned pin, bool level)
{
    u8 before = levels(g);
    g->in = (u8)((g->in & ~(1U << (pin & 7))) | (u32)level << (pin & 7));
    pins_changed(g, before);
}

static void release_fired(void *dev)
{
    struct pl061 *g = dev;
    u8 before = levels(g);
    g->in &= (u8)~g->pulsed;
    g->pulsed = 0;
    pins_changed(g, before);
}

void pl061_pulse(struct pl061 *g, unsigned pin)
{
    g->pulsed |= (u8)(1U << (pin & 7));
    pl061_set_input(g, pin, true);
    dev_timer_set(g->host, &g->release, g->host->now_ns(g->host->ctx) + PULSE_NS);
}

static void pl061_reset(void *dev)
{
    struct pl061 *g = dev;
    dev_regs_reset(rows, REGS, g->reg);
    g->in = g->out = g->edges = g->pulsed = 0;
    dev_timer_set(g->host, &g->release, ~0ULL);
    update(g);
}

static void pl061_state(void *dev, struct state *s)
{
    struct pl061 *g = dev;
    for (unsigned i = 0; i < REGS; i++)
        state_u32(s, &g->reg[i]);
    state_u8(s, &g->in);
    state_u8(s, &g->out);
    state_u8(s, &g->edges);
    if (s->is_loading) {
        g->pulsed = 0;
        update(g);
    }
}

static const char compatible[] = "arm,pl061\0arm,primecell";
static const char clock_names[] = "apb_pclk";
const struct device_ops pl061_ops = {
    .name = "pl061",
    .node = "pl061",
    .compatible = compatible,
    .compatible_len = sizeof compatible,
    .clock_names = clock_names,
    .clock_names_len = sizeof clock_names,
    .size = 0x1000,
    .io = {pl061_read, pl061_write, 1, 4},
    .reset = pl061_reset,
    .state = pl061_state,
};

struct pl061 *pl061_new(struct dev_host *host, struct irq_line irq)
{
    struct pl061 *g = xcalloc(1, sizeof *g);
    g->host = host;
    g->irq = irq;
    g->release = (struct dev_timer){.deadline_ns = ~0ULL, .fire = release_fired, .dev = g};
    pl061_reset(g);
    return g;
}

void pl061_free(struct pl061 *g)
{
    if (!g)
        return;
    dev_timer_set(g->host, &g->release, ~0ULL);
    free(g);
}
