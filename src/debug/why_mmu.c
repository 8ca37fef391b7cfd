/// F08: translation tables that do not fit. What stopped the walk, and which field of TCR_EL1 or of a
/// descriptor would have let it through. Arm ARM, "The AArch64 Virtual Memory System Architecture".
#include "debug/why.h"

enum { PAGE = 4096 };

static unsigned in_size(const struct scene *s, bool high)
{
    return (unsigned)(high ? bits(s->f->sr_tcr, 21, 16) : bits(s->f->sr_tcr, 5, 0));
}

static unsigned granule_kib(const struct scene *s, bool high)
{
    static const unsigned tg0[] = {4, 64, 16, 0}, tg1[] = {0, 16, 4, 64};
    return high ? tg1[bits(s->f->sr_tcr, 31, 30)] : tg0[bits(s->f->sr_tcr, 15, 14)];
}

/// With this TCR the tables would lead from va to pa.
static bool would_map(struct scene *s, u64 tcr, gva_t va, gpa_t pa)
{
    struct cpu *sim = s->x->sim;
    struct xlat w;
    sim->sr[cpu_regime_regs[s->c->regime].tcr] = tcr;
    return mmu_walk(sim, va, &w) && w.pa == pa;
}

/// Would another size or granule have read the same table right?
static void try_tcr(struct scene *s, gva_t va)
{
    const char *reg = s->f->el == 2 ? "TCR_EL2" : "TCR_EL1";
    u64 tcr = s->f->sr_tcr;
    bool high = bit(va, 55);
    unsigned have = in_size(s, high), tg = high ? 30 : 14, size = high ? 16 : 0;
    gpa_t pa;
    if (!linear_pa(s->x, s->c, s->f->pc, va, &pa) || !mem_find(machine_mem(s->x->m), pa))
        return;
    rehearse_begin(s->x, s->c);
    for (unsigned g = 0; g < 4; g++) {
        static const char *const kib[2][4] = {{"4", "64", "16", NULL}, {NULL, "16", "4", "64"}};
        u64 t = (tcr & ~(3ULL << tg)) | (u64)g << tg;
        if (kib[high][g] && t != tcr && would_map(s, t, va, pa)) {
            why_add(s, " Read with a granule of %s KiB (TCR_EL1.TG%d=%u) the table at TTBR%d_EL1 would map it: TG%d=%llu is wrong.",
                    kib[high][g], high, g, high, high, (ull)bits(tcr, tg + 1, tg));
            snprintf(s->instead, sizeof s->instead, "Set TG%d (bits %u:%u of %s) to %u: %s KiB%s, or build the tables for the granule that is set.", high, tg + 1, tg, reg, g,
                     kib[high][g], high ? " (TG1 is encoded otherwise than TG0)" : "");
            return;
        }
    }
    for (unsigned k = 15; k <= 39; k++) {
        unsigned sz = k == 15 ? 25 : k; /* the usual one first: several read a table alike */
        if (sz != have && would_map(s, (tcr & ~(0x3fULL << size)) | (u64)sz << size, va, pa)) {
            why_add(s, " With T%dSZ=%u the table at TTBR%d_EL1 would map it: T%dSZ=%u makes the walk start at another level.", high, sz,
                    high, high, have);
            snprintf(s->instead, sizeof s->instead, "Set T%dSZ (bits %u:%u of %s) to %u, or put the level of table above it, which T%dSZ=%u starts with, in front.",
                     high, size + 5, size, reg, sz, high, have);
            if (sz < have)
                snprintf(s->instead, sizeof s->instead, "Set T%dSZ (bits %u:%u of %s) to %u, or give TTBR%d the table of the level below, with which T%dSZ=%u starts.",
                         high, size + 5, size, reg, sz, high, high, have);
            return;
        }
    }
}

