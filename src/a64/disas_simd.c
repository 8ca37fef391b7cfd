/// Operands of Advanced SIMD in the disassembly.
#include "a64/disas.h"
#include "a64/simd.h"

#include <stdio.h>

static const char size_letters[6] = "bhsdq";

/// log2 of the element size, from where the row's format keeps it.
static unsigned row_size(const struct disas *d)
{
    u32 w = d->i->word;
    switch (insn_rows[d->i->op].fmt) {
    case FMT_VSH: return simd_shift_size(d->i);
    case FMT_VI5: return (unsigned)__builtin_ctz((u32)d->i->imm);
    case FMT_VLDM: return (unsigned)bits(w, 11, 10);
    case FMT_SIMD: return d->i->p; /* single structures */
    default: return simd_size(w);
    }
}

/// "4s": as many elements of 1 << lg bytes as fit into `bytes`.
static void put_arrangement(struct disas *d, unsigned lg, unsigned bytes)
{
    disas_put(d, "%u%c", bytes >> lg, size_letters[lg]);
}

/// %{vX.K}: a vector register; K is T W P B QS QH, or an arrangement verbatim. %{vX/K}: a scalar.
static bool put_vector(struct disas *d, const char *name)
{
    if (name[0] != 'v' || strchr("dnma", name[1]) == NULL || (name[2] != '.' && name[2] != '/'))
        return false;
    unsigned lg = row_size(d), reg = disas_reg(d, name[1]), bytes = simd_q(d->i->word) ? 16 : 8;
    const char *kind = name + 3;
    if (name[2] == '/') {
        disas_put(d, "%c%u", size_letters[lg + (*kind == 'W')], reg);
        return true;
    }
    disas_put(d, "v%u.", reg);
    switch (*kind) {
    case 'T': put_arrangement(d, lg, bytes); break;
    case 'W': put_arrangement(d, lg + 1, 16); break;
    case 'P': put_arrangement(d, lg + 1, bytes); break;
    case 'B': put_arrangement(d, 0, bytes); break;
    case 'Q': put_arrangement(d, kind[1] == 'S' ? 2 : 1, bytes); break;
    default: disas_put(d, "%s", kind); break;
    }
    return true;
}

static void put_2(struct disas *d) { disas_put(d, simd_q(d->i->word) ? "2" : ""); }
static void put_esize(struct disas *d) { disas_put(d, "%u", 8u << row_size(d)); }

/* By element. */

static void put_elem(struct disas *d)
{
    disas_put(d, "v%u.%c[%u]", d->i->rm, size_letters[row_size(d)], (unsigned)d->i->imm);
}
static void put_elem4b(struct disas *d)
{
    disas_put(d, "v%u.4b[%u]", d->i->rm, (unsigned)d->i->imm);
}

/* Shift amounts. */

static void put_shr(struct disas *d)
{
    disas_put(d, "%u", (16u << row_size(d)) - (unsigned)d->i->imm);
}
static void put_shl(struct disas *d) { disas_put(d, "%u", (unsigned)d->i->imm - (8u << row_size(d))); }

/* Copy: elements chosen by imm5 and imm4. */

static void put_lane(struct disas *d, char position, unsigned index)
{
    disas_put(d, "v%u.%c[%u]", disas_reg(d, position), size_letters[row_size(d)], index);
}
static void put_d_i5(struct disas *d) { put_lane(d, 'd', (unsigned)d->i->imm >> (row_size(d) + 1)); }
static void put_n_i5(struct disas *d) { put_lane(d, 'n', (unsigned)d->i->imm >> (row_size(d) + 1)); }
static void put_n_i4(struct disas *d)
{
    put_lane(d, 'n', (unsigned)bits(d->i->word, 14, 11) >> row_size(d));
}
static void put_rn5(struct disas *d)
{
    unsigned r = disas_reg(d, 'n');
    char view = row_size(d) == 3 ? 'x' : 'w';
    if (r == 31)
        disas_put(d, "%czr", view);
    else
        disas_put(d, "%c%u", view, r);
}

