/// ACPI tables of the board: what the device tree says, for systems that want it this way. Sources: "Advanced
/// Configuration and Power Interface Specification" 6.4; Arm DEN 0094 "Base Boot Requirements"; Microsoft,
/// "Serial Port Console Redirection Table". The hardware-reduced profile with PSCI.
#include "board/priv.h"

#include <stdio.h>

enum { HEADER = 36, RSDP = 36, SPI_FIRST = 32, GIC_V2 = 2, GIC_V3 = 3 };
enum { PPI_VIRTUAL = 27, PPI_HYP_PHYSICAL = 26, PPI_SECURE = 29, PPI_PHYSICAL = 30, PPI_HYP_VIRTUAL = 28, PPI_MAINTENANCE = 25 };
enum { FADT_LEN = 276, GTDT_LEN = 104, SPCR_LEN = 80, GICC_LEN = 80, GICD_LEN = 24, GICR_LEN = 16 };

/// Bytes being written, with the address they will have. Pieces are at most sizeof sink.
struct out {
    u8 *p;
    u64 used, cap;
    gpa_t base;
    bool is_full;
    u8 sink[512]; ///< where what does not fit goes
};
static u8 *take(struct out *o, u64 n)
{
    if (!range_ok(o->used, n, o->cap)) {
        o->is_full = true;
        return o->sink;
    }
    u8 *at = o->p + o->used;
    memset(at, 0, n);
    o->used += n;
    return at;
}
static void put8(struct out *o, u8 v) { *take(o, 1) = v; }
static void put32(struct out *o, u32 v) { st32(take(o, 4), v); }
static void put64(struct out *o, u64 v) { st64(take(o, 8), v); }
static void put_bytes(struct out *o, const void *p, u64 n) { memcpy(take(o, n), p, n); }

static u8 sum_of(const u8 *p, u64 n)
{
    u8 s = 0;
    while (n--)
        s = (u8)(s + *p++);
    return (u8)-s;
}

/// Begins a table on an 8-byte boundary. ret  its offset
static u64 begin(struct out *o, const char *signature, u8 revision)
{
    o->used = align_up(o->used, 8);
    u64 at = o->used;
    u8 *h = take(o, HEADER);
    memcpy(h, signature, 4);
    h[8] = revision;
    memcpy(h + 10, "BRUIN VIRT    ", 14);
    st32(h + 24, 1);
    memcpy(h + 28, "BRUN", 4);
    st32(h + 32, 1);
    return at;
}
static gpa_t end(struct out *o, u64 at)
{
    if (o->is_full)
        return 0;
    st32(o->p + at + 4, (u32)(o->used - at));
    o->p[at + 9] = sum_of(o->p + at, o->used - at);
    return o->base + at;
}

/* ---- AML: ACPI, "ACPI Machine Language (AML) Specification" ---- */

enum { AML_NAME = 0x08, AML_BYTE = 0x0a, AML_DWORD = 0x0c, AML_STRING = 0x0d, AML_SCOPE = 0x10, AML_BUFFER = 0x11,
       AML_EXT = 0x5b, AML_DEVICE = 0x82, AML_ONE = 0x01 };

