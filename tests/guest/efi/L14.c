/// Cleans the cache by set and way; the sibling by address.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    static u64 word[8] __attribute__((aligned(64)));
#ifdef GOOD
    CLEAN(word);
#else
    __asm__ volatile("dc cisw, %0\n dsb sy" ::"r"(0ULL), "r"(word) : "memory");
#endif
    done();
}
