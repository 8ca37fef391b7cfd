/// F09 and F10: addresses of other boards, of other links, of nothing.
#include "debug/why.h"

/// Where a raw binary goes above the start of RAM.
#define RAW_OFFSET 0x80000

/// Data at a virtual address while the MMU is off.
bool f10_virtual(struct scene *s)
{
    const struct boot_plan *p = &s->x->plan;
    char sym[96];
    u64 at = s->f->far;
    bool linked = at >> 48 == 0xffff && at < -4096ULL;
    for (unsigned i = 0; s->x->has_plan && i < p->seg_count; i++)
        linked |= p->seg[i].va && at - p->seg[i].va < p->seg[i].mem_len;
    if (s->mmu || !is_dabt(s) || !(at >> 48) || !linked)
        return false;
    SAY(cause, "`%s` uses 0x%llx, a virtual address, while the MMU is off.", s->dis, (ull)at);
    for (unsigned i = 0; s->x->has_plan && i < p->seg_count; i++)
        if (p->seg[i].va && at - p->seg[i].va < p->seg[i].mem_len)
            why_add(s, " It is the link address of %s, which lies at PA 0x%llx.",
                    *name_addr(s->x, p->seg[i].gpa + (at - p->seg[i].va), sym, sizeof sym)
                        ? sym
                        : p->seg[i].what,
                    (ull)(p->seg[i].gpa + (at - p->seg[i].va)));
    SAY(fix, "%s",
        "Use pc-relative addresses (adr, adrp + :lo12:) until the MMU is on; a literal (ldr x0, "
        "=symbol) holds the link "
        "address.");
    return name_it(s, "F10", "link address used while the MMU is off");
}

/// The same where RAM is too, at 0 (a position-independent program whose pointers were not relocated) and in the file.
static bool link_near(struct scene *s, u64 at)
{
    const struct boot_plan *p = &s->x->plan;
    u64 ram = machine_config(s->x->m)->ram_base, base[] = {0,
                                                           ram,
                                                           ram + 0x10000,
                                                           ram + RAW_OFFSET,
                                                           ram + 0x100000,
                                                           ram + 0x200000,
                                                           ram + 0x400000,
                                                           ram + 0x800000,
                                                           ram + 0x1000000,
                                                           ram + 0x2000000,
                                                           ram + 0x4000000,
                                                           ram + 0x8000000,
                                                           ram + 0x10000000};
    u32 word, there = 0;
    bool jump = !is_dabt(s);
    for (unsigned i = 0; jump && i < ARRAY_LEN(base); i++) {
        if (base[i] == p->seg[0].gpa || at - base[i] >= p->seg[0].mem_len ||
            at - p->seg[0].gpa < p->seg[0].mem_len || (at & 3))
            continue;
        if (!mem_read(machine_mem(s->x->m), p->seg[0].gpa + (at - base[i]), &word, 4) ||
            word == 0 || (mem_read(machine_mem(s->x->m), at, &there, 4) && there != 0))
            continue;
        SAY(cause, "0x%llx is 0x%llx above 0x%llx: the program was linked for 0x%llx and uses absolute addresses, but it was loaded at 0x%llx%s.",
            (ull)at, (ull)(at - base[i]), (ull)base[i], (ull)base[i], (ull)p->seg[0].gpa,
            base[i] ? "" : "; pointers in its data need relocations that nobody applied");
        SAY(fix, "Link it for 0x%llx (-Ttext=0x%llx), pass the ELF file, or say where it belongs (--load FILE@0x%llx)%s.",
            (ull)p->seg[0].gpa, (ull)p->seg[0].gpa,
            (ull)(base[i] ? base[i] : p->seg[0].gpa), "; a position-independent program (-pie) applies its relocations (.rela.dyn) itself before it uses pointers");
        return name_it(s, "F10", "linked for another address");
    }
    return false;
}

/// The address is near a usual base for another reason: a jump to where the program has no code, the end of RAM.
static bool is_chance(struct scene *s, u64 at, u64 base)
{
    const struct boot_seg *g = &s->x->plan.seg[0];
    const struct machine_config *m = machine_config(s->x->m);
    u32 word = 0;
    if (base == m->ram_base + m->ram_size && (is_dabt(s) || at == base))
        return true;
    return !is_dabt(s) && (!mem_read(machine_mem(s->x->m), g->gpa + (at - base), &word, 4) || word == 0);
}

