/// The translator as an accelerator. Single steps and software step run in the interpreter.
#include "accel/accel.h"
#include "accel/check.h"
#include "accel/interp.h"
#include "jit/jit.h"

#include <stdlib.h>

static bool probe(struct err *why)
{
#ifdef __x86_64__
    return true;
#else
    return err_set(why, ERR_USAGE, "jit: the translator emits x86-64 code");
#endif
}

static u64 knob(const char *name)
{
    const char *s = getenv(name);
    return s ? strtoull(s, NULL, 0) : 0;
}

/// Stress and measurement knobs of tests and developers (docs/performance.md).
static void read_knobs(struct jit_config *cfg)
{
    cfg->code_size = knob("BRUIN_JIT_CODE") & ~0xfffULL;
    cfg->block_max = (unsigned)knob("BRUIN_JIT_BLOCK");
    cfg->slots = (unsigned)knob("BRUIN_JIT_SLOTS");
    cfg->flush_every = (unsigned)knob("BRUIN_JIT_FLUSH");
    cfg->evict_every = (unsigned)knob("BRUIN_JIT_EVICT");
    cfg->hot = (unsigned)knob("BRUIN_JIT_HOT");
    cfg->cpu_off = getenv("BRUIN_JIT_CPU_OFF");
    cfg->v_through = knob("BRUIN_JIT_VTHROUGH");
    cfg->no_link = knob("BRUIN_JIT_NOLINK");
    cfg->no_group = knob("BRUIN_JIT_NOGROUP");
    cfg->no_inline = knob("BRUIN_JIT_NOINLINE");
    cfg->no_lookahead = knob("BRUIN_JIT_NOLOOKAHEAD");
    cfg->attention_always = knob("BRUIN_JIT_CHECKS");
    cfg->precise_flags = knob("BRUIN_JIT_PRECISE");
    cfg->fault = getenv("BRUIN_JIT_FAULT");
    cfg->skip_lo = (unsigned)knob("BRUIN_JIT_SKIP_LO");
    cfg->skip_hi = (unsigned)knob("BRUIN_JIT_SKIP_HI");
    cfg->count_runs = knob("BRUIN_JIT_STATS") > 1;
}

static bool vcpu_open(struct cpu *c, struct err *e)
{
    struct jit_config cfg = {0};
    read_knobs(&cfg);
    cfg.check = c->engine_opts && c->engine_opts->check;
    struct jit *j = c->engine = jit_new(c->mem, &cfg, e);
    if (j && cfg.check)
        j->check = check_new(c, j->interp = interp_new(c));
    return j != NULL;
}

static void vcpu_close(struct cpu *c)
{
    struct jit *j = c->engine;
    if (j && knob("BRUIN_JIT_STATS"))
        jit_stats_print(j);
    if (j) {
        check_free(j->check);
        interp_free(j->interp);
    }
    jit_free(j);
    c->engine = NULL;
}

/// One instruction in the interpreter. ret  false when c->exit is set.
static bool step(struct cpu *c)
{
    struct jit *j = c->engine;
    if (!j->interp)
        j->interp = interp_new(c);
    return interp_step(j->interp) != EXEC_EXIT;
}

static void run(struct cpu *c)
{
    c->exit.kind = EXIT_NONE;
    struct jit *j = c->engine;
    jit_set_counting(c, j->check || c->budget != ~0ULL);
    if (!c->jit[JW_MXCSR])
        c->jit[JW_MXCSR] = 0x1f80;
    while (c->exit.kind == EXIT_NONE) {
        if (UNLIKELY(c->single) || UNLIKELY(c->mode & MODE_SS)) {
            if (atomic_load_explicit(&c->attention, memory_order_relaxed) && !accel_attention(c))
                return;
            if (!step(c))
                return;
            if (c->single || (c->dbg_watching && c->dbg_hit.id)) {
                c->exit.kind = EXIT_DEBUG;
                c->exit.addr = c->pc;
            }
            continue;
        }
        if (UNLIKELY(j->check != NULL))
            check_run(j->check);
        else
            jit_run(c);
    }
}

static const char *report(const struct cpu *c)
{
    const struct jit *j = c->engine;
    return j && j->check ? check_report(j->check) : NULL;
}

const struct accel_ops accel_jit = {
    .name = "jit", .probe = probe, .vcpu_open = vcpu_open, .vcpu_close = vcpu_close, .run = run, .report = report,
};
