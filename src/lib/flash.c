/// Booting through firmware in flash, as real boards do: EDK2 or U-Boot built for QEMU's virt board.
/// It starts at address 0 and finds the device tree at the base of RAM.
#include "lib/lib.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *flash_file(const bruin_config *c)
{
    static const char *const known[] = {"/usr/share/AAVMF/AAVMF_CODE.fd",
                                        "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd",
                                        "/usr/share/edk2/aarch64/QEMU_EFI.fd",
                                        "/usr/share/edk2-armvirt/aarch64/QEMU_EFI.fd"};
    static const char *const others[] = {"kernel", "load", "esp", "firmware"};
    const char *path = bruin_config_get(c, "flash");
    if (path || !bruin_config_get(c, "disk"))
        return path;
    for (unsigned i = 0; i < ARRAY_LEN(others); i++)
        if (bruin_config_get(c, others[i]))
            return NULL;
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (access(known[i], R_OK) == 0)
            return known[i];
    return known[0]; /* whose absence is then told */
}

bool flash_boot(bruin_vm *vm, const char *path, struct err *e)
{
    struct machine_chosen chosen = {0};
    struct os_file f;
    u64 size = 0;
    if (!os_file_open(&f, path, 64 * MIB, e)) {
        if (!bruin_config_get(vm->config, "flash"))
            err_set(e, ERR_NOT_FOUND, "a disk without a kernel is booted by UEFI firmware, and %s is not there: "
                    "install qemu-efi-aarch64, or name a file with --flash", path);
        return false;
    }
    u8 *dtb = xcalloc(1, BOOT_DTB_MAX);
    bool ok = (f.size || err_set(e, ERR_FORMAT, "%s: empty", path)) &&
              machine_fdt(vm->machine, &chosen, dtb, BOOT_DTB_MAX, &size, e);
    ok = ok && (mem_load(machine_mem(vm->machine), 0, f.data, f.size) ||
                err_set(e, ERR_FORMAT, "%s: does not fit into the flash", path));
    vm->dtb_addr = vm->mc.ram_base;
    ok = ok && (mem_load(machine_mem(vm->machine), vm->dtb_addr, dtb, size) ||
                err_set(e, ERR_FORMAT, "device tree at 0x%llx: not RAM", (unsigned long long)vm->dtb_addr));
    free(dtb);
    os_file_close(&f);
    if (!ok)
        return false;
    machine_set_entry(vm->machine, 0, vm->dtb_addr, 0, 0, 0);
    snprintf(vm->loaded, sizeof vm->loaded, "flash %s", path);
    return true;
}
