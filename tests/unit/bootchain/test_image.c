/// The image maker and the FAT reader against each other; fsck.fat and sgdisk judge if they are here.
#include "espimg.h"
#include "fatread.h"
#include "part.h"
#include "tap.h"

#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static char err[512];

static void put_file(const char *name, size_t len, unsigned seed)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tree/%s", root, name);
    FILE *f = fopen(path, "wb");
    for (size_t i = 0; f && i < len; i++)
        fputc((int)((i * 31 + seed) & 255), f);
    if (f)
        fclose(f);
}
static void put_dir(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tree/%s", root, name);
    mkdir(path, 0777);
}
static void make_tree(void)
{
    put_dir("");
    put_dir("EFI");
    put_dir("EFI/BOOT");
    put_dir("boot");
    put_dir("boot/many");
    put_file("EFI/BOOT/BOOTAA64.EFI", 60001, 1);
    put_file("boot/kernel.elf", 1234567, 2);
    put_file("boot/a rather long name with spaces.configuration", 513, 3);
    put_file("boot/\xC3\x9Cml\xC3\xA4ut.txt", 10, 4);
    put_file("empty", 0, 5);
    for (int i = 0; i < 100; i++) {
        char name[64];
        snprintf(name, sizeof name, "boot/many/numbered file %d.text", i);
        put_file(name, (size_t)i * 7, (unsigned)i);
    }
}

