/// An ACPI reader for four tables. Advanced Configuration and Power Interface Specification,
/// "ACPI Software Programming Model"; Serial Port Console Redirection Table by Microsoft.
#include "hw.h"

enum {
    SDT_HEADER = 36, TABLE_MAX = 4 << 20, XSDT_MAX = 128,
    MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_GICC = 11, MADT_GICD = 12, MADT_GICR = 14,
    FADT_PM1A_CNT = 64, FADT_DSDT = 40, FADT_X_DSDT = 140, FADT_ARM_FLAGS = 129,
};

static const u8 *at(u64 phys, u64 offset) { return (const u8 *)(uintptr_t)(phys + offset); }

/// ret  the table's length, 0 if it is none
static u32 sdt_len(const u8 *t)
{
    u32 len = br_ld32(t + 4);
    return len < SDT_HEADER || len > TABLE_MAX ? 0 : len;
}

static void read_spcr(struct hw *hw, const u8 *t, u32 len)
{
    if (len < 56)
        return;
    u8 kind = t[36], space = t[40];
    u64 base = br_ld64(t + 44);
    u32 type = kind == 3 || kind == 13 || kind == 14      ? BBP_CON_PL011
               : kind > 1 && kind != 18                   ? BBP_CON_NONE
               : space == 1                               ? BBP_CON_IO16550
                                                          : BBP_CON_16550;
    u32 irq = len >= 58 && t[52] & 8 ? br_ld32(t + 54) : 0;
    if (type && base)
        hw->console = (struct bbp_console){type, 0, base, irq, 0};
}

static void read_gicc(struct hw *hw, const u8 *e, u32 len)
{
    if (len < 76 || !(br_ld32(e + 12) & 1))
        return;
    if (hw->cpu_count < HW_CPUS_MAX)
        hw->cpu_id[hw->cpu_count++] = br_ld64(e + 68);
    hw->gic_cpu = br_ld64(e + 32);
    if (br_ld64(e + 60) && !hw->gic_redist)
        hw->gic_redist = br_ld64(e + 60);
}

static void read_madt(struct hw *hw, const u8 *t, u32 len)
{
    hw->lapic = br_ld32(t + 36);
    for (u32 off = 44; off + 2 <= len;) {
        const u8 *e = t + off;
        u32 n = e[1];
        if (n < 2 || n > len - off)
            return;
        if (e[0] == MADT_GICC) {
            read_gicc(hw, e, n);
        } else if (e[0] == MADT_GICD && n >= 24) {
            hw->gic_dist = br_ld64(e + 8);
            hw->gic_version = e[20] == 2 || e[20] == 3 ? e[20] : hw->gic_version;
        } else if (e[0] == MADT_GICR && n >= 16) {
            hw->gic_redist = br_ld64(e + 4);
            hw->gic_redist_len = br_ld32(e + 12);
        } else if (e[0] == MADT_LAPIC && n >= 8 && br_ld32(e + 4) & 1 &&
                   hw->cpu_count < HW_CPUS_MAX) {
            hw->cpu_id[hw->cpu_count++] = e[3];
        } else if (e[0] == MADT_IOAPIC && n >= 12 && !hw->ioapic) {
            hw->ioapic = br_ld32(e + 4);
        }
        off += n;
    }
    if (hw->gic_dist && !hw->gic_version)
        hw->gic_version = hw->gic_redist ? 3 : 2;
}

/// The DSDT names the soft-off code as a package: "_S5_" 0x12 length count, then a byte constant.
static void read_s5(struct hw *hw, const u8 *dsdt, u32 len)
{
    for (u32 i = SDT_HEADER; i + 12 < len; i++) {
        if (memcmp(dsdt + i, "_S5_", 4) || dsdt[i + 4] != 0x12)
            continue;
        const u8 *v = dsdt + i + 5;
        v += (v[0] >> 6) + 2; // PkgLength, NumElements
        hw->s5_type = *v == 0x0A ? v[1] : *v <= 1 ? *v : 0;
        return;
    }
}

static void read_fadt(struct hw *hw, const u8 *t, u32 len, u64 offset)
{
    if (len >= 131 && br_ld16(t + FADT_ARM_FLAGS) & 1)
        hw->conduit = br_ld16(t + FADT_ARM_FLAGS) & 2 ? HW_PSCI_HVC : HW_PSCI_SMC;
    if (len < 68)
        return;
    hw->pm1a_port = br_ld32(t + FADT_PM1A_CNT);
    u64 dsdt = len >= 148 && br_ld64(t + FADT_X_DSDT) ? br_ld64(t + FADT_X_DSDT)
                                                      : br_ld32(t + FADT_DSDT);
    if (hw->pm1a_port && dsdt && !memcmp(at(dsdt, offset), "DSDT", 4))
        read_s5(hw, at(dsdt, offset), sdt_len(at(dsdt, offset)));
}

bool hw_from_acpi(struct hw *hw, u64 rsdp_phys, u64 offset)
{
    const u8 *rsdp = at(rsdp_phys, offset);
    memset(hw, 0, sizeof *hw);
    if (!rsdp_phys || memcmp(rsdp, "RSD PTR ", 8))
        return false;
    bool wide = rsdp[15] >= 2 && br_ld64(rsdp + 24);
    u64 root = wide ? br_ld64(rsdp + 24) : br_ld32(rsdp + 16);
    const u8 *sdt = at(root, offset);
    u32 len = sdt_len(sdt), step = wide ? 8 : 4;
    for (u32 off = SDT_HEADER, n = 0; off + step <= len && n < XSDT_MAX; off += step, n++) {
        u64 phys = wide ? br_ld64(sdt + off) : br_ld32(sdt + off);
        if (!phys)
            continue;
        const u8 *t = at(phys, offset);
        u32 tlen = sdt_len(t);
        if (!memcmp(t, "SPCR", 4))
            read_spcr(hw, t, tlen);
        else if (!memcmp(t, "APIC", 4) && tlen > 44)
            read_madt(hw, t, tlen);
        else if (!memcmp(t, "FACP", 4))
            read_fadt(hw, t, tlen, offset);
    }
    hw->from_acpi = true;
    return true;
}
