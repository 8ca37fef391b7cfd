// The code cache: blocks by physical page, offset and mode; links between them; jump caches; and
// the invalidation of blocks whose bytes were written.
#include "jit/jit.h"

#include <stdlib.h>

enum { PAGE_HASH = 1 << 12, CODE_SIZE = 20 << 20 };

enum { HOT_SITES = 1 << 13 };

static unsigned block_slot(gpa_t pa, u32 mode)
{
    u64 h = (pa >> 2) * 0x9e3779b97f4a7c15ULL ^ mode * 0x85ebca6bULL;
    return (unsigned)(h >> 20) & (BLOCK_HASH - 1);
}
static unsigned page_slot(gpa_t pa) { return (unsigned)((pa >> 12) ^ (pa >> 24)) & (PAGE_HASH - 1); }

static void purge_jump_cache(struct jit_cpu *v)
{
    memset(v->jc, 0xff, sizeof *v->jc * JC_SIZE * JC_TABLES);
    memset(v->jc_key, 0, sizeof v->jc_key);
    v->jc_clock = 0;
    v->synced_ctx = NULL;
}

/// Under mem.code_lock, as all but look-ups.
static void code_written(void *ctx, gpa_t gpa, u64 len)
{
    jit_invalidate(ctx, gpa, len);
    jit_forget_run(ctx, gpa, len);
}

/// The segments lie behind the thunks, hot code in the lower half and cold code in the upper.
static void make_segments(struct jit *j)
{
    u8 *hot = (u8 *)align_up((u64)(uintptr_t)j->b.p, GUEST_PAGE), *cold = j->code.rw + j->code.size / 2;
    u64 room = (u64)(cold - hot);
    unsigned n = (unsigned)(room / (room < 4 * SEGMENT_SIZE ? SEGMENT_MIN : SEGMENT_SIZE));
    j->seg_count = n < 1 ? 1 : n > SEGMENTS_MAX ? SEGMENTS_MAX : n;
    j->seg_size = align_down(room / j->seg_count, GUEST_PAGE);
    for (unsigned k = 0; k < j->seg_count; k++)
        j->seg[k] = (struct jit_segment){hot + k * j->seg_size, cold + k * j->seg_size, NULL};
}

/// Translations go into this segment, which is empty.
static void fill_segment(struct jit *j, unsigned k)
{
    struct jit_segment *s = &j->seg[k];
    j->seg_now = k;
    j->b = (struct xbuf){s->hot, s->hot + j->seg_size, !j->cpu.avx2};
    j->cold = (struct xbuf){s->cold, s->cold + j->seg_size, !j->cpu.avx2};
}

static struct jit *jit_new(struct mem *m, const struct jit_config *cfg, struct err *e)
{
    struct jit *j = xcalloc(1, sizeof *j);
    j->cfg = *cfg;
    if (!j->cfg.code_size)
        j->cfg.code_size = CODE_SIZE;
    if (!j->cfg.block_max || j->cfg.block_max > BLOCK_INSNS_MAX)
        j->cfg.block_max = BLOCK_INSNS_MAX;
    if (!j->cfg.slots || j->cfg.slots > SLOT_COUNT - 32)
        j->cfg.slots = SLOT_COUNT - 32;
    j->mem = m;
    if (!os_code_alloc(&j->code, j->cfg.code_size, e)) {
        free(j);
        return NULL;
    }
    j->rx = j->code.rx - j->code.rw;
    j->hash = xcalloc(BLOCK_HASH, sizeof *j->hash);
    j->page_hash = xcalloc(PAGE_HASH, sizeof *j->page_hash);
    j->hot_sites = xcalloc(HOT_SITES, sizeof *j->hot_sites);
    j->decoded = xcalloc(DECODED, sizeof *j->decoded);
    j->patience = xcalloc(SITES, sizeof *j->patience);
    j->heat = xcalloc(SITES, sizeof *j->heat);
    jit_hot_init(j);
    jit_warm_init(j);
    x_detect(&j->cpu);
    x_disable(&j->cpu, j->cfg.cpu_off);
    jit_init_tables();
    j->b = (struct xbuf){j->code.rw, j->code.rw + j->code.size / 2, !j->cpu.avx2};
    jit_make_thunks(j);
    make_segments(j);
    fill_segment(j, 0);
    mem_watch_code(m, code_written, j);
    return j;
}