/// An address that would be inside the program had it been put where it was linked.
bool f10_link(struct scene *s)
{
    static const u64 bases[] = {0x80000,
                                0x8000,
                                0x10000,
                                0x200000,
                                0x400000,
                                0x60000000,
                                0x80000000,
                                0xffff000000000000,
                                0xffff000000080000,
                                0xffffff8000000000,
                                0xffffff8000080000,
                                0xffff800000000000};
    const struct boot_plan *p = &s->x->plan;
    u64 at = is_iabt(s) ? s->f->pc : s->f->far, size = 0;
    bool zeros = s->ec == EC_UNKNOWN && is_zero_word(s);
    if (zeros)
        at = s->f->pc;
    if (s->mmu && is_iabt(s) && s->walk_ok && s->fsc >= 0x0c)
        at = s->walk.pa; /* mapped, but no code was put there */
    else if (s->mmu)
        return false;
    if (!s->x->has_plan || p->kind != BOOT_KIND_FLAT || p->seg_count == 0 ||
        !(is_iabt(s) || is_dabt(s) || zeros))
        return false;
    if (is_ram(s->x, at) || (at && at < 4096))
        return link_near(s, at);
    size = p->seg[0].mem_len + 64 * KIB; /* bss is not in the file */
    u64 base = 0, away = ~0ULL;
    for (unsigned i = 0; i < ARRAY_LEN(bases); i++) {
        bool below = by_sp(s) && bases[i] - at <= 4096; /* a stack that grows down from the start */
        u64 d = below ? bases[i] - at : at - bases[i];
        if ((below || (d < size && !is_chance(s, at, bases[i]))) && d < away) {
            base = bases[i];
            away = d;
        }
    }
    if (away == ~0ULL)
        return false;
    SAY(cause,
        "0x%llx is 0x%llx %s 0x%llx: the program was linked for 0x%llx and uses absolute "
        "addresses, but it was "
        "loaded at 0x%llx.",
        (ull)at, (ull)away, at < base ? "below" : "above", (ull)base, (ull)base, (ull)p->seg[0].gpa);
    SAY(fix, "Link it for 0x%llx (-Ttext=0x%llx), or pass the ELF file.", (ull)p->seg[0].gpa,
        (ull)p->seg[0].gpa);
    return name_it(s, "F10", "linked for another address");
}

/// What is special about an address where nothing answers, and what to change.
static void place_hint(struct scene *s, gpa_t pa)
{
    const struct machine_config *m = machine_config(s->x->m);
    char who[96];
    u64 behind = pa - (m->ram_base + m->ram_size);
    const char *board = behind < MIB ? NULL : board_at(pa, who, sizeof who);
    bool v2 = !m->bare && m->gic == 3 && pa >= 0x08010000 && pa < 0x08020000;
    bool v3 = !m->bare && m->gic == 2 && pa >= 0x080a0000 && pa < 0x09000000;
    SAY(fix,
        "This board's PL011 is at 0x09000000, the GIC at 0x08000000, RAM at 0x%llx; take addresses "
        "from the device tree in x0 (`bruin dtb dump` shows the map).", (ull)m->ram_base);
    if (v2)
        why_add(s, ", where the CPU interface of a GICv2 would be: this machine has a GICv3 "
                   "(system registers ICC_*; --gic 2 gives "
                   "a GICv2).");
    else if (v3)
        why_add(s, ", where the redistributors of a GICv3 would be: this machine has a GICv2 "
                   "(--gic 3 gives a GICv3).");
    else if (board)
        why_add(s, ", where this board has nothing: that is %s.", board);
    else if (behind < 1024 * MIB)
        why_add(s, ", behind the end of RAM (0x%llx): the guest has %llu MiB, -m gives more.",
                (ull)(m->ram_base + m->ram_size - 1), (ull)(m->ram_size / MIB));
    else
        why_add(s, ", where this board has neither RAM nor a device.");
    if (v2 || v3)
        SAY(fix, "Run with --gic %d, or take the kind of interrupt controller and its addresses from the device tree in x0.", v2 ? 2 : 3);
    else if (!board && behind < 1024 * MIB)
        SAY(fix, "Take the size of RAM from the /memory node of the device tree in x0, or from what an allocator was given; -m %lluM would reach that far.",
            (ull)align_up((behind + m->ram_size) / MIB + 1, 128));
    else if (!board && pa >> 36)
        SAY(fix, "No device of a small board is there: find what computed the pointer (the registers above show it), as memory that was never "
                 "cleared, an entry of a table that was read with a wrong size or mask, or data that was overwritten.");
}

