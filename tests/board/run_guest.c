/// Runs one bare-metal guest on a machine and compares how it ended:
/// run_guest FILE.bin EXIT_STATUS [gic=2|3] [cpus=N] [turns] [det] [accel=NAME] [el=2] [novhe] [out=TEXT]
#include "board/machine.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct err e = {0};
    struct machine_config cfg;
    machine_config_init(&cfg);
    cfg.ram_size = 16 * MIB;
    cfg.semihosting = true;
    cfg.timeout_ns = 60000000000ULL;
    const char *want_out = NULL;
    if (argc < 3)
        return 2;
    for (int i = 3; i < argc; i++) {
        if (!strncmp(argv[i], "gic=", 4))
            cfg.gic = (unsigned)atoi(argv[i] + 4);
        else if (!strncmp(argv[i], "cpus=", 5))
            cfg.cpus = (unsigned)atoi(argv[i] + 5);
        else if (!strncmp(argv[i], "accel=", 6))
            cfg.accel = argv[i] + 6;
        else if (!strncmp(argv[i], "out=", 4))
            want_out = argv[i] + 4;
        else if (!strncmp(argv[i], "el=", 3))
            cfg.el = (unsigned)atoi(argv[i] + 3);
        else if (!strcmp(argv[i], "novhe"))
            cfg.vhe = false;
        else if (!strcmp(argv[i], "turns"))
            cfg.threads = false;
        else if (!strcmp(argv[i], "det"))
            cfg.deterministic = true;
    }
    struct chr *chr = chr_ring_new(4096);
    cfg.serial = chr;
    struct machine *m = machine_new(&cfg, &e);
    struct os_file f;
    if (!m || !os_file_open(&f, argv[1], 1 * MIB, &e) ||
        !mem_load(machine_mem(m), cfg.ram_base + 0x80000, f.data, f.size)) {
        printf("%s\n", e.msg);
        return 1;
    }
    struct machine_exit x;
    machine_set_entry(m, cfg.ram_base + 0x80000, 0, 0, 0, 0);
    machine_run(m, &x);
    char out[4096] = "";
    out[chr_ring_output(chr, (u8 *)out, sizeof out - 1)] = 0;
    int status = machine_exit_status(&x), want = atoi(argv[2]);
    printf("%s: %s, status %d, wanted %d, pc 0x%llx\n%s", argv[1], machine_exit_name(x.kind), status,
           want, (unsigned long long)machine_cpu(m, 0)->pc, out);
    bool ok = status == want && (!want_out || strstr(out, want_out));
    if (!ok && want_out)
        printf("wanted in the output: %s\n", want_out);
    os_file_close(&f);
    machine_free(m);
    chr_free(chr);
    return !ok;
}
