/// What GICv2 and GICv3 share: interrupt states, priorities, the CPU interface's logic. Private to
/// this folder. Sources: IHI 0048 "ARM Generic Interrupt Controller Architecture version 2" and
/// IHI 0069 "... versions 3 and 4". One security state (GICD_CTLR.DS = 1), five priority bits.
#ifndef BRUIN_IRQ_GIC_H
#define BRUIN_IRQ_GIC_H

#include "irq/irqchip.h"
#include "os/os.h"

enum {
    GIC_SPI_BANKS = IRQ_SPI_COUNT / 32,
    GIC_PRIO_SHIFT = 3, ///< low bits of a priority that are not implemented
    GIC_PRIO_MASK = 0xf8,
    GIC_PRIO_IDLE = 0xff,
    GIC_BPR0_MIN = 2,
    GIC_BPR1_MIN = 3,
    GIC_SPURIOUS = 1023,
    GIC_NO_TARGET = 0xffff,
};

/// 32 interrupts; bit n of each word is interrupt 32 * bank + n.
struct gic_bank {
    u32 group; ///< 1: group 1
    u32 enabled, pending, active;
    u32 level; ///< input lines
    u32 edge;
    u8 prio[32];
};

/// The virtual CPU interface of a CPU with EL2.
enum { GIC_LRS = 4, GIC_PPI_MAINTENANCE = 25 };
struct gic_virt {
    u64 lr[GIC_LRS]; ///< ICH_LR<n>_EL2
    u32 hcr;         ///< ICH_HCR_EL2
    u32 ap[2];
    u8 pmr, bpr[2];
    bool group_on[2], eoi_split, cbpr;
};

struct gic;
struct gic_cpu {
    struct gic *gic;
    unsigned index;
    u64 mpidr;
    struct gic_bank bank; ///< SGIs and PPIs
    u8 sgi_source[16];    ///< v2: one bit for each CPU that sent it
    u32 ap[2];            ///< active priorities by group; bit n: priority n << GIC_PRIO_SHIFT
    u8 pmr, bpr[2];
    bool group_on[2];
    bool eoi_split, cbpr, fiq_enabled, ack_ctl;
    bool asleep; ///< v3: GICR_WAKER.ProcessorSleep
    bool woken;  ///< v3: the guest wrote GICR_WAKER
    struct irq_line wire[IRQ_WIRES];
    u8 wires; ///< their levels
    struct gic_virt virt;
};

struct gic {
    struct irqchip chip;
    struct os_mutex lock; ///< guards everything; taken inside the machine lock
    unsigned version, cpus;
    bool group_on[2]; ///< GICD_CTLR.EnableGrp*
    struct gic_bank spi[GIC_SPI_BANKS];
    u16 target[IRQ_SPI_COUNT]; ///< v3: CPU index or GIC_NO_TARGET; v2: mask of CPUs
    u64 route[IRQ_SPI_COUNT];  ///< v3: GICD_IROUTER
    struct gic_cpu *cpu;
    unsigned (*current_cpu)(void *ctx);
    void *current_ctx;
};

/// The winner among pending interrupts for a CPU.
struct gic_best {
    u32 intid; ///< GIC_SPURIOUS: none
    u8 prio, group;
};

struct gic *gic_new(unsigned version, const struct irqchip_config *cfg);
void gic_free(struct irqchip *c);
void gic_reset(struct gic *g);
void gic_state(struct irqchip *c, struct state *s);
void gic_set_line(struct irqchip *c, unsigned intid, unsigned cpu, bool level);
bool gic_can_deliver(struct irqchip *c, unsigned intid, unsigned cpu);

/* The rest is called under the lock. */

