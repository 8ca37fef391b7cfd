/// Random cases from the rows of insn.def.
#ifndef BRUIN_DIFF_GEN_H
#define BRUIN_DIFF_GEN_H

#include "a64/insn.h"
#include "case.h"

/// The .def file a row stands in.
enum family { FAMILY_INT, FAMILY_LDST, FAMILY_FP, FAMILY_SIMD, FAMILY_COUNT };
extern const char *const family_names[FAMILY_COUNT];
enum family gen_family(enum insn_op op);

/// True for rows whose result a process can compare: no system state, no waiting, no exclusives'
/// store half outside a pair.
bool gen_is_testable(enum insn_op op);

/// A word of the row with random fields. ret  false when no try decoded to the row.
bool gen_word(u64 *rng, enum insn_op op, u32 *word);

/// First word of a piece that is a loop: sub x21, x21, #1. Without it the loop does not end.
#define GEN_LOOP_TOP 0xd10006b5u

struct gen {
    u64 rng;
    const u16 *ops; ///< rows to choose from
    unsigned op_count;
    bool plain_fpcr; ///< FPCR stays 0
    bool has_fp;     ///< there are rows of floating point among them
};
/// One instruction, or a straight piece of up to length_max instructions with forward branches.
/// in   slot   index in the batch, which decides the address
/// out  words  CASE_WORDS words
void gen_case(struct gen *g, u32 slot, unsigned length_max, u32 *words, struct diff_state *s);

#endif
