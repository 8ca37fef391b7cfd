/// Steps through the map by sizeof instead of DescriptorSize.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 size = sizeof map, key, step, free = 0;
    u32 version;
    st->bs->get_memory_map(&size, map, &key, &step, &version);
#ifndef GOOD
    step = sizeof(struct efi_memory_descriptor);
#endif
    for (u64 at = 0; at + sizeof(struct efi_memory_descriptor) <= size; at += step)
        free += *(volatile u32 *)(map + at) == EFI_CONVENTIONAL;
    if (st->bs->exit_boot_services(image, key) != EFI_SUCCESS || free > 1000)
        return EFI_ABORTED;
    done();
}
