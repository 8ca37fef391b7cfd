/// Between the parts of the disassembler: disas.c reads a row's text and knows the base
/// instructions' operands, the families' files know their own.
#ifndef BRUIN_DISAS_H
#define BRUIN_DISAS_H

#include "a64/insn.h"

/// The text being written and the instruction it is about.
struct disas {
    const struct insn *i;
    gva_t pc;
    char *buf; ///< always terminated; what does not fit is dropped
    size_t len, size;
};

void disas_put(struct disas *d, const char *fmt, ...) PRINTF_LIKE(2, 3);

/// Register number of operand position 'd', 'n', 'm' or 'a' in the word.
unsigned disas_reg(const struct disas *d, char position);

/// One named operand, `%{name}` in a row: writes it.
struct disas_operand {
    const char *name;
    void (*put)(struct disas *d);
};
/// Looks a name up in a table and writes the operand. ret  false when the table has no such name.
bool disas_operand(struct disas *d, const char *name, const struct disas_operand *table, size_t count);

/// Operands of scalar floating point (disas_fp.c) and of Advanced SIMD (disas_simd.c). The name is
/// terminated. ret  false when the family does not know it.
bool disas_fp(struct disas *d, const char *name);
bool disas_simd(struct disas *d, const char *name);

#endif
