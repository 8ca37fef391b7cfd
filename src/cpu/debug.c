/// Self-hosted breakpoints and watchpoints. Arm ARM, "AArch64 Self-hosted Debug". Address-match
/// kinds only (BT 0b0000, WT 0); linked and context kinds never match.
#include "cpu/cpu.h"

enum { BREAKPOINTS = 6, WATCHPOINTS = 4 };

static u64 bcr(const struct cpu *c, unsigned n) { return c->sr[SYSREG_DBGBCR0_EL1 + 2 * n]; }
static u64 bvr(const struct cpu *c, unsigned n) { return c->sr[SYSREG_DBGBVR0_EL1 + 2 * n]; }
static u64 wcr(const struct cpu *c, unsigned n) { return c->sr[SYSREG_DBGWCR0_EL1 + 2 * n]; }
static u64 wvr(const struct cpu *c, unsigned n) { return c->sr[SYSREG_DBGWVR0_EL1 + 2 * n]; }
_Static_assert(SYSREG_DBGBVR1_EL1 == SYSREG_DBGBVR0_EL1 + 2, "value and control registers alternate");
_Static_assert(SYSREG_DBGWCR3_EL1 == SYSREG_DBGWCR0_EL1 + 6, "value and control registers alternate");

unsigned cpu_debug_el(const struct cpu *c)
{
    if (LIKELY(!c->has_el2))
        return 1;
    return bit(c->sr[SYSREG_MDCR_EL2], 8) || c->sr[SYSREG_HCR_EL2] & HCR_TGE ? 2 : 1;
}

/// Arm ARM, "Enabling debug exceptions from the current Exception level".
bool cpu_debug_enabled(const struct cpu *c)
{
    unsigned el = cpu_debug_el(c);
    if (bit(c->sr[SYSREG_OSLSR_EL1], 1) || c->el > el)
        return false;
    return c->el < el || (bit(c->sr[SYSREG_MDSCR_EL1], 13) && !(c->daif & DAIF_D));
}

/// Debug exceptions from breakpoints and watchpoints are enabled at the current EL.
static bool enabled(const struct cpu *c) { return bit(c->sr[SYSREG_MDSCR_EL1], 15) && cpu_debug_enabled(c); }

/// PMC/PAC: bit 0 EL1, bit 1 EL0; HMC adds EL2. SSC other than 0 does not change that without EL3.
static bool el_matches(const struct cpu *c, u64 cr, bool user)
{
    if (c->el == 2 && !user)
        return bit(cr, 13);
    return bits(cr, 2, 1) & (user ? 2 : 1);
}

bool cpu_breakpoints_armed(const struct cpu *c)
{
    if (LIKELY(!bit(c->sr[SYSREG_MDSCR_EL1], 15)) || !enabled(c))
        return false;
    for (unsigned n = 0; n < BREAKPOINTS; n++)
        if (bit(bcr(c, n), 0))
            return true;
    return false;
}
bool cpu_breakpoint_hit(const struct cpu *c, gva_t pc)
{
    if (!cpu_breakpoints_armed(c))
        return false;
    for (unsigned n = 0; n < BREAKPOINTS; n++) {
        u64 cr = bcr(c, n);
        if (bit(cr, 0) && bits(cr, 23, 20) == 0 && el_matches(c, cr, c->el == 0) && ((bvr(c, n) ^ pc) << 8) >> 10 == 0)
            return true;
    }
    return false;
}

bool cpu_watchpoints_armed(const struct cpu *c)
{
    if (LIKELY(!bit(c->sr[SYSREG_MDSCR_EL1], 15)) || !enabled(c))
        return false;
    for (unsigned n = 0; n < WATCHPOINTS; n++)
        if (bit(wcr(c, n), 0))
            return true;
    return false;
}
bool cpu_watchpoint_hit(const struct cpu *c, gva_t va, unsigned size, bool write, bool user)
{
    for (unsigned n = 0; n < WATCHPOINTS; n++) {
        u64 cr = wcr(c, n), base = wvr(c, n) & ~7ULL, len = 8;
        unsigned first = 0, mask = (unsigned)bits(cr, 28, 24), bas = (unsigned)bits(cr, 12, 5);
        if (!bit(cr, 0) || bit(cr, 20) || !el_matches(c, cr, user) || !(bits(cr, 4, 3) & (write ? 2 : 1)))
            continue;
        if (mask >= 3) {
            len = 1ULL << mask;
            base &= ~(len - 1);
        } else if (bas) {
            first = (unsigned)__builtin_ctz(bas);
            len = (unsigned)__builtin_popcount(bas);
        } else {
            continue;
        }
        if (range_overlap((u64)sext(va, 56), size, (u64)sext(base + first, 56), len))
            return true;
    }
    return false;
}
