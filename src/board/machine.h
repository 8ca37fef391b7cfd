/// A machine: memory map, vCPUs, devices, interrupt controller, PSCI, and the loop that runs them.
/// Several may live in one process. Life: machine_new, load something into machine_mem,
/// machine_fdt, machine_set_entry, machine_run (again and again), machine_free.
#ifndef BRUIN_BOARD_H
#define BRUIN_BOARD_H

#include "accel/accel.h"
#include "base/base.h"
#include "chr/chr.h"
#include "cpu/cpu.h"
#include "mem/mem.h"

enum { MACHINE_CPUS_MAX = 123, MACHINE_DISKS_MAX = 8 };
#define MACHINE_RAM_BASE 0x40000000ULL

enum machine_lint { MACHINE_LINT_OFF, MACHINE_LINT_DEFAULT, MACHINE_LINT_STRICT, MACHINE_LINT_ERROR };

struct machine_disk {
    const char *path;
    bool read_only;
};

/// Strings and pointers are borrowed for the life of the machine. machine_config_init sets the
/// defaults: change what differs.
struct machine_config {
    gpa_t ram_base;    ///< MACHINE_RAM_BASE; multiple of 4 KiB, no overlap with the device map
    u64 ram_size;      ///< 512 MiB; multiple of 4 KiB
    unsigned cpus;     ///< 1
    bool threads; ///< several CPUs run on a thread each, where accelerator and mode allow; else by turns; true
    unsigned gic;      ///< 3 or 2
    unsigned el;       ///< exception level of the first instruction, the highest there is: 1, or 2
    bool vhe;          ///< with el 2: the CPUs have Virtualization Host Extensions; true
    const char *accel; ///< "auto"
    struct chr *serial; ///< back end of the UART, owned by the caller; NULL: output is dropped
    struct chr *hvc;   ///< back end of a virtio console, owned by the caller; NULL: there is none
    bool hvc_is_console; ///< its output counts as the console's, beside the UART's
    bool bare;         ///< no board devices at all: RAM and the embedder's MMIO only
    bool profile;      ///< count how often translated blocks run
    const char *perf_map; ///< file that names translated code for `perf`, or NULL
    bool check;        ///< run everything in the translator and in the interpreter, and compare (accel/check.c)
    bool deterministic; ///< one thread, guest time counts instructions, no host clock or entropy
    u64 seed;          ///< randomness of the guest; 0: the host's when not deterministic, else 1
    enum machine_lint lint;
    bool brk_exits;    ///< BRK ends machine_run with MACHINE_BRK instead of reaching the guest
    bool semihosting;  ///< HLT #0xf000 is served
    bool watch_panic;  ///< recognise "Kernel panic - not syncing" on the console
    bool detect_deadlock; ///< end with MACHINE_DEADLOCK when nothing can ever wake the machine
    bool virtio_legacy;   ///< virtio-mmio devices speak version 1
    u64 timeout_ns;    ///< of one machine_run, in host time (guest time when deterministic); 0 none
    struct machine_disk disk[MACHINE_DISKS_MAX];
    unsigned disk_count;
    const char *net;   ///< "none" or NULL, "user"
    const char *net_forward; ///< comma-separated [IP:]HOST:GUEST[/udp] for "user"; may be NULL
    bool flash;        ///< the CFI flash pair at 0 exists (firmware)
    bool ramfb;        ///< firmware may announce a framebuffer in RAM (fw_cfg etc/ramfb)
    u64 ctr_el0;       ///< cache line sizes that guests see; 0: 64 bytes
    const char *flash_vars; ///< file behind the second flash chip; NULL: not kept
};
void machine_config_init(struct machine_config *c);

enum machine_exit_kind {
    MACHINE_OFF,      ///< PSCI SYSTEM_OFF, or semihosting exit (code)
    MACHINE_RESET,    ///< PSCI SYSTEM_RESET: call machine_reset, load again, run again, or stop
    MACHINE_PANIC,    ///< a kernel panic was seen on the console and the guest gave up
    MACHINE_DEADLOCK, ///< every vCPU waits and nothing can wake one
    MACHINE_DOOM,     ///< the explainer's hook ended it; code as it set in cpu.exit.value
    MACHINE_TIMEOUT,
    MACHINE_STOPPED,  ///< machine_stop was called; code is its argument
    MACHINE_BRK,      ///< cpu, value = imm16; pc is at the BRK
    MACHINE_DEBUG,    ///< cpu, addr: breakpoint, watchpoint or single step
    MACHINE_FAIL,     ///< the host or the accelerator refuses; message in machine_error
};
struct machine_exit {
    enum machine_exit_kind kind;
    int code;      ///< OFF: 0 or the semihosting code; STOPPED: as given
    unsigned cpu;  ///< vCPU that caused it
    u64 value;     ///< BRK: imm16; RESET: 0 cold
    u64 addr;
    u32 syndrome;
};
/// The process exit code that stands for an exit (0, 112..115, 124, 125; semihosting code
/// clamped to 111).
int machine_exit_status(const struct machine_exit *x);
/// "powered off", "deadlock", ...
const char *machine_exit_name(enum machine_exit_kind k);

struct machine;

/// ret  NULL with a message: bad size, no memory, accelerator not available
struct machine *machine_new(const struct machine_config *cfg, struct err *e);
void machine_free(struct machine *m);

