/// Types, checked ranges and errors for code that runs in the loader, the kernel, the VMM and
/// host tests alike: freestanding C11, no library beneath it but memcpy, memset, memcmp.
#ifndef BRIDGE_DEF_H
#define BRIDGE_DEF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#ifndef ARRAY_LEN
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#endif
#ifndef MUST_USE
#define MUST_USE __attribute__((warn_unused_result))
#endif
#ifndef PRINTF_LIKE
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#endif

/// ELF e_machine values, used as the name of an architecture everywhere in the boot chain.
#define BR_ARCH_X86_64 62
#define BR_ARCH_AARCH64 183

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/// True when [off, off+len) lies within [0, limit); cannot wrap.
static inline bool br_range_ok(u64 off, u64 len, u64 limit)
{
    return off <= limit && len <= limit - off;
}
/// True when two half-open ranges share a byte; zero-length ranges share none.
static inline bool br_overlap(u64 a, u64 alen, u64 b, u64 blen)
{
    return alen && blen && (a < b ? b - a < alen : a - b < blen);
}
static inline u64 br_down(u64 v, u64 a) { return v & ~(a - 1); }
static inline u64 br_up(u64 v, u64 a) { return (v + a - 1) & ~(a - 1); }
static inline bool br_pow2(u64 v) { return v && !(v & (v - 1)); }

/// Little-endian loads at any alignment; byte by byte, so they also hold with the MMU off.
static inline u16 br_ld16(const void *p)
{
    const u8 *b = p;
    return (u16)(b[0] | b[1] << 8);
}
static inline u32 br_ld32(const void *p)
{
    const u8 *b = p;
    return (u32)b[0] | (u32)b[1] << 8 | (u32)b[2] << 16 | (u32)b[3] << 24;
}
static inline u64 br_ld64(const void *p)
{
    return br_ld32(p) | (u64)br_ld32((const u8 *)p + 4) << 32;
}
/// Big-endian loads, for the device tree.
static inline u32 br_be32(const void *p)
{
    const u8 *b = p;
    return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}
static inline u64 br_be64(const void *p)
{
    return (u64)br_be32(p) << 32 | br_be32((const u8 *)p + 4);
}

/// A caller-owned error text: what was seen, what was wanted, what to do.
struct br_why {
    char msg[320];
};
/// Writes the reason. ret  false, so that `return br_fail(...)` reads well.
bool br_fail(struct br_why *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

/// A small snprintf: %s %c %d %u %x %p %%, with -, 0, width, .precision for %s, and l, ll, z.
/// ret  bytes the text needs without the NUL; the buffer is always terminated if size > 0
size_t br_vfmt(char *buf, size_t size, const char *fmt, va_list ap);
size_t br_fmt(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

size_t br_strlen(const char *s);
bool br_streq(const char *a, const char *b);
/// Compares n characters, letters without case.
bool br_caseeq(const char *a, const char *b, size_t n);
/// Parses decimal or 0x hexadecimal filling exactly n characters. ret  false if anything else
bool br_number(const char *s, size_t n, u64 *out);

/// CRC-32C (Castagnoli, reflected 0x82F63B78). Chain by passing the previous value; start with 0.
u32 br_crc32c(u32 crc, const void *data, size_t len);

#endif
