/// The first stage: what is on disk. It unpacks the loader proper, a complete EFI application, and asks
/// the firmware to load and start it, so the firmware gives its code pages the rights of code: nothing
/// here ever needs memory that is writable and executable. docs/adr/0014-packed-loader.md.
#include "../bridge/uefi.h"
#include "../bridge/unpack.h"

extern const u8 packed_start[], packed_end[];
static struct pack_model model;
static const struct efi_guid loaded_guid = EFI_GUID_LOADED_IMAGE;
static const struct efi_guid full_path_guid = EFI_GUID_LOADED_IMAGE_PATH;

static void print(struct efi_system_table *st, const efi_char *text)
{
    if (st->con_out)
        st->con_out->output_string(st->con_out, text);
}

static efi_status give_up(struct efi_system_table *st, const efi_char *what, efi_status s)
{
    static const efi_char digits[] = u"0123456789abcdef";
    efi_char status[] = u"0x0000000000000000\r\n";
    for (int i = 0; i < 16; i++)
        status[17 - i] = digits[s >> 4 * i & 15];
    print(st, u"loader: ERROR: ");
    print(st, what);
    print(st, u": status ");
    print(st, status);
    return s;
}

/// The second stage comes from the same volume and gets the same options.
static void hand_on(struct efi_boot_services *bs, efi_handle self, efi_handle child)
{
    struct efi_loaded_image *mine = NULL, *its = NULL;
    if (bs->handle_protocol(self, &loaded_guid, (void **)&mine) || !mine ||
        bs->handle_protocol(child, &loaded_guid, (void **)&its) || !its)
        return;
    its->device = mine->device;
    its->file_path = mine->file_path;
    its->load_options = mine->load_options;
    its->load_options_size = mine->load_options_size;
}

efi_status EFIAPI efi_main(efi_handle self, struct efi_system_table *st)
{
    struct efi_boot_services *bs = st->bs;
    struct efi_device_path *path = NULL;
    efi_handle child = NULL;
    u64 at = 0, size = br_packed_size(packed_start, (u64)(packed_end - packed_start));
    efi_status s = bs->allocate_pages(EFI_ANY_PAGES, EFI_LOADER_DATA, br_up(size, 4096) / 4096, &at);
    if (s)
        return give_up(st, u"no memory to unpack the loader", s);
    if (!br_unpack(packed_start, (u64)(packed_end - packed_start), (u8 *)(uintptr_t)at, &model))
        return give_up(st, u"this file is damaged; copy it again", EFI_LOAD_ERROR);
    if (bs->handle_protocol(self, &full_path_guid, (void **)&path))
        path = NULL;
    s = bs->load_image(0, self, path, (void *)(uintptr_t)at, size, &child);
    bs->free_pages(at, br_up(size, 4096) / 4096);
    if (s)
        return give_up(st, u"the firmware does not load the unpacked loader", s);
    hand_on(bs, self, child);
    return bs->start_image(child, NULL, NULL);
}
