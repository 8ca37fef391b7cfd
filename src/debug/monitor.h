/// The monitor: commands that look at and steer a stopped machine. Used from the console, from a
/// socket and through gdb's `monitor`.
#ifndef BRUIN_MONITOR_H
#define BRUIN_MONITOR_H

#include "base/text.h"
#include "board/machine.h"
#include "boot/boot.h"
#include "cpu/dbg.h"
#include "debug/symbols.h"

/// One per machine: debugger's points, symbols, the CPU that commands mean.
struct debugger {
    struct machine *machine;
    struct symbols *symbols; ///< borrowed; may be NULL
    struct dbg *points;
    unsigned cpu;
    bool physical; ///< gdb reads physical memory
    u64 x_next;    ///< where `x` without address goes on
    char x_fmt;
    unsigned x_unit;
    /// Text of the explainer's view of the machine as it stands; NULL when there is none.
    void (*explain)(void *ctx, struct text *out);
    void *explain_ctx;
};

enum monitor_result {
    MONITOR_DONE,     ///< stay in the monitor
    MONITOR_CONTINUE, ///< let the machine run
    MONITOR_RESET,    ///< reset and load again, then run
    MONITOR_QUIT,     ///< end the machine
};

struct debugger *debugger_new(struct machine *m, struct symbols *symbols);
void debugger_free(struct debugger *d);
/// The CPU that commands refer to.
struct cpu *debugger_cpu(struct debugger *d);

/// Executes one command line; all output goes to out. Only while the machine is stopped; `s` runs it
/// for single steps.
enum monitor_result monitor_exec(struct debugger *d, const char *line, struct text *out);

/// "symbol+0x10", or empty when there is no symbol.
const char *monitor_symbol(const struct debugger *d, u64 addr, char *buf, size_t size);
/// Says why a run ended, for people: breakpoint, watchpoint with old and new value, step.
void monitor_stop_reason(struct debugger *d, const struct machine_exit *x, struct text *out);
/// Runs one instruction of the current CPU; one that is powered off stays where it is.
void debugger_step(struct debugger *d, struct machine_exit *x);

/// Deletes the points of one owner.
void debugger_drop_points(struct debugger *d, enum dbg_owner owner);

/* monitor_expr.c */
/// Evaluates an expression with 64-bit wrap-around, as far as it goes.
/// ret  false: out has the reason
bool monitor_eval(struct debugger *d, const char **p, u64 *val, struct text *out);
/// The whole of args is one expression.
bool monitor_eval_all(struct debugger *d, const char *args, u64 *val, struct text *out);
/// A register by its name without $: general, SIMD (its low bits) or system.
bool monitor_register(struct debugger *d, const char *name, u64 *val);

/* monitor_mem.c */
/// x and xp: args begin at the slash, if there is one.
void monitor_examine(struct debugger *d, const char *args, bool physical, struct text *out);

/* monitor_info.c: `info ...` */
void monitor_info(struct debugger *d, const char *what, struct text *out);
void monitor_walk(struct debugger *d, gva_t va, struct text *out);
/// "Device-nGnRnE", "Normal-WB", ... for a MAIR byte.
const char *monitor_memory_type(u8 attr);

#endif
