/// GICv2 and GICv3: acknowledge, priorities, end of interrupt, SGIs, routing, hostile scripts.
#include "irq/irqchip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CPUS = 3, DIST = 0, SECOND = 1 };
enum { GICD_CTLR = 0, GICD_TYPER = 4, IGROUPR = 0x80, ISENABLER = 0x100, ICENABLER = 0x180,
       ISPENDR = 0x200, ICPENDR = 0x280, ISACTIVER = 0x300, ICACTIVER = 0x380, IPRIORITYR = 0x400,
       ITARGETSR = 0x800, ICFGR = 0xc00, SGIR = 0xf00, IROUTER = 0x6000 };
enum { GICC_CTLR = 0, GICC_PMR = 4, GICC_BPR = 8, GICC_IAR = 0xc, GICC_EOIR = 0x10, GICC_RPR = 0x14,
       GICC_HPPIR = 0x18, GICC_AIAR = 0x20, GICC_AEOIR = 0x24, GICC_DIR = 0x1000 };
#define ICC(crn, crm, op2) ((u32)(3 << 14 | (crn) << 7 | (crm) << 3 | (op2)))
#define ICC_PMR ICC(4, 6, 0)
#define ICC_IAR0 ICC(12, 8, 0)
#define ICC_EOIR0 ICC(12, 8, 1)
#define ICC_AP1R0 ICC(12, 9, 0)
#define ICC_AP1R1 ICC(12, 9, 1)
#define ICC_DIR ICC(12, 11, 1)
#define ICC_RPR ICC(12, 11, 3)
#define ICC_SGI1R ICC(12, 11, 5)
#define ICC_IAR1 ICC(12, 12, 0)
#define ICC_EOIR1 ICC(12, 12, 1)
#define ICC_HPPIR1 ICC(12, 12, 2)
#define ICC_BPR1 ICC(12, 12, 3)
#define ICC_CTLR ICC(12, 12, 4)
#define ICC_SRE ICC(12, 12, 5)
#define ICC_IGRPEN0 ICC(12, 12, 6)
#define ICC_IGRPEN1 ICC(12, 12, 7)
enum { SPURIOUS = 1023 };

struct fixture {
    struct irqchip *chip;
    bool wire[CPUS][IRQ_WIRES];
    unsigned cpu; ///< who accesses
};

static void set_wire(void *ctx, unsigned n, bool level)
{
    ((struct fixture *)ctx)->wire[n / IRQ_WIRES][n % IRQ_WIRES] = level;
}
static unsigned accessor(void *ctx) { return ((struct fixture *)ctx)->cpu; }

static void make(void **state, unsigned version)
{
    static const u64 mpidr[CPUS] = {0x80000000, 0x80000001, 0x80000100};
    struct fixture *f = xcalloc(1, sizeof *f);
    struct irq_line wire[CPUS][IRQ_WIRES];
    for (unsigned i = 0; i < CPUS * IRQ_WIRES; i++)
        wire[i / IRQ_WIRES][i % IRQ_WIRES] = (struct irq_line){set_wire, f, i};
    struct irqchip_config cfg = {CPUS, mpidr, wire, accessor, f};
    f->chip = version == 3 ? gicv3_new(&cfg) : gicv2_new(&cfg);
    *state = f;
}
static int setup2(void **state) { make(state, 2); return 0; }
static int setup3(void **state) { make(state, 3); return 0; }
static int teardown(void **state)
{
    struct fixture *f = *state;
    f->chip->ops->free(f->chip);
    free(f);
    return 0;
}

static u64 get(struct fixture *f, unsigned frame, u64 off, unsigned size)
{
    struct irqchip_frame fr;
    u64 v = 0;
    f->chip->ops->frame(f->chip, frame, &fr);
    assert_true(fr.io->read(f->chip, off, size, &v));
    return v;
}
static void put(struct fixture *f, unsigned frame, u64 off, unsigned size, u64 v)
{
    struct irqchip_frame fr;
    f->chip->ops->frame(f->chip, frame, &fr);
    assert_true(fr.io->write(f->chip, off, size, v));
}
static u32 dist(struct fixture *f, u64 off) { return (u32)get(f, DIST, off, 4); }
static void dist_put(struct fixture *f, u64 off, u32 v) { put(f, DIST, off, 4, v); }
static void line(struct fixture *f, unsigned intid, unsigned cpu, bool level)
{
    f->chip->ops->set_line(f->chip, intid, cpu, level);
}
static u64 icc(struct fixture *f, unsigned cpu, u32 enc)
{
    u64 v = ~0ULL;
    assert_true(gicv3_icc_read(gicv3_icc(f->chip, cpu), enc, &v));
    return v;
}
static void icc_put(struct fixture *f, unsigned cpu, u32 enc, u64 v)
{
    assert_true(gicv3_icc_write(gicv3_icc(f->chip, cpu), enc, v));
}
static u64 redist(unsigned cpu, u64 off) { return (u64)cpu << 17 | off; }
static u64 sgi_frame(unsigned cpu, u64 off) { return (u64)cpu << 17 | 0x10000 | off; }

