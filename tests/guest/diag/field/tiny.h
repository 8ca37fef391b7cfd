typedef unsigned char u8;
typedef unsigned u32;
typedef unsigned long u64;
typedef long s64;
#define MMIO(a) (*(volatile u32 *)(u64)(a))
#define UART0 0x09000000UL
#define WR(r, v)                                                                                   \
    do {                                                                                           \
        u64 v__ = (v);                                                                             \
        __asm__ volatile("msr " r ", %0" ::"r"(v__) : "memory");                                   \
    } while (0)
#define RD(r)                                                                                      \
    ({                                                                                             \
        u64 v__;                                                                                   \
        __asm__ volatile("mrs %0, " r : "=r"(v__));                                                \
        v__;                                                                                       \
    })
#define ISB() __asm__ volatile("isb" ::: "memory")
#define DSB() __asm__ volatile("dsb sy" ::: "memory")
static inline u64 hvc(u64 f, u64 a, u64 b, u64 c)
{
    register u64 x0 __asm__("x0") = f, x1 __asm__("x1") = a, x2 __asm__("x2") = b,
                    x3 __asm__("x3") = c;
    __asm__ volatile("hvc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
static inline void poweroff(void)
{
    hvc(0x84000008, 0, 0, 0);
    for (;;)
        ;
}
static inline void outc(char c)
{
    while (MMIO(UART0 + 0x18) & 0x20)
        ;
    MMIO(UART0) = (u8)c;
}
static inline void outs(const char *s)
{
    while (*s)
        outc(*s++);
}
void cmain(u64 dtb);
extern char pgd[], pud[], pmd[], pte[], boot_stack[], image_start[], image_end[];
