/// Hand-off lints that the CPU shows: what a loader and a young kernel do between the start of the
/// application and the first instruction at EL0. L1 and L2 are in lint_code.c, L3 also in lint_sync.c,
/// L10 also in lint_attr.c; those the firmware's events show are in handoff.c.
#include "debug/handoff.h"

#include <stdio.h>

typedef unsigned long long ull;

static const char *type_of(const struct handoff *h, gpa_t pa)
{
    return handoff_page_is(h, pa, EFI_BOOT_CODE_TYPE) || handoff_page_is(h, pa, EFI_BOOT_DATA_TYPE) ? "boot-services memory"
           : handoff_page_is(h, pa, EFI_FREE_TYPE)                                                  ? "free memory"
                                                                                                    : NULL;
}
static bool is_boot_memory(const struct handoff *h, gpa_t pa)
{
    return handoff_page_is(h, pa, EFI_BOOT_CODE_TYPE) || handoff_page_is(h, pa, EFI_BOOT_DATA_TYPE);
}
static bool is_firmware(const struct handoff *h, gpa_t pa)
{
    return handoff_page_is(h, pa, EFI_RUNTIME_CODE_TYPE) && !handoff_in_image(h, pa);
}

/// Physical address of the instruction that runs.
static gpa_t pc_pa(struct cpu *c)
{
    struct xlat w;
    return mmu_walk(c, c->pc, &w) ? w.pa : c->pc;
}

/* ---- L6, L9, L13: pages ---- */

static void first_entry(struct explain *x, struct cpu *c, gva_t va, gpa_t pa)
{
    struct handoff *h = x->handoff;
    const char *what = type_of(h, pa);
    struct xlat w;
    h->entered = true;
    if (what)
        explain_say(x, c, "L9", true,
                    "the kernel is entered at 0x%llx (PA 0x%llx), which is %s: nobody allocated it, or it was given back; load "
                    "the kernel to pages from AllocatePages",
                    (ull)va, (ull)pa, what);
    else if (is_strict(x) && (c->mode & MODE_MMU) && mmu_walk(c, va, &w) && w.priv_w && w.priv_x)
        explain_say(x, c, "L9", true, "the kernel is entered at 0x%llx through a mapping that is writable and executable (descriptor "
                                      "0x%llx): map text read-only, data execute-never",
                    (ull)va, (ull)w.desc[w.level]);
}

void handoff_fill(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, bool write, bool exec)
{
    struct handoff *h = x->handoff;
    char at[120];
    if (h->phase == FWHOST_PHASE_APP) {
        if (handoff_page_is(h, pa, EFI_FREE_TYPE) && handoff_in_image(h, c->pc))
            explain_say(x, c, "L6", true,
                        "%s of 0x%llx at %s: the memory map has it as free; allocate it (AllocatePages), and do not use it after "
                        "it was freed",
                        write ? "write" : exec ? "fetch" : "read", (ull)va, handoff_where(x, c->pc, at, sizeof at));
        return;
    }
    if (exec && !h->entered && !handoff_in_image(h, pa) && !is_firmware(h, pa))
        first_entry(x, c, va, pa);
    gpa_t code = write && h->entered ? pc_pa(c) : 0;
    if (write && h->entered && va - (c->x[REG_SP] - GUEST_PAGE) < 2 * GUEST_PAGE && (is_boot_memory(h, pa) || pa - h->stack < h->stack_size) &&
        !handoff_in_image(h, code) && !is_firmware(h, code))
        explain_say(x, c, "L5", true,
                    "the kernel at %s uses a stack (SP=0x%llx) that lies in %s: its allocator will hand that memory out; set SP to a stack of the kernel's "
                    "own first, or let the loader give one of LoaderData",
                    handoff_where(x, c->pc, at, sizeof at), (ull)c->x[REG_SP], is_boot_memory(h, pa) ? "boot-services memory" : "the firmware's own");
    bool runtime = handoff_page_is(h, pa, EFI_RUNTIME_CODE_TYPE) || handoff_page_is(h, pa, EFI_RUNTIME_DATA_TYPE);
    /* The firmware's stack lies in its data: a loader may use it until it has its own. */
    if (write && runtime && pa - h->stack >= h->stack_size && !is_firmware(h, pc_pa(c)))
        explain_say(x, c, "L13", true,
                    "write to 0x%llx (PA 0x%llx) at %s after ExitBootServices: it belongs to the runtime services; keep what the "
                    "map calls RuntimeServicesCode and RuntimeServicesData",
                    (ull)va, (ull)pa, handoff_where(x, c->pc, at, sizeof at));
}