/// The low bits of TTBR are ignored: the walk reads another table than meant.
static bool table_misaligned(struct scene *s, bool high, u64 ttbr)
{
    unsigned kib = granule_kib(s, high), first = s->walk.desc_first & 3, page = kib == 4 ? 12 : kib == 16 ? 14 : 16;
    unsigned below = page + (3 - first) * (page - 3), va_bits = 64 - in_size(s, high); /* bits that one entry of the first table covers */
    u64 size = va_bits > below + 3 ? 8ULL << (va_bits - below) : 64;
    u64 base = bits(ttbr, 47, 1) << 1, read = s->walk.desc_pa[first] & ~(size - 1);
    if (kib == 0 || s->walk.desc_first > 3 || size > kib * KIB || !(base & (size - 1) & ~1ULL) || !is_ram(s->x, base))
        return false;
    why_add(s, " TTBR%d_EL1=0x%llx is not a multiple of the table's size (0x%llx): its low bits are ignored and the table is read from 0x%llx; align it.",
            high, (ull)ttbr, (ull)size, (ull)(read ? read : base & ~(size - 1)));
    snprintf(s->instead, sizeof s->instead, "Align the table to its size (.balign 0x%llx).", (ull)size);
    return true;
}

/// A block whose bit 1 was set is read as a table: whatever lies in the block is taken for descriptors.
static bool block_as_table(struct scene *s)
{
    const struct xlat *w = &s->walk;
    const u64 page = granule_kib(s, bit(s->f->far, 55)) * (u64)KIB, per_table = page / 8;
    for (int l = w->desc_first; l >= 1 && l < 3 && l < w->level; l++) {
        u64 d = w->desc[l], to = d & 0xfffffffff000ULL, size = page;
        for (int k = l; k < 3; k++)
            size *= per_table;
        if (!bit(d, 10) || size == 0 || (to & (size - 1)))
            continue;
        why_add(s, " The level %d descriptor 0x%llx has AF set and an address as a block has them, but ends in 0b11, a table: what lies at 0x%llx is "
                   "read as descriptors.", l, (ull)d, (ull)to);
        snprintf(s->first, sizeof s->first, "If a block is meant, set bits 1:0 of that descriptor to 0b01.");
        return true;
    }
    return false;
}

static void forbidden_half(struct scene *s, bool high, u64 ttbr)
{
    why_add(s, " TCR_EL1.EPD%d=1 turns translation by TTBR%d_EL1 off.", high, high);
    if (bits(ttbr, 47, 1))
        snprintf(s->instead, sizeof s->instead, "Clear TCR_EL1.EPD%d (bit %d): the table at TTBR%d_EL1 is there and is not looked at.", high, high ? 23 : 7, high);
    else
        snprintf(s->instead, sizeof s->instead, "Find where the address came from, in the registers above; or, if something is meant to be there, set "
                 "TTBR%d_EL1 to a table and clear TCR_EL1.EPD%d.", high, high);
}

