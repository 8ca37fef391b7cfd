/// Uses a protocol whose pointer it never got.
#include "app.h"

struct protocol {
    u64 revision;
    u64 value;
};

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    struct protocol *volatile p = (struct protocol *)0x7000000000;
    say(st, L"null protocol\r\n");
    return p->value ? EFI_ABORTED : EFI_SUCCESS;
}