/// Bank of an INTID below IRQ_INTIDS, as seen by a CPU.
struct gic_bank *gic_bank_of(struct gic *g, struct gic_cpu *c, u32 intid);
/// Recomputes the wires of one CPU, or of all.
void gic_update_cpu(struct gic_cpu *c);
void gic_update(struct gic *g);
struct gic_best gic_best(const struct gic_cpu *c);
/// The same, when it may interrupt what is running: PMR, group priority.
struct gic_best gic_signalled(const struct gic_cpu *c);
u8 gic_running_priority(const struct gic_cpu *c);
/// Makes an interrupt active. ret  the value of the acknowledge register
u32 gic_acknowledge(struct gic_cpu *c, struct gic_best b);
/// Ends the highest active priority of a group. ret  false if another group runs, or none
bool gic_priority_drop(struct gic_cpu *c, unsigned group);
void gic_deactivate(struct gic_cpu *c, u32 intid);
/// Makes an SGI pending on a CPU; source matters to v2 only.
void gic_send_sgi(struct gic_cpu *to, unsigned sgi, unsigned source);

/// GICD_IGROUPR .. GICD_ICACTIVER, offsets 0x080 to 0x3ff, and their redistributor twins.
u32 gic_word_read(struct gic_bank *b, u64 off);
void gic_word_write(struct gic *g, struct gic_bank *b, u64 off, u32 val, bool is_sgi_bank);
/// GICD_ICFGR: half 0 or 1 of a bank.
u32 gic_config_read(const struct gic_bank *b, unsigned half);
void gic_config_write(struct gic_bank *b, unsigned half, u32 val, u32 writable);

/* ---- GICv3 CPU interface registers ---- */

#define ICC_ENC(crn, crm, op2) ((u32)(3 << 14 | (crn) << 7 | (crm) << 3 | (op2)))
enum {
    ICC_PMR_EL1 = ICC_ENC(4, 6, 0),
    ICC_IAR0_EL1 = ICC_ENC(12, 8, 0),
    ICC_EOIR0_EL1 = ICC_ENC(12, 8, 1),
    ICC_HPPIR0_EL1 = ICC_ENC(12, 8, 2),
    ICC_BPR0_EL1 = ICC_ENC(12, 8, 3),
    ICC_AP0R0_EL1 = ICC_ENC(12, 8, 4),
    ICC_AP1R0_EL1 = ICC_ENC(12, 9, 0),
    ICC_DIR_EL1 = ICC_ENC(12, 11, 1),
    ICC_RPR_EL1 = ICC_ENC(12, 11, 3),
    ICC_SGI1R_EL1 = ICC_ENC(12, 11, 5),
    ICC_ASGI1R_EL1 = ICC_ENC(12, 11, 6),
    ICC_SGI0R_EL1 = ICC_ENC(12, 11, 7),
    ICC_IAR1_EL1 = ICC_ENC(12, 12, 0),
    ICC_EOIR1_EL1 = ICC_ENC(12, 12, 1),
    ICC_HPPIR1_EL1 = ICC_ENC(12, 12, 2),
    ICC_BPR1_EL1 = ICC_ENC(12, 12, 3),
    ICC_CTLR_EL1 = ICC_ENC(12, 12, 4),
    ICC_SRE_EL1 = ICC_ENC(12, 12, 5),
    ICC_IGRPEN0_EL1 = ICC_ENC(12, 12, 6),
    ICC_IGRPEN1_EL1 = ICC_ENC(12, 12, 7),
};
enum { ICC_CTLR_CBPR = 1, ICC_CTLR_EOIMODE = 2, ICC_CTLR_FIXED = 4 << 8 | 1 << 15 }; ///< fixed: 5 priority bits, A3V

/* gicv3_ich.c: the virtual interface, under the lock. enc: of the ICC_* register. */
bool gic_virt_is_mine(u32 enc, bool irq, bool fiq); ///< the access is to ICV_*
bool gic_virt_read(struct gic_cpu *c, u32 enc, u64 *val);
bool gic_virt_write(struct gic_cpu *c, u32 enc, u64 val);
bool gic_ich_read(struct gic_cpu *c, u32 enc, u64 *val);
bool gic_ich_write(struct gic_cpu *c, u32 enc, u64 val);
void gic_virt_reset(struct gic_virt *v);
/// Sets the maintenance interrupt. ret  virtual wires, one bit each, by IRQ_WIRE_*
u8 gic_virt_update(struct gic_cpu *c);

#endif
