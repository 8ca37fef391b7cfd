/// PL031 real-time clock. Source: ARM DDI 0224 "PrimeCell Real Time Clock (PL031) Technical
/// Reference Manual". The clock counts whole seconds of guest time from the host's date at reset.
#include "dev/pl031.h"

#include <stdlib.h>

#define PL031_ROWS(R)                              \
    R(DR, 0x00, 0, 0, DEV_RO | DEV_SIDE)           \
    R(MR, 0x04, 0, 0xffffffff, DEV_SIDE)           \
    R(LR, 0x08, 0, 0xffffffff, DEV_SIDE)           \
    R(CR, 0x0c, 1, 0, DEV_RO)                      \
    R(IMSC, 0x10, 0, 1, DEV_SIDE)                  \
    R(RIS, 0x14, 0, 0, DEV_RO)                     \
    R(MIS, 0x18, 0, 0, DEV_RO | DEV_SIDE)          \
    R(ICR, 0x1c, 0, 1, DEV_WO | DEV_SIDE)

enum {
#define R(n, ...) n,
    PL031_ROWS(R)
#undef R
    REGS,
};
static const struct dev_reg rows[] = {
#define R(n, o, r, w, f) {#n, o, r, w, f},
    PL031_ROWS(R)
#undef R
};
#define PERIPH_ID 0x00041031U
#define NS_PER_S 1000000000ULL

struct pl031 {
    u32 reg[REGS];
    u32 base_s;       ///< value of DR at base_ns
    u64 base_ns;      ///< guest time
    struct dev_host *host;
    struct dev_timer alarm;
    struct irq_line irq;
};

static u32 now_s(const struct pl031 *r)
{
    return r->base_s + (u32)((r->host->now_ns(r->host->ctx) - r->base_ns) / NS_PER_S);
}

static void update(struct pl031 *r) { irq_set(&r->irq, r->reg[RIS] & r->reg[IMSC] & 1); }

static void arm_alarm(struct pl031 *r)
{
    u32 wait_s = r->reg[MR] - now_s(r); /* wraps, as the counter does */
    u64 deadline = ~0ULL;
    if (wait_s) {
        u64 since = (u64)(now_s(r) - r->base_s) + wait_s;
        deadline = r->base_ns + since * NS_PER_S;
    } else {
        r->reg[RIS] = 1;
    }
    dev_timer_set(r->host, &r->alarm, deadline);
}

static void alarm_fired(void *dev)
{
    struct pl031 *r = dev;
    r->reg[RIS] = 1;
    update(r);
}

static bool pl031_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct pl031 *r = dev;
    int i = dev_reg_find(rows, REGS, off);
    u32 v = 0;
    if (off >= PRIMECELL_ID_OFF)
        v = primecell_id(PERIPH_ID, off);
    else if (i == DR)
        v = now_s(r);
    else if (i == MIS)
        v = r->reg[RIS] & r->reg[IMSC];
    else if (i >= 0 && !(rows[i].flags & DEV_WO))
        v = r->reg[i];
    *val = dev_reg_part(v, off, size);
    return true;
}

static bool pl031_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct pl031 *r = dev;
    int i = dev_reg_find(rows, REGS, off);
    if (i < 0 || rows[i].flags & DEV_RO)
        return true;
    if (i == ICR) {
        if (!(off & 3) && val & 1)
            r->reg[RIS] = 0;
    } else {
        dev_reg_write(&rows[i], &r->reg[i], off, size, val);
        if (i == LR) {
            r->base_s = r->reg[LR];
            r->base_ns = r->host->now_ns(r->host->ctx);
        }
        if (i == LR || i == MR)
            arm_alarm(r);
    }
    update(r);
    return true;
}

static void pl031_reset(void *dev)
{
    struct pl031 *r = dev;
    dev_regs_reset(rows, REGS, r->reg);
    r->base_s = (u32)r->host->wall_s(r->host->ctx);
    r->base_ns = r->host->now_ns(r->host->ctx);
    dev_timer_set(r->host, &r->alarm, ~0ULL);
    update(r);
}

static void pl031_state(void *dev, struct state *s)
{
    struct pl031 *r = dev;
    for (unsigned i = 0; i < REGS; i++)
        state_u32(s, &r->reg[i]);
    u32 now = now_s(r);
    state_u32(s, &now);
    if (s->is_loading) {
        r->reg[RIS] &= 1;
        r->base_s = now;
        r->base_ns = r->host->now_ns(r->host->ctx);
        bool was = r->reg[RIS];
        arm_alarm(r);
        r->reg[RIS] = was;
        update(r);
    }
}

static const char compatible[] = "arm,pl031\0arm,primecell";
static const char clock_names[] = "apb_pclk";
const struct device_ops pl031_ops = {
    .name = "pl031",
    .node = "pl031",
    .compatible = compatible,
    .compatible_len = sizeof compatible,
    .clock_names = clock_names,
    .clock_names_len = sizeof clock_names,
    .size = 0x1000,
    .io = {pl031_read, pl031_write, 1, 4},
    .reset = pl031_reset,
    .state = pl031_state,
};

struct pl031 *pl031_new(struct dev_host *host, struct irq_line irq)
{
    struct pl031 *r = xcalloc(1, sizeof *r);
    r->host = host;
    r->irq = irq;
    r->alarm = (struct dev_timer){.deadline_ns = ~0ULL, .fire = alarm_fired, .dev = r};
    pl031_reset(r);
    return r;
}

void pl031_free(struct pl031 *r)
{
    if (!r)
        return;
    dev_timer_set(r->host, &r->alarm, ~0ULL);
    free(r);
}

bool pl031_can_wake(const struct pl031 *r)
{
    return r->reg[IMSC] & 1 && r->alarm.deadline_ns != ~0ULL;
}