/// What the walk of FAR met. ret  false when nothing can be added
void explain_walk(struct scene *s)
{
    const struct xlat *w = &s->walk;
    gva_t va = s->f->far;
    bool high = bit(va, 55);
    unsigned tsz = in_size(s, high), va_bits = 64 - tsz, l = (unsigned)w->level & 3;
    u64 top = va_bits < 56 ? (high ? ~va : va) << 8 >> 8 >> va_bits : 0;
    u64 d = w->desc[l];
    bool read = w->desc_pa[l] != 0;
    u64 ttbr = high ? s->f->sr_ttbr1 : s->f->sr_ttbr0;
    char place[80];
    gpa_t pa;
    if (table_misaligned(s, high, ttbr) || block_as_table(s))
        return;
    if (bit(s->f->sr_tcr, high ? 23 : 7))
        forbidden_half(s, high, ttbr);
    else if (top)
        why_add(s, " T%dSZ=%u covers %u bits of address only (%s 0x%llx).", high, tsz, va_bits, high ? "from" : "up to",
                (ull)(high ? ~0ULL << va_bits : (1ULL << va_bits) - 1));
    else if (s->fsc >= 0x14 && s->fsc < 0x18 && w->level == w->desc_first && ttbr >> 48 == 0xffff) {
        why_add(s, " TTBR%d_EL1=0x%llx is a virtual address; it must hold the physical one of the table.", high, (ull)ttbr);
        snprintf(s->first, sizeof s->first, "Write the physical address of the table to TTBR%d_EL1 (subtract the offset of the upper half).", high);
    } else if (w->fault >= 0x14 && w->fault < 0x18 && w->level == w->desc_first) {
        snprintf(s->instead, sizeof s->instead, "Write the physical address of the first table, which lies in RAM, to TTBR%d_EL1.", high);
        why_add(s, " TTBR%d_EL1=0x%llx points to %s.", high, (ull)ttbr,
                place_name(s->x, ttbr & 0xfffffffffffeULL, place, sizeof place));
    } else if (w->fault >= 0x14 && w->fault < 0x18) {
        why_add(s, " The level %d descriptor 0x%llx is a table descriptor for an address where nothing is.", w->level - 1,
                (ull)w->desc[(w->level - 1) & 3]);
        snprintf(s->first, sizeof s->first, "Put the physical address of the next table into that descriptor%s.",
                 bit(w->desc[(w->level - 1) & 3], 47) ? " (it looks like a virtual one)" : "");
    }
    else if (w->fault < 4 && !s->walk_ok && !read && bit(ttbr, 55) && linear_pa(s->x, s->c, s->f->pc, ttbr, &pa) && is_ram(s->x, pa))
        why_add(s, " TTBR%d_EL1=0x%llx is a virtual address; it must hold the physical one, 0x%llx.", high, (ull)ttbr, (ull)pa);
    else if (w->fault < 4 && !s->walk_ok)
        why_add(s, " %s 0x%llx needs more than the %u bits of physical address that TCR_EL1.IPS=%llu allows.",
                read ? "The output address of the descriptor" : "The table address", (ull)(read ? d & 0xfffffffff000ULL : s->f->sr_ttbr0),
                (unsigned[]){32, 36, 40, 42, 44, 48, 48, 48}[bits(s->f->sr_tcr, 34, 32)], (ull)bits(s->f->sr_tcr, 34, 32));
    else if (read && w->fault < 8 && l == 3 && (d & 3) == 1) {
        why_add(s, " The level 3 descriptor 0x%llx ends in 0b01, a block; at level 3 a page ends in 0b11.", (ull)d);
        snprintf(s->first, sizeof s->first, "Set bits 1:0 of page descriptors (level 3) to 0b11.");
    }
    else if (read && w->fault < 8 && (d & 3) == 1 && !s->walk_ok) {
        why_add(s, " The level %u descriptor 0x%llx is a block, which does not exist at that level with a granule of %u KiB.", l,
                (ull)d, granule_kib(s, high));
        snprintf(s->first, sizeof s->first, "If it is meant to point to a table, its bits 1:0 are 0b11.");
    }
    else if (read && s->walk_ok) {
        why_add(s, " The output address of the level %u descriptor 0x%llx is wrong.", l, (ull)d);
        snprintf(s->instead, sizeof s->instead, "Put PA 0x%llx, to which VA 0x%llx is to lead, into that descriptor.", (ull)(va & ~(w->page_size - 1)), (ull)va);
    } else if (read && w->fault < 8)
        why_add(s, " The level %u descriptor is 0x%llx (invalid%s).", l, (ull)d, d ? ": bit 0 is clear" : "");
    if ((w->fault < 8 || s->walk_ok) && (!top || high) && !bit(s->f->sr_tcr, high ? 23 : 7))
        try_tcr(s, va);
}

void add_walk_of(struct scene *s, gva_t va)
{
    struct xlat w;
    char fsc[80];
    if (!s->mmu || mmu_walk(s->c, va, &w))
        return;
    why_add(s, " (%s", fsc_name(w.fault, fsc, sizeof fsc));
    if (w.desc_pa[w.level & 3])
        why_add(s, ": the descriptor is 0x%llx", (ull)w.desc[w.level & 3]);
    why_add(s, ")");
}

/// Which descriptor of the walk sets a bit: in a table (at hierarchy) or in the last one. ret  the level; -1: none
static int level_with(const struct xlat *w, unsigned in_table, unsigned in_leaf)
{
    for (int l = w->desc_first & 3; l < w->level; l++)
        if (bit(w->desc[l & 3], in_table))
            return l;
    return bit(w->desc[w->level & 3], in_leaf) ? w->level : -1;
}