const struct machine_config *machine_config(const struct machine *m);
struct mem *machine_mem(struct machine *m);
struct cpu *machine_cpu(struct machine *m, unsigned index); ///< NULL past the last
const struct accel_ops *machine_accel(const struct machine *m);
/// Message of the last MACHINE_FAIL.
const char *machine_error(const struct machine *m);
/// Host time (monotonic, ns) at which the first instruction ran; 0: none did.
u64 machine_first_run_ns(const struct machine *m);
/// Who names guest addresses for the accelerator (cpu_engine_opts.name).
void machine_set_names(struct machine *m, bool (*name)(void *ctx, gva_t va, char *buf, size_t size), void *ctx);
/// What the accelerator has to say about its own failure, several lines; NULL: nothing.
const char *machine_accel_report(const struct machine *m);

/// Adds an MMIO device of the embedder. Only while the machine does not run.
MUST_USE bool machine_add_mmio(struct machine *m, gpa_t base, u64 size, const char *name,
                               const struct mmio_ops *ops, void *dev, struct err *e);
/// Adds further RAM or, when rom, memory that guests cannot write.
MUST_USE bool machine_add_ram(struct machine *m, gpa_t base, u64 size, const char *name, bool rom,
                              struct err *e);

/// What /chosen says. initrd_size 0: none. bootargs NULL: none.
struct machine_chosen {
    const char *bootargs;
    gpa_t initrd;
    u64 initrd_size;
};
/// Writes the flattened device tree of this machine into buf.
/// out  size  bytes used (the blob's totalsize)
MUST_USE bool machine_fdt(struct machine *m, const struct machine_chosen *chosen, void *buf,
                          u64 buf_size, u64 *size, struct err *e);
/// As fdt_check_full, for bytes from anywhere: what libfdt itself cannot take is refused first.
/// ret  0 or libfdt's negative error
int machine_fdt_check(const void *buf, u64 len);
/// Replaces /chosen (and memory, when absent) in a device tree of the user's, in place; buf_size
/// is the room there is.
MUST_USE bool machine_fdt_fixup(struct machine *m, const struct machine_chosen *chosen, void *buf,
                                u64 buf_size, u64 *size, struct err *e);

/// Writes ACPI tables of this machine for the address base, the RSDP first.
/// out  size  bytes used
MUST_USE bool machine_acpi(struct machine *m, gpa_t base, void *buf, u64 buf_size, u64 *size, struct err *e);

/// Boot state of vCPU 0: pc and x0..x3; every other vCPU is off until CPU_ON.
void machine_set_entry(struct machine *m, gpa_t pc, u64 x0, u64 x1, u64 x2, u64 x3);

/// Runs until something ends it. vCPU 0 runs on the caller's thread, the others there by turns, or on threads
/// that end before this returns. May be called again after
/// STOPPED, BRK, DEBUG, TIMEOUT (continues) and after machine_reset.
void machine_run(struct machine *m, struct machine_exit *x);
/// Ends a machine_run with MACHINE_STOPPED and code. Any thread, also a signal handler.
void machine_stop(struct machine *m, int code);
/// Takes a machine_stop with this code back that came when the run was ending for another reason: it would end
/// the next one. Only while the machine does not run.
void machine_forget_stop(struct machine *m, int code);
/// Hard-resets vCPUs and devices; RAM keeps its contents. Only while the machine does not run.
void machine_reset(struct machine *m);
/// The answer to semihosting SYS_GET_CMDLINE: the program's name and its words. Copied.
void machine_set_command_line(struct machine *m, const char *line);
/// Presses the power button (PL061 pin 3). Any thread.
void machine_power_button(struct machine *m);

/// Called with all console output, from vCPU or I/O threads under the machine lock; it must not
/// call back into the machine except machine_stop.
void machine_set_console_tap(struct machine *m, void (*tap)(void *ctx, const u8 *data, size_t len),
                             void *ctx);
/// Writes what the framebuffer shows to a file, as PPM.
MUST_USE bool machine_screendump(struct machine *m, const char *path, struct err *e);
/// True when a kernel panic was seen on the console.
bool machine_saw_panic(const struct machine *m);
/// Nanoseconds of guest time since machine_new.
u64 machine_now_ns(struct machine *m);

/// Powered on by PSCI or from the start.
/// "running", "in WFI", "in WFE", "off".
const char *machine_cpu_state(struct machine *m, unsigned index);
bool machine_cpu_is_on(struct machine *m, unsigned index);
/// Ends its WFI or WFE, as the architecture allows at any time: a debugger's step does not wait for an
/// interrupt that may never come. Only while the machine is stopped.
void machine_cpu_nudge(struct machine *m, unsigned index);
/// True while vCPU `index` runs, or waits for something that can come; false when it is off or
/// nothing can wake it. For the vCPU of the current turn: whether an interrupt could reach it.
bool machine_cpu_can_act(struct machine *m, unsigned index);
/// It is in WFE: an interrupt would wake it, an event of another CPU, or a store to what its exclusive monitor watches.
bool machine_cpu_awaits_event(struct machine *m, unsigned index);
/// The guest switched its interrupt controller's part for this vCPU on, where that is needed at all.
bool machine_gic_was_woken(struct machine *m, unsigned index);

/// One line a region or device: for `info mtree` and explanations.
struct machine_device_info {
    const char *name;
    gpa_t base;
    u64 size;
    int intid; ///< -1: none
};
/// ret  false past the last
bool machine_device(const struct machine *m, unsigned i, struct machine_device_info *info);

#endif
