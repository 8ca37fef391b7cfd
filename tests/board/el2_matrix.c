// What traps where: random hypervisor controls, and every register and instruction they bear on, executed
// at EL0, EL1 and EL2. One line each on the UART: el2_matrix.py compares them with another machine's.
#include "el2.h"

#define UART ((volatile u32 *)0x09000000)
#define HCR_RW (1UL << 31)
#define E2H (1UL << 34)
#define TGE (1UL << 27)

enum { CONFIGS = 48 };
enum { R = 1, W = 2, VALUE = 4, LOW = 8 }; // read, write; the value read is known; not at EL2

struct reg {
    u32 enc; // op0, op1, CRn, CRm, op2 as in an instruction's bits 20..5
    u32 what;
    u64 safe; // what may be written
};
#define S(op0, op1, crn, crm, op2) ((op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
static const struct reg regs[] = {
    {S(3, 0, 1, 0, 0), R | W | VALUE, 0x30d00800}, {S(3, 0, 2, 0, 0), R | W | VALUE, 0x1000}, {S(3, 0, 2, 0, 1), R | W | VALUE, 0x2000},
    {S(3, 0, 2, 0, 2), R | W, 0}, {S(3, 0, 5, 1, 0), R, 0}, {S(3, 0, 5, 1, 1), R, 0}, {S(3, 0, 5, 2, 0), R | W, 0},
    {S(3, 0, 6, 0, 0), R | W, 0}, {S(3, 0, 10, 2, 0), R | W | VALUE, 0xff}, {S(3, 0, 10, 3, 0), R, 0},
    {S(3, 0, 13, 0, 1), R | W | VALUE, 0x11}, {S(3, 0, 12, 0, 0), R, 0}, {S(3, 0, 4, 0, 0), R | W, 0}, {S(3, 0, 4, 0, 1), R | W, 0},
    {S(3, 0, 4, 1, 0), R, 0}, {S(3, 0, 13, 0, 4), R | W | VALUE, 0x44}, {S(3, 3, 13, 0, 2), R | W | VALUE, 0x55},
    {S(3, 3, 13, 0, 3), R | W | VALUE, 0x66}, {S(3, 0, 7, 4, 0), R | W, 0}, {S(3, 0, 1, 0, 2), R | W, 0}, {S(3, 0, 1, 0, 1), R, 0},
    {S(3, 0, 14, 1, 0), R | W, 0}, {S(3, 0, 0, 0, 0), R | LOW, 0}, {S(3, 0, 0, 0, 5), R | LOW, 0}, {S(3, 0, 0, 0, 6), R, 0},
    {S(3, 1, 0, 0, 7), R, 0}, {S(3, 3, 0, 0, 1), R, 0}, {S(3, 3, 0, 0, 7), R, 0}, {S(3, 1, 0, 0, 0), R, 0}, {S(3, 1, 0, 0, 1), R, 0},
    {S(3, 2, 0, 0, 0), R | W, 0}, {S(3, 0, 0, 4, 0), R, 0}, {S(3, 0, 0, 5, 0), R, 0}, {S(3, 0, 0, 6, 1), R, 0}, {S(3, 0, 0, 7, 0), R, 0},
    {S(3, 0, 0, 7, 7), R, 0}, {S(3, 3, 14, 0, 0), R, 0}, {S(3, 3, 14, 0, 1), R, 0}, {S(3, 3, 14, 0, 2), R, 0},
    {S(3, 3, 14, 2, 0), R, 0}, {S(3, 3, 14, 2, 1), R | W | VALUE, 0}, {S(3, 3, 14, 2, 2), R | W | VALUE, 0x7777},
    {S(3, 3, 14, 3, 0), R, 0}, {S(3, 3, 14, 3, 1), R | W | VALUE, 0}, {S(3, 3, 14, 3, 2), R | W | VALUE, 0x8888},
    {S(3, 3, 9, 12, 0), R, 0}, {S(3, 3, 9, 13, 0), R, 0}, {S(3, 3, 9, 14, 0), R, 0}, {S(3, 3, 9, 12, 1), R | W, 0},
    {S(3, 0, 9, 14, 1), R | W, 0}, {S(3, 3, 9, 12, 5), R, 0}, {S(3, 3, 14, 15, 7), R, 0},
    {S(2, 0, 0, 2, 2), R | W, 0}, {S(2, 0, 0, 0, 4), R | W, 0}, {S(2, 0, 0, 0, 5), R | W, 0}, {S(2, 0, 0, 0, 6), R, 0},
    {S(2, 0, 1, 0, 4), W, 0}, {S(2, 0, 1, 1, 4), R, 0}, {S(2, 0, 1, 3, 4), R, 0}, {S(2, 0, 1, 0, 0), R, 0},
    {S(3, 0, 12, 1, 0), R, 0}, {S(3, 3, 4, 2, 0), R, 0}, {S(3, 3, 4, 2, 1), R, 0}, {S(3, 3, 4, 4, 0), R | W, 0}, {S(3, 0, 4, 2, 2), R | VALUE, 0},
    {S(3, 0, 4, 2, 0), R, 0}, {S(3, 0, 12, 0, 1), R, 0},
    {S(3, 0, 4, 6, 0), R | W, 0}, {S(3, 0, 12, 12, 0), R | VALUE, 0}, {S(3, 0, 12, 12, 2), R | VALUE, 0}, {S(3, 0, 12, 12, 3), R, 0},
    {S(3, 0, 12, 12, 4), R, 0}, {S(3, 0, 12, 12, 5), R | VALUE, 0}, {S(3, 0, 12, 12, 7), R | W, 0}, {S(3, 0, 12, 11, 5), W, 0x10000},
    {S(3, 0, 12, 11, 3), R | VALUE, 0}, {S(3, 0, 12, 8, 0), R | VALUE, 0}, {S(3, 0, 12, 12, 6), R, 0},
    {S(3, 4, 1, 1, 0), R | VALUE, 0}, {S(3, 4, 1, 0, 0), R | VALUE, 0}, {S(3, 4, 2, 1, 0), R | VALUE, 0}, {S(3, 4, 2, 0, 0), R | VALUE, 0},
    {S(3, 4, 2, 0, 1), R | VALUE, 0}, {S(3, 4, 13, 0, 1), R | VALUE, 0}, {S(3, 4, 14, 3, 1), R, 0}, {S(3, 4, 14, 2, 1), R, 0},
    {S(3, 4, 0, 0, 0), R, 0}, {S(3, 4, 10, 2, 0), R | VALUE, 0}, {S(3, 4, 4, 1, 0), R, 0}, {S(3, 4, 13, 0, 2), R | VALUE, 0},
    {S(3, 4, 12, 9, 5), R | VALUE, 0}, {S(3, 4, 12, 11, 0), R | VALUE, 0}, {S(3, 4, 12, 12, 0), R | VALUE, 0},
    {S(3, 5, 1, 0, 0), R | VALUE, 0}, {S(3, 5, 1, 0, 2), R, 0}, {S(3, 5, 2, 0, 0), R | VALUE, 0}, {S(3, 5, 2, 0, 1), R | VALUE, 0},
    {S(3, 5, 2, 0, 2), R, 0}, {S(3, 5, 4, 0, 0), R, 0}, {S(3, 5, 4, 0, 1), R, 0}, {S(3, 5, 5, 2, 0), R, 0}, {S(3, 5, 6, 0, 0), R, 0},
    {S(3, 5, 10, 2, 0), R | VALUE, 0}, {S(3, 5, 12, 0, 0), R, 0}, {S(3, 5, 13, 0, 1), R | VALUE, 0}, {S(3, 5, 14, 1, 0), R, 0},
    {S(3, 5, 14, 2, 1), R, 0}, {S(3, 5, 14, 2, 2), R | VALUE, 0}, {S(3, 5, 14, 3, 1), R, 0}, {S(3, 5, 14, 3, 2), R | VALUE, 0},
    {S(3, 6, 1, 1, 0), R, 0}, {S(3, 6, 1, 0, 0), R, 0},
};
static const u32 words[] = {
    0xd50b7420, 0xd5087620, 0xd50b7a20, 0xd50b7b20, 0xd50b7e20, 0xd5087640, 0xd5087a40, // dc zva ivac cvac cvau civac isw csw
    0xd508751f, 0xd50b7520, 0xd508711f, 0xd508871f, 0xd5088320, 0xd50c879f, 0xd50c871f, // ic iallu ivau ialluis; tlbi vmalle1 vae1is alle1 alle2
    0xd50c8720, 0xd50c8420, 0xd50c87df, 0xd5087800, 0xd50c7800, 0xd50c7880, // vae2 ipas2e1 vmalls12e1; at s1e1r s1e2r s12e1r
    0xd4000003, 0xd4000022, 0xd4000021, 0xd4200020, 0x1e604000, 0xd50340df, 0xd50041bf, 0xd500409f, 0xd503201f, 0x00000000, 0xd503207f,
    // smc hvc svc brk fmov daifset spsel pan nop udf wfi
};

