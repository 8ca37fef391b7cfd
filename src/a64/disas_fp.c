/// Operands of floating point, scalar and vector, in the disassembly. The names are explained in
/// insn_fp.def.
#include "a64/disas.h"
#include "cpu/softfp.h"

#include <stdio.h>

static unsigned is_q(const struct disas *d) { return d->i->word >> 30 & 1; }

static void put_fpimm_value(struct disas *d, unsigned imm8)
{
    u64 raw = fp_expand_imm(FP_D, imm8);
    double v;
    memcpy(&v, &raw, sizeof v);
    disas_put(d, "#%.18e", v);
}
static void put_fpimm(struct disas *d) { put_fpimm_value(d, (unsigned)d->i->imm); }
static void put_vfpimm(struct disas *d)
{
    put_fpimm_value(d, (unsigned)(bits(d->i->word, 18, 16) << 5 | bits(d->i->word, 9, 5)));
}
static void put_fbits(struct disas *d) { disas_put(d, "#%u", 64 - (d->i->word >> 10 & 63)); }
static void put_vfbits(struct disas *d)
{
    disas_put(d, "#%u", (16u << d->i->p) - (unsigned)bits(d->i->word, 22, 16));
}
static void put_rot(struct disas *d) { disas_put(d, "#%u", (d->i->word >> 11 & 3) * 90); }
static void put_rot2(struct disas *d) { disas_put(d, "#%u", d->i->word >> 12 & 1 ? 270 : 90); }
static void put_rot3(struct disas *d) { disas_put(d, "#%u", (d->i->word >> 13 & 3) * 90); }
static void put_two(struct disas *d) { disas_put(d, "%s", is_q(d) ? "2" : ""); }
static void put_elem(struct disas *d)
{
    disas_put(d, "v%u.%c[%u]", d->i->rm, "?hsd"[d->i->p], (unsigned)d->i->imm);
}
static void put_complex_elem(struct disas *d)
{
    unsigned h = d->i->word >> 11 & 1, l = d->i->word >> 21 & 1;
    disas_put(d, "v%u.%c[%u]", d->i->rm, "?hsd"[d->i->p], d->i->p == FP_H ? h << 1 | l : h);
}

static const struct disas_operand operands[] = {
    {"fpimm", put_fpimm}, {"vfpimm", put_vfpimm}, {"fbits", put_fbits}, {"vfbits", put_vfbits},
    {"rot", put_rot}, {"rot2", put_rot2}, {"rot3", put_rot3}, {"two", put_two},
    {"vm.e", put_elem}, {"vm.c", put_complex_elem},
};

/// %{fX} and %{vX}, %{vX.f}, %{vX.w}, %{vX.g}.
static bool put_vector(struct disas *d, const char *name)
{
    size_t len = strlen(name);
    if (len < 2 || strchr("dnma", name[1]) == NULL)
        return false;
    unsigned r = disas_reg(d, name[1]), p = d->i->p;
    if (name[0] == 'f' && len == 2) {
        disas_put(d, "%c%u", "?hsd"[p & 3], r);
        return true;
    }
    if (name[0] != 'v' || (len != 2 && (len != 4 || name[2] != '.' || strchr("fwg", name[3]) == NULL)))
        return false;
    disas_put(d, "v%u", r);
    if (len == 2)
        return true;
    unsigned fmt = name[3] == 'w' ? p + 1 : p;
    unsigned bytes = name[3] == 'w' || is_q(d) ? 16 : 8;
    disas_put(d, ".%u%c", bytes >> fmt, "?hsd"[fmt & 3]);
    return true;
}

bool disas_fp(struct disas *d, const char *name)
{
    return disas_operand(d, name, operands, ARRAY_LEN(operands)) || put_vector(d, name);
}
