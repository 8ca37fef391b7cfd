/// A small stopped machine that debugger targets work on: made once, put back before every input.
#ifndef BRUIN_FUZZ_TARGET_H
#define BRUIN_FUZZ_TARGET_H

#include "board/machine.h"
#include "debug/monitor.h"
#include "fuzz.h"

#include <stdlib.h>

enum { TARGET_LOOP = 0x14000000 }; ///< b .

static inline struct machine *target_machine(void)
{
    static struct machine *m;
    static struct chr *chr;
    u32 code[1024];
    if (!m) {
        struct err e = {0};
        struct machine_config cfg;
        machine_config_init(&cfg);
        cfg.ram_size = 2 * MIB;
        cfg.cpus = 2;
        cfg.deterministic = true;
        cfg.accel = "interp";
        cfg.serial = chr = chr_ring_new(4096);
        m = machine_new(&cfg, &e);
        FUZZ_CHECK(m);
    }
    for (unsigned k = 0; k < ARRAY_LEN(code); k++)
        code[k] = k % 7 ? 0x91000400 | (k % 31) : TARGET_LOOP; /* add xN, x0, #1 */
    machine_set_entry(m, 0x40000000, 0, 0, 0, 0);
    FUZZ_CHECK(mem_load(machine_mem(m), 0x40000000, (u8 *)code, sizeof code));
    return m;
}

#endif
