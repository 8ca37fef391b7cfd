/// The monitor's `info`: registers, address space, soft TLB, devices, interrupts.
#include "debug/monitor.h"
#include "a64/insn.h"

#include <stdio.h>

static const char *const sctlr_bits = "M MMU, A alignment check, C data cache, I instruction cache, WXN";

/* ---- registers ---- */

static void info_registers(struct debugger *d, bool all, struct text *out)
{
    struct cpu *c = debugger_cpu(d);
    char sym[160];
    u64 ps = cpu_pstate(c);
    text_add(out, "pc  0x%016llx %s\n", (unsigned long long)c->pc, monitor_symbol(d, c->pc, sym, sizeof sym));
    for (unsigned k = 0; k < 31; k++)
        text_add(out, "x%-2u 0x%016llx%s", k, (unsigned long long)c->x[k], k % 3 == 2 ? "\n" : "  ");
    text_add(out, "sp  0x%016llx\n", (unsigned long long)c->x[REG_SP]);
    text_add(out, "pstate 0x%08llx EL%u%c %c%c%c%c %c%c%c%c%s%s\n", (unsigned long long)ps, c->el, c->sp_sel ? 'h' : 't',
             ps >> 31 & 1 ? 'N' : '-', ps >> 30 & 1 ? 'Z' : '-', ps >> 29 & 1 ? 'C' : '-', ps >> 28 & 1 ? 'V' : '-',
             c->daif & DAIF_D ? 'D' : '-', c->daif & DAIF_A ? 'A' : '-', c->daif & DAIF_I ? 'I' : '-',
             c->daif & DAIF_F ? 'F' : '-', c->pan ? " PAN" : "", c->mode & MODE_MMU ? " MMU" : " MMU off");
    if (!all)
        return;
    for (unsigned k = 0; k < 32; k++)
        text_add(out, "v%-2u 0x%016llx%016llx%s", k, (unsigned long long)c->v[k].d[1], (unsigned long long)c->v[k].d[0],
                 k % 2 ? "\n" : "  ");
    text_add(out, "fpcr 0x%08x  fpsr 0x%08x\n", c->fpcr, c->fpsr);
}

static void info_sysreg(struct debugger *d, const char *name, struct text *out)
{
    struct cpu *c = debugger_cpu(d);
    u64 v;
    if (*name) {
        if (sysreg_get(c, name, &v))
            text_add(out, "%s 0x%016llx\n", name, (unsigned long long)v);
        else
            text_add(out, "no system register named `%s`\n", name);
        return;
    }
    for (unsigned k = 0; k < SYSREG_COUNT; k++) {
        const char *n = sysreg_id_name((enum sysreg_id)k);
        if (sysreg_get(c, n, &v))
            text_add(out, "%-18s 0x%016llx%s", n, (unsigned long long)v, k % 2 ? "\n" : "   ");
    }
    text_add(out, "%s(SCTLR_EL1 bits: %s)\n", SYSREG_COUNT % 2 ? "\n" : "", sctlr_bits);
}

static void info_cpus(struct debugger *d, struct text *out)
{
    char sym[160];
    struct cpu *c;
    for (unsigned k = 0; (c = machine_cpu(d->machine, k)) != NULL; k++)
        text_add(out, "%c cpu %u: pc 0x%llx %s, EL%u%s\n", k == d->cpu ? '*' : ' ', k, (unsigned long long)c->pc,
                 monitor_symbol(d, c->pc, sym, sizeof sym), c->el, machine_cpu_is_on(d->machine, k) ? "" : ", off");
}

/* ---- address space ---- */

const char *monitor_memory_type(u8 attr)
{
    static const char *const device[4] = {"Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"};
    if ((attr & 0xf0) == 0)
        return device[attr >> 2 & 3];
    if (attr == 0x44)
        return "Normal-NC";
    if (attr == 0xff)
        return "Normal-WB";
    if (attr == 0xbb || attr == 0xaa)
        return "Normal-WT";
    return "Normal";
}

