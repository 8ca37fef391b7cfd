/// A device tree of the user's: checked, and its /chosen brought up to date.
#include "board/machine.h"
#include "fuzz.h"
#include "lib/lib.h"

#include <libfdt.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    static struct machine *m;
    struct err e = {0};
    if (m == NULL) {
        struct machine_config c;
        machine_config_init(&c);
        c.accel = "interp";
        m = machine_new(&c, &e);
        FUZZ_CHECK(m);
    }
    char *findings = NULL;
    struct blob in = {.name = "f", .data = data, .len = len};
    if (!dtb_check_bytes(&in, &findings, &e)) {
        FUZZ_CHECK(e.code == ERR_FORMAT && e.msg[0]);
        return 0;
    }
    free(findings);
    if (len > 65536)
        return 0;
    u64 room = len + 8192, size = 0;
    u8 *buf = calloc(1, room);
    memcpy(buf, data, len);
    struct machine_chosen chosen = {.bootargs = "console=ttyAMA0",
                                    .initrd = 0x44000000,
                                    .initrd_size = 4096};
    if (machine_fdt_fixup(m, &chosen, buf, room, &size, &e))
        FUZZ_CHECK(size <= room && fdt_check_full(buf, room) == 0);
    free(buf);
    return 0;
}
