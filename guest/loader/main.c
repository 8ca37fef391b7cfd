/// The loader's way: volume, configuration, choice, boot. docs/boot.md tells the whole story.
#include "loader.h"

struct loader ld;

static const char *const config_files[] = {
    "/boot/loader.conf",  "/loader.conf",          "/EFI/BOOT/loader.conf",   "/boot/limine.conf",
    "/limine.conf",       "/boot/limine/limine.conf", "/limine/limine.conf",  "/EFI/BOOT/limine.conf",
    "/boot/limine.cfg",   "/limine.cfg",
};
static const char *const kernel_files[] = {"/boot/kernel-" LOADER_ARCH_NAME ".elf",
                                           "/boot/kernel.elf", "/kernel.elf", "/oso_kernel.elf"};
static const char *config_name;

static bool open_volume(void)
{
    static const struct efi_guid loaded = EFI_GUID_LOADED_IMAGE, fs_guid = EFI_GUID_SIMPLE_FS;
    struct efi_simple_fs *fs = NULL;
    efi_status s = ld.bs->handle_protocol(ld.image, &loaded, (void **)&ld.self);
    if (s || !ld.self)
        return complain("the firmware does not say where this loader came from: %s",
                        status_name(s));
    s = ld.bs->handle_protocol(ld.self->device, &fs_guid, (void **)&fs);
    if (s || !fs)
        return complain("the volume this loader came from has no file system: %s", status_name(s));
    s = fs->open_volume(fs, &ld.root);
    return !s || complain("the volume this loader came from cannot be opened: %s", status_name(s));
}

static void config_warning(void *context, u32 line, const char *text)
{
    (void)context;
    say("%s:%u: warning: %s", config_name, line, text);
}

/// ret  NULL without a configuration; *fault is set if there is one and it is unusable
static struct conf *read_config(bool *fault)
{
    static struct conf conf;
    struct br_area file = {0};
    struct br_why why;
    u64 len = 0;
    for (u32 i = 0; i < ARRAY_LEN(config_files) && !file.bytes; i++) {
        struct conf_path path = {0};
        br_fmt(path.path, sizeof path.path, "%s", config_files[i]);
        config_name = config_files[i];
        read_file(&path, false, &file, &len);
    }
    *fault = false;
    if (!file.bytes)
        return NULL;
    conf.warn = config_warning;
    *fault = !conf_parse(&conf, (const char *)file.bytes, len, LOADER_ARCH_NAME, &why);
    if (*fault)
        complain("%s: %s", config_name, why.msg);
    else
        say("%s: %u entries", config_name, conf.entries);
    free_area(&file);
    return *fault ? NULL : &conf;
}

static bool boot_entry(const struct conf *c, int index)
{
    const char *protocol = conf_get(c, index, "protocol", 0);
    struct boot_entry e = {c, index, conf_get(c, index, "path", 0),
                           conf_get(c, index, "cmdline", 0)};
    const char *title = c->entry[index].title;
    ld.all_verified = true;
    ld.any_hash = false;
    if (!protocol)
        protocol = "bbp";
    if (!e.path)
        return complain("%s:%u: entry \"%s\" has no path", config_name, c->entry[index].line,
                        title);
    say("booting \"%s\" (%s)", title, protocol);
    if (br_streq(protocol, "bbp") || br_streq(protocol, "limine"))
        return boot_bbp(&e);
    if (br_streq(protocol, "linux"))
        return boot_linux(&e);
    if (br_streq(protocol, "efi") || br_streq(protocol, "efi_chainload"))
        return boot_efi(&e);
    return complain("%s:%u: protocol \"%s\" is not known; use bbp, limine, linux or efi",
                    config_name, c->entry[index].line, protocol);
}

static bool boot_without_config(void)
{
    for (u32 i = 0; i < ARRAY_LEN(kernel_files); i++) {
        struct conf_path path = {0};
        struct br_area probe = {0};
        u64 len = 0;
        br_fmt(path.path, sizeof path.path, "%s", kernel_files[i]);
        if (!read_file(&path, false, &probe, &len))
            continue;
        free_area(&probe);
        ld.all_verified = true;
        return boot_bbp(&(struct boot_entry){NULL, -1, kernel_files[i], ""});
    }
    return complain("nothing to boot: the volume has neither /boot/loader.conf, /limine.conf nor "
                    "/boot/kernel.elf, /kernel.elf; copy one of them there");
}

static bool boot_with_config(const struct conf *c)
{
    const char *timeout = conf_get(c, -1, "timeout", 0);
    bool ask = false;
    for (;;) {
        int index = menu_choose(c, ask);
        if (index < 0)
            return false;
        boot_entry(c, index);
        // Someone may be there to choose another entry unless the configuration says otherwise.
        ask = c->entries > 1 && (!timeout || !br_streq(timeout, "0"));
        if (!ask)
            return false;
    }
}

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *st)
{
    bool fault = false;
    ld = (struct loader){.image = image, .st = st, .bs = st->bs};
    ld.entry_ticks = cpu_ticks();
    log_start();
    ld.bs->set_watchdog(0, 0, 0, NULL);
    say("bruin loader " LOADER_VERSION " for " LOADER_ARCH_NAME);
    if (open_volume()) {
        const struct conf *c = read_config(&fault);
        if (c)
            boot_with_config(c);
        else if (!fault)
            boot_without_config();
    }
    say("nothing was booted; returning to the firmware");
    return EFI_LOAD_ERROR;
}
