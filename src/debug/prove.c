/// Proofs that a loop never ends. A rehearsal CPU runs it with the memory it writes kept aside; the loop is
/// endless when a whole state comes back, or when the values that change from one round to the next
/// (counters, the time) decide neither where it goes nor what it touches.
#include "chr/chr.h"
#include "debug/priv.h"

#include <stdlib.h>

enum { CELLS = 256, TRIES_MAX = 48, ROUNDS_MAX = 4, PERIOD_MAX = 8192 };
#define FR_RXFE (1u << 4)
#define FR_RXFF (1u << 6)
#define FR_BUSY (1u << 3)
#define FR_TXFF (1u << 5)
enum { PL011_DR = 0, PL011_FR = 0x18, PL011_RIS = 0x3c, PL011_MIS = 0x40 };

struct cell {
    gva_t va; ///< multiple of 8
    u64 val;
    u8 tainted; ///< one bit a byte
};

/// All that a round can change.
struct world {
    u64 x[REG_SINK], pc, sp_bank[4];
    u32 nzcv, daif;
    union vreg v[32];
    u64 excl_va, excl_val[2];
    u32 excl_size;
    struct cell cell[CELLS];
    unsigned cells;
};

struct proof {
    struct cpu_probe probe; ///< first: the access function gets its address
    struct explain *x;
    struct world now, seen, start, next;
    u32 fr_input;      ///< what the receive flags of a PL011 show
    bool reads_fr;     ///< ... was asked
    bool reads_uart;   ///< some register of a PL011 was read
    bool reads_ram;
    bool reads_time, saw_time;
    u64 time;
    /* Which values differ from round to round. */
    bool taints;       ///< being followed
    u64 taint_x;
    bool taint_flags;
    bool load_tainted; ///< the access of this instruction met one
    struct touched *touched; ///< what it reads and changes is written down here, or NULL
};

/* ---- memory ---- */

/// Adds a place to a set, an open hash. Full: told to be so, and the proof counts for nothing beside others.
static void touch(struct proof *p, struct cpu *s, gpa_t *set, gva_t va)
{
    struct xlat w;
    if (!mmu_walk(s, va, &w))
        return;
    gpa_t pa = w.pa & ~7ULL;
    unsigned k = (unsigned)(pa >> 3) * 2654435761u >> 16 & (TOUCHED_MAX - 1), n = 0;
    for (; n < TOUCHED_MAX && set[k] && set[k] != pa; n++)
        k = (k + 1) & (TOUCHED_MAX - 1);
    if (n == TOUCHED_MAX)
        p->touched->full = true;
    else
        set[k] = pa;
}

bool touched_meet(const struct touched *writer, const struct touched *reader)
{
    if (writer->full || reader->full)
        return true;
    for (unsigned k = 0; k < TOUCHED_MAX; k++)
        for (unsigned n = 0; writer->write[k] && n < TOUCHED_MAX; n++)
            if (reader->read[n] == writer->write[k])
                return true;
    return false;
}

static struct cell *find_cell(struct world *w, gva_t va)
{
    for (unsigned i = 0; i < w->cells; i++)
        if (w->cell[i].va == va)
            return &w->cell[i];
    return NULL;
}

/// Registers that show the same until some CPU writes one: of a virtio slot without a device, and those of the
/// interrupt controller that no interrupt changes.
static bool is_constant(struct cpu *s, const struct mem_region *r, gpa_t pa)
{
    u64 id, off = pa - r->base;
    if (strncmp(r->name, "virtio", 6) == 0)
        return (off & 0x1ff) < 0x10 || (mem_io_read(s->mem, (pa & ~0x1ffULL) + 8, 4, &id) && id == 0); /* Magic, Version, DeviceID, VendorID */
    if (strcmp(r->name, "gicv3-redist") == 0)
        return (off & 0x1ffff) < 0x40; /* CTLR, IIDR, TYPER, STATUSR, WAKER */
    return (strcmp(r->name, "gicv3-dist") == 0 || strcmp(r->name, "gicv2-dist") == 0) && off < 0x10;
}