/// As Linux sets a GICv3 up: all group 1, priority 0xa0, CPU awake, PMR open.
static void v3_up(struct fixture *f)
{
    dist_put(f, GICD_CTLR, 0x13);
    for (unsigned i = 1; i < 9; i++)
        dist_put(f, IGROUPR + i * 4, ~0U);
    for (unsigned i = 32; i < IRQ_INTIDS; i += 4)
        dist_put(f, IPRIORITYR + i, 0xa0a0a0a0);
    for (unsigned c = 0; c < CPUS; c++) {
        put(f, SECOND, redist(c, 0x14), 4, 0);
        put(f, SECOND, sgi_frame(c, IGROUPR), 4, ~0U);
        for (unsigned i = 0; i < 32; i += 4)
            put(f, SECOND, sgi_frame(c, IPRIORITYR + i), 4, 0xa0a0a0a0);
        icc_put(f, c, ICC_PMR, 0xf0);
        icc_put(f, c, ICC_IGRPEN1, 1);
    }
}

static void v3_identifies_itself(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(dist(f, GICD_TYPER) & 0x1f, 8);
    assert_int_equal(dist(f, GICD_CTLR), 0x50); /* ARE, DS; groups off */
    assert_int_equal(dist(f, 0xffe8), 0x3b);
    assert_int_equal(get(f, SECOND, redist(0, 0xffe8), 4), 0x3b);
    assert_int_equal(get(f, SECOND, redist(0, 8), 8), 0);
    assert_int_equal(get(f, SECOND, redist(2, 8), 8), 0x100ULL << 32 | 2 << 8 | 1 << 4);
    assert_int_equal(get(f, SECOND, redist(1, 0x14), 4), 0); /* awake */
    assert_int_equal(icc(f, 0, ICC_SRE), 7);
    assert_int_equal(icc(f, 0, ICC_CTLR) >> 8 & 7, 4);
    assert_int_equal(icc(f, 0, ICC_RPR), 0xff);
    icc_put(f, 0, ICC_PMR, 0xff);
    assert_int_equal(icc(f, 0, ICC_PMR), 0xf8);
    icc_put(f, 0, ICC_BPR1, 0);
    assert_int_equal(icc(f, 0, ICC_BPR1), 3);
}

static void v3_registers_have_a_direction(void **state)
{
    struct fixture *f = *state;
    u64 v;
    static const u32 write_only[] = {ICC_EOIR1, ICC_DIR, ICC_SGI1R, ICC_AP1R1};
    static const u32 read_only[] = {ICC_IAR1, ICC_RPR, ICC_HPPIR1, ICC_AP1R1};
    for (unsigned i = 0; i < ARRAY_LEN(write_only); i++)
        assert_false(gicv3_icc_read(gicv3_icc(f->chip, 0), write_only[i], &v));
    for (unsigned i = 0; i < ARRAY_LEN(read_only); i++)
        assert_false(gicv3_icc_write(gicv3_icc(f->chip, 0), read_only[i], 0));
}

static void v3_level_interrupt_is_resampled_after_eoi(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    line(f, 33, 0, true);
    assert_false(f->wire[0][0]); /* not enabled */
    dist_put(f, ISENABLER + 4, 2);
    assert_true(f->wire[0][0]);
    assert_int_equal(icc(f, 0, ICC_HPPIR1), 33);
    assert_int_equal(icc(f, 0, ICC_IAR1), 33);
    assert_false(f->wire[0][0]); /* active, not pending again */
    assert_int_equal(icc(f, 0, ICC_RPR), 0xa0);
    assert_int_equal(dist(f, ISACTIVER + 4), 2);
    icc_put(f, 0, ICC_EOIR1, 33);
    assert_true(f->wire[0][0]); /* the line is still up */
    assert_int_equal(icc(f, 0, ICC_IAR1), 33);
    line(f, 33, 0, false);
    icc_put(f, 0, ICC_EOIR1, 33);
    assert_false(f->wire[0][0]);
    assert_int_equal(icc(f, 0, ICC_IAR1), SPURIOUS);
    assert_int_equal(icc(f, 0, ICC_RPR), 0xff);
}

