/// Boot sources: what a file is, unpacking it, and where image, DTB and initrd go in guest memory.
/// Everything up to boot_plan works on byte buffers and needs no machine. All input is hostile.
#ifndef BRUIN_BOOT_H
#define BRUIN_BOOT_H

#include "base/base.h"
#include "mem/mem.h"
#include "os/os.h"

/// What a file holds, told from its content.
enum boot_format {
    BOOT_EMPTY,
    BOOT_IMAGE,   ///< arm64 Image (Linux, and everything that borrows its header)
    BOOT_ELF,     ///< ELF of any kind; boot_elf_parse judges
    BOOT_ZBOOT,   ///< EFI application that holds a compressed Image ("zimg")
    BOOT_EFI,     ///< PE/COFF
    BOOT_GZIP,
    BOOT_ZSTD,
    BOOT_LZ4,
    BOOT_LZ4_LEGACY, ///< the framing of `lz4 -l`, which the kernel build uses
    BOOT_XZ,
    BOOT_LZMA,
    BOOT_BZIP2,
    BOOT_DTB,  ///< flattened device tree or FIT
    BOOT_DISK, ///< GPT, MBR, ISO 9660
    BOOT_QCOW2,
    BOOT_CPIO,
    BOOT_FOREIGN, ///< known, and of no use here: boot_format_name says what
    BOOT_TEXT,
    BOOT_RAW, ///< nothing known
};

/// ret  a short name for people: "arm64 Image", "x86 Linux bzImage", ...
enum boot_format boot_detect(const void *data, u64 len, const char **name);

/// Bytes with a name. Unless `heap`, the bytes are someone else's.
struct blob {
    const char *name;
    const u8 *data;
    u64 len;
    void *heap; ///< to be freed by blob_free, or NULL
    struct os_file file; ///< open when data is a file's
};
void blob_free(struct blob *b);
/// Opens a file read-only; its bytes stay valid until blob_free. path is borrowed as the name.
MUST_USE bool blob_open(struct blob *b, const char *path, struct err *e);

/// Nothing unpacks to more than this.
#define BOOT_UNPACK_MAX (1ULL * GIB)

/// Decompresses one layer of a known compression format.
/// in   cap  most bytes to produce
/// out  out  heap bytes; zeroed on failure
/// ret  false: not this format, truncated, corrupt or larger than cap, each with its message
MUST_USE bool boot_decompress(const struct blob *in, enum boot_format fmt, u64 cap,
                              struct blob *out, struct err *e);

/// The payload of an EFI zboot image.
struct zboot {
    u64 off, len;
    char method[33];
    enum boot_format fmt;
};
MUST_USE bool boot_zboot_parse(const struct blob *in, struct zboot *z, struct err *e);

enum { BOOT_LAYERS_MAX = 4 };
/// Unpacks until something bootable appears. `in` must outlive `out`, which may borrow from it.
/// out  how  "gzip 9.1 -> 33.4 MB", empty when nothing was packed
MUST_USE bool boot_unpack(const struct blob *in, u64 cap, struct blob *out, char how[96],
                          struct err *e);

/// arm64 Image header: Linux "Booting AArch64 Linux".
struct boot_image {
    u64 text_offset, image_size; ///< image_size as used: never 0
    u64 image_size_field, flags;
    unsigned page_kib; ///< 4, 16, 64 or 0 when unspecified
    bool anywhere;     ///< flags bit 3
    bool has_pe;       ///< also an EFI application
    char version[80];  ///< "6.1.0-18-arm64" when the banner was found, else empty
};
MUST_USE bool boot_image_parse(const struct blob *in, struct boot_image *im, struct err *e);
/// Looks for "Linux version " in the image. Costs a scan, so it is apart.
void boot_image_version(const struct blob *in, char version[80]);

enum { BOOT_SEGS_MAX = 64 };
struct boot_seg {
    char what[24]; ///< "Image", "PT_LOAD 2", "initrd", "DTB", "--load 1"
    gpa_t gpa;
    gva_t va;
    u64 off, file_len, mem_len; ///< off into the blob; mem_len >= file_len, the rest is zero
    u32 flags;                  ///< PF_X 1, PF_W 2, PF_R 4
};
struct boot_elf {
    struct boot_seg seg[BOOT_SEGS_MAX];
    unsigned seg_count;
    u64 e_entry;
    gpa_t entry;         ///< physical
    bool entry_virtual;  ///< e_entry was translated
    bool paddr_from_va;  ///< all p_paddr are 0: p_vaddr used
    bool is_linux;       ///< vmlinux: virtual p_paddr with an Image header in front; gpa is relative
    struct boot_image image;
};
MUST_USE bool boot_elf_parse(const struct blob *in, struct boot_elf *elf, struct err *e);

