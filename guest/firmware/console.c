/// Console on the PL011: text out as UTF-8, keys in with the usual escape sequences. UEFI, "Protocols -
/// Console Support".
#include "fw.h"

#define UART ((volatile u32 *)0x09000000ULL)
enum { UART_DR = 0, UART_FR = 0x18 / 4, FR_RXFE = 1 << 4, FR_TXFF = 1 << 5 };
enum { SCAN_UP = 1, SCAN_DOWN, SCAN_RIGHT, SCAN_LEFT, SCAN_HOME, SCAN_END, SCAN_INSERT, SCAN_DELETE, SCAN_PAGE_UP,
       SCAN_PAGE_DOWN, SCAN_ESC = 0x17 };

static void put(char ch)
{
    while (UART[UART_FR] & FR_TXFF)
        ;
    UART[UART_DR] = (u8)ch;
}
void fw_print(const char *fmt, ...)
{
    char buf[512];
    va_list ap;
    va_start(ap, fmt);
    br_vfmt(buf, sizeof buf, fmt, ap);
    va_end(ap);
    for (const char *p = buf; *p; p++) {
        if (*p == '\n')
            put('\r');
        put(*p);
    }
}

u64 fw_len16(const efi_char *s)
{
    u64 n = 0;
    while (s[n])
        n++;
    return n;
}
u64 fw_utf8(const efi_char *s, char *out, u64 size)
{
    u64 n = 0;
    for (; *s && n + 4 < size; s++) {
        if (*s < 0x80) {
            out[n++] = (char)*s;
        } else if (*s < 0x800) {
            out[n++] = (char)(0xc0 | *s >> 6);
            out[n++] = (char)(0x80 | (*s & 63));
        } else {
            out[n++] = (char)(0xe0 | *s >> 12);
            out[n++] = (char)(0x80 | (*s >> 6 & 63));
            out[n++] = (char)(0x80 | (*s & 63));
        }
    }
    out[n] = '\0';
    return n;
}
/// Plane 0 only; other characters become '?'.
u64 fw_utf16(const char *s, efi_char *out, u64 size)
{
    u64 n = 0;
    const u8 *p = (const u8 *)s;
    while (*p && n + 1 < size) {
        u32 ch = *p++;
        if (ch >= 0xf0) {
            ch = '?';
            while ((*p & 0xc0) == 0x80)
                p++;
        } else if (ch >= 0xe0 && p[0] && p[1]) {
            ch = (ch & 15) << 12 | (p[0] & 63u) << 6 | (p[1] & 63u);
            p += 2;
        } else if (ch >= 0xc0 && p[0]) {
            ch = (ch & 31) << 6 | (p[0] & 63u);
            p++;
        }
        out[n++] = (efi_char)ch;
    }
    out[n] = 0;
    return n;
}

/* ---- out ---- */

struct mode {
    s32 max_mode, mode, attribute, column, row;
    u8 visible;
};
static struct mode out_mode = {1, 0, 7, 0, 0, 1};

static efi_status EFIAPI out_reset(struct efi_text_out *t, u8 extended) { return EFI_SUCCESS; }
static efi_status EFIAPI output_string(struct efi_text_out *t, const efi_char *s)
{
    char utf8[8];
    if (!fw_alive(FWHOST_SVC_CONSOLE, CALLER))
        return EFI_UNSUPPORTED;
    for (; *s; s++) {
        efi_char one[2] = {*s, 0};
        u64 n = fw_utf8(one, utf8, sizeof utf8);
        for (u64 k = 0; k < n; k++)
            put(utf8[k]);
        if (*s == '\n' && out_mode.row < 24)
            out_mode.row++;
        out_mode.column = *s == '\r' || *s == '\n' ? 0 : out_mode.column + 1;
    }
    return EFI_SUCCESS;
}
static efi_status EFIAPI test_string(struct efi_text_out *t, const efi_char *s) { return EFI_SUCCESS; }
static efi_status EFIAPI query_mode(struct efi_text_out *t, u64 mode, u64 *cols, u64 *rows)
{
    *cols = 80;
    *rows = 25;
    return mode == 0 ? EFI_SUCCESS : EFI_UNSUPPORTED;
}
static efi_status EFIAPI set_mode(struct efi_text_out *t, u64 mode) { return mode == 0 ? EFI_SUCCESS : EFI_UNSUPPORTED; }
static efi_status EFIAPI set_attribute(struct efi_text_out *t, u64 attribute)
{
    out_mode.attribute = (s32)attribute;
    return EFI_SUCCESS;
}
static efi_status EFIAPI clear_screen(struct efi_text_out *t)
{
    out_mode.column = out_mode.row = 0;
    return EFI_SUCCESS; /* what was printed stays readable in a log */
}
static efi_status EFIAPI set_cursor(struct efi_text_out *t, u64 col, u64 row)
{
    if (col >= 80 || row >= 25)
        return EFI_UNSUPPORTED;
    if ((s32)row != out_mode.row || (s32)col < out_mode.column)
        fw_print("\n");
    out_mode.column = (s32)col;
    out_mode.row = (s32)row;
    return EFI_SUCCESS;
}
static efi_status EFIAPI enable_cursor(struct efi_text_out *t, u8 visible) { return EFI_SUCCESS; }
static struct efi_text_out text_out = {out_reset,  output_string, test_string,   query_mode, set_mode, set_attribute,
                                       clear_screen, set_cursor, enable_cursor, &out_mode};