/// The UART may be polled: what it shows changes only with input, and that is tried both ways.
static bool read_device(struct proof *p, struct cpu *s, gva_t va, unsigned size, u64 *val)
{
    struct xlat w;
    if (!mmu_walk(s, va, &w) || size > 8)
        return false;
    const struct mem_region *r = mem_find(s->mem, w.pa);
    if (r && r->kind == MEM_MMIO && size <= 4 && is_constant(s, r, w.pa) && mem_io_read(s->mem, w.pa, size, val)) {
        p->x->loop.device = w.pa;
        p->x->loop.device_val = *val;
        return true;
    }
    u64 off = r ? (w.pa - r->base) & 0xfff : 0, reg = off & ~3ULL;
    if (r == NULL || r->kind != MEM_MMIO || strcmp(r->name, "pl011") != 0 || reg == PL011_DR || reg == PL011_RIS ||
        reg == PL011_MIS || !mem_io_read(s->mem, w.pa, size, val))
        return false;
    p->reads_uart = true;
    if (reg == PL011_FR && !(off & 3)) {
        if (*val & (FR_BUSY | FR_TXFF)) /* the host does not take what was sent, for now */
            return false;
        p->reads_fr = true;
        *val = (*val & ~(u64)(FR_RXFE | FR_RXFF)) | p->fr_input;
    }
    return true;
}

static bool load(struct proof *p, struct cpu *s, gva_t va, unsigned size, u64 *val)
{
    u8 buf[16] = {0};
    if (!mmu_debug_read(s, va, buf, size))
        return read_device(p, s, va, size, val);
    p->reads_ram = true;
    for (unsigned k = 0; p->touched && k < size + 7; k += 8)
        touch(p, s, p->touched->read, va + (k < size ? k : size - 1));
    p->x->loop.va = va;
    p->x->loop.size = size;
    for (unsigned k = 0; k < size; k++) {
        const struct cell *c = find_cell(&p->now, (va + k) & ~7ULL);
        if (c) {
            buf[k] = (u8)(c->val >> ((va + k) & 7) * 8);
            p->load_tainted |= c->tainted >> ((va + k) & 7) & 1;
        }
    }
    val[0] = p->x->loop.val = ld64(buf);
    if (size == 16)
        val[1] = ld64(buf + 8);
    return true;
}

static bool store_byte(struct proof *p, struct cpu *s, gva_t va, u8 b)
{
    struct cell *c = find_cell(&p->now, va & ~7ULL);
    struct xlat w;
    if (c == NULL) {
        if (p->now.cells == CELLS || !mmu_walk(s, va, &w) || !is_ram(p->x, w.pa))
            return false;
        c = &p->now.cell[p->now.cells++];
        *c = (struct cell){.va = va & ~7ULL};
        if (!mmu_debug_read(s, c->va, &c->val, 8))
            return false;
    }
    unsigned shift = (unsigned)(va & 7) * 8;
    if (p->touched && (u8)(c->val >> shift) != b)
        touch(p, s, p->touched->write, va);
    c->val = (c->val & ~(0xffULL << shift)) | (u64)b << shift;
    return true;
}

static bool store(struct proof *p, struct cpu *s, gva_t va, unsigned size, const u64 *val)
{
    for (unsigned k = 0; k < size; k++)
        if (!store_byte(p, s, va + k, (u8)(val[k / 8] >> k % 8 * 8)))
            return false;
    return true;
}

static bool access(struct cpu *c, struct cpu_probe *probe, gva_t va, unsigned size, bool write, u64 *val)
{
    struct proof *p = (struct proof *)probe;
    return write ? store(p, c, va, size, val) : load(p, c, va, size, val);
}

/* ---- taint: which registers an instruction reads and writes ---- */

static bool is_x(const struct proof *p, u8 r) { return r < 64 && p->taint_x >> r & 1; }

/// An operand of the instruction depends on something tainted. address: those that may form one.
static bool reads_tainted(const struct proof *p, const struct insn *i, bool address)
{
    u32 f = i->flags;
    bool any = ((f & NR) && is_x(p, i->rn)) || ((f & MR) && is_x(p, i->rm));
    if (!address)
        any |= ((f & DR) && is_x(p, i->rd)) || ((f & AR) && is_x(p, i->ra)) || ((f & FR) && p->taint_flags);
    return any;
}

static void set_x(struct proof *p, u8 r, bool on)
{
    if (r < REG_ZR)
        p->taint_x = on ? p->taint_x | 1ULL << r : p->taint_x & ~(1ULL << r);
}

static void write_taint(struct proof *p, const struct insn *i, bool on)
{
    if (i->flags & DW)
        set_x(p, i->rd, on);
    if (i->flags & AW)
        set_x(p, i->ra, on);
    if (i->flags & MW)
        set_x(p, i->rm, on);
    if (i->flags & FW)
        p->taint_flags = on;
}

