/// Cases and differences as text.
#include "show.h"

#include <string.h>

static const char *const end_names[] = {"brk", "undefined", "segv", "bus", "other"};

bool show_compare(const struct diff_state *want, const struct diff_state *got, FILE *f)
{
    bool same = true;
#define DIFFER(cond, ...)                                                                          \
    if (cond) {                                                                                    \
        same = false;                                                                              \
        if (f != NULL)                                                                             \
            fprintf(f, __VA_ARGS__);                                                               \
    }
    DIFFER(want->end != got->end, "    ended      wanted %s, got %s\n", end_names[want->end], end_names[got->end])
    for (int r = 0; r < 31; r++)
        DIFFER(want->x[r] != got->x[r], "    x%-9d wanted %016lx, got %016lx\n", r, want->x[r], got->x[r])
    DIFFER(want->sp != got->sp, "    sp         wanted %016lx, got %016lx\n", want->sp, got->sp)
    DIFFER(want->pc != got->pc, "    pc         wanted %016lx, got %016lx\n", want->pc, got->pc)
    for (int r = 0; r < 32; r++)
        DIFFER(want->v[r][0] != got->v[r][0] || want->v[r][1] != got->v[r][1],
               "    v%-9d wanted %016lx:%016lx, got %016lx:%016lx\n", r, want->v[r][1], want->v[r][0],
               got->v[r][1], got->v[r][0])
    DIFFER(want->nzcv != got->nzcv, "    nzcv       wanted %x, got %x\n", want->nzcv >> 28, got->nzcv >> 28)
    DIFFER(want->fpsr != got->fpsr, "    fpsr       wanted %08x, got %08x\n", want->fpsr, got->fpsr)
    DIFFER(want->fpcr != got->fpcr, "    fpcr       wanted %08x, got %08x\n", want->fpcr, got->fpcr)
    for (int k = 0; k < WINDOW_SIZE; k++)
        if (want->window[k] != got->window[k]) {
            DIFFER(true, "    memory     +%d: wanted %02x, got %02x\n", k, want->window[k], got->window[k])
            break;
        }
#undef DIFFER
    return same;
}

void show_case(const u32 *words, const struct diff_state *in)
{
    u32 general = 0, vector = 0;
    for (unsigned k = 0; k < CASE_WORDS && words[k] != (u32)INSN_BRK; k++) {
        char text[96];
        struct insn i;
        if (words[k] == (u32)INSN_NOP)
            continue;
        insn_decode(words[k], &i);
        insn_disas(words[k], in->pc + k * 4, text, sizeof text);
        printf("    +%-3u %08x   %s\n", k * 4, words[k], text);
        unsigned d = words[k] & 31, n = words[k] >> 5 & 31, m = words[k] >> 16 & 31, a = words[k] >> 10 & 31;
        *(i.flags & VD ? &vector : &general) |= 1u << d;
        *(i.flags & VN ? &vector : &general) |= 1u << n;
        *(i.flags & VM ? &vector : &general) |= 1u << m;
        *(i.flags & VA ? &vector : &general) |= 1u << a;
    }
    for (unsigned r = 0; r < 31; r++)
        if (general >> r & 1)
            printf("    in x%-6u %016lx\n", r, in->x[r]);
    for (unsigned r = 0; r < 32; r++)
        if (vector >> r & 1)
            printf("    in v%-6u %016lx:%016lx\n", r, in->v[r][1], in->v[r][0]);
    printf("    in sp %lx pc %lx nzcv %x fpcr %08x fpsr %08x\n", in->sp, in->pc, in->nzcv >> 28, in->fpcr, in->fpsr);
}