static void put(char c) { *UART = (u32)c; }
static void hex(u64 v)
{
    int k = 60;
    while (k > 0 && !(v >> k & 15))
        k -= 4;
    for (; k >= 0; k -= 4)
        put("0123456789abcdef"[v >> k & 15]);
}
static void text(const char *s)
{
    while (*s)
        put(*s++);
}
static void field(const char *name, u64 v)
{
    text(name);
    hex(v);
}

static u64 seed = 0x9e3779b97f4a7c15;
static u64 rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1d;
}

static struct controls {
    u64 hcr, cptr, mdcr, cnthctl, cpacr, sctlr, kctl, pmuser;
} now;
static u64 buffer[16] __attribute__((aligned(128)));

static void choose(struct controls *c, unsigned n, int has_vhe)
{
    const u64 pool = 7 << 3 | 1 << 13 | 7 << 16 | 1 << 19 | 0x1f << 21 | 1 << 26 | 1 << 28 | 1UL << 30;
    u64 some = n % 3 == 0 ? rnd() & rnd() : n % 3 == 1 ? rnd() : n == 2 ? 0 : rnd() | rnd();
    c->hcr = HCR_RW | (some & pool) | (rnd() % 3 == 0 ? TGE : 0) | (has_vhe && rnd() % 2 ? E2H : 0);
    u64 r = rnd();
    c->cptr = c->hcr & E2H ? (r & (3 << 20 | 1UL << 31)) : 0x33ff | (r & (1 << 10 | 1UL << 31));
    c->mdcr = rnd() & 0xf60;
    if (c->mdcr & 0x100 || c->hcr & TGE)
        c->mdcr |= 0xe00; // TDE without these is not what a hypervisor does
    r = rnd();
    c->cnthctl = c->hcr & E2H ? r & 0xf03 : r & 3;
    r = rnd();
    c->cpacr = r & 3 << 20;
    c->sctlr = 0x30d00800 ^ (rnd() & (1 << 9 | 1 << 15 | 1 << 14 | 1 << 26 | 1 << 16));
    c->kctl = rnd() & 0x303;
    c->pmuser = rnd() & 1;
}