/// "PXNTable (bit 59) in the level 1 table descriptor", "PXN (bit 53) in the level 3 descriptor".
static const char *never_bit(const struct xlat *w, bool user, char *buf, size_t size)
{
    unsigned table = user ? 60 : 59, leaf = user ? 54 : 53;
    int l = level_with(w, table, leaf);
    snprintf(buf, size, l >= 0 && l < w->level ? "%sNTable (bit %u) is set in the level %d table descriptor" : "%sN (bit %u) is set in the level %d descriptor",
             user ? "UX" : "PX", l >= 0 && l < w->level ? table : leaf, l < 0 ? w->level : l);
    return buf;
}

/// What is written is the program's own code or constants: the pointer is wrong, not the mapping.
static void add_own_code(struct scene *s)
{
    const struct boot_plan *p = &s->x->plan;
    char sym[96];
    for (unsigned i = 0; s->x->has_plan && !s->x->is_linux && i < p->seg_count; i++) {
        const struct boot_seg *g = &p->seg[i];
        bool starts = s->walk.pa - g->gpa < PAGE;
        if (s->walk.pa - g->gpa >= g->file_len || (g->flags & 3) != 1)
            continue;
        name_addr(s->x, s->f->far, sym, sizeof sym);
        why_add(s, " That is the program's own code (%s%sPA 0x%llx-0x%llx).", sym, *sym ? ", " : "", (ull)g->gpa, (ull)(g->gpa + g->file_len - 1));
        SAY(fix, "Find where the pointer came from: %smemory that is given out must not begin before the end of the program (_end), an array or copy "
                 "must not run past its own; where it was meant, map that page writable for the time.",
            starts ? "an allocator that starts at the kernel itself hands out its code; " : "");
        return;
    }
}

static void permission(struct scene *s)
{
    char bits_of[96];
    const struct xlat *w = &s->walk;
    const struct fault *f = s->f;
    bool write = bit(f->esr, 6) && is_dabt(s);
    if (is_iabt(s) && f->kind >= 0x400 && bits(f->spsr, 3, 2) == 0) {
        SAY(cause, "0x%llx is mapped but not executable at EL0: %s%s.", (ull)f->far, never_bit(w, true, bits_of, sizeof bits_of),
            w->user_r ? "" : ", and AP[1]=0 keeps EL0 from reading it too");
        SAY(fix, "Clear UXN in the descriptors of code that runs at EL0, and set AP[1] (bit 6) for what it reads.");
    } else if (is_iabt(s)) {
        SAY(cause, "0x%llx is mapped but not executable at EL1: %s.", (ull)f->far,
            w->user_w ? "AP[1]=1 makes it writable at EL0, and that is never executable at EL1"
            : bit(f->sr_sctlr, 19) && w->priv_w ? "it is writable and SCTLR_EL1.WXN=1"
                                                : never_bit(w, false, bits_of, sizeof bits_of));
        SAY(fix, "%s", w->user_w ? "Clear AP[1] (bit 6) in the descriptors of kernel code."
                       : bit(f->sr_sctlr, 19) && w->priv_w ? "Map code read-only (AP[2], bit 7), or clear SCTLR_EL1.WXN."
                       : level_with(w, 59, 53) < w->level && level_with(w, 59, 53) >= 0
                           ? "Clear PXNTable (bit 59) of that table descriptor: it holds for all that is below."
                           : "Clear PXN in the descriptors of code that runs at EL1.");
        if (is_eret_at(s, trail_source(f, f->pc)) && bits(s->c->eret_spsr, 3, 2) == 1) {
            why_add(s, " ERET entered it with SPSR=0x%llx, which is EL1; a program for EL0 is entered with SPSR.M=0.", (ull)s->c->eret_spsr);
            if (w->user_r && !bit(w->desc[w->level & 3], 54))
                SAY(fix, "Set SPSR_EL1.M to 0 (EL0t) before the ERET: the page is one of EL0's.");
        }
    } else if (f->kind >= 0x400 && !w->user_r) {
        SAY(cause, "%s 0x%llx by EL0, which is mapped for EL1 only (AP[1]=0).", write ? "Write to" : "Read of", (ull)f->far);
        SAY(fix, "Set AP[1] (bit 6) in the descriptors of what programs at EL0 use: their data and literals, not only their code.");
    } else if (!write && bit(f->spsr, 22) && w->user_r) {
        SAY(cause, "Read of 0x%llx, which is mapped for EL0 (AP[1]=1), while PSTATE.PAN=1 forbids EL1 to touch such memory.",
            (ull)f->far);
        SAY(fix, "Use ldtr/sttr, clear PAN around the access (msr pan, #0), or clear AP[1] for kernel memory.");
    } else {
        SAY(cause, "%s 0x%llx, which its descriptor maps %s.", write ? "Write to" : "Read of", (ull)f->far,
            !w->priv_w ? level_with(w, 62, 7) < w->level ? "read-only (APTable[1], bit 62, of a table descriptor of the walk)" : "read-only (AP[2]=1)" : bit(f->spsr, 22) ? "for EL0 while PSTATE.PAN=1" : "without that right");
        SAY(fix, "%s", !w->priv_w ? "Clear AP[2] (bit 7) of the descriptor if this memory is to be written; data and stack must not share "
                                    "a page with read-only code." : "Give the descriptor the rights that the access needs.");
        if (write && !w->priv_w)
            add_own_code(s);
    }
}

