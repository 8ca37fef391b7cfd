// Advanced SIMD and cryptography on SSE, AVX and their extensions. See jit.h for the rules.
#include "jit/translate.h"

void jit_init_simd(jit_emit_fn **t)
{
    (void)t;
}
