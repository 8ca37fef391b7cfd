/// ExitBootServices and everything between it and the kernel.
#include "loader.h"

/// The firmware refuses a stale map key, for instance when a timer event of its own allocated. The
/// cure is to ask again, with no other call in between: after the first refusal only GetMemoryMap
/// and ExitBootServices are allowed (UEFI Specification, "EFI_BOOT_SERVICES.ExitBootServices()").
bool leave_firmware(void *body, u64 cap, struct efi_map *m)
{
    for (int tries = 0; tries < 8; tries++) {
        m->size = cap;
        if (ld.bs->get_memory_map(&m->size, body, &m->key, &m->desc_size, &m->desc_version))
            return false;
        efi_status s = ld.bs->exit_boot_services(ld.image, m->key);
        if (!s)
            return true;
        if (s != EFI_INVALID_PARAMETER)
            return false;
    }
    return false;
}
