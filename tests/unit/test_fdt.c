/// The device tree agrees with the bus, carries what drivers need, and dtc accepts it.
#include "board/machine.h"

#include <libfdt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

struct fixture {
    struct machine *m;
    u8 blob[65536];
    u64 size;
};

static void make(struct fixture *f, unsigned gic, unsigned cpus, u64 seed)
{
    struct err e = {0};
    struct machine_config cfg;
    machine_config_init(&cfg);
    cfg.gic = gic;
    cfg.cpus = cpus;
    cfg.seed = seed;
    cfg.ram_size = 64 * MIB;
    f->m = machine_new(&cfg, &e);
    assert_non_null(f->m);
    struct machine_chosen c = {"console=ttyAMA0 x=\"y z\"", 0x42000000, 12345};
    assert_true(machine_fdt(f->m, &c, f->blob, sizeof f->blob, &f->size, &e));
    assert_int_equal(fdt_check_full(f->blob, f->size), 0);
}

static u64 cells(const struct fixture *f, const char *path, const char *name, unsigned index, unsigned n)
{
    int len, node = fdt_path_offset(f->blob, path);
    const fdt32_t *p = fdt_getprop(f->blob, node, name, &len);
    assert_non_null(p);
    assert_true((index + n) * 4 <= (unsigned)len);
    return n == 1 ? fdt32_to_cpu(p[index])
                  : (u64)fdt32_to_cpu(p[index]) << 32 | fdt32_to_cpu(p[index + 1]);
}

static void every_reg_is_on_the_bus(void **state)
{
    for (unsigned gic = 2; gic <= 3; gic++) {
        struct fixture f;
        make(&f, gic, 2, 1);
        unsigned seen = 0;
        int node;
        fdt_for_each_subnode(node, f.blob, 0) {
            int len;
            const fdt64_t *reg = fdt_getprop(f.blob, node, "reg", &len);
            for (int i = 0; reg && i + 16 <= len; i += 16, seen++) {
                u64 base = fdt64_ld(&reg[i / 8]), size = fdt64_ld(&reg[i / 8 + 1]);
                const struct mem_region *r = mem_find(machine_mem(f.m), base);
                assert_non_null(r);
                assert_int_equal(r->base, base);
                assert_int_equal(r->size, size);
            }
        }
        assert_true(seen >= 7);
        machine_free(f.m);
    }
}

static void drivers_find_what_they_need(void **state)
{
    struct fixture f;
    make(&f, 3, 1, 1);
    assert_int_equal(cells(&f, "/pl011@9000000", "reg", 0, 2), 0x09000000);
    assert_int_equal(cells(&f, "/pl011@9000000", "interrupts", 1, 1), 1);
    assert_int_equal(cells(&f, "/pl031@9010000", "interrupts", 1, 1), 2);
    assert_int_equal(cells(&f, "/pl061@9030000", "interrupts", 1, 1), 7);
    assert_int_equal(cells(&f, "/timer", "interrupts", 7, 1), 11);
    assert_int_equal(cells(&f, "/", "interrupt-parent", 0, 1),
                     cells(&f, "/interrupt-controller@8000000", "phandle", 0, 1));
    assert_int_equal(cells(&f, "/pl011@9000000", "clocks", 1, 1), cells(&f, "/apb-pclk", "phandle", 0, 1));
    assert_int_equal(cells(&f, "/apb-pclk", "clock-frequency", 0, 1), 24000000);
    int chosen = fdt_path_offset(f.blob, "/chosen");
    assert_string_equal(fdt_getprop(f.blob, chosen, "stdout-path", NULL), "/pl011@9000000");
    assert_string_equal(fdt_getprop(f.blob, chosen, "bootargs", NULL), "console=ttyAMA0 x=\"y z\"");
    assert_int_equal(cells(&f, "/chosen", "linux,initrd-start", 0, 2), 0x42000000);
    assert_int_equal(cells(&f, "/chosen", "linux,initrd-end", 0, 2), 0x42000000 + 12345);
    int psci = fdt_path_offset(f.blob, "/psci");
    assert_string_equal(fdt_getprop(f.blob, psci, "method", NULL), "hvc");
    assert_int_equal(fdt_node_check_compatible(f.blob, fdt_path_offset(f.blob, "/pl011@9000000"), "arm,primecell"), 0);
    machine_free(f.m);
}