static void v3_edge_interrupt_is_latched_once(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    dist_put(f, ICFGR + 12, 2 << 0); /* INTID 48 */
    dist_put(f, ISENABLER + 4, 1 << 16);
    line(f, 48, 0, true);
    line(f, 48, 0, false);
    assert_true(f->wire[0][0]);
    assert_int_equal(icc(f, 0, ICC_IAR1), 48);
    line(f, 48, 0, true); /* a new edge while active stays pending */
    icc_put(f, 0, ICC_EOIR1, 48);
    assert_int_equal(icc(f, 0, ICC_IAR1), 48);
    icc_put(f, 0, ICC_EOIR1, 48);
    assert_int_equal(icc(f, 0, ICC_IAR1), SPURIOUS); /* the line is high, but no edge */
}

static void v3_higher_priority_preempts_lower_waits(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    dist_put(f, ISENABLER + 4, 0xff);
    put(f, DIST, IPRIORITYR + 34, 1, 0x40);
    put(f, DIST, IPRIORITYR + 35, 1, 0xc0);
    line(f, 33, 0, true);
    assert_int_equal(icc(f, 0, ICC_IAR1), 33);
    line(f, 35, 0, true);
    assert_false(f->wire[0][0]); /* 0xc0 does not preempt 0xa0 */
    line(f, 34, 0, true);
    assert_true(f->wire[0][0]);
    assert_int_equal(icc(f, 0, ICC_IAR1), 34);
    assert_int_equal(icc(f, 0, ICC_RPR), 0x40);
    line(f, 34, 0, false);
    icc_put(f, 0, ICC_EOIR1, 34);
    assert_int_equal(icc(f, 0, ICC_RPR), 0xa0);
    line(f, 33, 0, false);
    icc_put(f, 0, ICC_EOIR1, 33);
    assert_true(f->wire[0][0]);
    assert_int_equal(icc(f, 0, ICC_IAR1), 35);
}

static void v3_binary_point_groups_priorities(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    dist_put(f, ISENABLER + 4, 0xff);
    icc_put(f, 0, ICC_BPR1, 6); /* group priority: bits 7..6 */
    put(f, DIST, IPRIORITYR + 33, 1, 0xb0);
    put(f, DIST, IPRIORITYR + 34, 1, 0x80);
    put(f, DIST, IPRIORITYR + 35, 1, 0x78);
    line(f, 33, 0, true);
    assert_int_equal(icc(f, 0, ICC_IAR1), 33);
    assert_int_equal(icc(f, 0, ICC_RPR), 0x80);
    line(f, 34, 0, true);
    assert_false(f->wire[0][0]); /* same group priority */
    line(f, 35, 0, true);
    assert_true(f->wire[0][0]);
}

static void v3_pmr_masks(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    dist_put(f, ISENABLER + 4, 2);
    line(f, 33, 0, true);
    icc_put(f, 0, ICC_PMR, 0xa0); /* equal is masked */
    assert_false(f->wire[0][0]);
    assert_int_equal(icc(f, 0, ICC_HPPIR1), 33);
    assert_int_equal(icc(f, 0, ICC_IAR1), SPURIOUS);
    assert_false(f->chip->ops->can_deliver(f->chip, 33, 0));
    icc_put(f, 0, ICC_PMR, 0xa8);
    assert_true(f->wire[0][0]);
    assert_true(f->chip->ops->can_deliver(f->chip, 33, 0));
}

static void v3_eoimode_1_splits_drop_and_deactivation(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    icc_put(f, 0, ICC_CTLR, 2);
    dist_put(f, ISENABLER + 4, 2);
    line(f, 33, 0, true);
    assert_int_equal(icc(f, 0, ICC_IAR1), 33);
    icc_put(f, 0, ICC_EOIR1, 33);
    assert_int_equal(icc(f, 0, ICC_RPR), 0xff);
    assert_int_equal(dist(f, ISACTIVER + 4), 2);
    assert_false(f->wire[0][0]);
    icc_put(f, 0, ICC_DIR, 33);
    assert_int_equal(dist(f, ISACTIVER + 4), 0);
    assert_true(f->wire[0][0]);
}

