#include "jit/translate.h"
void jit_init_int(jit_emit_fn **t) {}
