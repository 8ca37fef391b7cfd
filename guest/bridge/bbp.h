/// BBP 1.0, the Bruin boot protocol: what a kernel asks for (an ELF note) and what it is given
/// (one block of information). docs/boot-protocol.md explains every field.
/// Freestanding C11; the same header serves loader, VMM, kernel and host tools. Little endian.
#ifndef BRIDGE_BBP_H
#define BRIDGE_BBP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BBP_MAJOR 1
#define BBP_MINOR 0

/// The note: PT_NOTE, name "BBP", type 1, payload struct bbp_want.
#define BBP_NOTE_NAME "BBP"
#define BBP_NOTE_TYPE 1

/// bbp_want.flags. A loader that does not know a flag refuses the kernel and names the bit.
enum bbp_want_flag {
    BBP_WANT_MMU_OFF = 1u << 0,   ///< aarch64: enter with the MMU off at the physical entry
    BBP_WANT_STAY_EL2 = 1u << 1,  ///< aarch64: stay at EL2 if the firmware runs there
    BBP_WANT_VHE = 1u << 2,       ///< aarch64: at EL2 set HCR_EL2.E2H; refused without FEAT_VHE
    BBP_WANT_KASLR_OK = 1u << 3,  ///< the image may be moved in virtual memory (ET_DYN only)
    BBP_WANT_NEED_DTB = 1u << 4,  ///< refuse to boot without a device tree
    BBP_WANT_NEED_ACPI = 1u << 5, ///< refuse to boot without an RSDP
    BBP_WANT_FB = 1u << 6,        ///< set a graphics mode if the firmware has one
    BBP_WANT_SYMS = 1u << 8,      ///< pass the symbol table
    BBP_WANT_FPU_ON = 1u << 9,    ///< enable FP/SIMD at entry
    BBP_WANT_PHYS_LINK = 1u << 10, ///< the image runs where it is loaded: virtual == physical
    BBP_WANT_KNOWN = ((1u << 11) - 1) & ~(1u << 7),
};

/// bbp_want.granule_mask
enum bbp_granule { BBP_GRANULE_4K = 1, BBP_GRANULE_16K = 2, BBP_GRANULE_64K = 4 };

struct bbp_want {
    uint16_t major, minor; ///< 1.0; another major is refused, a newer minor accepted
    uint16_t size;         ///< sizeof(struct bbp_want) of the kernel's header
    uint16_t arch;         ///< ELF e_machine: 183 aarch64, 62 x86_64
    uint32_t flags;        ///< enum bbp_want_flag
    uint8_t granule_mask;  ///< acceptable granules; 0 = 4K
    uint8_t levels_min;    ///< acceptable depth of the page tables; 0 = 4
    uint8_t levels_max;
    uint8_t reserved0;
    uint32_t stack_size;       ///< bytes; 0 = 64 KiB; rounded up to the granule
    uint32_t required_tags[4]; ///< bit t: refuse to boot if tag t cannot be given
    uint32_t reserved1;
    uint64_t hhdm_base; ///< where all RAM is mapped; 0 = the loader's choice
};

/// bbp_info.features: what was really done.
enum bbp_feature {
    BBP_FEAT_MMU_ON = 1u << 0,
    BBP_FEAT_KASLR = 1u << 1,
    BBP_FEAT_EL2 = 1u << 2,         ///< entered at EL2
    BBP_FEAT_VHE = 1u << 3,         ///< entered with HCR_EL2.E2H set
    BBP_FEAT_FROM_EL2 = 1u << 4,    ///< the firmware ran at EL2
    BBP_FEAT_FPU = 1u << 5,         ///< FP/SIMD enabled
    BBP_FEAT_SECURE_BOOT = 1u << 6, ///< the firmware verified the loader
    BBP_FEAT_VERIFIED = 1u << 7,    ///< every file with a hash in the configuration matched
    BBP_FEAT_NO_FIRMWARE = 1u << 8, ///< a VMM entered the kernel; no boot services ever ran
};

#define BBP_MAGIC "BBPINFO" /* 8 bytes with the NUL */