static void free_block(struct jit *j, struct jit_block *b)
{
    for (unsigned k = 0; k < b->link_count; k++) {
        u32 n = b->links[k].number;
        j->link_free[j->link_free_count++] = n;
        for (struct jit_cpu *v = j->cpus; v && v->guards && n < GUARDS_MAX && b->links[k].is_cross; v = v->next)
            v->guards[n].gen = 0;
    }
    free(b->links);
    free(b);
}

static void jit_free(struct jit *j)
{
    mem_unwatch_code(j->mem, j);
    jit_flush(j);
    os_code_free(&j->code);
    free(j->hash);
    free(j->page_hash);
    free(j->link_of);
    free(j->link_free);
    free(j->hot_sites);
    free(j->patience);
    free(j->ways);
    free(j->warm);
    free(j->heat);
    free(j->decoded);
    free(j);
}

/// The cache that a peer opened, or NULL.
static struct jit *cache_of_peers(const struct cpu *c)
{
    for (u32 k = 0; k < c->peer_count; k++)
        if (c->peers[k] != c && c->peers[k]->engine)
            return jit_of(c->peers[k]);
    return NULL;
}

bool jit_open(struct cpu *c, const struct jit_config *cfg, struct err *e)
{
    struct jit *j = cache_of_peers(c);
    struct jit_guard *guards = cfg->smp ? os_ram_alloc(GUARDS_MAX * sizeof *guards) : NULL;
    if (cfg->smp && !guards)
        return err_set(e, ERR_USAGE, "CPU %u: the host has no memory", c->index);
    if (j == NULL && (j = jit_new(c->mem, cfg, e)) == NULL) {
        os_ram_free(guards, GUARDS_MAX * sizeof *guards);
        return false;
    }
    struct jit_cpu *v = xcalloc(1, sizeof *v), **last = &j->cpus;
    v->j = j;
    v->c = c;
    v->guards = guards;
    v->decoded = xcalloc(DECODED, sizeof *v->decoded);
    v->jc = xcalloc((size_t)JC_SIZE * JC_TABLES, sizeof *v->jc);
    purge_jump_cache(v);
    while (*last)
        last = &(*last)->next;
    *last = v;
    c->engine = v;
    return true;
}

void jit_close(struct cpu *c)
{
    struct jit_cpu *v = jit_cpu_of(c), **p = &v->j->cpus;
    while (*p != v)
        p = &(*p)->next;
    *p = v->next;
    if (v->j->cpus == NULL)
        jit_free(v->j);
    os_ram_free(v->guards, GUARDS_MAX * sizeof *v->guards);
    free(v->decoded);
    free(v->jc);
    free(v);
    c->engine = NULL;
}

void jit_flush(struct jit *j)
{
    for (unsigned k = 0; k < j->seg_count; k++) {
        for (struct jit_block *b = j->seg[k].blocks, *next; b; b = next) {
            next = b->all_next;
            free_block(j, b);
        }
        j->seg[k].blocks = NULL;
    }
    memset(j->hash, 0, BLOCK_HASH * sizeof *j->hash);
    memset(j->page_hash, 0, PAGE_HASH * sizeof *j->page_hash);
    for (struct jit_cpu *v = j->cpus; v; v = v->next)
        purge_jump_cache(v);
    fill_segment(j, 0);
    j->st_flushes++;
    j->removals++;
}

