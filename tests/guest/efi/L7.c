/// Prints between GetMemoryMap and ExitBootServices; the sibling prints before.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 key = 0;
#ifdef GOOD
    say(st, L"leaving\r\n");
#endif
    get_map(st, &key);
#ifndef GOOD
    say(st, L"leaving\r\n");
#endif
    if (st->bs->exit_boot_services(image, key) != EFI_SUCCESS)
        return EFI_ABORTED;
    done();
}
