/// Signatures, checkpoints and halting with a code.
#include "kernel.h"

struct debug_block debug_block __attribute__((aligned(64))) = {.magic_end = 0xBEBAFECA};

void checkpoint(u32 id)
{
    static u64 stop_at = UINT64_MAX;
    debug_block.checkpoint = id;
    debug_block.passed++;
    if (stop_at == UINT64_MAX && k.cmdline) {
        const char *v = option_value("stop-at");
        u64 n = 0;
        while (v && v[n] && v[n] != ' ')
            n++;
        if (!v || !br_number(v, n, &stop_at))
            stop_at = 0;
    }
    if (stop_at && id >= stop_at && stop_at != UINT64_MAX) {
        print("checkpoint %u reached\n", id);
        halt(HALT_STOP_AT);
    }
}

_Noreturn void halt(u64 code)
{
    debug_block.halt_code = code;
    print("HALT code 0x%llx, last checkpoint %u\n", (unsigned long long)code,
          debug_block.checkpoint);
    arch_stop(code);
}
