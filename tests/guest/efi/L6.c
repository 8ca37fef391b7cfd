/// A page that the map has as free is written; the sibling allocates it.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 at = pages(st, EFI_LOADER_DATA, 1);
#ifndef GOOD
    st->bs->free_pages(at, 1);
#endif
    *(volatile u64 *)at = 1;
    done();
}
