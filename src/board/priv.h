/// The inside of a machine, shared by the files of this folder only.
///
/// Threads: vCPUs run on the thread that calls machine_run, in turns when there are several (run.c), or each
/// on its own (threads.c); one I/O thread polls the host and fires timers. Locks, outermost first: power lock
/// (vCPUs on and off), the explainer's, machine lock (devices and their timers), interrupt controller, sleep
/// lock; mem.code_lock is last.
#ifndef BRUIN_BOARD_PRIV_H
#define BRUIN_BOARD_PRIV_H

#include "board/machine.h"
#include "dev/dev.h"
#include "dev/cfi_flash.h"
#include "dev/fw_cfg.h"
#include "dev/ramfb.h"
#include "dev/pl011.h"
#include "dev/pl031.h"
#include "dev/pl061.h"
#include "irq/irqchip.h"
#include "os/os.h"

enum { BOARD_DEVICES_MAX = 48, PPI_PMU = 23 };

/// Deterministic machines: an instruction takes this long. 100 million a second is what the
/// interpreter does, so that busy waits of guests take about as long as they say.
enum { DET_NS_PER_INSN = 8 };
/// ... and at most so many instructions pass between looks at timers and input.
enum { DET_SLICE = 1 << 20 };

enum vcpu_state { VCPU_OFF, VCPU_RUN, VCPU_WFI, VCPU_WFE };
struct vcpu {
    struct machine *m;
    struct cpu *cpu;
    _Atomic enum vcpu_state state; ///< written by its own thread, from OFF by whoever starts it
    struct os_thread thread;       ///< threads.c
    struct os_cond wake;           ///< ... with the sleep lock
    _Atomic bool is_asleep;
    bool is_open;             ///< accelerator state exists
    bool was_wfe;             ///< its last turn ended in WFE
    _Atomic u64 deadline_ns;  ///< of its timers, guest time; ~0 none
};

/// A device on the bus.
struct board_device {
    const char *name;
    const struct device_ops *ops;
    void *dev;
    gpa_t base;
    u64 size;
    int spi; ///< -1 none
    bool is_edge;
    bool (*can_wake)(const void *dev); ///< input or a timer may raise its interrupt; NULL never
    void (*free)(void *dev);
};

struct machine {
    struct machine_config cfg;
    struct mem *mem;
    struct {
        _Atomic int error;   ///< what SYS_ERRNO says
        _Atomic unsigned at; ///< place in :semihosting-features
        char *command_line;  ///< NULL: none
    } semihost;
    const struct accel_ops *accel;
    struct cpu_engine_opts engine_opts;
    u64 first_run_ns; ///< host time of the first turn
    struct vcpu *vcpu;
    struct cpu **cpus; ///< the same, as their cores see each other
    _Atomic unsigned current; ///< index of the vCPU whose turn it is
    _Atomic bool on_threads;  ///< no turns: each vCPU runs on its own thread
    u64 naps;                 ///< ... and they woke up so often; guarded by sleep_lock
    struct os_mutex power_lock;
    struct irqchip *chip;
    gpa_t chip_base[2];

    struct board_device device[BOARD_DEVICES_MAX];
    unsigned device_count, virtio_count;
    unsigned wfe_streak; ///< turns in a row that ended in WFE
    void *net_card, *hvc; ///< cores of virtio devices that the host wakes, or NULL
    struct os_timer *hvc_timer;
    struct cfi_flash *flash[2];
    struct pl011 *uart;
    struct pl061 *gpio;
    struct fw_cfg *fw_cfg;
    struct ramfb *ramfb; ///< NULL: none
    struct dev_host host;

    struct os_mutex lock; ///< the machine lock
    struct os_poll *poll;
    struct os_timer *cpu_timer; ///< earliest vCPU deadline
    struct os_timer *turn_timer; ///< ends a turn when several vCPUs want to run
    _Atomic u64 turn_ends_ns;   ///< host time turn_timer is set to; ~0 none
    _Atomic u64 armed_ns;       ///< host time cpu_timer is set to; ~0 none
    struct os_thread io_thread;
    _Atomic u64 runner; ///< os_thread_self of who is, or was last, in machine_run
    _Atomic bool io_quit;

    struct os_mutex sleep_lock;
    struct os_cond wake;
    _Atomic u32 sleepers;

    _Atomic bool is_running, is_ending, stop_requested;
    _Atomic int stop_code;
    struct machine_exit end;  ///< guarded by sleep_lock until is_ending is seen
    char error[480];

    u64 clock_offset_ns;      ///< host time minus guest time, while running
    u64 paused_ns;            ///< guest time while not running
    u64 timeout_at_ns;        ///< guest time; ~0 none
    u64 det_skip_ns;          ///< deterministic: idle time skipped
    u64 rng;
    u64 epoch_s;              ///< wall clock at guest time 0

    bool saw_panic, panic_ended;
    u8 panic_pos, panic_end_pos; ///< characters matched so far
    void (*tap)(void *ctx, const u8 *data, size_t len);
    void *tap_ctx;
};

/* virt.c */
bool virt_build(struct machine *m, struct err *e);
gpa_t virt_chip_base(unsigned gic, unsigned frame);

/* psci.c: serves the call in x0..x7 of the current vCPU, made by SMC or HVC. */
void psci_call(struct vcpu *v, bool smc);

/* semihost.c */
void semihost_call(struct vcpu *v);

/* machine.c, run.c and wait.c */
void machine_end(struct machine *m, const struct machine_exit *x);
void machine_wake(struct machine *m);
/// A vCPU off so far starts at pc with x0 = context.
void vcpu_start(struct vcpu *v, gpa_t pc, u64 context);
void board_console_byte(void *ctx, u8 byte);
void board_set_spi(void *ctx, unsigned spi, bool level);
u64 board_now_ns(void *ctx);
/// INTIDs by enum cpu_timer.
extern const u8 run_timer_ppi[TIMER_COUNT];
void run_timer_arm(void *ctx, struct cpu *c, u64 deadline_ns);
void run_timer_irq(void *ctx, struct cpu *c, unsigned which, bool level);
void run_cpu_timer_fired(void *ctx);
void run_turn_fired(void *ctx);
/// mem.late: who is no vCPU, and what it does to be served.
bool run_is_foreign(void *ctx);
void run_code_written(void *ctx);
/// Another vCPU wants a turn. Any thread.
void run_end_turn_soon(struct machine *m);
/// The vCPU that the calling thread runs.
unsigned run_self(const struct machine *m);
void run_serve_exit(struct vcpu *v);
/// A turn of it would do something: it is on, and what it waits for came. By turns it then runs from here on.
bool run_can_go(struct vcpu *v);
unsigned run_count_runnable(struct machine *m);
bool run_has_event_stream(const struct vcpu *v);
/// Nothing can ever wake a vCPU: no timer, device, input or event that reaches one. All wait.
bool run_is_deadlocked(struct machine *m);
u64 run_to_host(const struct machine *m, u64 guest_ns);

/* threads.c */

/// Whether the next machine_run uses threads: what needs turns has them (one clock, comparisons, steps, traces).
bool threads_wanted(const struct machine *m);
/// Runs all vCPUs until the machine ends.
void threads_run(struct machine *m);
/// It may have something to do; nothing when vCPUs take turns. Any thread.
void threads_wake(struct vcpu *v);
/// In WFE: what its exclusive monitor saw has changed, or is out of sight. That is an event; who takes it clears the
/// monitor. v: the caller's, or one that does not run.
bool threads_will_notice(const struct vcpu *v);
/// SEV by a vCPU, ctx.
void threads_send_event(void *ctx);

#endif