/* ---- L3, L4, L5, L11: registers ---- */

static void mmu_switched(struct explain *x, struct cpu *c, bool on)
{
    struct handoff *h = x->handoff;
    const u64 *sr = c->sr;
    char at[120];
    if (!on) {
        h->mmu.off = true;
        h->mmu.flushed = false;
        h->mmu.ttbr0 = sr[SYSREG_TTBR0_EL1];
        h->mmu.ttbr1 = sr[SYSREG_TTBR1_EL1];
        h->mmu.tcr = sr[SYSREG_TCR_EL1];
        h->mmu.mair = sr[SYSREG_MAIR_EL1];
        return;
    }
    bool other = h->mmu.ttbr0 != sr[SYSREG_TTBR0_EL1] || h->mmu.ttbr1 != sr[SYSREG_TTBR1_EL1] ||
                 h->mmu.tcr != sr[SYSREG_TCR_EL1] || h->mmu.mair != sr[SYSREG_MAIR_EL1];
    if (h->mmu.off && other && !h->mmu.flushed)
        explain_say(x, c, "L3", true,
                    "SCTLR_EL1.M 0->1 at %s with other tables than before, and no TLBI since it was turned off: the TLB may hold "
                    "the firmware's translations; tlbi vmalle1, dsb nsh, isb first",
                    handoff_where(x, c->pc, at, sizeof at));
}

static void check_boot_memory(struct explain *x, struct cpu *c, const char *what, gpa_t pa)
{
    char at[120];
    if (is_boot_memory(x->handoff, pa))
        explain_say(x, c, "L5", true,
                    "%s 0x%llx (set at %s) lies in boot-services memory after ExitBootServices: the kernel's allocator will hand it "
                    "out; copy it to memory of the kernel's own",
                    what, (ull)pa, handoff_where(x, c->pc, at, sizeof at));
}

void handoff_other_level(struct explain *x, struct cpu *c, u32 sr, u64 old_val, u64 new_val)
{
    const u64 switches = 1 | 1 << 2 | 1 << 12; /* M, C, I */
    char at[120];
    if (sr == SYSREG_SCTLR_EL1 && c->el == 2 && bit(c->sr[SYSREG_SCTLR_EL2], 0) && !(new_val & switches) && x->handoff->phase == FWHOST_PHASE_EXITED)
        x->handoff->el1_sctlr_pc = c->pc;
    if (sr == SYSREG_SCTLR_EL1 && c->el == 2 && !(c->sr[SYSREG_HCR_EL2] & HCR_E2H) && bit(c->sr[SYSREG_SCTLR_EL2], 0) &&
        (old_val ^ new_val) && !((old_val ^ new_val) & ~switches))
        explain_say(x, c, "L4", true,
                    "SCTLR_EL1 is changed at %s (0x%llx -> 0x%llx), but this is EL2: its MMU and caches obey SCTLR_EL2; read "
                    "CurrentEL first",
                    handoff_where(x, c->pc, at, sizeof at), (ull)old_val, (ull)new_val);
}

