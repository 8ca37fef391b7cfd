/// The seam to interrupt controllers. The board gives lines to devices and two wires to each CPU;
/// which controller sits between them is a matter of configuration.
#ifndef BRUIN_IRQ_H
#define BRUIN_IRQ_H

#include "dev/dev.h"

enum {
    IRQ_SPI_BASE = 32,
    IRQ_PPI_BASE = 16,
    IRQ_SPI_COUNT = 256,
    IRQ_INTIDS = IRQ_SPI_BASE + IRQ_SPI_COUNT,
    IRQ_WIRE_IRQ = 0,
    IRQ_WIRE_FIQ = 1,
    IRQ_WIRE_VIRQ = 2, ///< of the virtual CPU interface
    IRQ_WIRE_VFIQ = 3,
    IRQ_WIRES = 4,
};

struct irqchip;

/// A window of registers that the board maps; dev of its callbacks is the chip.
struct irqchip_frame {
    const char *name;
    const struct mmio_ops *io;
    u64 size;
};

struct irqchip_ops {
    const char *name;       ///< "gic-v3"
    const char *compatible; ///< one FDT string
    unsigned cpus_max;
    unsigned frame_count;
    void (*frame)(struct irqchip *c, unsigned i, struct irqchip_frame *out);
    /// Level of an input. intid 16..31 belongs to cpu, from 32 on cpu is ignored. Any thread.
    void (*set_line)(struct irqchip *c, unsigned intid, unsigned cpu, bool level);
    /// True when raising intid would raise a wire now: enabled on the whole way.
    bool (*can_deliver)(struct irqchip *c, unsigned intid, unsigned cpu);
    /// The guest switched this CPU's part on (GICR_WAKER); NULL: there is no such thing.
    bool (*was_woken)(struct irqchip *c, unsigned cpu);
    /// Further properties of its FDT node; may be NULL.
    void (*fdt)(struct irqchip *c, void *fdt, int node);
    void (*reset)(struct irqchip *c);
    void (*state)(struct irqchip *c, struct state *s);
    void (*free)(struct irqchip *c);
};
struct irqchip {
    const struct irqchip_ops *ops;
};

/// What a controller needs to know of the machine.
struct irqchip_config {
    unsigned cpus;
    const u64 *mpidr; ///< [cpus], affinity of each CPU
    /// [cpus][IRQ_WIRES]: index [cpu][IRQ_WIRE_*]. Called under the controller's lock.
    const struct irq_line (*wire)[IRQ_WIRES];
    /// Which CPU is making the present MMIO access (GICv2 banks registers by it).
    unsigned (*current_cpu)(void *ctx);
    void *current_ctx;
};
struct irqchip *gicv3_new(const struct irqchip_config *cfg);
struct irqchip *gicv2_new(const struct irqchip_config *cfg);

/// GICv3 CPU interface registers of one CPU. enc: op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2.
/// ctx: gicv3_icc. ret  false: UNDEFINED
void *gicv3_icc(struct irqchip *c, unsigned cpu);
bool gicv3_icc_read(void *ctx, u32 enc, u64 *val);
bool gicv3_icc_write(void *ctx, u32 enc, u64 val);

#endif
