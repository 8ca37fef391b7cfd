/// Semihosting by HLT #0xf000. Source: Arm "Semihosting for AArch32 and AArch64". Only what test
/// programs need; no host files.
#include "board/priv.h"

enum {
    SYS_WRITEC = 0x03,
    SYS_WRITE0 = 0x04,
    SYS_READC = 0x07,
    SYS_CLOCK = 0x10,
    SYS_TIME = 0x11,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT = 0x18,
    SYS_EXIT_EXTENDED = 0x20,
    SYS_ELAPSED = 0x30,
    SYS_TICKFREQ = 0x31,
};
enum { WRITE0_MAX = 64 * 1024 };
#define STOPPED_APPLICATION_EXIT 0x20026ULL
#define NS_PER_CS 10000000ULL
#define NS_PER_S 1000000000ULL

static void put(struct machine *m, u8 b)
{
    os_mutex_lock(&m->lock);
    if (m->cfg.serial)
        chr_write(m->cfg.serial, &b, 1);
    board_console_byte(m, b);
    os_mutex_unlock(&m->lock);
}

static u64 write0(struct vcpu *v, gva_t at)
{
    u8 b;
    for (unsigned n = 0; n < WRITE0_MAX && mmu_debug_read(v->cpu, at + n, &b, 1) && b; n++)
        put(v->m, b);
    return 0;
}

/// The block at arg: buffer, its length; the length comes back without the terminator.
static u64 get_cmdline(struct vcpu *v, gva_t arg)
{
    u64 block[2];
    const char *s = v->m->cfg.semihosting_cmdline ? v->m->cfg.semihosting_cmdline : "";
    u64 len = strlen(s);
    if (!mmu_debug_read(v->cpu, arg, block, sizeof block) || block[1] <= len ||
        !mmu_debug_write(v->cpu, block[0], s, len + 1))
        return ~0ULL;
    return mmu_debug_write(v->cpu, arg + 8, &len, sizeof len) ? 0 : ~0ULL;
}

static void sys_exit(struct vcpu *v, gva_t arg)
{
    u64 block[2] = {0};
    bool ok = mmu_debug_read(v->cpu, arg, block, sizeof block);
    struct machine_exit x = {.kind = MACHINE_OFF, .cpu = v->cpu->index};
    x.code = ok && block[0] == STOPPED_APPLICATION_EXIT ? (int)(block[1] & 0x7fffffff) : 1;
    machine_end(v->m, &x);
}

void semihost_call(struct vcpu *v)
{
    struct cpu *c = v->cpu;
    u64 arg = c->x[1], now = board_now_ns(v->m), ret = ~0ULL;
    u8 b;
    switch ((u32)c->x[0]) {
    case SYS_WRITEC:
        if (mmu_debug_read(c, arg, &b, 1))
            put(v->m, b);
        return; /* no result */
    case SYS_WRITE0: write0(v, arg); return;
    case SYS_READC: ret = v->m->cfg.serial && chr_read(v->m->cfg.serial, &b, 1) ? b : ~0ULL; break;
    case SYS_CLOCK: ret = now / NS_PER_CS; break;
    case SYS_TIME: ret = v->m->epoch_s + now / NS_PER_S; break;
    case SYS_ELAPSED: ret = mmu_debug_write(c, arg, &now, sizeof now) ? 0 : ~0ULL; break;
    case SYS_TICKFREQ: ret = NS_PER_S; break;
    case SYS_GET_CMDLINE: ret = get_cmdline(v, arg); break;
    case SYS_EXIT:
    case SYS_EXIT_EXTENDED: sys_exit(v, arg); break;
    default: break;
    }
    c->x[0] = ret;
}
