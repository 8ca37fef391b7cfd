/// Memory and registers of a machine, for embedders.
#include "lib/lib.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- memory ---- */

static bool out_of_bounds(bruin_vm *vm, uint64_t addr, size_t len, const char *verb, struct bruin_error *err)
{
    struct err e = {0};
    const struct machine_config *mc = &vm->mc;
    err_set(&e, ERR_USAGE,
            "%s of %zu byte%s at 0x%llx: not all of it is RAM (RAM is 0x%llx-0x%llx)", verb, len,
            len == 1 ? "" : "s", (unsigned long long)addr, (unsigned long long)mc->ram_base,
            (unsigned long long)(mc->ram_base + mc->ram_size - 1));
    return err_out(err, &e);
}

bool bruin_mem_read(bruin_vm *vm, uint64_t addr, void *dst, size_t len, struct bruin_error *err)
{
    return mem_read(machine_mem(vm->machine), addr, dst, len) || out_of_bounds(vm, addr, len, "read", err);
}

bool bruin_mem_write(bruin_vm *vm, uint64_t addr, const void *src, size_t len, struct bruin_error *err)
{
    return mem_write(machine_mem(vm->machine), addr, src, len) || out_of_bounds(vm, addr, len, "write", err);
}

#define ACCESSORS(bits)                                                                            \
    bool bruin_read##bits(bruin_vm *vm, uint64_t addr, uint##bits##_t *value, struct bruin_error *err) \
    {                                                                                              \
        return bruin_mem_read(vm, addr, value, sizeof *value, err);                                \
    }                                                                                              \
    bool bruin_write##bits(bruin_vm *vm, uint64_t addr, uint##bits##_t value, struct bruin_error *err) \
    {                                                                                              \
        return bruin_mem_write(vm, addr, &value, sizeof value, err);                               \
    }
ACCESSORS(8)
ACCESSORS(16)
ACCESSORS(32)
ACCESSORS(64)

/* ---- registers ---- */

enum reg_kind { REG_NONE, REG_X, REG_W, REG_PC, REG_PSTATE, REG_NZCV, REG_FPCR, REG_FPSR, REG_D, REG_S, REG_SYS };

/// "x12" with prefix 'x' and n < limit.
static bool is_numbered(const char *name, char prefix, unsigned limit, unsigned *n)
{
    if (name[0] != prefix || !isdigit((unsigned char)name[1]) || strlen(name) > 3)
        return false;
    if (name[2] && !isdigit((unsigned char)name[2]))
        return false;
    if (name[1] == '0' && name[2])
        return false;
    *n = (unsigned)atoi(name + 1);
    return *n < limit;
}

static enum reg_kind reg_parse(const char *given, unsigned *n)
{
    static const struct {
        const char *name;
        enum reg_kind kind;
        unsigned n;
    } named[] = {{"sp", REG_X, REG_SP}, {"lr", REG_X, 30},       {"fp", REG_X, 29},
                 {"pc", REG_PC, 0},     {"pstate", REG_PSTATE, 0}, {"cpsr", REG_PSTATE, 0},
                 {"nzcv", REG_NZCV, 0}, {"fpcr", REG_FPCR, 0},   {"fpsr", REG_FPSR, 0}};
    char name[48];
    size_t len = strlen(given);
    if (len == 0 || len >= sizeof name)
        return REG_NONE;
    for (size_t i = 0; i <= len; i++)
        name[i] = (char)tolower((unsigned char)given[i]);
    for (unsigned i = 0; i < ARRAY_LEN(named); i++)
        if (strcmp(name, named[i].name) == 0) {
            *n = named[i].n;
            return named[i].kind;
        }
    if (is_numbered(name, 'x', 31, n))
        return REG_X;
    if (is_numbered(name, 'w', 31, n))
        return REG_W;
    if (is_numbered(name, 'd', 32, n))
        return REG_D;
    if (is_numbered(name, 's', 32, n))
        return REG_S;
    return sysreg_find(given) ? REG_SYS : REG_NONE;
}

static struct cpu *find_cpu(bruin_vm *vm, unsigned index, struct bruin_error *err)
{
    struct err e = {0};
    struct cpu *c = machine_cpu(vm->machine, index);
    if (c == NULL) {
        err_set(&e, ERR_USAGE, "no CPU %u; the machine has %u", index, vm->mc.cpus);
        err_out(err, &e);
    }
    return c;
}

