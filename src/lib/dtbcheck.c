/// Checks of a device tree that a user wrote: what a kernel needs to find. Source: Devicetree
/// Specification, "Device Node Requirements"; Linux bindings of the PSCI and the Arm timer.
#include "lib/lib.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct findings {
    char *text;
    size_t len;
};

static void PRINTF_LIKE(2, 3) find(struct findings *f, const char *fmt, ...)
{
    char line[320];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line - 1, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    size_t len = strlen(line);
    line[len++] = '\n';
    f->text = xrealloc(f->text, f->len + len + 1);
    memcpy(f->text + f->len, line, len);
    f->len += len;
    f->text[f->len] = 0;
}

static bool has_type(const void *fdt, const char *type)
{
    return fdt_node_offset_by_prop_value(fdt, -1, "device_type", type, (int)strlen(type) + 1) >= 0;
}

static void check_reserved_cells(struct findings *f, const void *fdt)
{
    static const char *const cells[] = {"#address-cells", "#size-cells"};
    for (unsigned i = 0; i < 2; i++) {
        int len;
        const fdt32_t *v = fdt_getprop(fdt, 0, cells[i], &len);
        if (v == NULL || len != 4)
            find(f, "/: no %s", cells[i]);
        else if (fdt32_to_cpu(*v) > 2)
            find(f, "/: %s = %u; kernels know 1 and 2", cells[i], fdt32_to_cpu(*v));
    }
}

static void check_interrupt_parent(struct findings *f, const void *fdt)
{
    int len;
    const fdt32_t *v = fdt_getprop(fdt, 0, "interrupt-parent", &len);
    if (v == NULL || len != 4)
        find(f, "/: no interrupt-parent: devices without one of their own get no interrupts");
    else if (fdt_node_offset_by_phandle(fdt, fdt32_to_cpu(*v)) < 0)
        find(f, "/: interrupt-parent = <0x%x> points to no node", fdt32_to_cpu(*v));
}

static void check_chosen(struct findings *f, const void *fdt)
{
    int chosen = fdt_path_offset(fdt, "/chosen"), len;
    if (chosen < 0) {
        find(f, "no /chosen: the kernel gets no command line and no console");
        return;
    }
    const char *out = fdt_getprop(fdt, chosen, "stdout-path", &len);
    if (out == NULL) {
        find(f, "/chosen: no stdout-path: `earlycon` without arguments prints nothing");
        return;
    }
    char path[256];
    size_t n = strnlen(out, (size_t)len);
    if (n >= sizeof path || n == (size_t)len) {
        find(f, "/chosen: stdout-path is not a string of sensible length");
        return;
    }
    memcpy(path, out, n + 1);
    path[strcspn(path, ":")] = 0;
    if (fdt_path_offset(fdt, path) < 0)
        find(f, "/chosen: stdout-path names %s, which does not exist", path);
}

static void check_cpus(struct findings *f, const void *fdt)
{
    int cpus = fdt_path_offset(fdt, "/cpus"), node, count = 0;
    if (cpus < 0) {
        find(f, "no /cpus");
        return;
    }
    fdt_for_each_subnode(node, fdt, cpus)
    {
        const char *type = fdt_getprop(fdt, node, "device_type", NULL);
        if (type == NULL || strcmp(type, "cpu") != 0)
            continue;
        if (++count > 1 && fdt_getprop(fdt, node, "enable-method", NULL) == NULL)
            find(f, "/cpus/%s: no enable-method: Linux will not start it", fdt_get_name(fdt, node, NULL));
    }
    if (count == 0)
        find(f, "/cpus: no cpu node with device_type = \"cpu\"");
}

static void check_tree(struct findings *f, const void *fdt)
{
    check_reserved_cells(f, fdt);
    if (fdt_getprop(fdt, 0, "compatible", NULL) == NULL)
        find(f, "/: no compatible");
    if (!has_type(fdt, "memory"))
        find(f, "no node with device_type = \"memory\": the kernel finds no RAM");
    check_cpus(f, fdt);
    check_interrupt_parent(f, fdt);
    check_chosen(f, fdt);
    if (fdt_node_offset_by_compatible(fdt, -1, "arm,armv8-timer") < 0)
        find(f, "no arm,armv8-timer: the kernel has no clock event device");
    if (fdt_node_offset_by_compatible(fdt, -1, "arm,psci-1.0") < 0 &&
        fdt_node_offset_by_compatible(fdt, -1, "arm,psci-0.2") < 0)
        find(f, "no /psci (arm,psci-0.2 or later): no power-off, no further CPUs");
}

bool dtb_check_bytes(const struct blob *b, char **findings, struct err *e)
{
    struct findings f = {0};
    const char *what;
    if (boot_detect(b->data, b->len, &what) != BOOT_DTB)
        return err_set(e, ERR_FORMAT, "%s: %s; wanted a flattened device tree", b->name, what);
    u8 *copy = xcalloc(1, b->len); /* libfdt wants its input aligned */
    memcpy(copy, b->data, b->len);
    int r = machine_fdt_check(copy, b->len);
    if (r == 0)
        check_tree(&f, copy);
    free(copy);
    if (r != 0) {
        free(f.text);
        return err_set(e, ERR_FORMAT, "%s: damaged device tree: %s", b->name, fdt_strerror(r));
    }
    *findings = f.text ? f.text : xstrdup("");
    return true;
}

bool bruin_dtb_check(const char *path, char **findings, struct bruin_error *err)
{
    struct blob b;
    struct err e = {0};
    bool ok = blob_open(&b, path, &e);
    if (ok) {
        ok = dtb_check_bytes(&b, findings, &e);
        blob_free(&b);
    }
    return ok || err_out(err, &e);
}
