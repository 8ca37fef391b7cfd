/// Text out and in: PL011 (Arm PrimeCell UART (PL011) Technical Reference Manual) or 16550, memory
/// mapped or in I/O space, as the boot protocol's console tag says.
#include "kernel.h"

static struct bbp_console con;
static volatile u8 *regs;

static u32 read_reg(u32 index)
{
    if (con.type == BBP_CON_IO16550)
        return arch_port_read((u16)(con.base + index));
    if (con.type == BBP_CON_PL011)
        return *(volatile u32 *)(volatile void *)(regs + index);
    return regs[index << con.reg_shift];
}

static void write_reg(u32 index, u8 v)
{
    if (con.type == BBP_CON_IO16550)
        arch_port_write((u16)(con.base + index), v);
    else if (con.type == BBP_CON_PL011)
        *(volatile u32 *)(volatile void *)(regs + index) = v;
    else
        regs[index << con.reg_shift] = v;
}

enum { PL011_DR = 0, PL011_FR = 0x18, FR_RXFE = 0x10, FR_TXFF = 0x20,
       U16550_DATA = 0, U16550_LSR = 5, LSR_DR = 1, LSR_THRE = 0x20 };

void console_start(const struct bbp_console *c, u64 hhdm)
{
    con = *c;
    regs = (volatile u8 *)(uintptr_t)(c->base + hhdm);
}

static void uart_put(char c)
{
    if (con.type == BBP_CON_NONE)
        return;
    // The firmware left the line configured. A transmitter that never drains must not hang us.
    for (u32 spin = 0; spin < 1000000; spin++) {
        bool ready = con.type == BBP_CON_PL011 ? !(read_reg(PL011_FR) & FR_TXFF)
                                               : (read_reg(U16550_LSR) & LSR_THRE) != 0;
        if (ready)
            break;
    }
    write_reg(con.type == BBP_CON_PL011 ? PL011_DR : U16550_DATA, (u8)c);
}

void console_char(char c)
{
    if (c == '\n')
        uart_put('\r');
    uart_put(c);
    fb_char(c);
}

void console_write(const char *s)
{
    while (*s)
        console_char(*s++);
}

int console_poll(void)
{
    if (con.type == BBP_CON_PL011)
        return read_reg(PL011_FR) & FR_RXFE ? -1 : (int)(read_reg(PL011_DR) & 0xFF);
    if (con.type == BBP_CON_NONE)
        return -1;
    return read_reg(U16550_LSR) & LSR_DR ? (int)read_reg(U16550_DATA) : -1;
}

void print(const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    br_vfmt(text, sizeof text, fmt, ap);
    va_end(ap);
    console_write(text);
}
