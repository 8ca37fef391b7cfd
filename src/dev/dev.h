/// What every device is made of: interrupt lines, register rows, timers, state. A device knows its
/// registers, wires and back end; not its address, its interrupt number, the machine or the CPU.
/// All calls into a device happen under the machine lock.
#ifndef BRUIN_DEV_H
#define BRUIN_DEV_H

#include "base/base.h"
#include "mem/mem.h"

/// A wire, as a value: where it ends is the board's affair. An unconnected one has set NULL.
struct irq_line {
    void (*set)(void *ctx, unsigned n, bool level);
    void *ctx;
    unsigned n;
};
static inline void irq_set(const struct irq_line *l, bool level)
{
    if (l->set)
        l->set(l->ctx, l->n, level);
}

/* ---- state: one function per device names its fields, for saving and for loading ---- */

struct state {
    bool is_loading;
    bool is_bad; ///< loading: short data or a value out of range; the rest reads as zero
    u8 *data;    ///< saving: grows; loading: the caller's
    size_t len, pos;
};
void state_bytes(struct state *s, void *p, size_t len);
static inline void state_u8(struct state *s, u8 *v) { state_bytes(s, v, 1); }
static inline void state_u16(struct state *s, u16 *v) { state_bytes(s, v, 2); }
static inline void state_u32(struct state *s, u32 *v) { state_bytes(s, v, 4); }
static inline void state_u64(struct state *s, u64 *v) { state_bytes(s, v, 8); }
/// A bool, stored as one byte that must be 0 or 1.
void state_bool(struct state *s, bool *v);
/// Loading: *v above max is bad data and becomes 0.
void state_u32_max(struct state *s, u32 *v, u32 max);

/* ---- the world around devices: passed in, never fetched ---- */

/// A deadline in guest time. Embedded in a device; linked into its host while armed.
struct dev_timer {
    u64 deadline_ns;
    void (*fire)(void *dev); ///< under the machine lock
    void *dev;
    struct dev_timer *next;
};
struct dev_host {
    void *ctx;
    u64 (*now_ns)(void *ctx); ///< guest time
    u64 (*wall_s)(void *ctx); ///< seconds since 1970; fixed epoch plus guest time when deterministic
    void (*timers_changed)(void *ctx); ///< the first deadline moved; may be NULL
    struct dev_timer *timers;          ///< sorted by deadline
};
/// Arms (deadline_ns) or disarms (~0).
void dev_timer_set(struct dev_host *h, struct dev_timer *t, u64 deadline_ns);
/// Fires what is due. ret  the next deadline, ~0 none
u64 dev_timers_run(struct dev_host *h, u64 now_ns);

/* ---- device description ---- */

struct device_ops {
    const char *name;       ///< "pl011"
    const char *node;       ///< FDT node name before the @
    const char *compatible; ///< strings separated and ended by \0
    u32 compatible_len;
    const char *clock_names; ///< FDT clock-names, as compatible; NULL: no clock
    u32 clock_names_len;
    bool is_dma_coherent;
    u64 size; ///< bytes of address space
    struct mmio_ops io;
    void (*reset)(void *dev);
    void (*state)(void *dev, struct state *s);
    /// Further properties of its own node (libfdt handle and node offset); may be NULL.
    void (*fdt)(void *dev, void *fdt, int node);
};

/* ---- register rows ---- */

enum {
    DEV_RW = 0,
    DEV_RO = 1 << 0,   ///< writes are ignored
    DEV_WO = 1 << 1,   ///< reads as zero
    DEV_SIDE = 1 << 2, ///< the device acts on reads or writes: not plain storage
};
/// One row per register. The device keeps u32 values in row order.
struct dev_reg {
    const char *name;
    u32 off;
    u32 reset;
    u32 writable; ///< bits a write changes
    u32 flags;
};
/// Row of the register that holds byte offset off, or -1.
int dev_reg_find(const struct dev_reg *rows, unsigned count, u64 off);
void dev_regs_reset(const struct dev_reg *rows, unsigned count, u32 *val);
/// Plain storage: merges a write of size bytes at off into the register of row i.
void dev_reg_write(const struct dev_reg *row, u32 *val, u64 off, unsigned size, u64 v);
/// The bytes of a register value that an access at off of size bytes sees.
static inline u64 dev_reg_part(u32 val, u64 off, unsigned size)
{
    u64 v = val >> (off & 3) * 8;
    return size >= 4 ? v : v & ((1ULL << size * 8) - 1);
}

/// Peripheral and cell identification of an Arm PrimeCell: eight bytes at 0xfe0, one a word.
#define PRIMECELL_ID_OFF 0xfe0
u32 primecell_id(u32 part_and_rev, u64 off);

#endif