static void v3_group_0_is_fiq(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    dist_put(f, IGROUPR + 4, ~2U);
    dist_put(f, ISENABLER + 4, 2);
    icc_put(f, 0, ICC_IGRPEN0, 1);
    line(f, 33, 0, true);
    assert_true(f->wire[0][1]);
    assert_false(f->wire[0][0]);
    assert_int_equal(icc(f, 0, ICC_IAR1), SPURIOUS);
    assert_int_equal(icc(f, 0, ICC_IAR0), 33);
    icc_put(f, 0, ICC_EOIR1, 33); /* wrong group: nothing happens */
    assert_int_equal(icc(f, 0, ICC_RPR), 0xa0);
    icc_put(f, 0, ICC_EOIR0, 33);
    assert_int_equal(icc(f, 0, ICC_RPR), 0xff);
}

static void v3_sgi_goes_where_the_list_says(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    for (unsigned c = 0; c < CPUS; c++)
        put(f, SECOND, sgi_frame(c, ISENABLER), 4, 0xffff);
    icc_put(f, 0, ICC_SGI1R, 5ULL << 24 | 1 << 1); /* cluster 0, CPU 1 */
    assert_true(f->wire[1][0]);
    assert_false(f->wire[0][0] || f->wire[2][0]);
    assert_int_equal(icc(f, 1, ICC_IAR1), 5);
    icc_put(f, 1, ICC_EOIR1, 5);
    icc_put(f, 0, ICC_SGI1R, 6ULL << 24 | 1ULL << 16 | 1); /* affinity 0.1.0 */
    assert_int_equal(icc(f, 2, ICC_IAR1), 6);
    icc_put(f, 1, ICC_SGI1R, 1ULL << 40 | 7ULL << 24); /* all but self */
    assert_true(f->wire[0][0]);
    assert_false(f->wire[1][0]);
    assert_int_equal(icc(f, 0, ICC_IAR1), 7);
}

static void v3_spi_follows_its_route(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    dist_put(f, ISENABLER + 4, 2);
    put(f, DIST, IROUTER + 33 * 8, 8, 0x100);
    assert_int_equal(get(f, DIST, IROUTER + 33 * 8, 8), 0x100);
    line(f, 33, 0, true);
    assert_true(f->wire[2][0]);
    assert_false(f->wire[0][0]);
    put(f, DIST, IROUTER + 33 * 8, 8, 0x7700); /* nobody */
    assert_false(f->wire[2][0]);
    put(f, DIST, IROUTER + 33 * 8, 8, 1);
    assert_true(f->wire[1][0]);
}

static void v3_ppi_is_private_and_sleep_holds_it(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    put(f, SECOND, sgi_frame(1, ISENABLER), 4, 1 << 27);
    line(f, 27, 0, true);
    assert_false(f->wire[0][0]);
    line(f, 27, 1, true);
    assert_true(f->wire[1][0]);
    put(f, SECOND, redist(1, 0x14), 4, 2);
    assert_false(f->wire[1][0]);
}

static void v3_software_pending_and_active_bits(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    dist_put(f, ISENABLER + 4, 4);
    dist_put(f, ISPENDR + 4, 4);
    assert_true(f->wire[0][0]);
    assert_int_equal(dist(f, ICPENDR + 4), 4);
    dist_put(f, ICPENDR + 4, 4);
    assert_false(f->wire[0][0]);
    line(f, 34, 0, true);
    dist_put(f, ICPENDR + 4, 4); /* the line holds it */
    assert_true(f->wire[0][0]);
    dist_put(f, ISACTIVER + 4, 4);
    assert_false(f->wire[0][0]);
    dist_put(f, ICACTIVER + 4, 4);
    assert_true(f->wire[0][0]);
}

/* ---- GICv2 ---- */

static u32 gicc(struct fixture *f, u64 off) { return (u32)get(f, SECOND, off, 4); }
static void gicc_put(struct fixture *f, u64 off, u32 v) { put(f, SECOND, off, 4, v); }

