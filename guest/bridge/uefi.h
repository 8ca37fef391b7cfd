/// The part of the UEFI interface that the boot chain uses, written from the "Unified Extensible
/// Firmware Interface Specification" 2.10. Shared by the loader and by firmware of our own.
#ifndef BRIDGE_UEFI_H
#define BRIDGE_UEFI_H

#include "def.h"

#if defined(__x86_64__)
#define EFIAPI __attribute__((ms_abi))
#else
#define EFIAPI
#endif

typedef u64 efi_status;
typedef void *efi_handle;
typedef void *efi_event;
typedef uint16_t efi_char;

#define EFI_ERROR_BIT (1ULL << 63)
#define EFI_SUCCESS 0ULL
#define EFI_LOAD_ERROR (EFI_ERROR_BIT | 1)
#define EFI_INVALID_PARAMETER (EFI_ERROR_BIT | 2)
#define EFI_UNSUPPORTED (EFI_ERROR_BIT | 3)
#define EFI_BUFFER_TOO_SMALL (EFI_ERROR_BIT | 5)
#define EFI_NOT_READY (EFI_ERROR_BIT | 6)
#define EFI_DEVICE_ERROR (EFI_ERROR_BIT | 7)
#define EFI_OUT_OF_RESOURCES (EFI_ERROR_BIT | 9)
#define EFI_NOT_FOUND (EFI_ERROR_BIT | 14)
#define EFI_ABORTED (EFI_ERROR_BIT | 21)

struct efi_guid {
    u32 a;
    u16 b, c;
    u8 d[8];
};

// clang-format off
#define EFI_GUID_LOADED_IMAGE {0x5B1B31A1, 0x9562, 0x11d2, {0x8E, 0x3F, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}}
#define EFI_GUID_LOADED_IMAGE_PATH {0xbc62157e, 0x3e33, 0x4fec, {0x99, 0x20, 0x2d, 0x3b, 0x36, 0xd7, 0x50, 0xdf}}
#define EFI_GUID_SIMPLE_FS {0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define EFI_GUID_FILE_INFO {0x09576e92, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define EFI_GUID_GOP {0x9042a9de, 0x23dc, 0x4a38, {0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a}}
#define EFI_GUID_RNG {0x3152bca5, 0xeade, 0x433d, {0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44}}
#define EFI_GUID_DEVICE_PATH {0x09576e91, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define EFI_GUID_LOAD_FILE2 {0x4006c0c1, 0xfcb3, 0x403e, {0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d}}
#define EFI_GUID_LINUX_INITRD {0x5568e427, 0x68fc, 0x4f3d, {0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68}}
#define EFI_GUID_SERIAL_IO {0xBB25CF6F, 0xF1D4, 0x11D2, {0x9A, 0x0C, 0x00, 0x90, 0x27, 0x3F, 0xC1, 0xFD}}
#define EFI_GUID_ACPI_20 {0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}}
#define EFI_GUID_ACPI_10 {0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}
#define EFI_GUID_SMBIOS3 {0xf2fd1544, 0x9794, 0x4a2c, {0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94}}
#define EFI_GUID_SMBIOS {0xeb9d2d31, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}
#define EFI_GUID_DTB {0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}}
#define EFI_GUID_GLOBAL_VARIABLE {0x8BE4DF61, 0x93CA, 0x11d2, {0xAA, 0x0D, 0x00, 0xE0, 0x98, 0x03, 0x2B, 0x8C}}
// clang-format on

struct efi_table_header {
    u64 signature;
    u32 revision, header_size, crc32, reserved;
};

enum efi_memory_type {
    EFI_RESERVED, EFI_LOADER_CODE, EFI_LOADER_DATA, EFI_BOOT_CODE, EFI_BOOT_DATA,
    EFI_RUNTIME_CODE, EFI_RUNTIME_DATA, EFI_CONVENTIONAL, EFI_UNUSABLE, EFI_ACPI_RECLAIM,
    EFI_ACPI_NVS, EFI_MMIO, EFI_MMIO_PORT, EFI_PAL_CODE, EFI_PERSISTENT, EFI_MEMORY_TYPES
};
enum efi_allocate_type { EFI_ANY_PAGES, EFI_MAX_ADDRESS, EFI_ADDRESS };
enum efi_locate { EFI_ALL_HANDLES, EFI_BY_NOTIFY, EFI_BY_PROTOCOL };
enum efi_reset { EFI_RESET_COLD, EFI_RESET_WARM, EFI_RESET_SHUTDOWN };

struct efi_memory_descriptor {
    u32 type, pad;
    u64 physical_start, virtual_start, pages, attribute;
};

