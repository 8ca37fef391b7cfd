/// A console service after ExitBootServices failed; the sibling only gets the map again.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 key = 0;
    get_map(st, &key);
#ifndef GOOD
    if (st->bs->exit_boot_services(image, key + 1000) == EFI_SUCCESS)
        return EFI_ABORTED;
    say(st, L"once more\r\n");
    get_map(st, &key);
#endif
    if (st->bs->exit_boot_services(image, key) != EFI_SUCCESS)
        return EFI_ABORTED;
    done();
}
