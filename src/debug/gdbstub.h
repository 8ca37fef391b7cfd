/// GDB Remote Serial Protocol server for a machine. Source: GDB manual, "GDB Remote Serial
/// Protocol".
#ifndef BRUIN_GDBSTUB_H
#define BRUIN_GDBSTUB_H

#include "debug/monitor.h"

struct gdbstub;
/// Listens on 127.0.0.1:port (0: the system chooses) or, when path is given, on a UNIX socket.
/// ret  NULL with a message
struct gdbstub *gdbstub_new(struct debugger *d, unsigned port, const char *path, struct err *e);
void gdbstub_free(struct gdbstub *g);
unsigned gdbstub_port(const struct gdbstub *g);
int gdbstub_listener(const struct gdbstub *g);

enum gdb_result {
    GDB_DETACHED, ///< let the machine run on without a debugger
    GDB_KILLED,   ///< end the machine
    GDB_ENDED,    ///< the machine ended by itself: x says how
};

/// What somebody else, a monitor on a socket, wants of the machine that gdb has.
enum gdbstub_wish {
    GDBSTUB_GO_ON,
    GDBSTUB_END,
    GDBSTUB_RESET,
    GDBSTUB_NOT_MINE, ///< it was not stopped for a monitor
};
/// Who the machine belongs to. Every function may be NULL.
struct gdbstub_host {
    /// x: the machine was stopped for a moment; NULL: it stands still for gdb. Does what was asked.
    enum gdbstub_wish (*serve)(void *ctx, const struct machine_exit *x);
    /// Boots again. ret  false when that cannot be
    bool (*reset)(void *ctx);
    /// The machine has ended: adds what there is to say to words. ret  its exit code; x may be changed
    int (*verdict)(void *ctx, struct machine_exit *x, struct text *words);
    bool may_reboot; ///< a guest's reset boots again
    void *ctx;
};
void gdbstub_set_host(struct gdbstub *g, const struct gdbstub_host *host);
/// Exit code of a machine that ended by itself (GDB_ENDED).
int gdbstub_status(const struct gdbstub *g);
/// Waits for a debugger, then serves it until one of the above. The machine runs inside.
enum gdb_result gdbstub_serve(struct gdbstub *g, struct machine_exit *x);

/* gdb_target.c */

enum { GDB_CORE_REGS = 34, GDB_REG_V0 = 34, GDB_REG_FPSR = 66, GDB_REG_FPCR = 67, GDB_REG_SYS = 68 };
/// Target description (XML) with core, FPU and system registers.
void gdb_target_xml(struct text *out);
/// Memory map (XML).
void gdb_memory_map(const struct mem *m, struct text *out);
/// Register n in gdb's numbering: little-endian bytes. ret  its size, 0 when there is none
unsigned gdb_reg_get(struct cpu *c, unsigned n, u8 buf[16]);
bool gdb_reg_set(struct cpu *c, unsigned n, const u8 *buf, unsigned size);

#endif
