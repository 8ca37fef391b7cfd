/// The guest-physical map.
#include "mem/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

struct mem *mem_new(void)
{
    struct mem *m = xcalloc(1, sizeof *m);
    os_mutex_init(&m->code_lock);
    os_mutex_init(&m->late.lock);
    return m;
}

void mem_free(struct mem *m)
{
    if (m == NULL)
        return;
    for (unsigned k = 0; k < m->region_count; k++) {
        struct mem_region *r = &m->region[k];
        if (r->host)
            os_ram_free(r->host, r->size);
        free(r->code_lines);
        free(r->stale_lines);
        free(r->tlb_writable);
        free(r->watched);
        free(r->code_suspect);
        free(r->slow_stores);
    }
    os_mutex_destroy(&m->code_lock);
    os_mutex_destroy(&m->late.lock);
    free(m);
}

/// Inserts a region in address order. Pointers into region[] move: only before vCPUs run.
static struct mem_region *insert(struct mem *m, const struct mem_region *r, struct err *e)
{
    unsigned at = 0;
    if (r->size == 0 || !range_ok(r->base, r->size, ~0ULL)) {
        err_set(e, ERR_USAGE, "memory region %s: 0x%llx bytes at 0x%llx do not fit the address space",
                r->name, (unsigned long long)r->size, (unsigned long long)r->base);
        return NULL;
    }
    if (m->region_count == MEM_REGIONS_MAX) {
        err_set(e, ERR_USAGE, "memory region %s: the map is full (%d regions)", r->name, MEM_REGIONS_MAX);
        return NULL;
    }
    for (unsigned k = 0; k < m->region_count; k++) {
        const struct mem_region *o = &m->region[k];
        if (range_overlap(r->base, r->size, o->base, o->size)) {
            err_set(e, ERR_USAGE, "memory region %s [0x%llx, 0x%llx) overlaps %s [0x%llx, 0x%llx)", r->name,
                    (unsigned long long)r->base, (unsigned long long)(r->base + r->size), o->name,
                    (unsigned long long)o->base, (unsigned long long)(o->base + o->size));
            return NULL;
        }
        if (o->base < r->base)
            at = k + 1;
    }
    memmove(&m->region[at + 1], &m->region[at], (m->region_count - at) * sizeof m->region[0]);
    m->region[at] = *r;
    m->region_count++;
    m->ram0 = NULL;
    m->last_mmio = NULL;
    for (unsigned k = 0; k < m->region_count; k++)
        if (m->region[k].kind == MEM_RAM && (m->ram0 == NULL || m->region[k].size > m->ram0->size))
            m->ram0 = &m->region[k];
    return &m->region[at];
}

static bool add_backed(struct mem *m, gpa_t base, u64 size, enum mem_kind kind, const char *name, struct err *e)
{
    struct mem_region r = {.base = base, .size = size, .kind = kind, .name = name};
    if ((base | size) & (GUEST_PAGE - 1))
        return err_set(e, ERR_USAGE, "memory region %s: base 0x%llx and size 0x%llx must be multiples of 4 KiB",
                       name, (unsigned long long)base, (unsigned long long)size);
    r.host = os_ram_alloc(size);
    if (r.host == NULL)
        return err_set(e, ERR_USAGE, "memory region %s: the host does not give %llu MiB", name,
                       (unsigned long long)(size / MIB));
    r.code_lines = xcalloc(size / GUEST_PAGE, sizeof(u64));
    r.stale_lines = xcalloc(size / GUEST_PAGE, sizeof(u64));
    r.tlb_writable = xcalloc(size / GUEST_PAGE, 1);
    r.code_suspect = xcalloc(size / GUEST_PAGE, 1);
    r.slow_stores = xcalloc(size / GUEST_PAGE, 1);
    if (insert(m, &r, e))
        return true;
    os_ram_free(r.host, size);
    free(r.code_lines);
    free(r.stale_lines);
    free(r.tlb_writable);
    free(r.code_suspect);
    free(r.slow_stores);
    return false;
}
bool mem_add_ram(struct mem *m, gpa_t base, u64 size, const char *name, struct err *e)
{
    return add_backed(m, base, size, MEM_RAM, name, e);
}
bool mem_add_rom(struct mem *m, gpa_t base, u64 size, const char *name, struct err *e)
{
    return add_backed(m, base, size, MEM_ROM, name, e);
}
bool mem_add_mmio(struct mem *m, gpa_t base, u64 size, const char *name, const struct mmio_ops *ops,
                  void *dev, struct err *e)
{
    struct mem_region r = {.base = base, .size = size, .kind = MEM_MMIO, .name = name, .ops = ops, .dev = dev};
    return insert(m, &r, e) != NULL;
}