/// The block the kernel receives: x0 or rdi. Physically contiguous, page aligned; every address
/// in it is physical. With the MMU on the register holds hhdm_base + info_phys.
struct bbp_info {
    char magic[8];
    uint16_t major, minor;
    uint32_t header_size; ///< sizeof(struct bbp_info) of the writer
    uint32_t total_size;  ///< header, tag table and tag bodies
    uint32_t crc32c;      ///< of total_size bytes, this field taken as 0
    uint64_t features;    ///< enum bbp_feature
    uint64_t hhdm_base;   ///< 0 with the MMU off
    uint64_t info_phys;
    uint64_t kernel_phys, kernel_virt, kernel_size;
    uint64_t kaslr_slide; ///< kernel_virt minus the address the image was linked at
    uint32_t tag_count;
    uint32_t tag_off; ///< byte offset of struct bbp_tag[tag_count]
};

struct bbp_tag {
    uint32_t type;  ///< enum bbp_tag_type; skip what you do not know
    uint32_t flags; ///< 0 in 1.0
    uint32_t off;   ///< from the start of struct bbp_info, a multiple of 8
    uint32_t len;   ///< bytes
};

enum bbp_tag_type {
    BBP_TAG_MEMMAP = 1,
    BBP_TAG_EFI_MEMMAP = 2,
    BBP_TAG_FRAMEBUFFER = 3,
    BBP_TAG_RSDP = 4,
    BBP_TAG_SMBIOS = 5,
    BBP_TAG_DTB = 6,
    BBP_TAG_EFI_ST = 7,
    BBP_TAG_CMDLINE = 8, ///< UTF-8 with its NUL
    BBP_TAG_MODULE = 9,
    BBP_TAG_CPUS = 10,
    BBP_TAG_SYMBOLS = 11,
    BBP_TAG_KERNEL_FILE = 12,
    BBP_TAG_LOADER = 13,
    BBP_TAG_TIMES = 14,
    BBP_TAG_ENTROPY = 15, ///< 64 bytes, to be wiped by the kernel
    BBP_TAG_CONSOLE = 16,
    BBP_TAG_PAGING = 19,
    BBP_TAG_ENTRY_STATE = 20,
    BBP_TAG_LOG = 21, ///< what the loader printed, UTF-8 with its NUL
    BBP_TAG_VENDOR = 0x8000,
};

/// Head of every tag that is an array: step by entry_size, which may grow.
struct bbp_list {
    uint32_t entry_size, count;
};

enum bbp_mem_type {
    BBP_MEM_USABLE = 1,
    BBP_MEM_LOADER = 2, ///< free once the kernel has its own tables and stack and read this block
    BBP_MEM_KERNEL = 3,
    BBP_MEM_MODULE = 4,
    BBP_MEM_ACPI_RECLAIM = 5,
    BBP_MEM_ACPI_NVS = 6,
    BBP_MEM_EFI_RUNTIME = 7,
    BBP_MEM_FRAMEBUFFER = 8,
    BBP_MEM_MMIO = 9,
    BBP_MEM_RESERVED = 10,
    BBP_MEM_BAD = 11,
};

/// TAG_MEMMAP: struct bbp_list, then these; sorted by base, disjoint, equal neighbours merged.
struct bbp_mem {
    uint64_t base, len; ///< multiples of 4096
    uint32_t type;      ///< enum bbp_mem_type
    uint32_t efi_type;  ///< EFI_MEMORY_TYPE, or 0xFFFFFFFF without a firmware
    uint64_t attr;      ///< EFI memory attributes
};

/// TAG_EFI_MEMMAP: this head, then the firmware's descriptors as they came.
struct bbp_efi_map {
    uint32_t desc_size, desc_version, map_size, reserved;
};

/// TAG_FRAMEBUFFER: struct bbp_list, then these.
struct bbp_framebuffer {
    uint64_t phys, len;
    uint32_t width, height;
    uint32_t pitch; ///< bytes from one line to the next
    uint16_t bpp, reserved;
    uint8_t red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits, pad[2];
};

/// TAG_RSDP, TAG_SMBIOS, TAG_DTB, TAG_EFI_ST, TAG_KERNEL_FILE: where the thing lies.
struct bbp_blob {
    uint64_t phys;
    uint64_t len; ///< 0 if unknown
};

