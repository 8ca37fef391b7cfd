/// What a file is and what would happen to it: one JSON tree, printed as JSON or as text.
#include "lib/lib.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef unsigned long long ull;

/// A growing text.
struct sheet {
    char *p;
    size_t len, room;
};

static void PRINTF_LIKE(2, 3) put(struct sheet *t, const char *fmt, ...)
{
    va_list ap;
    for (;;) {
        va_start(ap, fmt);
        int n = vsnprintf(t->p ? t->p + t->len : NULL, t->room - t->len, fmt, ap);
        va_end(ap);
        if (n < 0)
            return;
        if ((size_t)n < t->room - t->len) {
            t->len += (size_t)n;
            return;
        }
        t->room = t->room * 2 + (size_t)n + 256;
        t->p = xrealloc(t->p, t->room);
    }
}

static void add_hex(cJSON *o, const char *key, u64 v)
{
    char s[32];
    snprintf(s, sizeof s, "0x%llx", (ull)v);
    cJSON_AddStringToObject(o, key, s);
}

static void add_range(cJSON *o, const char *what, gpa_t gpa, u64 len)
{
    cJSON *r = cJSON_CreateObject();
    cJSON_AddStringToObject(r, "what", what);
    add_hex(r, "start", gpa);
    add_hex(r, "end", gpa + len - 1);
    cJSON_AddNumberToObject(r, "bytes", (double)len);
    cJSON_AddItemToArray(o, r);
}

static void describe_image(cJSON *root, const struct boot_image *im, const struct blob *bytes)
{
    cJSON *o = cJSON_AddObjectToObject(root, "image");
    char version[80];
    boot_image_version(bytes, version);
    if (version[0])
        cJSON_AddStringToObject(o, "linux_version", version);
    add_hex(o, "text_offset", im->text_offset);
    add_hex(o, "image_size", im->image_size_field);
    add_hex(o, "flags", im->flags);
    cJSON_AddNumberToObject(o, "page_kib", im->page_kib);
    cJSON_AddBoolToObject(o, "anywhere", im->anywhere);
    cJSON_AddBoolToObject(o, "efi_stub", im->has_pe);
}

static void describe_elf(cJSON *root, const struct boot_elf *elf, const struct blob *bytes)
{
    cJSON *o = cJSON_AddObjectToObject(root, "elf");
    struct err unused;
    struct symtab *t = symtab_load(bytes->data, bytes->len, bytes->name, &unused);
    add_hex(o, "entry", elf->e_entry);
    cJSON_AddBoolToObject(o, "entry_is_virtual", elf->entry_virtual);
    if (elf->paddr_from_va)
        cJSON_AddBoolToObject(o, "physical_addresses_missing", true);
    cJSON_AddBoolToObject(o, "vmlinux", elf->is_linux);
    cJSON_AddNumberToObject(o, "symbols", (double)symtab_count(t));
    cJSON *segs = cJSON_AddArrayToObject(o, "segments");
    for (unsigned i = 0; i < elf->seg_count; i++) {
        const struct boot_seg *s = &elf->seg[i];
        cJSON *r = cJSON_CreateObject();
        char rwx[4] = {s->flags & 4 ? 'r' : '-', s->flags & 2 ? 'w' : '-', s->flags & 1 ? 'x' : '-', 0};
        cJSON_AddStringToObject(r, "what", s->what);
        add_hex(r, "physical", s->gpa);
        add_hex(r, "virtual", s->va);
        add_hex(r, "file_bytes", s->file_len);
        add_hex(r, "memory_bytes", s->mem_len);
        cJSON_AddStringToObject(r, "access", rwx);
        cJSON_AddItemToArray(segs, r);
    }
    symtab_free(t);
}

