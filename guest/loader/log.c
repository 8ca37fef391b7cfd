/// Messages: console, serial and a buffer for the kernel. After ExitBootServices: the bare UART.
#include "loader.h"

static void console_write(const char *s)
{
    efi_char wide[128];
    while (*s) {
        u32 n = 0;
        while (*s && n < ARRAY_LEN(wide) - 2) {
            if (*s == '\n')
                wide[n++] = '\r';
            wide[n++] = (efi_char)(u8)*s++;
        }
        wide[n] = 0;
        if (ld.st->con_out)
            ld.st->con_out->output_string(ld.st->con_out, wide);
    }
}

static void emit(const char *s)
{
    u32 n = (u32)br_strlen(s);
    if (n < LOADER_LOG_MAX - 1 - ld.log_len) {
        memcpy(ld.log + ld.log_len, s, n);
        ld.log_len += n;
    }
    console_write(s);
    for (; ld.serial && *s; s++) {
        u64 one = 1;
        if (*s == '\n')
            ld.serial->write(ld.serial, &one, "\r");
        ld.serial->write(ld.serial, &one, s);
    }
}

static void vsay(const char *prefix, const char *fmt, va_list ap)
{
    char text[512];
    br_vfmt(text, sizeof text, fmt, ap);
    emit(prefix);
    emit(text);
    emit("\n");
}

void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsay("loader: ", fmt, ap);
    va_end(ap);
}

bool complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsay("loader: ERROR: ", fmt, ap);
    va_end(ap);
    return false;
}

/// True if the firmware's console already goes to a UART: its ConOut variable then holds a
/// messaging device path of subtype UART (UEFI Specification, "Messaging Device Path").
static bool console_reaches_serial(void)
{
    static const struct efi_guid global = EFI_GUID_GLOBAL_VARIABLE;
    static const efi_char name[] = {'C', 'o', 'n', 'O', 'u', 't', 0};
    u8 path[512];
    u64 size = sizeof path;
    if (ld.st->rt->get_variable(name, &global, NULL, &size, path) != EFI_SUCCESS)
        return false;
    for (u64 at = 0; at + 4 <= size;) {
        u16 len = br_ld16(path + at + 2);
        if (path[at] == 3 && path[at + 1] == 14)
            return true;
        if (len < 4)
            break;
        at += len;
    }
    return false;
}

void log_start(void)
{
    static const struct efi_guid serial_io = EFI_GUID_SERIAL_IO;
    void *serial = NULL;
    if (ld.bs->locate_protocol(&serial_io, NULL, &serial) == EFI_SUCCESS &&
        !console_reaches_serial())
        ld.serial = serial;
}

const char *status_name(efi_status s)
{
    static const struct {
        efi_status s;
        char name[24];
    } rows[] = {{EFI_SUCCESS, "success"},
                {EFI_LOAD_ERROR, "load error"},
                {EFI_INVALID_PARAMETER, "invalid parameter"},
                {EFI_UNSUPPORTED, "unsupported"},
                {EFI_BUFFER_TOO_SMALL, "buffer too small"},
                {EFI_NOT_READY, "not ready"},
                {EFI_DEVICE_ERROR, "device error"},
                {EFI_OUT_OF_RESOURCES, "out of resources"},
                {EFI_NOT_FOUND, "not found"},
                {EFI_ABORTED, "aborted"},
                {EFI_ERROR_BIT | 15, "access denied"},
                {EFI_ERROR_BIT | 26, "security violation"}};
    static char other[24];
    for (u32 i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].s == s)
            return rows[i].name;
    br_fmt(other, sizeof other, "status 0x%llx", (unsigned long long)s);
    return other;
}

static void uart_put(char ch)
{
    const struct bbp_console *c = &ld.console;
    u64 status = c->base + (5ULL << c->reg_shift);
    if (c->type == BBP_CON_PL011) {
        volatile u32 *r = (volatile u32 *)(uintptr_t)c->base;
        while (r[6] & 0x20) // UARTFR.TXFF
            ;
        r[0] = (u8)ch;
    } else if (c->type == BBP_CON_16550) {
        while (!(*(volatile u8 *)(uintptr_t)status & 0x20)) // LSR.THRE
            ;
        *(volatile u8 *)(uintptr_t)c->base = (u8)ch;
    } else if (c->type == BBP_CON_IO16550) {
        while (!(cpu_port_read((u16)status) & 0x20))
            ;
        cpu_port_write((u16)c->base, (u8)ch);
    }
}

_Noreturn void stop_visibly(const char *text)
{
    static const char prefix[] = "\r\nloader: STOP: ";
    for (const char *s = prefix; *s; s++)
        uart_put(*s);
    for (; *text; text++)
        uart_put(*text);
    uart_put('\r');
    uart_put('\n');
    for (;;)
        cpu_spin();
}
