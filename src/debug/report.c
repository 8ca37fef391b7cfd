/// The report: at most 40 lines of text, and the same as one JSON object.
#include "debug/priv.h"

#include "base/text.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORT_MAX = 40960, LINES_LIMIT = 40, KEPT_CAUSE = 2, KEPT_NOTES = 2, KEPT_MORE = 1, TRAIL_SHOWN = 8, TRAIL_BRIEF = 4, SHOWN_MAX = 32,
       LOG_SHOWN = 14, NOTES_SHOWN = 5, HOT_SHOWN = 10, CPUS_SHOWN = 4 };
typedef unsigned long long ull;

struct out {
    struct explain *x;
    char *text;
    size_t len;
    unsigned lines, limit; ///< limit: the rest of LINES_LIMIT is kept for what comes last and matters most
    cJSON *root;
    bool in_el2; ///< lines being written speak of EL2's registers
};

/// One line with its label; labels repeat as blanks.
static void PRINTF_LIKE(3, 4) line(struct out *o, const char *label, const char *fmt, ...)
{
    char buf[900];
    va_list ap;
    if (o->lines >= o->limit)
        return;
    va_start(ap, fmt);
    vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    if (o->in_el2)
        name_for_el2(buf);
    text_clean(buf);
    int n = snprintf(o->text + o->len, REPORT_MAX - o->len, "  %-6s %s\n", label, buf);
    if (n > 0 && o->len + (size_t)n < REPORT_MAX) {
        o->len += (size_t)n;
        o->lines++;
    }
}

static void add_hex(cJSON *to, const char *key, u64 v)
{
    char buf[24];
    snprintf(buf, sizeof buf, "0x%llx", (ull)v);
    cJSON_AddStringToObject(to, key, buf);
}

/* ---- parts ---- */

static void put_what(struct out *o, const struct fault *f)
{
    char fsc[80] = "";
    u32 ec = (u32)bits(f->esr, 31, 26);
    bool sync = (f->kind & 0x180) == 0;
    unsigned level = f->el == 2 ? 2 : 1;
    bool abort = ec == EC_DABT || ec == EC_IABT || ec == EC_DABT_LOW || ec == EC_IABT_LOW;
    cJSON *e = cJSON_AddObjectToObject(o->root, "exception");
    if (!sync) {
        static const char *const kind[] = {"", "IRQ", "FIQ", "SError"};
        line(o, "what", "%s taken to VBAR_EL%u+0x%x", kind[f->kind >> 7 & 3], level, f->kind);
        cJSON_AddStringToObject(e, "class", kind[f->kind >> 7 & 3]);
        return;
    }
    if (abort)
        fsc_name((u32)f->esr, fsc, sizeof fsc);
    line(o, "what", "ESR_EL%u=0x%llx: EC 0x%02x %s%s%s%s, taken to VBAR_EL%u+0x%x", level, (ull)f->esr, ec, ec_name(ec),
         abort ? ": " : "", fsc, ec == EC_DABT ? (bit(f->esr, 6) ? " (write)" : " (read)") : "", level, f->kind);
    add_hex(e, "esr", f->esr);
    add_hex(e, "far", f->far);
    cJSON_AddStringToObject(e, "class", ec_name(ec));
    cJSON_AddNumberToObject(e, "ec", ec);
    if (abort)
        cJSON_AddStringToObject(e, "status", fsc);
    add_hex(e, "vector", f->kind);
}

static void put_where(struct out *o, unsigned cpu, u64 pc, u64 lr, u64 sp)
{
    struct cpu *c = machine_cpu(o->x->m, cpu);
    char at[120], sym[96], dis[96] = "";
    u32 word;
    if (!(pc & 3) && image_read(o->x, c, pc, &word, 4))
        insn_disas(word, pc, dis, sizeof dis);
    line(o, "where", "cpu%u pc=%s: %s", cpu, name_full(o->x, pc, at, sizeof at), dis[0] ? dis : "(not readable)");
    line(o, "", "lr=%s sp=0x%llx", name_full(o->x, lr, at, sizeof at), (ull)sp);
    cJSON *w = cJSON_AddObjectToObject(o->root, "where");
    cJSON_AddNumberToObject(w, "cpu", cpu);
    add_hex(w, "pc", pc);
    cJSON_AddStringToObject(w, "symbol", name_addr(o->x, pc, sym, sizeof sym));
    cJSON_AddStringToObject(w, "instruction", dis);
    add_hex(w, "lr", lr);
    cJSON_AddStringToObject(w, "lr_symbol", name_addr(o->x, lr, sym, sizeof sym));
    add_hex(w, "sp", sp);
}