static void taint_cells(struct proof *p, gva_t va, unsigned size, bool on)
{
    for (unsigned k = 0; k < size; k++) {
        struct cell *c = find_cell(&p->now, (va + k) & ~7ULL);
        u8 bit = (u8)(1u << ((va + k) & 7));
        if (c)
            c->tainted = on ? c->tainted | bit : c->tainted & (u8)~bit;
    }
}

/* ---- one instruction ---- */

/// ISTATUS of a timer that is off never comes.
static bool reads_dead_timer(struct proof *p, const struct insn *i)
{
    static const enum sysreg_id timers[] = {SYSREG_CNTV_CTL_EL0, SYSREG_CNTP_CTL_EL0, SYSREG_CNTHP_CTL_EL2, SYSREG_CNTHV_CTL_EL2};
    for (unsigned k = 0; k < ARRAY_LEN(timers); k++)
        if (sysreg_id((u32)i->imm) == (int)timers[k] && !(p->x->sim->sr[timers[k]] & 1)) {
            p->x->loop.timer = timers[k];
            return true;
        }
    return false;
}

/// System instructions that only read what does not change by itself.
static bool is_calm_system(struct proof *p, const struct insn *i)
{
    const char *name;
    switch (i->op) {
    case OP_DSB:
    case OP_DMB:
    case OP_ISB:
    case OP_CLREX:
    case OP_WFI: /* an interrupt may end the sleep but is not taken: as if it were not there */
    case OP_WFE: return true;
    case OP_HINT: return p->x->cpus == 1 || bits(i->word, 11, 5) != 4; /* SEV */
    case OP_MSR_i: return bits(i->word, 18, 16) == 3 && bits(i->word, 7, 5) == 6; /* DAIFSet */
    case OP_MRS:
        name = sysreg_name((u32)i->imm);
        if (name && (strncmp(name, "CNTVCT", 6) == 0 || strncmp(name, "CNTPCT", 6) == 0))
            return p->reads_time = p->saw_time = true;
        if (reads_dead_timer(p, i))
            return true;
        if (name && strncmp(name, "CNT", 3) == 0) /* status and countdown of a timer */
            return strstr(name, "_CTL_") == NULL && strstr(name, "_TVAL_") == NULL;
        return name && strncmp(name, "ICC_", 4) != 0 &&
               strncmp(name, "PM", 2) != 0 && strcmp(name, "ISR_EL1") != 0 && strncmp(name, "RNDR", 4) != 0;
    default: return !(i->flags & END) && i->op != OP_SVC && i->op != OP_HVC && i->op != OP_SMC && i->op != OP_BRK &&
                    i->op != OP_HLT && i->op != OP_ERET;
    }
}

/// Follows what the instruction does to tainted values. ret  false when one decides something
static bool follow(struct proof *p, const struct insn *i, bool was_time)
{
    bool memory = i->flags & (LD | ST);
    if (((i->flags & BR) && reads_tainted(p, i, false)) || (memory && reads_tainted(p, i, true)))
        return false;
    if ((i->flags & FP) || i->op == OP_CASPw || i->op == OP_CASPx) /* registers that the row does not name */
        return false;
    if (p->load_tainted && p->x->sim->excl_va == p->probe.va) /* an exclusive pair would carry it on */
        return false;
    if (i->flags & BR) {
        if (i->op == OP_BL || i->op == OP_BLR)
            set_x(p, 30, false);
        return true;
    }
    bool on = reads_tainted(p, i, false) || p->load_tainted || (was_time && i->op == OP_MRS);
    if (i->op == OP_MRS && sysreg_id((u32)i->imm) == SYSREG_NZCV)
        on |= p->taint_flags;
    write_taint(p, i, on);
    if (p->probe.stored)
        taint_cells(p, p->probe.va, p->probe.size, on);
    return true;
}

/// An ERET to the same level that opens no interrupt; ELR and SPSR stay, since no MSR passes.
static bool step_eret(struct proof *p)
{
    struct cpu *s = p->x->sim;
    u64 spsr = s->sr[cpu_el_regs[s->el].spsr];
    bool same = bits(spsr, 4, 0) == ((u64)s->el << 2 | s->sp_sel) && bit(spsr, 22) == s->pan;
    if (!same || s->el == 0 || ((spsr ^ s->daif) & 0x3c0) || bits(spsr, 21, 20))
        return false;
    p->x->loop.eret_pc = s->pc;
    s->pc = s->sr[cpu_el_regs[s->el].elr];
    cpu_set_nzcv(s, (u32)spsr & 0xf0000000u);
    s->excl_size = 0;
    p->taint_flags = false;
    return true;
}

