/// The tiny UEFI firmware for aarch64: what its files share. Specification: "Unified Extensible Firmware
/// Interface" 2.10. It runs at EL1 with an identity map, polls everything, takes no interrupt, and
/// leaves files and disks to the VMM (fwhost.h).
#ifndef FW_H
#define FW_H

#include "../bridge/def.h"
#include "../bridge/fatread.h"
#include "../bridge/fwhost.h"
#include "../bridge/uefi.h"

#define EFI_WRITE_PROTECTED (EFI_ERROR_BIT | 8)
#define EFI_END_OF_MEDIA (EFI_ERROR_BIT | 28)
#define EFI_ACCESS_DENIED (EFI_ERROR_BIT | 15)
#define EFI_ALREADY_STARTED (EFI_ERROR_BIT | 20)

enum { FW_PAGE = 4096, FW_HANDLES = 96, FW_PROTOCOLS = 12, FW_EVENTS = 64, FW_VARS = 64, FW_CONFIG = 16 };

/// Callee-saved registers at the start of an image: start.S knows the layout.
struct fw_jump {
    u64 x[10], sp, pad, d[8];
};
_Static_assert(offsetof(struct fw_jump, sp) == 80 && offsetof(struct fw_jump, d) == 96, "start.S");

struct fw_protocol {
    struct efi_guid guid;
    void *iface;
    bool used;
};
struct fw_handle {
    bool used;
    struct fw_protocol p[FW_PROTOCOLS];
};

extern struct efi_system_table fw_st;
extern struct efi_boot_services fw_bs;
extern struct efi_runtime_services fw_rt;
extern struct fwhost_bootinfo fw_info;
extern bool fw_exited; ///< ExitBootServices was done
extern bool fw_map_given; ///< GetMemoryMap was called: what comes between it and the exit matters
#define CALLER ((u64)(uintptr_t)__builtin_return_address(0))

/* main.c */
_Noreturn void fw_stop(const char *why);
u64 fw_psci(u64 function, u64 a, u64 b);
void fw_fault(u64 esr, u64 elr, u64 far);
bool fw_guid_eq(const struct efi_guid *a, const struct efi_guid *b);
efi_status fw_install_config(const struct efi_guid *guid, void *table);

/* host.c: requests to the VMM */
u32 fw_host(struct fwhost_req *r);
void fw_event(u32 event, u64 a, u64 b, u64 c, u64 d);
/// True when a boot service may run; otherwise tells the VMM who called what after exit.
bool fw_alive(u32 service, u64 caller);

/* console.c */
void fw_console_init(void);
void fw_print(const char *fmt, ...) PRINTF_LIKE(1, 2);
bool fw_key_ready(void);
u64 fw_utf8(const efi_char *s, char *out, u64 size); ///< ret  bytes without the NUL
u64 fw_utf16(const char *s, efi_char *out, u64 size_chars);
u64 fw_len16(const efi_char *s);

/* pagetable.c */
enum { FW_R = 0, FW_W = 1, FW_X = 2 };
extern bool fw_at_el2;
void fw_pt_init(void);
/// Sets permissions of whole pages of RAM in the identity map.
void fw_pt_protect(u64 start, u64 pages, u32 perm);
/// TLBI of everything; also lets the VMM see the next access to each page.
void fw_pt_flush(void);
bool fw_pt_get(u64 addr, u32 *perm);
void fw_sync_code(u64 start, u64 len);

/* memory.c */
void fw_mem_init(u64 image, u64 data, u64 end);
efi_status fw_alloc_pages(u32 how, u32 type, u64 pages, u64 *address);
efi_status fw_free_pages(u64 address, u64 pages);
void *fw_pool(u64 size, u32 type);
void fw_pool_free(void *p);
u64 fw_map_key(void);
/// Gives back what boot services used, for the final map's reader: nothing to do here, the types tell.
void fw_mem_services(void);

/* handle.c */
struct fw_handle *fw_handle_new(void);
efi_status fw_install(efi_handle *h, const struct efi_guid *guid, void *iface);
efi_status fw_uninstall(efi_handle h, const struct efi_guid *guid);
void *fw_get(efi_handle h, const struct efi_guid *guid);
void fw_handle_services(void);
u64 fw_path_len(const struct efi_device_path *p); ///< bytes with the end node

/* event.c */
void fw_event_services(void);
u64 fw_ticks(void);
u64 fw_tick_hz(void);

/* volume.c: what file systems there are */
enum { FW_VOLUMES = 12 };
struct fw_volume {
    struct efi_simple_fs fs;
    efi_handle handle;
    struct efi_device_path *path;
    struct fat_reader *fat; ///< NULL: the VMM's directory
};
extern struct fw_volume fw_volumes[FW_VOLUMES];
extern u32 fw_volume_count;
void fw_volume_host(void);
/// Offers a FAT volume; nothing happens when there is none.
void fw_volume_fat(efi_handle h, struct efi_device_path *path, bool (*read)(void *, u64 sector, u64 count, void *), void *context);
struct fw_volume *fw_volume_of(efi_handle h);
/// The volume a device path begins with. ret  NULL when it names none
struct fw_volume *fw_volume_find(const struct efi_device_path *path);

/* file.c */
struct fw_node {
    struct fw_volume *volume;
    u64 handle; ///< of the VMM
    struct fat_file fat;
    u64 size, index;
    bool is_dir;
    struct efi_time mtime;
    char name[256];
};
bool fw_node_open(struct fw_volume *v, const char *path, struct fw_node *out);
void fw_node_close(struct fw_node *n);
/// ret  bytes read, ~0 on an error
u64 fw_node_read(struct fw_node *n, u64 off, void *buf, u64 len);
/// The next entry of a directory: name, size, is_dir, mtime. Nothing to close.
bool fw_node_list(struct fw_node *dir, struct fw_node *out);
efi_status EFIAPI fw_open_volume(struct efi_simple_fs *fs, struct efi_file **out);
void fw_fill_time(struct efi_time *t, u64 unix_s);
/// Reads a file into new pages of type. ret  NULL when it is not there
void *fw_read_file(struct fw_volume *v, const char *path, u32 type, u64 *size);

/* block.c */
void fw_block_init(void);

/* image.c */
void fw_image_services(void);
/// path: '/'-separated, for messages and the device path.
efi_status fw_load(struct fw_volume *v, const void *pe, u64 size, const char *path, efi_handle *out);
efi_status fw_start(efi_handle image);
u64 fw_call_image(efi_handle h, struct efi_system_table *st, u64 entry, struct fw_jump *j);
_Noreturn void fw_leave_image(struct fw_jump *j, u64 status);

/* extra.c: RNG, LoadFile2 for the initrd, MemoryAttribute, DevicePathToText, UnicodeCollation */
void fw_extra_init(void);

/* gop.c */
void fw_gop_init(void);

/* runtime.c */
void fw_runtime_init(void);

#endif