bool mem_add_flash(struct mem *m, gpa_t base, u64 size, const char *name, const struct mmio_ops *ops,
                   void *dev, struct err *e)
{
    if (!mem_add_rom(m, base, size, name, e))
        return false;
    struct mem_region *r = mem_find(m, base);
    r->ops = ops;
    r->dev = dev;
    return true;
}

void mem_flash_mode(struct mem *m, const void *dev, bool is_command)
{
    for (unsigned k = 0; k < m->region_count; k++) {
        struct mem_region *r = &m->region[k];
        if (r->kind != MEM_ROM || r->dev != dev || r->is_command == is_command)
            continue;
        r->is_command = is_command;
        if (m->map_changed)
            m->map_changed(m->map_ctx);
    }
}

struct mem_region *mem_find_other(const struct mem *m, gpa_t gpa)
{
    unsigned lo = 0, hi = m->region_count;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        const struct mem_region *r = &m->region[mid];
        if (gpa < r->base)
            hi = mid;
        else if (gpa - r->base < r->size)
            return (struct mem_region *)r;
        else
            lo = mid + 1;
    }
    return NULL;
}

void *mem_host(const struct mem *m, gpa_t gpa, u64 len)
{
    struct mem_region *r = mem_find(m, gpa);
    if (r == NULL || r->host == NULL || r->is_command || !range_ok(gpa - r->base, len, r->size))
        return NULL;
    return r->host + (gpa - r->base);
}

/// Applies fn to each piece of the range; only after every piece was seen to be backed.
static bool for_range(const struct mem *m, gpa_t gpa, u64 len, bool rom_ok, u8 *buf, bool to_guest)
{
    for (int pass = 0; pass < 2; pass++) {
        u64 done = 0;
        while (done < len) {
            struct mem_region *r = mem_find(m, gpa + done);
            if (r == NULL || r->host == NULL || (to_guest && r->kind == MEM_ROM && !rom_ok))
                return false;
            u64 off = gpa + done - r->base, n = r->size - off;
            if (n > len - done)
                n = len - done;
            if (pass == 1 && to_guest)
                memcpy(r->host + off, buf + done, n);
            else if (pass == 1)
                memcpy(buf + done, r->host + off, n);
            done += n;
        }
    }
    return true;
}
bool mem_read(const struct mem *m, gpa_t gpa, void *dst, u64 len)
{
    return for_range(m, gpa, len, true, dst, false);
}
bool mem_write(struct mem *m, gpa_t gpa, const void *src, u64 len)
{
    if (!for_range(m, gpa, len, false, (u8 *)src, true))
        return false;
    mem_written(m, gpa, len);
    return true;
}
bool mem_load(struct mem *m, gpa_t gpa, const void *src, u64 len)
{
    if (!for_range(m, gpa, len, true, (u8 *)src, true))
        return false;
    mem_written(m, gpa, len);
    return true;
}

static struct mem_region *find_mmio(struct mem *m, gpa_t gpa, unsigned size)
{
    struct mem_region *r = m->last_mmio;
    if (r == NULL || gpa - r->base >= r->size) {
        r = mem_find(m, gpa);
        if (r == NULL || r->ops == NULL)
            return NULL;
        m->last_mmio = r;
    }
    return range_ok(gpa - r->base, size, r->size) ? r : NULL;
}

/// One access, split when wider than the device takes, widened when a read is narrower.
static bool device_read(struct mem_region *r, u64 off, unsigned size, u64 *val)
{
    const struct mmio_ops *o = r->ops;
    if (o->read == NULL)
        return false;
    if (size < o->min_size) {
        u64 wide, base = off & ~(u64)(o->min_size - 1);
        if (off + size > base + o->min_size || !o->read(r->dev, base, o->min_size, &wide))
            return false;
        *val = bits(wide >> (8 * (off - base)), 8 * size - 1, 0);
        return true;
    }
    u64 out = 0;
    unsigned step = size < o->max_size ? size : o->max_size;
    for (unsigned k = 0; k < size; k += step) {
        u64 part = 0;
        if (!o->read(r->dev, off + k, step, &part))
            return false;
        out |= bits(part, 8 * step - 1, 0) << (8 * k);
    }
    *val = out;
    return true;
}
static bool device_write(struct mem_region *r, u64 off, unsigned size, u64 val)
{
    const struct mmio_ops *o = r->ops;
    if (o->write == NULL || size < o->min_size)
        return false;
    unsigned step = size < o->max_size ? size : o->max_size;
    for (unsigned k = 0; k < size; k += step)
        if (!o->write(r->dev, off + k, step, bits(val >> (8 * k), 8 * step - 1, 0)))
            return false;
    return true;
}

