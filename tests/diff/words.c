/// Words for the comparison with objdump: uniform ones and, from every row, some with random fields.
///   words SEED UNIFORM PER_ROW BINARY TEXT     writes the words, and our disassembly line by line
#include "gen.h"

#include <stdio.h>
#include <stdlib.h>

static void put(FILE *binary, FILE *text, u32 w, u64 *pc)
{
    char line[128];
    struct insn i;
    insn_decode(w, &i);
    insn_disas(w, *pc, line, sizeof line);
    fwrite(&w, 4, 1, binary);
    fprintf(text, "%s\t%s\n", insn_rows[i.op].name, line);
    *pc += 4;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    u64 rng = strtoull(argv[1], NULL, 0) * 2 + 1, pc = 0;
    unsigned long uniform = strtoul(argv[2], NULL, 0), per_row = strtoul(argv[3], NULL, 0);
    FILE *binary = fopen(argv[4], "wb"), *text = fopen(argv[5], "w");
    if (binary == NULL || text == NULL) {
        perror(argv[4]);
        return 2;
    }
    for (unsigned long k = 0; k < uniform; k++)
        put(binary, text, (u32)(rng_next(&rng) >> 32), &pc);
    for (unsigned op = 1; op < OP_COUNT; op++)
        for (unsigned long k = 0; k < per_row; k++) {
            u32 w;
            if (gen_word(&rng, (enum insn_op)op, &w))
                put(binary, text, w, &pc);
        }
    return fclose(binary) | fclose(text);
}