/// One mapped range of `info mem`.
struct range {
    gva_t va;
    gpa_t pa;
    u64 size;
    u8 attr, sh;
    u8 perm; ///< bits: priv r w x, user r w x
};
static u8 perm_of(const struct xlat *x)
{
    return (u8)(x->priv_r | x->priv_w << 1 | x->priv_x << 2 | x->user_r << 3 | x->user_w << 4 | x->user_x << 5);
}
static void print_range(const struct range *r, struct text *out)
{
    if (r->size == 0)
        return;
    text_add(out, "%016llx-%016llx -> %012llx %10llu KiB  EL1 %c%c%c EL0 %c%c%c  %s%s\n", (unsigned long long)r->va,
             (unsigned long long)(r->va + r->size - 1), (unsigned long long)r->pa, (unsigned long long)(r->size / KIB),
             r->perm & 1 ? 'r' : '-', r->perm & 2 ? 'w' : '-', r->perm & 4 ? 'x' : '-', r->perm & 8 ? 'r' : '-',
             r->perm & 16 ? 'w' : '-', r->perm & 32 ? 'x' : '-', monitor_memory_type(r->attr),
             r->sh == 3 ? " inner-shareable" : r->sh == 2 ? " outer-shareable" : "");
}

/// Bits of address below a descriptor at `level` for the granule of the half that va is in.
static unsigned level_shift(const struct cpu *c, gva_t va, int level)
{
    static const u8 tg0[4] = {12, 16, 14, 12}, tg1[4] = {12, 14, 12, 16};
    u64 tcr = cpu_tcr(c);
    unsigned page = bit(va, 55) ? tg1[bits(tcr, 31, 30)] : tg0[bits(tcr, 15, 14)];
    return page + (unsigned)(3 - level) * (page - 3);
}

enum { MEM_STEPS_MAX = 8 << 20, MEM_LINES_MAX = 4096 };
static void info_mem_half(struct debugger *d, gva_t va, u64 span, struct text *out)
{
    struct cpu *c = debugger_cpu(d);
    struct range r = {0};
    unsigned lines = 0;
    u64 done = 0;
    for (unsigned steps = 0; done < span && steps < MEM_STEPS_MAX && lines < MEM_LINES_MAX; steps++) {
        struct xlat x;
        u64 size;
        bool ok = mmu_walk(c, va + done, &x);
        if (ok)
            size = x.page_size;
        else if (x.level == 0 && x.desc_pa[0] == 0 && x.desc_first != 0)
            return print_range(&r, out); /* the half is disabled */
        else
            size = 1ULL << level_shift(c, va, x.level);
        if (ok && r.size && r.attr == x.attr && r.sh == x.sh && r.perm == perm_of(&x) && r.pa + r.size == x.pa) {
            r.size += size;
        } else {
            lines += r.size != 0;
            print_range(&r, out);
            r = (struct range){0};
            if (ok)
                r = (struct range){va + done, x.pa, size, x.attr, x.sh, perm_of(&x)};
        }
        done += size;
    }
    print_range(&r, out);
    if (lines == MEM_LINES_MAX)
        text_add(out, "(stopped after %d ranges)\n", MEM_LINES_MAX);
}
static void info_mem(struct debugger *d, struct text *out)
{
    struct cpu *c = debugger_cpu(d);
    u64 tcr = cpu_tcr(c);
    const struct cpu_regime_regs *r = &cpu_regime_regs[c->regime];
    if (!(c->mode & MODE_MMU)) {
        text_add(out, "MMU off: virtual = physical, all data accesses are Device-nGnRnE\n");
        return;
    }
    unsigned t0 = (unsigned)bits(tcr, 5, 0), t1 = (unsigned)bits(tcr, 21, 16);
    u64 low = 1ULL << (64 - (t0 < 16 ? 16 : t0)), high = 1ULL << (64 - (t1 < 16 ? 16 : t1));
    if (c->stage2)
        text_add(out, "through stage 2: VTTBR_EL2 0x%llx VTCR_EL2 0x%llx\n", (unsigned long long)c->sr[SYSREG_VTTBR_EL2],
                 (unsigned long long)c->sr[SYSREG_VTCR_EL2]);
    text_add(out, "%s 0x%llx%s\n", sysreg_id_name(r->ttbr0), (unsigned long long)c->sr[r->ttbr0], bit(tcr, 7) ? " (disabled by EPD0)" : "");
    if (!bit(tcr, 7))
        info_mem_half(d, 0, low, out);
    if (c->regime == REGIME_EL2) /* has no upper half */
        return;
    text_add(out, "%s 0x%llx%s\n", sysreg_id_name(r->ttbr1), (unsigned long long)c->sr[r->ttbr1], bit(tcr, 23) ? " (disabled by EPD1)" : "");
    if (!bit(tcr, 23))
        info_mem_half(d, -high, high, out);
}