u32 jit_link_number(struct jit *j)
{
    if (j->link_free_count)
        return j->link_free[--j->link_free_count];
    if (j->link_count == j->link_cap) {
        j->link_cap = j->link_cap ? 2 * j->link_cap : 1024;
        j->link_of = xrealloc(j->link_of, j->link_cap * sizeof *j->link_of);
        j->link_free = xrealloc(j->link_free, j->link_cap * sizeof *j->link_free);
    }
    return j->link_count++;
}

struct jit_link *jit_link_at(struct jit *j, u32 number)
{
    mem_code_lock(j->mem); // the table may move
    struct jit_link *l = j->link_of[number];
    mem_code_unlock(j->mem);
    return l;
}

struct jit_block *jit_find(struct jit *j, gpa_t pa, u32 mode)
{
    gpa_t page = pa & ~0xfffULL;
    unsigned off = pa & 0xfff;
    for (struct jit_block *b = __atomic_load_n(&j->hash[block_slot(pa, mode)], __ATOMIC_ACQUIRE); b;
         b = __atomic_load_n(&b->hash_next, __ATOMIC_RELAXED))
        if (b->page == page && b->off == off && b->mode == mode)
            return b;
    return NULL;
}

void jit_publish(struct jit *j, struct jit_block *b)
{
    struct jit_block **h = &j->hash[block_slot(b->page + b->off, b->mode)];
    b->hash_next = *h;
    jit_note_head(j, b->page + b->off);
    struct jit_block **p = &j->page_hash[page_slot(b->page)];
    b->page_next = *p;
    *p = b;
    b->all_next = j->seg[j->seg_now].blocks;
    j->seg[j->seg_now].blocks = b;
    for (unsigned k = 0; k < b->link_count; k++)
        j->link_of[b->links[k].number] = &b->links[k];
    __atomic_store_n(h, b, __ATOMIC_RELEASE); // others find it from here on
}

void jit_link_to(struct jit *j, struct jit_link *l, struct jit_block *to)
{
    if (l->to || to->is_dead || j->cfg.no_link)
        return;
    if (j->cfg.smp && l->is_cross) { // other CPUs' guards hold for this target only
        gpa_t target = to->page + to->off;
        if (l->number >= GUARDS_MAX || (l->target && l->target != target))
            return;
        l->target = target;
    }
    l->to = to;
    l->next_in = to->in;
    to->in = l;
    if (l->heat && !l->is_hot) {
        x_patch(l->heat_jump, to->entry);
        x_patch(l->site, l->heat);
    } else {
        x_patch(l->site, to->entry);
    }
    j->st_links++;
}

static void unlink_one(struct jit_link *l)
{
    l->to = NULL;
    if (l->guard)
        st64(l->guard, ~0ULL);
    x_patch(l->site, l->stub);
}

void jit_set_guard(struct cpu *c, struct jit_link *l, u64 page, u64 gen)
{
    struct jit_guard g = {page, gen};
    if (jit_cpu_of(c)->guards)
        jit_cpu_of(c)->guards[l->number] = g;
    else
        memcpy(l->guard, &g, sizeof g);
}

void jit_unlink(struct jit *j, struct jit_link *l)
{
    if (!l->to)
        return;
    struct jit_link **p = &l->to->in;
    while (*p && *p != l)
        p = &(*p)->next_in;
    if (*p)
        *p = l->next_in;
    unlink_one(l);
}

static void remove_from_hash(struct jit *j, struct jit_block *b)
{
    struct jit_block **h = &j->hash[block_slot(b->page + b->off, b->mode)];
    while (*h && *h != b)
        h = &(*h)->hash_next;
    if (*h) // who is at the block now goes on from it: it stays as it is until its segment is given up
        __atomic_store_n(h, b->hash_next, __ATOMIC_RELAXED);
}

/// Nothing finds or reaches the block any more, but for what runs in it.
static void detach(struct jit *j, struct jit_block *b)
{
    remove_from_hash(j, b);
    for (struct jit_link *l = b->in, *next; l; l = next) {
        next = l->next_in;
        unlink_one(l);
    }
    b->in = NULL;
    for (unsigned k = 0; k < b->link_count; k++)
        jit_unlink(j, &b->links[k]);
}