static void describe_plan(cJSON *root, const struct boot_job *job)
{
    cJSON *o = cJSON_AddObjectToObject(root, "plan");
    const struct boot_plan *p = &job->plan;
    if (job->is_bbp) {
        cJSON_AddStringToObject(o, "protocol", "BBP: placed, mapped and described to the kernel when it is booted");
        return;
    }
    add_hex(o, "entry", p->entry);
    if (job->cmdline)
        cJSON_AddStringToObject(o, "cmdline", job->cmdline);
    cJSON *a = cJSON_AddArrayToObject(o, "memory");
    for (unsigned i = 0; i < p->seg_count; i++)
        add_range(a, p->seg[i].what, p->seg[i].gpa, p->seg[i].mem_len);
    for (unsigned i = 0; i < job->req.flat_count; i++)
        add_range(a, job->req.flat[i].blob.name, job->req.flat[i].gpa, job->req.flat[i].blob.len);
    add_range(a, "device tree (room)", p->dtb, p->dtb_max);
    if (p->initrd_len)
        add_range(a, "initrd", p->initrd, p->initrd_len);
    add_range(a, "RAM", job->req.ram_base, job->req.ram_size);
}

static void describe_pe(cJSON *root, const struct blob *in)
{
    struct boot_pe pe;
    struct err unused;
    if (!boot_pe_parse(in, &pe, &unused))
        return;
    cJSON *o = cJSON_AddObjectToObject(root, "pe");
    cJSON_AddStringToObject(o, "kind", pe.kind);
    cJSON_AddStringToObject(o, "processor", pe.machine_name);
}

static void describe_disk(cJSON *root, const struct blob *in)
{
    struct boot_disk d;
    if (!boot_disk_parse(in, &d))
        return;
    cJSON *o = cJSON_AddObjectToObject(root, "disk");
    cJSON_AddStringToObject(o, "partition_table", d.table);
    cJSON *a = cJSON_AddArrayToObject(o, "partitions");
    for (unsigned i = 0; i < d.part_count; i++)
        add_range(a, d.part[i].kind, d.part[i].off, d.part[i].len);
    cJSON_AddBoolToObject(o, "firmware_finds_a_loader", d.is_bootable);
    cJSON_AddStringToObject(o, "loader", d.verdict);
}

static void collect(void *ctx, const char *id, const char *msg)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "id", id);
    cJSON_AddStringToObject(o, "text", msg);
    cJSON_AddItemToArray(ctx, o);
}

/// ID_AA64MMFR0_EL1 of the only CPU model, from the table of registers.
static u64 model_mmfr0(void)
{
    enum {
#define SR(name, op0, op1, crn, crm, op2, access, reset, read, write) RESET_##name,
#include "cpu/sysreg.def"
#undef SR
    };
    static const u64 resets[] = {
#define SR(name, op0, op1, crn, crm, op2, access, reset, read, write) [RESET_##name] = reset,
#include "cpu/sysreg.def"
#undef SR
    };
    return resets[RESET_ID_AA64MMFR0_EL1];
}

static void describe_warnings(cJSON *root, const struct boot_job *job, const bruin_config *c)
{
    if (job->is_bbp)
        return;
    struct boot_lint_in in = {.req = &job->req, .plan = &job->plan, .cmdline = job->cmdline,
                              .mmfr0 = model_mmfr0(), .is_strict = true, .has_disk = bruin_config_get(c, "disk") != NULL};
    boot_lint(&in, collect, cJSON_AddArrayToObject(root, "warnings"));
}

/// Layers and the innermost format. What could not be unpacked is left at the outer format.
static bool describe_file(cJSON *root, const struct blob *file, struct blob *unpacked, struct err *e)
{
    const char *fmt;
    char how[96];
    boot_detect(file->data, file->len, &fmt);
    cJSON_AddStringToObject(root, "file", file->name);
    cJSON_AddNumberToObject(root, "bytes", (double)file->len);
    cJSON_AddStringToObject(root, "format", fmt);
    if (!boot_unpack(file, BOOT_UNPACK_MAX, unpacked, how, e))
        return false;
    if (how[0]) {
        boot_detect(unpacked->data, unpacked->len, &fmt);
        cJSON_AddStringToObject(root, "holds", fmt);
        cJSON_AddNumberToObject(root, "unpacked_bytes", (double)unpacked->len);
    }
    return true;
}

