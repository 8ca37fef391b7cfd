/// The explainer: watches a machine through the hooks of its CPUs, says what is wrong when it sees a
/// mistake of the catalogue (docs/diagnosis), ends machines that are doomed, and writes the report.
#ifndef BRUIN_DEBUG_H
#define BRUIN_DEBUG_H

#include "base/text.h"
#include "board/machine.h"
#include "boot/boot.h"
#include "debug/symbols.h"

struct explain;

struct explain_config {
    enum machine_lint lint;
    bool lenient;                 ///< guests that only ever ran on emulators: see cpu.lenient
    struct symbols *symbols; ///< borrowed; may be NULL
    gva_t stack_lo, stack_hi;     ///< bounds of the boot stack; both 0: from symbols, if any
    /// Takes findings while the machine runs, one line each. id: "F05".
    void (*say)(void *ctx, const char *id, const char *text);
    void *say_ctx;
};
/// Installs the hooks on every vCPU. m must outlive it and not be running.
struct explain *explain_new(struct machine *m, const struct explain_config *cfg);
void explain_free(struct explain *x);

/// To be told after every load: forgets the previous run. plan and cmdline are borrowed for the
/// call only.
void explain_loaded(struct explain *x, const struct boot_plan *plan, const char *cmdline);
/// A finding of the loader, to be part of the report. It is not said again.
void explain_note(struct explain *x, const char *id, const char *text);

/// What the firmware saw an EFI application do (U1, U2, ...). fatal: the machine ends, with a report of the exception
/// that its first CPU took last.
void explain_firmware(struct explain *x, const char *id, const char *text, bool fatal);

/// Everything the guest prints. Under the machine lock.
void explain_console(struct explain *x, const u8 *data, size_t len);

/// What is known to be wrong while the machine stands still: findings so far, exceptions that were not returned from.
void explain_view(struct explain *x, struct text *out);

/// Around every machine_run. ret  false when --lint=error and the loader's findings forbid to run
MUST_USE bool explain_start(struct explain *x);
void explain_stop(struct explain *x);
/// What the tiny firmware reports (guest/bridge/fwhost.h): a as its enum fwhost_event says.
void explain_firmware_event(struct explain *x, const u64 a[6], const char *name);
/// The firmware's host side is about to write to guest RAM, as a file system driver of real firmware would.
void explain_host_write(struct explain *x, gpa_t pa, u64 len);
/// A Linux guest asked for a reset: did it panic, unseen by the console?
bool explain_has_panic(struct explain *x);
/// After machine_run: decides the verdict and writes the report.
/// ret  the exit code that stands for it
int explain_finish(struct explain *x, const struct machine_exit *e);
/// One line: "exception loop: F04 FP/SIMD instruction while CPACR_EL1 traps it". Empty when all is well.
const char *explain_line(const struct explain *x);
/// "off", "reset", "panic", "deadlock", "stuck", "exception-loop", "fatal-fault", "lint", "timeout", ...
const char *explain_verdict(const struct explain *x);
/// The report, at most 40 lines; NULL when there is nothing to explain.
const char *explain_text(const struct explain *x);
/// Always there after explain_finish: one JSON object.
const char *explain_json(const struct explain *x);

/// An entry of the catalogue: Markdown as in docs/diagnosis. id: "F03", "f3", "3".
/// ret  NULL when there is none
const char *explain_page(const char *id);
/// ret  false past the last
bool explain_entry(unsigned i, const char **id, const char **title);

#endif
