/// Calls a boot service after ExitBootServices.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    struct efi_boot_services *bs = st->bs;
    u64 key = 0, at = 0;
    get_map(st, &key);
    if (bs->exit_boot_services(image, key) != EFI_SUCCESS)
        return EFI_ABORTED;
    bs->allocate_pages(EFI_ANY_PAGES, EFI_LOADER_DATA, 1, &at);
    done();
}