/// A package length in its longest form, filled in by aml_close.
static u64 aml_open(struct out *o)
{
    u64 at = o->used;
    take(o, 4);
    return at;
}
static void aml_close(struct out *o, u64 at)
{
    u64 n = o->used - at;
    if (o->is_full)
        return;
    o->p[at] = (u8)(0xc0 | (n & 15));
    o->p[at + 1] = (u8)(n >> 4);
    o->p[at + 2] = (u8)(n >> 12);
    o->p[at + 3] = (u8)(n >> 20);
}
static void aml_name(struct out *o, const char *name)
{
    put8(o, AML_NAME);
    put_bytes(o, name, 4);
}
static void aml_int(struct out *o, u32 v)
{
    put8(o, AML_DWORD);
    put32(o, v);
}
/// _CRS of one memory range and, if spi >= 0, one interrupt.
static void aml_resources(struct out *o, const struct board_device *d)
{
    u8 r[32], *p = r;
    static const u8 fixed[] = {0x86, 9, 0, 1}, irq[] = {0x89, 6, 0}; /* Memory32Fixed, read-write; Interrupt */
    memcpy(p, fixed, sizeof fixed);
    st32(p + 4, (u32)d->base);
    st32(p + 8, (u32)d->size);
    p += 12;
    if (d->spi >= 0) {
        memcpy(p, irq, sizeof irq);
        p[3] = d->is_edge ? 3 : 1; /* consumer; edge; active high */
        p[4] = 1;
        st32(p + 5, (u32)d->spi + SPI_FIRST);
        p += 9;
    }
    *p++ = 0x79; /* end tag, no checksum */
    *p++ = 0;
    aml_name(o, "_CRS");
    put8(o, AML_BUFFER);
    u64 at = aml_open(o);
    put8(o, AML_BYTE);
    put8(o, (u8)(p - r));
    put_bytes(o, r, (u64)(p - r));
    aml_close(o, at);
}
static void aml_device(struct out *o, const char *name, const char *hid, u32 uid, const struct board_device *d)
{
    put8(o, AML_EXT);
    put8(o, AML_DEVICE);
    u64 at = aml_open(o);
    put_bytes(o, name, 4);
    aml_name(o, "_HID");
    put8(o, AML_STRING);
    put_bytes(o, hid, strlen(hid) + 1);
    aml_name(o, "_UID");
    aml_int(o, uid);
    if (d) {
        aml_name(o, "_CCA");
        put8(o, AML_ONE);
        aml_resources(o, d);
    }
    aml_close(o, at);
}

static gpa_t make_dsdt(struct out *o, const struct machine *m)
{
    u64 table = begin(o, "DSDT", 2);
    char name[16];
    put8(o, AML_SCOPE);
    u64 at = aml_open(o);
    put_bytes(o, "\\_SB_", 5);
    for (u32 i = 0; i < m->cfg.cpus; i++) {
        snprintf(name, sizeof name, "C%03X", i);
        aml_device(o, name, "ACPI0007", i, NULL);
    }
    u32 virtio = 0;
    for (u32 i = 0; i < m->device_count; i++) {
        const struct board_device *d = &m->device[i];
        snprintf(name, sizeof name, "VR%02X", virtio);
        if (d->ops == &pl011_ops)
            aml_device(o, "COM0", "ARMH0011", 0, d);
        else if (d->ops == &fw_cfg_ops)
            aml_device(o, "FWCF", "QEMU0002", 0, d);
        else if (strcmp(d->ops->node, "virtio_mmio") == 0)
            aml_device(o, name, "LNRO0005", virtio++, d);
    }
    aml_close(o, at);
    return end(o, table);
}

/* ---- the fixed tables ---- */

static gpa_t make_fadt(struct out *o, const struct machine *m, gpa_t dsdt)
{
    enum { HW_REDUCED = 1 << 20, PSCI = 1, PSCI_HVC = 2 };
    u64 at = begin(o, "FACP", 6);
    u8 *t = take(o, FADT_LEN - HEADER) - HEADER;
    st32(t + 112, HW_REDUCED);
    st16(t + 129, m->cfg.el == 2 ? PSCI : PSCI | PSCI_HVC);
    t[131] = 3; /* minor version */
    st64(t + 140, dsdt);
    memcpy(t + 268, "BRUIN", 5);
    return end(o, at);
}

