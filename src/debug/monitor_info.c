/// The monitor's `info`: registers, address space, soft TLB, devices, interrupts.
#include "debug/monitor.h"
#include "a64/insn.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>


/* ---- registers ---- */

/// `info registers pc x0 ...`: those alone.
static void some_registers(struct debugger *d, const char *names, struct text *out)
{
    char word[40];
    u64 v;
    while (*(names += strspn(names, " ,$")) != '\0') {
        size_t n = strcspn(names, " ,");
        snprintf(word, sizeof word, "%.*s", (int)(n < 39 ? n : 39), names);
        names += n;
        if (monitor_register(d, word, &v))
            text_add(out, "%-10s 0x%llx\n", word, (unsigned long long)v);
        else
            text_add(out, "no register named `%s`\n", word);
    }
}

static void info_registers(struct debugger *d, const char *args, struct text *out)
{
    struct cpu *c = debugger_cpu(d);
    char sym[160];
    bool all = strcmp(args, "all") == 0;
    if (*args && !all)
        return some_registers(d, args, out);
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

static const char *sysreg_name_at(void *ctx, size_t i)
{
    (void)ctx;
    return i < SYSREG_COUNT ? sysreg_id_name((enum sysreg_id)i) : NULL;
}

static void one_sysreg(struct debugger *d, const char *name, struct text *out)
{
    u64 v;
    char upper[40];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof upper; n++)
        upper[n] = (char)toupper((unsigned char)name[n]);
    upper[n] = '\0';
    if (!sysreg_get(debugger_cpu(d), upper, &v)) {
        const char *near = text_nearest(upper, sysreg_name_at, NULL);
        text_add(out, near ? "no system register named `%s`; did you mean %s?\n" : "no system register named `%s`\n", name, near);
        return;
    }
    text_add(out, "%s 0x%016llx\n", upper, (unsigned long long)v);
    if (strncmp(upper, "SCTLR_EL", 8) == 0)
        text_add(out, "  M (MMU) %llu, A (alignment check) %llu, C (data cache) %llu, I (instruction cache) %llu, WXN %llu\n",
                 (unsigned long long)bit(v, 0), (unsigned long long)bit(v, 1), (unsigned long long)bit(v, 2),
                 (unsigned long long)bit(v, 12), (unsigned long long)bit(v, 19));
}

static void info_sysreg(struct debugger *d, const char *name, struct text *out)
{
    unsigned shown = 0;
    u64 v;
    if (*name)
        return one_sysreg(d, name, out);
    for (unsigned k = 0; k < SYSREG_COUNT; k++) {
        const char *n = sysreg_id_name((enum sysreg_id)k);
        if (sysreg_get(debugger_cpu(d), n, &v))
            text_add(out, "%-18s 0x%016llx%s", n, (unsigned long long)v, shown++ % 2 ? "\n" : "   ");
    }
    text_add(out, shown % 2 ? "\n" : "");
}

static void info_cpus(struct debugger *d, struct text *out)
{
    char sym[160];
    struct cpu *c;
    for (unsigned k = 0; (c = machine_cpu(d->machine, k)) != NULL; k++)
        text_add(out, "%c cpu %u: pc 0x%llx %s, EL%u, %s\n", k == d->cpu ? '*' : ' ', k, (unsigned long long)c->pc,
                 monitor_symbol(d, c->pc, sym, sizeof sym), c->el, machine_cpu_state(d->machine, k));
}

/* ---- address space ---- */

/// Half of a MAIR byte for Normal memory. Arm ARM, "MAIR_EL1".
static const char *cache_policy(unsigned nibble)
{
    return nibble == 4 ? "NC" : (nibble & 0xc) == 0 || (nibble & 0xc) == 8 ? "WT" : "WB";
}

