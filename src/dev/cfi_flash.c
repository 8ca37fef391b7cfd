/// NOR flash as two 16-bit chips side by side: a bank of 32 bits. Sources: JEDEC JESD68.01 "Common
/// Flash Interface (CFI)", and the Intel basic command set (0x0001) as in "Intel StrataFlash
/// Embedded Memory (P30) Datasheet". Both chips get the same command; erasing and programming take
/// no time.
#include "dev/cfi_flash.h"
#include "os/os.h"

#include <libfdt.h>
#include <stdlib.h>

enum { SECTOR = 256 * 1024, BANK_WIDTH = 4, BUFFER_WORDS_MAX = 1024 };
enum {
    CMD_PROGRAM_10 = 0x10,
    CMD_ERASE = 0x20,
    CMD_PROGRAM = 0x40,
    CMD_CLEAR_STATUS = 0x50,
    CMD_LOCK = 0x60,
    CMD_READ_STATUS = 0x70,
    CMD_READ_ID = 0x90,
    CMD_CFI_QUERY = 0x98,
    CMD_CONFIRM = 0xd0,
    CMD_BUFFER = 0xe8,
    CMD_READ_ARRAY_F0 = 0xf0,
    CMD_READ_ARRAY = 0xff,
};
enum { STATUS_READY = 0x80, STATUS_ERASE_ERROR = 0x20, STATUS_PROGRAM_ERROR = 0x10 };
enum mode {
    MODE_ARRAY,
    MODE_STATUS,
    MODE_ID,
    MODE_CFI,
    MODE_PROGRAM,       ///< the next write is data
    MODE_ERASE,         ///< the next write confirms
    MODE_LOCK,
    MODE_BUFFER_COUNT,  ///< the next write is the count
    MODE_BUFFER_DATA,
    MODE_BUFFER_CONFIRM,
    MODE_LAST = MODE_BUFFER_CONFIRM,
};
enum { MAKER_INTEL = 0x89, DEVICE_P30 = 0x18 };

struct cfi_flash {
    struct mem *mem;
    u8 *array;
    int fd;
    u32 mode, status;
    u32 buffer_left; ///< writes still to come, whatever their width
    u32 buffer_lo, buffer_hi; ///< range programmed by the buffer command in progress
};

/// The query table of one chip: 256 blocks of 128 KiB.
static u8 query(u32 index)
{
    static const u8 t[] = {
        [0x10] = 'Q', 'R', 'Y',
        [0x13] = 0x01, 0x00, 0x31, 0x00, /* command set 1, extended table at 0x31 */
        [0x1b] = 0x45, 0x55,             /* supply 4.5 V to 5.5 V */
        [0x1f] = 0x07, 0x07, 0x0a, 0x00, /* typical times, powers of two */
        [0x23] = 0x04, 0x04, 0x04, 0x00, /* times longer at most */
        [0x27] = 0x19,                   /* 2^25 bytes */
        [0x28] = 0x02, 0x00, 0x0b, 0x00, /* 8 and 16 bits, buffer of 2^11 bytes */
        [0x2c] = 0x01, 0xff, 0x00, 0x00, 0x02, /* one region: 256 blocks of 512 * 256 bytes */
        [0x31] = 'P', 'R', 'I', '1', '0',
        [0x3f] = 0x01,
    };
    return index < sizeof t ? t[index] : 0;
}

static u8 identification(u32 index)
{
    return index == 0 ? MAKER_INTEL : index == 1 ? DEVICE_P30 : 0; /* others: blocks are unlocked */
}

static void set_mode(struct cfi_flash *f, enum mode mode)
{
    f->mode = mode;
    mem_flash_mode(f->mem, f, mode != MODE_ARRAY);
}

static bool flash_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct cfi_flash *f = dev;
    u32 index = (u32)(off / BANK_WIDTH) & 0xff, chip = f->status;
    u64 v = 0;
    if (f->mode == MODE_ARRAY) {
        memcpy(&v, f->array + off, size);
    } else {
        if (f->mode == MODE_CFI)
            chip = query(index);
        else if (f->mode == MODE_ID)
            chip = identification(index);
        v = dev_reg_part(chip | chip << 16, off, size);
    }
    *val = v;
    return true;
}

static void store_back(struct cfi_flash *f, u64 off, u64 len)
{
    if (f->fd >= 0 && !os_write_at(f->fd, off, f->array + off, len))
        f->status |= STATUS_PROGRAM_ERROR;
}

static void program(struct cfi_flash *f, u64 off, unsigned size, u64 val)
{
    for (unsigned i = 0; i < size; i++)
        f->array[off + i] &= (u8)(val >> i * 8); /* programming only clears bits */
}

static void erase(struct cfi_flash *f, u64 off)
{
    off = align_down(off, SECTOR);
    memset(f->array + off, 0xff, SECTOR);
    store_back(f, off, SECTOR);
}