/// Base and index of an access whose index leads out of what the base points to.
static void add_index(struct scene *s)
{
    const struct insn *i = &s->insn;
    char sym[96];
    struct xlat w;
    if (!s->have_word || !(i->flags & MR) || !(i->flags & (LD | ST)) || i->rn > 30 || i->rm > 30)
        return;
    u64 base = s->f->x[i->rn], index = s->f->x[i->rm];
    if (!mmu_walk(s->c, base, &w) || !is_ram(s->x, w.pa) || base < 4096)
        return;
    name_addr(s->x, base, sym, sizeof sym);
    why_add(s, " The base x%u=0x%llx%s%s is good; the index x%u=0x%llx leads out of it.", i->rn, (ull)base, *sym ? " " : "", sym, i->rm, (ull)index);
    snprintf(s->first, sizeof s->first, "Check the range of the index before it is used%s.",
             (u32)index >> 24 == 0x80 || (index >> 40 == 0xffffff && index != ~0ULL && (u32)index >> 16 >= 0xff80) ? " (MPIDR_EL1 has bit 31 set: mask it with 0xff for a CPU number)" : "");
}

/// A field of the device tree read with the wrong byte order leads far behind it.
static bool f09_device_tree(struct scene *s)
{
    const struct explain *x = s->x;
    u8 head[16];
    gpa_t pa = s->f->far;
    if (!is_dabt(s) || !x->has_plan || !x->plan.dtb || x->is_linux || !mem_read(machine_mem(x->m), x->plan.dtb, head, sizeof head))
        return false;
    if (s->mmu && !linear_pa(s->x, s->c, s->f->pc, s->f->far, &pa))
        return false;
    for (unsigned k = 4; k < sizeof head; k += 4) { /* totalsize, off_dt_struct, off_dt_strings */
        u64 field = ld32(head + k);
        if (field < 64 * KIB || pa - (x->plan.dtb + field) >= 4 * KIB)
            continue;
        SAY(cause, "`%s` uses 0x%llx: the device tree at 0x%llx plus 0x%llx, which is its field %s read as little-endian.", s->dis, (ull)s->f->far,
            (ull)x->plan.dtb, (ull)field, k == 4 ? "totalsize" : k == 8 ? "off_dt_struct" : "off_dt_strings");
        SAY(fix, "All fields and values of a device tree are big-endian: swap the bytes of each 32-bit word read (rev w0, w0; __builtin_bswap32).");
        return name_it(s, "F09", "device tree read with the wrong byte order");
    }
    return false;
}

/// No register that a call preserves holds the address of the device tree any more.
static bool lost_dtb_pointer(struct scene *s)
{
    const struct explain *x = s->x;
    bool kept = !x->has_plan || x->is_linux || x->quiet ||
                memcmp(x->dtb_head, "\xd0\x0d\xfe\xed", 4) != 0;
    for (unsigned r = 0; r < 31; r++)
        kept |= s->f->x[r] == x->plan.dtb;
    return !kept;
}

bool f09_device(struct scene *s)
{
    char val[80] = "", who[96];
    struct bad_access b = s->f->bad;
    const struct machine_config *m = machine_config(s->x->m);
    gpa_t pa = s->f->far;
    bool foreign = s->mmu && is_dabt(s) && s->fsc >= 4 && s->fsc < 8 &&
                   linear_pa(s->x, s->c, s->f->pc, s->f->far, &pa) &&
                   !mem_find(machine_mem(s->x->m), pa) &&
                   (board_at(pa, who, sizeof who) || pa - (m->ram_base + m->ram_size) < MIB);
    if (f09_device_tree(s))
        return true;
    if (!is_dabt(s) || (!foreign && (s->fsc != 0x10 || !b.valid)))
        return false;
    if (foreign)
        b = (struct bad_access){.write = bit(s->f->esr, 6), .pa = pa, .size = 1u << s->insn.p};
    bool null = b.pa < 4096;
    if (b.write && b.size == 1 && b.val >= 32 && b.val < 127)
        snprintf(val, sizeof val, " '%c'", (char)b.val);
    SAY(cause, "%s of %u byte%s%s at %sPA 0x%llx", b.write ? "Write" : "Read", b.size,
        b.size == 1 ? "" : "s", val, foreign ? "unmapped " : "", (ull)b.pa);
    if (null) {
        why_add(s, ": a null pointer (plus an offset); nothing answers there.");
        SAY(fix,
            "Check where the pointer came from; with the MMU off, .bss that was not cleared or an "
            "address that was "
            "never relocated also ends here%s.",
            b.write || !lost_dtb_pointer(s) ? "" : ", and so does a device tree pointer that was not kept: x0 holds it at the first instruction only");
        return name_it(s, "F09", "access through a null pointer");
    }
    place_hint(s, b.pa);
    add_pattern(s, b.va ? b.va : b.pa);
    if (!board_at(b.pa, who, sizeof who))
        add_index(s);
    if (by_sp(s)) {
        why_add(s, " It is the stack: SP=0x%llx.", (ull)s->f->sp);
        SAY(fix, "Find who moved SP: a function or handler that adds more to it than it took, a switch of threads that loads a wrong one, or a first value "
                 "that is none of this board's RAM.");
    }
    return name_it(s, "F09", "access to an address where this board has nothing");
}