bool mem_io_read(struct mem *m, gpa_t gpa, unsigned size, u64 *val)
{
    bool ok = false;
    if (m->lock)
        m->lock(m->lock_ctx);
    struct mem_region *r = find_mmio(m, gpa, size);
    if (r) {
        r->hits++;
        ok = device_read(r, gpa - r->base, size, val);
    }
    m->unhandled_reads += !ok;
    if (m->unlock)
        m->unlock(m->lock_ctx);
    return ok;
}
bool mem_io_write(struct mem *m, gpa_t gpa, unsigned size, u64 val)
{
    bool ok = false;
    if (m->lock)
        m->lock(m->lock_ctx);
    struct mem_region *r = find_mmio(m, gpa, size);
    if (r) {
        r->hits++;
        ok = device_write(r, gpa - r->base, size, val);
    }
    m->unhandled_writes += !ok;
    if (m->unlock)
        m->unlock(m->lock_ctx);
    return ok;
}

/// Bits of the 64-byte lines of one page that [off, off+len) touches; off < 4096.
static u64 line_mask(u64 off, u64 len)
{
    u64 first = off / 64, last = (off + len - 1) / 64;
    if (last > 63)
        last = 63;
    return (~0ULL >> (63 - (last - first))) << first;
}
enum line_op { LINE_MARK, LINE_WRITE, LINE_TEST, LINE_CLEAN };
/// Applies op page by page. ret  whether LINE_WRITE or LINE_TEST met a marked line.
static bool for_lines(struct mem *m, gpa_t gpa, u64 len, enum line_op op)
{
    struct mem_region *r = mem_find(m, gpa);
    bool hit = false;
    if (r == NULL || r->code_lines == NULL || len == 0)
        return false;
    if (len > r->size - (gpa - r->base))
        len = r->size - (gpa - r->base);
    for (u64 off = gpa - r->base, end = off + len; off < end;) {
        u64 page = off / GUEST_PAGE, in = off % GUEST_PAGE;
        u64 n = GUEST_PAGE - in < end - off ? GUEST_PAGE - in : end - off;
        u64 *code = &r->code_lines[page], *stale = &r->stale_lines[page];
        if (op == LINE_MARK) {
            if (LIKELY(!m->smp))
                __atomic_store_n(code, *code | line_mask(in, n), __ATOMIC_RELAXED);
            else /* pairs with the fence in mem_written, and with tlb_writable in tlb_enter_write */
                __atomic_or_fetch(code, line_mask(in, n), __ATOMIC_SEQ_CST);
        } else if (op == LINE_CLEAN) {
            __atomic_and_fetch(stale, ~line_mask(in, n), __ATOMIC_RELAXED);
        } else if (op == LINE_TEST) {
            hit |= (__atomic_load_n(code, __ATOMIC_RELAXED) & line_mask(in, n)) != 0;
        } else if (__atomic_load_n(code, __ATOMIC_RELAXED)) {
            u64 lines = line_mask(in, n) & __atomic_load_n(code, __ATOMIC_RELAXED);
            __atomic_and_fetch(code, ~lines, __ATOMIC_RELAXED);
            __atomic_or_fetch(stale, lines, __ATOMIC_RELAXED);
            hit |= lines != 0;
        }
        off += n;
    }
    return hit;
}
void mem_mark_code(struct mem *m, gpa_t gpa, u64 len) { for_lines(m, gpa, len, LINE_MARK); }
void mem_clear_code(struct mem *m, gpa_t page)
{
    struct mem_region *r = mem_find(m, page);
    if (r && r->code_lines)
        r->code_lines[(page - r->base) / GUEST_PAGE] = 0;
}
bool mem_page_has_code(const struct mem *m, gpa_t gpa)
{
    const struct mem_region *r = mem_find(m, gpa);
    return r && r->code_lines &&
           __atomic_load_n(&r->code_lines[(gpa - r->base) / GUEST_PAGE], __ATOMIC_RELAXED) != 0;
}
bool mem_line_is_code(const struct mem *m, gpa_t gpa)
{
    const struct mem_region *r = mem_find(m, gpa);
    return r == NULL || r->code_lines == NULL ||
           __atomic_load_n(&r->code_lines[(gpa - r->base) / GUEST_PAGE], __ATOMIC_RELAXED) >>
                   (gpa - r->base) / 64 % 64 &
               1;
}
bool mem_tlb_writable(const struct mem *m, gpa_t gpa)
{
    const struct mem_region *r = mem_find(m, gpa);
    return r && r->tlb_writable &&
           __atomic_load_n(&r->tlb_writable[(gpa - r->base) / GUEST_PAGE], __ATOMIC_SEQ_CST);
}
/// By a device's thread: a vCPU that runs the code meanwhile does what silicon may do until IC IVAU.
static COLD void written_late(struct mem *m, gpa_t gpa, u64 len)
{
    struct mem_late *l = &m->late;
    if (!for_lines(m, gpa, len, LINE_TEST))
        return;
    os_mutex_lock(&l->lock);
    u32 n = atomic_load_explicit(&l->count, memory_order_relaxed);
    if (n < MEM_LATE_MAX) {
        l->w[n].gpa = gpa;
        l->w[n].len = len;
    }
    if (n <= MEM_LATE_MAX)
        atomic_store_explicit(&l->count, n + 1, memory_order_relaxed);
    os_mutex_unlock(&l->lock);
    l->kick(l->ctx);
}

