/// The UEFI layer around the pure functions of guest/bridge.
#ifndef LOADER_H
#define LOADER_H

#include "../bridge/bbp_build.h"
#include "../bridge/config.h"
#include "../bridge/hw.h"
#include "../bridge/uefi.h"

#define LOADER_VERSION "1.0"
#define LOADER_LOG_MAX 8192

#if defined(__aarch64__)
#define LOADER_ARCH BR_ARCH_AARCH64
#define LOADER_ARCH_NAME "aarch64"
#else
#define LOADER_ARCH BR_ARCH_X86_64
#define LOADER_ARCH_NAME "x86-64"
#endif

struct loader {
    efi_handle image;
    struct efi_system_table *st;
    struct efi_boot_services *bs;
    struct efi_loaded_image *self;
    struct efi_file *root;
    struct efi_serial_io *serial; ///< only if the console does not reach it anyway
    struct bbp_console console;   ///< for messages after ExitBootServices
    u64 entry_ticks;
    bool all_verified, any_hash;
    u32 log_len;
    char log[LOADER_LOG_MAX];
};
extern struct loader ld;

/// --- log.c: every message goes to the console, to serial and to the log the kernel is given
void log_start(void);
void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/// An error. ret  false
bool complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/// After ExitBootServices only the UART itself is left. Does not return.
_Noreturn void stop_visibly(const char *text);
const char *status_name(efi_status s);

/// --- services.c
/// Zeroed pages of loader data. in  align  power of two. ret  bytes == NULL if there are none
struct br_area alloc_pages(u64 len, u64 align);
/// The same below 4 GiB.
struct br_area alloc_low_pages(u64 len, u64 align);
/// Pages at exactly this address. ret  false with the status in *s
bool alloc_pages_at(u64 phys, u64 len, struct br_area *out, efi_status *s);
void free_area(struct br_area *a);
/// Reads a whole file and checks its hash. ret  false after complaining; a missing file complains
/// only if `must_exist`
bool read_file(const struct conf_path *path, bool must_exist, struct br_area *out, u64 *len);
void *config_table(const struct efi_guid *guid);
bool guid_eq(const struct efi_guid *a, const struct efi_guid *b);
/// The current memory map in fresh pages.
struct efi_map {
    struct br_area area;
    u64 size, key, desc_size;
    u32 desc_version;
};
bool get_map(struct efi_map *m);
/// Fills n random bytes. ret  false if no hardware source exists; they are then only hard to guess
bool random_bytes(u8 *out, u32 n);
bool secure_boot_on(void);
u64 wall_clock(void);

/// --- exit.c: leaving the firmware
/// Gets the final map into `body` and calls ExitBootServices, up to eight times, with nothing in
/// between. ret  false if the firmware never agreed; only stop_visibly() is left then
bool leave_firmware(void *body, u64 cap, struct efi_map *m);

enum { HANDOFF_MMU_ON = 1, HANDOFF_AT_EL2 = 2, HANDOFF_STAY_EL2 = 4, HANDOFF_VHE = 8,
       HANDOFF_FPU = 16, HANDOFF_GIC_SYSREGS = 32, HANDOFF_SWITCH_LEVELS = 64 };
enum { HANDOFF_COPY = 256 }; ///< where the architecture's page holds a copy of struct handoff
struct handoff {
    u64 mair, tcr, root_low, root_high, sctlr, entry, sp, arg, flags;
    u64 console_phys, console_virt, gdt;
};
_Static_assert(offsetof(struct handoff, entry) == 40, "handoff");
_Static_assert(offsetof(struct handoff, flags) == 64, "handoff");
_Static_assert(offsetof(struct handoff, gdt) == 88, "handoff");
extern char handoff_page[];

/// --- cpu_*.c
void cpu_env(struct bbp_env *env);
void cpu_entry_state(struct bbp_entry_state *s);
u64 cpu_ticks(void);
u64 cpu_tick_hz(void);
bool cpu_random(u64 *out);
void cpu_mask_interrupts(void);
u64 cpu_handoff_flags(void);
/// Cleans and invalidates data lines to the point of coherency.
void cpu_clean(const void *start, u64 len);
void cpu_sync_code(void);
void cpu_quiet_devices(const struct hw *hw);
void cpu_spin(void);
void cpu_port_write(u16 port, u8 v);
u8 cpu_port_read(u16 port);
/// Writes what the architecture needs besides the tables (a GDT on x86_64) into a fresh page.
void cpu_fill_page(u8 *page);
_Noreturn void cpu_jump(const struct handoff *h);

/// --- protocols. Return only on failure, after complaining.
struct boot_entry {
    const struct conf *conf;
    int index; ///< -1 without configuration
    const char *path, *cmdline;
};
bool boot_bbp(const struct boot_entry *e);
bool boot_limine(const struct boot_entry *e, struct br_area file, u64 len);
bool boot_linux(const struct boot_entry *e);
bool boot_efi(const struct boot_entry *e);

/// --- menu.c. ret  index of the entry, or -1 to leave
int menu_choose(const struct conf *c, bool must_ask);

#endif