static bool describe_content(cJSON *root, const struct blob *in, struct err *e)
{
    enum boot_format fmt = boot_detect(in->data, in->len, NULL);
    if (fmt == BOOT_IMAGE) {
        struct boot_image im;
        if (!boot_image_parse(in, &im, e))
            return false;
        describe_image(root, &im, in);
    } else if (fmt == BOOT_ELF) {
        struct boot_elf *elf = xcalloc(1, sizeof *elf);
        bool ok = boot_elf_parse(in, elf, e);
        if (ok)
            describe_elf(root, elf, in);
        free(elf);
        return ok;
    } else if (fmt == BOOT_EFI) {
        describe_pe(root, in);
    } else if (fmt == BOOT_DISK || fmt == BOOT_RAW) {
        describe_disk(root, in);
    }
    return true;
}

/* ---- text ---- */

static void print_value(struct sheet *t, const cJSON *v)
{
    if (cJSON_IsString(v))
        put(t, "%s", v->valuestring);
    else if (cJSON_IsBool(v))
        put(t, "%s", cJSON_IsTrue(v) ? "yes" : "no");
    else if (cJSON_IsNumber(v))
        put(t, "%.0f", v->valuedouble);
}

/// An array element on one line: a range, a segment or a warning.
static void print_row(struct sheet *t, const char *key, const cJSON *row)
{
    const cJSON *start = cJSON_GetObjectItem(row, "start"), *what = cJSON_GetObjectItem(row, "what");
    put(t, "%-14s ", key);
    if (start) {
        double bytes = cJSON_GetNumberValue(cJSON_GetObjectItem(row, "bytes"));
        put(t, "%s-%s %8.1f %s  %s\n", start->valuestring,
            cJSON_GetStringValue(cJSON_GetObjectItem(row, "end")), bytes / (bytes < 1048576 ? 1024 : 1048576),
            bytes < 1048576 ? "KiB" : "MiB", what->valuestring);
        return;
    }
    for (const cJSON *f = row->child; f; f = f->next) {
        bool is_named = strcmp(f->string, "what") && strcmp(f->string, "id") && strcmp(f->string, "text") &&
                        strcmp(f->string, "access");
        put(t, f == row->child ? "" : " ");
        if (is_named)
            put(t, "%s ", f->string);
        print_value(t, f);
    }
    put(t, "\n");
}

static void print_text(struct sheet *t, const cJSON *root)
{
    for (const cJSON *v = root->child; v; v = v->next) {
        if (cJSON_IsObject(v)) {
            for (const cJSON *f = v->child; f; f = f->next) {
                if (cJSON_IsArray(f)) {
                    for (const cJSON *row = f->child; row; row = row->next)
                        print_row(t, f->string, row);
                } else {
                    put(t, "%-14s ", f->string);
                    print_value(t, f);
                    put(t, "\n");
                }
            }
        } else if (cJSON_IsArray(v)) {
            for (const cJSON *row = v->child; row; row = row->next)
                print_row(t, v->string, row);
        } else {
            put(t, "%-14s ", v->string);
            print_value(t, v);
            put(t, "\n");
        }
    }
}

static char *render(cJSON *root, bool json)
{
    struct sheet t = {0};
    if (!json) {
        print_text(&t, root);
    } else {
        char *s = cJSON_Print(root);
        put(&t, "%s\n", s ? s : "{}");
        cJSON_free(s);
    }
    return t.p;
}

/// The reason, and the entry of the catalogue that it ends with, if it does.
static void describe_refusal(cJSON *root, const char *msg)
{
    const char *open = strrchr(msg, '[');
    size_t n = open ? strlen(open) : 0;
    char id[4] = "";
    cJSON_AddStringToObject(root, "reason", msg);
    if (n >= 4 && n <= 5 && strchr("FLU", open[1]) && open[n - 1] == ']')
        snprintf(id, sizeof id, "%.*s", (int)(n - 2), open + 1);
    if (id[0])
        cJSON_AddStringToObject(root, "id", id);
}