/// A table descriptor whose bit 1 was forgotten is read as a block.
static void add_block_hint(struct scene *s)
{
    const struct xlat *w = &s->walk;
    u64 d = w->desc[w->level & 3], size = granule_kib(s, bit(s->f->far, 55)) * (u64)KIB, per_table = size / 8;
    for (int l = w->level; l < 3 && size; l++)
        size *= per_table;
    if (w->level < 3 && (d & 3) == 1 && size && (d & 0xfffffffff000ULL & (size - 1)) && is_ram(s->x, d & 0xfffffffff000ULL)) {
        why_add(s, " The level %d descriptor 0x%llx ends in 0b01, a block, but its address is not that of one: a table ends in 0b11.", w->level, (ull)d);
        snprintf(s->first, sizeof s->first, "If it is meant to point to a table, set bits 1:0 to 0b11.");
    }
}

bool f08_jump(struct scene *s, const char *from)
{
    const struct xlat *w = &s->walk;
    u64 d = w->desc[w->level & 3];
    bool walk_abort = s->fsc >= 0x14 && s->fsc < 0x18, typed = w->desc_pa[w->level & 3] && d;
    if (!s->mmu || !is_iabt(s) || !s->w->mmu_on_pc)
        return false;
    if ((s->fsc <= 0x10 && (s->fsc < 4 || s->fsc >= 0x0c)) && typed && bit(d, 47) && (d & 1) && !is_ram(s->x, w->pa)) {
        SAY(cause, "%s to 0x%llx, whose descriptor 0x%llx holds an output address where nothing is (it looks like a virtual address).", from,
            (ull)s->f->pc, (ull)d);
        SAY(fix, "Put physical addresses into descriptors: subtract the offset of the upper half.");
        return name_it(s, "F08", "descriptor with a wrong output address");
    }
    if (s->walk_ok || !(walk_abort || (s->fsc >= 4 && s->fsc < 8 && typed)))
        return false;
    SAY(cause, "%s to 0x%llx, and the tables are wrong for it.", from, (ull)s->f->pc);
    explain_walk(s);
    SAY(fix, "Compare the walk above with what was meant to be mapped there.");
    return name_it(s, "F08", "translation tables that do not fit");
}

/// Bytes that the loader put there.
static bool in_program(struct scene *s, gpa_t pa)
{
    const struct boot_plan *p = &s->x->plan;
    for (unsigned i = 0; s->x->has_plan && i < p->seg_count; i++)
        if (pa - p->seg[i].gpa < p->seg[i].mem_len)
            return true;
    return false;
}

/// EL2 set EL1 up with its MMU on: the first fetch already goes through tables.
static bool entered_unmapped(struct scene *s)
{
    const struct fault *f = s->f;
    char at[96];
    u64 src = trail_source(f, f->pc);
    if (!s->mmu || !is_iabt(s) || s->w->mmu_on_pc || f->el != 1 || !s->c->has_el2 || s->walk_ok || !is_eret_at(s, src) || !in_program(s, f->pc))
        return false;
    SAY(cause, "The ERET at %s entered EL1 at 0x%llx with SCTLR_EL1=0x%llx: its M bit is set, so EL1 starts with its MMU on, and the tables at "
               "TTBR0_EL1=0x%llx do not map that.", name_full(s->x, src, at, sizeof at), (ull)f->pc, (ull)f->sr_sctlr, (ull)f->sr_ttbr0);
    explain_walk(s);
    SAY(fix, "Enter EL1 with its MMU off (SCTLR_EL1=0x30d00800) and turn it on there, or map the code that EL1 starts with one to one first.");
    return name_it(s, "F08", "EL1 entered with the MMU on and its code not mapped");
}

