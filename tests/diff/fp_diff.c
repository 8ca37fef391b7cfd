/// Compares every floating-point row of the decode table with a reference run of the same words.
///   fp_diff make SEED WORDS CASES [FILTER] > jobs     WORDS per row, CASES states per word
///   fp_diff check JOBS RESULTS                        RESULTS: output of fp_guest
///   fp_diff hash JOBS RESULTS > golden                a line for every word
///   fp_diff golden FILE                               compares with those lines
/// `check` and `golden` run the interpreter's bodies and report every word with a difference.
#include "a64/insn.h"
#include "cpu/softfp.h"
#include "fp_case.h"

#include <stdio.h>
#include <stdlib.h>

/// Restricts the register fields of w to those that fp_case fills.
static u32 restrict_registers(u32 w, u32 flags)
{
    static const struct {
        u32 vec, any;
        unsigned pos;
    } f[] = { { VD, DW | DR, 0 }, { VN, NR | VN, 5 }, { VM, MR | VM, 16 }, { VA, AR | AW, 10 } };
    for (unsigned k = 0; k < ARRAY_LEN(f); k++) {
        if (!(flags & f[k].any))
            continue;
        u32 r = w >> f[k].pos & 31;
        if (flags & f[k].vec)
            r &= 7;
        else if (r != 31)
            r &= 3;
        w = (w & ~(31u << f[k].pos)) | r << f[k].pos;
    }
    return w;
}

/// The M bit of a by-element row belongs to the register or to the index.
static u32 random_word(const struct insn_row *row, enum insn_op op, u64 *rng)
{
    for (int tries = 0; tries < 1000; tries++) {
        u32 mask, value;
        insn_row_bits(op, &mask, &value);
        u32 any = (u32)fp_rand(rng), w = (any & ~mask) | value;
        u32 out = restrict_registers(w, row->flags);
        if (row->fmt == FMT_ELEM && row->p == FP_H)
            out |= w & (1u << 20);
        struct insn i;
        insn_decode(out, &i);
        if (i.op == op)
            return out;
    }
    return 0;
}

static int make(u64 seed, u32 words, u32 cases, const char *filter)
{
    static struct fp_job jobs[100000];
    u32 n = 0;
    u64 rng = seed;
    for (int op = 1; op < OP_COUNT; op++) {
        const struct insn_row *row = &insn_rows[op];
        bool fp_row = op >= OP_FMOV_s && op <= OP_FCMLA_es;
        if (!fp_row || (filter && !strstr(row->name, filter)))
            continue;
        for (u32 k = 0; k < words && n < ARRAY_LEN(jobs); k++) {
            u32 w = random_word(row, (enum insn_op)op, &rng);
            if (w)
                jobs[n++] = (struct fp_job){ w, cases, fp_rand(&rng) };
        }
    }
    fwrite(&n, sizeof n, 1, stdout);
    fwrite(jobs, sizeof jobs[0], n, stdout);
    return 0;
}

static void load_state(struct cpu *c, const struct fp_case *in)
{
    for (unsigned k = 0; k < FP_CASE_V; k++)
        memcpy(c->v[k].d, in->v[k], 16);
    memcpy(c->x, in->x, sizeof in->x);
    c->fpcr = (u32)in->fpcr;
    c->fpsr = (u32)in->fpsr;
    cpu_set_nzcv(c, (u32)in->nzcv);
}

static void take_result(const struct cpu *c, u32 word, struct fp_result *r)
{
    unsigned d = word & 31;
    memcpy(r->v, c->v[d & 7].d, 16);
    r->x = d == 31 ? 0 : c->x[d & 3];
    r->fpsr = c->fpsr;
    r->nzcv = cpu_nzcv(c);
}

static void report(const struct fp_job *j, u64 seed, const struct fp_case *in, const struct fp_result *got,
                   const struct fp_result *want)
{
    char text[128];
    insn_disas(j->word, 0, text, sizeof text);
    printf("%08x %s, seed %llx, fpcr %08llx fpsr %02llx\n", j->word, text, (unsigned long long)seed, (unsigned long long)in->fpcr, (unsigned long long)in->fpsr);
    const unsigned regs[4] = { j->word & 7, j->word >> 5 & 7, j->word >> 16 & 7, j->word >> 10 & 7 };
    for (unsigned k = 0; k < 4; k++)
        printf("  %c v%u %016llx:%016llx x %016llx\n", "dnma"[k], regs[k], (unsigned long long)in->v[regs[k]][1],
               (unsigned long long)in->v[regs[k]][0], (unsigned long long)in->x[regs[k] & 3]);
    for (unsigned k = 0; k < 2; k++) {
        const struct fp_result *r = k ? want : got;
        printf("  %s %016llx:%016llx x %016llx fpsr %02x nzcv %x\n", k ? "want" : "got ",
               (unsigned long long)r->v[1], (unsigned long long)r->v[0], (unsigned long long)r->x, r->fpsr,
               r->nzcv >> 28);
    }
}

static void execute(struct cpu *c, const struct insn *i, u64 seed, struct fp_case *in, struct fp_result *got)
{
    fp_case_make(in, seed);
    load_state(c, in);
    int st = i->fn(c, i);
    take_result(c, i->word, got);
    if (st != EXEC_NEXT)
        got->nzcv = ~0u;
}

