/// ExitBootServices with a key that GetMemoryMap never gave, and a return with an error.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 key = 0;
    say(st, u"APP-DONE\r\n");
    return get_map(st, &key) ? EFI_ABORTED : st->bs->exit_boot_services(image, key + 5);
}
