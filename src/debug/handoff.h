/// What is known of a boot through firmware that tells its phases (the tiny firmware): images, the type of
/// each page, the last memory map. Serves the hand-off lints L1..L15 and rows U1..U3.
#ifndef BRUIN_DEBUG_HANDOFF_H
#define BRUIN_DEBUG_HANDOFF_H

#include "debug/priv.h"
#include "boot/fwhost.h"

enum { HANDOFF_IMAGES = 16 };
/// Memory types of UEFI that matter here.
enum { EFI_BOOT_CODE_TYPE = 3, EFI_BOOT_DATA_TYPE, EFI_RUNTIME_CODE_TYPE, EFI_RUNTIME_DATA_TYPE, EFI_FREE_TYPE };

enum { STRIDES = 16 };

struct handoff {
    enum fwhost_phase phase;
    struct {
        char name[64];
        u64 base, size;
        bool is_linux; ///< has the header of an arm64 Image
    } image[HANDOFF_IMAGES];
    unsigned images;
    gpa_t ram;
    u64 pages;
    u8 *type; ///< [pages] of RAM, as the firmware's map has it
    u64 fw_vbar;
    u64 stack, stack_size; ///< of boot services
    bool entered; ///< the kernel's first page was fetched

    u64 map_key, map_caller, map_buffer, map_size, map_step;
    u64 changed_caller, changed_service;
    u64 printed_caller; ///< console output since the last GetMemoryMap; 0: none
    bool exit_failed;
    u64 el1_sctlr_pc;  ///< of a write to SCTLR_EL1 at EL2 after exit, while the MMU of EL2 was on
    u64 returned;      ///< status of the application that came back; 0: none, or success
    char returned_text[96];
    unsigned strides; ///< loads from the map so far
    struct {
        gpa_t pa;
        unsigned hits; ///< loads before it, each 40 bytes in front of the next
    } stride[STRIDES];
    bool map_watched;
    bool watchdog;     ///< armed

    struct {
        bool off, flushed;
        u64 ttbr0, ttbr1, tcr, mair;
    } mmu; ///< at the last SCTLR.M 1->0
};

/// "app.efi+0x1234" for addresses in an image, else "0x1234 symbol".
const char *handoff_where(struct explain *x, u64 pc, char *buf, size_t size);
/// An image's name is known for pc, and it is not the firmware's.
bool handoff_in_image(const struct handoff *h, u64 pc);
bool handoff_page_is(const struct handoff *h, gpa_t pa, unsigned type);

#endif
