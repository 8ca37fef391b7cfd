/// Instruction words: decoding and disassembly of anything, into a buffer of any size.
#include "a64/insn.h"
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    while (in.len) {
        char text[96];
        struct insn i;
        u32 word = (u32)take(&in, 4);
        size_t room = 1 + take(&in, 1) % sizeof text;
        insn_decode(word, &i);
        size_t len = insn_disas(word, take(&in, 8), text, room);
        if (len >= room || text[len] != 0 || i.fn == NULL || i.rd >= REG_COUNT ||
            i.rn >= REG_COUNT || i.rm >= REG_COUNT || i.ra >= REG_COUNT)
            abort();
    }
    return 0;
}