/// Newest first; runs of the same transfer become one with a count, and so do pairs.
/// pc: where it ended. skip_first: the newest is the exception taken there
static void put_trail(struct out *o, unsigned cpu, const struct trail *t, u64 pc, bool skip_first)
{
    struct cpu *c = machine_cpu(o->x->m, cpu);
    char a[120], b[120], times[32];
    unsigned shown = 0, n = t->head < SHOWN_MAX ? t->head : SHOWN_MAX;
    cJSON *all = cJSON_AddArrayToObject(o->root, "from");
    cJSON_AddBoolToObject(o->root, "from_is_complete", trail_is_complete(o->x, c));
    for (unsigned k = skip_first ? 1 : 0; k < n;) {
        unsigned h = (t->head - 1 - k) & (TRAIL_LEN - 1), count = 1;
        u64 from = t->e[h].from, to = t->e[h].to;
        while (k + count < n) {
            unsigned g = (t->head - 1 - k - count) & (TRAIL_LEN - 1);
            if (t->e[g].from != from || t->e[g].to != to)
                break;
            count++;
        }
        k += count;
        u64 before = k < t->head && k < TRAIL_LEN ? t->e[(t->head - 1 - k) & (TRAIL_LEN - 1)].to : 0;
        bool gap = before && !trail_is_straight(o->x, c, before, from);
        bool late = shown == 0 && !trail_is_straight(o->x, c, to, pc);
        name_full(o->x, from, a, sizeof a);
        name_full(o->x, to, b, sizeof b);
        cJSON *e = cJSON_CreateObject();
        add_hex(e, "from", from);
        add_hex(e, "to", to);
        cJSON_AddNumberToObject(e, "times", count);
        if (gap)
            cJSON_AddBoolToObject(e, "gap_before", true);
        if (late)
            cJSON_AddBoolToObject(e, "gap_after", true);
        cJSON_AddItemToArray(all, e);
        if (shown++ >= (o->x->verdict == V_TIMEOUT && skip_first ? TRAIL_BRIEF : TRAIL_SHOWN)) /* room for the hottest blocks */
            continue;
        times[0] = 0;
        if (count > 1)
            snprintf(times, sizeof times, " (%u times)", count);
        line(o, shown == 1 ? "from" : "", "%s -> %s%s%s%s", a, b, times, late ? ", before others that were not kept" : "", gap ? ", after others that were not kept" : "");
    }
}

/// Callers by the chain of frame records, where one is kept. AAPCS64, "The Frame Pointer".
static void put_callers(struct out *o, struct cpu *c, u64 fp, u64 sp)
{
    enum { FRAMES = 8 };
    char at[120], all[400] = "";
    size_t n = 0;
    cJSON *list = cJSON_AddArrayToObject(o->root, "callers");
    for (unsigned k = 0; k < FRAMES && !(fp & 7) && fp >= sp; k++) {
        u64 rec[2];
        if (!mmu_debug_read(c, fp, rec, sizeof rec) || rec[1] == 0 || (rec[1] & 3))
            break;
        name_full(o->x, rec[1] - 4, at, sizeof at);
        cJSON_AddItemToArray(list, cJSON_CreateString(at));
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", k ? " <- " : "", at);
        if (rec[0] <= fp || n >= sizeof all - 130)
            break;
        fp = rec[0];
    }
    if (n)
        line(o, "called", "from %s", all);
}

