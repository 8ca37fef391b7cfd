/// --stats: what the accelerator counted, as text and as JSON.
#include "debug/symbols.h"
#include "lib/lib.h"

#include <stdio.h>
#include <stdlib.h>

typedef unsigned long long ull;

bool stats_name(void *ctx, gva_t va, char *buf, size_t size)
{
    bruin_vm *vm = ctx;
    const char *name = vm->symbols ? symbols_name(vm->symbols, va, buf, size) : NULL;
    if (name && name != buf)
        snprintf(buf, size, "%s", name);
    return name != NULL && *buf;
}

static void print_cpu(FILE *f, bruin_vm *vm, const struct accel_stats *s, unsigned cpu, u64 hook_calls)
{
    double n = s->insns ? (double)s->insns : 1;
    if (s->shares_cache) {
        fprintf(f, "cpu%u: shares the translations of cpu0\n", cpu);
    } else {
        fprintf(f, "cpu%u: %llu blocks of %.1f instructions, %.1f bytes of host code each (%.1f more out of line), %llu links\n", cpu,
                (ull)s->blocks, (double)s->insns / (double)(s->blocks ? s->blocks : 1), (double)s->hot_bytes / n,
                (double)s->cold_bytes / n, (ull)s->links);
        fprintf(f, "  given up: %llu blocks whose code changed, %llu segments, %llu times everything\n", (ull)s->invalidated,
                (ull)s->evictions, (ull)s->flushes);
    }
    fprintf(f, "  not translated: %llu instructions that ran seldom\n", (ull)s->cold);
    fprintf(f, "  slow paths: %llu accesses and repairs, %llu bodies that left, %llu links to other pages, %llu indirect branches, "
               "%llu checks, %llu look-ups, %llu hot loops, %llu contexts; %llu times a lint looked\n",
            (ull)s->slow_memory, (ull)s->bodies, (ull)s->cross_page, (ull)s->indirect, (ull)s->attention, (ull)s->lookups,
            (ull)s->hot_loops, (ull)s->contexts, (ull)hook_calls);
    for (unsigned k = 0; k < s->not_emitted_count; k++)
        fprintf(f, "%s %s %llu%s", k ? "," : "  translated to calls:", s->not_emitted[k].name, (ull)s->not_emitted[k].count,
                k + 1 == s->not_emitted_count ? "\n" : "");
    if (s->top_count)
        fprintf(f, "  %-16s %12s %6s  block\n", "instructions", "runs", "length");
    for (unsigned k = 0; k < s->top_count; k++) {
        char name[160] = "";
        stats_name(vm, s->top[k].va, name, sizeof name);
        fprintf(f, "  %-16llu %12llu %6u  0x%llx %s\n", (ull)(s->top[k].runs * s->top[k].insns), (ull)s->top[k].runs,
                s->top[k].insns, (ull)s->top[k].va, name);
    }
}

static void json_cpu(FILE *f, bruin_vm *vm, const struct accel_stats *s, u64 hook_calls)
{
    fprintf(f, "{\"blocks\": %llu, \"instructions\": %llu, \"hot_bytes\": %llu, \"cold_bytes\": %llu, \"links\": %llu, "
               "\"invalidated\": %llu, \"evictions\": %llu, \"flushes\": %llu, \"slow_memory\": %llu, \"bodies\": %llu, "
               "\"cross_page\": %llu, \"indirect\": %llu, \"attention\": %llu, \"lookups\": %llu, \"hot_loops\": %llu, \"cold\": %llu, \"lint_looks\": %llu, \"top\": [",
            (ull)s->blocks, (ull)s->insns, (ull)s->hot_bytes, (ull)s->cold_bytes, (ull)s->links, (ull)s->invalidated,
            (ull)s->evictions, (ull)s->flushes, (ull)s->slow_memory, (ull)s->bodies, (ull)s->cross_page, (ull)s->indirect,
            (ull)s->attention, (ull)s->lookups, (ull)s->hot_loops, (ull)s->cold, (ull)hook_calls);
    for (unsigned k = 0; k < s->top_count; k++) {
        char name[160] = "";
        stats_name(vm, s->top[k].va, name, sizeof name);
        for (char *p = name; *p; p++) /* names come from the guest's files */
            if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20)
                *p = '?';
        fprintf(f, "%s{\"pc\": \"0x%llx\", \"symbol\": \"%s\", \"runs\": %llu, \"length\": %u}", k ? ", " : "",
                (ull)s->top[k].va, name, (ull)s->top[k].runs, s->top[k].insns);
    }
    fprintf(f, "]}");
}

char *bruin_stats(bruin_vm *vm, bool json)
{
    const struct accel_ops *a = machine_accel(vm->machine);
    u64 first = machine_first_run_ns(vm->machine);
    double start_ms = first ? (double)(first - vm->created_ns) / 1e6 : 0;
    char *text = NULL;
    size_t size = 0;
    struct cpu *c;
    if (!vm->mc.profile || a->stats == NULL || first == 0)
        return NULL;
    FILE *f = open_memstream(&text, &size);
    if (f == NULL)
        return NULL;
    if (vm->symbols) {
        symbols_allow_search(vm->symbols, true);
        (void)symbols_any(vm->symbols);
    }
    fprintf(f, json ? "{\"start_ms\": %.2f, \"cpus\": [" : "stats: first instruction %.2f ms after the machine was made\n", start_ms);
    for (unsigned i = 0; (c = machine_cpu(vm->machine, i)) != NULL; i++) {
        struct accel_stats s;
        if (c->engine == NULL)
            continue;
        a->stats(c, &s);
        if (json && i)
            fputs(", ", f);
        if (json)
            json_cpu(f, vm, &s, c->hook_calls);
        else
            print_cpu(f, vm, &s, i, c->hook_calls);
    }
    if (json)
        fputs("]}", f);
    fclose(f);
    return text;
}
