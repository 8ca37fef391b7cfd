/// Names for people: symbols, exception classes, fault status codes, what lies where, and whose board an
/// address belongs to. Arm ARM, "ESR_EL1"; the devices' addresses are those of the boards' device trees.
#include "debug/priv.h"

#include <stdio.h>

/* ---- symbols ---- */

const char *name_addr(struct explain *x, u64 addr, char *buf, size_t size)
{
    symbols_name(x->cfg.symbols, addr, buf, size);
    return buf[0] || !x->handoff ? buf : handoff_name(x, addr, buf, size);
}

const char *name_full(struct explain *x, u64 addr, char *buf, size_t size)
{
    char n[96];
    name_addr(x, addr, n, sizeof n);
    snprintf(buf, size, "0x%llx%s%s", (unsigned long long)addr, n[0] ? " " : "", n);
    return buf;
}

bool name_find(struct explain *x, const char *symbol, u64 *addr)
{
    return symbols_find(x->cfg.symbols, symbol, addr, NULL);
}

/* ---- syndromes ---- */

const char *ec_name(u32 ec)
{
    switch (ec) {
    case EC_UNKNOWN: return "undefined instruction";
    case EC_WFX: return "trapped WFI or WFE";
    case EC_FP: return "FP/SIMD instruction while CPACR_EL1.FPEN traps it";
    case 0x0d: return "branch target exception";
    case EC_ILLEGAL: return "illegal execution state";
    case EC_SVC64: return "SVC";
    case EC_HVC64: return "HVC";
    case EC_SMC64: return "SMC";
    case EC_SYSREG: return "trapped system register access";
    case EC_IABT_LOW: return "instruction abort from EL0";
    case EC_IABT: return "instruction abort";
    case EC_PC_ALIGN: return "misaligned pc";
    case EC_DABT_LOW: return "data abort from EL0";
    case EC_DABT: return "data abort";
    case EC_SP_ALIGN: return "misaligned stack pointer";
    case EC_SERROR: return "SError";
    case EC_BKPT_LOW:
    case EC_BKPT: return "hardware breakpoint";
    case EC_STEP_LOW:
    case EC_STEP: return "software step";
    case EC_WATCH_LOW:
    case EC_WATCH: return "watchpoint";
    case EC_BRK: return "BRK";
    default: return "exception of an unknown class";
    }
}

const char *fsc_name(u32 fsc, char *buf, size_t size)
{
    static const char *const kind[] = {"address size fault", "translation fault", "access flag fault",
                                       "permission fault"};
    fsc &= 0x3f;
    if (fsc < 0x10)
        snprintf(buf, size, "%s, level %u", kind[fsc >> 2], fsc & 3);
    else if (fsc == 0x10)
        snprintf(buf, size, "external abort: nothing answers there");
    else if (fsc >= 0x14 && fsc < 0x18)
        snprintf(buf, size, "external abort on a translation table walk, level %u", fsc & 3);
    else if (fsc == 0x21)
        snprintf(buf, size, "alignment fault");
    else if (fsc == 0x35)
        snprintf(buf, size, "unsupported exclusive or atomic access");
    else
        snprintf(buf, size, "fault status 0x%02x", fsc);
    return buf;
}

/* ---- places ---- */