static void tlb_entries(const struct mmuctx *t, const char *kind, const struct tlb_ent *e, const struct tlb_info *n,
                        struct text *out)
{
    for (unsigned k = 0; k < TLB_SIZE; k++)
        if (!tlb_is_empty(e[k].tag))
            text_add(out, "  %s %016llx -> %012llx%s%s\n", kind, (unsigned long long)e[k].tag, (unsigned long long)n[k].pa,
                     n[k].global ? " global" : "", n[k].device ? " device" : "");
    (void)t;
}
static void info_tlb(struct debugger *d, struct text *out)
{
    struct cpu *c = debugger_cpu(d);
    const struct mmuctx *t = c->ctx;
    text_add(out, "current context (EL%u%s): entries in use\n", c->el, t->pan ? ", PAN" : c->stage2 ? ", through stage 2" : "");
    if (!t->stale) {
        tlb_entries(t, "r", t->r, t->ri, out);
        tlb_entries(t, "w", t->w, t->wi, out);
        tlb_entries(t, "x", t->x, t->xi, out);
    }
    text_add(out, "%llu fills, %llu flushes, %llu walks since start\n", (unsigned long long)c->tlb_fills,
             (unsigned long long)c->tlb_flushes, (unsigned long long)c->walks);
}

void monitor_walk(struct debugger *d, gva_t va, struct text *out)
{
    struct cpu *c = debugger_cpu(d);
    struct xlat x;
    bool ok = mmu_walk(c, va, &x);
    if (!(c->mode & MODE_MMU)) {
        text_add(out, "MMU off: PA = VA = 0x%llx\n", (unsigned long long)va);
        return;
    }
    unsigned by = bit(va, 55) ? cpu_regime_regs[c->regime].ttbr1 : cpu_regime_regs[c->regime].ttbr0;
    text_add(out, "VA 0x%llx by %s 0x%llx\n", (unsigned long long)va, sysreg_id_name(by), (unsigned long long)c->sr[by]);
    for (int level = x.desc_first; level <= x.level && level < 4; level++) {
        if (x.desc_pa[level] == 0)
            break;
        u64 desc = x.desc[level];
        const char *kind = !(desc & 1) ? "invalid" : level == 3 ? (desc & 2 ? "page" : "reserved") : desc & 2 ? "table" : "block";
        text_add(out, "  L%d [0x%llx] = 0x%016llx %s\n", level, (unsigned long long)x.desc_pa[level],
                 (unsigned long long)desc, kind);
    }
    if (!ok) {
        static const char *const kinds[] = {"address size fault", "translation fault", "access flag fault", "permission fault",
                                            "external abort", "external abort on a table walk"};
        text_add(out, "  %s, level %d\n", x.fault / 4 < 6 ? kinds[x.fault / 4] : "fault", x.level);
        return;
    }
    struct range r = {va & ~(x.page_size - 1), x.pa & ~(x.page_size - 1), x.page_size, x.attr, x.sh, perm_of(&x)};
    text_add(out, "  PA 0x%llx, page of %llu KiB\n  ", (unsigned long long)x.pa, (unsigned long long)(x.page_size / KIB));
    print_range(&r, out);
}

/* ---- devices and interrupts ---- */

static void info_mtree(struct debugger *d, struct text *out)
{
    const struct mem *m = machine_mem(d->machine);
    static const char *const kind[] = {"RAM", "ROM", "MMIO"};
    for (unsigned k = 0; k < m->region_count; k++) {
        const struct mem_region *r = &m->region[k];
        text_add(out, "%012llx-%012llx %-4s %s", (unsigned long long)r->base, (unsigned long long)(r->base + r->size - 1),
                 kind[r->kind], r->name);
        if (r->kind == MEM_MMIO)
            text_add(out, ", %llu accesses", (unsigned long long)r->hits);
        text_add(out, "\n");
    }
    text_add(out, "accesses nothing answered: %llu reads, %llu writes\n", (unsigned long long)m->unhandled_reads,
             (unsigned long long)m->unhandled_writes);
}

