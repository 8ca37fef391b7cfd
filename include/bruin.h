/// Bruin: boots AArch64 kernels and explains them. The public C interface; the command line uses
/// nothing else.
///
/// Handles are opaque. Nothing here exits, prints, or keeps global state: several machines may live
/// in one process, each used by one thread at a time except where a call says "any thread".
/// Functions that can fail return false (or NULL) and, when err is not NULL, fill in code and message.
#ifndef BRUIN_H
#define BRUIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// code is also the exit code of the program for such an error.
enum {
    BRUIN_ERR_USAGE = 125,     ///< wrong key, value, name or address; or a failure of the host
    BRUIN_ERR_FORMAT = 126,    ///< the file is there but cannot be booted
    BRUIN_ERR_NOT_FOUND = 127, ///< the file is not there or not readable
};
struct bruin_error {
    int code;
    char message[480];
};

const char *bruin_version(void);
/// Frees text that a function here says is to be freed.
void bruin_free(void *text);

/* ---- configuration: the same keys and values as the command line, without the dashes ---- */

enum bruin_option_type {
    BRUIN_OPT_FLAG,     ///< "yes" or "no"
    BRUIN_OPT_TEXT,
    BRUIN_OPT_FILE,
    BRUIN_OPT_NUMBER,
    BRUIN_OPT_ADDRESS,  ///< hexadecimal with 0x, or decimal
    BRUIN_OPT_MEMORY,   ///< 512M, 2G, 64K; a plain number is MiB
    BRUIN_OPT_DURATION, ///< 500ms, 60s, 2m; a plain number is seconds
    BRUIN_OPT_CHOICE,   ///< one of `arg`, separated by '|'
};
/// One row of the table of options.
struct bruin_option {
    const char *key;
    char letter;           ///< short form, or 0
    enum bruin_option_type type;
    const char *arg;       ///< what the help shows for the value; the choices of a CHOICE; NULL: none
    const char *preset;    ///< the default as people would write it, or NULL
    bool is_list;          ///< may be given several times
    bool value_is_optional; ///< --key or --key=VALUE
    const char *group;     ///< heading in the help
    const char *help;
};
/// The rows, in the order of the help. ret  NULL past the last
const struct bruin_option *bruin_option_at(size_t index);
const struct bruin_option *bruin_option_find(const char *key);
const struct bruin_option *bruin_option_find_letter(char letter);

/// The name nearest to a mistyped word, or NULL when none is near. name_at gives the names by index,
/// NULL past the last.
const char *bruin_nearest(const char *word, const char *(*name_at)(void *ctx, size_t index), void *ctx);

typedef struct bruin_config bruin_config;
bruin_config *bruin_config_new(void);
bruin_config *bruin_config_copy(const bruin_config *config);
void bruin_config_free(bruin_config *config);
/// Sets a key, or adds to it when it is a list. The value is checked now.
/// ret  false: no such key (the message suggests one), or a value it does not take
bool bruin_config_set(bruin_config *config, const char *key, const char *value, struct bruin_error *err);
/// The value, or NULL when it was not set. Of a list: the element at index.
const char *bruin_config_get(const bruin_config *config, const char *key);
const char *bruin_config_get_at(const bruin_config *config, const char *key, size_t index);
/// Reads lines of `key = value`; `#` starts a comment. Names the line at fault.
bool bruin_config_load(bruin_config *config, const char *path, struct bruin_error *err);

/* ---- machines ---- */

typedef struct bruin_vm bruin_vm;

/// A machine with the `virt` board, as configured. config may be freed after.
bruin_vm *bruin_vm_new(const bruin_config *config, struct bruin_error *err);
/// A bare machine: one CPU, RAM at base, nothing else. base and size are multiples of 4 KiB.
bruin_vm *bruin_vm_create(uint64_t base, uint64_t size, struct bruin_error *err);
void bruin_vm_free(bruin_vm *vm);

/// Takes warnings about what is being booted, one line each, and where the pseudo-terminals are that
/// were asked for. id: the entry in the catalogue of diagnoses ("F19") or "".
void bruin_on_message(bruin_vm *vm, void (*fn)(void *ctx, const char *id, const char *text), void *ctx);

/* ---- loading ---- */

/// No address given: the file or the planner decides.
#define BRUIN_AUTO (~UINT64_C(0))

/// Boots what the configuration names: `kernel`, `initrd`, `load`, `dtb`, `cmdline`. Unpacks, places
/// and copies everything, writes the device tree and sets the registers; bruin_run starts it. A
/// machine that resets itself is loaded again by bruin_run.
bool bruin_boot(bruin_vm *vm, struct bruin_error *err);
/// Linux in one call: kernel file, command line, address of the device tree (BRUIN_AUTO: chosen).
bool bruin_boot_linux(bruin_vm *vm, const char *kernel, const char *cmdline, uint64_t dtb_addr,
                      struct bruin_error *err);
