/// Semihosting by HLT #0xf000. Source: Arm "Semihosting for AArch32 and AArch64". What test programs and the C libraries
/// under them need: the console as file `:tt`, the file `:semihosting-features`; no files of the host. Reading does not
/// wait: without input it is at its end.
#include "board/priv.h"

#include <stdlib.h>

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITEC = 0x03,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_READC = 0x07,
    SYS_ISERROR = 0x08,
    SYS_ISTTY = 0x09,
    SYS_SEEK = 0x0a,
    SYS_FLEN = 0x0c,
    SYS_TMPNAM = 0x0d,
    SYS_REMOVE = 0x0e,
    SYS_RENAME = 0x0f,
    SYS_CLOCK = 0x10,
    SYS_TIME = 0x11,
    SYS_SYSTEM = 0x12,
    SYS_ERRNO = 0x13,
    SYS_GET_CMDLINE = 0x15,
    SYS_HEAPINFO = 0x16,
    SYS_EXIT = 0x18,
    SYS_EXIT_EXTENDED = 0x20,
    SYS_ELAPSED = 0x30,
    SYS_TICKFREQ = 0x31,
};
enum { WRITE0_MAX = 64 * 1024, WRITE_MAX = 1024 * 1024, CHUNK = 256, NAME_MAX_LEN = 64 };
enum { HANDLE_IN = 1, HANDLE_OUT, HANDLE_ERR, HANDLE_FEATURES };
enum { ERRNO_ENOENT = 2, ERRNO_EBADF = 9, ERRNO_EFAULT = 14, ERRNO_EINVAL = 22, ERRNO_ESPIPE = 29, ERRNO_ENOSYS = 38 };
#define FAILED (~0ULL)
/// "Feature bits": the magic, then SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR.
static const u8 features[] = {0x53, 0x48, 0x46, 0x42, 0x03};
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
    const char *s = v->m->semihost.command_line ? v->m->semihost.command_line : "";
    u64 len = strlen(s);
    if (!mmu_debug_read(v->cpu, arg, block, sizeof block) || block[1] <= len ||
        !mmu_debug_write(v->cpu, block[0], s, len + 1))
        return ~0ULL;
    return mmu_debug_write(v->cpu, arg + 8, &len, sizeof len) ? 0 : ~0ULL;
}

void machine_set_command_line(struct machine *m, const char *line)
{
    free(m->semihost.command_line);
    m->semihost.command_line = xstrdup(line);
}

/* ---- files ---- */

static u64 fail(struct vcpu *v, int why)
{
    v->m->semihost.error = why;
    return FAILED;
}

/// The n words of the argument block. ret  false: errno is set
static bool block_of(struct vcpu *v, gva_t arg, u64 *block, unsigned n)
{
    if (mmu_debug_read(v->cpu, arg, block, n * sizeof *block))
        return true;
    fail(v, ERRNO_EFAULT);
    return false;
}

static u64 sys_open(struct vcpu *v, gva_t arg)
{
    u64 b[3];
    char name[NAME_MAX_LEN];
    if (!block_of(v, arg, b, 3))
        return FAILED;
    if (b[1] > 11 || b[2] >= sizeof name)
        return fail(v, b[1] > 11 ? ERRNO_EINVAL : ERRNO_ENOENT);
    if (b[2] && !mmu_debug_read(v->cpu, b[0], name, b[2]))
        return fail(v, ERRNO_EFAULT);
    name[b[2]] = '\0';
    if (strcmp(name, ":tt") == 0)
        return b[1] < 4 ? HANDLE_IN : b[1] < 8 ? HANDLE_OUT : HANDLE_ERR;
    if (strcmp(name, ":semihosting-features") != 0 || b[1] > 1)
        return fail(v, ERRNO_ENOENT);
    v->m->semihost.at = 0;
    return HANDLE_FEATURES;
}

