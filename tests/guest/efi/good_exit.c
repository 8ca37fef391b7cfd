/// Leaves boot services as it should.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 key = 0;
    say(st, L"good exit\r\n");
    if (get_map(st, &key) != EFI_SUCCESS || st->bs->exit_boot_services(image, key) != EFI_SUCCESS)
        return EFI_ABORTED;
    done();
}