static bool step(struct proof *p)
{
    struct cpu *s = p->x->sim;
    struct insn i;
    u32 word;
    if ((s->pc & 3) || !mmu_debug_read(s, s->pc, &word, 4) || find_cell(&p->now, s->pc & ~7ULL))
        return false;
    insn_decode(word, &i);
    if (i.op == OP_ERET)
        return step_eret(p);
    p->probe.stored = p->probe.loaded = p->probe.blocked = p->probe.is_atomic = p->load_tainted = false;
    bool time_before = p->reads_time;
    p->reads_time = false;
    if (!is_calm_system(p, &i) || ((i.flags & FP) && !cpu_fp_enabled(s)))
        return false;
    bool is_time = p->reads_time;
    p->reads_time |= time_before;
    if (i.op == OP_WFI || i.op == OP_WFE || i.op == OP_HINT || is_time) {
        if (is_time)
            s->x[i.rd] = p->time += 1000;
        s->pc += 4;
        return !p->taints || !is_time || follow(p, &i, true);
    }
    p->x->loop.acquires |= (word & 0x3ffffc00) == 0x08dffc00; /* LDAR and its narrow forms */
    p->x->loop.exclusive |= (word & 0x3fc00000) == 0x08400000; /* LDXR, LDAXR, LDXP, LDAXP */
    u64 taken = s->exceptions;
    s->probe = &p->probe;
    int st = i.fn(s, &i);
    s->probe = NULL;
    p->x->loop.exclusive |= p->probe.is_atomic;
    if (p->probe.is_atomic && !store(p, s, p->probe.va, p->probe.size, p->probe.atomic))
        return false;
    if (p->probe.blocked || st == EXEC_EXIT || s->exceptions != taken)
        return false;
    if (st == EXEC_NEXT)
        s->pc += 4;
    return !p->taints || follow(p, &i, is_time);
}

/* ---- states ---- */

static void save(struct proof *p, struct world *w)
{
    const struct cpu *c = p->x->sim;
    memcpy(w->x, c->x, sizeof w->x);
    w->x[REG_ZR] = 0;
    memcpy(w->v, c->v, sizeof w->v);
    memcpy(w->sp_bank, c->sp_bank, sizeof w->sp_bank);
    w->pc = c->pc;
    w->nzcv = c->nzcv;
    w->daif = c->daif;
    w->excl_va = c->excl_va;
    w->excl_size = c->excl_size;
    memcpy(w->excl_val, c->excl_val, sizeof w->excl_val);
    w->cells = p->now.cells;
    memcpy(w->cell, p->now.cell, p->now.cells * sizeof *w->cell);
}

static void load_world(struct proof *p, const struct world *w)
{
    struct cpu *c = p->x->sim;
    memcpy(c->x, w->x, sizeof w->x);
    memcpy(c->v, w->v, sizeof w->v);
    memcpy(c->sp_bank, w->sp_bank, sizeof w->sp_bank);
    c->pc = w->pc;
    c->nzcv = (u16)w->nzcv;
    c->daif = w->daif;
    c->excl_va = w->excl_va;
    c->excl_size = w->excl_size;
    memcpy(c->excl_val, w->excl_val, sizeof c->excl_val);
    p->now.cells = w->cells;
    memcpy(p->now.cell, w->cell, w->cells * sizeof *w->cell);
}

static bool same(const struct world *a, const struct world *b)
{
    if (a->pc != b->pc || a->nzcv != b->nzcv || a->daif != b->daif || a->cells != b->cells ||
        memcmp(a->x, b->x, sizeof a->x) || memcmp(a->sp_bank, b->sp_bank, sizeof a->sp_bank) ||
        memcmp(a->v, b->v, sizeof a->v) || a->excl_va != b->excl_va ||
        (a->excl_va != EXCL_NONE && memcmp(a->excl_val, b->excl_val, sizeof a->excl_val)))
        return false;
    for (unsigned i = 0; i < a->cells; i++)
        if (a->cell[i].va != b->cell[i].va || a->cell[i].val != b->cell[i].val)
            return false;
    return true;
}

