typedef unsigned char u8;
typedef unsigned u32;
typedef unsigned long u64;
#define KV 0xffff800000000000UL
#define P2V(x) ((x) + KV)
#define MMIO(a) (*(volatile u32 *)P2V((u64)(a)))
#ifdef M_UART_PHYS
#define UART 0x09000000UL - KV
#else
#define UART 0x09000000UL
#endif
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
extern u64 boot_l0[], boot_l1[], boot_l2[], boot_l3[], bstack[];
extern char user_code[], user_code_end[], kend[], krodata[], kdata[], ktext[], bss0[];
void enter_user(u64 pc, u64 sp);
static void putc_(char c)
{
    while (MMIO(UART + 0x18) & 0x20)
        ;
    MMIO(UART) = c;
}
void puts_(const char *s)
{
    while (*s)
        putc_(*s++);
}
static void halt(void)
{
    for (;;)
        __asm__ volatile("wfe");
}
void off(void)
{
    register u64 x0 __asm__("x0") = 0x84000008;
    __asm__ volatile("hvc #0" : "+r"(x0));
    halt();
}
static u64 next_page = 0x41000000;
u64 *page(void)
{
#ifdef M_ALLOC_END
    static u64 next_page = 0x5ffff000;
#endif
    u64 *p = (u64 *)P2V(next_page);
    next_page += 4096;
#ifndef M_PAGE_DIRTY
    for (int i = 0; i < 512; i++)
        p[i] = 0;
#else
    for (int i = 0; i < 512; i++)
        p[i] = 0x5a5a5a5a5a5a5a58;
#endif
    return p;
}
static void map(u64 *l0, u64 va, u64 pa, u64 flags)
{
    u64 *t = l0;
    for (int l = 0; l < 3; l++) {
        u64 *e = &t[va >> (39 - 9 * l) & 511];
        if (!(*e & 1)) {
#ifdef M_MAP_VIRT
            *e = (u64)page() | 3;
#elif defined M_MAP_BLOCKTYPE
            *e = ((u64)page() - KV) | 1;
#else
            *e = ((u64)page() - KV) | 3;
#endif
        }
        t = (u64 *)P2V(*e & 0xfffffffff000);
    }
#ifdef M_MAP_PA_SHIFT
    pa >>= 12;
#endif
    t[va >> 12 & 511] = pa | flags;
}
void trap_handler(u64 kind, u64 nr)
{
    u64 esr = RD("esr_el1");
    if (kind == 8 && esr >> 26 == 0x15) {
        puts_("syscall\n");
        off();
    }
#ifdef M_TRAP_SILENT
    return;
#endif
#ifdef M_TRAP_FAULTS
    *(volatile u64 *)nr = 1;
#endif
    puts_("unhandled trap\n");
    halt();
}
struct vm {
    void (*fault)(u64);
    u64 *root;
    struct vm *next;
};
static struct vm *volatile cur_vm;
__attribute__((noinline)) static int tree(int n)
{
    volatile int a[30];
    a[n % 30] = n;
    return tree(n + 1) + a[0];
}
void kernel_main(u64 dtb)
{
    puts_("upper half\n");
#ifdef M_DTB_PHYS
    if (*(volatile u32 *)dtb == 0xedfe0dd0)
        puts_("dtb\n");
#endif
#ifdef M_DROP_ID
    boot_l0[0] = 0;
    __asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb");
#ifdef M_DROP_DTB
    if (*(volatile u32 *)dtb == 0xedfe0dd0)
        puts_("dtb\n");
#endif
#endif
#ifdef M_TREE
    tree(0);
#endif
#ifdef M_WRITE_RO
    boot_l3[((u64)krodata - KV - 0x40400000) >> 12] |= 0x80;
    __asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb");
    *(volatile u64 *)krodata = 1;
#endif
#ifdef M_NX_DATA
    boot_l3[((u64)bss0 - KV - 0x40400000) >> 12] |= 1UL << 53;
    __asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb");
    ((void (*)(void))bss0)();
#endif
#ifdef M_FREE_TEXT
    boot_l3[((u64)kernel_main - KV - 0x40400000) >> 12] = 0;
    __asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb");
#endif
#ifdef M_FREE_STACK
    boot_l3[((u64)__builtin_frame_address(0) - KV - 0x40400000) >> 12] = 0;
    __asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb");
    puts_("x\n");
#endif
#ifdef M_VM_NULL
    cur_vm->fault(3);
#endif
#ifdef M_VM_ZEROFN
    struct vm v = {0};
    cur_vm = &v;
    cur_vm->fault(3);
#endif
#ifdef M_VM_PHYSFN
    struct vm v2 = {(void (*)(u64))((u64)tree - KV)};
    cur_vm = &v2;
    cur_vm->fault(3);
#endif
#ifdef M_VM_DOUBLE
    *(volatile u64 *)P2V(P2V(0x41000000UL)) = 1;
#endif
#ifdef M_BIG_MEMSET
    for (u64 *p = boot_l0; p < (u64 *)kend; p++)
        *p = 0;
    __asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb");
#endif
#ifdef M_VBAR_LATE_SVC
    __asm__ volatile("svc #5");
#endif
#ifdef M_IRQ
    WR("cntv_tval_el0", 100);
    WR("cntv_ctl_el0", 1);
    MMIO(0x080a0014) = 0;
    MMIO(0x080b0080) = ~0u;
    MMIO(0x080b0100) = 1u << 27;
    MMIO(0x08000000) = 0x12;
    WR("S3_0_C4_C6_0", 0xff);
    WR("S3_0_C12_C12_7", 1);
    __asm__ volatile("isb\n msr daifclr, #2");
    halt();
#endif
    u64 *l0 = page();
    u64 rx = 0x747 | 1UL << 53, rw = 0x747 | 3UL << 53;
#ifdef M_RX_NOAF
    rx &= ~0x400UL;
#endif
#ifdef M_RX_UXN
    rx |= 1UL << 54;
#endif
#ifdef M_RX_KERNEL
    rx &= ~0x40UL;
#endif
#ifdef M_RX_BITS
    rx &= ~2UL;
#endif
    rx |= 0x80;
    u64 upa = (u64)user_code - KV;
#ifdef M_UPA_VIRT
    upa = (u64)user_code;
#endif
#ifndef M_NO_CODE
    map(l0, 0x400000, upa, rx);
#endif
#ifndef M_NO_STACK
    map(l0, 0x7ffff000, (u64)page() - KV, rw);
#endif
    __asm__ volatile("dsb ish");
#ifdef M_ROOT_VIRT
    WR("ttbr0_el1", (u64)l0);
#elif defined M_ROOT_KEEP
#else
    WR("ttbr0_el1", (u64)l0 - KV);
#endif
    __asm__ volatile("isb\n tlbi vmalle1\n dsb ish\n isb");
#ifdef M_SP_TOP
    enter_user(0x400000, 0x80000000 + 8);
#elif defined M_ENTRY_OFF
    enter_user((u64)user_code, 0x80000000);
#elif defined M_ENTRY_PAGE
    enter_user(0x401000, 0x80000000);
#elif defined M_ENTRY_ODD
    enter_user(0x400002, 0x80000000);
#else
    enter_user(0x400000, 0x80000000);
#endif
}
