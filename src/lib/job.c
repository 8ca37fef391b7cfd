/// From a configuration to a planned boot: files are opened, unpacked and given to the planner.
#include "lib/lib.h"

#include <stdio.h>
#include <stdlib.h>

typedef unsigned long long ull;

static bool open_file(struct boot_job *job, const char *path, struct blob *out, struct err *e)
{
    struct blob *b = &job->file[job->file_count];
    if (job->file_count == ARRAY_LEN(job->file))
        return err_set(e, ERR_USAGE, "more than %zu files", ARRAY_LEN(job->file));
    if (!blob_open(b, path, e))
        return false;
    job->file_count++;
    *out = (struct blob){.name = path, .data = b->data, .len = b->len};
    return true;
}

/// The kernel's bytes, unpacked, from a file or from an embedder.
static bool take_kernel(struct boot_job *job, const bruin_config *c, const struct boot_bytes *bytes,
                        struct err *e)
{
    struct blob in = {0};
    const char *path = bruin_config_get(c, "kernel");
    if (bytes && bytes->kernel) {
        in = (struct blob){.name = bytes->kernel_name, .data = bytes->kernel, .len = bytes->kernel_len};
    } else if (path) {
        if (!open_file(job, path, &in, e))
            return false;
    } else {
        return true;
    }
    if (!boot_unpack(&in, BOOT_UNPACK_MAX, &job->unpacked, job->how, e))
        return false;
    job->req.kernel = job->unpacked;
    return true;
}

/// --load FILE@ADDR places a file; --load ADDR places the kernel.
static bool take_loads(struct boot_job *job, const bruin_config *c, struct err *e)
{
    const char *spec;
    for (size_t i = 0; (spec = bruin_config_get_at(c, "load", i)) != NULL; i++) {
        const char *at = strrchr(spec, '@');
        u64 addr;
        if (!parse_address(at ? at + 1 : spec, &addr))
            return err_set(e, ERR_USAGE, "load: \"%s\": wanted FILE@ADDR or ADDR", spec);
        if (at == NULL) {
            job->req.kernel_has_addr = true;
            job->req.kernel_addr = addr;
            continue;
        }
        if (job->req.flat_count == BOOT_FLATS_MAX)
            return err_set(e, ERR_USAGE, "load: more than %d files", BOOT_FLATS_MAX);
        char *name = xcalloc(1, (size_t)(at - spec) + 1);
        memcpy(name, spec, (size_t)(at - spec));
        job->names[job->req.flat_count] = name;
        struct boot_flat *f = &job->req.flat[job->req.flat_count];
        f->gpa = addr;
        if (!open_file(job, name, &f->blob, e))
            return false;
        job->req.flat_count++;
    }
    return true;
}

static bool take_initrds(struct boot_job *job, const bruin_config *c, struct err *e)
{
    const char *path;
    for (size_t i = 0; (path = bruin_config_get_at(c, "initrd", i)) != NULL; i++) {
        if (i == BOOT_INITRDS_MAX)
            return err_set(e, ERR_USAGE, "initrd: more than %d files", BOOT_INITRDS_MAX);
        if (!open_file(job, path, &job->req.initrd[i], e))
            return false;
        job->req.initrd_count++;
    }
    return true;
}

static bool take_dtb(struct boot_job *job, const bruin_config *c, const struct boot_bytes *bytes,
                     struct err *e)
{
    const char *path = bruin_config_get(c, "dtb");
    if (bytes && bytes->dtb)
        job->dtb = (struct blob){.name = "device tree", .data = bytes->dtb, .len = bytes->dtb_len};
    else if (path == NULL)
        return true;
    else if (!open_file(job, path, &job->dtb, e))
        return false;
    const char *what;
    if (boot_detect(job->dtb.data, job->dtb.len, &what) != BOOT_DTB)
        return err_set(e, ERR_FORMAT, "%s: %s; wanted a flattened device tree (dtc -O dtb makes one)",
                       job->dtb.name, what);
    job->req.dtb_len = job->dtb.len;
    return true;
}

/* ---- the kernel command line ---- */

static bool has_word(const char *line, const char *prefix)
{
    for (const char *p = line; (p = strstr(p, prefix)) != NULL; p++)
        if (p == line || p[-1] == ' ')
            return true;
    return false;
}

