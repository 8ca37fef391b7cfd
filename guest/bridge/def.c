/// Small text and checksum routines shared by every part of the boot chain.
#include "def.h"

struct sink {
    char *buf;
    size_t size, len;
};

static void put(struct sink *s, char c)
{
    if (s->len + 1 < s->size)
        s->buf[s->len] = c;
    s->len++;
}

static void put_pad(struct sink *s, char c, int n)
{
    for (int i = 0; i < n; i++)
        put(s, c);
}

struct spec {
    bool left, zero;
    int width, precision, longs;
};

static void put_number(struct sink *s, u64 v, bool negative, unsigned base, const struct spec *sp)
{
    char digits[24];
    int n = 0;
    do {
        unsigned d = (unsigned)(v % base);
        digits[n++] = (char)(d < 10 ? '0' + d : 'a' + d - 10);
        v /= base;
    } while (v);
    int pad = sp->width - n - negative;
    if (!sp->left && !sp->zero)
        put_pad(s, ' ', pad);
    if (negative)
        put(s, '-');
    if (!sp->left && sp->zero)
        put_pad(s, '0', pad);
    while (n)
        put(s, digits[--n]);
    if (sp->left)
        put_pad(s, ' ', pad);
}

static void put_string(struct sink *s, const char *text, const struct spec *sp)
{
    if (!text)
        text = "(null)";
    int n = 0;
    while ((sp->precision < 0 || n < sp->precision) && text[n])
        n++;
    if (!sp->left)
        put_pad(s, ' ', sp->width - n);
    for (int i = 0; i < n; i++)
        put(s, text[i]);
    if (sp->left)
        put_pad(s, ' ', sp->width - n);
}

static const char *parse_spec(const char *f, struct spec *sp, va_list *ap)
{
    *sp = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '-')
            sp->left = true;
        else if (*f == '0')
            sp->zero = true;
        else
            break;
    }
    if (*f == '*') {
        sp->width = va_arg(*ap, int);
        f++;
    }
    while (*f >= '0' && *f <= '9')
        sp->width = sp->width * 10 + (*f++ - '0');
    if (*f == '.') {
        f++;
        sp->precision = 0;
        if (*f == '*') {
            sp->precision = va_arg(*ap, int);
            f++;
        }
        while (*f >= '0' && *f <= '9')
            sp->precision = sp->precision * 10 + (*f++ - '0');
    }
    for (; *f == 'l' || *f == 'z'; f++)
        sp->longs += *f == 'z' ? (sizeof(size_t) == 8 ? 2 : 0) : 1;
    return f;
}

/// Reads an integer argument. `long` differs between the targets (LLP64 and LP64), so one `l` is
/// asked of the compiler.
static u64 take(const struct spec *sp, bool is_signed, va_list *ap)
{
    bool wide = sp->longs >= 2 || (sp->longs == 1 && sizeof(long) == 8);
    if (wide)
        return va_arg(*ap, u64);
    u32 v = va_arg(*ap, u32);
    return is_signed ? (u64)(s64)(s32)v : v;
}

size_t br_vfmt(char *buf, size_t size, const char *f, va_list args)
{
    struct sink s = {buf, size, 0};
    va_list ap;
    va_copy(ap, args);
    for (; *f; f++) {
        if (*f != '%') {
            put(&s, *f);
            continue;
        }
        struct spec sp;
        f = parse_spec(f + 1, &sp, &ap);
        if (*f == 's') {
            put_string(&s, va_arg(ap, const char *), &sp);
        } else if (*f == 'c') {
            put(&s, (char)va_arg(ap, int));
        } else if (*f == 'd') {
            s64 v = (s64)take(&sp, true, &ap);
            put_number(&s, v < 0 ? 0 - (u64)v : (u64)v, v < 0, 10, &sp);
        } else if (*f == 'u') {
            put_number(&s, take(&sp, false, &ap), false, 10, &sp);
        } else if (*f == 'x') {
            put_number(&s, take(&sp, false, &ap), false, 16, &sp);
        } else if (*f == 'p') {
            put_number(&s, (u64)(uintptr_t)va_arg(ap, void *), false, 16, &sp);
        } else if (*f == '%') {
            put(&s, '%');
        } else {
            break; // unknown conversion or the end: the rest would be guesswork
        }
    }
    va_end(ap);
    if (size)
        buf[s.len < size ? s.len : size - 1] = 0;
    return s.len;
}

size_t br_fmt(char *buf, size_t size, const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    size_t n = br_vfmt(buf, size, f, ap);
    va_end(ap);
    return n;
}

bool br_fail(struct br_why *why, const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    br_vfmt(why->msg, sizeof why->msg, f, ap);
    va_end(ap);
    return false;
}

size_t br_strlen(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

bool br_streq(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

bool br_caseeq(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool br_number(const char *s, size_t n, u64 *out)
{
    unsigned base = 10;
    if (n > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
        n -= 2;
    }
    u64 v = 0;
    for (size_t i = 0; i < n; i++) {
        char c = lower(s[i]);
        unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                            : 99;
        if (d >= base || v > (UINT64_MAX - d) / base)
            return false;
        v = v * base + d;
    }
    *out = v;
    return n > 0;
}

u32 br_crc32c(u32 crc, const void *data, size_t len)
{
    const u8 *p = data;
    crc = ~crc;
    while (len--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}
