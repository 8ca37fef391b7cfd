// Registers of translation for TG = 4, 16 or 64 KiB, with or without an upper half (HIGH), right or wrong.
#ifndef TG
#define TG 4
#endif
#ifndef GIC
#define GIC 3
#endif
#ifdef HIGH
#define VOFF 0xffffff8000000000
#else
#define VOFF 0
#endif
#ifdef BUG_MAIR_SWAP
#define MAIR 0x0000000000ff4404
#elif defined BUG_MAIR_ZERO
#define MAIR 0
#else
#define MAIR 0x000000000044ff04
#endif
#ifdef BUG_T0SZ
#define T0SZ BUG_T0SZ
#elif TG == 16
#define T0SZ 28
#else
#define T0SZ 25
#endif
#ifdef BUG_TG
#define TGBITS BUG_TG
#elif TG == 4
#define TGBITS 0
#elif TG == 64
#define TGBITS 1
#else
#define TGBITS 2
#endif
#ifdef BUG_EPD0
#define EPD (1 << 7)
#elif defined BUG_EPD1
#define EPD (1 << 23)
#elif defined HIGH
#define EPD 0
#else
#define EPD (1 << 23)
#endif
#ifdef BUG_T1SZ
#define T1SZ BUG_T1SZ
#else
#define T1SZ T0SZ
#endif
#if TG == 4
#define TG1V 2
#elif TG == 64
#define TG1V 3
#else
#define TG1V 1
#endif
#ifdef BUG_TG1
#undef TG1V
#define TG1V BUG_TG1
#endif
#define TCR (T0SZ | (TGBITS << 14) | 0x3500 | EPD | (T1SZ << 16) | (TG1V << 30) | (0x35 << 24) | (2 << 32))
#ifdef BUG_WXN
#define SCTLR_SET 0x81005
#elif defined BUG_SCTLR_A
#define SCTLR_SET 0x1007
#elif defined BUG_NO_CACHE
#define SCTLR_SET 0x1
#else
#define SCTLR_SET 0x1005
#endif