char *bruin_inspect(const bruin_config *config, const char *path, bool json, struct bruin_error *err)
{
    struct blob file, unpacked = {0};
    struct err e = {0};
    if (!blob_open(&file, path, &e)) {
        err_out(err, &e);
        return NULL;
    }
    cJSON *root = cJSON_CreateObject();
    bruin_config *c = bruin_config_copy(config);
    struct boot_job *job = xcalloc(1, sizeof *job);
    bool ok = describe_file(root, &file, &unpacked, &e) && describe_content(root, &unpacked, &e);
    struct bruin_error unused;
    ok = ok && bruin_config_set(c, "kernel", path, &unused);
    bool by_firmware = ok && firmware_takes(c);
    if (ok && !by_firmware && (ok = boot_job_prepare(job, c, NULL, &e))) {
        describe_plan(root, job);
        describe_warnings(root, job, c);
    }
    cJSON_AddBoolToObject(root, "bootable", ok);
    if (by_firmware)
        cJSON_AddStringToObject(root, "started_by", "the built-in UEFI firmware");
    if (!ok)
        describe_refusal(root, e.msg);
    char *out = render(root, json);
    boot_job_free(job);
    free(job);
    bruin_config_free(c);
    cJSON_Delete(root);
    blob_free(&unpacked);
    blob_free(&file);
    if (!ok)
        err_out(err, &e);
    else if (err)
        *err = (struct bruin_error){0};
    return out;
}

/* ---- the plan and QEMU's command ---- */

/// Quotes for a POSIX shell where needed.
static void put_word(struct sheet *t, const char *word)
{
    bool plain = *word != 0;
    for (const char *p = word; *p; p++)
        plain &= strchr("-_./=:,@+%", *p) != NULL || (*p >= '0' && *p <= '9') ||
                 ((*p | 32) >= 'a' && (*p | 32) <= 'z');
    if (plain) {
        put(t, " %s", word);
        return;
    }
    put(t, " '");
    for (const char *p = word; *p; p++)
        put(t, *p == '\'' ? "'\\''" : "%c", *p);
    put(t, "'");
}

/// "[IP:]HOST:GUEST[/udp]" as QEMU writes it: the guest's port comes after a hyphen.
static void put_forward(struct sheet *d, const char *rule)
{
    const char *guest = strrchr(rule, ':'), *slash = strchr(rule, '/'), *host = guest;
    while (host && host > rule && host[-1] != ':')
        host--;
    if (guest)
        put(d, ",hostfwd=%s:%.*s:%.*s-:%.*s", slash ? "udp" : "tcp",
            host > rule ? (int)(host - 1 - rule) : 0, rule, (int)(guest - host), host,
            slash ? (int)(slash - guest - 1) : (int)strlen(guest + 1), guest + 1);
}

static void put_qemu_devices(struct sheet *t, const bruin_config *c)
{
    const char *v, *net = bruin_config_get(c, "net");
    for (size_t i = 0; (v = bruin_config_get_at(c, "disk", i)) != NULL; i++) {
        struct sheet d = {0};
        size_t len = strlen(v);
        bool ro = len > 3 && strcmp(v + len - 3, ",ro") == 0;
        put(&d, "if=virtio,format=raw,file=%.*s%s", (int)(ro ? len - 3 : len), v,
            ro ? ",readonly=on" : "");
        put(t, " -drive");
        put_word(t, d.p);
        free(d.p);
    }
    if (bruin_config_get(c, "publish") || (net && strcmp(net, "user") == 0)) {
        struct sheet d = {0};
        put(&d, "user,id=net");
        for (size_t i = 0; (v = bruin_config_get_at(c, "publish", i)) != NULL; i++)
            put_forward(&d, v);
        put(t, " -device virtio-net-device,netdev=net -netdev");
        put_word(t, d.p);
        free(d.p);
    }
    if ((v = bruin_config_get(c, "virtio-console")) != NULL) {
        const char *path = strchr(v, ':');
        struct sheet d = {0};
        put(&d, "%s,id=hvc", strncmp(v, "unix:", 5) == 0 ? "socket" : path ? "file" : v);
        if (path)
            put(&d, ",path=%s%s", path + 1, strncmp(v, "unix:", 5) == 0 ? ",server=on,wait=off" : "");
        put(t, " -device virtio-serial-device -chardev");
        put_word(t, d.p);
        put(t, " -device virtconsole,chardev=hvc");
        free(d.p);
    }
}

