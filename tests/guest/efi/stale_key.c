/// Allocates between GetMemoryMap and ExitBootServices: the key is stale.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 key = 0;
    void *p;
    say(st, L"stale key\r\n");
    get_map(st, &key);
    st->bs->allocate_pool(EFI_LOADER_DATA, 64, &p);
    if (st->bs->exit_boot_services(image, key) == EFI_SUCCESS)
        return EFI_ABORTED;
    done();
}