struct disk {
    FILE *f;
    u64 base;
};
static bool read_sector(void *context, u64 sector, u64 count, void *buf)
{
    struct disk *d = context;
    return !fseek(d->f, (long)(d->base + sector * 512), SEEK_SET) &&
           fread(buf, 512, count, d->f) == count;
}
static bool file_is(struct fat_reader *v, const char *path, size_t len, unsigned seed)
{
    static u8 got[1 << 21];
    struct fat_file f;
    if (!fat_open(v, path, &f) || f.is_dir || f.size != len || fat_read(v, &f, 0, got, len + 5) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (got[i] != ((i * 31 + seed) & 255))
            return false;
    return true;
}
static const char *image_path(const char *name)
{
    static char path[2][512];
    static int n;
    n ^= 1;
    snprintf(path[n], sizeof path[n], "%s/%s", root, name);
    return path[n];
}
static bool create(const char *name, const struct espimg_options *o)
{
    bool ok = espimg_create(image_path("tree"), image_path(name), o, err, sizeof err);
    if (!ok)
        printf("# %s\n", err);
    return ok;
}
static bool tool_accepts(const char *fmt, const char *name)
{
    char cmd[700];
    snprintf(cmd, sizeof cmd, fmt, image_path(name));
    return system(cmd) == 0;
}

static void check_volume(const char *name, u64 base, u32 bits)
{
    struct disk d = {fopen(image_path(name), "rb"), base};
    static struct fat_reader v;
    struct br_why why;
    v = (struct fat_reader){.read = read_sector, .context = &d};
    CHECK(d.f && fat_mount(&v, &why) && v.bits == bits);
    CHECK(file_is(&v, "/EFI/BOOT/BOOTAA64.EFI", 60001, 1));
    CHECK(file_is(&v, "\\boot\\KERNEL.ELF", 1234567, 2));
    CHECK(file_is(&v, "/boot/a rather long name with spaces.configuration", 513, 3));
    CHECK(file_is(&v, "/boot/\xC3\x9Cml\xC3\xA4ut.txt", 10, 4) && file_is(&v, "/empty", 0, 5));
    for (int i = 0; i < 100; i++) {
        char path[64];
        snprintf(path, sizeof path, "/boot/many/numbered file %d.text", i);
        CHECK(file_is(&v, path, (size_t)i * 7, (unsigned)i));
    }
    struct fat_file f;
    CHECK(!fat_open(&v, "/boot/nothing", &f) && fat_open(&v, "/boot", &f) && f.is_dir);
    u32 n = 0;
    for (struct fat_file e; fat_list(&v, &f, &e);)
        n++;
    CHECK(n == 4);
    if (d.f)
        fclose(d.f);
}

static void gpt_image_reads_back(void)
{
    CHECK(create("gpt.img", NULL));
    check_volume("gpt.img", 1 << 20, 16);
}
static u32 partitions(const char *name, struct br_part *out)
{
    struct disk d = {fopen(image_path(name), "rb"), 0};
    if (!d.f)
        return 0;
    fseek(d.f, 0, SEEK_END);
    struct br_disk disk = {read_sector, &d, (u64)ftell(d.f) / 512};
    u32 n = br_partitions(&disk, out);
    fclose(d.f);
    return n;
}
static void damage(const char *name, long at)
{
    FILE *f = fopen(image_path(name), "r+b");
    CHECK(f && !fseek(f, at, SEEK_SET) && fputc(0x5a, f) != EOF);
    if (f)
        fclose(f);
}
static void second_table_stands_in_for_the_first(void)
{
    struct br_part part[PART_MAX];
    CHECK(create("gpt.img", NULL));
    CHECK(partitions("gpt.img", part) == 1 && part[0].is_gpt && part[0].is_esp &&
          part[0].first == 2048 && part[0].number == 1);
    damage("gpt.img", 512 + 40); /* the header */
    CHECK(partitions("gpt.img", part) == 1 && part[0].is_gpt && part[0].first == 2048);
    CHECK(create("gpt.img", NULL));
    damage("gpt.img", 1024 + 32); /* the entries */
    CHECK(partitions("gpt.img", part) == 1 && part[0].first == 2048);
    CHECK(create("gpt.img", NULL));
}
static void large_image_is_fat32(void)
{
    CHECK(create("large.img", &(struct espimg_options){.size = 300u << 20, .bare = true}));
    check_volume("large.img", 0, 32);
}
static void same_tree_gives_same_bytes(void)
{
    char cmd[1200];
    CHECK(create("one.img", NULL) && create("two.img", NULL));
    snprintf(cmd, sizeof cmd, "cmp %s %s", image_path("one.img"), image_path("two.img"));
    CHECK(system(cmd) == 0);
}
static void other_tools_accept_it(void)
{
    CHECK(create("fat16.img", &(struct espimg_options){.bare = true}));
    if (tool_accepts("command -v fsck.fat >/dev/null # %s", "x")) {
        CHECK(tool_accepts("fsck.fat -n %s >/dev/null", "fat16.img"));
        CHECK(tool_accepts("fsck.fat -n %s >/dev/null", "large.img"));
    }
    if (tool_accepts("command -v sgdisk >/dev/null # %s", "x"))
        CHECK(tool_accepts("sgdisk -v %s | grep -q 'No problems'", "gpt.img"));
    if (tool_accepts("command -v mdir >/dev/null # %s", "x"))
        CHECK(tool_accepts("mtype -i %s@@1M ::/boot/kernel.elf >/dev/null", "gpt.img"));
}
static void mistakes_are_named(void)
{
    CHECK(!espimg_create("/nonexistent", image_path("no.img"), NULL, err, sizeof err));
    CHECK(strstr(err, "No such file"));
    CHECK(!espimg_create(image_path("tree"), image_path("no.img"),
                         &(struct espimg_options){.label = "much too long a label"}, err, sizeof err));
    CHECK(access(image_path("no.img"), F_OK) != 0);
    put_file("Empty", 1, 1);
    CHECK(!espimg_create(image_path("tree"), image_path("no.img"), NULL, err, sizeof err) &&
          strstr(err, "case"));
    char path[512];
    snprintf(path, sizeof path, "%s/tree/Empty", root);
    unlink(path);
}
static void damaged_volumes_do_no_harm(void)
{
    static u8 sector[512];
    u64 seed = 3;
    for (int round = 0; round < 300; round++) {
        char cmd[1200];
        if (round == 0) {
            snprintf(cmd, sizeof cmd, "cp %s %s", image_path("fat16.img"), image_path("bad.img"));
            CHECK(system(cmd) == 0);
        }
        FILE *f = fopen(image_path("bad.img"), "r+b");
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        long at = round < 40 ? (long)(seed >> 40) % 62 : (long)(seed >> 40) % 200000;
        if (!f || fseek(f, at, SEEK_SET) || fputc((int)(seed >> 20) & 255, f) == EOF)
            printf("# cannot damage\n");
        struct disk d = {f, 0};
        static struct fat_reader v;
        struct br_why why;
        v = (struct fat_reader){.read = read_sector, .context = &d};
        struct fat_file file;
        if (f && fat_mount(&v, &why) && fat_open(&v, "/boot/kernel.elf", &file))
            for (u64 off = 0; off < 1u << 20 && fat_read(&v, &file, off, sector, 512); off += 65536)
                ;
        if (f)
            fclose(f);
    }
    CHECK(1);
}

int main(void)
{
    char cmd[128];
    snprintf(root, sizeof root, "/tmp/bootchain-image-XXXXXX");
    if (!mkdtemp(root))
        return 1;
    make_tree();
    RUN(gpt_image_reads_back);
    RUN(second_table_stands_in_for_the_first);
    RUN(large_image_is_fat32);
    RUN(same_tree_gives_same_bytes);
    RUN(other_tools_accept_it);
    RUN(mistakes_are_named);
    RUN(damaged_volumes_do_no_harm);
    snprintf(cmd, sizeof cmd, "rm -rf %s", root);
    if (system(cmd))
        printf("# %s is left behind\n", root);
    return DONE();
}