/// Loads a kernel of any known format and sets pc and x0. A file without a header starts at entry,
/// and is placed there; with BRUIN_AUTO at 512 KiB above the start of RAM.
bool bruin_load_kernel(bruin_vm *vm, const char *path, uint64_t entry, struct bruin_error *err);
/// The same from memory. The bytes are copied. name appears in messages.
bool bruin_load_kernel_bytes(bruin_vm *vm, const void *bytes, size_t len, const char *name, uint64_t entry,
                             struct bruin_error *err);
/// Sets the device tree that the next load uses instead of the board's own; the bytes are copied.
bool bruin_set_dtb_bytes(bruin_vm *vm, const void *bytes, size_t len, struct bruin_error *err);
/// The device tree in guest memory after a load. ret  its address, 0 when there is none
uint64_t bruin_dtb_address(const bruin_vm *vm);
/// Writes the board's device tree into a new buffer, to be freed with bruin_free.
bool bruin_dtb_dump(bruin_vm *vm, void **dtb, size_t *len, struct bruin_error *err);
/// Checks a device tree file: structure, and what kernels need to find in it. Findings, one a line,
/// are to be freed; empty when all is well.
/// ret  false when the file is not a device tree
bool bruin_dtb_check(const char *path, char **findings, struct bruin_error *err);
/// What was loaded, for people: "Image 6.1.0 (gzip 9.2 -> 33.4 MB)".
const char *bruin_loaded(const bruin_vm *vm);

/* ---- memory: guest-physical, bounds-checked ---- */

bool bruin_mem_read(bruin_vm *vm, uint64_t addr, void *dst, size_t len, struct bruin_error *err);
bool bruin_mem_write(bruin_vm *vm, uint64_t addr, const void *src, size_t len, struct bruin_error *err);
bool bruin_read8(bruin_vm *vm, uint64_t addr, uint8_t *value, struct bruin_error *err);
bool bruin_read16(bruin_vm *vm, uint64_t addr, uint16_t *value, struct bruin_error *err);
bool bruin_read32(bruin_vm *vm, uint64_t addr, uint32_t *value, struct bruin_error *err);
bool bruin_read64(bruin_vm *vm, uint64_t addr, uint64_t *value, struct bruin_error *err);
bool bruin_write8(bruin_vm *vm, uint64_t addr, uint8_t value, struct bruin_error *err);
bool bruin_write16(bruin_vm *vm, uint64_t addr, uint16_t value, struct bruin_error *err);
bool bruin_write32(bruin_vm *vm, uint64_t addr, uint32_t value, struct bruin_error *err);
bool bruin_write64(bruin_vm *vm, uint64_t addr, uint64_t value, struct bruin_error *err);

/* ---- registers, while the machine does not run ---- */

/// name: x0..x30, w0..w30, sp, pc, lr, pstate, nzcv, fpcr, fpsr, d0..d31, s0..s31, or a system register
/// such as "TTBR0_EL1". Case does not matter.
bool bruin_get_reg(bruin_vm *vm, unsigned cpu, const char *name, uint64_t *value, struct bruin_error *err);
bool bruin_set_reg(bruin_vm *vm, unsigned cpu, const char *name, uint64_t value, struct bruin_error *err);
/// v0..v31, least significant byte first.
bool bruin_get_vreg(bruin_vm *vm, unsigned cpu, unsigned index, uint8_t value[16], struct bruin_error *err);
bool bruin_set_vreg(bruin_vm *vm, unsigned cpu, unsigned index, const uint8_t value[16],
                    struct bruin_error *err);

/* ---- devices and console ---- */

/// offset is relative to the device, size 1, 2, 4 or 8. ret  false: the guest sees an external abort
struct bruin_mmio {
    bool (*read)(void *ctx, uint64_t offset, unsigned size, uint64_t *value);
    bool (*write)(void *ctx, uint64_t offset, unsigned size, uint64_t value);
    unsigned min_size, max_size; ///< access sizes served; 0: 1 and 8
};
/// Adds a device. ops is copied; name and ctx are the caller's for the life of the machine.
bool bruin_mmio_add(bruin_vm *vm, uint64_t base, uint64_t size, const char *name,
                    const struct bruin_mmio *ops, void *ctx, struct bruin_error *err);

/// Hands over all bytes the guest writes to its UART. The callback must not call back into the
/// machine, except bruin_stop. Called on the thread of the vCPU.
void bruin_on_console(bruin_vm *vm, void (*fn)(void *ctx, const char *data, size_t len), void *ctx);
/// Types into the UART of a machine whose `serial` was not set. Any thread.
void bruin_console_input(bruin_vm *vm, const char *data, size_t len);
/// Keys typed after Ctrl-A on a terminal. ret of fn  false: not known, the guest gets it
void bruin_on_key(bruin_vm *vm, bool (*fn)(void *ctx, char key), void *ctx);

/* ---- running ---- */