/// Of a block that other CPUs may be running: an instruction that does nothing makes place for the jump.
static void kill_entry(struct jit_block *b)
{
    u64 was = ld64(b->entry);
    u8 now[8];
    memcpy(now, &was, 8);
    struct xbuf at = {now, now + sizeof now};
    x_u8(&at, 0xe9);
    x_u32(&at, (u32)(b->dead_stub - (b->entry + 5)));
    __atomic_store_n((u64 *)(void *)b->entry, ld64(now), __ATOMIC_RELEASE);
}

/// The block must not be entered again: its entry becomes a jump to a fresh look-up.
static void kill_block(struct jit *j, struct jit_block *b)
{
    b->is_dead = true;
    detach(j, b);
    struct xbuf at = {b->entry, b->entry + 16};
    if (j->cfg.smp)
        kill_entry(b);
    else
        x_jmp(&at, b->dead_stub);
    if (b->loop_top && j->cfg.smp && !j->cfg.count) {
        for (struct jit_cpu *v = j->cpus; v; v = v->next) // the loop tests that at its top
            atomic_fetch_or(&v->c->attention, ATT_CODE);
    } else if (b->loop_top) {
        at.p = b->loop_top;
        x_jmp(&at, b->loop_dead_stub);
    }
    j->st_invalidated++;
}

/// Gives up the blocks of a segment. Predicted returns may lead there: the caller drops them.
static void evict(struct jit *j, struct jit_segment *s)
{
    const u8 *from = jit_rx(j, s->hot), *end = from + j->seg_size;
    for (struct jit_block *b = s->blocks, *next; b; b = next) {
        next = b->all_next;
        if (!b->is_dead) {
            struct jit_block **p = &j->page_hash[page_slot(b->page)];
            while (*p && *p != b)
                p = &(*p)->page_next;
            if (*p)
                *p = b->page_next;
            detach(j, b);
        }
        free_block(j, b);
    }
    s->blocks = NULL;
    for (struct jit_cpu *v = j->cpus; v; v = v->next)
        for (unsigned k = 0; k < JC_SIZE * JC_TABLES; k++)
            if (v->jc[k].host >= from && v->jc[k].host < end)
                v->jc[k].va = ~0ULL;
    j->st_evictions++;
    j->removals++;
}

static bool is_full(const struct jit *j)
{
    enum { BLOCK_ROOM = 64 << 10 };
    return j->b.end - j->b.p < BLOCK_ROOM || j->cold.end - j->cold.p < BLOCK_ROOM;
}

/// A knob wants something given up after every so many translations: once each time.
static bool is_turn(const struct jit *j, unsigned every)
{
    return every && (j->st_blocks + 1) % every == 0 && j->roomy_at != j->st_blocks;
}

bool jit_wants_room(const struct jit *j)
{
    return is_full(j) || is_turn(j, j->cfg.flush_every) || is_turn(j, j->cfg.evict_every);
}

void jit_make_room(struct jit *j, struct cpu *c)
{
    u64 n = j->st_blocks + 1, before = j->removals;
    bool evicts = is_turn(j, j->cfg.evict_every), flushes = is_turn(j, j->cfg.flush_every);
    j->roomy_at = j->st_blocks;
    if (flushes) {
        jit_flush(j);
    } else if (is_full(j) || evicts) {
        unsigned k = (j->seg_now + 1) % j->seg_count;
        if (j->cfg.evict_every)
            k = (unsigned)(n * 0x9e3779b97f4a7c15ULL >> 40) % j->seg_count;
        // what was written is read through the other mapping from now on, and counts once
        os_code_trim(&j->code, j->seg[0].hot, j->seg_count * j->seg_size);
        os_code_trim(&j->code, j->seg[0].cold, j->seg_count * j->seg_size);
        if (j->seg[k].blocks)
            evict(j, &j->seg[k]);
        fill_segment(j, k);
    }
    if (before != j->removals)
        c->jit[JW_RESET] = 1;
}

