/// The `virt` board: one table of addresses and interrupts from which the bus and the device tree
/// are built. The map is that of QEMU's machine of the same name.
#include "board/priv.h"
#include "virtio/devices.h"

#include <stdio.h>

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
    m->fw_cfg = fw_cfg_new(m->mem);
    if (m->cfg.ramfb)
        m->ramfb = ramfb_new(m->fw_cfg);
    return m->fw_cfg;
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

/* ---- virtio: slots are given in order, disks first, so that disk 0 is vda ---- */

enum { VIRTIO_SLOTS = 32, VIRTIO_SPI_FIRST = 16, VIRTIO_SLOT_SIZE = 0x200 };
#define VIRTIO_BASE 0x0a000000ULL

static void gone_virtio(void *dev) { virtio_free(dev); }

static bool add_virtio(struct machine *m, const struct virtio_device_ops *ops, void *core,
                       struct err *e)
{
    unsigned slot = m->virtio_count;
    int spi = VIRTIO_SPI_FIRST + (int)slot;
    struct board_device *d = &m->device[m->device_count];
    struct virtio *v = virtio_new(ops, core, m->mem, spi_line(m, spi), m->cfg.virtio_legacy);
    if (slot == VIRTIO_SLOTS || m->device_count == BOARD_DEVICES_MAX) {
        virtio_free(v);
        return err_set(e, ERR_USAGE, "%s: more than %d virtio devices", ops->name, VIRTIO_SLOTS);
    }
    *d = (struct board_device){.name = ops->name,
                               .ops = &virtio_mmio_ops,
                               .dev = v,
                               .base = VIRTIO_BASE + slot * VIRTIO_SLOT_SIZE,
                               .size = VIRTIO_SLOT_SIZE,
                               .spi = spi,
                               .is_edge = true,
                               .can_wake = virtio_can_wake,
                               .free = gone_virtio};
    m->virtio_count++;
    m->device_count++;
    return mem_add_mmio(m->mem, d->base, d->size, d->name, &d->ops->io, d->dev, e);
}

static void net_ready(void *ctx)
{
    struct machine *m = ctx;
    os_mutex_lock(&m->lock);
    if (m->net_card)
        virtio_net_ready(m->net_card);
    os_mutex_unlock(&m->lock);
}

static bool add_net(struct machine *m, struct err *e)
{
    static const u8 mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    const char *kind = m->cfg.net;
    if (!kind || !strcmp(kind, "none"))
        return true;
    if (strcmp(kind, "user"))
        return err_set(e, ERR_USAGE, "net %s: user or none is wanted", kind);
    if (m->cfg.deterministic)
        return err_set(e, ERR_USAGE, "net %s: a deterministic machine has no network", kind);
    struct net *n = net_open_user(m->cfg.net_forward, m->poll, net_ready, m, e);
    if (!n)
        return false;
    m->net_card = virtio_net_new(n, mac);
    return add_virtio(m, &virtio_net_ops, m->net_card, e);
}

static void hvc_ready(void *ctx)
{
    struct machine *m = ctx;
    os_mutex_lock(&m->lock);
    virtio_console_ready(m->hvc);
    os_mutex_unlock(&m->lock);
}

static bool add_hvc(struct machine *m, struct err *e)
{
    if (!m->cfg.hvc)
        return true;
    if (m->cfg.deterministic)
        return err_set(e, ERR_USAGE, "virtio-console: a deterministic machine has none (its input comes when the host likes)");
    m->hvc_timer = os_timer_new(m->poll, hvc_ready, m, e);
    if (!m->hvc_timer)
        return false;
    void *core = virtio_console_new(m->cfg.hvc);
    virtio_console_set_timer(core, m->hvc_timer);
    if (m->cfg.hvc_is_console)
        virtio_console_set_tap(core, board_console_byte, m);
    if (!add_virtio(m, &virtio_console_ops, core, e))
        return false;
    m->hvc = core;
    return chr_attach(m->cfg.hvc, m->poll, hvc_ready, m, e);
}

static bool add_virtio_devices(struct machine *m, struct err *e)
{
    for (unsigned i = 0; i < m->cfg.disk_count; i++) {
        char serial[24];
        struct block *b = block_open_raw(m->cfg.disk[i].path, m->cfg.disk[i].read_only, e);
        snprintf(serial, sizeof serial, "bruin-disk-%u", i);
        if (!b || !add_virtio(m, &virtio_blk_ops, virtio_blk_new(b, serial), e))
            return false;
    }
    return add_net(m, e) && add_virtio(m, &virtio_rng_ops, virtio_rng_new(&m->rng), e) && add_hvc(m, e);
}

/* ---- flash: code at 0, variables after it ---- */

static void flash_gone(void *dev) { cfi_flash_free(dev); }

static bool add_flash(struct machine *m, struct err *e)
{
    static const char *const name[2] = {"flash-code", "flash-vars"};
    /* U-Boot loaded flat reads its environment from the second chip: blank, and read-only. The first is
       left out, so that address 0 is nothing and null pointers fault. */
    if (!m->cfg.flash)
        return mem_add_rom(m->mem, CFI_FLASH_SIZE, CFI_FLASH_SIZE, name[1], e);
    for (unsigned i = 0; i < 2; i++) {
        gpa_t base = i * CFI_FLASH_SIZE;
        struct board_device *d = &m->device[m->device_count++];
        m->flash[i] = cfi_flash_new(m->mem);
        *d = (struct board_device){.name = name[i], .ops = &cfi_flash_ops, .dev = m->flash[i],
                                   .base = base, .size = CFI_FLASH_SIZE, .spi = -1,
                                   .free = flash_gone};
        if (!mem_add_flash(m->mem, base, CFI_FLASH_SIZE, name[i], &cfi_flash_ops.io, m->flash[i], e))
            return false;
        cfi_flash_attach(m->flash[i], mem_host(m->mem, base, CFI_FLASH_SIZE));
    }
    return !m->cfg.flash_vars || cfi_flash_open(m->flash[1], m->cfg.flash_vars, e);
}

bool virt_build(struct machine *m, struct err *e)
{
    if (!add_chip(m, e) || !add_flash(m, e))
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
    return add_virtio_devices(m, e);
}