/// TAG_MODULE: struct bbp_list, then these. The offsets count from the start of bbp_info.
struct bbp_module {
    uint64_t phys, len;
    uint32_t path_off, string_off; ///< UTF-8 with NUL
    uint8_t sha256[32];
};

enum bbp_cpu_method { BBP_CPU_BOOT = 0, BBP_CPU_PSCI = 1, BBP_CPU_APIC = 2 };

/// TAG_CPUS: struct bbp_list, then these; entry 0 is the CPU that boots.
struct bbp_cpu {
    uint32_t index, method; ///< enum bbp_cpu_method
    uint64_t hw_id;         ///< MPIDR affinity or APIC id
    uint64_t park;          ///< reserved
};

/// TAG_SYMBOLS: Elf64_Sym[] and its strings; values are link addresses, add kaslr_slide.
struct bbp_symbols {
    uint64_t symtab_phys, symtab_len, strtab_phys, strtab_len;
};

struct bbp_loader {
    char name[32], version[16];
    uint8_t build_id[16];
};

/// TAG_TIMES: counter values (CNTVCT_EL0 or TSC); 0 = not known.
struct bbp_times {
    uint64_t freq_hz, loader_entry, exit_boot, jump, wall_clock_s;
};

enum bbp_console_type { BBP_CON_NONE = 0, BBP_CON_PL011 = 1, BBP_CON_16550 = 2, BBP_CON_IO16550 = 3 };

struct bbp_console {
    uint32_t type;      ///< enum bbp_console_type
    uint32_t reg_shift; ///< registers lie 1 << reg_shift bytes apart
    uint64_t base;      ///< physical address or I/O port
    uint32_t irq;       ///< GIC interrupt id or ISA line; 0 if unknown
    uint32_t reserved;
};

/// TAG_PAGING: the tables in force at entry.
struct bbp_paging {
    uint64_t root_low, root_high; ///< TTBR0/TTBR1, or CR3 twice
    uint32_t levels, granule;     ///< granule in bytes
    uint64_t mair, tcr;
};

/// TAG_ENTRY_STATE: the processor as the loader found it and as it left it.
struct bbp_entry_state {
    uint32_t entry_el, firmware_el; ///< 0 on x86_64
    uint64_t fw_sctlr, fw_tcr;      ///< SCTLR and TCR of the firmware's level; CR0 and CR4
    uint64_t fw_hcr;                ///< HCR_EL2 if at EL2; EFER
    uint64_t fw_vbar;
};