/// Where the reference (QEMU 7.2) departs from the Arm ARM: scalar fixed-point conversion of a half
/// leaves sign bits above bit 15; FJCVTZS of a flushed subnormal sets Z.
static void mend_reference(const struct insn *i, const struct fp_case *in, struct fp_result *want)
{
    if (i->op == OP_FCVTZS_sfh)
        want->v[0] &= 0xffff;
    u64 a = in->v[i->rn & 7][0];
    if (i->op == OP_FJCVTZS && in->fpcr & FPCR_FZ && !(a << 1 >> 53) && a << 12)
        want->nzcv = 0;
}

static u64 hash(u64 h, const struct fp_result *r)
{
    const u8 *p = (const u8 *)r;
    for (size_t k = 0; k < sizeof *r; k++)
        h = (h ^ p[k]) * 0x100000001b3ULL;
    return h;
}

static int write_hashes(const char *jobs_name, const char *results_name)
{
    FILE *fj = fopen(jobs_name, "rb"), *fr = fopen(results_name, "rb");
    u32 n;
    if (!fj || !fr || fread(&n, sizeof n, 1, fj) != 1)
        return 2;
    printf("# row, word, states, seed, hash of the reference's results (tests/diff/fp_diff.c)\n");
    for (u32 k = 0; k < n; k++) {
        struct fp_job j;
        struct insn i;
        u64 h = 0xcbf29ce484222325ULL;
        if (fread(&j, sizeof j, 1, fj) != 1)
            return 2;
        insn_decode(j.word, &i);
        for (u32 e = 0; e < j.count; e++) {
            struct fp_case in;
            struct fp_result want;
            if (fread(&want, sizeof want, 1, fr) != 1)
                return 2;
            fp_case_make(&in, j.seed + e);
            mend_reference(&i, &in, &want);
            h = hash(h, &want);
        }
        printf("%s %08x %u %llx %016llx\n", insn_rows[i.op].name, j.word, j.count, (unsigned long long)j.seed,
               (unsigned long long)h);
    }
    return 0;
}

static int check_golden(const char *name)
{
    FILE *f = fopen(name, "r");
    struct cpu *c = calloc(1, sizeof *c);
    char line[160], row[32];
    unsigned lines = 0, bad = 0;
    if (!f || !c)
        return 2;
    c->mode = MODE_FP;
    while (fgets(line, sizeof line, f)) {
        struct fp_job j;
        struct insn i;
        unsigned long long seed, want;
        u64 h = 0xcbf29ce484222325ULL;
        if (line[0] == '#')
            continue;
        if (sscanf(line, "%31s %x %u %llx %llx", row, &j.word, &j.count, &seed, &want) != 5)
            return 2;
        insn_decode(j.word, &i);
        for (u32 e = 0; e < j.count; e++) {
            struct fp_case in;
            struct fp_result got;
            execute(c, &i, seed + e, &in, &got);
            h = hash(h, &got);
        }
        lines++;
        if (h != want && ++bad)
            printf("differs: %s", line);
    }
    fclose(f);
    free(c);
    printf("%u words, %u differ\n", lines, bad);
    return bad || lines < 500;
}

static int check(const char *jobs_name, const char *results_name)
{
    FILE *fj = fopen(jobs_name, "rb"), *fr = fopen(results_name, "rb");
    struct cpu *c = calloc(1, sizeof *c);
    u32 n, bad_words = 0, total = 0, bad_in_row = 0;
    int last_bad_op = 0;
    if (!fj || !fr || !c || fread(&n, sizeof n, 1, fj) != 1)
        return 2;
    c->mode = MODE_FP;
    for (u32 k = 0; k < n; k++) {
        struct fp_job j;
        struct insn i;
        if (fread(&j, sizeof j, 1, fj) != 1)
            return 2;
        insn_decode(j.word, &i);
        bool bad = false;
        for (u32 e = 0; e < j.count; e++, total++) {
            struct fp_case in;
            struct fp_result got, want;
            execute(c, &i, j.seed + e, &in, &got);
            if (fread(&want, sizeof want, 1, fr) != 1) {
                printf("the reference stopped at word %08x %s\n", j.word, insn_rows[i.op].name);
                return 1;
            }
            mend_reference(&i, &in, &want);
            if (memcmp(&got, &want, sizeof got) == 0)
                continue;
            if (!bad && i.op == last_bad_op && ++bad_in_row > 3) {
                bad = true;
                bad_words++;
            }
            if (!bad) {
                printf("%s ", insn_rows[i.op].name);
                report(&j, j.seed + e, &in, &got, &want);
                bad = true;
                bad_words++;
                if (i.op != last_bad_op)
                    bad_in_row = 0;
                last_bad_op = i.op;
            }
        }
    }
    printf("%u cases of %u words, %u words differ\n", total, n, bad_words);
    return bad_words != 0;
}

int main(int argc, char **argv)
{
    if (argc >= 5 && !strcmp(argv[1], "make"))
        return make(strtoull(argv[2], NULL, 0), (u32)atoi(argv[3]), (u32)atoi(argv[4]), argc > 5 ? argv[5] : NULL);
    if (argc == 4 && !strcmp(argv[1], "check"))
        return check(argv[2], argv[3]);
    if (argc == 4 && !strcmp(argv[1], "hash"))
        return write_hashes(argv[2], argv[3]);
    if (argc == 3 && !strcmp(argv[1], "golden"))
        return check_golden(argv[2]);
    fprintf(stderr, "usage: fp_diff make SEED WORDS CASES [FILTER] | check|hash JOBS RESULTS | golden FILE\n");
    return 2;
}