/// The distributor's registers are read through the bus: no read of these has a side effect.
static void gic_bits(struct debugger *d, gpa_t base, u64 off, const char *what, unsigned words, struct text *out)
{
    unsigned shown = 0;
    text_add(out, "%s:", what);
    for (unsigned w = 0; w < words; w++) {
        u64 v = 0;
        if (!mem_io_read(machine_mem(d->machine), base + off + 4 * w, 4, &v))
            continue;
        for (unsigned b = 0; b < 32; b++)
            if (bit(v, b)) {
                text_add(out, " %u", 32 * w + b);
                shown++;
            }
    }
    text_add(out, shown ? "\n" : " none\n");
}
static void info_irq(struct debugger *d, struct text *out)
{
    struct cpu *c;
    struct machine_device_info dev;
    for (unsigned k = 0; (c = machine_cpu(d->machine, k)) != NULL; k++) {
        u32 lines = atomic_load(&c->irq_lines);
        text_add(out, "cpu %u: IRQ wire %s, FIQ wire %s, PSTATE.I %u, PSTATE.F %u\n", k, lines & 1 ? "up" : "down",
                 lines & 2 ? "up" : "down", !!(c->daif & DAIF_I), !!(c->daif & DAIF_F));
        text_add(out, "  virtual timer: CTL 0x%llx CVAL 0x%llx  physical timer: CTL 0x%llx CVAL 0x%llx  counter 0x%llx\n",
                 (unsigned long long)c->sr[SYSREG_CNTV_CTL_EL0], (unsigned long long)c->sr[SYSREG_CNTV_CVAL_EL0],
                 (unsigned long long)c->sr[SYSREG_CNTP_CTL_EL0], (unsigned long long)c->sr[SYSREG_CNTP_CVAL_EL0],
                 (unsigned long long)cpu_counter(c));
        if (!c->has_el2)
            continue;
        text_add(out, "  of EL2: virtual timer: CTL 0x%llx CVAL 0x%llx  physical timer: CTL 0x%llx CVAL 0x%llx  CNTVOFF 0x%llx\n",
                 (unsigned long long)c->sr[SYSREG_CNTHV_CTL_EL2], (unsigned long long)c->sr[SYSREG_CNTHV_CVAL_EL2],
                 (unsigned long long)c->sr[SYSREG_CNTHP_CTL_EL2], (unsigned long long)c->sr[SYSREG_CNTHP_CVAL_EL2],
                 (unsigned long long)c->sr[SYSREG_CNTVOFF_EL2]);
        text_add(out, "  virtual IRQ wire %s, virtual FIQ wire %s, HCR_EL2 0x%llx\n", lines & CPU_LINE_VIRQ ? "up" : "down",
                 lines & CPU_LINE_VFIQ ? "up" : "down", (unsigned long long)c->sr[SYSREG_HCR_EL2]);
    }
    for (unsigned k = 0; machine_device(d->machine, k, &dev); k++) {
        if (strstr(dev.name, "redist")) {
            text_add(out, "%s (SGIs and PPIs)\n", dev.name);
            gic_bits(d, dev.base + 0x10000, 0x100, "  enabled", 1, out);
            gic_bits(d, dev.base + 0x10000, 0x200, "  pending", 1, out);
            gic_bits(d, dev.base + 0x10000, 0x300, "  active", 1, out);
        } else if (strstr(dev.name, "-dist")) {
            text_add(out, "%s\n", dev.name);
            gic_bits(d, dev.base, 0x100, "  enabled", 9, out);
            gic_bits(d, dev.base, 0x200, "  pending", 9, out);
            gic_bits(d, dev.base, 0x300, "  active", 9, out);
        }
    }
}

bool monitor_info(struct debugger *d, const char *what, struct text *out)
{
    if (strncmp(what, "reg", 3) == 0)
        info_registers(d, strstr(what, "all") != NULL, out);
    else if (strncmp(what, "r", 2) == 0)
        info_registers(d, false, out);
    else if (strcmp(what, "cpus") == 0)
        info_cpus(d, out);
    else if (strcmp(what, "mem") == 0)
        info_mem(d, out);
    else if (strcmp(what, "tlb") == 0)
        info_tlb(d, out);
    else if (strcmp(what, "mtree") == 0)
        info_mtree(d, out);
    else if (strcmp(what, "irq") == 0)
        info_irq(d, out);
    else if (strncmp(what, "sysreg", 6) == 0)
        info_sysreg(d, what[6] == ' ' ? what + 7 : "", out);
    else
        return false;
    return true;
}