#define BBP_AT(s, f, o) _Static_assert(offsetof(struct s, f) == (o), #s "." #f)
#define BBP_IS(s, n) _Static_assert(sizeof(struct s) == (n), #s)
BBP_AT(bbp_want, major, 0); BBP_AT(bbp_want, minor, 2); BBP_AT(bbp_want, size, 4);
BBP_AT(bbp_want, arch, 6); BBP_AT(bbp_want, flags, 8); BBP_AT(bbp_want, granule_mask, 12);
BBP_AT(bbp_want, levels_min, 13); BBP_AT(bbp_want, levels_max, 14);
BBP_AT(bbp_want, stack_size, 16); BBP_AT(bbp_want, required_tags, 20);
BBP_AT(bbp_want, hhdm_base, 40); BBP_IS(bbp_want, 48);
BBP_AT(bbp_info, magic, 0); BBP_AT(bbp_info, major, 8); BBP_AT(bbp_info, minor, 10);
BBP_AT(bbp_info, header_size, 12); BBP_AT(bbp_info, total_size, 16); BBP_AT(bbp_info, crc32c, 20);
BBP_AT(bbp_info, features, 24); BBP_AT(bbp_info, hhdm_base, 32); BBP_AT(bbp_info, info_phys, 40);
BBP_AT(bbp_info, kernel_phys, 48); BBP_AT(bbp_info, kernel_virt, 56);
BBP_AT(bbp_info, kernel_size, 64); BBP_AT(bbp_info, kaslr_slide, 72);
BBP_AT(bbp_info, tag_count, 80); BBP_AT(bbp_info, tag_off, 84); BBP_IS(bbp_info, 88);
BBP_AT(bbp_tag, type, 0); BBP_AT(bbp_tag, flags, 4); BBP_AT(bbp_tag, off, 8);
BBP_AT(bbp_tag, len, 12); BBP_IS(bbp_tag, 16);
BBP_AT(bbp_mem, base, 0); BBP_AT(bbp_mem, len, 8); BBP_AT(bbp_mem, type, 16);
BBP_AT(bbp_mem, efi_type, 20); BBP_AT(bbp_mem, attr, 24); BBP_IS(bbp_mem, 32);
BBP_AT(bbp_efi_map, map_size, 8); BBP_IS(bbp_efi_map, 16);
BBP_AT(bbp_framebuffer, phys, 0); BBP_AT(bbp_framebuffer, len, 8);
BBP_AT(bbp_framebuffer, width, 16); BBP_AT(bbp_framebuffer, height, 20);
BBP_AT(bbp_framebuffer, pitch, 24); BBP_AT(bbp_framebuffer, bpp, 28);
BBP_AT(bbp_framebuffer, red_shift, 32); BBP_IS(bbp_framebuffer, 40);
BBP_AT(bbp_blob, phys, 0); BBP_AT(bbp_blob, len, 8); BBP_IS(bbp_blob, 16);
BBP_AT(bbp_module, phys, 0); BBP_AT(bbp_module, len, 8); BBP_AT(bbp_module, path_off, 16);
BBP_AT(bbp_module, string_off, 20); BBP_AT(bbp_module, sha256, 24); BBP_IS(bbp_module, 56);
BBP_AT(bbp_cpu, index, 0); BBP_AT(bbp_cpu, method, 4); BBP_AT(bbp_cpu, hw_id, 8);
BBP_AT(bbp_cpu, park, 16); BBP_IS(bbp_cpu, 24);
BBP_AT(bbp_symbols, symtab_phys, 0); BBP_AT(bbp_symbols, symtab_len, 8);
BBP_AT(bbp_symbols, strtab_phys, 16); BBP_AT(bbp_symbols, strtab_len, 24); BBP_IS(bbp_symbols, 32);
BBP_AT(bbp_loader, version, 32); BBP_AT(bbp_loader, build_id, 48); BBP_IS(bbp_loader, 64);
BBP_AT(bbp_times, freq_hz, 0); BBP_AT(bbp_times, loader_entry, 8); BBP_AT(bbp_times, exit_boot, 16);
BBP_AT(bbp_times, jump, 24); BBP_AT(bbp_times, wall_clock_s, 32); BBP_IS(bbp_times, 40);
BBP_AT(bbp_console, type, 0); BBP_AT(bbp_console, reg_shift, 4); BBP_AT(bbp_console, base, 8);
BBP_AT(bbp_console, irq, 16); BBP_IS(bbp_console, 24);
BBP_AT(bbp_paging, root_low, 0); BBP_AT(bbp_paging, root_high, 8); BBP_AT(bbp_paging, levels, 16);
BBP_AT(bbp_paging, granule, 20); BBP_AT(bbp_paging, mair, 24); BBP_AT(bbp_paging, tcr, 32);
BBP_IS(bbp_paging, 40);
BBP_AT(bbp_entry_state, entry_el, 0); BBP_AT(bbp_entry_state, firmware_el, 4);
BBP_AT(bbp_entry_state, fw_sctlr, 8); BBP_AT(bbp_entry_state, fw_tcr, 16);
BBP_AT(bbp_entry_state, fw_hcr, 24); BBP_AT(bbp_entry_state, fw_vbar, 32);
BBP_IS(bbp_entry_state, 40);
_Static_assert(sizeof(struct bbp_list) == 8, "bbp_list");
#undef BBP_AT
#undef BBP_IS

/// Checks a whole information block before anything in it is used: magic, version, sizes, CRC,
/// the bounds of every tag, of every array and of every string in it.
/// in   block  the bytes of the block, 8-byte aligned
/// in   cap    how many bytes may be read at most
/// ret  NULL if sound, else a constant text naming the first fault
const char *bbp_check(const void *block, uint64_t cap);

/// Finds a tag of a checked block.
/// out  len  its bytes; may be NULL
/// ret  the body, or NULL if absent
const void *bbp_find(const struct bbp_info *info, uint32_t type, uint32_t *len);

#endif