static void put_ext(struct disas *d) { disas_put(d, "%u", (unsigned)bits(d->i->word, 14, 11)); }
static void put_xar(struct disas *d) { disas_put(d, "%u", (unsigned)bits(d->i->word, 15, 10)); }

static void put_movi(struct disas *d)
{
    u32 w = d->i->word;
    unsigned cmode = (unsigned)bits(w, 15, 12), imm8 = (unsigned)(bits(w, 18, 16) << 5 | bits(w, 9, 5));
    if (cmode == 14 && simd_u(w)) {
        disas_put(d, "#0x%llx", (unsigned long long)d->i->imm);
        return;
    }
    disas_put(d, "#0x%x", imm8);
    unsigned shift = cmode < 8 ? 8 * (cmode >> 1) : cmode < 12 ? 8 * (cmode >> 1 & 1) : 0;
    if (shift)
        disas_put(d, ", lsl #%u", shift);
    else if (cmode == 12 || cmode == 13)
        disas_put(d, ", msl #%u", cmode == 12 ? 8 : 16);
}

/* Register lists. */

/// {v1.X-v3.X} for three and more registers that do not wrap, else with commas.
static void put_list(struct disas *d, unsigned first, unsigned count, const char *kind)
{
    unsigned last = (first + count - 1) & 31;
    if (count > 2 && last > first) {
        disas_put(d, "{v%u.%s-v%u.%s}", first, kind, last, kind);
        return;
    }
    for (unsigned k = 0; k < count; k++)
        disas_put(d, "%sv%u.%s", k ? ", " : "{", (first + k) & 31, kind);
    disas_put(d, "}");
}
static void put_tbl(struct disas *d)
{
    put_list(d, disas_reg(d, 'n'), (unsigned)bits(d->i->word, 14, 13) + 1, "16b");
}

/// Registers of a structure load or store, from the opcode fields.
static unsigned list_count(u32 w)
{
    if (bit(w, 24)) /* single structure */
        return (unsigned)(bit(w, 13) << 1 | bit(w, 21)) + 1;
    static const u8 multiple[16] = {[0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};
    return multiple[bits(w, 15, 12)];
}

static void put_vlist(struct disas *d)
{
    unsigned lg = row_size(d);
    char kind[8];
    snprintf(kind, sizeof kind, "%u%c", (simd_q(d->i->word) ? 16u : 8u) >> lg, size_letters[lg]);
    put_list(d, disas_reg(d, 'd'), list_count(d->i->word), kind);
}
static void put_vlane(struct disas *d)
{
    u32 w = d->i->word;
    unsigned lg = row_size(d);
    put_list(d, disas_reg(d, 'd'), list_count(w), (char[2]){size_letters[lg]});
    disas_put(d, "[%u]", ((unsigned)bit(w, 30) << 3 | (unsigned)bits(w, 12, 10)) >> lg);
}
static void put_vpost(struct disas *d)
{
    u32 w = d->i->word;
    unsigned m = disas_reg(d, 'm'), each = simd_q(w) ? 16 : 8;
    if (m != 31) {
        disas_put(d, "x%u", m);
        return;
    }
    if (bit(w, 24)) /* single structures count elements */
        each = 1u << row_size(d);
    disas_put(d, "#%u", list_count(w) * each);
}

static const struct disas_operand operands[] = {
    {"2", put_2}, {"esize", put_esize}, {"elem", put_elem}, {"elem4b", put_elem4b},
    {"shr", put_shr}, {"shl", put_shl}, {"d[i5]", put_d_i5}, {"n[i5]", put_n_i5},
    {"n[i4]", put_n_i4}, {"rn5", put_rn5}, {"ext", put_ext}, {"xar", put_xar},
    {"movi", put_movi}, {"tbl", put_tbl}, {"vlist", put_vlist}, {"vlane", put_vlane},
    {"vpost", put_vpost},
};

bool disas_simd(struct disas *d, const char *name)
{
    return put_vector(d, name) || disas_operand(d, name, operands, ARRAY_LEN(operands));
}