static void set_up(const struct controls *c)
{
    WRITE(hcr_el2, HCR_RW);
    WRITE(cptr_el2, 0x33ff);
    WRITE(vbar_el1, vectors_el1);
    WRITE(ttbr0_el1, 0x1000);
    WRITE(ttbr1_el1, 0x2000);
    WRITE(tcr_el1, 0);
    WRITE(mair_el1, 0xff);
    WRITE(contextidr_el1, 0x11);
    WRITE(tpidr_el1, 0x44);
    WRITE(tpidr_el0, 0x55);
    WRITE(tpidrro_el0, 0x66);
    WRITE(tpidr_el2, 0x77);
    WRITE(cntp_cval_el0, 0x7777);
    WRITE(cntv_cval_el0, 0x8888);
    WRITE(cntp_ctl_el0, 0);
    WRITE(cntv_ctl_el0, 0);
    WRITE(S3_0_C12_C12_7, 0);
    WRITE(ttbr0_el2, 0x3000);
    WRITE(mair_el2, 0xee);
    WRITE(vttbr_el2, 0x4000);
    WRITE(cpacr_el1, c->cpacr);
    WRITE(sctlr_el1, c->sctlr);
    WRITE(sctlr_el2, 0x30c50830 | (c->sctlr & (1 << 9 | 1 << 15 | 1 << 14 | 1 << 26 | 1 << 16)));
    WRITE(cntkctl_el1, c->kctl);
    WRITE(pmuserenr_el0, c->pmuser);
    WRITE(mdscr_el1, 0);
    WRITE(S2_0_C1_C0_4, 0);
    WRITE(csselr_el1, 0);
    WRITE(mdcr_el2, c->mdcr | (READ(mdcr_el2) & 0x1f));
    WRITE(hcr_el2, c->hcr);
    WRITE(cptr_el2, c->cptr);
    WRITE(cnthctl_el2, c->cnthctl);
}

