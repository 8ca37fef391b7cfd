/// PE/COFF headers, as far as they tell what an EFI application is for. Source: Microsoft PE Format.
#include "boot/boot.h"

static u64 contents_end(const struct blob *in, u64 header)
{
    enum { SECTION = 40, SIZE = 16, START = 20 };
    u64 count = ld16(in->data + header + 6), at = header + 24 + ld16(in->data + header + 20);
    u64 end = at + count * SECTION;
    for (u64 i = 0; i < count && range_ok(at, SECTION, in->len); i++, at += SECTION) {
        u64 size = ld32(in->data + at + SIZE), last = ld32(in->data + at + START) + size;
        end = size && last > end ? last : end;
    }
    return end;
}

bool boot_pe_parse(const struct blob *in, struct boot_pe *pe, struct err *e)
{
    static const struct {
        u16 machine;
        const char *name;
    } machines[] = {{0xaa64, "AArch64"}, {0x8664, "x86-64"},  {0x014c, "x86 (32-bit)"}, {0x01c2, "32-bit ARM"},
                    {0x01c0, "32-bit ARM"}, {0x5064, "RISC-V"}, {0x6264, "LoongArch"},  {0x0ebc, "EFI byte code"}};
    static const struct {
        u16 subsystem;
        const char *name;
    } subsystems[] = {{10, "EFI application"}, {11, "EFI boot service driver"}, {12, "EFI runtime driver"},
                      {2, "Windows program"},  {3, "Windows console program"}};
    *pe = (struct boot_pe){.machine_name = "an unknown processor", .kind = "PE file"};
    if (in->len < 64 || memcmp(in->data, "MZ", 2) != 0)
        return err_set(e, ERR_FORMAT, "%s: not a PE file", in->name);
    u64 at = ld32(in->data + 0x3c);
    if (!range_ok(at, 24 + 70, in->len) || memcmp(in->data + at, "PE\0\0", 4) != 0)
        return err_set(e, ERR_FORMAT, "%s: \"MZ\" without a PE header: a DOS program, or truncated", in->name);
    pe->machine = ld16(in->data + at + 4);
    pe->subsystem = ld16(in->data + at + 24 + 68);
    pe->file_end = contents_end(in, at);
    for (unsigned i = 0; i < ARRAY_LEN(machines); i++)
        if (machines[i].machine == pe->machine)
            pe->machine_name = machines[i].name;
    for (unsigned i = 0; i < ARRAY_LEN(subsystems); i++)
        if (subsystems[i].subsystem == pe->subsystem)
            pe->kind = subsystems[i].name;
    return true;
}
