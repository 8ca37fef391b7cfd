/// Inside of the library: the structures behind the opaque handles.
#ifndef BRUIN_LIB_H
#define BRUIN_LIB_H

#include "bruin.h"

#include "base/base.h"
#include "board/machine.h"
#include "boot/boot.h"
#include "debug/debug.h"

enum { OPTIONS_MAX = 96, VM_MMIO_MAX = 32 };

struct bruin_config {
    /// By index of the table; NULL-terminated lists of owned strings, NULL when unset.
    char **value[OPTIONS_MAX];
};

/// Values of checked options; def when unset.
u64 config_number(const bruin_config *c, const char *key, u64 def);
bool config_flag(const bruin_config *c, const char *key);
bool config_choice_is(const bruin_config *c, const char *key, const char *choice);
bool parse_address(const char *s, u64 *out);
bool parse_memory(const char *s, u64 *out);
bool parse_duration(const char *s, u64 *out_ns);

/// Copies an error of ours to the caller's. ret  false
bool err_out(struct bruin_error *out, const struct err *e);

/// Everything a boot is made of: files, their bytes, the request to the planner.
struct boot_job {
    struct boot_request req;
    struct blob file[2 + BOOT_INITRDS_MAX + BOOT_FLATS_MAX]; ///< opened files, to be freed
    unsigned file_count;
    struct blob unpacked;
    struct blob dtb;
    struct boot_plan plan;
    bool is_bbp;        ///< the kernel asks for the boot protocol; there is no plan until it is loaded
    char how[96];       ///< how the kernel was packed
    char *cmdline;      ///< as the kernel will see it
    char *names[BOOT_FLATS_MAX]; ///< owned file names of --load
};
/// What a boot needs besides the configuration: bytes given by an embedder instead of files.
struct boot_bytes {
    const void *kernel, *dtb;
    u64 kernel_len, dtb_len;
    const char *kernel_name;
    u64 entry; ///< BRUIN_AUTO: none
};
/// Opens, unpacks and plans. job is to be released with boot_job_free in any case.
MUST_USE bool boot_job_prepare(struct boot_job *job, const bruin_config *c, const struct boot_bytes *bytes,
                               struct err *e);
void boot_job_free(struct boot_job *job);
/// "Image 6.1.0 (gzip 9.2 -> 33.4 MB)".
void boot_job_describe(const struct boot_job *job, char *text, size_t size);

/// Tells where a device tree that a user gave does not fit the machine. own: the board's. Both checked.
void dtb_lint(const void *user, const void *own, const char *name, u64 ram_base, u64 ram_size,
              void (*say)(void *ctx, const char *id, const char *msg), void *ctx);
/// As bruin_dtb_check, on bytes.
MUST_USE bool dtb_check_bytes(const struct blob *b, char **findings, struct err *e);

struct vm_mmio {
    struct bruin_mmio user;
    struct mmio_ops ops;
    void *ctx;
};

struct bruin_vm {
    struct machine *machine;
    struct machine_config mc;
    struct chr *serial, *hvc, *keys; ///< keys: serial or hvc, the one at the user's terminal
    bool serial_is_ring;
    bruin_config *config;
    struct vm_mmio mmio[VM_MMIO_MAX];
    unsigned mmio_count;
    /* Loading: kept for a reset. */
    u8 *kernel_bytes, *dtb_bytes;
    u64 kernel_len, dtb_len;
    char *kernel_name;
    u64 kernel_entry;
    bool is_booted;
    gpa_t dtb_addr;
    char loaded[400];
    char *net_forward;
    char perf_map[48]; ///< path, or empty
    uint64_t created_ns; ///< host time of bruin_vm_new
    char *disk_paths[MACHINE_DISKS_MAX];
    bool boots_disk; ///< the first disk was named as the kernel
    void (*message)(void *ctx, const char *id, const char *text);
    void *message_ctx;
    void (*console)(void *ctx, const char *data, size_t len);
    void *console_ctx;
    bool (*key)(void *ctx, char key);
    void *key_ctx;
    struct explain *explain; ///< NULL for bare machines
    struct symbols *symbols; ///< NULL until the first load
    struct vm_debug *debug;    ///< monitor, gdb, trace; NULL until wanted
    struct firmware *firmware; ///< of the last boot by firmware, or NULL
};

/// True for an AArch64 ELF with a BBP note (docs/boot-protocol.md).
bool bbp_is_kernel(const struct blob *kernel);
/// Starts such a kernel: places it, builds tables and information block, sets the registers.
MUST_USE bool bbp_boot(bruin_vm *vm, struct boot_job *job, struct err *e);

/// Loads job into the machine: copies, device tree, registers.
MUST_USE bool vm_load(bruin_vm *vm, struct boot_job *job, struct err *e);

/// diagnose.c: the explainer around loads and runs. diagnose_loaded is called once a boot is in memory;
/// job NULL: the firmware does the booting.
MUST_USE bool diagnose_loaded(bruin_vm *vm, const struct boot_job *job, struct err *e);
/// Runs the machine under the explainer. ret  the exit code
int diagnose_run(bruin_vm *vm, struct machine_exit *x);
/// What diagnose_run says of the end of a run that was not its own (gdb's). ret  the exit code
int diagnose_end(bruin_vm *vm, struct machine_exit *x);
void diagnose_free(bruin_vm *vm);

/* stats.c: "symbol+0x10" of an address; ctx is the vm */
bool stats_name(void *ctx, gva_t va, char *buf, size_t size);

/* vm.c */
/// Loads the same boot again after the guest reset itself.
bool vm_boot_again(bruin_vm *vm, struct bruin_error *err);

/* flash.c */
/// The file that goes into flash: as configured, or the host's EDK2 when there is only a disk to boot.
/// ret  NULL when booting does not go through flash
const char *flash_file(const bruin_config *c);
MUST_USE bool flash_boot(bruin_vm *vm, const char *path, struct err *e);

/* firmware.c */
/// True when the configuration asks for the tiny firmware, or names an EFI application.
bool firmware_wanted(const bruin_vm *vm);
/// True when what is named as the kernel is a disk with a loader for this processor: it is attached as the
/// first disk, and the tiny firmware starts the loader.
bool firmware_takes_disk(const bruin_config *c);
/// True for such a disk and for an EFI application for this processor without a kernel of its own.
bool firmware_takes(const bruin_config *c);
void firmware_chaos_machine(const bruin_config *c, struct machine_config *mc);
MUST_USE bool firmware_boot(bruin_vm *vm, struct err *e);
void firmware_free(bruin_vm *vm);

/* debug.c */
enum debug_next { DEBUG_ENDED, DEBUG_RUN, DEBUG_RESET, DEBUG_QUIT };
/// Starts what the configuration asks for: gdb, monitor socket, trace.
MUST_USE bool debug_start(bruin_vm *vm, struct err *e);
/// True when the first run waits for gdb or the monitor.
bool debug_waits(const bruin_vm *vm);
/// Instead of the first run, then. As debug_stopped.
enum debug_next debug_first(bruin_vm *vm, struct machine_exit *x, int *status);
/// After a run: serves monitor requests and gdb. ret  DEBUG_ENDED when the end is not ours
/// out  status  the exit code, when the machine ended in gdb's hands
enum debug_next debug_stopped(bruin_vm *vm, struct machine_exit *x, int *status);
void debug_ended(bruin_vm *vm);
void debug_free(bruin_vm *vm);

#endif
