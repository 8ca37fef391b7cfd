/// What the built-in guests share: a PL011 and little more. Freestanding, no floating point.
#ifndef BRUIN_PAYLOAD_H
#define BRUIN_PAYLOAD_H

typedef unsigned long long u64;
typedef unsigned int u32;

#define UART0 ((volatile u32 *)0x09000000)

static inline void put_char(char c)
{
    while (UART0[0x18 / 4] & 1u << 5) /* FR.TXFF */
        ;
    UART0[0] = (u32)(unsigned char)c;
}

static inline void put(const char *s)
{
    for (; *s; s++) {
        if (*s == '\n')
            put_char('\r');
        put_char(*s);
    }
}

static inline void put_number(u64 v)
{
    char digits[24];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        put_char(digits[--n]);
}

static inline void put_hex(u64 v)
{
    put("0x");
    int shift = 60;
    while (shift && !(v >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        put_char("0123456789abcdef"[v >> shift & 15]);
}

#define READ_SYSREG(name)                                                                          \
    ({                                                                                             \
        u64 value_;                                                                                \
        __asm__ volatile("mrs %0, " #name : "=r"(value_));                                         \
        value_;                                                                                    \
    })

#endif
