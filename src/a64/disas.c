/// Disassembler: interprets the text of an instruction's row. The syntax is that of binutils'
/// `objdump -M no-aliases`; tests/unit/disas.c compares the two over random words.
#include "a64/disas.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const cond_names[16] = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
                                           "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"};
static const char *const shift_names[4] = {"lsl", "lsr", "asr", "ror"};
static const char *const extend_names[8] = {"uxtb", "uxth", "uxtw", "uxtx",
                                            "sxtb", "sxth", "sxtw", "sxtx"};

void disas_put(struct disas *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(d->buf + d->len, d->size - d->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        d->len = d->len + (size_t)n < d->size ? d->len + (size_t)n : d->size - 1;
}

unsigned disas_reg(const struct disas *d, char position)
{
    u32 w = d->i->word;
    switch (position) {
    case 'd': return w & 31;
    case 'n': return w >> 5 & 31;
    case 'm': return w >> 16 & 31;
    default: return w >> 10 & 31;
    }
}

bool disas_operand(struct disas *d, const char *name, const struct disas_operand *table, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (strcmp(name, table[k].name) == 0) {
            table[k].put(d);
            return true;
        }
    return false;
}

static void put_general(struct disas *d, unsigned r, bool is_64, bool is_sp)
{
    if (r != 31)
        disas_put(d, "%c%u", is_64 ? 'x' : 'w', r);
    else if (is_sp)
        disas_put(d, is_64 ? "sp" : "wsp");
    else
        disas_put(d, is_64 ? "xzr" : "wzr");
}

/* ---- data processing ---- */

static void put_addimm(struct disas *d)
{
    u32 w = d->i->word;
    disas_put(d, "#0x%x%s", w >> 10 & 0xfff, w >> 22 & 1 ? ", lsl #12" : "");
}

static void put_movw(struct disas *d)
{
    unsigned shift = (unsigned)bits(d->i->word, 22, 21) * 16;
    disas_put(d, "#0x%x", (unsigned)bits(d->i->word, 20, 5));
    if (shift)
        disas_put(d, ", lsl #%u", shift);
}

static void put_bf(struct disas *d)
{
    disas_put(d, "#%u, #%u", d->i->word >> 16 & 63, d->i->word >> 10 & 63);
}

static void put_shift(struct disas *d)
{
    unsigned type = d->i->word >> 22 & 3, amount = d->i->word >> 10 & 63;
    if (type || amount)
        disas_put(d, ", %s #%u", shift_names[type], amount);
}

/// Rm with its extension; UXTX (UXTW for 32 bits) beside SP is written LSL, or nothing.
static void put_extreg(struct disas *d)
{
    u32 w = d->i->word;
    unsigned option = w >> 13 & 7, amount = w >> 10 & 7;
    bool is_64 = w >> 31, beside_sp = disas_reg(d, 'n') == 31;
    beside_sp = beside_sp || ((d->i->flags & DSP) && disas_reg(d, 'd') == 31);
    put_general(d, disas_reg(d, 'm'), is_64 && (option & 3) == 3, false);
    if (beside_sp && option == (is_64 ? 3 : 2)) {
        if (amount)
            disas_put(d, ", lsl #%u", amount);
        return;
    }
    disas_put(d, ", %s", extend_names[option]);
    if (amount)
        disas_put(d, " #%u", amount);
}

static void put_cond0(struct disas *d) { disas_put(d, "%s", cond_names[d->i->word & 15]); }
static void put_cond12(struct disas *d) { disas_put(d, "%s", cond_names[d->i->word >> 12 & 15]); }

static void put_ccmp(struct disas *d)
{
    disas_put(d, "#0x%x, %s", d->i->word & 15, cond_names[d->i->word >> 12 & 15]);
}

static void put_rmif(struct disas *d)
{
    disas_put(d, "#%u, #%u", d->i->word >> 15 & 63, d->i->word & 15);
}

static void put_tbbit(struct disas *d)
{
    disas_put(d, "#%u", (d->i->word >> 31) << 5 | (d->i->word >> 19 & 31));
}

/* ---- system ---- */

static void put_hint(struct disas *d)
{
    unsigned n = d->i->word >> 5 & 0x7f;
    static const char *const names[6] = {"nop", "yield", "wfe", "wfi", "sev", "sevl"};
    if (n < ARRAY_LEN(names))
        disas_put(d, "%s", names[n]);
    else
        disas_put(d, "hint #0x%x", n);
}

static void put_optional_crm(struct disas *d)
{
    unsigned crm = d->i->word >> 8 & 15;
    if (crm != 15)
        disas_put(d, " #0x%x", crm);
}

static void put_barrier(struct disas *d)
{
    static const char *const names[16] = {NULL, "oshld", "oshst", "osh", NULL, "nshld", "nshst", "nsh",
                                          NULL, "ishld", "ishst", "ish", NULL, "ld", "st", "sy"};
    unsigned crm = d->i->word >> 8 & 15;
    if (names[crm] != NULL)
        disas_put(d, "%s", names[crm]);
    else
        disas_put(d, "#0x%02x", crm);
}

static void put_pstate(struct disas *d)
{
    u32 w = d->i->word;
    unsigned op1 = w >> 16 & 7, op2 = w >> 5 & 7;
    static const struct {
        u8 op1, op2;
        const char *name;
    } fields[] = {{0, 3, "uao"}, {0, 4, "pan"}, {0, 5, "spsel"}, {3, 1, "ssbs"}, {3, 2, "dit"},
                  {3, 4, "tco"}, {3, 6, "daifset"}, {3, 7, "daifclr"}};
    for (size_t k = 0; k < ARRAY_LEN(fields); k++)
        if (fields[k].op1 == op1 && fields[k].op2 == op2) {
            disas_put(d, "%s, #0x%x", fields[k].name, w >> 8 & 15);
            return;
        }
    disas_put(d, "s0_%u_c4_c%u_%u, xzr", op1, w >> 8 & 15, op2);
}

static void put_sysops(struct disas *d)
{
    u32 w = d->i->word;
    disas_put(d, "#%u, C%u, C%u, #%u", w >> 16 & 7, w >> 12 & 15, w >> 8 & 15, w >> 5 & 7);
}

static void put_sys(struct disas *d)
{
    put_sysops(d);
    if (disas_reg(d, 'd') != 31)
        disas_put(d, ", x%u", disas_reg(d, 'd'));
}

static void put_sysl(struct disas *d)
{
    put_general(d, disas_reg(d, 'd'), true, false);
    disas_put(d, ", ");
    put_sysops(d);
}

static void put_sysreg(struct disas *d)
{
    u32 w = d->i->word;
    const char *name = sysreg_any_name((u32)bits(w, 20, 5));
    if (name == NULL) {
        disas_put(d, "s%u_%u_c%u_c%u_%u", w >> 19 & 3, w >> 16 & 7, w >> 12 & 15, w >> 8 & 15, w >> 5 & 7);
        return;
    }
    for (; *name; name++)
        disas_put(d, "%c", *name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
}

/* ---- loads and stores ---- */

static void put_offset(struct disas *d)
{
    if (d->i->imm)
        disas_put(d, ", #%lld", (long long)d->i->imm);
}

static void put_regoff(struct disas *d)
{
    u32 w = d->i->word;
    unsigned option = w >> 13 & 7;
    bool is_scaled = w >> 12 & 1;
    put_general(d, disas_reg(d, 'm'), option & 1, false);
    if (option == 3) {
        if (is_scaled)
            disas_put(d, ", lsl #%u", d->i->p);
        return;
    }
    disas_put(d, ", %s", extend_names[option]);
    if (is_scaled)
        disas_put(d, " #%u", d->i->p);
}

static void put_prfop(struct disas *d)
{
    unsigned op = d->i->word & 31;
    static const char *const types[4] = {"pld", "pli", "pst", NULL};
    if (op >> 3 == 3 || (op >> 1 & 3) == 3)
        disas_put(d, "#0x%02x", op);
    else
        disas_put(d, "%sl%u%s", types[op >> 3], (op >> 1 & 3) + 1, op & 1 ? "strm" : "keep");
}

static void put_szsuffix(struct disas *d) { disas_put(d, "%s", d->i->p == 0 ? "b" : d->i->p == 1 ? "h" : ""); }

static void put_casorder(struct disas *d)
{
    disas_put(d, "%s%s", d->i->word >> 22 & 1 ? "a" : "", d->i->word >> 15 & 1 ? "l" : "");
}

static void put_atorder(struct disas *d)
{
    disas_put(d, "%s%s", d->i->word >> 23 & 1 ? "a" : "", d->i->word >> 22 & 1 ? "l" : "");
}

static void put_casppair(struct disas *d)
{
    bool is_64 = d->i->p == 3;
    for (unsigned k = 0; k < 4; k++) {
        if (k)
            disas_put(d, ", ");
        put_general(d, disas_reg(d, k < 2 ? 'm' : 'd') + (k & 1), is_64, false);
    }
}

static const struct disas_operand operands[] = {
    {"addimm", put_addimm}, {"movw", put_movw}, {"bf", put_bf}, {"shift", put_shift},
    {"extreg", put_extreg}, {"cond0", put_cond0}, {"cond12", put_cond12}, {"ccmp", put_ccmp},
    {"rmif", put_rmif}, {"tbbit", put_tbbit}, {"hint", put_hint}, {"clrex", put_optional_crm},
    {"isb", put_optional_crm}, {"barrier", put_barrier}, {"pstate", put_pstate}, {"sys", put_sys},
    {"sysl", put_sysl}, {"sysreg", put_sysreg}, {"uoff", put_offset}, {"soff", put_offset},
    {"regoff", put_regoff}, {"prfop", put_prfop}, {"szsuffix", put_szsuffix},
    {"casorder", put_casorder}, {"atorder", put_atorder}, {"casppair", put_casppair},
};

/// %{hd}: a scalar view, one of b h s d q, of the SIMD&FP register in a position.
static bool put_scalar(struct disas *d, const char *name)
{
    if (strchr("bhsdq", name[0]) == NULL || name[1] == 0 || strchr("dnma", name[1]) == NULL || name[2])
        return false;
    disas_put(d, "%c%u", name[0], disas_reg(d, name[1]));
    return true;
}

/// A named operand. in  text  what follows "%{". ret  where the row's text goes on.
static const char *put_named(struct disas *d, const char *text)
{
    char name[24];
    const char *end = strchr(text, '}');
    size_t len = end == NULL ? sizeof name : (size_t)(end - text);
    if (len >= sizeof name)
        return text + strlen(text);
    memcpy(name, text, len);
    name[len] = 0;
    /* The mnemonic that follows takes a letter after "ld" or "st". */
    if (strcmp(name, "unscaled") == 0 || strcmp(name, "nontemporal") == 0) {
        disas_put(d, "%.2s%c", end + 1, name[0]);
        return end + 3;
    }
    if (!put_scalar(d, name) && !disas_operand(d, name, operands, ARRAY_LEN(operands)) && !disas_fp(d, name) &&
        !disas_simd(d, name))
        disas_put(d, "%%{%s}", name);
    return end + 1;
}

static void put_register(struct disas *d, char view, char position)
{
    bool is_64 = view == 'x' || view == 'S' || (view != 'w' && d->i->sf);
    put_general(d, disas_reg(d, position), is_64, view == 's' || view == 'S');
}

size_t insn_disas(u32 word, gva_t pc, char *buf, size_t buf_size)
{
    struct insn i;
    struct disas d = {.i = &i, .pc = pc, .buf = buf, .size = buf_size};
    if (buf_size == 0)
        return 0;
    buf[0] = 0;
    insn_decode(word, &i);
    if (i.op == OP_INVALID) {
        disas_put(&d, ".inst 0x%08x", word);
        return d.len;
    }
    for (const char *t = insn_rows[i.op].dis; *t;) {
        if (*t != '%') {
            disas_put(&d, "%c", *t++);
            continue;
        }
        char c = t[1];
        if (c == '{') {
            t = put_named(&d, t + 2);
            continue;
        }
        t += 2;
        if (c == 'i')
            disas_put(&d, "#0x%llx", (unsigned long long)i.imm);
        else if (c == 'j')
            disas_put(&d, "#%lld", (long long)i.imm);
        else if (c == 'b')
            disas_put(&d, "0x%llx", (unsigned long long)((i.op == OP_ADRP ? pc & ~0xfffULL : pc) + i.imm));
        else
            put_register(&d, c, *t++);
    }
    return d.len;
}