void handoff_sysreg(struct explain *x, struct cpu *c, u32 sr, u64 old_val, u64 new_val)
{
    struct handoff *h = x->handoff;
    char at[120];
    struct xlat w;
    if (sr == SYSREG_SCTLR_EL1 && c->el == 1 && (old_val ^ new_val) & 1)
        mmu_switched(x, c, bit(new_val, 0));
    if (h->phase != FWHOST_PHASE_EXITED)
        return;
    if (sr == SYSREG_VBAR_EL1 && mmu_walk(c, new_val, &w))
        check_boot_memory(x, c, "VBAR_EL1", w.pa);
    if (sr == SYSREG_TTBR0_EL1 || sr == SYSREG_TTBR1_EL1)
        check_boot_memory(x, c, sr == SYSREG_TTBR0_EL1 ? "the translation table of TTBR0_EL1" : "the translation table of TTBR1_EL1",
                          new_val & 0xfffffffff000ULL);
    bool gap = sr == SYSREG_TTBR0_EL1 || (sr == SYSREG_SCTLR_EL1 && (old_val ^ new_val) & 5);
    if (gap && !(c->daif & DAIF_I) && c->el && c->sr[cpu_el_regs[c->el].vbar] == h->fw_vbar)
        explain_say(x, c, "L11", true,
                    "%s is written at %s with interrupts unmasked (DAIF.I=0) and the firmware's vectors: one that comes now has no "
                    "handler; msr daifset, #15 before, and unmask when VBAR_EL1 is the kernel's",
                    sysreg_id_name((enum sysreg_id)sr), handoff_where(x, c->pc, at, sizeof at));
}

/* ---- L3, L14: maintenance ---- */

void handoff_cache_op(struct explain *x, struct cpu *c, u32 enc)
{
    char at[120];
    if (bits(enc, 10, 7) == 8) {
        x->handoff->mmu.flushed = true;
        return;
    }
    if (enc == SYSREG_ENC(1, 0, 7, 6, 2) || enc == SYSREG_ENC(1, 0, 7, 10, 2) || enc == SYSREG_ENC(1, 0, 7, 14, 2))
        explain_say(x, c, "L14", true,
                    "cache maintenance by set and way at %s: it reaches neither other CPUs' caches nor system caches, and lines may "
                    "move meanwhile; clean by address (dc civac over what was written)",
                    handoff_where(x, c->pc, at, sizeof at));
}

/* ---- L4, L5, L9, L10: exceptions ---- */

static void bad_entry(struct explain *x, struct cpu *c, u64 esr, gva_t va)
{
    struct xlat w;
    char fsc[80], from[120];
    u64 source = 0;
    for (unsigned k = 2; k <= TRAIL_LEN && k <= c->trail.head && !source; k++)
        if (c->trail.e[(c->trail.head - k) & (TRAIL_LEN - 1)].to == va)
            source = c->trail.e[(c->trail.head - k) & (TRAIL_LEN - 1)].from;
    fsc_name((u32)bits(esr, 5, 0), fsc, sizeof fsc);
    bool ok = mmu_walk(c, va, &w);
    if (x->handoff->el1_sctlr_pc && c->el == 2 && bit(c->sr[SYSREG_SCTLR_EL2], 0))
        explain_say(x, NULL, "L4", true,
                    "SCTLR_EL1 was cleared at %s, but this is EL2: its MMU obeys SCTLR_EL2 and is still on, so the jump to 0x%llx that was meant for a "
                    "machine with the MMU off goes through the firmware's tables; read CurrentEL first",
                    handoff_where(x, x->handoff->el1_sctlr_pc, from, sizeof from), (ull)va);
    explain_say(x, NULL, "L9", true,
                "jump to 0x%llx from %s: %s%s (level %d descriptor at 0x%llx = 0x%llx); map the entry executable, or jump through a "
                "page of the loader's own text",
                (ull)va, source ? handoff_where(x, source, from, sizeof from) : "an unknown place", fsc,
                ok && !w.priv_x ? ", it is execute-never" : "", w.level, (ull)w.desc_pa[w.level & 3], (ull)w.desc[w.level & 3]);
}