static bool no_such_register(const char *name, struct bruin_error *err)
{
    struct err e = {0};
    unsigned n;
    char lower[4] = {0};
    for (unsigned i = 0; i < 3 && name[i]; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    if (is_numbered(lower, 'v', 32, &n) || is_numbered(lower, 'q', 32, &n))
        err_set(&e, ERR_USAGE, "%s has 128 bits: use bruin_get_vreg and bruin_set_vreg", name);
    else
        err_set(&e, ERR_USAGE, "no register \"%s\"", name);
    return err_out(err, &e);
}

bool bruin_get_reg(bruin_vm *vm, unsigned cpu, const char *name, uint64_t *value, struct bruin_error *err)
{
    unsigned n = 0;
    struct cpu *c = find_cpu(vm, cpu, err);
    if (c == NULL)
        return false;
    switch (reg_parse(name, &n)) {
    case REG_X: *value = c->x[n]; return true;
    case REG_W: *value = (u32)c->x[n]; return true;
    case REG_PC: *value = c->pc; return true;
    case REG_PSTATE: *value = cpu_pstate(c); return true;
    case REG_NZCV: *value = cpu_nzcv(c); return true;
    case REG_FPCR: *value = c->fpcr; return true;
    case REG_FPSR: *value = c->fpsr; return true;
    case REG_D: *value = c->v[n].d[0]; return true;
    case REG_S: *value = c->v[n].s[0]; return true;
    case REG_SYS: {
        u64 v;
        if (sysreg_get(c, name, &v)) {
            *value = v;
            return true;
        }
        break;
    }
    case REG_NONE: break;
    }
    return no_such_register(name, err);
}

bool bruin_set_reg(bruin_vm *vm, unsigned cpu, const char *name, uint64_t value, struct bruin_error *err)
{
    struct err e = {0};
    unsigned n = 0;
    struct cpu *c = find_cpu(vm, cpu, err);
    if (c == NULL)
        return false;
    switch (reg_parse(name, &n)) {
    case REG_X: c->x[n] = value; return true;
    case REG_W: c->x[n] = (u32)value; return true;
    case REG_PC:
        c->pc = value;
        c->excl_va = EXCL_NONE;
        return true;
    case REG_PSTATE:
        if (cpu_set_pstate(c, value))
            return true;
        err_set(&e, ERR_USAGE, "pstate 0x%llx: no legal state of this CPU", (unsigned long long)value);
        return err_out(err, &e);
    case REG_NZCV: cpu_set_nzcv(c, (u32)value); return true;
    case REG_FPCR:
    case REG_FPSR: return sysreg_set(c, name, value) || no_such_register(name, err);
    case REG_D:
        c->v[n].d[0] = value;
        c->v[n].d[1] = 0;
        return true;
    case REG_S:
        c->v[n].d[0] = (u32)value;
        c->v[n].d[1] = 0;
        return true;
    case REG_SYS:
        if (sysreg_set(c, name, value))
            return true;
        err_set(&e, ERR_USAGE, "%s cannot be written", name);
        return err_out(err, &e);
    case REG_NONE: break;
    }
    return no_such_register(name, err);
}

static bool vreg_ok(unsigned index, struct bruin_error *err)
{
    struct err e = {0};
    if (index < 32)
        return true;
    err_set(&e, ERR_USAGE, "no register v%u; v0 to v31 exist", index);
    return err_out(err, &e);
}

bool bruin_get_vreg(bruin_vm *vm, unsigned cpu, unsigned index, uint8_t value[16], struct bruin_error *err)
{
    struct cpu *c = find_cpu(vm, cpu, err);
    if (c == NULL || !vreg_ok(index, err))
        return false;
    memcpy(value, c->v[index].b, 16);
    return true;
}

bool bruin_set_vreg(bruin_vm *vm, unsigned cpu, unsigned index, const uint8_t value[16],
                    struct bruin_error *err)
{
    struct cpu *c = find_cpu(vm, cpu, err);
    if (c == NULL || !vreg_ok(index, err))
        return false;
    memcpy(c->v[index].b, value, 16);
    return true;
}