static void put_walk(struct out *o, const struct fault *f)
{
    struct xlat w;
    char fsc[80], place[80];
    struct cpu *c = machine_cpu(o->x->m, f->cpu);
    u32 ec = (u32)bits(f->esr, 31, 26);
    u64 va = f->far;
    if (ec != EC_DABT && ec != EC_IABT && ec != EC_DABT_LOW && ec != EC_IABT_LOW)
        return;
    cJSON *j = cJSON_AddObjectToObject(o->root, "walk");
    add_hex(j, "va", va);
    if (!bit(f->sr_sctlr, 0)) {
        line(o, "walk", "0x%llx: MMU off, PA = VA: %s", (ull)va, place_name(o->x, va, place, sizeof place));
        cJSON_AddBoolToObject(j, "mmu", false);
        cJSON_AddStringToObject(j, "place", place);
        return;
    }
    bool ok = mmu_walk(c, va, &w);
    bool high = bit(va, 55);
    cJSON_AddBoolToObject(j, "mmu", true);
    line(o, "walk", "0x%llx: TTBR%d_EL1=0x%llx, T%dSZ=%llu", (ull)va, high, (ull)(high ? f->sr_ttbr1 : f->sr_ttbr0), high,
         (ull)(high ? bits(f->sr_tcr, 21, 16) : bits(f->sr_tcr, 5, 0)));
    cJSON *levels = cJSON_AddArrayToObject(j, "levels");
    for (int l = w.desc_first; l <= 3 && l <= w.level; l++) {
        if (w.desc_pa[l] == 0)
            break;
        const char *kind = !(w.desc[l] & 1) ? "invalid" : l < 3 && (w.desc[l] & 2) ? "table" : l < 3 ? "block" : "page";
        bool stop = !ok && l == w.level;
        line(o, "", "L%d[%llu] at 0x%llx = 0x%llx %s%s", l, (ull)(w.desc_pa[l] % 4096 / 8), (ull)w.desc_pa[l], (ull)w.desc[l],
             kind, stop ? "  <- stops here" : "");
        cJSON *e = cJSON_CreateObject();
        cJSON_AddNumberToObject(e, "level", l);
        add_hex(e, "at", w.desc_pa[l]);
        add_hex(e, "descriptor", w.desc[l]);
        cJSON_AddStringToObject(e, "kind", kind);
        cJSON_AddItemToArray(levels, e);
    }
    if (ok)
        line(o, "", "PA 0x%llx (%s), attr 0x%02x%s, EL1 %s%s%s", (ull)w.pa, place_name(o->x, w.pa, place, sizeof place), w.attr,
             w.device ? " Device" : "", w.priv_r ? "r" : "-", w.priv_w ? "w" : "-", w.priv_x ? "x" : "-");
    else
        line(o, "", "%s", fsc_name(w.fault, fsc, sizeof fsc));
}

static void put_registers(struct out *o, unsigned cpu, const struct fault *f)
{
    struct cpu *c = machine_cpu(o->x->m, cpu);
    const u64 *sr = c->sr, *x = f ? f->x : c->x;
    const struct cpu_regime_regs *r = &cpu_regime_regs[c->regime];
    bool host = c->el == 2;
    u64 sctlr = sr[r->sctlr], ps = f ? f->spsr : cpu_pstate(c);
    line(o, "regs", "SCTLR=0x%llx (M=%llu A=%llu C=%llu I=%llu) TCR=0x%llx MAIR=0x%llx", (ull)sctlr, (ull)bit(sctlr, 0),
         (ull)bit(sctlr, 1), (ull)bit(sctlr, 2), (ull)bit(sctlr, 12), (ull)sr[r->tcr], (ull)sr[r->mair]);
    line(o, "", "TTBR0=0x%llx TTBR1=0x%llx VBAR=0x%llx %s=0x%llx", (ull)sr[r->ttbr0],
         (ull)(c->regime == REGIME_EL2 ? 0 : sr[r->ttbr1]), (ull)sr[cpu_el_regs[c->el].vbar], host ? "CPTR" : "CPACR",
         (ull)sr[host ? SYSREG_CPTR_EL2 : SYSREG_CPACR_EL1]);
    if (c->has_el2)
        line(o, "", "HCR_EL2=0x%llx (E2H=%llu TGE=%llu IMO=%llu VM=%llu) VTTBR_EL2=0x%llx", (ull)sr[SYSREG_HCR_EL2],
             (ull)bit(sr[SYSREG_HCR_EL2], 34), (ull)bit(sr[SYSREG_HCR_EL2], 27), (ull)bit(sr[SYSREG_HCR_EL2], 4),
             (ull)bit(sr[SYSREG_HCR_EL2], 0), (ull)sr[SYSREG_VTTBR_EL2]);
    line(o, "", "EL%llu%s DAIF=%s%s%s%s NZCV=%llx x0=0x%llx x1=0x%llx x2=0x%llx x3=0x%llx", (ull)bits(ps, 3, 2),
         bit(ps, 0) ? "h" : "t", ps & DAIF_D ? "D" : "-", ps & DAIF_A ? "A" : "-", ps & DAIF_I ? "I" : "-",
         ps & DAIF_F ? "F" : "-", (ull)bits(ps, 31, 28), (ull)x[0], (ull)x[1], (ull)x[2], (ull)x[3]);
    cJSON *j = cJSON_AddObjectToObject(o->root, "registers");
    static const enum sysreg_id ids[] = {SYSREG_SCTLR_EL1, SYSREG_TCR_EL1, SYSREG_TTBR0_EL1, SYSREG_TTBR1_EL1,
                                         SYSREG_MAIR_EL1, SYSREG_VBAR_EL1, SYSREG_CPACR_EL1};
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
        add_hex(j, sysreg_id_name(host ? sysreg_redirect(ids[i]) : ids[i]), sr[host ? sysreg_redirect(ids[i]) : ids[i]]);
    add_hex(j, "PSTATE", ps);
    for (unsigned i = 0; i < 31; i++) {
        char n[8];
        snprintf(n, sizeof n, "x%u", i);
        add_hex(j, n, x[i]);
    }
}