static void write_lines(struct mem *m, gpa_t gpa, u64 len)
{
    mem_code_lock(m);
    if (for_lines(m, gpa, len, LINE_WRITE))
        for (unsigned k = 0; k < m->watch_count; k++)
            m->watch[k].written(m->watch[k].ctx, gpa, len);
    mem_code_unlock(m);
}

void mem_serve_late(struct mem *m)
{
    struct mem_late *l = &m->late, now;
    if (LIKELY(atomic_load_explicit(&l->count, memory_order_relaxed) == 0))
        return;
    os_mutex_lock(&l->lock);
    u32 n = atomic_load_explicit(&l->count, memory_order_relaxed);
    memcpy(now.w, l->w, sizeof now.w);
    atomic_store_explicit(&l->count, 0, memory_order_relaxed);
    os_mutex_unlock(&l->lock);
    for (u32 k = 0; k < n && n <= MEM_LATE_MAX; k++)
        write_lines(m, now.w[k].gpa, now.w[k].len);
    for (unsigned k = 0; k < m->region_count && n > MEM_LATE_MAX; k++)
        write_lines(m, m->region[k].base, m->region[k].size);
}

void mem_written(struct mem *m, gpa_t gpa, u64 len)
{
    if (m->late.is_foreign && m->late.is_foreign(m->late.ctx)) {
        written_late(m, gpa, len);
        return;
    }
    if (m->smp) {
        atomic_thread_fence(memory_order_seq_cst); /* the write, then the marks: a translator marks, then reads */
        if (!for_lines(m, gpa, len, LINE_TEST))
            return;
    }
    write_lines(m, gpa, len);
}
void mem_watch_code(struct mem *m, void (*written)(void *, gpa_t, u64), void *ctx)
{
    mem_code_lock(m);
    if (m->watch_count < ARRAY_LEN(m->watch))
        m->watch[m->watch_count++] = (struct mem_code_watch){written, ctx};
    mem_code_unlock(m);
}
void mem_code_changed(struct mem *m)
{
    for (unsigned k = 0; k < m->region_count; k++)
        for (unsigned w = 0; m->region[k].host && w < m->watch_count; w++)
            m->watch[w].written(m->watch[w].ctx, m->region[k].base, m->region[k].size);
}
void mem_unwatch_code(struct mem *m, void *ctx)
{
    for (unsigned k = 0; k < m->watch_count; k++)
        if (m->watch[k].ctx == ctx)
            m->watch[k--] = m->watch[--m->watch_count];
}
void mem_clear_stale(struct mem *m, gpa_t gpa, u64 len)
{
    if (len != ~0ULL) {
        for_lines(m, gpa, len, LINE_CLEAN);
        return;
    }
    for (unsigned k = 0; k < m->region_count; k++)
        if (m->region[k].stale_lines)
            memset(m->region[k].stale_lines, 0, m->region[k].size / GUEST_PAGE * sizeof(u64));
}
void mem_watch_loads(struct mem *m, gpa_t gpa, u64 len, bool on)
{
    for (gpa_t page = align_down(gpa, GUEST_PAGE); page < gpa + len; page += GUEST_PAGE) {
        struct mem_region *r = mem_find(m, page);
        if (r == NULL || r->kind != MEM_RAM)
            continue;
        if (r->watched == NULL)
            r->watched = xcalloc(r->size / GUEST_PAGE, 1);
        u8 *w = &r->watched[(page - r->base) / GUEST_PAGE];
        m->watched_pages += (u64)on - *w;
        *w = on;
    }
}
bool mem_is_watched(const struct mem *m, gpa_t gpa)
{
    const struct mem_region *r = mem_find(m, gpa);
    return r && r->watched && r->watched[(gpa - r->base) / GUEST_PAGE];
}
void mem_suspect_code(struct mem *m, gpa_t gpa, u8 suspicion)
{
    struct mem_region *r = mem_find(m, gpa);
    if (r && r->code_suspect)
        r->code_suspect[(gpa - r->base) / GUEST_PAGE] = suspicion;
}
