// Scalar floating point on SSE. Arm ARM, "Floating-point and SIMD". See jit.h for the rules.
#include "jit/translate.h"

void jit_init_fp(jit_emit_fn **t)
{
    (void)t;
}
