/// A program to be chain-loaded by tests: prints its options and returns.
#include "../bridge/uefi.h"

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *st)
{
    static const struct efi_guid loaded = EFI_GUID_LOADED_IMAGE;
    static const efi_char text[] = u"hello from a chained program: ", end[] = u"\r\n";
    struct efi_loaded_image *li = NULL;
    st->con_out->output_string(st->con_out, text);
    if (!st->bs->handle_protocol(image, &loaded, (void **)&li) && li->load_options)
        st->con_out->output_string(st->con_out, li->load_options);
    st->con_out->output_string(st->con_out, end);
    return EFI_SUCCESS;
}
