/// Sums up memory by the PhysicalStart and NumberOfPages fields, stepping by sizeof instead of DescriptorSize.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 size = sizeof map, key, step, top = 0;
    u32 version;
    st->bs->get_memory_map(&size, map, &key, &step, &version);
#ifndef GOOD
    step = sizeof(struct efi_memory_descriptor);
#endif
    for (u64 at = 0; at + sizeof(struct efi_memory_descriptor) <= size; at += step)
        top |= *(volatile u64 *)(map + at + 8) + *(volatile u64 *)(map + at + 24);
    if (st->bs->exit_boot_services(image, key) != EFI_SUCCESS || top == 1)
        return EFI_ABORTED;
    done();
}
