/// Firmware services, by HVC or, when the guest has EL2, by SMC. Sources: Arm DEN 0022 "Power State Coordination Interface" 1.1, DEN
/// 0028 "SMC Calling Convention" 1.1, DEN 0098 "True Random Number Generator Firmware Interface".
#include "board/priv.h"

enum {
    SMCCC_VERSION = 0x80000000,
    SMCCC_ARCH_FEATURES = 0x80000001,
    SMCCC_ARCH_WORKAROUND_3 = 0x80003fff,
    SMCCC_ARCH_WORKAROUND_2 = 0x80007fff,
    SMCCC_ARCH_WORKAROUND_1 = 0x80008000,
    PSCI_VERSION = 0x84000000,
    PSCI_CPU_SUSPEND = 0x84000001,
    PSCI_CPU_OFF = 0x84000002,
    PSCI_CPU_ON = 0x84000003,
    PSCI_AFFINITY_INFO = 0x84000004,
    PSCI_MIGRATE_INFO_TYPE = 0x84000006,
    PSCI_SYSTEM_OFF = 0x84000008,
    PSCI_SYSTEM_RESET = 0x84000009,
    PSCI_FEATURES = 0x8400000a,
    PSCI_SYSTEM_RESET2 = 0x84000012,
    TRNG_VERSION = 0x84000050,
    TRNG_FEATURES = 0x84000051,
    TRNG_GET_UUID = 0x84000052,
    TRNG_RND = 0x84000053,
    CALL_64BIT = 0x40000000,
};
#define RET_SUCCESS 0ULL
#define RET_NOT_SUPPORTED (~0ULL)
#define RET_INVALID (~1ULL)
#define RET_ALREADY_ON (~3ULL)
#define RET_NOT_REQUIRED 1ULL
enum { AFFINITY_ON = 0, AFFINITY_OFF = 1, MIGRATE_NOT_NEEDED = 2 };
enum { VERSION_PSCI = 0x10001, VERSION_SMCCC = 0x10001, VERSION_TRNG = 0x10000 };
#define MPIDR_AFF 0xff00ffffffULL

static struct vcpu *by_affinity(struct machine *m, u64 aff)
{
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        if ((m->vcpu[i].cpu->sr[SYSREG_MPIDR_EL1] & MPIDR_AFF) == aff)
            return &m->vcpu[i];
    return NULL;
}

static u64 cpu_on(struct machine *m, u64 target, u64 entry, u64 context)
{
    struct vcpu *t = by_affinity(m, target);
    if (!t || entry & 3)
        return RET_INVALID;
    if (t->state != VCPU_OFF)
        return RET_ALREADY_ON;
    vcpu_start(t, entry, context);
    threads_wake(t);
    return RET_SUCCESS;
}

static u64 affinity_info(struct machine *m, u64 target, u64 level)
{
    const struct vcpu *t = by_affinity(m, target);
    if (!t || level)
        return RET_INVALID;
    return t->state == VCPU_OFF ? AFFINITY_OFF : AFFINITY_ON;
}

static bool is_implemented(u32 fn)
{
    static const u32 both[] = {PSCI_CPU_SUSPEND, PSCI_CPU_ON, PSCI_AFFINITY_INFO,
                               PSCI_SYSTEM_RESET2, TRNG_RND};
    static const u32 narrow[] = {SMCCC_VERSION,     SMCCC_ARCH_FEATURES, PSCI_VERSION,
                                 PSCI_CPU_OFF,      PSCI_FEATURES,       PSCI_MIGRATE_INFO_TYPE,
                                 PSCI_SYSTEM_OFF,   PSCI_SYSTEM_RESET,   TRNG_VERSION,
                                 TRNG_FEATURES,     TRNG_GET_UUID};
    for (unsigned i = 0; i < ARRAY_LEN(both); i++)
        if ((fn & ~(u32)CALL_64BIT) == both[i])
            return true;
    for (unsigned i = 0; i < ARRAY_LEN(narrow); i++)
        if (fn == narrow[i])
            return true;
    return false;
}

static u64 arch_features(u32 fn)
{
    switch (fn) {
    case SMCCC_VERSION:
    case SMCCC_ARCH_FEATURES: return RET_SUCCESS;
    case SMCCC_ARCH_WORKAROUND_1: /* this CPU does not speculate */
    case SMCCC_ARCH_WORKAROUND_2:
    case SMCCC_ARCH_WORKAROUND_3: return RET_NOT_REQUIRED;
    default: return RET_NOT_SUPPORTED;
    }
}