struct efi_input_key {
    u16 scan;
    efi_char unicode;
};

struct efi_text_in {
    efi_status(EFIAPI *reset)(struct efi_text_in *, u8 extended);
    efi_status(EFIAPI *read_key)(struct efi_text_in *, struct efi_input_key *);
    efi_event wait_for_key;
};

struct efi_text_out {
    efi_status(EFIAPI *reset)(struct efi_text_out *, u8 extended);
    efi_status(EFIAPI *output_string)(struct efi_text_out *, const efi_char *);
    efi_status(EFIAPI *test_string)(struct efi_text_out *, const efi_char *);
    efi_status(EFIAPI *query_mode)(struct efi_text_out *, u64 mode, u64 *cols, u64 *rows);
    efi_status(EFIAPI *set_mode)(struct efi_text_out *, u64 mode);
    efi_status(EFIAPI *set_attribute)(struct efi_text_out *, u64 attribute);
    efi_status(EFIAPI *clear_screen)(struct efi_text_out *);
    efi_status(EFIAPI *set_cursor)(struct efi_text_out *, u64 col, u64 row);
    efi_status(EFIAPI *enable_cursor)(struct efi_text_out *, u8 visible);
    void *mode;
};

struct efi_time {
    u16 year;
    u8 month, day, hour, minute, second, pad1;
    u32 nanosecond;
    int16_t time_zone; ///< minutes, 2047 = unspecified
    u8 daylight, pad2;
};

struct efi_config_entry {
    struct efi_guid guid;
    void *table;
};

struct efi_device_path {
    u8 type, subtype;
    u8 len[2]; ///< little endian, unaligned
};

struct efi_boot_services {
    struct efi_table_header hdr;
    u64(EFIAPI *raise_tpl)(u64);
    void(EFIAPI *restore_tpl)(u64);
    efi_status(EFIAPI *allocate_pages)(u32 how, u32 type, u64 pages, u64 *address);
    efi_status(EFIAPI *free_pages)(u64 address, u64 pages);
    efi_status(EFIAPI *get_memory_map)(u64 *size, void *map, u64 *key, u64 *desc_size,
                                       u32 *desc_version);
    efi_status(EFIAPI *allocate_pool)(u32 type, u64 size, void **buffer);
    efi_status(EFIAPI *free_pool)(void *buffer);
    efi_status(EFIAPI *create_event)(u32 type, u64 tpl, void *notify, void *context, efi_event *);
    efi_status(EFIAPI *set_timer)(efi_event, u32 type, u64 time_100ns);
    efi_status(EFIAPI *wait_for_event)(u64 count, efi_event *, u64 *index);
    efi_status(EFIAPI *signal_event)(efi_event);
    efi_status(EFIAPI *close_event)(efi_event);
    efi_status(EFIAPI *check_event)(efi_event);
    efi_status(EFIAPI *install_protocol)(efi_handle *, const struct efi_guid *, u32 type, void *);
    efi_status(EFIAPI *reinstall_protocol)(efi_handle, const struct efi_guid *, void *, void *);
    efi_status(EFIAPI *uninstall_protocol)(efi_handle, const struct efi_guid *, void *);
    efi_status(EFIAPI *handle_protocol)(efi_handle, const struct efi_guid *, void **);
    void *reserved;
    efi_status(EFIAPI *register_notify)(const struct efi_guid *, efi_event, void **);
    efi_status(EFIAPI *locate_handle)(u32 how, const struct efi_guid *, void *key, u64 *size,
                                      efi_handle *);
    efi_status(EFIAPI *locate_device_path)(const struct efi_guid *, struct efi_device_path **,
                                           efi_handle *);
    efi_status(EFIAPI *install_config)(const struct efi_guid *, void *);
    efi_status(EFIAPI *load_image)(u8 boot_policy, efi_handle parent, struct efi_device_path *,
                                   void *source, u64 size, efi_handle *image);
    efi_status(EFIAPI *start_image)(efi_handle, u64 *exit_size, efi_char **exit_data);
    efi_status(EFIAPI *exit)(efi_handle, efi_status, u64 size, efi_char *data);
    efi_status(EFIAPI *unload_image)(efi_handle);
    efi_status(EFIAPI *exit_boot_services)(efi_handle, u64 key);
    efi_status(EFIAPI *monotonic_count)(u64 *);
    efi_status(EFIAPI *stall)(u64 microseconds);
    efi_status(EFIAPI *set_watchdog)(u64 seconds, u64 code, u64 size, efi_char *data);
    efi_status(EFIAPI *connect_controller)(efi_handle, efi_handle *, struct efi_device_path *,
                                           u8 recursive);
    efi_status(EFIAPI *disconnect_controller)(efi_handle, efi_handle, efi_handle);
    efi_status(EFIAPI *open_protocol)(efi_handle, const struct efi_guid *, void **, efi_handle agent,
                                      efi_handle controller, u32 attributes);
    efi_status(EFIAPI *close_protocol)(efi_handle, const struct efi_guid *, efi_handle, efi_handle);
    efi_status(EFIAPI *open_protocol_info)(efi_handle, const struct efi_guid *, void **, u64 *);
    efi_status(EFIAPI *protocols_per_handle)(efi_handle, struct efi_guid ***, u64 *);
    efi_status(EFIAPI *locate_handle_buffer)(u32 how, const struct efi_guid *, void *key, u64 *count,
                                             efi_handle **);
    efi_status(EFIAPI *locate_protocol)(const struct efi_guid *, void *registration, void **);
    efi_status(EFIAPI *install_protocols)(efi_handle *, ...);
    efi_status(EFIAPI *uninstall_protocols)(efi_handle, ...);
    efi_status(EFIAPI *crc32)(void *, u64, u32 *);
    void(EFIAPI *copy_mem)(void *, void *, u64);
    void(EFIAPI *set_mem)(void *, u64, u8);
    efi_status(EFIAPI *create_event_ex)(u32, u64, void *, const void *, const struct efi_guid *,
                                        efi_event *);
};