static void seeds_make_trees_differ_and_repeat(void **state)
{
    static struct fixture a, b, c;
    make(&a, 3, 1, 5);
    make(&b, 3, 1, 5);
    make(&c, 3, 1, 6);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.blob, b.blob, a.size);
    assert_memory_not_equal(a.blob, c.blob, a.size);
    machine_free(a.m);
    machine_free(b.m);
    machine_free(c.m);
}

static void a_small_buffer_is_refused(void **state)
{
    struct fixture f;
    struct err e = {0};
    make(&f, 3, 1, 1);
    assert_true(machine_fdt(f.m, NULL, f.blob, sizeof f.blob, &f.size, &e));
    for (u64 room = 0; room < f.size; room += 61)
        assert_false(machine_fdt(f.m, NULL, f.blob, room, &f.size, &e));
    assert_true(strlen(e.msg) > 0);
    machine_free(f.m);
}

static void a_long_command_line_takes_the_room_it_needs(void **state)
{
    enum { LONG = 100000, ROOM = 1 << 20 };
    struct fixture f;
    struct err e = {0};
    make(&f, 3, 1, 1);
    u8 *blob = malloc(ROOM);
    char *line = malloc(LONG + 1);
    memset(line, 'x', LONG);
    line[LONG] = 0;
    struct machine_chosen c = {line, 0, 0};
    assert_true(machine_fdt(f.m, &c, blob, ROOM, &f.size, &e));
    assert_int_equal(fdt_check_full(blob, f.size), 0);
    assert_string_equal(fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "bootargs", NULL), line);
    free(line);
    free(blob);
    machine_free(f.m);
}

static void a_users_tree_is_fixed_up_or_refused(void **state)
{
    static struct fixture f;
    static u8 own[65536];
    struct err e = {0};
    u64 size;
    make(&f, 3, 1, 1);
    assert_int_equal(fdt_create_empty_tree(own, 4096), 0);
    struct machine_chosen c = {"quiet", 0, 0};
    assert_true(machine_fdt_fixup(f.m, &c, own, sizeof own, &size, &e));
    int chosen = fdt_path_offset(own, "/chosen");
    assert_string_equal(fdt_getprop(own, chosen, "bootargs", NULL), "quiet");
    assert_true(fdt_path_offset(own, "/memory@40000000") >= 0);
    memset(own + 8, 0xff, 64);
    assert_false(machine_fdt_fixup(f.m, &c, own, sizeof own, &size, &e));
    assert_false(machine_fdt_fixup(f.m, &c, own, 3, &size, &e));
    machine_free(f.m);
}

static void dtc_prints_no_warning(void **state)
{
    if (system("dtc --version >/dev/null 2>&1"))
        skip();
    for (unsigned gic = 2; gic <= 3; gic++) {
        static struct fixture f;
        char path[] = "/tmp/bruin-dtb-XXXXXX", cmd[200];
        int fd = mkstemp(path);
        make(&f, gic, gic == 2 ? 8 : 20, 1);
        assert_int_equal(os_write(fd, f.blob, f.size), f.size);
        os_close(fd);
        snprintf(cmd, sizeof cmd, "out=$(dtc -I dtb -O dts -o /dev/null %s 2>&1); echo \"$out\"; test -z \"$out\"", path);
        int rc = system(cmd);
        unlink(path);
        assert_int_equal(rc, 0);
        machine_free(f.m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reg_is_on_the_bus),       cmocka_unit_test(drivers_find_what_they_need),
        cmocka_unit_test(seeds_make_trees_differ_and_repeat), cmocka_unit_test(a_small_buffer_is_refused),
        cmocka_unit_test(a_long_command_line_takes_the_room_it_needs),
        cmocka_unit_test(a_users_tree_is_fixed_up_or_refused), cmocka_unit_test(dtc_prints_no_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
