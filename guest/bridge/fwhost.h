/// The small paravirtual device between the tiny firmware and the VMM: files, disks, what to boot, and
/// what happens. One page of registers; the guest writes the physical address of a request to the
/// doorbell and finds the answer in the request when the store is done.
#ifndef BRIDGE_FWHOST_H
#define BRIDGE_FWHOST_H

#include <stdint.h>

#define FWHOST_BASE 0x0b000000ULL ///< on the virt board
#define FWHOST_SIZE 0x1000ULL
#define FWHOST_MAGIC 0x53484657u  ///< "WFHS" at FWHOST_REG_MAGIC, 32 bits, read-only
#define FWHOST_REG_MAGIC 0x00
#define FWHOST_REG_DOORBELL 0x08  ///< 64 bits, write-only: physical address of a struct fwhost_req

enum fwhost_op {
    FWHOST_BOOTINFO = 1, ///< a[0] buffer, a[1] its size: struct fwhost_bootinfo
    FWHOST_OPEN,         ///< a[0] path (UTF-8, NUL, '/'), a[1] volume; out a[2] handle, a[3] size, a[4] flags, a[5] mtime
    FWHOST_READ,         ///< a[0] handle, a[1] offset, a[2] buffer, a[3] length; out a[4] bytes read
    FWHOST_READDIR,      ///< a[0] handle, a[1] index, a[2] buffer: struct fwhost_dirent; NOT_FOUND past the last
    FWHOST_CLOSE,        ///< a[0] handle
    FWHOST_DISK_INFO,    ///< a[0] disk; out a[1] sectors of 512 bytes, a[2] 1 = read-only
    FWHOST_DISK_READ,    ///< a[0] disk, a[1] sector, a[2] buffer, a[3] sectors
    FWHOST_DISK_WRITE,
    FWHOST_EVENT,        ///< a[0] enum fwhost_event, a[1].. as that says: for the explainer
};
enum fwhost_status { FWHOST_OK = 0, FWHOST_NOT_FOUND, FWHOST_BAD_REQUEST, FWHOST_IO_ERROR, FWHOST_READ_ONLY };
enum { FWHOST_IS_DIR = 1 };

struct fwhost_req {
    uint32_t op, status;
    uint64_t a[6];
};
_Static_assert(sizeof(struct fwhost_req) == 56, "request");

struct fwhost_dirent {
    uint64_t size, mtime, flags;
    char name[256]; ///< UTF-8, NUL
};
_Static_assert(sizeof(struct fwhost_dirent) == 280, "directory entry");

/// What the firmware knows of the machine. Addresses are physical.
struct fwhost_bootinfo {
    uint32_t size, version;      ///< sizeof, 1
    uint64_t ram_base, ram_size;
    uint64_t dtb, dtb_size;      ///< 0: none
    uint64_t initrd, initrd_size;
    uint64_t disks, volumes;
    uint64_t seed;               ///< randomness for the RNG protocol
    uint64_t acpi, acpi_size;    ///< ACPI tables, the RSDP first; 0: none
    /* Chaos: zero is the friendly default. */
    uint32_t refuse_exits;       ///< ExitBootServices fails so many times although the key is right
    uint32_t descriptor_size;    ///< of the memory map; 0 = 48
    uint32_t strict_nx;          ///< loader code is not executable either
    uint32_t t0sz;               ///< 0 = 16
    uint32_t poison;             ///< fill allocated memory with garbage
    uint32_t vhe;                ///< at EL2: HCR_EL2.E2H and TGE are set
    uint32_t no_gop;             ///< no graphics even if the machine has a framebuffer
    uint32_t hole_count;         ///< memory that is taken, see hole[]
    uint64_t hole[8][2];         ///< start, bytes
    char app[512];               ///< path of the application, UTF-8; empty: the removable-media path
    char options[1024];          ///< its command line, UTF-8
};

enum fwhost_event {
    FWHOST_EV_PHASE = 1,   ///< a[1] enum fwhost_phase, a[2] caller; APP: a[3] stack, a[4] its bytes. A TLBI follows
    FWHOST_EV_IMAGE,       ///< a[1] base, a[2] size, a[3] entry, a[4] path (UTF-8)
    FWHOST_EV_MAP,         ///< GetMemoryMap: a[1] key, a[2] caller, a[3] buffer, a[4] bytes << 16 | step
    FWHOST_EV_MAP_CHANGED, ///< a[1] new key, a[2] caller, a[3] enum fwhost_service
    FWHOST_EV_EXIT_TRY,    ///< ExitBootServices: a[1] key given, a[2] key wanted, a[3] caller, a[4] status
    FWHOST_EV_AFTER_EXIT,  ///< a boot service was called after exit: a[1] enum fwhost_service, a[2] caller
    FWHOST_EV_FAULT,       ///< exception in boot services time: a[1] ESR, a[2] ELR, a[3] FAR
    FWHOST_EV_RETURNED,    ///< the application came back: a[1] its status, a[2] 1 = there was none
    FWHOST_EV_MEMORY,      ///< pages got a type: a[1] start, a[2] pages, a[3] type
    FWHOST_EV_SERVICE,     ///< between GetMemoryMap and exit: a[1] enum fwhost_service, a[2] caller
    FWHOST_EV_WATCHDOG,    ///< a[1] seconds, 0 = off
    FWHOST_EV_WAIT_KEY,    ///< WaitForEvent for a key and nothing else: a[2] caller
};
enum fwhost_phase { FWHOST_PHASE_START = 1, FWHOST_PHASE_APP, FWHOST_PHASE_EXITED };
enum fwhost_service {
    FWHOST_SVC_ALLOCATE_PAGES = 1, FWHOST_SVC_FREE_PAGES, FWHOST_SVC_ALLOCATE_POOL, FWHOST_SVC_FREE_POOL,
    FWHOST_SVC_GET_MEMORY_MAP, FWHOST_SVC_LOAD_IMAGE, FWHOST_SVC_START_IMAGE, FWHOST_SVC_HANDLE, FWHOST_SVC_EVENT,
    FWHOST_SVC_CONSOLE, FWHOST_SVC_EXIT_BOOT_SERVICES, FWHOST_SVC_OTHER,
    FWHOST_SVC_STALL, FWHOST_SVC_FILE, FWHOST_SVC_BLOCK,
};

#endif
