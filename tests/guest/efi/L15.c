/// Waits for a key with the watchdog armed; the sibling disarms it.
#include "app.h"

efi_status efi_main(efi_handle image, struct efi_system_table *st)
{
    u64 which;
    efi_event key = st->con_in->wait_for_key;
#ifdef GOOD
    st->bs->set_watchdog(0, 0, 0, 0);
#endif
    st->bs->wait_for_event(1, &key, &which);
    done();
}