static void v2_up(struct fixture *f)
{
    dist_put(f, GICD_CTLR, 1);
    for (unsigned i = 32; i < IRQ_INTIDS; i += 4) {
        dist_put(f, IPRIORITYR + i, 0xa0a0a0a0);
        dist_put(f, ITARGETSR + i, 0x01010101);
    }
    for (f->cpu = CPUS; f->cpu-- > 0;) {
        for (unsigned i = 0; i < 32; i += 4)
            dist_put(f, IPRIORITYR + i, 0xa0a0a0a0);
        gicc_put(f, GICC_PMR, 0xf0);
        gicc_put(f, GICC_CTLR, 1);
    }
    f->cpu = 0;
}

static void v2_identifies_itself(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(dist(f, GICD_TYPER), 8 | (CPUS - 1) << 5);
    assert_int_equal(dist(f, 0xfe8), 0x2b);
    assert_int_equal(gicc(f, 0xfc) >> 16, 0x0202);
    f->cpu = 1;
    assert_int_equal(dist(f, ITARGETSR), 0x02020202);
    dist_put(f, ICENABLER, ~0U);
    assert_int_equal(dist(f, ISENABLER) & 0xffff, 0xffff); /* SGIs are always on */
}

static void v2_spi_is_acknowledged_and_ended(void **state)
{
    struct fixture *f = *state;
    v2_up(f);
    dist_put(f, ISENABLER + 4, 2);
    line(f, 33, 0, true);
    assert_true(f->wire[0][0]);
    assert_int_equal(gicc(f, GICC_HPPIR), 33);
    assert_int_equal(gicc(f, GICC_IAR), 33);
    assert_int_equal(gicc(f, GICC_RPR), 0xa0);
    line(f, 33, 0, false);
    gicc_put(f, GICC_EOIR, 33);
    assert_int_equal(gicc(f, GICC_RPR), 0xff);
    assert_int_equal(gicc(f, GICC_IAR), SPURIOUS);
}

static void v2_sgi_tells_its_source(void **state)
{
    struct fixture *f = *state;
    v2_up(f);
    f->cpu = 1;
    dist_put(f, SGIR, 1 << 16 | 3);
    f->cpu = 2;
    dist_put(f, SGIR, 1 << 16 | 3);
    assert_true(f->wire[0][0]);
    f->cpu = 0;
    assert_int_equal(gicc(f, GICC_IAR), 1 << 10 | 3);
    gicc_put(f, GICC_EOIR, 1 << 10 | 3);
    assert_int_equal(gicc(f, GICC_IAR), 2 << 10 | 3);
    gicc_put(f, GICC_EOIR, 2 << 10 | 3);
    assert_int_equal(gicc(f, GICC_IAR), SPURIOUS);
    dist_put(f, SGIR, 2 << 24 | 4); /* self */
    assert_int_equal(gicc(f, GICC_IAR), 4);
}

static void v2_targets_and_groups(void **state)
{
    struct fixture *f = *state;
    v2_up(f);
    dist_put(f, ISENABLER + 4, 2);
    put(f, DIST, ITARGETSR + 33, 1, 4);
    line(f, 33, 0, true);
    assert_true(f->wire[2][0]);
    assert_false(f->wire[0][0]);
    f->cpu = 2;
    dist_put(f, GICD_CTLR, 3);
    gicc_put(f, GICC_CTLR, 0xb); /* both groups, group 0 as FIQ */
    assert_true(f->wire[2][1]);
    dist_put(f, IGROUPR + 4, 2);
    assert_true(f->wire[2][0]);
    assert_false(f->wire[2][1]);
    assert_int_equal(gicc(f, GICC_IAR), 1022);
    assert_int_equal(gicc(f, GICC_AIAR), 33);
    line(f, 33, 0, false);
    gicc_put(f, GICC_AEOIR, 33);
    assert_int_equal(gicc(f, GICC_RPR), 0xff);
}

static void v2_eoimode_1_needs_dir(void **state)
{
    struct fixture *f = *state;
    v2_up(f);
    gicc_put(f, GICC_CTLR, 0x201);
    dist_put(f, ISENABLER + 4, 2);
    line(f, 33, 0, true);
    assert_int_equal(gicc(f, GICC_IAR), 33);
    gicc_put(f, GICC_EOIR, 33);
    assert_false(f->wire[0][0]);
    gicc_put(f, GICC_DIR, 33);
    assert_true(f->wire[0][0]);
}

/* ---- both ---- */