static void put_qemu(struct sheet *t, const bruin_config *c, const struct boot_job *job)
{
    const char *v;
    bool el2 = config_number(c, "el", 1) == 2;
    put(t, "qemu-system-aarch64 -M virt,gic-version=%llu%s -cpu %s -m %lluM -smp %llu -nographic",
        (ull)config_number(c, "gic", 3), el2 ? ",virtualization=on" : "",
        el2 && config_choice_is(c, "vhe", "off") ? "cortex-a57" : "max",
        (ull)(job->req.ram_size / MIB), (ull)config_number(c, "cpus", 1));
    if (config_flag(c, "no-reboot"))
        put(t, " -no-reboot");
    if (config_flag(c, "semihosting"))
        put(t, " -semihosting");
    if ((v = bruin_config_get(c, "kernel")) != NULL) {
        if (job->req.kernel_has_addr) {
            put(t, " -device");
            struct sheet d = {0};
            put(&d, "loader,file=%s,addr=0x%llx,cpu-num=0", v, (ull)job->req.kernel_addr);
            put_word(t, d.p);
            free(d.p);
        } else {
            put(t, " -kernel");
            put_word(t, v);
        }
    }
    for (unsigned i = 0; i < job->req.flat_count; i++) {
        struct sheet d = {0};
        put(&d, "loader,file=%s,addr=0x%llx%s", job->req.flat[i].blob.name, (ull)job->req.flat[i].gpa,
            bruin_config_get(c, "kernel") || i ? "" : ",cpu-num=0");
        put(t, " -device");
        put_word(t, d.p);
        free(d.p);
    }
    if ((v = bruin_config_get(c, "initrd")) != NULL) {
        put(t, " -initrd");
        put_word(t, v);
    }
    if ((v = bruin_config_get(c, "dtb")) != NULL) {
        put(t, " -dtb");
        put_word(t, v);
    }
    if (job->cmdline && *job->cmdline) {
        put(t, " -append");
        put_word(t, job->cmdline);
    }
    put_qemu_devices(t, c);
    put(t, "\n");
}

char *bruin_plan(const bruin_config *config, struct bruin_error *err)
{
    struct boot_job *job = xcalloc(1, sizeof *job);
    struct err e = {0};
    struct sheet t = {0};
    const char *kernel = bruin_config_get(config, "kernel");
    if (kernel && firmware_takes(config)) {
        put(&t, "boots          %s by the built-in UEFI firmware\n", kernel);
        put(&t, "qemu-system-aarch64 -M virt -cpu max -m %lluM -nographic -bios QEMU_EFI.fd -drive ",
            (unsigned long long)(config_number(config, "memory", 512 * MIB) / MIB));
        put(&t, firmware_takes_disk(config) ? "'if=virtio,format=raw,file=%s'\n" : "file=fat:rw:DIR # with %s in it as EFI/BOOT/BOOTAA64.EFI\n",
            kernel);
    } else if (boot_job_prepare(job, config, NULL, &e)) {
        cJSON *root = cJSON_CreateObject();
        char what[160];
        boot_job_describe(job, what, sizeof what);
        cJSON_AddStringToObject(root, "boots", what);
        describe_plan(root, job);
        describe_warnings(root, job, config);
        print_text(&t, root);
        cJSON_Delete(root);
        put_qemu(&t, config, job);
    } else {
        err_out(err, &e);
    }
    boot_job_free(job);
    free(job);
    return t.p;
}