/* ---- in ---- */

bool fw_key_ready(void) { return !(UART[UART_FR] & FR_RXFE); }
static int get(u32 patience)
{
    while (patience-- && !fw_key_ready())
        ;
    return fw_key_ready() ? (int)(UART[UART_DR] & 0xff) : -1;
}
/// The rest of an escape sequence; the bytes of a sequence arrive together.
static u16 escape(void)
{
    int ch = get(20000), digit = 0;
    if (ch != '[' && ch != 'O')
        return SCAN_ESC;
    while ((ch = get(20000)) >= '0' && ch <= '9')
        digit = digit * 10 + ch - '0';
    switch (ch) {
    case 'A': return SCAN_UP;
    case 'B': return SCAN_DOWN;
    case 'C': return SCAN_RIGHT;
    case 'D': return SCAN_LEFT;
    case 'H': return SCAN_HOME;
    case 'F': return SCAN_END;
    case '~':
        switch (digit) {
        case 1: return SCAN_HOME;
        case 2: return SCAN_INSERT;
        case 3: return SCAN_DELETE;
        case 4: return SCAN_END;
        case 5: return SCAN_PAGE_UP;
        case 6: return SCAN_PAGE_DOWN;
        default: return 0;
        }
    default: return 0;
    }
}
static efi_status EFIAPI in_reset(struct efi_text_in *t, u8 extended) { return EFI_SUCCESS; }
static efi_status read_key_any(struct efi_input_key *key)
{
    if (!fw_key_ready())
        return EFI_NOT_READY;
    int ch = get(1);
    key->scan = 0;
    key->unicode = (efi_char)(ch == 0x7f ? 8 : ch == '\n' ? '\r' : ch);
    if (ch == 0x1b) {
        key->unicode = 0;
        key->scan = escape();
    }
    return EFI_SUCCESS;
}
static efi_status EFIAPI read_key(struct efi_text_in *t, struct efi_input_key *key)
{
    if (!fw_alive(FWHOST_SVC_CONSOLE, CALLER))
        return EFI_UNSUPPORTED;
    return read_key_any(key);
}
static struct efi_text_in text_in = {in_reset, read_key, NULL};

/// SimpleTextInputEx: the same keys without modifiers.
struct key_data {
    struct efi_input_key key;
    u32 shift;
    u8 toggle;
};
struct text_in_ex {
    efi_status(EFIAPI *reset)(struct text_in_ex *, u8);
    efi_status(EFIAPI *read_key)(struct text_in_ex *, struct key_data *);
    efi_event wait_for_key;
    efi_status(EFIAPI *set_state)(struct text_in_ex *, u8 *);
    efi_status(EFIAPI *register_key)(struct text_in_ex *, struct key_data *, void *, void **);
    efi_status(EFIAPI *unregister_key)(struct text_in_ex *, void *);
};
static efi_status EFIAPI ex_reset(struct text_in_ex *t, u8 extended) { return EFI_SUCCESS; }
static efi_status EFIAPI ex_read(struct text_in_ex *t, struct key_data *d)
{
    if (!fw_alive(FWHOST_SVC_CONSOLE, CALLER))
        return EFI_UNSUPPORTED;
    d->shift = 0;
    d->toggle = 0;
    return read_key_any(&d->key);
}
static efi_status EFIAPI ex_state(struct text_in_ex *t, u8 *state) { return EFI_SUCCESS; }
static efi_status EFIAPI ex_register(struct text_in_ex *t, struct key_data *d, void *fn, void **handle)
{
    *handle = t;
    return EFI_SUCCESS;
}
static efi_status EFIAPI ex_unregister(struct text_in_ex *t, void *handle) { return EFI_SUCCESS; }
static struct text_in_ex text_in_ex = {ex_reset, ex_read, NULL, ex_state, ex_register, ex_unregister};

/// The event that WaitForEvent knows as "a key is there": see event.c.
extern u8 fw_key_event;

void fw_console_init(void)
{
    static const struct efi_guid in_guid = {0x387477c1, 0x69c7, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
    static const struct efi_guid out_guid = {0x387477c2, 0x69c7, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
    static const struct efi_guid ex_guid = {0xdd9e7534, 0x7762, 0x4698, {0x8c, 0x14, 0xf5, 0x85, 0x17, 0xa6, 0x25, 0xaa}};
    efi_handle h = NULL;
    text_in.wait_for_key = text_in_ex.wait_for_key = &fw_key_event;
    fw_install(&h, &in_guid, &text_in);
    fw_install(&h, &ex_guid, &text_in_ex);
    fw_install(&h, &out_guid, &text_out);
    fw_st.con_in_handle = fw_st.con_out_handle = fw_st.std_err_handle = h;
    fw_st.con_in = &text_in;
    fw_st.con_out = fw_st.std_err = &text_out;
}
