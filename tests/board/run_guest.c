/// Runs one bare-metal guest on a machine and compares how it ended:
/// run_guest FILE.bin EXIT_STATUS [gic=2|3] [cpus=N] [turns] [det] [accel=NAME] [el=2] [novhe] [dma] [out=TEXT]
#include "board/machine.h"

#include <stdio.h>
#include <stdlib.h>

/// What a device does that writes to a page of code from the I/O thread (code_dma.S).
static void write_code(void *arg)
{
    enum { FUNCTIONS = 32, LAST = 0x7777, MOVZ_W0 = 0x52800000 };
    struct machine *m = arg;
    u64 end = os_now_ns() + 1500000000ULL;
    for (u32 v = 1, last = 0; !last; v = (v + 1) & 0xfff) {
        last = os_now_ns() > end;
        for (u32 k = 0; k < FUNCTIONS; k++) {
            u32 word = MOVZ_W0 | (last ? LAST : v) << 5;
            if (!mem_write(machine_mem(m), machine_config(m)->ram_base + 0x81000 + 64 * k, &word, sizeof word))
                abort();
        }
    }
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct machine_config cfg;
    machine_config_init(&cfg);
    cfg.ram_size = 16 * MIB;
    cfg.semihosting = true;
    cfg.timeout_ns = 60000000000ULL;
    const char *want_out = NULL;
    bool has_dma = false;
    struct os_thread dma = {0};
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
        else if (!strcmp(argv[i], "dma"))
            has_dma = true;
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
    if (has_dma && !os_thread_start(&dma, "dma", write_code, m, &e))
        return 1;
    machine_run(m, &x);
    os_thread_join(&dma);
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