enum bruin_reason {
    BRUIN_OFF,       ///< the guest powered off, or left with a semihosting code
    BRUIN_RESET,     ///< the guest reset, and `no-reboot` is set
    BRUIN_PANIC,     ///< a Linux kernel panicked
    BRUIN_DEADLOCK,  ///< every CPU waits and nothing can wake one
    BRUIN_DOOMED,    ///< exception loop or fatal fault; see bruin_report
    BRUIN_TIMEOUT,
    BRUIN_STOPPED,   ///< bruin_stop was called
    BRUIN_BREAKPOINT, ///< a BRK, and bruin_exit_on_brk asked for it; value is its immediate
    BRUIN_DEBUG,
    BRUIN_FAILED,    ///< the host or the accelerator refuses
};
struct bruin_exit {
    enum bruin_reason reason;
    int status;        ///< exit code that stands for it: 0-111 the guest's own, 112.. see docs
    unsigned cpu;      ///< the CPU that caused it
    uint64_t pc;       ///< of that CPU
    uint64_t value;    ///< BREAKPOINT: immediate
    uint64_t address;  ///< faulting address, where there is one
    uint32_t syndrome; ///< in the layout of ESR_EL1
    char text[160];    ///< "guest powered off"
};
/// Runs until something ends it; may be called again to continue, except after OFF and RESET.
/// ret  false only for BRUIN_FAILED
bool bruin_run(bruin_vm *vm, struct bruin_exit *exit, struct bruin_error *err);
/// Ends a run with BRUIN_STOPPED and this status. Any thread, also a signal handler.
void bruin_stop(bruin_vm *vm, int status);
/// Presses the power button. Any thread.
void bruin_power_button(bruin_vm *vm);
/// BRK ends bruin_run instead of reaching the guest. pc is left at the BRK.
void bruin_exit_on_brk(bruin_vm *vm, bool on);

/// The last explanation of a fault, as text or as JSON; NULL when there is none.
const char *bruin_report(const bruin_vm *vm, bool json);
/// One word about the last run: "off", "panic", "deadlock", "stuck", "exception-loop", "fatal-fault",
/// "lint", "timeout", ...; NULL for bare machines.
const char *bruin_verdict(const bruin_vm *vm);
/// The page of the catalogue of diagnoses: Markdown. id: "F03", "f3" or "3". ret  NULL when there is none
const char *bruin_explain_page(const char *id);
/// The entries of the catalogue in order. ret  false past the last
bool bruin_explain_entry(unsigned index, const char **id, const char **title);
/// "jit", "interp", ...
const char *bruin_accel_name(const bruin_vm *vm);
unsigned bruin_cpu_count(const bruin_vm *vm);
uint64_t bruin_ram_size(const bruin_vm *vm);

/* ---- files ---- */

/// "512M", "2G"; a plain number is MiB.
bool bruin_parse_size(const char *text, uint64_t *bytes);
/// Makes a raw disk image that takes no space until it is written. Never overwrites a file.
bool bruin_image_create(const char *path, uint64_t bytes, struct bruin_error *err);
/// Creates a disk image with an EFI system partition that holds a copy of dir: the same bytes for the same
/// tree. bytes 0: as small as fits. Never overwrites a file.
bool bruin_image_create_esp(const char *path, const char *dir, uint64_t bytes, struct bruin_error *err);

/* ---- looking without running ---- */

/// What a file is, its header fields, where it would go and what is wrong with it: text for people
/// or one JSON document, to be freed. config: memory size and further files, may be NULL.
/// ret  NULL when the file cannot be read; a file that cannot be booted is described, and err says why
char *bruin_inspect(const bruin_config *config, const char *path, bool json, struct bruin_error *err);
/// Writes the symbols that a Linux image carries for itself (kallsyms; packed images too) as an ELF file for
/// debuggers, at the addresses the kernel is linked for: right in a guest started with nokaslr.
/// ret  how many; -1 with err when there are none or out cannot be written
long bruin_symbols_elf(const char *kernel, const char *out, struct bruin_error *err);
/// The load plan of a configuration and the QEMU command that comes nearest; to be freed.
char *bruin_plan(const bruin_config *config, struct bruin_error *err);

/* ---- looking inside ---- */

/// Executes one line of the monitor ("info registers", "x/4i $pc", "b start_kernel", "help"). While
/// bruin_run runs on another thread, the machine is stopped for it; "stop" holds it until "c".
/// ret  the answer, to be freed with bruin_free
char *bruin_monitor(bruin_vm *vm, const char *line);
/// Gives the console to the monitor until `c` is typed there. For key handlers.
void bruin_monitor_console(bruin_vm *vm);
/// What the accelerator counted (configuration key `stats`): text for people or one JSON object; to be
/// freed. ret  NULL when it counts nothing
char *bruin_stats(bruin_vm *vm, bool json);
/// The events recorded (configuration key `events`), as text or as a JSON object a line; to be freed.
char *bruin_trace(bruin_vm *vm, bool json);

#ifdef __cplusplus
}
#endif
#endif
