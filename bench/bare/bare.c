/* bare-metal micro suite: prints "BARE name ns/op" from CNTVCT; no OS, MMU on, 1 CPU.  Good for a
 * VMM that cannot boot Linux yet. */
typedef unsigned long u64;
typedef unsigned u32;
#define MR(r)                                                                                      \
    ({                                                                                             \
        u64 v;                                                                                     \
        __asm__ volatile("mrs %0," #r : "=r"(v));                                                  \
        v;                                                                                         \
    })
#define MW(r, v) __asm__ volatile("msr " #r ",%0\n isb" ::"r"((u64)(v)) : "memory")
static u64 L1[512] __attribute__((aligned(4096))), L1b[512] __attribute__((aligned(4096))),
    buf[65536];
static volatile u32 *const uart = (u32 *)0x09000000;
static void pc(char c) { *uart = c; }
static void ps(const char *s)
{
    while (*s)
        pc(*s++);
}
static void pn(u64 n)
{
    char b[24];
    int i = 0;
    do
        b[i++] = '0' + n % 10;
    while (n /= 10);
    while (i)
        pc(b[--i]);
}
static u64 t0;
static void beg(void)
{
    __asm__ volatile("isb" ::: "memory");
    t0 = MR(cntvct_el0);
}
static void end(const char *n, u64 ops)
{
    u64 d = MR(cntvct_el0) - t0, f = MR(cntfrq_el0);
    u64 ps_ = d * (1000000000000ul / f) / ops;
    ps("BARE ");
    ps(n);
    pc(' ');
    pn(ps_ / 1000);
    pc('.');
    u64 r = ps_ % 1000;
    pc('0' + r / 100);
    pc('0' + r / 10 % 10);
    pc('0' + r % 10);
    ps(" ns/op\n");
}
#define LOOP(name, n, body)                                                                        \
    do {                                                                                           \
        u64 i_ = (n);                                                                              \
        beg();                                                                                     \
        __asm__ volatile("1: " body "\n subs %0,%0,#1\n b.ne 1b"                                   \
                         : "+r"(i_)::"memory", "cc", "x0", "x1", "x2", "x3", "x4", "x5", "x16",    \
                           "x17", "x30");                                                          \
        end(name, n);                                                                              \
    } while (0)
__attribute__((noinline)) static u64 leaf(u64 x)
{
    __asm__ volatile("");
    return x + 1;
}
int cmain(void)
{
    MW(mair_el1, 0xff00ul);
    for (int i = 0; i < 4; i++) {
        u64 d = ((u64)i << 30) | 1 | (1 << 10) | (i ? (1 << 2) | (3 << 8) : 0);
        L1[i] = d;
        L1b[i] = d | (1 << 11);
    }
    MW(tcr_el1, 25ul | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23) | (2ul << 32));
    MW(ttbr0_el1, L1);
    __asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb");
    MW(sctlr_el1, MR(sctlr_el1) | 1 | 4 | (1 << 12));
    LOOP("alu4", 20000000, "add x0,x0,#3\n eor x1,x1,x0\n sub x2,x1,x0\n orr x3,x3,x2");
    LOOP("flags4", 20000000, "adds x0,x0,#3\n csel x1,x1,x0,lt\n ccmp x1,x0,#4,hi\n cset x2,ge");
    {
        u64 *p = buf;
        u64 n = 20000000;
        beg();
        __asm__ volatile("1: ldr x0,[%1]\n str x0,[%1,#8]\n ldp x1,x2,[%1,#16]\n stp "
                         "x2,x1,[%1,#32]\n subs %0,%0,#1\n b.ne 1b"
                         : "+r"(n)
                         : "r"(p)
                         : "memory", "cc", "x0", "x1", "x2");
        end("ldst4", 20000000);
    }
    {
        u64 s = 0;
        beg();
        for (u64 i = 0; i < 5000000; i++)
            s = leaf(s);
        end("call_ret", 5000000);
    }
    {
        u64 s = 0, k = 1;
        beg();
        for (u64 i = 0; i < 2000000; i++) {
            k = k * 6364136223846793005ul + 1;
            s += *(volatile u64 *)((u64)0x41000000 + ((k >> 33) & 0x3fff) * 4096);
        }
        end("ld_rand_page64M", 2000000);
        pc(s == 1 ? ' ' : '\0');
    }
    LOOP("svc_eret", 300000, "svc #0");
    LOOP("hvc_psci", 100000, "mov x0,#0x84000000\n hvc #0");
    {
        u64 s = 0;
        beg();
        for (u64 i = 0; i < 300000; i++)
            s += uart[6];
        end("mmio_rd_uart", 300000);
    }
    {
        u64 s = 0;
        beg();
        for (u64 i = 0; i < 100000; i++)
            s += *(volatile u32 *)0x08000004;
        end("mmio_rd_gicd", 100000);
    }
    LOOP("cntvct", 1000000, "mrs x0,cntvct_el0");
    LOOP("mrs_midr", 2000000, "mrs x0,midr_el1");
    LOOP("msr_tpidr", 5000000, "msr tpidr_el1,x0\n mrs x1,tpidr_el1");
    LOOP("daif_mask", 5000000, "msr daifset,#2\n msr daifclr,#2");
    LOOP("msr_timer", 300000, "msr cntv_tval_el0,x0");
    LOOP("isb", 5000000, "isb");
    LOOP("dmb_ish", 5000000, "dmb ish");
    {
        u64 s = 0;
        beg();
        for (u64 i = 0; i < 100000; i++) {
            __asm__ volatile("dsb ishst\n tlbi vmalle1\n dsb ish\n isb" ::: "memory");
            s += *(volatile u64 *)buf;
        }
        end("tlbi_all+ld", 100000);
    }
    {
        u64 s = 0;
        beg();
        for (u64 i = 0; i < 300000; i++) {
            __asm__ volatile("dsb ishst\n tlbi vaae1is,%0\n dsb ish\n isb" ::"r"((u64)buf >> 12)
                             : "memory");
            s += *(volatile u64 *)buf;
        }
        end("tlbi_va+ld", 300000);
    }
    {
        u64 s = 0;
        beg();
        for (u64 i = 0; i < 100000; i++) {
            u64 t = (i & 1) ? (u64)L1 | (1ul << 48) : (u64)L1b | (2ul << 48);
            MW(ttbr0_el1, t);
            for (int j = 0; j < 8; j++)
                s += *(volatile u64 *)(buf + j * 4096);
        }
        end("ttbr_asid_switch+8ld", 100000);
    }
    {
        beg();
        for (u64 i = 0; i < 20000; i++) {
            u32 *c = (u32 *)((u64)buf + 0x40000);
            c[0] = 0x52800000 | ((u32)(i & 0xffff) << 5);
            c[1] = 0xd65f03c0;
            __asm__ volatile("dc cvau,%0\n dsb ish\n ic ivau,%0\n dsb ish\n isb" ::"r"(c)
                             : "memory");
            if (((u64(*)(void))c)() != (i & 0xffff)) {
                ps("BARE SMC FAIL\n");
                break;
            }
        }
        end("smc_patch_call", 20000);
    }
    {
        beg();
        for (u64 i = 0; i < 10000; i++) {
            u32 *c = (u32 *)((u64)buf + 0x50000) + i * 4;
            c[0] = 0x52800000 | ((u32)i << 5);
            c[1] = 0x11000400;
            c[2] = 0x11000800;
            c[3] = 0xd65f03c0;
        }
        __asm__ volatile("dsb ish\n ic iallu\n dsb ish\n isb" ::: "memory");
        u64 s = 0;
        for (u64 i = 0; i < 10000; i++)
            s += ((u64(*)(void))((u32 *)((u64)buf + 0x50000) + i * 4))();
        end("translate_new_4insn_fn", 10000);
    }
    if ((MR(id_aa64isar1_el1) >> 4) & 0xff) {
        MW(sctlr_el1, MR(sctlr_el1) | (1ul << 31));
        LOOP("pac_aut", 100000, "hint #25\n hint #29");
    } /* paciasp/autiasp */
    ps("BARE-DONE\n");
    return 0;
}