static const struct {
    gpa_t base;
    u64 size;
    const char *what, *board;
} board_devices[] = {
    {0x3f201000, 0x1000, "the PL011 UART", "Raspberry Pi 2 and 3"},
    {0x3f215000, 0x1000, "the mini UART", "Raspberry Pi 2 and 3"},
    {0x3f200000, 0x1000, "the GPIO block", "Raspberry Pi 2 and 3"},
    {0x3f00b880, 0x40, "the mailbox", "Raspberry Pi 2 and 3"},
    {0x3f00b200, 0x100, "the interrupt controller", "Raspberry Pi 2 and 3"},
    {0x3f00b400, 0x40, "the Arm timer", "Raspberry Pi 2 and 3"},
    {0x3f003000, 0x1000, "the system timer", "Raspberry Pi 2 and 3"},
    {0x3f000000, 0x1000000, "a peripheral", "Raspberry Pi 2 and 3"},
    {0x40000000, 0x200, "the local interrupt controller", "Raspberry Pi 2 and 3"},
    {0x20201000, 0x1000, "the PL011 UART", "Raspberry Pi 1"},
    {0x20215000, 0x1000, "the mini UART", "Raspberry Pi 1"},
    {0x20000000, 0x1000000, "a peripheral", "Raspberry Pi 1"},
    {0xfe201000, 0x200, "the PL011 UART", "Raspberry Pi 4"},
    {0xfe215000, 0x1000, "the mini UART", "Raspberry Pi 4"},
    {0xfe200000, 0x1000, "the GPIO block", "Raspberry Pi 4"},
    {0xfe00b880, 0x40, "the mailbox", "Raspberry Pi 4"},
    {0xfe00b200, 0x200, "the interrupt controller", "Raspberry Pi 4"},
    {0xfe003000, 0x1000, "the system timer", "Raspberry Pi 4"},
    {0xfe000000, 0x1800000, "a peripheral", "Raspberry Pi 4"},
    {0xff840000, 0x10000, "the GIC", "Raspberry Pi 4"},
    {0x2f000000, 0x200000, "the GICv3", "Arm FVP"},
    {0x2c000000, 0x100000, "the GIC", "Arm Versatile Express, Juno and FVP"},
    {0xfee00000, 0x200000, "the GICv3", "Rockchip RK3399"},
    {0xfd400000, 0x100000, "the GICv3", "Rockchip RK3568"},
    {0xfe600000, 0x10000, "the GICv3", "Rockchip RK3588"},
    {0xf9010000, 0x60000, "the GIC", "ZynqMP"},
    {0x01c81000, 0x8000, "the GIC", "Allwinner A64 and H5"},
    {0x03021000, 0x8000, "the GIC", "Allwinner H6"},
    {0x38800000, 0x100000, "the GICv3", "NXP i.MX8M"},
    {0x01800000, 0x100000, "the GICv3", "TI K3 (AM62, AM65)"},
    {0x50041000, 0x8000, "the GIC", "Tegra210"},
    {0x107fff9000, 0x8000, "the GIC", "Raspberry Pi 5"},
    {0x107d001000, 0x1000, "the debug PL011 UART", "Raspberry Pi 5"},
    {0x1f00030000, 0x1000, "the PL011 UART of RP1", "Raspberry Pi 5"},
    {0x1c090000, 0x1000, "the PL011 UART", "Arm Versatile Express and FVP"},
    {0x1c0a0000, 0x1000, "the second PL011 UART", "Arm Versatile Express and FVP"},
    {0x7ff80000, 0x1000, "the PL011 UART", "Arm Juno"},
    {0x101f1000, 0x1000, "the PL011 UART", "Arm Versatile PB"},
    {0x10009000, 0x1000, "the PL011 UART", "Arm RealView"},
    {0x60000000, 0x1000, "the PL011 UART", "QEMU sbsa-ref"},
    {0x08020000, 0x10000, "the GICv2m frame", "QEMU's virt machine"},
    {0x08080000, 0x20000, "the ITS of the GICv3", "QEMU's virt machine"},
    {0x09040000, 0x10000, "the second PL011 UART", "QEMU's virt machine"},
    {0x4010000000, 0x10000000, "the PCIe configuration space (ECAM)", "QEMU's virt machine"},
    {0xff000000, 0x1000, "the Cadence UART", "ZynqMP"},
    {0xff010000, 0x1000, "the second Cadence UART", "ZynqMP"},
    {0x30860000, 0x10000, "UART1", "NXP i.MX8M"},
    {0x30890000, 0x10000, "UART2", "NXP i.MX8M"},
    {0x30880000, 0x10000, "UART3", "NXP i.MX8M"},
    {0x30a60000, 0x10000, "UART4", "NXP i.MX8M"},
    {0x5a060000, 0x10000, "LPUART0", "NXP i.MX8QM and i.MX8QXP"},
    {0x44380000, 0x10000, "LPUART1", "NXP i.MX93"},
    {0x21c0500, 0x100, "the 16550 UART", "NXP Layerscape"},
    {0x01c28000, 0x400, "the 16550 UART", "Allwinner A64 and H5"},
    {0x05000000, 0x400, "the 16550 UART", "Allwinner H6"},
    {0xff1a0000, 0x100, "UART2", "Rockchip RK3399"},
    {0xff130000, 0x100, "UART2", "Rockchip RK3328"},
    {0xfe660000, 0x100, "UART2", "Rockchip RK3568"},
    {0xfeb50000, 0x100, "UART2", "Rockchip RK3588"},
    {0xc81004c0, 0x18, "UART AO", "Amlogic S905"},
    {0xff803000, 0x18, "UART AO", "Amlogic G12 and SM1"},
    {0x70006000, 0x40, "UARTA", "Tegra210"},
    {0x03100000, 0x40, "UARTA", "Tegra186 and Tegra194"},
    {0x02800000, 0x1000, "UART0", "TI K3 (AM62, AM65)"},
    {0x11002000, 0x400, "UART0", "MediaTek MT81xx"},
    {0xe6e88000, 0x40, "SCIF2", "Renesas R-Car Gen3"},
    {0xf8015000, 0x1000, "the PL011 UART", "HiSilicon HiKey (Hi6220)"},
    {0x235200000, 0x4000, "the UART", "Apple M1"},
    {0x10000000, 0x100, "the 16550 UART", "QEMU's riscv64 virt machine"},
    {0x3f8, 8, "the COM1 port", "PCs: AArch64 has no port space"},
    {0x4000c000, 0x1000, "UART0", "Stellaris and other microcontrollers"},
};