/// PE/COFF: EFI applications.
struct boot_pe {
    u16 machine, subsystem;
    u64 file_end; ///< where the contents of its sections end
    const char *machine_name, *kind; ///< for people
};
MUST_USE bool boot_pe_parse(const struct blob *in, struct boot_pe *pe, struct err *e);

/// A disk image: its partitions, and what firmware would start from it.
struct boot_part {
    u64 off, len; ///< bytes
    const char *kind;
    bool is_esp;
};
struct boot_disk {
    const char *table;
    struct boot_part part[32];
    unsigned part_count;
    bool is_bootable;   ///< an AArch64 loader stands where firmware looks
    char verdict[160];  ///< that loader, or what is missing
};
/// ret  false when there is neither a partition table nor a FAT volume
bool boot_disk_parse(const struct blob *in, struct boot_disk *d);

/// Bytes at an address: --load FILE@ADDR, or a flat kernel.
struct boot_flat {
    struct blob blob;
    gpa_t gpa;
};
enum { BOOT_INITRDS_MAX = 16, BOOT_FLATS_MAX = 16 };

struct boot_request {
    struct blob kernel; ///< unpacked; len 0 when only `flat` is given
    struct blob initrd[BOOT_INITRDS_MAX];
    unsigned initrd_count;
    struct boot_flat flat[BOOT_FLATS_MAX];
    unsigned flat_count;
    bool kernel_has_addr; ///< the kernel is a flat binary for kernel_addr
    gpa_t kernel_addr;
    bool has_entry, has_dtb_addr;
    gpa_t entry, dtb_addr;
    u64 dtb_len; ///< size of a DTB given by the user, or 0: one is made later, within dtb_max
    gpa_t ram_base;
    u64 ram_size;
};

enum boot_kind { BOOT_KIND_IMAGE, BOOT_KIND_ELF, BOOT_KIND_FLAT };
struct boot_plan {
    enum boot_kind kind;
    struct boot_seg seg[BOOT_SEGS_MAX]; ///< of the kernel
    unsigned seg_count;
    struct boot_image image; ///< kind IMAGE, or vmlinux
    gpa_t entry, load_base;
    gpa_t dtb;
    u64 dtb_max; ///< room reserved there
    gpa_t initrd;
    u64 initrd_len; ///< all of them, each padded to 4 bytes
    bool entry_virtual;
    bool is_guess;       ///< raw binary without address: placed by convention
};
#define BOOT_DTB_MAX (2 * MIB)

/// Places everything, or says which two things collide or what does not fit.
MUST_USE bool boot_plan(const struct boot_request *r, struct boot_plan *p, struct err *e);
/// Copies kernel, flats and initrds into guest memory as planned; bss is zeroed.
MUST_USE bool boot_load(const struct boot_request *r, const struct boot_plan *p, struct mem *m,
                        struct err *e);

/// Load-time lints. Each finding is one line, handed to `say` with its catalogue id ("F18").
struct boot_lint_in {
    const struct boot_request *req;
    const struct boot_plan *plan;
    const char *cmdline;
    u64 mmfr0;    ///< ID_AA64MMFR0_EL1 of the CPU model
    bool has_disk; ///< a block device is present
    bool is_strict; ///< --lint=strict: guesses are told, too
};
/// A kernel of the size of Linux; smaller Images are other kernels. Old ones have 0 in image_size.
bool boot_is_linux_sized(const struct boot_plan *p);
void boot_lint(const struct boot_lint_in *in, void (*say)(void *ctx, const char *id, const char *msg),
               void *ctx);

/// Symbols of an ELF file, or of a System.map text: sorted by address.
struct symtab;
struct sym {
    u64 addr, size;
    const char *name;
    char type; ///< 'T' text, 'D' data, '?' other
};
/// ret  NULL with a message; an ELF without a symbol table is an empty table, not an error
struct symtab *symtab_load(const void *data, u64 len, const char *name, struct err *e);
/// An empty table for names of so many bytes, ends included; symtab_finish makes it ready for use.
struct symtab *symtab_new(u64 names_room);
void symtab_add(struct symtab *t, u64 addr, u64 size, const char *name, char type);
void symtab_finish(struct symtab *t);
/// The symbols a Linux image carries (kallsyms), with addresses relative to its first byte.
/// out  base  virtual address of its first byte: where it runs, or where it is linked for; 0: not known
/// ret  NULL when there are none
struct symtab *kallsyms_find(const void *image, u64 len, u64 *base);
void symtab_free(struct symtab *t);
u64 symtab_count(const struct symtab *t);
const struct sym *symtab_at(const struct symtab *t, u64 index);
/// The symbol that covers addr (or the nearest below within 16 MiB when sizes are unknown).
/// out  off  addr - symbol address. ret  NULL when none
const struct sym *symtab_by_addr(const struct symtab *t, u64 addr, u64 *off);
const struct sym *symtab_by_name(const struct symtab *t, const char *name);

#endif
