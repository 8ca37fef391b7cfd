/// Our side of a differential run. Physical memory mirrors the case layout: a block of code, a block
/// of data and a page of BRK where every exception vector points.
#include "engine.h"

#include <stdlib.h>

enum {
    RAM = 0x40000000,
    TABLES = RAM,             ///< three levels: root, 1 GiB, 2 MiB
    CODE_PA = RAM + 0x200000,
    DATA_PA = RAM + 0x400000,
    VECTOR_PA = RAM + 0x600000,
    RAM_SIZE = 0x800000,
    VECTOR_BLOCK = 0x10400000,
};
enum {
    D_TABLE = 3, D_BLOCK = 1, D_AF = 1 << 10, D_INNER = 3 << 8, D_USER = 1 << 6, D_RO = 1 << 7,
    INSN_BRK = (int)0xd4200000,
};
#define D_PXN (1ULL << 53)
#define D_UXN (1ULL << 54)

struct engine {
    struct mem *mem;
    struct cpu *cpu;
    const struct accel_ops *accel;
};

static u64 no_time(void *ctx) { return 0; }

static void put64(struct engine *e, gpa_t pa, u64 v)
{
    if (!mem_write(e->mem, pa, &v, 8))
        abort();
}

static void set(struct cpu *c, const char *name, u64 v)
{
    if (!sysreg_set(c, name, v))
        abort();
}

static void build_tables(struct engine *e)
{
    put64(e, TABLES, (TABLES + 0x1000) | D_TABLE);
    put64(e, TABLES + 0x1000, (TABLES + 0x2000) | D_TABLE);
    static const struct {
        u64 va, pa, attr;
    } blocks[] = {
        {CODE_BLOCK, CODE_PA, D_USER | D_RO},
        {DATA_BLOCK, DATA_PA, D_USER | D_PXN | D_UXN},
        {VECTOR_BLOCK, VECTOR_PA, D_RO},
    };
    for (size_t k = 0; k < ARRAY_LEN(blocks); k++)
        put64(e, TABLES + 0x2000 + (blocks[k].va >> 21 & 511) * 8,
              blocks[k].pa | blocks[k].attr | D_BLOCK | D_AF | D_INNER);
    for (u64 off = 0; off < 4096; off += 8)
        put64(e, VECTOR_PA + off, (u64)(u32)INSN_BRK << 32 | (u32)INSN_BRK);
}

struct engine *engine_new(const char *accel, struct err *err)
{
    struct engine *e = xcalloc(1, sizeof *e);
    setenv("BRUIN_JIT_WARM", "0", 0); /* else what runs once is not translated */
    e->mem = mem_new();
    e->accel = accel_find(accel, err);
    if (e->accel == NULL || !mem_add_ram(e->mem, RAM, RAM_SIZE, "ram", err)) {
        mem_free(e->mem);
        free(e);
        return NULL;
    }
    build_tables(e);
    struct cpu *c = e->cpu = cpu_new(e->mem, 0);
    c->now_ns = no_time;
    c->brk_exits = true;
    cpu_reset(c);
    set(c, "MAIR_EL1", 0xff);
    /* 48-bit TTBR0 addresses, 4 KiB, write-back, top byte ignored; TTBR1 off; 48-bit outputs. */
    set(c, "TCR_EL1", 16 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 16ULL << 16 | 5ULL << 32 | 1ULL << 37);
    set(c, "TTBR0_EL1", TABLES);
    set(c, "CPACR_EL1", 3 << 20);
    set(c, "VBAR_EL1", VECTOR_BLOCK);
    /* M, C, I; EL0 may use cache maintenance, DC ZVA, CTR_EL0, WFI and WFE. SPAN is RES1 here. */
    set(c, "SCTLR_EL1", 0x30d00800 | 1 | 1 << 2 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 26);
    if (e->accel->vcpu_open != NULL && !e->accel->vcpu_open(c, err)) {
        engine_free(e);
        return NULL;
    }
    return e;
}

void engine_free(struct engine *e)
{
    if (e->accel->vcpu_close != NULL)
        e->accel->vcpu_close(e->cpu);
    cpu_free(e->cpu);
    mem_free(e->mem);
    free(e);
}

void engine_code(struct engine *e, const u32 *words, u32 count)
{
    static const u8 zero[BLOCK_SIZE];
    if (!mem_write(e->mem, CODE_PA, zero, sizeof zero) ||
        !mem_write(e->mem, CODE_PA + (CODE_BASE - CODE_BLOCK), words, (u64)count * CASE_WORDS * 4))
        abort();
}

/// How the exception that was taken to EL1 shows in a process under Linux.
static u32 end_of(u64 esr)
{
    u32 ec = (u32)(esr >> 26), fsc = (u32)esr & 0x3f;
    switch (ec) {
    case EC_UNKNOWN:
    case EC_SYSREG:
    case EC_ILLEGAL: return END_UNDEF;
    case EC_DABT_LOW:
    case EC_IABT_LOW: return fsc == 0x21 ? END_BUS : END_SEGV;
    case EC_PC_ALIGN:
    case EC_SP_ALIGN: return END_BUS;
    default: return END_OTHER;
    }
}

void engine_run(struct engine *e, const struct diff_state *in, struct diff_state *out)
{
    struct cpu *c = e->cpu;
    const gpa_t window = DATA_PA + (WINDOW_BASE - DATA_BLOCK);
    if (!cpu_set_pstate(c, in->nzcv) || !mem_write(e->mem, window, in->window, WINDOW_SIZE))
        abort();
    memcpy(c->x, in->x, sizeof in->x);
    c->x[REG_SP] = in->sp;
    c->pc = in->pc;
    memcpy(c->v, in->v, sizeof in->v);
    set(c, "FPCR", in->fpcr);
    set(c, "FPSR", in->fpsr);
    c->excl_va = EXCL_NONE;
    do
        e->accel->run(c);
    while (c->exit.kind == EXIT_KICK || c->exit.kind == EXIT_WFI);

    u64 esr = 0, v = 0;
    memcpy(out->x, c->x, sizeof out->x);
    memcpy(out->v, c->v, sizeof out->v);
    sysreg_get(c, "FPCR", &v);
    out->fpcr = (u32)v;
    sysreg_get(c, "FPSR", &v);
    out->fpsr = (u32)v;
    if (c->el == 0) {
        out->end = c->exit.kind == EXIT_BRK ? END_BRK : END_OTHER;
        out->pc = c->pc;
        out->sp = c->x[REG_SP];
        out->nzcv = cpu_nzcv(c);
    } else {
        sysreg_get(c, "ESR_EL1", &esr);
        sysreg_get(c, "ELR_EL1", &out->pc);
        out->end = end_of(esr);
        out->sp = c->sp_bank[0];
        sysreg_get(c, "SPSR_EL1", &v);
        out->nzcv = (u32)v & 0xf0000000u;
    }
    if (!mem_read(e->mem, window, out->window, WINDOW_SIZE))
        abort();
}

struct cpu *engine_cpu(struct engine *e) { return e->cpu; }