/// What was used as an address has bits where no address has any: something overwrote the pointer.
bool f09_garbage(struct scene *s)
{
    u64 va = s->f->far, top = va >> 48;
    bool tagged = s->mmu && bits(s->f->sr_tcr, 38, 37) &&
                  (top & 0xff) == (bit(va, 47) ? 0xff : 0); /* TBI: the top byte is free */
    bool negative = !s->mmu && va > -4096ULL;
    if (!is_dabt(s) || top == 0 || (top == 0xffff && !negative) || tagged || (s->fsc >= 0x0c && s->fsc < 0x14))
        return false;
    if (negative) {
        SAY(cause, "`%s` uses 0x%llx, which is no address.", s->dis, (ull)va);
        add_pattern(s, va);
        SAY(fix, "Test what a function returned before it is used as a pointer (0 or negative: it failed).");
        return name_it(s, "F09", "access through a null pointer or an error code");
    }
    SAY(cause, "`%s` uses 0x%llx, which is no address at all: bits 63 to 48 are %s.", s->dis,
        (ull)va, s->mmu ? "neither all 0 nor all 1" : "not 0 while the MMU is off");
    add_pattern(s, va);
    SAY(fix, "Find what wrote this value where a pointer belongs: an array written past its end, a "
             "stack that ran into data, memory that was "
             "freed or never set.");
    return name_it(s, "F09", "access through a corrupted pointer");
}

/// Data aborts that no entry above explains.
bool data_abort(struct scene *s)
{
    char fsc[80];
    if (!is_dabt(s))
        return false;
    fsc_name(s->fsc, fsc, sizeof fsc);
    if (s->f->far < 4096)
        SAY(cause, "%s 0x%llx: a null pointer (plus an offset); %s.",
            bit(s->f->esr, 6) ? "Write to" : "Read of", (ull)s->f->far, fsc);
    else if (s->fsc >= 12 && s->fsc < 16)
        SAY(cause, "The mapping of 0x%llx does not allow this %s (%s).", (ull)s->f->far,
            bit(s->f->esr, 6) ? "write" : "read", fsc);
    else if (s->fsc >= 8 && s->fsc < 12)
        SAY(cause, "The descriptor of 0x%llx has AF=0 (access flag).", (ull)s->f->far);
    else if (s->mmu && s->fsc >= 4 && s->fsc < 8) {
        SAY(cause, "%s 0x%llx at EL%llu, which nothing maps.", bit(s->f->esr, 6) ? "Write to" : "Read of", (ull)s->f->far, (ull)bits(s->f->spsr, 3, 2));
        explain_walk(s);
        add_pattern(s, s->f->far);
        add_index(s);
        SAY(fix, "Map it, with AP[1] (bit 6) if EL0 uses it; or, if nothing belongs there, find where the address came from: the registers above "
                 "show it.");
        return name_it(s, "F08", "access to an address that nothing maps");
    } else
        SAY(cause, "%s of 0x%llx: %s.", bit(s->f->esr, 6) ? "Write" : "Read", (ull)s->f->far, fsc);
    add_pattern(s, s->f->far);
    SAY(fix, "See the walk above for the descriptor that stopped it, and install vectors "
             "(VBAR_EL1) whose handler prints "
             "ESR_EL1, ELR_EL1 and FAR_EL1.");
    if (s->f->far < 4096) {
        SAY(fix, "Find where the pointer came from: a function that failed and returned NULL unchecked, a variable that was not set yet or that a late "
                 "clearing of .bss reset, a pointer that was not kept over a call.");
        return name_it(s, "F09", "access through a null pointer");
    }
    return name_it(s, "F02", "data abort that nothing handles");
}
