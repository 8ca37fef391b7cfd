/// The `virt` board: one table of addresses and interrupts from which the bus and the device tree
/// are built. The map is that of QEMU's machine of the same name.
#include "board/priv.h"

/// Bases of the interrupt controller's two windows.
gpa_t virt_chip_base(unsigned gic, unsigned frame)
{
    static const gpa_t base[2][2] = {{0x08000000, 0x08010000}, {0x08000000, 0x080a0000}};
    return base[gic == 3][frame];
}

static struct irq_line spi_line(struct machine *m, int spi)
{
    return (struct irq_line){board_set_spi, m, (unsigned)spi};
}

static bool uart_can_wake(const void *dev) { return pl011_can_wake(dev); }
static bool rtc_can_wake(const void *dev) { return pl031_can_wake(dev); }
static void uart_free(void *dev) { pl011_free(dev); }
static void rtc_free(void *dev) { pl031_free(dev); }
static void gpio_free(void *dev) { pl061_free(dev); }
static void fw_cfg_gone(void *dev) { fw_cfg_free(dev); }

static void *make_uart(struct machine *m, struct irq_line irq)
{
    m->uart = pl011_new(m->cfg.serial, irq);
    pl011_set_tap(m->uart, board_console_byte, m);
    return m->uart;
}
static void *make_rtc(struct machine *m, struct irq_line irq) { return pl031_new(&m->host, irq); }
static void *make_gpio(struct machine *m, struct irq_line irq)
{
    return m->gpio = pl061_new(&m->host, irq);
}
static void *make_fw_cfg(struct machine *m, struct irq_line irq)
{
    return m->fw_cfg = fw_cfg_new(m->mem);
}

/// base, SPI, device, how it is made, whether it can end an idle wait, how it goes.
static const struct {
    gpa_t base;
    int spi;
    bool is_edge;
    const struct device_ops *ops;
    void *(*make)(struct machine *m, struct irq_line irq);
    bool (*can_wake)(const void *dev);
    void (*free)(void *dev);
} map[] = {
    {0x09000000, 1, false, &pl011_ops, make_uart, uart_can_wake, uart_free},
    {0x09010000, 2, false, &pl031_ops, make_rtc, rtc_can_wake, rtc_free},
    {0x09020000, -1, false, &fw_cfg_ops, make_fw_cfg, NULL, fw_cfg_gone},
    {0x09030000, 7, false, &pl061_ops, make_gpio, NULL, gpio_free},
};

static bool add_chip(struct machine *m, struct err *e)
{
    for (unsigned i = 0; i < m->chip->ops->frame_count; i++) {
        struct irqchip_frame f;
        m->chip->ops->frame(m->chip, i, &f);
        m->chip_base[i] = virt_chip_base(m->cfg.gic, i);
        if (!mem_add_mmio(m->mem, m->chip_base[i], f.size, f.name, f.io, m->chip, e))
            return false;
    }
    return true;
}

bool virt_build(struct machine *m, struct err *e)
{
    if (!add_chip(m, e))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(map); i++) {
        struct board_device *d = &m->device[m->device_count++];
        *d = (struct board_device){.name = map[i].ops->name,
                                   .ops = map[i].ops,
                                   .dev = map[i].make(m, spi_line(m, map[i].spi)),
                                   .base = map[i].base,
                                   .size = map[i].ops->size,
                                   .spi = map[i].spi,
                                   .is_edge = map[i].is_edge,
                                   .can_wake = map[i].can_wake,
                                   .free = map[i].free};
        if (!mem_add_mmio(m->mem, d->base, d->size, d->name, &d->ops->io, d->dev, e))
            return false;
    }
    return true;
}
