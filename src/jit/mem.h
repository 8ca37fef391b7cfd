/// What the emitters of loads and stores and the check of an access share.
#ifndef BRUIN_JIT_MEM_H
#define BRUIN_JIT_MEM_H

#include "jit/translate.h"

/// What an access does with its base. That of a base and an index is their sum.
struct jit_shape {
    s64 off, moves; ///< of the access; what the base is moved by then
    unsigned size;
};
/// ret  false for an instruction that does not belong into a group
bool jit_mem_shape(const struct insn *i, struct jit_shape *s);
bool jit_mem_has_index(const struct insn *i);
/// Before an access: it changes EFLAGS unless another one has made its check.
void jit_mem_clobber(struct jit *j, const struct insn *i);

#endif
