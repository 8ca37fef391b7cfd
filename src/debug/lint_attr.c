/// F15: exclusives and atomics on memory that is not Normal. F16: memory types that do not fit what lies
/// there. Arm ARM, "Memory types and attributes", "Synchronization and semaphores".
#include "debug/priv.h"

#include <stdio.h>

typedef unsigned long long ull;

static const char *type_name(u8 attr)
{
    static const char *const device[] = {"Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"};
    if ((attr & 0xf0) == 0)
        return device[attr >> 2 & 3];
    return attr == MAIR_NON_CACHEABLE ? "Normal Non-cacheable" : "Normal Cacheable";
}

void lint_atomic(struct explain *x, struct cpu *c, gva_t va, gpa_t pa)
{
    char at[96], dis[80] = "";
    u32 word;
    if (is_said(x, handoff_id(x, "L10", "F15")))
        return;
    name_full(x, c->pc, at, sizeof at);
    if (mmu_debug_read(c, c->pc, &word, 4))
        insn_disas(word, c->pc, dis, sizeof dis);
    struct xlat w;
    if (c->mode & MODE_MMU && mmu_walk(c, va, &w) && w.attr == MAIR_NON_CACHEABLE)
        explain_say(x, c, "F15", true,
                    "`%s` at %s on 0x%llx, which is mapped Normal Non-cacheable: whether exclusives and atomics work there is IMPLEMENTATION "
                    "DEFINED, on many boards they never succeed or abort; map memory that holds locks as Normal Write-Back (MAIR entry 0xff)",
                    dis, at, (ull)va);
    else if (c->mode & MODE_UNCACHED)
        explain_say(x, c, "F15", true,
                    "`%s` at %s on 0x%llx with the data cache off (SCTLR_EL%u.C=0), when all memory is Non-cacheable: whether exclusives and "
                    "atomics work there is IMPLEMENTATION DEFINED, on many boards they never succeed or abort; set SCTLR.C with M, before locks are taken",
                    dis, at, (ull)va, c->el == 2 ? 2 : 1);
    else if (c->mode & MODE_MMU)
        explain_say(x, c, "F15", true,
                    "`%s` at %s on 0x%llx, which is mapped as Device: exclusives and atomics there are CONSTRAINED "
                    "UNPREDICTABLE and never succeed on much silicon; map RAM as Normal Cacheable",
                    dis, at, (ull)va);
    else
        explain_say(x, c, handoff_id(x, "L10", "F15"), true,
                    "`%s` at %s on 0x%llx with the MMU off, when all data is Device-nGnRnE: exclusives and atomics are "
                    "CONSTRAINED UNPREDICTABLE and never succeed on much silicon; take locks after the MMU is on",
                    dis, at, (ull)va);
}

void lint_type(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr, bool ram)
{
    char at[96], place[80];
    if (is_said(x, "F16"))
        return;
    const struct mem_region *r = mem_find(machine_mem(x->m), pa);
    bool window = r && strncmp(r->name, "pci", 3) == 0;
    if ((r && strncmp(r->name, "flash", 5) == 0) || (!ram && ((attr == MAIR_NON_CACHEABLE && window) || r == NULL)))
        return; /* write-combining is a choice in windows of PCI; flash reads like memory and is written like a device */
    name_full(x, c->pc, at, sizeof at);
    place_name(x, pa, place, sizeof place);
    const struct mem_region *meant = ram ? mem_find(machine_mem(x->m), va) : NULL;
    if (meant && meant->kind == MEM_MMIO && va != pa)
        explain_say(x, c, "F16", true,
                    "0x%llx is the address of the %s, but the tables lead it to RAM at PA 0x%llx, as Device memory (pc=%s): the output "
                    "address of its descriptor is wrong, the device is never reached",
                    (ull)va, meant->name, (ull)pa, at);
    else if (ram)
        explain_say(x, c, "F16", true,
                    "RAM at PA 0x%llx is mapped as %s at 0x%llx (pc=%s): no caching, no unaligned access, no atomics; "
                    "use a Normal Write-Back MAIR entry (0xff)",
                    (ull)pa, type_name(attr), (ull)va, at);
    else
        explain_say(x, c, "F16", true,
                    "%s at PA 0x%llx is mapped as %s (MAIR byte 0x%02x) at 0x%llx (pc=%s): its registers would be %s; use a Device-nGnRE MAIR entry (0x04)",
                    place, (ull)pa, type_name(attr), attr, (ull)va, at, attr == MAIR_NON_CACHEABLE ? "read ahead, and writes merged and reordered" : "cached and read ahead");
}

void lint_share(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr, u8 sh)
{
    unsigned on = 0;
    char at[96];
    if (sh != 0 || (attr & 0xf0) == 0 || attr == MAIR_NON_CACHEABLE || (is_said(x, "F16")))
        return;
    for (unsigned i = 0; i < x->cpus; i++)
        on += machine_cpu_is_on(x->m, i);
    if (on > 1)
        explain_say(x, c, "F16", true,
                    "RAM at PA 0x%llx is mapped Non-shareable at 0x%llx (pc=%s) while %u CPUs run: their caches need not "
                    "agree; set SH=0b11 (inner shareable) in the descriptor",
                    (ull)pa, (ull)va, name_full(x, c->pc, at, sizeof at), on);
}
