/// Prints by ConOut when boot services are gone.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    if (!leave(image, st))
        return EFI_ABORTED;
    say(st, u"still here\r\n");
    done();
}
