/// The four functions a compiler may call on its own. Byte loops: also correct with the MMU off.
#include "def.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    u8 *d = dst;
    const u8 *s = src;
    // Word by word when both are aligned, which page-sized copies always are.
    if (!(((uintptr_t)d | (uintptr_t)s) & 7)) {
        for (; n >= 8; n -= 8, d += 8, s += 8)
            *(volatile u64 *)(void *)d = *(const u64 *)(const void *)s;
    }
    while (n--)
        *(volatile u8 *)d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    u8 *d = dst;
    const u8 *s = src;
    if (d <= s)
        return memcpy(dst, src, n);
    while (n--)
        ((volatile u8 *)d)[n] = s[n];
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    volatile u8 *d = dst;
    u64 word = (u8)c * 0x0101010101010101ULL;
    if (!((uintptr_t)d & 7)) {
        for (; n >= 8; n -= 8, d += 8)
            *(volatile u64 *)(volatile void *)d = word;
    }
    while (n--)
        *d++ = (u8)c;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