static void run(unsigned n, unsigned el, u32 word, u64 x0, int print_value)
{
    static struct outcome o;
    set_up(&now);
    run_word(&o, el == 2 ? SPSR_EL2 : el ? SPSR_EL1 : SPSR_EL0, word, x0, 0);
    u64 hcr = READ(hcr_el2);
    WRITE(hcr_el2, HCR_RW);
    field("", n);
    field(" e", el);
    field(" ", word);
    field(" v", o.vector);
    field(" s", o.esr);
    if (o.vector == 0x400 && (o.esr & 0xfffff) == 0x7e) {
        field(" v1 ", o.vector1);
        field(" s1 ", o.esr1);
    }
    // The called level moved on, or not at all.
    field(" at ", o.elr - (u64)run_code < 16 ? o.elr - (u64)run_code : 0xff);
    if (print_value && (word >> 21 & 1) && (o.esr & 0xffff) == 0x7f)
        field(" = ", o.x0);
    (void)hcr;
    put('\n');
}

static int may_wait(unsigned el)
{
    if (el == 0 && !(((now.hcr & (E2H | TGE)) == (E2H | TGE) ? 0x30c50830 | (now.sctlr & 1 << 16) : now.sctlr) >> 16 & 1))
        return 1;
    return el < 2 && (now.hcr & 1 << 13) && !(el == 0 && (now.hcr & (E2H | TGE)) == (E2H | TGE));
}

static void level(unsigned n, unsigned el)
{
    if (el == 1 && now.hcr & TGE)
        return;
    for (unsigned k = 0; k < sizeof regs / sizeof regs[0]; k++) {
        const struct reg *r = &regs[k];
        if (r->what & R && !(r->what & LOW && el == 2))
            run(n, el, 0xd5200000 | r->enc, 0, r->what & VALUE);
        if (r->what & W && el < 2)
            run(n, el, 0xd5000000 | r->enc, r->enc == S(3, 0, 1, 0, 0) ? now.sctlr : r->safe, 0);
    }
    for (unsigned k = 0; k < sizeof words / sizeof words[0]; k++) {
        if (words[k] == 0xd503207f && !may_wait(el))
            continue;
        u64 x0 = words[k] == 0xd4000003 ? 0x84000000 : words[k] >> 20 == 0xd50 && (words[k] >> 12 & 15) == 8 ? 0x40000 : (u64)buffer;
        run(n, el, words[k], x0, 0);
    }
}

u64 guest_main(void)
{
    int has_vhe = READ(id_aa64mmfr1_el1) >> 8 & 15;
    for (unsigned n = 0; n < CONFIGS; n++) {
        choose(&now, n, has_vhe);
        field("# ", n);
        field(" hcr ", now.hcr);
        field(" cptr ", now.cptr);
        field(" mdcr ", now.mdcr);
        field(" cnthctl ", now.cnthctl);
        field(" cpacr ", now.cpacr);
        field(" sctlr ", now.sctlr);
        field(" kctl ", now.kctl);
        put('\n');
        for (unsigned el = 0; el < 3; el++)
            level(n, el);
    }
    return 0;
}