static void put_gicc(struct out *o, const struct machine *m, u32 i)
{
    u8 *g = take(o, GICC_LEN);
    u64 mpidr = m->vcpu[i].cpu->sr[SYSREG_MPIDR_EL1];
    g[0] = 11;
    g[1] = GICC_LEN;
    st32(g + 4, i);
    st32(g + 8, i);
    st32(g + 12, 1); /* enabled */
    if (m->cfg.gic == GIC_V2)
        st64(g + 32, m->chip_base[1]);
    st32(g + 56, m->cfg.el == 2 ? PPI_MAINTENANCE : 0);
    st64(g + 68, mpidr & 0xff00ffffffULL);
}
static gpa_t make_madt(struct out *o, const struct machine *m)
{
    u64 at = begin(o, "APIC", 5);
    put64(o, 0);
    u8 *d = take(o, GICD_LEN);
    d[0] = 12;
    d[1] = GICD_LEN;
    st64(d + 8, m->chip_base[0]);
    d[20] = (u8)m->cfg.gic;
    for (u32 i = 0; i < m->cfg.cpus; i++)
        put_gicc(o, m, i);
    for (u32 i = 1; m->cfg.gic == GIC_V3 && i < m->chip->ops->frame_count && i < 2; i++) {
        struct irqchip_frame f;
        m->chip->ops->frame(m->chip, i, &f);
        u8 *r = take(o, GICR_LEN);
        r[0] = 14;
        r[1] = GICR_LEN;
        st64(r + 4, m->chip_base[i]);
        st32(r + 12, (u32)f.size);
    }
    return end(o, at);
}

static gpa_t make_gtdt(struct out *o, const struct machine *m)
{
    enum { ALWAYS_ON = 4 }; /* level triggered, active high */
    u64 at = begin(o, "GTDT", 3);
    static const u32 gsi[4] = {PPI_SECURE, PPI_PHYSICAL, PPI_VIRTUAL, PPI_HYP_PHYSICAL};
    put64(o, ~0ULL); /* no CntControlBase */
    put32(o, 0);
    for (u32 i = 0; i < 4; i++) {
        put32(o, gsi[i]);
        put32(o, ALWAYS_ON);
    }
    put64(o, ~0ULL); /* no CntReadBase */
    put32(o, 0);
    put32(o, 0);
    put32(o, m->cfg.el == 2 && m->cfg.vhe ? PPI_HYP_VIRTUAL : 0);
    put32(o, m->cfg.el == 2 && m->cfg.vhe ? ALWAYS_ON : 0);
    return end(o, at);
}

static gpa_t make_spcr(struct out *o, const struct board_device *uart)
{
    u64 at = begin(o, "SPCR", 2);
    u8 *t = take(o, SPCR_LEN - HEADER) - HEADER;
    t[36] = 3; /* PL011 */
    t[40] = 0; /* memory */
    t[41] = 32;
    t[43] = 3;
    st64(t + 44, uart->base);
    t[52] = 8; /* GIC */
    st32(t + 54, (u32)uart->spi + SPI_FIRST);
    t[58] = 7; /* 115200 */
    t[60] = 1;
    st16(t + 64, 0xffff); /* no PCI device */
    st16(t + 66, 0xffff);
    return end(o, at);
}

bool machine_acpi(struct machine *m, gpa_t base, void *buf, u64 buf_size, u64 *size, struct err *e)
{
    struct out o = {.p = buf, .cap = buf_size, .base = base};
    gpa_t table[5];
    u32 n = 0;
    u8 *rsdp = take(&o, RSDP);
    if (m->chip == NULL)
        return err_set(e, ERR_USAGE, "ACPI: a bare machine has no tables");
    table[n++] = make_fadt(&o, m, make_dsdt(&o, m));
    table[n++] = make_madt(&o, m);
    table[n++] = make_gtdt(&o, m);
    for (u32 i = 0; i < m->device_count; i++)
        if (m->device[i].ops == &pl011_ops && n < ARRAY_LEN(table))
            table[n++] = make_spcr(&o, &m->device[i]);
    u64 at = begin(&o, "XSDT", 1);
    for (u32 i = 0; i < n; i++)
        put64(&o, table[i]);
    gpa_t xsdt = end(&o, at);
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "BRUIN ", 6);
    rsdp[15] = 2;
    st32(rsdp + 20, RSDP);
    st64(rsdp + 24, xsdt);
    rsdp[8] = sum_of(rsdp, 20);
    rsdp[32] = sum_of(rsdp, RSDP);
    *size = o.used;
    return !o.is_full || err_set(e, ERR_USAGE, "ACPI: the tables need more than %llu bytes", (unsigned long long)buf_size);
}
