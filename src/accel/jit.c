/// The translator as an accelerator. Single steps and software step run in the interpreter.
#include "accel/accel.h"
#include "accel/check.h"
#include "accel/interp.h"
#include "jit/jit.h"

#include <stdio.h>
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
    cfg->attend_every = (unsigned)knob("BRUIN_JIT_ATTEND");
    cfg->irq_every = (unsigned)knob("BRUIN_JIT_IRQ");
    cfg->precise_flags = knob("BRUIN_JIT_PRECISE");
    cfg->warm = getenv("BRUIN_JIT_WARM") ? (unsigned)knob("BRUIN_JIT_WARM") : 2;
    cfg->fault = getenv("BRUIN_JIT_FAULT");
    cfg->skip_lo = (unsigned)knob("BRUIN_JIT_SKIP_LO");
    cfg->skip_hi = (unsigned)knob("BRUIN_JIT_SKIP_HI");
    cfg->count_runs = knob("BRUIN_JIT_DUMP");
}

static bool vcpu_open(struct cpu *c, struct err *e)
{
    struct jit_config cfg = {0};
    read_knobs(&cfg);
    const struct cpu_engine_opts *o = c->engine_opts;
    cfg.check = o && o->check;
    cfg.count_runs |= o && o->profile;
    cfg.smp = c->peer_count > 1;
    tlb_stress_start(c, (u32)knob("BRUIN_JIT_DROP"), (u32)knob("BRUIN_JIT_TLB"));
    if (!jit_open(c, &cfg, e))
        return false;
    struct jit_cpu *v = jit_cpu_of(c);
    if (cfg.check)
        v->check = check_new(c, v->interp = interp_new(c));
    if (o && o->perf_map && !v->j->perf_map && (v->j->perf_map = fopen(o->perf_map, "a")) == NULL)
        return err_set(e, ERR_USAGE, "%s: cannot be written", o->perf_map);
    return true;
}

static void vcpu_close(struct cpu *c)
{
    struct jit_cpu *v = c->engine;
    if (v == NULL)
        return;
    if (v->next == NULL && v == v->j->cpus) { // the last
        if (knob("BRUIN_JIT_DUMP"))
            jit_dump_top(v->j);
        if (v->j->perf_map)
            fclose(v->j->perf_map);
    }
    check_free(v->check);
    interp_free(v->interp);
    jit_close(c);
}

/// One instruction in the interpreter. ret  false when c->exit is set.
static bool step(struct cpu *c)
{
    struct jit_cpu *v = c->engine;
    if (!v->interp) // another CPU may be writing what one that remembers has decoded
        v->interp = c->peer_count ? interp_new_forgetful(c) : interp_new(c);
    return interp_step(v->interp) != EXEC_EXIT;
}

static void run_inside(struct cpu *c)
{
    struct jit_cpu *v = c->engine;
    jit_set_counting(c, v->check || c->budget != ~0ULL);
    if (!c->jit[JW_MXCSR])
        c->jit[JW_MXCSR] = 0x1f80;
    while (c->exit.kind == EXIT_NONE) {
        if (UNLIKELY(c->single) || UNLIKELY(c->mode & MODE_SS)) {
            if (atomic_load_explicit(&c->attention, memory_order_relaxed) && !accel_attention(c))
                return;
            if (!step(c))
                return;
            if (UNLIKELY(c->dbg_watching))
                c->dbg_pass_pc = ~0ULL;
            if (c->single || (c->dbg_watching && c->dbg_hit.id)) {
                c->exit.kind = EXIT_DEBUG;
                c->exit.addr = c->pc;
            }
            continue;
        }
        if (UNLIKELY(v->check != NULL))
            check_run(v->check);
        else
            jit_run(c);
    }
}

static void run(struct cpu *c)
{
    c->exit.kind = EXIT_NONE;
    cpu_enter(c);
    run_inside(c);
    cpu_leave(c);
}

static void stats(const struct cpu *c, struct accel_stats *o)
{
    const struct jit_cpu *v = c->engine;
    const struct jit *j = v->j;
    const struct jit_block *top[ARRAY_LEN(o->top)];
    u32 seen[OP_COUNT];
    *o = (struct accel_stats){
        .slow_memory = c->jit[JW_SLOW_EXEC], .bodies = v->st_after, .cross_page = v->st_cross_calls,
        .indirect = v->st_indirect_calls, .attention = v->st_attention, .lookups = v->st_lookups,
        .hot_loops = v->st_hot, .cold = v->st_cold, .contexts = v->st_contexts, .shares_cache = v != j->cpus,
    };
    if (o->shares_cache)
        return;
    o->blocks = j->st_blocks;
    o->insns = j->st_insns;
    o->hot_bytes = j->st_hot_bytes;
    o->cold_bytes = j->st_cold_bytes;
    o->links = j->st_links;
    o->evictions = j->st_evictions;
    o->flushes = j->st_flushes;
    o->invalidated = j->st_invalidated;
    o->top_count = jit_top(j, top, ARRAY_LEN(top));
    for (unsigned k = 0; k < o->top_count; k++)
        o->top[k] = (struct accel_hot){top[k]->va, top[k]->page + top[k]->off, top[k]->runs, top[k]->insns};
    memcpy(seen, j->st_op_fallback, sizeof seen);
    for (unsigned k = 0; k < ARRAY_LEN(o->not_emitted); k++) {
        unsigned best = 0;
        for (unsigned op = 1; op < OP_COUNT; op++)
            if (seen[op] > seen[best])
                best = op;
        if (!seen[best])
            break;
        o->not_emitted[k].name = insn_rows[best].name;
        o->not_emitted[k].count = seen[best];
        o->not_emitted_count = k + 1;
        seen[best] = 0;
    }
}

static const char *report(const struct cpu *c)
{
    const struct jit_cpu *v = c->engine;
    return v && v->check ? check_report(v->check) : NULL;
}

const struct accel_ops accel_jit = {
    .name = "jit",
    .has_threads = true,
    .probe = probe,
    .vcpu_open = vcpu_open,
    .vcpu_close = vcpu_close,
    .run = run,
    .report = report,
    .stats = stats,
};
