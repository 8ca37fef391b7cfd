/// Operands of scalar floating point in the disassembly.
#include "a64/disas.h"

static const struct disas_operand operands[] = {
    {"", NULL},
};

bool disas_fp(struct disas *d, const char *name)
{
    return name[0] && disas_operand(d, name, operands, ARRAY_LEN(operands));
}