/// The tables map where the MMU was turned on, and not where the program goes on.
static bool mapped_in_part(struct scene *s)
{
    const struct fault *f = s->f;
    struct xlat w;
    char at[96], from[96];
    u64 src = trail_source(f, f->pc);
    if (!is_iabt(s) || bit(f->pc, 55) || s->walk_ok || s->fsc < 4 || s->fsc >= 8 || s->w->tables_pc || !in_program(s, f->pc) || is_zero_word(s) || !mmu_walk(s->c, s->w->mmu_on_pc, &w) ||
        !((f->pc ^ s->w->mmu_on_pc) & ~(w.page_size - 1)))
        return false;
    SAY(cause, "The tables map the code that turned the MMU on at %s, but not 0x%llx, where the program goes on%s%s.",
        name_full(s->x, s->w->mmu_on_pc, at, sizeof at), (ull)f->pc, src ? " from " : "", src ? name_full(s->x, src, from, sizeof from) : "");
    explain_walk(s);
    SAY(fix, "Map all of the program: from its first byte to the end of .bss, and its stack.");
    return name_it(s, "F08", "code that the tables do not map");
}

/// The code that runs is no longer mapped.
static bool lost_code(struct scene *s)
{
    const struct cpu_watch *w = s->w;
    const struct fault *f = s->f;
    char at[96];
    bool by_switch = w->tables_pc && f->pc - w->tables_pc <= PAGE;
    if (!is_iabt(s) || (f->pc - w->mmu_on_pc > PAGE && !by_switch))
        return false;
    if (by_switch)
        SAY(cause, "The translation tables were changed at %s (TTBR or TCR), and under the new ones the running code at 0x%llx has "
                   "no mapping.", name_full(s->x, w->tables_pc, at, sizeof at), (ull)f->pc);
    else if (f->pc - w->mmu_on_pc <= 8 && s->walk_ok)
        SAY(cause, "The MMU was turned on at %s and the new tables lead the code that did it to PA 0x%llx; pc needs VA 0x%llx = PA 0x%llx.",
            name_full(s->x, w->mmu_on_pc, at, sizeof at), (ull)s->walk.pa, (ull)f->far, (ull)f->far);
    else if (f->pc - w->mmu_on_pc <= 8)
        SAY(cause, "The MMU was turned on at %s and the code that did it has no mapping under the new tables; pc needs VA 0x%llx = "
                   "PA 0x%llx.", name_full(s->x, w->mmu_on_pc, at, sizeof at), (ull)f->far, (ull)f->far);
    else
        SAY(cause, "The code at 0x%llx, which turned the MMU on at %s and still ran, lost its mapping since: a descriptor was changed "
                   "or invalidated.", (ull)f->pc, name_full(s->x, w->mmu_on_pc, at, sizeof at));
    explain_walk(s);
    SAY(fix, "Map the running code one to one %s.", by_switch ? "in the new tables too, or switch from code that both map"
             : f->pc - w->mmu_on_pc <= 8 ? "before setting SCTLR_EL1.M, and check that T0SZ and TG0 in TCR_EL1 fit the level at which "
                                           "TTBR0_EL1's table starts" : "as long as it runs there");
    return name_it(s, "F08", "running code has no mapping");
}

/// A pointer from before the jump into the upper half, where the same memory has another address.
static void add_stale(struct scene *s)
{
    const struct fault *f = s->f;
    struct xlat pc, up;
    u64 off;
    if (bit(f->far, 55) || !bit(f->pc, 55) || !mmu_walk(s->c, f->pc, &pc))
        return;
    off = f->pc - pc.pa;
    bool there = mmu_walk(s->c, f->far + off, &up) && up.pa == f->far;
    why_add(s, " It is a physical address, used by code in the upper half%s", there ? ", where this memory is at " : ".");
    if (there)
        why_add(s, "0x%llx.", (ull)(f->far + off));
    SAY(fix, "Add the offset of the upper half (0x%llx) to %s made before the jump there%s, or keep the lower half mapped until none is used.", (ull)off,
        by_sp(s) ? "SP, which was" : "pointers that were", there ? "" : ", and map it there");
}