const char *board_at(gpa_t pa, char *buf, size_t size)
{
    u64 best = ~0ULL; /* a board's window of peripherals gives way to a device in it */
    for (unsigned i = 0; i < ARRAY_LEN(board_devices); i++)
        if (pa - board_devices[i].base < board_devices[i].size && board_devices[i].size < best) {
            best = board_devices[i].size;
            snprintf(buf, size, "%s of %s", board_devices[i].what, board_devices[i].board);
        }
    return best == ~0ULL ? NULL : buf;
}

bool is_ram(struct explain *x, gpa_t pa)
{
    const struct mem_region *r = mem_find(machine_mem(x->m), pa);
    return r && r->kind == MEM_RAM;
}

const char *place_name(struct explain *x, gpa_t pa, char *buf, size_t size)
{
    const struct mem_region *r = mem_find(machine_mem(x->m), pa);
    if (r == NULL) {
        snprintf(buf, size, "nothing (RAM is 0x%llx-0x%llx)", (unsigned long long)machine_config(x->m)->ram_base,
                 (unsigned long long)(machine_config(x->m)->ram_base + machine_config(x->m)->ram_size - 1));
        return buf;
    }
    snprintf(buf, size, "%s%s", r->name, r->kind == MEM_MMIO ? " (device)" : "");
    for (unsigned i = 0; x->has_plan && r->kind == MEM_RAM && i < x->plan.seg_count; i++) {
        const struct boot_seg *s = &x->plan.seg[i];
        if (pa >= s->gpa && pa - s->gpa < s->mem_len)
            snprintf(buf, size, "RAM, %s+0x%llx", s->what, (unsigned long long)(pa - s->gpa));
    }
    return buf;
}

static const struct boot_seg *seg_of(const struct explain *x, gva_t va)
{
    for (unsigned i = 0; x->has_plan && i < x->plan.seg_count; i++)
        if (x->plan.seg[i].va && va - x->plan.seg[i].va < x->plan.seg[i].mem_len)
            return &x->plan.seg[i];
    return NULL;
}

bool image_read(struct explain *x, struct cpu *c, gva_t va, void *dst, size_t len)
{
    const struct boot_seg *g = seg_of(x, va);
    if (mmu_debug_read(c, va, dst, len))
        return true;
    if (g && va - g->va + len <= g->mem_len)
        return mem_read(machine_mem(x->m), g->gpa + (va - g->va), dst, len);
    return is_ram(x, va) && mem_read(machine_mem(x->m), va, dst, len);
}

/// The address without the bits that make it one of the upper half: where many kernels map all of memory.
static gpa_t below_top(struct explain *x, const struct cpu *c, gva_t va)
{
    u64 n = 64 - bits(cpu_tcr(c), 21, 16);
    const u64 sizes[] = {n < 32 || n > 48 ? 48 : n, 48, 42, 39, 38, 36}; /* what TCR says, what is usual */
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
        if (is_ram(x, va & ((1ULL << sizes[i]) - 1)))
            return va & ((1ULL << sizes[i]) - 1);
    return va;
}

bool linear_pa(struct explain *x, struct cpu *c, gva_t pc, gva_t va, gpa_t *pa)
{
    const struct boot_seg *g = seg_of(x, va);
    struct xlat w;
    *pa = va;
    if (!bit(va, 55))
        return true;
    if (g)
        *pa = g->gpa + (va - g->va);
    else if (bit(pc, 55) && mmu_walk(c, pc, &w))
        *pa = va - (pc - w.pa);
    else if ((g = seg_of(x, pc)) != NULL && g->va != g->gpa)
        *pa = va - (g->va - g->gpa);
    else if (below_top(x, c, va) != va)
        *pa = below_top(x, c, va);
    else if (g == NULL)
        return false;
    return true;
}

/* ---- system registers and operations ---- */