const char *monitor_memory_type(u8 attr)
{
    static const char *const device[4] = {"Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"};
    static const char *const mixed[3][3] = {{"Normal-NC", "Normal-NC/WT", "Normal-NC/WB"},
                                            {"Normal-WT/NC", "Normal-WT", "Normal-WT/WB"},
                                            {"Normal-WB/NC", "Normal-WB/WT", "Normal-WB"}}; /* outer/inner */
    if ((attr & 0xf0) == 0)
        return device[attr >> 2 & 3];
    const char *outer = cache_policy(attr >> 4), *inner = cache_policy(attr & 15);
    unsigned o = outer[0] == 'N' ? 0 : outer[1] == 'T' ? 1 : 2, i = inner[0] == 'N' ? 0 : inner[1] == 'T' ? 1 : 2;
    return mixed[o][i];
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
static void print_range(const struct range *r, const struct cpu *c, struct text *out)
{
    char perm[32];
    bool device = (r->attr & 0xf0) == 0;
    if (r->size == 0)
        return;
    snprintf(perm, sizeof perm, "EL%u %c%c%c", c->regime == REGIME_EL10 ? 1 : 2, r->perm & 1 ? 'r' : '-', r->perm & 2 ? 'w' : '-',
             r->perm & 4 ? 'x' : '-');
    if (c->regime != REGIME_EL2) /* which has no EL0 */
        snprintf(perm + strlen(perm), sizeof perm - strlen(perm), " EL0 %c%c%c", r->perm & 8 ? 'r' : '-', r->perm & 16 ? 'w' : '-',
                 r->perm & 32 ? 'x' : '-');
    text_add(out, "%016llx-%016llx -> %012llx %10llu KiB  %s  %s%s\n", (unsigned long long)r->va,
             (unsigned long long)(r->va + r->size - 1), (unsigned long long)r->pa, (unsigned long long)(r->size / KIB), perm,
             monitor_memory_type(r->attr), /* Device memory is outer shareable whatever its descriptors say */
             device ? "" : r->sh == 3 ? " inner-shareable" : r->sh == 2 ? " outer-shareable" : " non-shareable");
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
    unsigned lines = 0, steps = 0;
    u64 done = 0;
    for (; done < span && steps < MEM_STEPS_MAX && lines < MEM_LINES_MAX; steps++) {
        struct xlat x;
        u64 size;
        bool ok = mmu_walk(c, va + done, &x);
        if (ok)
            size = x.page_size;
        else if (x.level == 0 && x.desc_pa[0] == 0 && x.desc_first != 0)
            return print_range(&r, c, out); /* the half is disabled */
        else
            size = 1ULL << level_shift(c, va, x.level);
        if (ok && r.size && r.attr == x.attr && r.sh == x.sh && r.perm == perm_of(&x) && r.pa + r.size == x.pa) {
            r.size += size;
        } else {
            lines += r.size != 0;
            print_range(&r, c, out);
            r = (struct range){0};
            if (ok)
                r = (struct range){va + done, x.pa, size, x.attr, x.sh, perm_of(&x)};
        }
        done += size;
    }
    print_range(&r, c, out);
    if (done < span)
        text_add(out, "(there is more after 0x%llx: %u ranges and %u descriptors were looked at)\n", (unsigned long long)(va + done), lines,
                 steps);
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

/// A page of the soft TLB.
struct cached {
    gva_t va;
    gpa_t pa;
    u8 acc; ///< bits: read, write, execute
    bool global, agrees;
    u8 attr, sh, perm; ///< by the tables, when they still agree
};

static unsigned collect(const struct tlb_ent *e, const struct tlb_info *info, u8 acc, struct cached *to, unsigned n)
{
    for (unsigned k = 0; k < TLB_SIZE; k++)
        if (!tlb_is_empty(e[k].tag))
            to[n++] = (struct cached){.va = e[k].tag, .pa = info[k].pa, .acc = acc, .global = info[k].global};
    return n;
}
static int by_va(const void *a, const void *b)
{
    const struct cached *x = a, *y = b;
    return x->va != y->va ? (x->va < y->va ? -1 : 1) : x->pa != y->pa ? (x->pa < y->pa ? -1 : 1) : x->acc - y->acc;
}

/// One line for pages that follow each other and are alike.
static void put_cached(struct cpu *c, const struct cached *p, u64 pages, struct text *out)
{
    struct range r = {p->va, p->pa, pages * GUEST_PAGE, p->attr, p->sh, p->perm};
    text_add(out, "%c%c%c %s ", p->acc & 1 ? 'r' : '-', p->acc & 2 ? 'w' : '-', p->acc & 4 ? 'x' : '-', p->global ? "global" : "asid  ");
    if (p->agrees)
        return print_range(&r, c, out);
    text_add(out, "%016llx-%016llx -> %012llx %10llu KiB  the tables say otherwise now: a TLBI is due\n", (unsigned long long)r.va,
             (unsigned long long)(r.va + r.size - 1), (unsigned long long)r.pa, (unsigned long long)(r.size / KIB));
}

static void put_pages(struct cpu *c, struct cached *all, unsigned n, struct text *out)
{
    unsigned kept = 0, first = 0;
    qsort(all, n, sizeof *all, by_va);
    for (unsigned k = 0; k < n; k++) { /* of one page: what is cached for reads, writes and execution */
        if (kept && all[kept - 1].va == all[k].va && all[kept - 1].pa == all[k].pa)
            all[kept - 1].acc |= all[k].acc;
        else
            all[kept++] = all[k];
    }
    for (unsigned k = 0; k < kept; k++) {
        struct xlat x;
        all[k].agrees = mmu_walk(c, all[k].va, &x) && x.pa == all[k].pa;
        if (all[k].agrees) {
            all[k].attr = x.attr;
            all[k].sh = x.sh;
            all[k].perm = perm_of(&x);
        }
    }
    for (unsigned k = 1; k <= kept; k++) {
        const struct cached *p = &all[k - 1], *q = &all[k];
        if (k < kept && q->va == p->va + GUEST_PAGE && q->pa == p->pa + GUEST_PAGE && q->acc == p->acc && q->global == p->global &&
            q->agrees == p->agrees && q->attr == p->attr && q->sh == p->sh && q->perm == p->perm)
            continue;
        put_cached(c, &all[first], k - first, out);
        first = k;
    }
}

static void info_tlb(struct debugger *d, struct text *out)
{
    struct cpu *c = debugger_cpu(d);
    const struct mmuctx *t = c->ctx;
    struct cached *all = xcalloc(3 * TLB_SIZE, sizeof *all);
    unsigned n = 0;
    if (!t->stale) {
        n = collect(t->r, t->ri, 1, all, n);
        n = collect(t->w, t->wi, 2, all, n);
        n = collect(t->x, t->xi, 4, all, n);
    }
    text_add(out, "soft TLB of cpu %u at EL%u%s: %u entries; cached for, then what the tables say. Device memory is never in it\n", d->cpu,
             c->el, t->pan ? ", PAN" : c->stage2 ? ", through stage 2" : "", n);
    put_pages(c, all, n, out);
    text_add(out, "%llu fills, %llu flushes, %llu walks since start\n", (unsigned long long)c->tlb_fills,
             (unsigned long long)c->tlb_flushes, (unsigned long long)c->walks);
    free(all);
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
    print_range(&r, c, out);
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

/// Who an interrupt comes from, or "". Arm "Base System Architecture" has the numbers of the PPIs.
static const char *irq_source(struct debugger *d, unsigned intid)
{
    static const struct {
        unsigned intid;
        const char *name;
    } ppi[] = {{25, "GIC maintenance"}, {26, "timer of EL2"}, {27, "virtual timer"}, {28, "virtual timer of EL2"}, {30, "physical timer"}};
    struct machine_device_info dev;
    for (unsigned k = 0; k < ARRAY_LEN(ppi); k++)
        if (ppi[k].intid == intid)
            return ppi[k].name;
    for (unsigned k = 0; machine_device(d->machine, k, &dev); k++)
        if (dev.intid >= 0 && (unsigned)dev.intid == intid)
            return dev.name;
    return "";
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
                const char *who = irq_source(d, 32 * w + b);
                text_add(out, " %u%s%s%s", 32 * w + b, *who ? " (" : "", who, *who ? ")" : "");
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

static const char *const topics[] = {"registers", "cpus", "mem", "tlb", "mtree", "irq", "sysreg", "breakpoints", "status"};

static const char *topic_at(void *ctx, size_t i)
{
    (void)ctx;
    return i < ARRAY_LEN(topics) ? topics[i] : NULL;
}

void monitor_info(struct debugger *d, const char *what, struct text *out)
{
    size_t n = strcspn(what, " \t");
    const char *args = what + n + strspn(what + n, " \t/");
    char word[40];
    unsigned k = 0;
    snprintf(word, sizeof word, "%.*s", (int)(n < 39 ? n : 39), what);
    while (k < ARRAY_LEN(topics) && (n == 0 || strncmp(word, topics[k], n) != 0))
        k++; /* the start of a word will do: `info reg` */
    bool takes_args = k == 0 || k == 6;
    if (k < ARRAY_LEN(topics) && *args && !takes_args) {
        text_add(out, "info %s takes no argument; `%.40s` is left over\n", topics[k], args);
        return;
    }
    switch (k) {
    case 0: info_registers(d, args, out); break;
    case 1: info_cpus(d, out); break;
    case 2: info_mem(d, out); break;
    case 3: info_tlb(d, out); break;
    case 4: info_mtree(d, out); break;
    case 5: info_irq(d, out); break;
    case 6: info_sysreg(d, args, out); break;
    case 8: text_add(out, "stopped\n"); break;
    default: {
        const char *near = n ? text_nearest(word, topic_at, NULL) : NULL;
        text_add(out, near ? "info: `%s` is none of registers cpus mem tlb mtree irq sysreg breakpoints status; did you mean `%s`?\n"
                           : "info: what? registers [all|NAME...] cpus mem tlb mtree irq sysreg [NAME] breakpoints status\n", word, near);
    }
    }
}
