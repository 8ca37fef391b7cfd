/// The explainer around loads and runs of a machine.
#include "lib/lib.h"

#include <stdio.h>
#include <stdlib.h>

static void say(void *ctx, const char *id, const char *text)
{
    bruin_vm *vm = ctx;
    if (vm->message)
        vm->message(vm->message_ctx, id, text);
}

/// FILE or FILE@ADDR: an ELF file or a System.map. ADDR is where a position-independent ELF starts, or what is
/// added to the addresses of a System.map.
static bool add_file(bruin_vm *vm, const char *spec, struct err *e)
{
    struct blob file = {0};
    u64 at = 0;
    char *path = xstrdup(spec), *sign = strrchr(path, '@');
    if (sign && parse_address(sign + 1, &at))
        *sign = 0;
    struct symtab *t = blob_open(&file, path, e) ? symtab_load(file.data, file.len, path, e) : NULL;
    if (t) {
        symbols_add(vm->symbols, t, at);
        if (symtab_count(t) == 0 && vm->message)
            vm->message(vm->message_ctx, "", "--symbols: the file has no symbols (stripped?)");
    }
    blob_free(&file);
    free(path);
    return t != NULL;
}

/// Every --symbols FILE, else the kernel itself when it is an ELF file.
static bool load_symbols(bruin_vm *vm, const struct boot_job *job, struct err *e)
{
    const char *path;
    size_t n = 0;
    static const struct blob none;
    const struct blob *k = job ? &job->req.kernel : &none;
    symbols_free(vm->symbols);
    vm->symbols = symbols_new(vm->machine);
    for (; (path = bruin_config_get_at(vm->config, "symbols", n)) != NULL; n++)
        if (!add_file(vm, path, e))
            return false;
    bool is_elf = (job && job->plan.kind == BOOT_KIND_ELF) || (k->len > 4 && memcmp(k->data, "\177ELF", 4) == 0);
    if (n == 0 && is_elf) /* a kernel without readable symbols still boots */
        symbols_add(vm->symbols, symtab_load(k->data, k->len, k->name ? k->name : "kernel", e), 0);
    symbols_loaded(vm->symbols, job ? &job->plan : NULL);
    return true;
}

/// "LO-HI".
static bool parse_stack(const char *text, u64 *lo, u64 *hi, struct err *e)
{
    char buf[64];
    snprintf(buf, sizeof buf, "%s", text);
    char *dash = strchr(buf, '-');
    if (dash)
        *dash = 0;
    if (dash == NULL || !parse_address(buf, lo) || !parse_address(dash + 1, hi) || *hi <= *lo)
        return err_set(e, ERR_USAGE, "stack: \"%s\": wanted LO-HI, as in 0x40090000-0x40094000", text);
    return true;
}

bool diagnose_loaded(bruin_vm *vm, const struct boot_job *job, struct err *e)
{
    struct explain_config cfg = {.lint = vm->mc.lint, .lenient = config_flag(vm->config, "lenient"), .say = say,
                                 .say_ctx = vm};
    const char *stack = bruin_config_get(vm->config, "stack");
    if (vm->mc.bare)
        return true;
    if (stack && !parse_stack(stack, &cfg.stack_lo, &cfg.stack_hi, e))
        return false;
    explain_free(vm->explain);
    vm->explain = NULL;
    if (!load_symbols(vm, job, e))
        return false;
    cfg.symbols = vm->symbols;
    vm->explain = explain_new(vm->machine, &cfg);
    explain_loaded(vm->explain, job ? &job->plan : NULL, job ? job->cmdline : NULL);
    return true;
}

int diagnose_run(bruin_vm *vm, struct machine_exit *x)
{
    if (vm->explain == NULL) {
        machine_run(vm->machine, x);
    } else if (explain_start(vm->explain)) {
        machine_run(vm->machine, x);
        explain_stop(vm->explain);
    } else {
        *x = (struct machine_exit){.kind = MACHINE_DOOM, .code = 116};
    }
    return diagnose_end(vm, x);
}

int diagnose_end(bruin_vm *vm, struct machine_exit *x)
{
    bool unseen = x->kind == MACHINE_RESET && vm->explain && explain_has_panic(vm->explain);
    if (x->kind == MACHINE_RESET && (unseen || machine_saw_panic(vm->machine)))
        x->kind = MACHINE_PANIC; /* panic=-1: the reset is the guest giving up */
    return vm->explain ? explain_finish(vm->explain, x) : machine_exit_status(x);
}

void diagnose_free(bruin_vm *vm)
{
    explain_free(vm->explain);
    symbols_free(vm->symbols);
    vm->explain = NULL;
    vm->symbols = NULL;
}
