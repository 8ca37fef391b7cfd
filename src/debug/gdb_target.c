/// What gdb is told of the target: registers and memory map. GDB manual, "Target Descriptions",
/// "AArch64 Features".
#include "debug/gdbstub.h"

/// PSTATE as gdb shows it. Arm ARM, "SPSR_EL1".
static const char cpsr_type[] =
    "<flags id=\"cpsr_flags\" size=\"4\"><field name=\"SP\" start=\"0\" end=\"0\"/><field name=\"EL\" start=\"2\" end=\"3\"/>"
    "<field name=\"nRW\" start=\"4\" end=\"4\"/><field name=\"F\" start=\"6\" end=\"6\"/><field name=\"I\" start=\"7\" end=\"7\"/>"
    "<field name=\"A\" start=\"8\" end=\"8\"/><field name=\"D\" start=\"9\" end=\"9\"/><field name=\"BTYPE\" start=\"10\" end=\"11\"/>"
    "<field name=\"IL\" start=\"20\" end=\"20\"/><field name=\"SS\" start=\"21\" end=\"21\"/><field name=\"PAN\" start=\"22\" end=\"22\"/>"
    "<field name=\"UAO\" start=\"23\" end=\"23\"/><field name=\"V\" start=\"28\" end=\"28\"/><field name=\"C\" start=\"29\" end=\"29\"/>"
    "<field name=\"Z\" start=\"30\" end=\"30\"/><field name=\"N\" start=\"31\" end=\"31\"/></flags>";

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
                  "<architecture>aarch64</architecture><feature name=\"org.gnu.gdb.aarch64.core\">%s", cpsr_type);
    for (unsigned k = 0; k < 31; k++)
        text_add(out, "<reg name=\"x%u\" bitsize=\"64\"/>", k);
    text_add(out, "<reg name=\"sp\" bitsize=\"64\" type=\"data_ptr\"/><reg name=\"pc\" bitsize=\"64\" type=\"code_ptr\"/>"
                  "<reg name=\"cpsr\" bitsize=\"32\" type=\"cpsr_flags\"/></feature><feature name=\"org.gnu.gdb.aarch64.fpu\">%s",
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
    /* Virtual addresses may lie anywhere, and gdb refuses what the map leaves out: all is RAM to it, ROM only where it is. */
    u64 at = 0;
    for (unsigned k = 0; k < m->region_count; k++) {
        const struct mem_region *r = &m->region[k];
        if (r->kind != MEM_ROM)
            continue;
        if (r->base > at)
            text_add(out, "<memory type=\"ram\" start=\"0x%llx\" length=\"0x%llx\"/>", (unsigned long long)at,
                     (unsigned long long)(r->base - at));
        text_add(out, "<memory type=\"rom\" start=\"0x%llx\" length=\"0x%llx\"/>", (unsigned long long)r->base,
                 (unsigned long long)r->size);
        at = r->base + r->size;
    }
    text_add(out, "<memory type=\"ram\" start=\"0x%llx\" length=\"0x%llx\"/></memory-map>", (unsigned long long)at,
             (unsigned long long)(~0ULL - at));
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

/// One that is read-only stays as it is, which gdb's user is to know.
static bool set_sysreg(struct cpu *c, const char *name, u64 val)
{
    u64 before, after;
    return sysreg_get(c, name, &before) && sysreg_set(c, name, val) && sysreg_get(c, name, &after) && (after == val || after != before);
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
        return set_sysreg(c, sysreg_id_name((enum sysreg_id)(n - GDB_REG_SYS)), ld64(buf));
    return true;
}
