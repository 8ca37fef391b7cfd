/// What the two sides of a differential run exchange through pipes: batches of cases in, results out.
/// Shared by the host program and by the guest-side runner, so it includes nothing of ours.
#ifndef BRUIN_DIFF_CASE_H
#define BRUIN_DIFF_CASE_H

#include <stdint.h>

/// The same addresses on both sides: code that cannot be written, data that cannot be executed,
/// close enough for a load-literal to reach.
enum {
    CODE_BLOCK = 0x10000000, ///< 2 MiB, zero (UDF) outside the cases
    CODE_BASE = 0x10180000,
    DATA_BLOCK = 0x10200000, ///< 2 MiB
    BLOCK_SIZE = 0x200000,
    WINDOW_SIZE = 1024, ///< what is set before a case and compared after it
    WINDOW_BASE = DATA_BLOCK + 0x10000 - WINDOW_SIZE / 2, ///< straddles a page boundary
    CASE_WORDS = 32,    ///< code of one case: instructions, then BRK to the end
    BATCH_MAX = 4096,
};

/// How a case ended.
enum { END_BRK, END_UNDEF, END_SEGV, END_BUS, END_OTHER };

struct diff_state {
    uint64_t x[31], sp, pc;
    uint64_t v[32][2];
    uint32_t nzcv; ///< bits 31..28
    uint32_t fpcr, fpsr;
    uint32_t end; ///< results only
    uint8_t window[WINDOW_SIZE];
};

/// A batch: this, count * CASE_WORDS words of code, count states. The answer: count states.
struct diff_batch {
    uint32_t count;
};

#endif