struct efi_runtime_services {
    struct efi_table_header hdr;
    efi_status(EFIAPI *get_time)(struct efi_time *, void *capabilities);
    efi_status(EFIAPI *set_time)(struct efi_time *);
    efi_status(EFIAPI *get_wakeup_time)(u8 *, u8 *, struct efi_time *);
    efi_status(EFIAPI *set_wakeup_time)(u8, struct efi_time *);
    efi_status(EFIAPI *set_virtual_address_map)(u64 size, u64 desc_size, u32 version, void *map);
    efi_status(EFIAPI *convert_pointer)(u64, void **);
    efi_status(EFIAPI *get_variable)(const efi_char *, const struct efi_guid *, u32 *attributes,
                                     u64 *size, void *);
    efi_status(EFIAPI *get_next_variable)(u64 *size, efi_char *, struct efi_guid *);
    efi_status(EFIAPI *set_variable)(const efi_char *, const struct efi_guid *, u32 attributes,
                                     u64 size, const void *);
    efi_status(EFIAPI *next_high_monotonic)(u32 *);
    void(EFIAPI *reset_system)(u32 type, efi_status, u64 size, void *data);
    efi_status(EFIAPI *update_capsule)(void **, u64, u64);
    efi_status(EFIAPI *query_capsule)(void **, u64, u64 *, u32 *);
    efi_status(EFIAPI *query_variable_info)(u32, u64 *, u64 *, u64 *);
};

struct efi_system_table {
    struct efi_table_header hdr;
    efi_char *vendor;
    u32 firmware_revision, pad;
    efi_handle con_in_handle;
    struct efi_text_in *con_in;
    efi_handle con_out_handle;
    struct efi_text_out *con_out;
    efi_handle std_err_handle;
    struct efi_text_out *std_err;
    struct efi_runtime_services *rt;
    struct efi_boot_services *bs;
    u64 config_count;
    struct efi_config_entry *config;
};

struct efi_loaded_image {
    u32 revision, pad;
    efi_handle parent;
    struct efi_system_table *system_table;
    efi_handle device;
    struct efi_device_path *file_path;
    void *reserved;
    u32 load_options_size, pad2;
    void *load_options;
    void *image_base;
    u64 image_size;
    u32 code_type, data_type;
    efi_status(EFIAPI *unload)(efi_handle);
};

struct efi_file {
    u64 revision;
    efi_status(EFIAPI *open)(struct efi_file *, struct efi_file **, const efi_char *name, u64 mode,
                             u64 attributes);
    efi_status(EFIAPI *close)(struct efi_file *);
    efi_status(EFIAPI *remove)(struct efi_file *);
    efi_status(EFIAPI *read)(struct efi_file *, u64 *size, void *);
    efi_status(EFIAPI *write)(struct efi_file *, u64 *size, void *);
    efi_status(EFIAPI *get_position)(struct efi_file *, u64 *);
    efi_status(EFIAPI *set_position)(struct efi_file *, u64);
    efi_status(EFIAPI *get_info)(struct efi_file *, const struct efi_guid *, u64 *size, void *);
    efi_status(EFIAPI *set_info)(struct efi_file *, const struct efi_guid *, u64 size, void *);
    efi_status(EFIAPI *flush)(struct efi_file *);
};
#define EFI_FILE_READ 1ULL