static void state_survives_saving(void **state)
{
    struct fixture *f = *state;
    v3_up(f);
    dist_put(f, ISENABLER + 4, 2);
    line(f, 33, 0, true);
    struct state s = {0};
    f->chip->ops->state(f->chip, &s);
    size_t len = s.pos;
    f->chip->ops->reset(f->chip);
    assert_false(f->wire[0][0]);
    s = (struct state){.is_loading = true, .data = s.data, .len = len};
    f->chip->ops->state(f->chip, &s);
    assert_false(s.is_bad);
    assert_true(f->wire[0][0]);
    assert_int_equal(icc(f, 0, ICC_IAR1), 33);
    free(s.data);
}

/// No script may harm the host, and after one a reset brings a chip that works.
static void script(struct fixture *f, u64 rng, unsigned steps)
{
    struct irqchip_frame fr[2];
    f->chip->ops->frame(f->chip, 0, &fr[0]);
    f->chip->ops->frame(f->chip, 1, &fr[1]);
    for (unsigned i = 0; i < steps; i++) {
        u64 r = rng_next(&rng), v = 0;
        unsigned w = r & 1, size = 1U << (r >> 1 & 3);
        u64 off = (r >> 8) % fr[w].size & ~(u64)(size - 1);
        if (r >> 3 & 3)
            off &= 0xfff;
        f->cpu = (unsigned)(r >> 32) % CPUS;
        if (size <= fr[w].io->max_size && r >> 5 & 1)
            fr[w].io->write(f->chip, off, size, rng_next(&rng));
        else if (size <= fr[w].io->max_size)
            fr[w].io->read(f->chip, off, size, &v);
        line(f, (unsigned)(r >> 40) % 300, (unsigned)(r >> 52) % 5, r >> 60 & 1);
    }
    f->cpu = 0;
}

static void v3_hostile_scripts_do_no_harm(void **state)
{
    struct fixture *f = *state;
    u64 rng = 7;
    script(f, 99, 100000);
    for (unsigned i = 0; i < 100000; i++) {
        u64 r = rng_next(&rng), v;
        u32 enc = ICC(12, 8 + (r & 7), r >> 3 & 7);
        if (r >> 8 & 1)
            gicv3_icc_write(gicv3_icc(f->chip, r >> 9 & 1), enc, rng_next(&rng) & (r >> 10 & 1 ? ~0ULL : 0x3ff));
        else
            gicv3_icc_read(gicv3_icc(f->chip, r >> 9 & 1), enc, &v);
    }
    for (unsigned i = 16; i < IRQ_INTIDS; i++)
        for (unsigned c = 0; c < CPUS; c++)
            line(f, i, c, false);
    f->chip->ops->reset(f->chip);
    v3_level_interrupt_is_resampled_after_eoi(state);
}

static void v2_hostile_scripts_do_no_harm(void **state)
{
    struct fixture *f = *state;
    script(f, 1234, 200000);
    for (unsigned i = 16; i < IRQ_INTIDS; i++)
        for (unsigned c = 0; c < CPUS; c++)
            line(f, i, c, false);
    f->chip->ops->reset(f->chip);
    v2_spi_is_acknowledged_and_ended(state);
}

int main(void)
{
#define T2(f) cmocka_unit_test_setup_teardown(f, setup2, teardown)
#define T3(f) cmocka_unit_test_setup_teardown(f, setup3, teardown)
    const struct CMUnitTest tests[] = {
        T3(v3_identifies_itself), T3(v3_registers_have_a_direction),
        T3(v3_level_interrupt_is_resampled_after_eoi), T3(v3_edge_interrupt_is_latched_once),
        T3(v3_higher_priority_preempts_lower_waits), T3(v3_binary_point_groups_priorities),
        T3(v3_pmr_masks), T3(v3_eoimode_1_splits_drop_and_deactivation), T3(v3_group_0_is_fiq),
        T3(v3_sgi_goes_where_the_list_says), T3(v3_spi_follows_its_route),
        T3(v3_ppi_is_private_and_sleep_holds_it), T3(v3_software_pending_and_active_bits),
        T3(state_survives_saving), T3(v3_hostile_scripts_do_no_harm),
        T2(v2_identifies_itself), T2(v2_spi_is_acknowledged_and_ended),
        T2(v2_sgi_tells_its_source), T2(v2_targets_and_groups), T2(v2_eoimode_1_needs_dir),
        T2(v2_hostile_scripts_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
