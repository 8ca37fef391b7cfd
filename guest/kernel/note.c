/// What this kernel asks for. The build makes variants of the kernel from different notes.
#include "../bridge/bbp.h"

#ifndef WANT_FLAGS
#define WANT_FLAGS (BBP_WANT_KASLR_OK | BBP_WANT_SYMS | BBP_WANT_FB)
#endif
#ifndef WANT_GRANULES
#define WANT_GRANULES BBP_GRANULE_4K
#endif
#ifndef WANT_LEVELS_MIN
#define WANT_LEVELS_MIN 0
#endif
#ifndef WANT_LEVELS_MAX
#define WANT_LEVELS_MAX 0
#endif
#if defined(__aarch64__)
#define WANT_ARCH 183
#else
#define WANT_ARCH 62
#endif

struct note {
    uint32_t name_size, desc_size, type;
    char name[4];
    struct bbp_want want;
};

__attribute__((section(".note.bbp"), used, aligned(4))) static const struct note note = {
    sizeof BBP_NOTE_NAME, sizeof(struct bbp_want), BBP_NOTE_TYPE, BBP_NOTE_NAME,
    {.major = BBP_MAJOR, .minor = BBP_MINOR, .size = sizeof(struct bbp_want), .arch = WANT_ARCH,
     .flags = WANT_FLAGS, .granule_mask = WANT_GRANULES, .levels_min = WANT_LEVELS_MIN, .levels_max = WANT_LEVELS_MAX,
     .stack_size = 65536,
     .required_tags = {1u << BBP_TAG_MEMMAP | 1u << BBP_TAG_CMDLINE}}};
