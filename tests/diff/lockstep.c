/// Lock-step test in one process: random pieces of code in the interpreter and in the translator. Some
/// hundred times faster than the comparison with qemu-aarch64 (diff.c), which vouches for the interpreter.
///
///   lockstep [--family NAME,...] [--insns N] [--length N] [--seed N] [--op NAME] [--bodies 1]
///
/// With --bodies FPCR stays 0, and the rows that translated code left to their bodies are listed.
///
/// A piece runs twice in each, so that its links and hot loops run too. What
/// differs is shrunk to the instructions that matter.
#include "engine.h"
#include "gen.h"
#include "show.h"

#include "jit/jit.h"

#include <stdlib.h>

enum { BATCH = 2048, SHOW_MAX = 5 };

struct sides {
    struct engine *interp, *jit;
    u64 pieces, insns, differences;
};

/// ret  true when translated code gives what the interpreter gives, both times
static bool agree(struct sides *s, const struct diff_state *in, struct diff_state *want, struct diff_state *got)
{
    for (int k = 0; k < 2; k++) {
        engine_run(s->interp, in, want); /* as often as the other: memory around the window stays */
        engine_run(s->jit, in, got);
        if (!show_compare(want, got, NULL))
            return false;
    }
    return true;
}

static bool agree_alone(struct sides *s, u32 slot, const u32 *words, const struct diff_state *in, struct diff_state *want,
                        struct diff_state *got)
{
    static u32 code[BATCH * CASE_WORDS];
    for (u32 k = 0; k < slot * CASE_WORDS; k++)
        code[k] = (u32)INSN_BRK;
    memcpy(code + slot * CASE_WORDS, words, CASE_WORDS * 4);
    engine_code(s->interp, code, slot + 1);
    engine_code(s->jit, code, slot + 1);
    return agree(s, in, want, got);
}

/// Replaces what is not needed for the difference by NOPs.
static void shrink(struct sides *s, u32 slot, u32 *words, const struct diff_state *in, struct diff_state *want,
                   struct diff_state *got)
{
    if (agree_alone(s, slot, words, in, want, got)) {
        printf("    (alone it does not differ: what ran before takes part)\n");
        return;
    }
    for (bool again = true; again;) {
        again = false;
        for (int k = CASE_WORDS - 1; k >= 0; k--) {
            u32 old = words[k];
            if (old == (u32)INSN_BRK || old == (u32)INSN_NOP || old == GEN_LOOP_TOP)
                continue;
            words[k] = (u32)INSN_NOP;
            if (agree_alone(s, slot, words, in, want, got))
                words[k] = old;
            else
                again = true;
        }
    }
    agree_alone(s, slot, words, in, want, got);
}

static void run_batch(struct sides *s, struct gen *g, u64 seed, u64 batch, unsigned length)
{
    static u32 words[BATCH * CASE_WORDS];
    static struct diff_state in[BATCH], want, got;
    u32 bad[SHOW_MAX];
    unsigned bad_count = 0;
    g->rng = seed * 0x9e3779b97f4a7c15ULL ^ (batch + 1) * 0xd1342543de82ef95ULL;
    g->rng |= g->rng == 0;
    for (u32 k = 0; k < BATCH; k++)
        gen_case(g, k, length, words + k * CASE_WORDS, &in[k]);
    engine_code(s->interp, words, BATCH);
    engine_code(s->jit, words, BATCH);
    for (u32 k = 0; k < BATCH; k++) {
        s->pieces++;
        for (unsigned w = 0; w < CASE_WORDS && words[k * CASE_WORDS + w] != (u32)INSN_BRK; w++)
            s->insns++;
        if (agree(s, &in[k], &want, &got))
            continue;
        s->differences++;
        if (bad_count < SHOW_MAX)
            bad[bad_count++] = k;
    }
    for (unsigned n = 0; n < bad_count; n++) {
        u32 k = bad[n];
        printf("DIFFERS --seed %llu, piece %u of batch %llu, shrunk (wanted: interpreter):\n", (unsigned long long)seed, k,
               (unsigned long long)batch);
        shrink(s, k, words + k * CASE_WORDS, &in[k], &want, &got);
        show_case(words + k * CASE_WORDS, &in[k]);
        show_compare(&want, &got, stdout);
        fflush(stdout);
    }
}

static unsigned choose(const char *families, const char *name, u16 *ops)
{
    unsigned n = 0;
    for (unsigned op = 1; op < OP_COUNT; op++) {
        bool wanted = gen_is_testable((enum insn_op)op) && strstr(families, family_names[gen_family((enum insn_op)op)]);
        if (wanted && (name == NULL || strncmp(insn_rows[op].name, name, strlen(name)) == 0))
            ops[n++] = (u16)op;
    }
    return n;
}

/// How many translations of each row call its body.
static void list_bodies(struct engine *e)
{
    const struct jit *j = ((const struct jit_cpu *)engine_cpu(e)->engine)->j;
    for (unsigned op = 1; op < OP_COUNT; op++)
        if (j->st_op_fallback[op])
            printf("%s %u\n", insn_rows[op].name, j->st_op_fallback[op]);
}

int main(int argc, char **argv)
{
    const char *families = "int,ldst,fp,simd", *op = NULL;
    u64 insns = 100000, seed = 1;
    unsigned length = 24;
    bool bodies = false;
    static u16 ops[OP_COUNT];
    struct err err = {0};
    for (int k = 1; k + 1 < argc; k += 2) {
        const char *a = argv[k], *v = argv[k + 1];
        if (strcmp(a, "--family") == 0)
            families = v;
        else if (strcmp(a, "--op") == 0)
            op = v;
        else if (strcmp(a, "--insns") == 0)
            insns = strtoull(v, NULL, 0);
        else if (strcmp(a, "--seed") == 0)
            seed = strtoull(v, NULL, 0);
        else if (strcmp(a, "--bodies") == 0)
            bodies = true;
        else if (strcmp(a, "--length") == 0)
            length = (unsigned)strtoul(v, NULL, 0);
        else
            argc = 0;
    }
    if (argc % 2 == 0 || length < 1 || length > CASE_WORDS - 2) {
        fprintf(stderr, "lockstep: see the head of tests/diff/lockstep.c for the options\n");
        return 2;
    }
    setenv("BRUIN_JIT_PRECISE", "1", 0); /* faults show flags that nothing reads */
    setenv("BRUIN_JIT_HOT", "4", 0);
    struct sides s = {.interp = engine_new("interp", &err), .jit = engine_new("jit", &err)};
    struct gen g = {.plain_fpcr = bodies, .ops = ops, .op_count = choose(families, op, ops)};
    if (!s.interp || !s.jit || !g.op_count) {
        fprintf(stderr, "lockstep: %s\n", g.op_count ? err.msg : "no row is selected");
        return 2;
    }
    for (u64 batch = 0; s.insns < insns && s.differences < SHOW_MAX; batch++)
        run_batch(&s, &g, seed, batch, length);
    if (bodies)
        list_bodies(s.jit);
    engine_free(s.interp);
    engine_free(s.jit);
    printf("%s: %llu instructions in %llu pieces, %llu differences\n", families, (unsigned long long)s.insns,
           (unsigned long long)s.pieces, (unsigned long long)s.differences);
    return s.differences != 0;
}