/// ret  how many bytes were not written
static u64 sys_write(struct vcpu *v, gva_t arg)
{
    u64 b[3], done = 0;
    u8 buf[CHUNK];
    if (!block_of(v, arg, b, 3))
        return FAILED;
    if (b[0] != HANDLE_OUT && b[0] != HANDLE_ERR) {
        fail(v, ERRNO_EBADF);
        return b[2];
    }
    while (done < b[2] && done < WRITE_MAX) {
        u64 n = b[2] - done < sizeof buf ? b[2] - done : sizeof buf;
        if (!mmu_debug_read(v->cpu, b[1] + done, buf, n)) {
            n = 1; /* up to the end of what is mapped */
            if (!mmu_debug_read(v->cpu, b[1] + done, buf, 1))
                break;
        }
        for (u64 k = 0; k < n; k++)
            put(v->m, buf[k]);
        done += n;
    }
    if (done < b[2] && done < WRITE_MAX)
        fail(v, ERRNO_EFAULT);
    return b[2] - done;
}

static bool next_input(struct vcpu *v, u64 handle, u8 *b)
{
    struct machine *m = v->m;
    if (handle == HANDLE_FEATURES) {
        if (m->semihost.at >= sizeof features)
            return false;
        *b = features[m->semihost.at++];
        return true;
    }
    return m->cfg.serial && chr_read(m->cfg.serial, b, 1);
}

/// ret  how many bytes were not read: all at the end
static u64 sys_read(struct vcpu *v, gva_t arg)
{
    u64 b[3], done = 0;
    u8 c;
    if (!block_of(v, arg, b, 3))
        return FAILED;
    if (b[0] != HANDLE_IN && b[0] != HANDLE_FEATURES) {
        fail(v, ERRNO_EBADF);
        return b[2];
    }
    for (; done < b[2] && done < WRITE_MAX; done++) {
        if (!mmu_debug_read(v->cpu, b[1] + done, &c, 1)) { /* before a byte of input is lost */
            fail(v, ERRNO_EFAULT);
            break;
        }
        if (!next_input(v, b[0], &c) || !mmu_debug_write(v->cpu, b[1] + done, &c, 1))
            break;
        if (b[0] == HANDLE_IN && c == '\n') {
            done++;
            break;
        }
    }
    return b[2] - done;
}

/// What else there is to ask of a handle.
static u64 of_handle(struct vcpu *v, u32 op, gva_t arg)
{
    u64 b[2] = {0};
    if (!block_of(v, arg, b, op == SYS_SEEK ? 2 : 1))
        return FAILED;
    if (b[0] < HANDLE_IN || b[0] > HANDLE_FEATURES)
        return fail(v, ERRNO_EBADF);
    bool file = b[0] == HANDLE_FEATURES;
    switch (op) {
    case SYS_ISTTY: return !file;
    case SYS_FLEN: return file ? sizeof features : 0;
    case SYS_SEEK:
        if (!file || b[1] > sizeof features)
            return fail(v, file ? ERRNO_EINVAL : ERRNO_ESPIPE);
        v->m->semihost.at = (unsigned)b[1];
        return 0;
    default: return 0; /* SYS_CLOSE */
    }
}

/// Zeros: the program's own linker script says where its heap and stack are.
static u64 sys_heapinfo(struct vcpu *v, gva_t arg)
{
    static const u64 none[4];
    u64 at;
    if (!block_of(v, arg, &at, 1))
        return FAILED;
    return mmu_debug_write(v->cpu, at, none, sizeof none) ? 0 : fail(v, ERRNO_EFAULT);
}

static u64 sys_iserror(struct vcpu *v, gva_t arg)
{
    u64 status;
    return block_of(v, arg, &status, 1) ? (s64)status < 0 : FAILED;
}

/* ---- calls ---- */

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
    u32 op = (u32)c->x[0];
    switch (op) {
    case SYS_OPEN: ret = sys_open(v, arg); break;
    case SYS_WRITE: ret = sys_write(v, arg); break;
    case SYS_READ: ret = sys_read(v, arg); break;
    case SYS_CLOSE:
    case SYS_ISTTY:
    case SYS_SEEK:
    case SYS_FLEN: ret = of_handle(v, op, arg); break;
    case SYS_ISERROR: ret = sys_iserror(v, arg); break;
    case SYS_ERRNO: ret = (u64)v->m->semihost.error; break;
    case SYS_HEAPINFO: ret = sys_heapinfo(v, arg); break;
    case SYS_TMPNAM:
    case SYS_RENAME:
    case SYS_SYSTEM: ret = fail(v, ERRNO_ENOSYS); break;
    case SYS_REMOVE: ret = fail(v, ERRNO_ENOENT); break;
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
