/// F07: the hand-off to a kernel, and to secondary CPUs. Linux, "Booting AArch64 Linux" and "PSCI CPU_ON".
#include "debug/priv.h"

#include <stdio.h>

#define IMAGE_MAGIC 0x644d5241u
#define FDT_MAGIC_LE 0xedfe0dd0u
#define RULES "Documentation/arch/arm64/booting.rst"
typedef unsigned long long ull;

static void check_dtb(struct explain *x, struct cpu *c, gpa_t image, u64 image_size)
{
    u8 head[8];
    u64 x0 = c->x[0];
    if (!mem_read(machine_mem(x->m), x0, head, sizeof head) || ld32(head) != FDT_MAGIC_LE) {
        explain_say(x, c, "F07", false,
                    "kernel entered at 0x%llx with x0=0x%llx, which is not a device tree: x0 must hold the physical "
                    "address of the DTB (" RULES ")",
                    (ull)image, (ull)x0);
        return;
    }
    u64 size = (u64)head[4] << 24 | (u64)head[5] << 16 | (u64)head[6] << 8 | head[7];
    if (x0 & 7)
        explain_say(x, c, "F07", false, "device tree at x0=0x%llx: it must be 8-byte aligned (" RULES ")", (ull)x0);
    if (size > 2 * MIB)
        explain_say(x, c, "F07", false, "device tree of %llu bytes: at most 2 MiB are mapped (" RULES ")", (ull)size);
    if (range_overlap(x0, size, image, image_size))
        explain_say(x, c, "F07", false,
                    "device tree 0x%llx-0x%llx overlaps the kernel 0x%llx-0x%llx (image_size, with bss): the kernel "
                    "will clear it",
                    (ull)x0, (ull)(x0 + size - 1), (ull)image, (ull)(image + image_size - 1));
}

static void check_state(struct explain *x, struct cpu *c, gpa_t image)
{
    u64 sctlr = cpu_sctlr(c);
    if (bit(sctlr, 0))
        explain_say(x, c, "F07", false,
                    "kernel entered at 0x%llx with the MMU on (SCTLR_EL%u=0x%llx): it must be off (" RULES ")",
                    (ull)image, c->el, (ull)sctlr);
    else if (bit(sctlr, 2))
        explain_say(x, c, "F07", false,
                    "kernel entered at 0x%llx with the data cache enabled (SCTLR_ELx.C): it must be off and the image "
                    "cleaned to the point of coherency (" RULES ")",
                    (ull)image);
    if (~c->daif & (DAIF_D | DAIF_A | DAIF_I | DAIF_F))
        explain_say(x, c, "F07", false,
                    "kernel entered at 0x%llx with exceptions unmasked (DAIF=0x%x): D, A, I and F must be set (" RULES
                    ")",
                    (ull)image, c->daif);
    if (c->x[1] || c->x[2] || c->x[3])
        explain_say(x, c, "F07", false,
                    "kernel entered with x1=0x%llx x2=0x%llx x3=0x%llx: they are reserved and must be 0 (" RULES ")",
                    (ull)c->x[1], (ull)c->x[2], (ull)c->x[3]);
}

/// The first fetch from a page: is it the first instruction of an arm64 Image?
void lint_entry(struct explain *x, struct cpu *c, gva_t va, gpa_t pa)
{
    u8 h[64];
    if ((pa & 0xfff) || va != c->pc || !mem_read(machine_mem(x->m), pa, h, sizeof h) || ld32(h + 56) != IMAGE_MAGIC)
        return;
    watch_of(x, c)->checked_entry = true;
    u64 text_offset = ld64(h + 8), size = ld64(h + 16);
    if (size == 0) {
        text_offset = 0x80000;
        size = 4 * MIB;
    }
    check_state(x, c, pa);
    check_dtb(x, c, pa, size);
    if ((pa - text_offset) & (2 * MIB - 1))
        explain_say(x, c, "F07", false,
                    "kernel entered at 0x%llx: it must lie text_offset (0x%llx) above a 2 MiB boundary (" RULES ")",
                    (ull)pa, (ull)text_offset);
    if (!is_ram(x, pa + size - 1))
        explain_say(x, c, "F07", false,
                    "kernel at 0x%llx needs 0x%llx bytes (image_size, with bss), which end outside RAM", (ull)pa,
                    (ull)size);
}

void lint_cpu_on(struct explain *x, struct cpu *c)
{
    const u64 aff = 0xff00ffffffULL;
    u64 target = c->x[1], entry = c->x[2];
    struct xlat w;
    bool known = false;
    char at[96];
    if (!(entry & 3) && is_ram(x, entry))
        return;
    name_full(x, c->pc - 4, at, sizeof at);
    for (unsigned i = 0; i < x->cpus; i++)
        known |= (machine_cpu(x->m, i)->sr[SYSREG_MPIDR_EL1] & aff) == target;
    if (!known)
        return; /* probing for CPUs is how some kernels count them */
    if (entry & 3)
        explain_say(x, c, "F07", true, "CPU_ON at %s: entry 0x%llx is not a multiple of 4", at, (ull)entry);
    else if (!is_ram(x, entry) && (c->mode & MODE_MMU) && mmu_walk(c, entry, &w) && is_ram(x, w.pa))
        explain_say(x, c, "F07", true,
                    "CPU_ON at %s: entry 0x%llx is a virtual address; CPUs start with the MMU off, pass the physical "
                    "address 0x%llx",
                    at, (ull)entry, (ull)w.pa);
    else if (!is_ram(x, entry))
        explain_say(x, c, "F07", true, "CPU_ON at %s: entry 0x%llx is not in RAM; it must be a physical address", at,
                    (ull)entry);
}
