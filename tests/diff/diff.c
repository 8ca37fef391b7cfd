/// Differential test: random instructions on an engine of ours and under qemu-aarch64, compared in
/// registers, flags, FPCR, FPSR, memory and the way they ended.
///
///   diff --runner FILE [--engine interp|jit] [--family NAME,...] [--op NAME] [--cases N] [--length N]
///        [--seed N] [--case N] [--plain-fpcr] [--show N]
///
/// A case is decided by the seed and its number alone: --seed S --case K runs one again.
#include "engine.h"
#include "gen.h"
#include "known.h"
#include "show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct options {
    const char *runner, *qemu, *engine, *op;
    u32 families;
    u64 cases, seed, only;
    unsigned length, show;
    bool plain_fpcr, has_only;
};

struct oracle {
    pid_t pid;
    int to, from;
};

/// The first pieces of a batch that differ, to be shrunk after it.
enum { SHRINK_MAX = 4 };
struct failing {
    u32 slot[SHRINK_MAX];
    unsigned count;
};

struct tally {
    u64 cases, differences, known;
    u32 by_op[OP_COUNT], bad_by_op[OP_COUNT];
    struct failing failing;
};

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void move_all(int fd, void *data, size_t len, bool is_write)
{
    for (char *p = data; len;) {
        ssize_t n = is_write ? write(fd, p, len) : read(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            fail("diff: the runner went away");
        p += n;
        len -= (size_t)n;
    }
}

static struct oracle oracle_start(const struct options *o)
{
    int to[2], from[2];
    struct oracle q;
    if (pipe(to) || pipe(from))
        fail("pipe");
    q.pid = fork();
    if (q.pid < 0)
        fail("fork");
    if (q.pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        /* SVE off: with it the signal frame would carry the vectors twice. */
        execlp(o->qemu, o->qemu, "-cpu", "max,sve=off,pauth=off", o->runner, (char *)NULL);
        perror(o->qemu);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    q.to = to[1];
    q.from = from[0];
    return q;
}

static void oracle_stop(struct oracle *q)
{
    close(q->to);
    close(q->from);
    waitpid(q->pid, NULL, 0);
}

/// Runs one case on both sides, in its slot. ret  true when they agree
static bool run_one(struct engine *e, struct oracle *q, u32 slot, const u32 *words, const struct diff_state *in,
                    struct diff_state *want, struct diff_state *got)
{
    static u32 code[BATCH_MAX * CASE_WORDS];
    static struct diff_state states[BATCH_MAX];
    struct diff_batch b = {slot + 1};
    for (u32 k = 0; k < slot * CASE_WORDS; k++)
        code[k] = INSN_BRK;
    for (u32 k = 0; k <= slot; k++) {
        states[k] = *in;
        states[k].pc = CODE_BASE + (u64)k * CASE_WORDS * 4;
    }
    memcpy(code + slot * CASE_WORDS, words, CASE_WORDS * 4);
    move_all(q->to, &b, sizeof b, true);
    move_all(q->to, code, (size_t)b.count * CASE_WORDS * 4, true);
    move_all(q->to, states, b.count * sizeof states[0], true);
    move_all(q->from, states, b.count * sizeof states[0], false);
    *want = states[slot];
    engine_code(e, code, b.count);
    engine_run(e, in, got);
    return show_compare(want, got, NULL);
}

/// Replaces what is not needed for a difference by NOPs, as long as the case still differs alone.
static void shrink(struct engine *e, struct oracle *q, u32 slot, u32 *words, const struct diff_state *in,
                   struct diff_state *want, struct diff_state *got)
{
    if (run_one(e, q, slot, words, in, want, got)) {
        printf("    (alone it does not differ: code or memory left by other cases takes part)\n");
        return;
    }
    for (bool again = true; again;) {
        again = false;
        for (int k = CASE_WORDS - 1; k >= 0; k--) {
            u32 old = words[k];
            if (old == (u32)INSN_BRK || old == (u32)INSN_NOP || old == (u32)GEN_LOOP_TOP)
                continue;
            words[k] = INSN_NOP;
            if (run_one(e, q, slot, words, in, want, got))
                words[k] = old;
            else
                again = true;
        }
    }
    run_one(e, q, slot, words, in, want, got);
}

static void judge(const struct options *o, struct tally *t, u64 number, const u32 *words, const struct diff_state *in,
                  const struct diff_state *want, const struct diff_state *got)
{
    struct insn i;
    insn_decode(words[0], &i);
    t->cases++;
    for (unsigned k = 0; k < CASE_WORDS && words[k] != (u32)INSN_BRK; k++) {
        struct insn each;
        insn_decode(words[k], &each);
        t->by_op[each.op]++;
    }
    if (show_compare(want, got, NULL))
        return;
    if (o->length == 1 && known_difference(&i, in, want, got) != NULL) {
        t->known++;
        return;
    }
    t->differences++;
    if (t->bad_by_op[i.op]++ >= (o->length == 1 ? 1 : o->show) || t->differences > o->show)
        return;
    if (o->length > 1) {
        if (t->failing.count < SHRINK_MAX)
            t->failing.slot[t->failing.count++] = (u32)(number % BATCH_MAX);
        return;
    }
    printf("DIFFERS --seed %lu --case %lu (%s)\n", o->seed, number, insn_rows[i.op].name);
    show_case(words, in);
    show_compare(want, got, stdout);
}

static void run_batch(const struct options *o, struct gen *g, struct engine *e, struct oracle *q, struct tally *t, u64 first,
                      u32 count)
{
    static u32 words[BATCH_MAX * CASE_WORDS];
    static struct diff_state in[BATCH_MAX], want[BATCH_MAX], got;
    for (u32 k = 0; k < count; k++) {
        g->rng = (o->seed * 0x9e3779b97f4a7c15ULL) ^ ((first + k + 1) * 0xd1342543de82ef95ULL);
        g->rng |= g->rng == 0;
        for (int n = 0; n < 4; n++)
            rng_next(&g->rng);
        gen_case(g, k, o->length, words + k * CASE_WORDS, &in[k]);
    }
    struct diff_batch b = {count};
    move_all(q->to, &b, sizeof b, true);
    move_all(q->to, words, (size_t)count * CASE_WORDS * 4, true);
    move_all(q->to, in, count * sizeof in[0], true);
    move_all(q->from, want, count * sizeof want[0], false);
    engine_code(e, words, count);
    for (u32 k = 0; k < count; k++) {
        engine_run(e, &in[k], &got);
        if (!o->has_only || first + k == o->only)
            judge(o, t, first + k, words + k * CASE_WORDS, &in[k], &want[k], &got);
    }
    for (unsigned f = 0; f < t->failing.count; f++) {
        u32 k = t->failing.slot[f];
        printf("DIFFERS --length %u --seed %lu --case %lu, shrunk:\n", o->length, o->seed, first + k);
        shrink(e, q, k, words + k * CASE_WORDS, &in[k], &want[k], &got);
        show_case(words + k * CASE_WORDS, &in[k]);
        show_compare(&want[k], &got, stdout);
    }
    t->failing.count = 0;
}

static u32 parse_families(const char *text)
{
    u32 mask = 0;
    for (unsigned f = 0; f < FAMILY_COUNT; f++)
        if (strstr(text, family_names[f]) != NULL)
            mask |= 1u << f;
    return mask;
}

static bool parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.qemu = "qemu-aarch64", .engine = "interp", .families = ~0u, .cases = 10000, .seed = 1, .length = 1, .show = 20};
    for (int k = 1; k < argc; k++) {
        const char *a = argv[k], *v = k + 1 < argc ? argv[k + 1] : NULL;
        if (strcmp(a, "--plain-fpcr") == 0) {
            o->plain_fpcr = true;
            continue;
        }
        if (v == NULL)
            return false;
        k++;
        if (strcmp(a, "--runner") == 0)
            o->runner = v;
        else if (strcmp(a, "--qemu") == 0)
            o->qemu = v;
        else if (strcmp(a, "--engine") == 0)
            o->engine = v;
        else if (strcmp(a, "--family") == 0)
            o->families = parse_families(v);
        else if (strcmp(a, "--op") == 0)
            o->op = v;
        else if (strcmp(a, "--cases") == 0)
            o->cases = strtoull(v, NULL, 0);
        else if (strcmp(a, "--length") == 0)
            o->length = (unsigned)strtoul(v, NULL, 0);
        else if (strcmp(a, "--seed") == 0)
            o->seed = strtoull(v, NULL, 0);
        else if (strcmp(a, "--show") == 0)
            o->show = (unsigned)strtoul(v, NULL, 0);
        else if (strcmp(a, "--case") == 0)
            o->only = strtoull(v, NULL, 0), o->has_only = true;
        else
            return false;
    }
    return o->runner != NULL && o->length >= 1 && o->length < CASE_WORDS;
}

