/// Register scripts: accesses of every width to every device, with input and time in between, then
/// the state saved and loaded.
#include "chr/chr.h"
#include "dev/cfi_flash.h"
#include "dev/dev.h"
#include "dev/fw_cfg.h"
#include "dev/pl011.h"
#include "dev/pl031.h"
#include "dev/pl061.h"
#include "fuzz.h"
#include "irq/irqchip.h"

#include <stdlib.h>

enum { CPUS = 2, ACCESSES_MAX = 512 };

struct world {
    u64 now;
    u64 mpidr[CPUS];
    struct irq_line wire[CPUS][IRQ_WIRES];
};

static u64 now_ns(void *ctx) { return ((struct world *)ctx)->now; }
static u64 wall_s(void *ctx) { return 1000000000 + ((struct world *)ctx)->now / 1000000000; }
static unsigned current_cpu(void *ctx) { return (unsigned)((struct world *)ctx)->now & 1; }
static void no_wire(void *ctx, unsigned n, bool level) {}

static void access_frame(struct input *in, void *dev, const struct mmio_ops *io, u64 size)
{
    u64 v = 0;
    unsigned how = (unsigned)take(in, 1), width = 1u << (how >> 1 & 3);
    if (width < io->min_size || width > io->max_size)
        width = io->min_size;
    u64 off = take(in, 3) % (size / width) * width;
    if (how & 1)
        io->write(dev, off, width, take(in, width));
    else
        io->read(dev, off, width, &v);
}

/// Saves, loads what was saved, then loads bytes of the input.
static void state_round(struct input *in, void (*state)(void *, struct state *), void *dev)
{
    struct state s = {0};
    state(dev, &s);
    struct state good = {.is_loading = true, .data = s.data, .len = s.len};
    state(dev, &good);
    if (good.is_bad)
        abort();
    for (size_t k = 0; k < s.len && in->len; k++)
        s.data[k] ^= (u8)take(in, 1);
    struct state hostile = {.is_loading = true, .data = s.data, .len = s.len};
    state(dev, &hostile);
    free(s.data);
}

static void gic_state(void *dev, struct state *s)
{
    struct irqchip *c = dev;
    c->ops->state(c, s);
}

static void run_gic(struct input *in, struct world *w, bool v3)
{
    struct irqchip_config cfg = {.cpus = CPUS,
                                 .mpidr = w->mpidr,
                                 .wire = (const struct irq_line(*)[IRQ_WIRES])w->wire,
                                 .current_cpu = current_cpu,
                                 .current_ctx = w};
    struct irqchip *c = v3 ? gicv3_new(&cfg) : gicv2_new(&cfg);
    for (int k = 0; k < ACCESSES_MAX && in->len; k++) {
        unsigned what = (unsigned)take(in, 1);
        struct irqchip_frame f;
        u64 v;
        w->now = what >> 7;
        if (what % 8 == 0)
            c->ops->set_line(c, 16 + (unsigned)take(in, 2) % (IRQ_INTIDS - 16), w->now & 1, what & 64);
        else if (what % 8 == 1 && v3 && what & 64)
            gicv3_icc_write(gicv3_icc(c, w->now & 1), 0xc000 | (u32)(take(in, 3) & 0x33fff),
                            take(in, 8));
        else if (what % 8 == 1 && v3)
            gicv3_icc_read(gicv3_icc(c, w->now & 1), 0xc000 | (u32)(take(in, 3) & 0x33fff), &v);
        else {
            c->ops->frame(c, what / 8 % c->ops->frame_count, &f);
            access_frame(in, c, f.io, f.size);
        }
    }
    state_round(in, gic_state, c);
    c->ops->free(c);
}

static void run_device(struct input *in, const struct device_ops *ops, void *dev,
                       struct dev_host *host, struct chr *chr)
{
    struct world *w = host->ctx;
    ops->reset(dev);
    for (int k = 0; k < ACCESSES_MAX && in->len; k++) {
        unsigned what = (unsigned)take(in, 1);
        u8 byte[16];
        if (what % 8 == 0 && chr != NULL) {
            u64 v = take(in, 8);
            memcpy(byte, &v, 8);
            chr_ring_input(chr, byte, 1 + what / 8 % 8);
            pl011_ready(dev);
        } else if (what % 8 == 1) {
            w->now += take(in, 5);
            dev_timers_run(host, w->now);
        } else
            access_frame(in, dev, &ops->io, ops->size);
    }
    state_round(in, ops->state, dev);
}

/// Selector, data and DMA; some requests lie in RAM as the input has them.
static void run_fw_cfg(struct input *in, struct dev_host *host)
{
    struct err e = {0};
    u8 request[64];
    struct mem *m = mem_new();
    struct fw_cfg *f = fw_cfg_new(m);
    FUZZ_CHECK(mem_add_ram(m, 0x40000000, 64 * KIB, "ram", &e) &&
               fw_cfg_add_file(f, "opt/a", "content", 7));
    for (size_t k = 0; k < sizeof request; k++)
        request[k] = (u8)take(in, 1);
    FUZZ_CHECK(mem_load(m, 0x40000000, request, sizeof request));
    for (u64 at = 0x40000000; at < 0x40000000 + sizeof request; at += 16)
        fw_cfg_ops.io.write(f, 16, 8, __builtin_bswap64(at));
    run_device(in, &fw_cfg_ops, f, host, NULL);
    fw_cfg_free(f);
    mem_free(m);
}

static void run_flash(struct input *in, struct dev_host *host)
{
    struct err e = {0};
    struct mem *m = mem_new();
    struct cfi_flash *f = cfi_flash_new(m);
    FUZZ_CHECK(mem_add_flash(m, 0, CFI_FLASH_SIZE, "flash", &cfi_flash_ops.io, f, &e));
    cfi_flash_attach(f, mem_host(m, 0, CFI_FLASH_SIZE));
    run_device(in, &cfi_flash_ops, f, host, NULL);
    cfi_flash_free(f);
    mem_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w = {.mpidr = {0, 1}};
    struct dev_host host = {.ctx = &w, .now_ns = now_ns, .wall_s = wall_s};
    struct irq_line line = {.set = no_wire};
    for (int k = 0; k < CPUS; k++)
        for (unsigned n = 0; n < IRQ_WIRES; n++)
            w.wire[k][n] = line;
    switch (take(&in, 1) % 7) {
    case 0: run_gic(&in, &w, false); break;
    case 1: run_gic(&in, &w, true); break;
    case 2: {
        struct chr *chr = chr_ring_new(4096);
        struct pl011 *u = pl011_new(chr, line);
        run_device(&in, &pl011_ops, u, &host, chr);
        pl011_free(u);
        chr_free(chr);
        break;
    }
    case 3: {
        struct pl031 *r = pl031_new(&host, line);
        run_device(&in, &pl031_ops, r, &host, NULL);
        pl031_free(r);
        break;
    }
    case 4: run_fw_cfg(&in, &host); break;
    case 5: run_flash(&in, &host); break;
    default: {
        struct pl061 *g = pl061_new(&host, line);
        run_device(&in, &pl061_ops, g, &host, NULL);
        pl061_free(g);
        break;
    }
    }
    return 0;
}