/// Entropy right-aligned in x3:x2:x1 (or their low halves).
static u64 trng_rnd(struct vcpu *v, u64 nbits, bool wide)
{
    unsigned word = wide ? 64 : 32;
    struct cpu *c = v->cpu;
    if (nbits == 0 || nbits > word * 3)
        return RET_INVALID;
    for (unsigned i = 0; i < 3; i++) { /* i 0: x3, the lowest bits */
        u64 have = nbits > i * word ? nbits - i * word : 0, r = 0;
        if (have)
            r = rng_next(&v->m->rng) >> (64 - (have < word ? have : word));
        c->x[3 - i] = r;
    }
    return RET_SUCCESS;
}

static u64 trng_uuid(struct cpu *c)
{
    c->x[1] = 0x4b1f9c52; /* random, ours */
    c->x[2] = 0x7a90d1e8;
    c->x[3] = 0x2e66b043;
    return 0x6d1f37c4;
}

static void power(struct vcpu *v, enum machine_exit_kind kind, u64 value)
{
    struct machine *m = v->m;
    struct machine_exit x = {.kind = m->saw_panic ? MACHINE_PANIC : kind, .cpu = v->cpu->index,
                             .value = value};
    machine_end(m, &x);
}

static u64 serve(struct vcpu *v, u32 fn, const u64 *a)
{
    struct machine *m = v->m;
    switch (fn) {
    case SMCCC_VERSION: return VERSION_SMCCC;
    case SMCCC_ARCH_FEATURES: return arch_features((u32)a[0]);
    case PSCI_VERSION: return VERSION_PSCI;
    case PSCI_FEATURES: return is_implemented((u32)a[0]) ? RET_SUCCESS : RET_NOT_SUPPORTED;
    case PSCI_MIGRATE_INFO_TYPE: return MIGRATE_NOT_NEEDED;
    case PSCI_CPU_SUSPEND: /* every state is treated as standby */
        v->state = VCPU_WFI;
        return RET_SUCCESS;
    case PSCI_CPU_OFF:
        v->state = VCPU_OFF;
        return RET_SUCCESS;
    case PSCI_CPU_ON: return cpu_on(m, a[0], a[1], a[2]);
    case PSCI_AFFINITY_INFO: return affinity_info(m, a[0], a[1]);
    case PSCI_SYSTEM_OFF: power(v, MACHINE_OFF, 0); return RET_SUCCESS;
    case PSCI_SYSTEM_RESET: power(v, MACHINE_RESET, 0); return RET_SUCCESS;
    case PSCI_SYSTEM_RESET2: power(v, MACHINE_RESET, a[0]); return RET_SUCCESS;
    case TRNG_VERSION: return VERSION_TRNG;
    case TRNG_FEATURES: return is_implemented((u32)a[0]) ? RET_SUCCESS : RET_NOT_SUPPORTED;
    case TRNG_GET_UUID: return trng_uuid(v->cpu);
    default: return RET_NOT_SUPPORTED;
    }
}

static void call(struct vcpu *v, bool smc)
{
    struct cpu *c = v->cpu;
    u32 fn = (u32)c->x[0];
    bool wide = fn & CALL_64BIT;
    u64 mask = wide ? ~0ULL : 0xffffffffULL, ret;
    u64 a[3] = {c->x[1] & mask, c->x[2] & mask, c->x[3] & mask};
    TRACE(c, TRACE_PSCI, c->exit.addr, c->x[0], c->x[1], smc);
    if (c->hooks.psci)
        c->hooks.psci(c->hooks.ctx, c, c->x[0], smc);
    if (!is_implemented(fn))
        ret = RET_NOT_SUPPORTED;
    else if ((fn & ~(u32)CALL_64BIT) == TRNG_RND)
        ret = trng_rnd(v, a[0], wide);
    else
        ret = serve(v, fn & ~(u32)(wide ? CALL_64BIT : 0), a);
    c->x[0] = ret;
    if (c->hooks.psci_done)
        c->hooks.psci_done(c->hooks.ctx, c, fn, ret);
}

void psci_call(struct vcpu *v, bool smc)
{
    os_mutex_lock(&v->m->power_lock); /* a vCPU that goes off is started again after the call ended */
    call(v, smc);
    os_mutex_unlock(&v->m->power_lock);
}