/// The rows to choose from. ret  how many
static unsigned choose(const struct options *o, u16 *ops)
{
    unsigned n = 0;
    for (unsigned op = 1; op < OP_COUNT; op++) {
        if (!gen_is_testable((enum insn_op)op) || !(o->families >> gen_family((enum insn_op)op) & 1))
            continue;
        if (o->length > 1 && known_row((enum insn_op)op))
            continue;
        if (o->op != NULL && strncmp(insn_rows[op].name, o->op, strlen(o->op)) != 0)
            continue;
        ops[n++] = (u16)op;
    }
    return n;
}

static int report(const struct tally *t, const u16 *ops, unsigned op_count)
{
    unsigned rows = 0;
    for (unsigned k = 0; k < op_count; k++) {
        rows += t->by_op[ops[k]] != 0;
        if (t->bad_by_op[ops[k]])
            printf("  %-12s differs in %u of %u\n", insn_rows[ops[k]].name, t->bad_by_op[ops[k]], t->by_op[ops[k]]);
    }
    printf("%lu cases, %u of %u rows, %lu known differences, %lu differences\n", t->cases, rows, op_count, t->known,
           t->differences);
    return t->differences != 0 || t->cases == 0;
}

int main(int argc, char **argv)
{
    struct options o;
    static u16 ops[OP_COUNT];
    static struct tally t;
    struct err err = {0};
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "diff: see the head of tests/diff/diff.c for the options\n");
        return 2;
    }
    unsigned op_count = choose(&o, ops);
    if (op_count == 0) {
        printf("0 cases: no row is selected\n");
        return o.op != NULL;
    }
    struct engine *e = engine_new(o.engine, &err);
    if (e == NULL) {
        fprintf(stderr, "diff: %s\n", err.msg);
        return 2;
    }
    struct gen g = {.ops = ops, .op_count = op_count, .plain_fpcr = o.plain_fpcr};
    struct oracle q = oracle_start(&o);
    if (o.has_only) /* with those before it in its batch: the address is part of the case */
        run_batch(&o, &g, e, &q, &t, o.only - o.only % BATCH_MAX, (u32)(o.only % BATCH_MAX) + 1);
    for (u64 at = 0; !o.has_only && at < o.cases; at += BATCH_MAX)
        run_batch(&o, &g, e, &q, &t, at, (u32)(o.cases - at < BATCH_MAX ? o.cases - at : BATCH_MAX));
    oracle_stop(&q);
    engine_free(e);
    return report(&t, ops, op_count);
}