static void put_notes(struct out *o, const char *except)
{
    unsigned shown = 0;
    cJSON *all = cJSON_AddArrayToObject(o->root, "lints");
    for (unsigned i = 0; i < o->x->note_count; i++) {
        const struct note *n = &o->x->note[i];
        cJSON *e = cJSON_CreateObject();
        cJSON_AddStringToObject(e, "id", n->id);
        cJSON_AddStringToObject(e, "text", n->text);
        cJSON_AddItemToArray(all, e);
        if (strcmp(n->id, except) != 0 && shown++ < NOTES_SHOWN)
            line(o, shown == 1 ? "also" : "", "%s: %s", n->id, n->text);
    }
}

static void put_log(struct out *o)
{
    char *log = o->x->log_tail, *nl;
    unsigned n = 0;
    if (log == NULL)
        return;
    for (char *p = log; *p; p = nl) { /* other control characters would be for a terminal */
        nl = p + strcspn(p, "\n");
        char end = *nl;
        *nl = '\0';
        text_clean(p);
        *nl = end;
        n += end == '\n';
        nl += end == '\n';
    }
    cJSON_AddStringToObject(o->root, "log", log);
    for (char *p = log; *p; p = nl + 1) {
        nl = strchr(p, '\n');
        if (nl == NULL)
            break;
        if (n-- <= LOG_SHOWN)
            line(o, n == LOG_SHOWN - 1 ? "log" : "", "%.*s", (int)(nl - p < 160 ? nl - p : 160), p);
    }
}

/// Where every CPU is: for stuck machines and timeouts.
static void put_cpus(struct out *o)
{
    char at[120], sym[96], state[240];
    unsigned shown = 0, others = 0;
    cJSON *all = cJSON_AddArrayToObject(o->root, "cpus");
    for (unsigned i = 0; i < o->x->cpus; i++) {
        struct cpu *c = machine_cpu(o->x->m, i);
        if (!machine_cpu_is_on(o->x->m, i))
            continue;
        name_full(o->x, c->pc, at, sizeof at);
        cJSON *e = cJSON_CreateObject();
        cJSON_AddNumberToObject(e, "cpu", i);
        add_hex(e, "pc", c->pc);
        cJSON_AddStringToObject(e, "symbol", name_addr(o->x, c->pc, sym, sizeof sym));
        cJSON_AddNumberToObject(e, "el", c->el);
        cJSON_AddBoolToObject(e, "mmu", (c->mode & MODE_MMU) != 0);
        cJSON_AddStringToObject(e, "state", machine_cpu_state(o->x->m, i));
        cJSON_AddItemToArray(all, e);
        if (i < CPUS_SHOWN && (i != o->x->verdict_cpu || o->x->verdict == V_TIMEOUT))
            line(o, shown++ ? "" : "cpus", "cpu%u pc=%s EL%u MMU %s, %s", i, at, c->el, c->mode & MODE_MMU ? "on" : "off",
                 machine_cpu_state(o->x->m, i));
        others += i >= CPUS_SHOWN;
    }
    if (others)
        line(o, "", "and %u more that are on (all are in --json)", others);
    idle_state(o->x, machine_cpu(o->x->m, o->x->verdict_cpu), state, sizeof state);
    line(o, "wake", "%s", state);
    cJSON_AddStringToObject(o->root, "wake", state);
}

/// The ten blocks that most samples met.
static void put_hot(struct out *o)
{
    unsigned count;
    u64 total;
    char at[120], sym[96];
    const struct hot_block *b = hot_top(o->x, &count, &total);
    cJSON *all = cJSON_AddArrayToObject(o->root, "hot");
    for (unsigned i = 0; b && i < count && i < HOT_SHOWN; i++) {
        u64 percent = b[i].samples * 100ULL / total;
        line(o, i ? "" : "hot", "%3llu%% %s EL%u", (ull)percent, name_full(o->x, b[i].pc, at, sizeof at), b[i].el);
        cJSON *e = cJSON_CreateObject();
        add_hex(e, "pc", b[i].pc);
        cJSON_AddStringToObject(e, "symbol", name_addr(o->x, b[i].pc, sym, sizeof sym));
        cJSON_AddNumberToObject(e, "el", b[i].el);
        cJSON_AddNumberToObject(e, "percent", (double)percent);
        cJSON_AddItemToArray(all, e);
    }
}

/* ---- the whole ---- */