bool f08_tables(struct scene *s)
{
    const struct fault *f = s->f;
    struct explain *x = s->x;
    char place[80], from[96];
    if (entered_unmapped(s))
        return true;
    if (!s->mmu || !(is_iabt(s) || is_dabt(s)) || !s->w->mmu_on_pc)
        return false;
    bool walk_abort = s->fsc >= 0x14 && s->fsc < 0x18, high = bit(f->far, 55);
    gpa_t want;
    bool known = linear_pa(x, s->c, f->pc, f->far, &want) && mem_find(machine_mem(x->m), want);
    bool just_on = f->pc - s->w->mmu_on_pc <= 8;
    if (just_on && is_iabt(s) && !high && s->walk_ok && s->walk.pa != f->far)
        return lost_code(s);
    bool stray = is_iabt(s) && (!is_ram(x, s->walk.pa) || (s->have_word && s->word == 0));
    if (s->fsc >= 0x0c && s->fsc < 0x10 && !stray) {
        permission(s);
        return name_it(s, "F08", is_iabt(s) ? "mapping does not allow execution" : "mapping does not allow the access");
    }
    if (s->fsc >= 8 && s->fsc < 0x0c) {
        SAY(cause, "The descriptor of 0x%llx has AF=0 (access flag): every first access faults.", (ull)f->far);
        add_block_hint(s);
        SAY(fix, "Set AF (bit 10) in block and page descriptors.");
        return name_it(s, "F08", "access flag not set in the descriptor");
    }
    if (s->fsc == 0x10 && s->walk_ok && s->walk.pa != want && known) {
        SAY(cause, "The tables map 0x%llx (%s) to PA 0x%llx, where there is nothing: the output address of its descriptor is wrong.",
            (ull)f->far, place_name(x, want, place, sizeof place), (ull)s->walk.pa);
        SAY(fix, "Put PA 0x%llx into the descriptor.", (ull)want);
        return name_it(s, "F08", "descriptor with a wrong output address");
    }
    if (s->fsc >= 0x0c && s->fsc <= 0x10)
        return false;
    if (high && is_iabt(s) && f->sr_ttbr1 == 0 && trail_source(f, f->pc)) {
        SAY(cause, "Jump from %s to 0x%llx in the upper half, but TTBR1_EL1 is 0: it was never given a table.",
            name_full(x, trail_source(f, f->pc), from, sizeof from), (ull)f->pc);
        SAY(fix, "Build tables for the upper half, write TTBR1_EL1 and T1SZ/TG1 of TCR_EL1, then jump there.");
        return name_it(s, "F01", "jump to nothing");
    }
    if (mapped_in_part(s) || lost_code(s))
        return true;
    if (high && is_iabt(s) && is_ram(x, want) && known && want != f->far && in_program(s, want)) {
        SAY(cause, "Jump from %s to 0x%llx in the upper half, which the tables of TTBR1_EL1 do not map; it should lead to PA 0x%llx.",
            trail_source(f, f->pc) ? name_full(x, trail_source(f, f->pc), from, sizeof from) : "an unknown place", (ull)f->pc, (ull)want);
        explain_walk(s);
        SAY(fix, "Map the kernel where it was linked, and check that T1SZ and TG1 in TCR_EL1 (TG1 is encoded otherwise than TG0) fit the level "
                 "at which TTBR1_EL1's table starts.");
        return name_it(s, "F08", "upper half without a mapping of the kernel");
    }
    if (walk_abort || s->fsc < 4) {
        SAY(cause, "The translation tables are wrong for 0x%llx.", (ull)f->far);
        explain_walk(s);
        SAY(fix, "Table descriptors and TTBRn_EL1 hold physical addresses of RAM; IPS in TCR_EL1 must cover them "
                 "(ID_AA64MMFR0_EL1.PARange).");
        return name_it(s, "F08", "translation tables that do not fit");
    }
    if (!is_dabt(s) || !known)
        return false;
    if (high || s->f->pc - s->w->mmu_on_pc > 4 * PAGE)
        SAY(cause, "The translation tables do not map 0x%llx, which should lead to PA 0x%llx (%s).", (ull)f->far, (ull)want,
            place_name(x, want, place, sizeof place));
    else
        SAY(cause, "0x%llx (%s) was reachable before the MMU was turned on at 0x%llx; the new tables do not map it.", (ull)f->far,
            place_name(x, f->far, place, sizeof place), (ull)s->w->mmu_on_pc);
    if (by_sp(s) || s->insn.rn == REG_SP)
        why_add(s, " It is the stack: SP=0x%llx.", (ull)f->sp);
    explain_walk(s);
    SAY(fix, "Map it before it is used: RAM as Normal, devices as Device-nGnRE memory.");
    add_stale(s);
    return name_it(s, "F08", "MMU on without a mapping for what is used");
}

