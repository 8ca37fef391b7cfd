/// What registers of translation and of the GIC say that cannot be right although it works here: reserved
/// granules, a table that is not aligned (F08), a redistributor that nobody woke (F13, strict). Arm ARM,
/// "TCR_EL1, Translation Control Register", "TTBR0_EL1"; GIC Architecture Specification, "GICR_WAKER".
#include "debug/priv.h"

#include <stdio.h>

typedef unsigned long long ull;

/// Log2 of the granule, or 0: reserved.
static unsigned granule_bits(u64 tcr, bool high)
{
    static const u8 tg0[] = {12, 16, 14, 0}, tg1[] = {0, 14, 12, 16};
    return high ? tg1[bits(tcr, 31, 30)] : tg0[bits(tcr, 15, 14)];
}

/// Bytes of the table at which a walk starts: what TTBR must be aligned to.
static u64 first_table_size(unsigned va_bits, unsigned granule)
{
    unsigned per_level = granule - 3;
    if (va_bits <= granule || va_bits > 48)
        return 1;
    u64 size = 8ULL << ((va_bits - granule - 1) % per_level + 1);
    return size < 64 ? 64 : size;
}

void lint_table_registers(struct explain *x, struct cpu *c, gva_t va)
{
    const struct cpu_regime_regs *r = &cpu_regime_regs[c->regime];
    bool high = bit(va, 55) && c->regime != REGIME_EL2;
    u64 tcr = cpu_tcr(c), ttbr = c->sr[high ? r->ttbr1 : r->ttbr0], base = bits(ttbr, 47, 1) << 1;
    unsigned granule = granule_bits(tcr, high), va_bits = 64 - (unsigned)(high ? bits(tcr, 21, 16) : bits(tcr, 5, 0));
    char at[96];
    if (is_said(x, "F08"))
        return;
    if (granule == 0) {
        explain_say(x, c, "F08", true,
                    "0x%llx is translated with TCR_EL1.TG%d=%llu at %s, which is reserved: silicon may take any granule; TG%d is %s", (ull)va,
                    high, (ull)(high ? bits(tcr, 31, 30) : bits(tcr, 15, 14)), name_full(x, c->pc, at, sizeof at), high,
                    high ? "0b10 for 4 KiB, 0b01 for 16, 0b11 for 64, otherwise than TG0" : "0b00 for 4 KiB, 0b10 for 16, 0b01 for 64");
        return;
    }
    u64 size = first_table_size(va_bits, granule);
    if (base & (size - 1))
        explain_say(x, c, "F08", true,
                    "TTBR%d_EL1=0x%llx is not a multiple of its table's size (0x%llx bytes): the low bits are RES0 and silicon may read the "
                    "table from 0x%llx; align the table",
                    high, (ull)ttbr, (ull)size, (ull)(base & ~(size - 1)));
}

void lint_waker(struct explain *x, struct cpu *c)
{
    struct cpu_watch *w = watch_of(x, c);
    if (w->checked_waker)
        return;
    w->checked_waker = true;
    if (x->has_plan && !x->is_linux && !x->handoff && !machine_gic_was_woken(x->m, c->index))
        explain_say(x, c, "F13", true,
                    "cpu%u takes an interrupt and never cleared GICR_WAKER.ProcessorSleep of its redistributor: it is awake here as after EL3 "
                    "firmware; without such firmware no interrupt comes. Clear bit 1 of GICR_WAKER and wait until bit 2 is 0",
                    c->index);
}