static char *joined(char *a, const char *b)
{
    size_t n = a ? strlen(a) : 0, m = strlen(b);
    a = xrealloc(a, n + m + 2);
    if (n)
        a[n++] = ' ';
    memcpy(a + n, b, m + 1);
    return a;
}

/// What the user said, and for Linux a console to see anything at all.
static void make_cmdline(struct boot_job *job, const bruin_config *c)
{
    const char *whole = bruin_config_get(c, "cmdline"), *part;
    char *line = NULL;
    if (whole) {
        job->cmdline = xstrdup(whole);
        return;
    }
    for (size_t i = 0; (part = bruin_config_get_at(c, "append", i)) != NULL; i++)
        line = joined(line, part);
    if (job->plan.kind == BOOT_KIND_IMAGE) {
        char *full = NULL;
        if (!has_word(line ? line : "", "console="))
            full = joined(full, "console=ttyAMA0");
        if (!has_word(line ? line : "", "earlycon"))
            full = joined(full, "earlycon");
        if (line)
            full = joined(full, line);
        free(line);
        line = full;
    }
    job->cmdline = line;
}

static bool prepare(struct boot_job *job, const bruin_config *c, const struct boot_bytes *bytes, struct err *e)
{
    job->req.ram_base = config_number(c, "ram-base", MACHINE_RAM_BASE);
    job->req.ram_size = config_number(c, "memory", 512 * MIB);
    if (!take_kernel(job, c, bytes, e) || !take_loads(job, c, e) || !take_initrds(job, c, e) ||
        !take_dtb(job, c, bytes, e))
        return false;
    if (job->req.kernel.name == NULL && job->req.flat_count == 0)
        return err_set(e, ERR_USAGE, "nothing to boot: name a kernel, or --load FILE@ADDR");
    if (bruin_config_get(c, "dtb-addr")) {
        job->req.has_dtb_addr = true;
        job->req.dtb_addr = config_number(c, "dtb-addr", 0);
    }
    if (bruin_config_get(c, "entry")) {
        job->req.has_entry = true;
        job->req.entry = config_number(c, "entry", 0);
    }
    if (bytes && bytes->entry != BRUIN_AUTO) {
        job->req.has_entry = true;
        job->req.entry = bytes->entry;
        if (boot_detect(job->req.kernel.data, job->req.kernel.len, NULL) == BOOT_RAW) {
            job->req.kernel_has_addr = true;
            job->req.kernel_addr = bytes->entry;
        }
    }
    job->is_bbp = job->req.kernel.name && !job->req.has_entry && !job->req.kernel_has_addr && job->dtb.len == 0 &&
                  bbp_is_kernel(&job->req.kernel);
    job->plan.kind = BOOT_KIND_ELF;
    if (!job->is_bbp && !boot_plan(&job->req, &job->plan, e))
        return false;
    make_cmdline(job, c);
    return true;
}

bool boot_job_prepare(struct boot_job *job, const bruin_config *c, const struct boot_bytes *bytes, struct err *e)
{
    memset(job, 0, sizeof *job);
    return prepare(job, c, bytes, e);
}

void boot_job_free(struct boot_job *job)
{
    blob_free(&job->unpacked);
    for (unsigned i = 0; i < job->file_count; i++)
        blob_free(&job->file[i]);
    for (unsigned i = 0; i < BOOT_FLATS_MAX; i++)
        free(job->names[i]);
    free(job->cmdline);
    memset(job, 0, sizeof *job);
}

void boot_job_describe(const struct boot_job *job, char *text, size_t size)
{
    static const char *const kind_name[] = {"Image", "ELF", "flat binary"};
    char version[80] = "", packed[112] = "";
    const char *kind = kind_name[job->plan.kind];
    if (job->plan.kind == BOOT_KIND_IMAGE) {
        boot_image_version(&job->req.kernel, version);
        if (job->plan.seg_count > 1)
            kind = "vmlinux";
    }
    if (job->how[0])
        snprintf(packed, sizeof packed, " (%s)", job->how);
    snprintf(text, size, "%s%s%s%s", kind, version[0] ? " " : "", version, packed);
}
