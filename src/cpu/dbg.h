/// Break- and watchpoints of an external debugger (gdb stub, monitor). Unlike the guest's own debug
/// registers they are invisible to the guest and end run() with EXIT_DEBUG. The set changes only
/// while no vCPU runs.
#ifndef BRUIN_DBG_H
#define BRUIN_DBG_H

#include "cpu/cpu.h"

enum { DBG_BREAKS_MAX = 128, DBG_WATCHES_MAX = 32, DBG_WATCH_LEN_MAX = 4096 };

/// Whose a point is: gdb takes its own with it when it goes.
enum dbg_owner { DBG_MONITOR, DBG_GDB };

struct dbg_break {
    u64 addr; ///< multiple of 4
    bool physical;
    enum dbg_owner owner;
    u32 id;
    u64 hits;
};
struct dbg_watch {
    u64 addr;
    u64 len;
    bool read, write, physical;
    enum dbg_owner owner;
    u32 id;
    u64 hits;
};
/// Shared by the vCPUs of a machine.
struct dbg {
    struct mem *mem;
    struct dbg_break brk[DBG_BREAKS_MAX];
    struct dbg_watch watch[DBG_WATCHES_MAX];
    unsigned brk_count, watch_count;
    u32 next_id;
};

struct dbg *dbg_new(struct mem *m);
void dbg_free(struct dbg *d);
static inline bool dbg_has_points(const struct dbg *d) { return d && (d->brk_count || d->watch_count); }
/// Gives c the set; NULL takes it away.
void dbg_attach(struct cpu *c, struct dbg *d);
/// ret  id of the new point, 0 when the table is full or addr is not a multiple of 4
u32 dbg_add_break(struct dbg *d, u64 addr, bool physical, enum dbg_owner owner);
/// w: addr, len 1..DBG_WATCH_LEN_MAX, read, write, physical, owner. The vCPUs must be attached again (dbg_attach) for
/// it to take effect. Accesses of devices are not seen.
u32 dbg_add_watch(struct dbg *d, const struct dbg_watch *w);
bool dbg_delete(struct dbg *d, u64 id);
/// NULL when it was deleted.
const struct dbg_watch *dbg_find_watch(const struct dbg *d, u32 id);
const struct dbg_break *dbg_find_break(const struct dbg *d, u32 id);
/// Lets c leave the breakpoint it is stopped at.
void dbg_resume(struct cpu *c);

/// True when a breakpoint lies at c's PC; it counts as hit then.
bool dbg_meets_break(struct cpu *c);

/// Decodes for an engine: as insn_decode, but a word under a breakpoint gets a body that stops.
struct insn;
void dbg_decode(const struct cpu *c, gpa_t pa, u32 word, struct insn *out);
/// For mmu.c: notes a data access while watchpoints exist. gdb is told before the access, as it expects of this
/// architecture, the monitor after the instruction. ret  true when the instruction must not be executed now
bool dbg_access(struct cpu *c, gva_t va, gpa_t pa, unsigned size, bool write);
/// The watched bytes of a hit as they are now. ret  false when they cannot be read
bool dbg_watched_now(struct cpu *c, const struct dbg_hit *h, u8 now[DBG_SHOWN_MAX]);

#endif
