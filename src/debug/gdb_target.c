/// What gdb is told of the target: registers and memory map. GDB manual, "Target Descriptions",
/// "AArch64 Features".
#include "debug/gdbstub.h"

static const char fpu_types[] =
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/><vector id=\"v2u\" type=\"uint64\" count=\"2\"/>"
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v4u\" type=\"uint32\" count=\"4\"/>"
    "<vector id=\"v8u\" type=\"uint16\" count=\"8\"/><vector id=\"v16u\" type=\"uint8\" count=\"16\"/>"
    "<vector id=\"v1q\" type=\"uint128\" count=\"1\"/>"
    "<union id=\"vnd\"><field name=\"f\" type=\"v2d\"/><field name=\"u\" type=\"v2u\"/></union>"
    "<union id=\"vns\"><field name=\"f\" type=\"v4f\"/><field name=\"u\" type=\"v4u\"/></union>"
    "<union id=\"vnh\"><field name=\"u\" type=\"v8u\"/></union><union id=\"vnb\"><field name=\"u\" type=\"v16u\"/></union>"
    "<union id=\"vnq\"><field name=\"u\" type=\"v1q\"/></union>"
    "<union id=\"aarch64v\"><field name=\"d\" type=\"vnd\"/><field name=\"s\" type=\"vns\"/>"
    "<field name=\"h\" type=\"vnh\"/><field name=\"b\" type=\"vnb\"/><field name=\"q\" type=\"vnq\"/></union>";

void gdb_target_xml(struct text *out)
{
    text_add(out, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
                  "<architecture>aarch64</architecture><feature name=\"org.gnu.gdb.aarch64.core\">");
    for (unsigned k = 0; k < 31; k++)
        text_add(out, "<reg name=\"x%u\" bitsize=\"64\"/>", k);
    text_add(out, "<reg name=\"sp\" bitsize=\"64\" type=\"data_ptr\"/><reg name=\"pc\" bitsize=\"64\" type=\"code_ptr\"/>"
                  "<reg name=\"cpsr\" bitsize=\"32\"/></feature><feature name=\"org.gnu.gdb.aarch64.fpu\">%s",
             fpu_types);
    for (unsigned k = 0; k < 32; k++)
        text_add(out, "<reg name=\"v%u\" bitsize=\"128\" type=\"aarch64v\"%s/>", k, k ? "" : " regnum=\"34\"");
    text_add(out, "<reg name=\"fpsr\" bitsize=\"32\"/><reg name=\"fpcr\" bitsize=\"32\"/></feature>"
                  "<feature name=\"org.bruin.aarch64.sysregs\">");
    for (unsigned k = 0; k < SYSREG_COUNT; k++)
        text_add(out, "<reg name=\"%s\" bitsize=\"64\" group=\"system\" regnum=\"%u\" save-restore=\"no\"/>",
                 sysreg_id_name((enum sysreg_id)k), GDB_REG_SYS + k);
    text_add(out, "</feature></target>");
}

void gdb_memory_map(const struct mem *m, struct text *out)
{
    text_add(out, "<?xml version=\"1.0\"?><!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" "
                  "\"http://sourceware.org/gdb/gdb-memory-map.dtd\"><memory-map>");
    /* Virtual addresses may lie anywhere: all is RAM to gdb, ROM only where it is. */
    for (unsigned k = 0; k < m->region_count; k++)
        if (m->region[k].kind != MEM_MMIO)
            text_add(out, "<memory type=\"%s\" start=\"0x%llx\" length=\"0x%llx\"/>",
                     m->region[k].kind == MEM_ROM ? "rom" : "ram", (unsigned long long)m->region[k].base,
                     (unsigned long long)m->region[k].size);
    text_add(out, "<memory type=\"ram\" start=\"0x1000000000000\" length=\"0xfffeffffffffffff\"/></memory-map>");
}

unsigned gdb_reg_get(struct cpu *c, unsigned n, u8 buf[16])
{
    u64 v;
    if (n < 32) {
        st64(buf, c->x[n]);
        return 8;
    }
    if (n == 32) {
        st64(buf, c->pc);
        return 8;
    }
    if (n == 33) {
        st32(buf, (u32)cpu_pstate(c));
        return 4;
    }
    if (n < GDB_REG_FPSR) {
        memcpy(buf, &c->v[n - GDB_REG_V0], 16);
        return 16;
    }
    if (n == GDB_REG_FPSR || n == GDB_REG_FPCR) {
        st32(buf, n == GDB_REG_FPSR ? c->fpsr : c->fpcr);
        return 4;
    }
    if (n - GDB_REG_SYS < SYSREG_COUNT && sysreg_get(c, sysreg_id_name((enum sysreg_id)(n - GDB_REG_SYS)), &v)) {
        st64(buf, v);
        return 8;
    }
    return 0;
}

bool gdb_reg_set(struct cpu *c, unsigned n, const u8 *buf, unsigned size)
{
    u8 now[16];
    if (gdb_reg_get(c, n, now) != size || size == 0)
        return false;
    if (n < 32)
        c->x[n] = ld64(buf);
    else if (n == 32)
        c->pc = ld64(buf);
    else if (n == 33)
        return cpu_set_pstate(c, ld32(buf));
    else if (n < GDB_REG_FPSR)
        memcpy(&c->v[n - GDB_REG_V0], buf, 16);
    else if (n == GDB_REG_FPSR || n == GDB_REG_FPCR)
        return sysreg_set(c, n == GDB_REG_FPSR ? "FPSR" : "FPCR", ld32(buf));
    else
        return sysreg_set(c, sysreg_id_name((enum sysreg_id)(n - GDB_REG_SYS)), ld64(buf));
    return true;
}