void handoff_exception(struct explain *x, struct cpu *c, u32 kind, u64 esr, u64 far, u64 from_pc)
{
    const struct handoff *h = x->handoff;
    u32 ec = (u32)bits(esr, 31, 26), fsc = (u32)bits(esr, 5, 0), word = 0;
    bool sync = (kind & 0x180) == 0, mmu = c->mode & MODE_MMU;
    char at[120];
    struct xlat w;
    if (sync && ec == EC_IABT && far == from_pc && !h->entered)
        bad_entry(x, c, esr, far);
    else if (sync && ec == EC_DABT && fsc == 0x21 && !mmu)
        explain_say(x, NULL, "L10", true,
                    "unaligned access or DC ZVA to 0x%llx at %s with the MMU off: all data is Device-nGnRnE then; build the code of "
                    "the gap with -mstrict-align and without DC ZVA",
                    (ull)far, handoff_where(x, from_pc, at, sizeof at));
    else if (sync && ec == EC_UNKNOWN && mmu_debug_read(c, from_pc, &word, 4) && (word & 0xffd8ffe0) == 0xd5181000 &&
             bits(word, 18, 16) >= 4)
        explain_say(x, NULL, "L4", true,
                    "SCTLR_EL%d is written at %s, but this is EL%u: SCTLR_EL%u counts here; read CurrentEL first",
                    bits(word, 18, 16) == 6 ? 3 : 2, handoff_where(x, from_pc, at, sizeof at), c->el, c->el);
    if (h->phase != FWHOST_PHASE_EXITED || kind >= 0x400)
        return;
    if (c->pc - h->fw_vbar < 0x800)
        explain_say(x, NULL, "L5", true,
                    "an exception at %s went to the firmware's vectors (VBAR 0x%llx) after ExitBootServices: install the kernel's own "
                    "first",
                    handoff_where(x, from_pc, at, sizeof at), (ull)h->fw_vbar);
    else if (mmu_walk(c, c->x[REG_SP] - 16, &w) && (is_boot_memory(h, w.pa) || handoff_page_is(h, w.pa, EFI_RUNTIME_DATA_TYPE)))
        explain_say(x, NULL, "L5", true,
                    "an exception at %s is taken on the stack of boot services (SP=0x%llx) after ExitBootServices: switch to a stack "
                    "of the kernel's own",
                    handoff_where(x, from_pc, at, sizeof at), (ull)c->x[REG_SP]);
}

/* ---- L1, L12: loads that are watched ---- */

/// A map of descriptors of more than 40 bytes is stepped through by 40: loads follow one another at that distance, and none
/// at the right one, as copies of all bytes have it, too.
static void map_read(struct explain *x, struct cpu *c, gpa_t pa, unsigned size)
{
    enum { ENOUGH = 4 };
    struct handoff *h = x->handoff;
    char at[120];
    unsigned hits = 0;
    bool right = false;
    if (!handoff_in_image(h, c->pc) || (size != 4 && size != 8))
        return;
    for (unsigned k = 0; k < STRIDES; k++) {
        if (h->stride[k].pa == pa - 40)
            hits = h->stride[k].hits + 1;
        right |= h->stride[k].pa == pa - h->map_step;
    }
    hits = right ? 0 : hits;
    h->stride[h->strides % STRIDES].pa = pa;
    h->stride[h->strides++ % STRIDES].hits = hits;
    if (hits == ENOUGH)
        explain_say(x, c, "L12", true,
                    "the memory map is read at %s in steps of 40 bytes (sizeof EFI_MEMORY_DESCRIPTOR); this firmware's descriptors are "
                    "%llu bytes apart: use the DescriptorSize that GetMemoryMap returns",
                    handoff_where(x, c->pc, at, sizeof at), (ull)h->map_step);
}

void handoff_load(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, unsigned size)
{
    struct handoff *h = x->handoff;
    if (h && h->map_watched && pa - h->map_buffer < h->map_size)
        map_read(x, c, pa, size);
    if (h && !(c->mode & MODE_MMU))
        lint_code_load(x, c, pa, size);
}
