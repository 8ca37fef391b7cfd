/// What the why_*.c files share: the evidence of one fault, and how an entry names it.
#ifndef BRUIN_WHY_H
#define BRUIN_WHY_H

#include "debug/priv.h"

#include <stdio.h>

typedef unsigned long long ull;

/// What the entries look at.
struct scene {
    struct explain *x;
    struct cpu *c;
    const struct cpu_watch *w;
    const struct fault *f;
    u32 ec, fsc;
    bool mmu, have_word, walk_ok;
    u32 word;
    struct insn insn;
    struct xlat walk; ///< of FAR
    char at[96], dis[80];
    char first[200]; ///< of the fix: what the walk shows; else empty
    char instead[240]; ///< of the whole fix; else empty
    struct why *out;
};

#define SAY(field, ...) snprintf(s->out->field, sizeof s->out->field, __VA_ARGS__)
/// Appends to the cause.
void why_add(struct scene *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline bool name_it(struct scene *s, const char *id, const char *title)
{
    snprintf(s->out->id, sizeof s->out->id, "%s", id);
    snprintf(s->out->title, sizeof s->out->title, "%s", title);
    return true;
}

static inline bool is_iabt(const struct scene *s) { return s->ec == EC_IABT || s->ec == EC_IABT_LOW; }
static inline bool is_dabt(const struct scene *s) { return s->ec == EC_DABT || s->ec == EC_DABT_LOW; }
static inline bool is_unmapped(const struct scene *s) { return s->fsc < 0x0c; }
/// Where the last transfer to an address came from; 0: not known.
u64 trail_source(const struct fault *f, u64 to);

/// There is an ERET, a RET at this address.
bool is_eret_at(struct scene *s, u64 pc);
bool is_return_at(struct scene *s, u64 pc);
/// A call (BL, BLR) is among the last transfers, or may have been before them.
bool trail_has_call(struct scene *s);
/// The newest ERET among the last transfers; 0: none.
u64 trail_eret(struct scene *s);
static inline bool by_sp(const struct scene *s)
{
    return s->have_word && (s->insn.flags & (LD | ST)) && s->insn.rn == REG_SP;
}
static inline bool is_zero_word(const struct scene *s) { return s->have_word && s->word == 0; }
/// Appends what the bits of a bad pointer tell: a fill pattern, text, a debugging mark.
void add_pattern(struct scene *s, u64 addr);
/// Appends to the fix.
void why_add_fix(struct scene *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Each entry: ret  true when it recognised the fault and named it. */

/* why_jump.c */
bool f01_jump(struct scene *s);
bool f01_text(struct scene *s);
/* why_place.c */
bool f10_virtual(struct scene *s);
bool f10_link(struct scene *s);
bool f09_device(struct scene *s);
bool f09_garbage(struct scene *s);
bool data_abort(struct scene *s);
/* why_trap.c */
bool f02_trapped(struct scene *s);
bool f02_vectors(struct scene *s);
bool f02_foreign(struct scene *s);
bool f09_gic_registers(struct scene *s);
bool f02_interrupt(struct scene *s);
bool f02_empty_vector(struct scene *s);
bool f08_stage2(struct scene *s);
/* why_insn.c */
bool f04_fp_trap(struct scene *s);
bool f03_alignment(struct scene *s);
bool f15_exclusive(struct scene *s);
bool f11_level(struct scene *s);
bool f12_conduit(struct scene *s);
/// "SVE", "MTE", ... for a word that needs an extension this CPU has not; else NULL.
const char *extension_of(u32 word);
/* why_stack.c */
bool f14_stack(struct scene *s);
bool bad_stack(struct scene *s);
/* why_mmu.c */
bool f08_tables(struct scene *s);
bool f08_turned_off(struct scene *s);
bool f08_moved(struct scene *s);
/// Appends what the walk of FAR met that explains the fault, and the step of the fix for it (scene.first).
void explain_walk(struct scene *s);
/// A jump whose target the tables stop with a descriptor that is not empty. from: who jumped.
bool f08_jump(struct scene *s, const char *from);
/// Appends where the walk of an address stops, if the MMU is on and it does.
void add_walk_of(struct scene *s, gva_t va);

#endif