/// Adds what differs between two states to the taint. ret  false when a difference cannot be followed
static bool add_difference(struct proof *p, const struct world *a, struct world *b)
{
    if (a->daif != b->daif || memcmp(a->sp_bank, b->sp_bank, sizeof a->sp_bank) || memcmp(a->v, b->v, sizeof a->v))
        return false;
    for (u8 r = 0; r < REG_ZR; r++)
        if (a->x[r] != b->x[r])
            set_x(p, r, true);
    p->taint_flags |= a->nzcv != b->nzcv;
    for (unsigned i = 0; i < b->cells; i++) {
        u64 diff = i >= a->cells ? ~0ULL : a->cell[i].val ^ b->cell[i].val;
        for (unsigned k = 0; k < 8; k++)
            b->cell[i].tainted |= (u8)((diff >> k * 8 & 0xff) != 0) << k;
    }
    return true;
}

/// From here, a round of `len` instructions: what differs from round to round decides nothing in it.
static bool is_independent(struct proof *p, unsigned len)
{
    p->taint_x = 0;
    p->taint_flags = false;
    save(p, &p->start);
    for (unsigned i = 0; i < p->start.cells; i++)
        p->start.cell[i].tainted = 0;
    if (!add_difference(p, &p->seen, &p->start))
        return false;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        u64 tx = p->taint_x;
        bool tf = p->taint_flags, ok = true;
        load_world(p, &p->start);
        p->taints = true;
        for (unsigned k = 0; k < len && ok; k++)
            ok = step(p);
        p->taints = false;
        if (!ok || p->x->sim->pc != p->start.pc)
            return false;
        save(p, &p->next);
        p->taint_x |= tx;
        p->taint_flags |= tf;
        if (p->next.cells != p->start.cells || !add_difference(p, &p->start, &p->next))
            return false;
        bool grown = p->taint_x != tx || p->taint_flags != tf;
        for (unsigned i = 0; i < p->start.cells; i++) {
            grown |= (p->next.cell[i].tainted & ~p->start.cell[i].tainted) != 0;
            p->start.cell[i].tainted |= p->next.cell[i].tainted;
        }
        if (!grown)
            return true;
    }
    return false;
}

/// Brent's way: the remembered state moves ahead in powers of two.
static enum proof_result prove(struct proof *p, struct cpu *c, unsigned steps_max)
{
    unsigned next = 1, tries = 0, since = 0;
    rehearse_begin(p->x, c);
    p->now.cells = 0;
    p->x->sim->x[REG_SINK] = 0;
    p->reads_time = false;
    save(p, &p->seen);
    for (unsigned n = 1; n <= steps_max; n++) {
        if (!step(p))
            return PROOF_ENDS;
        since++;
        if (p->x->sim->pc == p->seen.pc) {
            save(p, &p->start);
            if (!p->reads_time && same(&p->start, &p->seen))
                return PROOF_ENDLESS;
            if (since <= PERIOD_MAX && tries++ < TRIES_MAX) {
                if (is_independent(p, since))
                    return PROOF_ENDLESS;
                load_world(p, &p->start); /* with its taint marks, which only is_independent looks at */
            }
        }
        if (n == next) {
            next *= 2;
            since = 0;
            save(p, &p->seen);
        }
    }
    return PROOF_LIMIT;
}

enum proof_result prove_endless(struct explain *x, struct cpu *c, unsigned steps_max, bool *reads_ram, struct touched *touched)
{
    static const u32 inputs[] = {FR_RXFE, 0, FR_RXFF};
    struct chr *serial = machine_config(x->m)->serial;
    struct proof *p = xcalloc(1, sizeof *p);
    enum proof_result r = PROOF_ENDLESS;
    p->x = x;
    p->touched = touched;
    p->probe.access = access;
    x->waits_input = false;
    memset(&x->loop, 0, sizeof x->loop);
    x->loop.timer = SYSREG_COUNT;
    for (unsigned i = 0; i < ARRAY_LEN(inputs) && r == PROOF_ENDLESS && !x->waits_input && (i == 0 || p->reads_fr); i++) {
        p->fr_input = inputs[i];
        r = prove(p, c, steps_max);
        /* Only input would end it, and the host has none left. Loops that also look at the time may do so for a reason. */
        x->waits_input = i && r == PROOF_ENDS && !p->saw_time && !(serial && chr_can_input(serial));
    }
    if (x->waits_input)
        r = PROOF_ENDLESS;
    *reads_ram = p->reads_ram;
    x->polls_uart = p->reads_uart;
    free(p);
    return r;
}
