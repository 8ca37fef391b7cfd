/// The guest-physical map: RAM, ROM and MMIO regions, bounded copies, and the record of which
/// RAM holds translated or decoded code. The map changes only while no vCPU runs, so look-ups
/// take no lock.
#ifndef BRUIN_MEM_H
#define BRUIN_MEM_H

#include "base/base.h"
#include "os/os.h"

enum { MEM_REGIONS_MAX = 96, MEM_WATCH_MAX = 160, GUEST_PAGE_SHIFT = 12, GUEST_PAGE = 4096 };

/// MMIO callbacks. off is relative to the region; size is 1, 2, 4 or 8 bytes and always within
/// [min_size, max_size]: the bus splits wider accesses (little-endian) and widens narrower reads;
/// a narrow write to a wide register reaches write with its true offset and size when
/// min_size allows, else it is refused.
/// ret  false when the device does not accept the access: the guest sees an external abort.
struct mmio_ops {
    bool (*read)(void *dev, u64 off, unsigned size, u64 *val);
    bool (*write)(void *dev, u64 off, unsigned size, u64 val);
    u8 min_size, max_size;
};

enum mem_kind { MEM_RAM, MEM_ROM, MEM_MMIO };

/// What the explainer wants to know of a page of RAM.
enum mem_suspicion {
    MEM_SUSPECT_RUN = 1,  ///< cpu_hooks.stale_code before its code runs, cpu_hooks.cache_line
    MEM_SUSPECT_OPEN = 2, ///< cpu_hooks.code_open before soft TLBs hold it for writing
};

struct mem_region {
    gpa_t base;
    u64 size;
    enum mem_kind kind;
    const char *name;
    u8 *host;                   ///< RAM and ROM: host address of base
    const struct mmio_ops *ops; ///< MMIO
    void *dev;
    bool is_command; ///< ROM with ops (flash): reads go to the device, not to host
    u64 *code_lines; ///< RAM: per 4 KiB page, one bit for each 64-byte line that holds known code
    u64 *stale_lines; ///< RAM: lines that held code when they were written, until IC IVAU
    u8 *code_suspect; ///< RAM: per page, enum mem_suspicion
    u8 *watched;      ///< RAM: per page, 1 when loads must be seen (mem_watch_loads); NULL: none ever
    u8 *tlb_writable; ///< RAM: per page, 1 when a soft TLB may hold it for writing
    u8 *slow_stores;  ///< RAM: per page, stores to recently changed code (mmu.c)
    u64 hits;        ///< MMIO accesses served
};

/// Told when guest RAM that holds known code is written, by a CPU or by a device.
struct mem_code_watch {
    void (*written)(void *ctx, gpa_t gpa, u64 len);
    void *ctx;
};

/// Writes to known code by threads that run no vCPU, for a vCPU to tell the watchers of: an engine that runs on
/// one thread may be in that code.
enum { MEM_LATE_MAX = 32 };
struct mem_late {
    /// ret  the calling thread must not touch what engines keep. NULL: any thread may
    bool (*is_foreign)(void *ctx);
    /// Something waits: a vCPU is to call mem_serve_late before it goes on for long.
    void (*kick)(void *ctx);
    void *ctx;
    struct os_mutex lock;
    struct { gpa_t gpa; u64 len; } w[MEM_LATE_MAX];
    _Atomic u32 count; ///< changed under lock; above MEM_LATE_MAX: there were more
};

struct mem {
    struct mem_region region[MEM_REGIONS_MAX]; ///< sorted by base, no overlap
    unsigned region_count;
    struct mem_region *ram0; ///< the largest RAM region: the fast path of every look-up
    struct mem_region *last_mmio;
    struct mem_code_watch watch[MEM_WATCH_MAX];
    unsigned watch_count;
    /// Several CPUs, perhaps on threads: code_lock guards the record of code and what its watchers keep. It is
    /// taken last: who holds it waits for nobody.
    bool smp;
    struct os_mutex code_lock;
    struct mem_late late;
    /// Serialises device callbacks; NULL functions when the machine has a single thread.
    void (*lock)(void *ctx);
    void (*unlock)(void *ctx);
    void *lock_ctx;
    u64 unhandled_reads, unhandled_writes;
    u64 watched_pages; ///< pages that mem_watch_loads watches
    /// A region began or ceased to be read by the device: vCPUs must forget what they translated.
    void (*map_changed)(void *ctx);
    void *map_ctx;
};

struct mem *mem_new(void);
void mem_free(struct mem *m);

/// Adds zeroed RAM (or ROM, which guests cannot write). base and size are multiples of 4 KiB.
/// ret  false with a message naming both regions on overlap or when the host refuses the memory.
MUST_USE bool mem_add_ram(struct mem *m, gpa_t base, u64 size, const char *name, struct err *e);
MUST_USE bool mem_add_rom(struct mem *m, gpa_t base, u64 size, const char *name, struct err *e);
MUST_USE bool mem_add_mmio(struct mem *m, gpa_t base, u64 size, const char *name,
                           const struct mmio_ops *ops, void *dev, struct err *e);