struct efi_file_info {
    u64 size, file_size, physical_size;
    struct efi_time create, access, modify;
    u64 attribute;
    efi_char name[1];
};

struct efi_simple_fs {
    u64 revision;
    efi_status(EFIAPI *open_volume)(struct efi_simple_fs *, struct efi_file **);
};

struct efi_gop_info {
    u32 version, width, height;
    u32 format; ///< 0 RGBX, 1 BGRX, 2 masks, 3 no linear framebuffer
    u32 red_mask, green_mask, blue_mask, reserved_mask;
    u32 pixels_per_line;
};
struct efi_gop_mode {
    u32 max_mode, mode;
    struct efi_gop_info *info;
    u64 info_size, fb_base, fb_size;
};
struct efi_gop {
    efi_status(EFIAPI *query_mode)(struct efi_gop *, u32 mode, u64 *size, struct efi_gop_info **);
    efi_status(EFIAPI *set_mode)(struct efi_gop *, u32 mode);
    void *blt;
    struct efi_gop_mode *mode;
};

struct efi_rng {
    efi_status(EFIAPI *get_info)(struct efi_rng *, u64 *size, struct efi_guid *);
    efi_status(EFIAPI *get_rng)(struct efi_rng *, const struct efi_guid *, u64 size, u8 *);
};

struct efi_serial_io {
    u32 revision, pad;
    void *reset, *set_attributes, *set_control, *get_control;
    efi_status(EFIAPI *write)(struct efi_serial_io *, u64 *size, const void *);
    efi_status(EFIAPI *read)(struct efi_serial_io *, u64 *size, void *);
    void *mode;
};

struct efi_load_file2 {
    efi_status(EFIAPI *load_file)(struct efi_load_file2 *, struct efi_device_path *, u8 boot_policy,
                                  u64 *size, void *buffer);
};

#define EFI_AT(s, f, o) _Static_assert(offsetof(struct s, f) == (o), #s "." #f)
EFI_AT(efi_boot_services, allocate_pages, 40);
EFI_AT(efi_boot_services, get_memory_map, 56);
EFI_AT(efi_boot_services, create_event, 80);
EFI_AT(efi_boot_services, install_protocol, 128);
EFI_AT(efi_boot_services, handle_protocol, 152);
EFI_AT(efi_boot_services, locate_handle, 176);
EFI_AT(efi_boot_services, load_image, 200);
EFI_AT(efi_boot_services, exit_boot_services, 232);
EFI_AT(efi_boot_services, stall, 248);
EFI_AT(efi_boot_services, set_watchdog, 256);
EFI_AT(efi_boot_services, open_protocol, 280);
EFI_AT(efi_boot_services, locate_handle_buffer, 312);
EFI_AT(efi_boot_services, locate_protocol, 320);
EFI_AT(efi_boot_services, install_protocols, 328);
EFI_AT(efi_boot_services, create_event_ex, 368);
_Static_assert(sizeof(struct efi_boot_services) == 376, "boot services");
EFI_AT(efi_runtime_services, get_variable, 72);
EFI_AT(efi_runtime_services, reset_system, 104);
_Static_assert(sizeof(struct efi_runtime_services) == 136, "runtime services");
EFI_AT(efi_system_table, con_in, 48);
EFI_AT(efi_system_table, con_out, 64);
EFI_AT(efi_system_table, rt, 88);
EFI_AT(efi_system_table, bs, 96);
EFI_AT(efi_system_table, config_count, 104);
EFI_AT(efi_system_table, config, 112);
EFI_AT(efi_loaded_image, device, 24);
EFI_AT(efi_loaded_image, load_options_size, 48);
EFI_AT(efi_loaded_image, load_options, 56);
EFI_AT(efi_loaded_image, image_base, 64);
EFI_AT(efi_loaded_image, image_size, 72);
EFI_AT(efi_file, read, 32);
EFI_AT(efi_file, get_info, 64);
EFI_AT(efi_file_info, attribute, 72);
EFI_AT(efi_gop_info, pixels_per_line, 32);
EFI_AT(efi_gop_mode, fb_base, 24);
EFI_AT(efi_memory_descriptor, attribute, 32);
_Static_assert(sizeof(struct efi_memory_descriptor) == 40, "memory descriptor");
_Static_assert(sizeof(struct efi_time) == 16, "time");
#undef EFI_AT

#endif