static u64 *site_slot(const struct jit *j, gpa_t pa)
{
    unsigned k = (unsigned)((pa >> 2) * 0x9e3779b97f4a7c15ULL >> 40) & (HOT_SITES - 1);
    while (j->hot_sites[k] && j->hot_sites[k] != pa + 1)
        k = (k + 1) & (HOT_SITES - 1);
    return &j->hot_sites[k];
}
bool jit_site_is_hot(const struct jit *j, gpa_t pa) { return *site_slot(j, pa) != 0; }
void jit_site_set_hot(struct jit *j, gpa_t pa)
{
    if (j->hot_count > HOT_SITES * 3 / 4) { // start learning again
        memset(j->hot_sites, 0, HOT_SITES * sizeof *j->hot_sites);
        j->hot_count = 0;
    }
    u64 *s = site_slot(j, pa);
    j->hot_count += *s == 0;
    *s = pa + 1;
}

void jit_invalidate(struct jit *j, gpa_t pa, u64 len)
{
    for (gpa_t page = pa & ~0xfffULL; page < pa + len; page += GUEST_PAGE) {
        u64 from = pa > page ? pa - page : 0, to = pa + len < page + GUEST_PAGE ? pa + len - page : GUEST_PAGE;
        u64 lines = ~0ULL << (from / 64) & ~0ULL >> (63 - (to - 1) / 64);
        struct jit_block **p = &j->page_hash[page_slot(page)];
        while (*p) {
            struct jit_block *b = *p;
            if (b->page == page && (b->lines & lines)) {
                *p = b->page_next;
                kill_block(j, b);
            } else {
                p = &b->page_next;
            }
        }
    }
}

/// A value that is different for every (context, generation of its execution entries).
static u64 context_id(const struct cpu *c)
{
    _Static_assert(CTX_COUNT <= 16, "contexts have numbers of four bits");
    return (c->ctx->code_gen + 1) * 16 + c->ctx->number;
}

void jit_sync(struct cpu *c)
{
    struct jit_cpu *v = jit_cpu_of(c);
    if (LIKELY(v->synced_ctx == c->ctx && v->synced_gen == c->ctx->code_gen && v->synced_mode == c->mode))
        return;
    v->synced_ctx = c->ctx;
    v->synced_gen = c->ctx->code_gen;
    v->synced_mode = c->mode;
    u64 gen = context_id(c);
    u8 *guess = &v->jc_guess[(gen * 5 ^ c->mode) % ARRAY_LEN(v->jc_guess)];
    unsigned oldest = *guess;
    if (LIKELY(v->jc_key[oldest].gen == gen && v->jc_key[oldest].mode == c->mode))
        goto found;
    for (unsigned k = 0; k < JC_TABLES; k++) {
        if (v->jc_key[k].gen == gen && v->jc_key[k].mode == c->mode) {
            oldest = k;
            goto found;
        }
        if (v->jc_key[k].used < v->jc_key[oldest].used)
            oldest = k;
    }
    v->st_contexts++;
    memset(&v->jc[(size_t)oldest * JC_SIZE], 0xff, JC_SIZE * sizeof *v->jc);
    v->jc_key[oldest].gen = gen;
    v->jc_key[oldest].mode = c->mode;
found:
    *guess = (u8)oldest;
    v->jc_key[oldest].used = ++v->jc_clock;
    c->jit[JW_HEAT] = (u64)(uintptr_t)v->j->heat;
    c->jit[JW_PATIENCE] = (u64)(uintptr_t)v->j->patience;
    c->jit[JW_GUARDS] = (u64)(uintptr_t)v->guards;
    c->jit[JW_GEN] = gen;
    c->jit[JW_JC] = (u64)(uintptr_t)&v->jc[(size_t)oldest * JC_SIZE];
}