/// Adds flash: memory that guests read, execute and do not write; writes are commands to dev, and
/// while mem_flash_mode says so, so are reads.
MUST_USE bool mem_add_flash(struct mem *m, gpa_t base, u64 size, const char *name,
                            const struct mmio_ops *ops, void *dev, struct err *e);
void mem_flash_mode(struct mem *m, const void *dev, bool is_command);

struct mem_region *mem_find_other(const struct mem *m, gpa_t gpa);
/// The region that contains gpa, or NULL.
static inline struct mem_region *mem_find(const struct mem *m, gpa_t gpa)
{
    struct mem_region *r = m->ram0;
    return LIKELY(r && gpa - r->base < r->size) ? r : mem_find_other(m, gpa);
}

/// Host address of [gpa, gpa+len) when that range lies in one RAM or ROM region, else NULL.
/// Writes through it bypass code tracking: call mem_written after.
void *mem_host(const struct mem *m, gpa_t gpa, u64 len);

/// Copies out of / into RAM or ROM of one or several adjacent regions.
/// ret  false, with nothing copied, if any byte of the range is not RAM or ROM (write: not RAM).
MUST_USE bool mem_read(const struct mem *m, gpa_t gpa, void *dst, u64 len);
MUST_USE bool mem_write(struct mem *m, gpa_t gpa, const void *src, u64 len);
/// As mem_write, but ROM may be written too: for loaders, not for guests.
MUST_USE bool mem_load(struct mem *m, gpa_t gpa, const void *src, u64 len);

/// One MMIO access of 1, 2, 4 or 8 bytes, taking the machine lock around the device.
/// ret  false when nothing answers there or the device refuses: external abort.
bool mem_io_read(struct mem *m, gpa_t gpa, unsigned size, u64 *val);
bool mem_io_write(struct mem *m, gpa_t gpa, unsigned size, u64 val);

/// What mem.smp demands around code_lock; nothing for one CPU.
static inline void mem_code_lock(struct mem *m)
{
    if (m->smp)
        os_mutex_lock(&m->code_lock);
}
static inline void mem_code_unlock(struct mem *m)
{
    if (m->smp)
        os_mutex_unlock(&m->code_lock);
}
/// Marks the 64-byte lines of [gpa, gpa+len) as holding decoded code.
void mem_mark_code(struct mem *m, gpa_t gpa, u64 len);
/// Clears the marks of a whole page.
void mem_clear_code(struct mem *m, gpa_t page);
/// True when any line of the page that holds gpa is marked.
bool mem_page_has_code(const struct mem *m, gpa_t gpa);
/// True when the line of gpa is marked.
bool mem_line_is_code(const struct mem *m, gpa_t gpa);
/// True when soft TLBs may hold its page for writing.
bool mem_tlb_writable(const struct mem *m, gpa_t gpa);
/// To be called after guest RAM was changed other than by mem_write; tells the watchers when a
/// marked line was hit, or lets a vCPU tell them (mem.late). With mem.smp it takes code_lock then.
void mem_written(struct mem *m, gpa_t gpa, u64 len);
/// Tells the watchers of what waits in mem.late. The thread of a vCPU, outside of code it knows.
void mem_serve_late(struct mem *m);
void mem_watch_code(struct mem *m, void (*written)(void *, gpa_t, u64), void *ctx);
void mem_unwatch_code(struct mem *m, void *ctx);
/// Makes every engine forget all code it knows: the debugger changed its breakpoints.
void mem_code_changed(struct mem *m);

/// Forgets staleness of [gpa, gpa+len): the guest did IC IVAU; len ~0 = everything (IC IALLU).
void mem_clear_stale(struct mem *m, gpa_t gpa, u64 len);
/// Says what is to be told of the page that holds gpa: enum mem_suspicion, or 0.
void mem_suspect_code(struct mem *m, gpa_t gpa, u8 suspicion);
static inline bool mem_is_suspect(const struct mem *m, gpa_t gpa, enum mem_suspicion what)
{
    const struct mem_region *r = mem_find(m, gpa);
    return r && r->code_suspect && r->code_suspect[(gpa - r->base) / GUEST_PAGE] & what;
}
/// Loads from the pages of [gpa, gpa+len) are told to cpu_hooks.watched_load, until told otherwise: soft
/// TLBs must not hold them (the caller flushes).
void mem_watch_loads(struct mem *m, gpa_t gpa, u64 len, bool on);
bool mem_is_watched(const struct mem *m, gpa_t gpa);
/// True when the line of gpa was written since it last held code, without IC IVAU, or when its page
/// is suspect.
static inline bool mem_is_stale(const struct mem *m, gpa_t gpa)
{
    const struct mem_region *r = mem_find(m, gpa);
    if (r == NULL || r->stale_lines == NULL)
        return false;
    u64 off = gpa - r->base;
    return __atomic_load_n(&r->stale_lines[off / GUEST_PAGE], __ATOMIC_RELAXED) >> off / 64 % 64 & 1 ||
           r->code_suspect[off / GUEST_PAGE] & MEM_SUSPECT_RUN;
}

#endif
