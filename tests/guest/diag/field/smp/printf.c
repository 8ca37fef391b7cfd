static struct lock plock = {IS(LOCK_SET)};
static u64 uart_base(void)
{
#if M_UART_PI
    return 0x3f201000 + KOFF;
#elif M_UART_STALE
    return 0x09000000;
#elif M_UART_PI4
    return 0xfe201000 + KOFF;
#else
    return 0x09000000 + KOFF;
#endif
}
void uart_init(void)
{
    u64 u = uart_base();
#if M_UART_BUSY
    while (!(r32(u + 0x18) & 1 << 3))  /* "until it is ready" */
        ;
#endif
    w32(u + 0x30, 0);
    w32(u + 0x24, 13);
    w32(u + 0x28, 1);
    w32(u + 0x2c, 0x70);
    w32(u + 0x44, 0x7ff);
#if M_UART_IMSC
    w32(u + 0x38, 0x7ff);
#else
    w32(u + 0x38, 0);
#endif
    w32(u + 0x30, 0x301);
}
void uart_putc(char c)
{
    u64 u = uart_base();
#if M_UART_WRONGBIT
    while (!(r32(u + 0x18) & 1 << 5))  /* "ready" */
        ;
#else
    while (r32(u + 0x18) & 1 << 5)
        ;
#endif
    w32(u, (u8)c);
}
static void put(const char *s)
{
    while (*s) {
        if (*s == '\n')
            uart_putc('\r');
        uart_putc(*s++);
    }
}
static void num(u64 v, unsigned base, bool neg, int width, char pad)
{
    char b[72];
    int n = 71;
    b[n] = 0;
    do {
        b[--n] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    if (neg)
        b[--n] = '-';
    while (71 - n < width && n > 0)
        b[--n] = pad;
    put(b + n);
}
static void vprint(const char *f, va_list ap)
{
    for (; *f; f++) {
        if (*f != '%') {
            char s[2] = {*f, 0};
            put(s);
            continue;
        }
        f++;
        char pad = ' ';
        int width = 0, l = 0;
        if (*f == '0')
            pad = '0', f++;
        while (*f >= '0' && *f <= '9')
            width = width * 10 + *f++ - '0';
        while (*f == 'l')
            l++, f++;
        switch (*f) {
        case 's': put(va_arg(ap, const char *)); break;
        case 'c': uart_putc((char)va_arg(ap, int)); break;
        case 'd': {
            long v = l ? va_arg(ap, long) : va_arg(ap, int);
            num(v < 0 ? -(u64)v : (u64)v, 10, v < 0, width, pad);
            break;
        }
        case 'u': num(l ? va_arg(ap, u64) : va_arg(ap, u32), 10, false, width, pad); break;
        case 'x': num(l ? va_arg(ap, u64) : va_arg(ap, u32), 16, false, width, pad); break;
        case 'p': put("0x"); num(va_arg(ap, u64), 16, false, 16, '0'); break;
        default: uart_putc(*f);
        }
    }
}
int printf(const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
#if M_LOCK_IRQ
    lock(&plock);
    for (volatile int i = 0; i < 20000; i++)
        ;
    vprint(f, ap);
    unlock(&plock);
#else
    u64 fl = irq_save();
    lock(&plock);
    vprint(f, ap);
    if (!IS(UNLOCK_FORGOT))
        unlock(&plock);
    irq_restore(fl);
#endif
    va_end(ap);
    return 0;
}
void panic(const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    __asm__ volatile("msr daifset, #15");
#if !M_PANIC_SILENT
    put("minik PANIC: ");
    vprint(f, ap);
    put("\n");
#endif
    va_end(ap);
    for (;;) {
#if M_PANIC_SPIN
        __asm__ volatile("");
#elif M_PANIC_WFE
        __asm__ volatile("wfe");
#else
        __asm__ volatile("wfi");
#endif
    }
}