/// Right after the MMU went on other memory is run: the tables lead the code elsewhere.
bool f08_moved(struct scene *s)
{
    const struct fault *f = s->f;
    char at[96];
    struct xlat w;
    if (!s->mmu || is_iabt(s) || bit(f->pc, 55) || !s->w->mmu_on_pc || f->pc - s->w->mmu_on_pc > 256 || !mmu_walk(s->c, f->pc, &w) ||
        w.pa == f->pc)
        return false;
    SAY(cause, "The MMU was turned on at %s, and the new tables lead the code behind it to PA 0x%llx instead of 0x%llx: other bytes (`%s`) run.",
        name_full(s->x, s->w->mmu_on_pc, at, sizeof at), (ull)w.pa, (ull)f->pc, s->dis);
    SAY(fix, "Put PA 0x%llx into the descriptor that maps 0x%llx.", (ull)(f->pc & ~0xfffULL), (ull)(f->pc & ~0xfffULL));
    return name_it(s, "F08", "descriptor with a wrong output address");
}

/// MMU off while the code ran at an address that is no physical one.
bool f08_turned_off(struct scene *s)
{
    char at[96];
    if (s->mmu || !is_iabt(s) || !s->w->mmu_off_pc || s->f->pc - s->w->mmu_off_pc > 64)
        return false;
    SAY(cause, "The MMU was turned off at %s by code that runs at a virtual address; with the MMU off the next instruction is fetched "
               "from PA 0x%llx, where there is no code.", name_full(s->x, s->w->mmu_off_pc, at, sizeof at), (ull)s->f->pc);
    SAY(fix, "Turn the MMU off from code that is mapped one to one.");
    return name_it(s, "F08", "MMU turned off by code that is not mapped one to one");
}

/// What EL1 does is translated once more, by tables that EL2 did not make.
bool f08_stage2(struct scene *s)
{
    u64 hcr = s->c->sr[SYSREG_HCR_EL2];
    bool abort = s->ec == EC_IABT_LOW || s->ec == EC_DABT_LOW;
    char fsc[80];
    if (s->f->el != 2 || !abort || !(hcr & 1) || s->c->stage2)
        return false;
    SAY(cause, "%s at 0x%llx by EL%llu is stopped by stage 2: HCR_EL2.VM=1, and the tables at VTTBR_EL2=0x%llx do not let IPA 0x%llx through "
               "(%s).", s->ec == EC_IABT_LOW ? "The fetch" : "The access", (ull)s->f->far, (ull)bits(s->f->spsr, 3, 2),
        (ull)s->c->sr[SYSREG_VTTBR_EL2], (ull)(bits(s->c->sr[SYSREG_HPFAR_EL2], 43, 4) << 12 | (s->f->far & 0xfff)),
        fsc_name(s->fsc, fsc, sizeof fsc));
    SAY(fix, "Clear HCR_EL2.VM (write all of HCR_EL2, its reset value is unknown on silicon: 1 << 31 for a kernel at EL1), or build stage 2 tables "
             "and set VTCR_EL2 and VTTBR_EL2.");
    return name_it(s, "F08", "stage 2 does not map what EL1 uses");
}
