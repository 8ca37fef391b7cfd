extern char _text[], _etext[], _erodata[], _end[], vectors[];
struct { u64 mair, tcr, ttbr0, ttbr1, sctlr; } boot_cfg;
static u64 brk_pa;
u64 *kroot;                 /* as mapped: VA once the MMU is on */
static bool mmu_on;
#define NLEV ((VA_BITS - PS + PS - 4) / (PS - 3))
#define ATTR_NORMAL 0
#define ATTR_DEV 1
#if M_MAIR_SWAP
#define IDX_NORMAL 1
#define IDX_DEV 0
#elif M_MAIR_IDX
#define IDX_NORMAL 2
#define IDX_DEV 1
#else
#define IDX_NORMAL 0
#define IDX_DEV 1
#endif
static u64 shift_of(int lvl) { return PS + (u64)(3 - lvl) * (PS - 3); }
u64 *pt_new(void)
{
    u64 *t;
    if (mmu_on) {
        t = page_alloc();
    } else {
        t = (u64 *)brk_pa;
        brk_pa += PAGE;
        if (HIGH && rd(sctlr_el1) & 1)
            t = pa_to_va(t);
    }
#if !M_TABLE_NOZERO
    for (int i = 0; i < PAGE / 8; i++)
        t[i] = 0;
#endif
    return t;
}
static u64 table_pa(u64 *t) { return mmu_on ? va_to_pa(t) : (u64)t; }
static u64 *table_va(u64 pa) { return mmu_on ? pa_to_va(pa) : (u64 *)pa; }
static u64 prot_bits(int prot, int lvl)
{
    u64 d = 1ull << 10;                                  /* AF */
    if ((IS(AF_L3) && lvl == 3) || (IS(AF_DEV) && (prot & P_DEV)) || (IS(AF_L2) && lvl == 2 && !(prot & P_DEV)) ||
        (IS(AF_USER) && (prot & P_U)))
        d = 0;
    if (prot & P_DEV)
        d |= IDX_DEV << 2;
    else
        d |= (u64)IDX_NORMAL << 2 | (u64)(IS(NONSHARE) ? 0 : 3) << 8;
    if (!(prot & P_W))
        d |= 1ull << 7;
    if (prot & P_U)
        d |= 1ull << 6;
    if (prot & P_NG)
        d |= 1ull << 11;
    if (!(prot & P_X))
        d |= 3ull << 53;
    else if (prot & P_U)
        d |= 1ull << 53;                                 /* PXN */
    else
        d |= 1ull << 54;                                 /* UXN */
    return d;
}
static void map_one(u64 *root, u64 va, u64 pa, int to, int prot)
{
    u64 *t = root;
    for (int lvl = 4 - NLEV; lvl < to; lvl++) {
        u64 *e = &t[(va & ((1ull << VA_BITS) - 1)) >> shift_of(lvl) & (PAGE / 8 - 1)];
        if (!(*e & 1)) {
            u64 pa_ = table_pa(pt_new());
            *e = (IS(TABLE_BITS) ? 1 : 3) | pa_;
        }
        t = table_va(*e & 0xffffffffffffull & ~(u64)(PAGE - 1));
    }
    u64 d = prot_bits(prot, to) | pa;
    if (to == 3)
        d |= IS(PAGE_BLOCK) && !(prot & P_DEV) ? 1 : 3;
    else
        d |= 1;
    t[(va & ((1ull << VA_BITS) - 1)) >> shift_of(to) & (PAGE / 8 - 1)] = d;
}
void map(u64 *root, u64 va, u64 pa, u64 size, int prot)
{
    u64 blk = 1ull << shift_of(2);
    while (size) {
        u64 step = (va | pa) & (blk - 1) || size < blk ? PAGE : blk;
        map_one(root, va, pa, step == blk ? 2 : 3, prot);
        va += step, pa += step;
        size -= step < size ? step : size;
    }
}
u64 *pte_of(u64 *root, u64 va)
{
    u64 *t = root;
    for (int lvl = 4 - NLEV; lvl < 3; lvl++) {
        u64 e = t[(va & ((1ull << VA_BITS) - 1)) >> shift_of(lvl) & (PAGE / 8 - 1)];
        if ((e & 3) != 3)
            return NULL;
        t = table_va(e & 0xffffffffffffull & ~(u64)(PAGE - 1));
    }
    return &t[va >> PS & (PAGE / 8 - 1)];
}
#if M_SELFREF_LOOP
#endif
/* With the MMU off: kernel text RX, rodata R, the rest of the first 32 MiB RW, devices. */
void boot_map(u64 dtb)
{
    u64 text = (u64)_text, etext = (u64)_etext, erodata = (u64)_erodata, end = (u64)_end;
    brk_pa = end;
    {
        /* A first look at the device tree: a copy, to be sure that nobody changes it. */
        const u8 *s = (const u8 *)dtb;
        u8 *scratch = (u8 *)brk_pa;
        u32 len = (u32)s[4] << 24 | (u32)s[5] << 16 | (u32)s[6] << 8 | s[7];
        if (len < 65536)
            for (u32 i = 0; i < 65536; i++)
                scratch[i] = i < len ? s[i] : (u8)(i * 7 + 1);
    }
#if M_EARLY_PACKED
    {
        struct __attribute__((packed)) { u8 tag; u64 v; u32 w; } *hdr = (void *)(brk_pa + 65536);
        hdr->tag = 1, hdr->v = dtb, hdr->w = 1;
    }
#endif
    u64 *k = pt_new(), *low = HIGH ? pt_new() : k;
    u64 base = text & ~0x1fffffull;
    int xw = IS(TEXT_NX) ? 0 : P_X;
    map(k, base + KOFF, base, text - base, P_W);
    map(k, text + KOFF, text, etext - text, xw | (IS(WXN) ? P_W : 0));
    map(k, etext + KOFF, etext, erodata - etext, 0);
#if M_DATA_RO
    map(k, erodata + KOFF, erodata, 0x42000000 - erodata, 0);
#elif M_MAP_SHORT
    map(k, erodata + KOFF, erodata, 0x10000, P_W);
#else
    map(k, erodata + KOFF, erodata, 0x42000000 - erodata, P_W);
#endif
    map(k, 0x40000000 + KOFF, 0x40000000, base - 0x40000000, P_W);
    if (dtb >= 0x42000000)
        map(k, (dtb & ~0x1fffffull) + KOFF, dtb & ~0x1fffffull, 0x200000, 0);
#if !M_NO_UART_MAP
    map(k, 0x09000000 + KOFF, 0x09000000, 0x10000, P_W | P_DEV);
#endif
    map(k, 0x08000000 + KOFF, 0x08000000, 0x200000, P_W | (IS(GIC_NORMAL) ? 0 : P_DEV));
    if (HIGH) {
#if M_NO_IDENT
        map(low, 0x50000000, 0x50000000, 0x200000, P_X);
#else
        map(low, text, text, etext - text, P_X);
        map(low, etext, etext, 0x42000000 - etext, P_W);
#endif
    }
    kroot = (u64 *)((u64)k + KOFF);
#if M_MAIR_ZERO
    boot_cfg.mair = 0x00;
#else
    boot_cfg.mair = 0x04ff;
#endif
    u64 tsz = 64 - VA_BITS;
    if (IS(T0SZ))
        tsz = 16;
    if (IS(T0SZ_SMALL))
        tsz = 39;
    u64 tg0 = GRAN == 4 ? 0 : GRAN == 16 ? 2 : 1, tg1 = GRAN == 4 ? 2 : GRAN == 16 ? 1 : 3;
    if (IS(TG1))
        tg1 = tg0;
    if (IS(TG0))
        tg0 = GRAN == 4 ? 1 : 0;
    u64 sh = IS(TCR_SH) ? 0 : 3, nc = IS(TCR_NC) ? 0 : 1;
    boot_cfg.tcr = tsz | tsz << 16 | tg0 << 14 | tg1 << 30 | sh << 12 | sh << 28 | nc << 8 | nc << 10 | nc << 24 | nc << 26 |
                   2ull << 32 | (u64)IS(EPD1) << 23 | (u64)!HIGH << 23 | (u64)IS(EPD0) << 7;
    boot_cfg.ttbr0 = (u64)low;
    boot_cfg.ttbr1 = HIGH ? (u64)k : 0;
    if (IS(TTBR_VA))
        boot_cfg.ttbr1 = (u64)k + KOFF;
    if (IS(TTBR_OFF))
        boot_cfg.ttbr0 = boot_cfg.ttbr0 + 0x800;
    boot_cfg.sctlr = 0x30d00800 | 1 | 1 << 2 | 1 << 12 | 1 << 3 | 1 << 4;
    if (IS(WXN))
        boot_cfg.sctlr |= 1 << 19;
    if (IS(SCTLR_EE))
        boot_cfg.sctlr |= 1 << 25;
    if (IS(SCTLR_A))
        boot_cfg.sctlr |= 1 << 1;
    if (IS(SCTLR_TYPO))
        boot_cfg.sctlr = 0x30d00800 | 1 << 2 | 1 << 12;  /* M forgotten */
    if (!IS(NO_DSB_TABLES))
        dsb(ish);
}
void tlbi_va(u64 va, u64 asid)
{
    u64 a = va >> 12 & 0xfffffffffff;
    if (IS(TLBI_VA_SHIFT))
        a = va & 0xfffffffffff;
    if (!IS(TLBI_NO_DSB_BEFORE))
        dsb(ishst);
    if (IS(TLBI_LOCAL))
        __asm__ volatile("tlbi vaae1, %0" ::"r"(a) : "memory");
    else
        __asm__ volatile("tlbi vaae1is, %0" ::"r"(a) : "memory");
    (void)asid;
    if (!IS(TLBI_NO_DSB))
        dsb(ish);
    isb();
}
/* All RAM that the device tree told of. */
void map_ram(void)
{
    mmu_on = true;
    u64 from = 0x42000000, to = board.mem_base + board.mem_size;
#if M_RAM_TOO_LARGE
    to = 0x80000000;
#endif
    u64 step = 1ull << shift_of(2);
    brk_pa += KOFF * 0;
    for (u64 a = from; a < to; a += PAGE) {
        if (!(a & (step - 1)) && to - a >= step) {
            u64 *t = kroot;
            (void)t;
            if (!pte_of(kroot, a + KOFF)) {
                map(kroot, a + KOFF, a, step, P_W);
                a += step - PAGE;
                continue;
            }
        }
        map(kroot, a + KOFF, a, PAGE, P_W);
    }
    dsb(ishst);
    isb();
}
/* One page of VA space is made to show two pages of memory, one after the other. */
void vmap_test(void)
{
    u64 va = 0x2000000000 + KOFF;
    u64 *a = page_alloc(), *b = page_alloc();
    a[0] = 0xaaaa, b[0] = 0xbbbb;
    map(kroot, va, va_to_pa(a), PAGE, P_W);
    dsb(ishst);
    isb();
    volatile u64 *p = (u64 *)va;
    if (p[0] != 0xaaaa)
        panic("vmap: wrong page (1)");
    u64 *e = pte_of(kroot, va);
    if (!IS(NO_BBM)) {
        *e = 0;
        if (!IS(NO_TLBI))
            tlbi_va(va, 0);
    }
    map(kroot, va, va_to_pa(b), PAGE, P_W);
    dsb(ishst);
    isb();
    if (IS(NO_BBM))
        tlbi_va(va, 0);
    if (p[0] != 0xbbbb)
        panic("vmap: wrong page (2)");
    *e = 0;
    tlbi_va(va, 0);
#if M_USE_AFTER_UNMAP
    p[0] = 1;
#endif
    page_free(a);
    page_free(b);
}
