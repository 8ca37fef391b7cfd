/// Processor state on aarch64. Register layouts: Arm Architecture Reference Manual, "AArch64 System
/// Register Descriptions".
#include "loader.h"

#define READ(reg)                                                                                  \
    ({                                                                                             \
        u64 v_;                                                                                    \
        __asm__ volatile("mrs %0, " reg : "=r"(v_));                                               \
        v_;                                                                                        \
    })

static unsigned current_el(void) { return READ("CurrentEL") >> 2 & 3; }

void cpu_env(struct bbp_env *env)
{
    u64 mmfr0 = READ("ID_AA64MMFR0_EL1"), mmfr1 = READ("ID_AA64MMFR1_EL1");
    unsigned t4 = mmfr0 >> 28 & 15, t64 = mmfr0 >> 24 & 15, t16 = mmfr0 >> 20 & 15;
    env->arch = BR_ARCH_AARCH64;
    env->granules = (t4 != 15 ? BBP_GRANULE_4K : 0) | (t16 != 0 ? BBP_GRANULE_16K : 0) |
                    (t64 != 15 ? BBP_GRANULE_64K : 0);
    env->pa_range = mmfr0 & 15;
    env->levels = 4;
    env->at_el2 = current_el() == 2;
    env->has_vhe = (mmfr1 >> 8 & 15) != 0;
}

void cpu_entry_state(struct bbp_entry_state *s)
{
    s->firmware_el = current_el();
    if (s->firmware_el == 2) {
        s->fw_sctlr = READ("SCTLR_EL2");
        s->fw_tcr = READ("TCR_EL2");
        s->fw_hcr = READ("HCR_EL2");
        s->fw_vbar = READ("VBAR_EL2");
    } else {
        s->fw_sctlr = READ("SCTLR_EL1");
        s->fw_tcr = READ("TCR_EL1");
        s->fw_vbar = READ("VBAR_EL1");
    }
}

u64 cpu_ticks(void)
{
    __asm__ volatile("isb" ::: "memory");
    return READ("CNTVCT_EL0");
}
u64 cpu_tick_hz(void) { return READ("CNTFRQ_EL0"); }

bool cpu_random(u64 *out)
{
    if ((READ("ID_AA64ISAR0_EL1") >> 60 & 15) == 0)
        return false;
    for (int i = 0; i < 16; i++) {
        u64 v, failed;
        __asm__ volatile("mrs %0, s3_3_c2_c4_0\n cset %1, eq" : "=r"(v), "=r"(failed) : : "cc");
        if (!failed) {
            *out = v;
            return true;
        }
    }
    return false;
}

void cpu_mask_interrupts(void) { __asm__ volatile("msr daifset, #15" ::: "memory"); }

u64 cpu_handoff_flags(void)
{
    return (current_el() == 2 ? HANDOFF_AT_EL2 : 0) |
           (READ("ID_AA64PFR0_EL1") >> 24 & 15 ? HANDOFF_GIC_SYSREGS : 0);
}

/// With the MMU off every access bypasses the caches, so what we wrote must reach memory, and no
/// line may be left that could be written back over what the kernel writes. By address: set/way
/// operations reach neither other cores' caches nor system caches.
void cpu_clean(const void *start, u64 len)
{
    u64 line = 4ULL << (READ("CTR_EL0") >> 16 & 15);
    for (u64 a = br_down((u64)(uintptr_t)start, line); a < (u64)(uintptr_t)start + len; a += line)
        __asm__ volatile("dc civac, %0" ::"r"(a) : "memory");
    __asm__ volatile("dsb sy" ::: "memory");
}

void cpu_sync_code(void)
{
    __asm__ volatile("dsb sy\n ic iallu\n dsb ish\n isb" ::: "memory");
}

void cpu_quiet_devices(const struct hw *hw) { (void)hw; }
void cpu_spin(void) { __asm__ volatile("wfe"); }
void cpu_port_write(u16 port, u8 v) { (void)port, (void)v; }
u8 cpu_port_read(u16 port) { return (void)port, 0xFF; }
void cpu_fill_page(u8 *page) { (void)page; }

_Noreturn void cpu_jump(const struct handoff *h)
{
    ((void (*)(const struct handoff *))(void *)handoff_page)(h);
    __builtin_unreachable();
}