static void command(struct cfi_flash *f, u8 cmd)
{
    switch (cmd) {
    case CMD_PROGRAM:
    case CMD_PROGRAM_10: set_mode(f, MODE_PROGRAM); break;
    case CMD_ERASE: set_mode(f, MODE_ERASE); break;
    case CMD_LOCK: set_mode(f, MODE_LOCK); break;
    case CMD_BUFFER: set_mode(f, MODE_BUFFER_COUNT); break;
    case CMD_READ_ID: set_mode(f, MODE_ID); break;
    case CMD_CFI_QUERY: set_mode(f, MODE_CFI); break;
    case CMD_READ_STATUS: set_mode(f, MODE_STATUS); break;
    case CMD_CLEAR_STATUS: f->status = STATUS_READY; break;
    case CMD_READ_ARRAY:
    case CMD_READ_ARRAY_F0: set_mode(f, MODE_ARRAY); break;
    default: break; /* unknown: ignored, as by the chips */
    }
}

static void buffer_data(struct cfi_flash *f, u64 off, unsigned size, u64 val)
{
    program(f, off, size, val);
    f->buffer_lo = off < f->buffer_lo ? (u32)off : f->buffer_lo;
    f->buffer_hi = off + size > f->buffer_hi ? (u32)(off + size) : f->buffer_hi;
    if (!f->buffer_left || !--f->buffer_left)
        set_mode(f, MODE_BUFFER_CONFIRM);
}

static bool flash_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct cfi_flash *f = dev;
    u8 cmd = (u8)val;
    switch (f->mode) {
    case MODE_PROGRAM:
        program(f, off, size, val);
        store_back(f, off, size);
        set_mode(f, MODE_STATUS);
        break;
    case MODE_ERASE:
        if (cmd == CMD_CONFIRM)
            erase(f, off);
        else
            f->status |= STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR;
        set_mode(f, MODE_STATUS);
        break;
    case MODE_LOCK: set_mode(f, MODE_STATUS); break;
    case MODE_BUFFER_COUNT: { /* words of each chip, less one */
        u32 words = (u32)(val & 0xffff) + 1;
        f->buffer_left = words < BUFFER_WORDS_MAX ? words : BUFFER_WORDS_MAX;
        f->buffer_lo = CFI_FLASH_SIZE; /* empty */
        f->buffer_hi = 0;
        set_mode(f, MODE_BUFFER_DATA);
        break;
    }
    case MODE_BUFFER_DATA: buffer_data(f, off, size, val); break;
    case MODE_BUFFER_CONFIRM:
        if (cmd != CMD_CONFIRM)
            f->status |= STATUS_PROGRAM_ERROR;
        if (f->buffer_hi > f->buffer_lo)
            store_back(f, f->buffer_lo, f->buffer_hi - f->buffer_lo);
        set_mode(f, MODE_STATUS);
        break;
    default: command(f, cmd); break;
    }
    return true;
}

static void flash_reset(void *dev)
{
    struct cfi_flash *f = dev;
    f->status = STATUS_READY;
    f->buffer_left = f->buffer_lo = f->buffer_hi = 0;
    set_mode(f, MODE_ARRAY);
}

static void flash_state(void *dev, struct state *s)
{
    struct cfi_flash *f = dev;
    state_u32_max(s, &f->mode, MODE_LAST);
    state_u32(s, &f->status);
    state_u32_max(s, &f->buffer_left, BUFFER_WORDS_MAX);
    state_u32_max(s, &f->buffer_lo, CFI_FLASH_SIZE);
    state_u32_max(s, &f->buffer_hi, CFI_FLASH_SIZE);
    if (s->is_loading)
        set_mode(f, f->mode);
}

static void flash_fdt(void *dev, void *fdt, int node)
{
    fdt_setprop_u32(fdt, node, "bank-width", BANK_WIDTH);
}

static const char compatible[] = "cfi-flash";
const struct device_ops cfi_flash_ops = {
    .name = "cfi-flash",
    .node = "flash",
    .compatible = compatible,
    .compatible_len = sizeof compatible,
    .size = CFI_FLASH_SIZE,
    .io = {flash_read, flash_write, 1, 4},
    .reset = flash_reset,
    .state = flash_state,
    .fdt = flash_fdt,
};

struct cfi_flash *cfi_flash_new(struct mem *mem)
{
    struct cfi_flash *f = xcalloc(1, sizeof *f);
    f->mem = mem;
    f->fd = -1;
    f->status = STATUS_READY;
    return f;
}

void cfi_flash_free(struct cfi_flash *f)
{
    if (!f)
        return;
    os_close(f->fd);
    free(f);
}

void cfi_flash_attach(struct cfi_flash *f, u8 *array) { f->array = array; }

bool cfi_flash_open(struct cfi_flash *f, const char *path, struct err *e)
{
    struct os_file file;
    f->fd = os_open_rw(path, CFI_FLASH_SIZE, e);
    if (f->fd < 0 || !os_file_open(&file, path, CFI_FLASH_SIZE, e))
        return false;
    memcpy(f->array, file.data, file.size);
    os_file_close(&file);
    return true;
}
