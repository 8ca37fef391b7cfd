/// Base types, bit fields, checked ranges and errors. Includes nothing of ours.
#ifndef BRUIN_BASE_H
#define BRUIN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef unsigned __int128 u128;
typedef __int128 s128;

/// Guest-physical and guest-virtual byte addresses.
typedef u64 gpa_t;
typedef u64 gva_t;

#define KIB (1024ULL)
#define MIB (1024ULL * KIB)
#define GIB (1024ULL * MIB)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MUST_USE __attribute__((warn_unused_result))
#define COLD __attribute__((cold, noinline))
#define NOINLINE __attribute__((noinline))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/// Bits hi..lo of v, right-aligned. 0 <= lo <= hi <= 63.
static inline u64 bits(u64 v, unsigned hi, unsigned lo)
{
    return (v >> lo) & (~0ULL >> (63 - (hi - lo)));
}
static inline u64 bit(u64 v, unsigned n) { return (v >> n) & 1; }

/// The low `width` bits of v (1..64) as a signed number.
static inline s64 sext(u64 v, unsigned width)
{
    return (s64)(v << (64 - width)) >> (64 - width);
}
static inline u64 align_down(u64 v, u64 a) { return v & ~(a - 1); }
static inline u64 align_up(u64 v, u64 a) { return (v + a - 1) & ~(a - 1); }
static inline u64 ror64(u64 v, unsigned n) { n &= 63; return n ? v >> n | v << (64 - n) : v; }
static inline u32 ror32(u32 v, unsigned n) { n &= 31; return n ? v >> n | v << (32 - n) : v; }

/// True when [off, off+len) lies within [0, limit); cannot wrap.
static inline bool range_ok(u64 off, u64 len, u64 limit) { return off <= limit && len <= limit - off; }
/// True when two half-open ranges share a byte; zero-length ranges share none.
static inline bool range_overlap(u64 a, u64 alen, u64 b, u64 blen)
{
    return alen && blen && (a < b ? b - a < alen : a - b < blen);
}

/// Little-endian loads and stores at any alignment.
static inline u16 ld16(const void *p) { u16 v; memcpy(&v, p, 2); return v; }
static inline u32 ld32(const void *p) { u32 v; memcpy(&v, p, 4); return v; }
static inline u64 ld64(const void *p) { u64 v; memcpy(&v, p, 8); return v; }
static inline void st16(void *p, u16 v) { memcpy(p, &v, 2); }
static inline void st32(void *p, u32 v) { memcpy(p, &v, 4); }
static inline void st64(void *p, u64 v) { memcpy(p, &v, 8); }
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hosts are little-endian");

/// Error codes. Those from 112 on are also the exit codes of the program (docs/exit-codes.md).
enum err_code {
    ERR_NONE = 0,
    ERR_USAGE = 125,     ///< wrong option or value, or a failure of the host or of ours
    ERR_FORMAT = 126,    ///< the file is there but cannot be booted
    ERR_NOT_FOUND = 127, ///< the file is not there or not readable
};

/// A caller-owned error: the frame that knows the name of the thing writes it.
struct err {
    enum err_code code;
    char msg[480];
};
/// Writes code and message. ret  false, so that `return err_set(...)` reads well.
bool err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/// One line to stderr, prefixed "bruin: ". Rate limiting is the caller's duty.
void log_line(const char *fmt, ...) PRINTF_LIKE(1, 2);

/// xorshift64* generator; the state is the caller's and never 0.
static inline u64 rng_next(u64 *s)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return *s * 2685821657736338717ULL;
}

/// Allocation that cannot return NULL: out of host memory ends the process with a message.
void *xcalloc(size_t n, size_t size) __attribute__((malloc));
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s) __attribute__((malloc));

#endif