static const char *headline(enum verdict v)
{
    switch (v) {
    case V_PANIC: return "guest panic";
    case V_DEADLOCK: return "deadlock";
    case V_STUCK: return "stuck";
    case V_LOOP: return "exception loop";
    case V_FAULT: return "fatal fault";
    case V_STORM: return "interrupt storm";
    case V_LINT: return "stopped by a lint";
    case V_TIMEOUT: return "timeout";
    default: return "";
    }
}

static bool has_report(enum verdict v) { return headline(v)[0] != 0; }

static void put_body(struct out *o, const struct why *w, const struct fault *f)
{
    struct explain *x = o->x;
    struct cpu *c = machine_cpu(x->m, x->verdict_cpu);
    bool asleep = x->verdict == V_DEADLOCK;
    if (f && f->full) {
        o->in_el2 = f->el == 2;
        put_what(o, f);
        o->in_el2 = false;
        put_where(o, f->cpu, f->pc, f->x[30], f->sp);
        put_trail(o, f->cpu, &f->trail, f->pc, true);
        put_callers(o, machine_cpu(x->m, f->cpu), f->x[29], f->sp);
        o->in_el2 = f->el == 2;
        put_walk(o, f);
        o->in_el2 = false;
        put_registers(o, f->cpu, f);
    } else {
        put_where(o, c->index, asleep ? c->pc - 4 : c->pc, c->x[30], c->x[REG_SP]);
        if (c->el)
            put_callers(o, c, c->x[29], c->x[REG_SP]);
        if (x->verdict != V_PANIC) {
            put_trail(o, c->index, &watch_of(x, c)->trail, c->pc, false);
            put_registers(o, c->index, NULL);
            put_cpus(o);
        }
    }
    if (x->verdict == V_TIMEOUT) {
        if (f && f->full)
            put_cpus(o);
        put_hot(o);
    }
    put_log(o);
    o->limit += KEPT_CAUSE;
    if (w->cause[0])
        line(o, "cause", "%s", w->cause);
    if (w->fix[0])
        line(o, "fix", "%s", w->fix);
}

void report_write(struct explain *x, const struct machine_exit *e, int status, const struct why *w, const struct fault *f)
{
    struct out o = {.x = x, .text = xcalloc(1, REPORT_MAX), .root = cJSON_CreateObject()};
    const char *head = headline(x->verdict);
    const char *id = w->id;
    if (x->verdict == V_LINT && x->note_count)
        id = x->note[x->note_count - 1].id;
    cJSON_AddStringToObject(o.root, "verdict", verdict_name(x->verdict));
    cJSON_AddNumberToObject(o.root, "exit_code", status);
    cJSON_AddNumberToObject(o.root, "guest_code", e->kind == MACHINE_OFF ? e->code : 0);
    cJSON_AddStringToObject(o.root, "id", id);
    cJSON_AddStringToObject(o.root, "title", w->title);
    cJSON_AddStringToObject(o.root, "cause", w->cause);
    cJSON_AddStringToObject(o.root, "fix", w->fix);
    if (has_report(x->verdict)) {
        const char *title = w->title[0] ? w->title : x->note_count ? x->note[x->note_count - 1].text : "";
        snprintf(x->line, sizeof x->line, "%s: %s%s%s", head, id, id[0] && title[0] ? " " : "", title);
        int n = snprintf(o.text, REPORT_MAX, "bruin: %s (exit %d)\n", x->line, status);
        o.len = n > 0 ? (size_t)n : 0;
        o.lines = 1;
        unsigned notes = x->note_count < KEPT_NOTES ? x->note_count : KEPT_NOTES;
        o.limit = LINES_LIMIT - KEPT_CAUSE - notes - KEPT_MORE;
        put_body(&o, w, f);
        o.limit += notes;
        put_notes(&o, id);
        o.limit += KEPT_MORE;
        if (id[0])
            line(&o, "more", "bruin explain %s", id);
    } else {
        if (x->verdict == V_INPUT)
            snprintf(x->line, sizeof x->line, "waits for input, and the host's input has ended");
        if (x->verdict == V_OFF && handoff_returned(x))
            snprintf(x->line, sizeof x->line, "%s", handoff_returned_text(x));
        put_notes(&o, "");
    }
    cJSON_AddStringToObject(o.root, "line", x->line);
    free(x->text);
    free(x->json);
    x->text = has_report(x->verdict) ? o.text : NULL;
    if (x->text == NULL)
        free(o.text);
    char *json = cJSON_Print(o.root);
    x->json = json ? xstrdup(json) : NULL;
    free(json);
    cJSON_Delete(o.root);
}