const char *sysreg_word_name(u32 word, char *buf, size_t size)
{
    u32 enc = (u32)(bits(word, 20, 19) << 14 | bits(word, 18, 16) << 11 | bits(word, 15, 12) << 7 |
                    bits(word, 11, 8) << 3 | bits(word, 7, 5));
    const char *n = sysreg_any_name(enc);
    if (n)
        snprintf(buf, size, "%s", n);
    else
        snprintf(buf, size, "S%u_%u_C%u_C%u_%u", (unsigned)bits(word, 20, 19), (unsigned)bits(word, 18, 16),
                 (unsigned)bits(word, 15, 12), (unsigned)bits(word, 11, 8), (unsigned)bits(word, 7, 5));
    return buf;
}

const char *sys_op_name(u32 word, char *buf, size_t size)
{
    static const struct {
        u16 enc; ///< op1, CRn, CRm, op2
        const char *name;
    } ops[] = {
#define OP(op1, n, m, op2) ((op1) << 11 | (n) << 7 | (m) << 3 | (op2))
        {OP(0, 7, 1, 0), "IC IALLUIS"},    {OP(0, 7, 5, 0), "IC IALLU"},      {OP(3, 7, 5, 1), "IC IVAU"},      {OP(3, 7, 4, 1), "DC ZVA"},
        {OP(0, 7, 6, 1), "DC IVAC"},       {OP(0, 7, 6, 2), "DC ISW"},        {OP(0, 7, 10, 2), "DC CSW"},      {OP(0, 7, 14, 2), "DC CISW"},
        {OP(3, 7, 10, 1), "DC CVAC"},      {OP(3, 7, 11, 1), "DC CVAU"},      {OP(3, 7, 14, 1), "DC CIVAC"},    {OP(0, 7, 8, 0), "AT S1E1R"},
        {OP(0, 7, 8, 1), "AT S1E1W"},      {OP(4, 7, 8, 0), "AT S1E2R"},      {OP(4, 7, 8, 4), "AT S12E1R"},    {OP(4, 7, 8, 5), "AT S12E1W"},
        {OP(4, 8, 7, 0), "TLBI ALLE2"},    {OP(4, 8, 3, 0), "TLBI ALLE2IS"},  {OP(4, 8, 7, 4), "TLBI ALLE1"},   {OP(4, 8, 3, 4), "TLBI ALLE1IS"},
        {OP(4, 8, 7, 1), "TLBI VAE2"},     {OP(4, 8, 3, 1), "TLBI VAE2IS"},   {OP(4, 8, 7, 6), "TLBI VMALLS12E1"}, {OP(4, 8, 3, 6), "TLBI VMALLS12E1IS"},
        {OP(4, 8, 4, 1), "TLBI IPAS2E1"},  {OP(4, 8, 0, 1), "TLBI IPAS2E1IS"}, {OP(6, 8, 7, 0), "TLBI ALLE3"},  {OP(6, 8, 3, 0), "TLBI ALLE3IS"},
        {OP(0, 8, 7, 0), "TLBI VMALLE1"},  {OP(0, 8, 3, 0), "TLBI VMALLE1IS"}, {OP(0, 8, 7, 1), "TLBI VAE1"},   {OP(0, 8, 3, 1), "TLBI VAE1IS"},
        {OP(0, 8, 7, 3), "TLBI VAAE1"},    {OP(0, 8, 3, 3), "TLBI VAAE1IS"},  {OP(0, 8, 7, 2), "TLBI ASIDE1"},  {OP(0, 8, 3, 2), "TLBI ASIDE1IS"},
#undef OP
    };
    u32 enc = (u32)bits(word, 18, 5);
    for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
        if (ops[i].enc == enc) {
            snprintf(buf, size, "%s", ops[i].name);
            return buf;
        }
    snprintf(buf, size, "SYS #%u, C%u, C%u, #%u", (unsigned)bits(word, 18, 16), (unsigned)bits(word, 15, 12), (unsigned)bits(word, 11, 8),
             (unsigned)bits(word, 7, 5));
    return buf;
}

void name_for_el2(char *text)
{
    char *p;
    while ((p = strstr(text, "CPACR_EL1")) != NULL) {
        memcpy(p, "CPTR_EL2", 8);
        memmove(p + 8, p + 9, strlen(p + 9) + 1);
    }
    for (p = text; (p = strstr(p, "EL1")) != NULL; p += 3)
        if (p - text > 3 && (p[-1] == '_' || !strncmp(p - 3, "at ", 3) || !strncmp(p - 2, ", ", 2)) && !(p[3] >= '0' && p[3] <= '9'))
            p[2] = '2';
}
