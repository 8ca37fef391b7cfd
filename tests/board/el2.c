// The life of a hypervisor: entered at EL2, down to EL1 and EL0 and back, traps, its own tables, stage 2,
// interrupts and timers, and, where FEAT_VHE exists, the EL2&0 regime. Exits with the number of the first
// check that failed.
#include "el2.h"

#define HVC_7F 0x5a00007fUL
#define MRS(op1, crn, crm, op2) (0xd5380000u | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define MSR(op1, crn, crm, op2) (0xd5180000u | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define HCR_RW (1UL << 31)

static void levels(struct outcome *o)
{
    CHECK(READ(CurrentEL) == 8);
    CHECK((READ(id_aa64pfr0_el1) >> 8 & 15) != 0);
    CHECK((READ(daif) & 0x3c0) == 0x3c0);
    WRITE(hcr_el2, HCR_RW);
    WRITE(vbar_el1, vectors_el1);
    WRITE(sctlr_el1, 0x30d00800);
    WRITE(cpacr_el1, 0);
    run_word(o, SPSR_EL1, 0xd5384240, 0, 0); // mrs x0, CurrentEL
    CHECK(o->vector == 0x400 && o->esr == HVC_7F && o->x0 == 4 && o->elr == (u64)run_code + 8);
    CHECK((o->spsr & 15) == 5);
    run_word(o, SPSR_EL0, 0xd503201f, 0, 0); // EL0: SVC goes to EL1, whose vector calls
    CHECK(o->vector1 == 0x1400 && o->esr1 == 0x5600007f && o->esr == 0x5a00007e);
    run_word(o, SPSR_EL1, 0xd4000003, 0x84000000, 0); // smc: PSCI_VERSION
    CHECK(o->esr == HVC_7F && o->x0 >= 0x10000 && o->x0 < 0x20000);
    run_word(o, SPSR_EL1, MRS(4, 1, 1, 0), 0, 0); // hcr_el2 at EL1 is UNDEFINED
    CHECK(o->vector1 == 0x1200 && EC(o->esr1) == 0);
    run_word(o, 0x3c9 | 1 << 20, 0xd503201f, 0, 0); // PSTATE.IL: illegal state, at EL2 itself
    CHECK(o->vector == 0x200 && EC(o->esr) == 0x0e);
    run_word(o, SPSR_EL2, 0xd4000022, 0, 0); // HVC from EL2 to itself
    CHECK(o->vector == 0x200 && o->esr == 0x5a000001);
    WRITE(vpidr_el2, 0x12345678);
    WRITE(vmpidr_el2, 0x80000123);
    run_word(o, SPSR_EL1, MRS(0, 0, 0, 0), 0, 0);
    CHECK(o->x0 == 0x12345678);
    run_word(o, SPSR_EL1, MRS(0, 0, 0, 5), 0, 0);
    CHECK(o->x0 == 0x80000123);
    WRITE(sp_el1, 0x1234560);
    run_word(o, SPSR_EL1, 0x910003e0, 0, 0); // mov x0, sp
    CHECK(o->x0 == 0x1234560);
}

static void traps(struct outcome *o)
{
    WRITE(hcr_el2, HCR_RW | 1UL << 26 | 1UL << 19 | 1UL << 13 | 1UL << 18); // TVM, TSC, TWI, TID3
    run_word(o, SPSR_EL1, MSR(0, 1, 0, 0), 0x30d00800, 0); // sctlr_el1
    CHECK(o->vector == 0x400 && o->esr == 0x62300400 && o->elr == (u64)run_code);
    run_word(o, SPSR_EL1, MRS(0, 1, 0, 0), 0, 0); // reads are not trapped
    CHECK(o->esr == HVC_7F && o->x0 == 0x30d00800);
    run_word(o, SPSR_EL1, 0xd4000023, 0, 0); // smc #1
    CHECK(o->esr == 0x5e000001 && o->elr == (u64)run_code);
    run_word(o, SPSR_EL1, 0xd503207f, 0, 0); // wfi
    CHECK(EC(o->esr) == 1 && (o->esr & 1) == 0);
    run_word(o, SPSR_EL1, MRS(0, 0, 4, 0), 0, 0); // id_aa64pfr0_el1
    CHECK(EC(o->esr) == 0x18 && (o->esr & 1) == 1);
    WRITE(hcr_el2, HCR_RW);
    WRITE(cpacr_el1, 3 << 20);
    WRITE(cptr_el2, 0x33ff | 1 << 10);
    run_word(o, SPSR_EL1, 0x1e604000, 0, 0); // fmov d0, d0
    CHECK(o->vector == 0x400 && EC(o->esr) == 7);
    WRITE(cptr_el2, 0x33ff);
    run_word(o, SPSR_EL1, 0x1e604000, 0, 0);
    CHECK(o->esr == HVC_7F);
    WRITE(cpacr_el1, 0);
    run_word(o, SPSR_EL1, 0x1e604000, 0, 0);
    CHECK(o->vector1 == 0x1200 && EC(o->esr1) == 7);
    WRITE(cnthctl_el2, 0);
    run_word(o, SPSR_EL1, MRS(3, 14, 0, 1), 0, 0); // cntpct_el0
    CHECK(EC(o->esr) == 0x18);
    WRITE(cnthctl_el2, 3);
    run_word(o, SPSR_EL1, MRS(3, 14, 0, 1), 0, 0);
    CHECK(o->esr == HVC_7F);
    WRITE(cntvoff_el2, 1UL << 40);
    CHECK((READ(cntpct_el0) - READ(cntvct_el0)) >> 39 == 1); // within a second: the offset
    WRITE(cntvoff_el2, 0);
    WRITE(hcr_el2, HCR_RW | 1UL << 27); // TGE: EL0's exceptions come here
    run_word(o, SPSR_EL0, 0xd503201f, 0, 0);
    CHECK(o->vector == 0x400 && o->esr == 0x5600007f);
    run_word(o, SPSR_EL1, 0xd503201f, 0, 0); // and EL1 cannot be entered
    CHECK(o->vector == 0x200 && EC(o->esr) == 0x0e);
    WRITE(hcr_el2, HCR_RW);
}

static u64 table[512] __attribute__((aligned(4096))), table2[512] __attribute__((aligned(4096)));
static u64 s2_low[512] __attribute__((aligned(4096))), s2_pages[512] __attribute__((aligned(4096)));

// EL2's own regime: identity, with a hole at 2 GiB and an alias of RAM at 3 GiB.
static void own_tables(struct outcome *o)
{
    table[0] = 0 | 0x401 | 1 << 2 | 1UL << 54;       // devices: Attr1, XN
    table[1] = 0x40000000 | 0x701;                     // RAM
    table[3] = 0x40000000 | 0x701 | 1 << 7 | 1UL << 54; // RAM again, read-only, XN
    WRITE(mair_el2, 0x00ff);
    WRITE(tcr_el2, 1UL << 31 | 1UL << 23 | 25 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 16);
    WRITE(ttbr0_el2, table);
    __asm__ volatile("tlbi alle2\n dsb sy\n isb");
    WRITE(sctlr_el2, 0x30c50830 | 1 | 4 | 1 << 12);
    static volatile u64 cell = 0x1122334455667788;
    CHECK(*(volatile u64 *)((u64)&cell + 0x80000000) == cell);
    run_word(o, SPSR_EL2, 0xf9400000, 0x80000000, 0); // ldr x0, [x0]: nothing there
    CHECK(o->vector == 0x200 && EC(o->esr) == 0x25 && (o->esr & 63) == 5 && o->far == 0x80000000);
    run_word(o, SPSR_EL2, 0xf9000001, (u64)&cell + 0x80000000, 0); // str x1, [x0]: read-only
    CHECK(o->vector == 0x200 && (o->esr & 0x7f) == (0x40 | 0x0d));
    run_word(o, SPSR_EL2, 0xd61f0000, (u64)run_code + 0x80000000, 0); // br x0: execute-never
    CHECK(o->vector == 0x200 && EC(o->esr) == 0x21 && (o->esr & 63) == 0x0d);
    table[2] = table[3];
    __asm__ volatile("dsb ishst");
    run_word(o, SPSR_EL2, 0xf9400000, (u64)&cell + 0x40000000, 0);
    CHECK(o->x0 == 0x1122334455667788);
    SYS("at s1e2r", (u64)&cell + 0x80000000);
    CHECK((READ(par_el1) & 0xfffffffff001) == ((u64)&cell & 0xfffffffff000));
    table[2] = 0;
    SYS("tlbi vae2is", ((u64)&cell + 0x40000000) >> 12);
    run_word(o, SPSR_EL2, 0xf9400000, (u64)&cell + 0x40000000, 0);
    CHECK(EC(o->esr) == 0x25);
}

// Stage 2 under EL1 with its MMU off: RAM as it is, one page of it elsewhere, a hole that traps.
static void stage2(struct outcome *o)
{
    static u64 page_a[512] __attribute__((aligned(4096))) = {0xaaaa}, page_b[512] __attribute__((aligned(4096))) = {0xbbbb};
    s2_low[1] = 0x40000000 | 0x7fd; // level 1 block: RAM, Normal, read and write
    s2_low[0] = (u64)table2 | 3;
    table2[0] = (u64)s2_pages | 3;  // addresses 0..2 MiB by pages
    s2_pages[1] = (u64)page_b | 0x7ff;
    s2_pages[2] = (u64)page_a | 0x77f; // read-only
    WRITE(vtcr_el2, 1UL << 31 | 2 << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 | 25);
    WRITE(vttbr_el2, (u64)s2_low | 5UL << 48);
    WRITE(hcr_el2, HCR_RW | 1);
    __asm__ volatile("tlbi alle1\n dsb sy\n isb");
    run_word(o, SPSR_EL1, 0xf9400000, 0x1000, 0); // ldr x0, [x0]
    CHECK(o->esr == HVC_7F && o->x0 == 0xbbbb);
    run_word(o, SPSR_EL1, 0xf9400000, 0x2000, 0);
    CHECK(o->x0 == 0xaaaa);
    run_word(o, SPSR_EL1, 0xf9000001, 0x2008, 1); // str x1, [x0]
    CHECK(o->vector == 0x400 && EC(o->esr) == 0x24 && (o->esr & 0x7f) == (0x40 | 0x0f));
    CHECK((o->esr >> 16 & 0x1ff) == (0x100 | 3 << 6 | 1) && (o->esr >> 15 & 1)); // ISV, 8 bytes, x1
    CHECK(o->far == 0x2008 && o->hpfar == 0x20);
    run_word(o, SPSR_EL1, 0x39c00401, 0x3000, 0); // ldrsb w1, [x0, #1]
    CHECK(EC(o->esr) == 0x24 && (o->esr & 0x7f) == 7 && (o->esr >> 14 & 0x7ff) == (0x400 | 1 << 7 | 1 << 2));
    CHECK(o->hpfar == 0x30 && o->far == 0x3001);
    run_word(o, SPSR_EL1, 0xa9400400, 0x3000, 0); // ldp: no syndrome
    CHECK(EC(o->esr) == 0x24 && !(o->esr >> 24 & 1));
    run_word(o, SPSR_EL1, 0xd61f0000, 0x5000, 0); // br x0
    CHECK(EC(o->esr) == 0x20 && o->far == 0x5000 && o->hpfar == 0x50 && (o->esr & 63) == 7);
    s2_pages[1] = (u64)page_a | 0x7ff;
    SYS("tlbi ipas2e1is", 1);
    __asm__ volatile("tlbi vmalle1is\n dsb sy\n isb");
    run_word(o, SPSR_EL1, 0xf9400000, 0x1000, 0);
    CHECK(o->x0 == 0xaaaa);
    // Stage 1 over it: tables in what stage 2 shows at 0x4000, which is not mapped at first.
    static u64 el1_tables[512] __attribute__((aligned(4096)));
    el1_tables[0] = 0 | 0x701;
    el1_tables[1] = 0x40000000 | 0x701;
    WRITE(mair_el1, 0xff);
    WRITE(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1UL << 23 | 2UL << 32);
    WRITE(ttbr0_el1, 0x4000);
    WRITE(sctlr_el1, 0x30d00800 | 1);
    run_word(o, SPSR_EL1, 0xd503201f, 0, 0);
    CHECK(EC(o->esr) == 0x20 && (o->esr & 0xfc) == 0x84 && o->hpfar == 0x40); // on the walk; QEMU names the level of stage 1
    s2_pages[4] = (u64)el1_tables | 0x7ff;
    run_word(o, SPSR_EL1, 0xf9400000, 0x1000, 0);
    CHECK(o->esr == HVC_7F && o->x0 == 0xaaaa);
    SYS("at s12e1r", 0x1000);
    CHECK((READ(par_el1) & 0xfffffffff001) == (u64)page_a);
    SYS("at s1e1r", 0x1000);
    CHECK((READ(par_el1) & 0xfffffffff001) == 0x1000);
    WRITE(sctlr_el1, 0x30d00800);
    WRITE(hcr_el2, HCR_RW);
}

#define GICD 0x08000000UL
#define GICR 0x080a0000UL
#define SGI 0x080b0000UL
static void poke(u64 at, u32 v) { *(volatile u32 *)at = v; }

static void interrupts(struct outcome *o)
{
    CHECK((READ(S3_4_C12_C9_5) & 1) == 1); // icc_sre_el2
    poke(GICR + 0x14, 0);
    poke(GICD, 0x13);
    poke(SGI + 0x80, ~0u);
    poke(SGI + 0x100, 1u << 26 | 1u << 27 | 1u << 3);
    WRITE(S3_0_C4_C6_0, 0xf0);   // icc_pmr_el1
    WRITE(S3_0_C12_C12_7, 1);    // icc_igrpen1_el1
    WRITE(cnthp_tval_el2, 1000);
    WRITE(cnthp_ctl_el2, 1);
    while (!(READ(cnthp_ctl_el2) & 4))
        ;
    CHECK(READ(isr_el1) == 0x80);
    WRITE(hcr_el2, HCR_RW | 1 << 4); // IMO: EL1 cannot mask it
    run_word(o, SPSR_EL1, 0x14000000, 0, 0); // b .
    CHECK(o->vector == 0x480 && o->elr == (u64)run_code);
    CHECK(READ(S3_0_C12_C12_0) == 26); // icc_iar1_el1
    WRITE(cnthp_ctl_el2, 0);
    WRITE(S3_0_C12_C12_1, 26);
    // A virtual interrupt through a list register, taken by EL1 as its own.
    WRITE(S3_4_C12_C11_7, 0xfful << 24 | 2);                  // ich_vmcr_el2: priority mask, group 1
    WRITE(S3_4_C12_C12_0, 1UL << 62 | 1UL << 60 | 0x80UL << 48 | 40); // ich_lr0_el2: pending, 40
    WRITE(S3_4_C12_C11_0, 1);                                 // ich_hcr_el2.En
    run_word(o, 0x345, 0xd503201f, 0, 0); // EL1h, I open
    CHECK(o->vector1 == 0x1280 && o->esr == 0x5a00007e);
    run_word(o, SPSR_EL1, MRS(0, 12, 1, 0), 0, 0); // isr_el1
    CHECK(o->x0 == 0x80);
    run_word(o, SPSR_EL1, MRS(0, 12, 12, 0), 0, 0); // icc_iar1_el1 is icv_iar1_el1
    CHECK(o->esr == HVC_7F && o->x0 == 40 && READ(S3_4_C12_C12_0) >> 62 == 2);
    run_word(o, SPSR_EL1, MSR(0, 12, 12, 1), 40, 0); // icc_eoir1_el1
    CHECK(READ(S3_4_C12_C12_0) >> 62 == 0 && (READ(S3_4_C12_C11_5) & 1) == 1);
    run_word(o, SPSR_EL1, MSR(0, 12, 11, 5), 1, 0); // icc_sgi1r_el1 is trapped
    CHECK(EC(o->esr) == 0x18);
    WRITE(S3_4_C12_C11_0, 1 | 2); // underflow: the maintenance interrupt
    CHECK((READ(S3_4_C12_C11_2) & 2) == 2);
    WRITE(S3_4_C12_C11_0, 0);
    WRITE(hcr_el2, HCR_RW | 1 << 4 | 1 << 7); // VI
    run_word(o, 0x345, 0x14000000, 0, 0);
    CHECK(o->vector1 == 0x1280);
    run_word(o, SPSR_EL1, 0xd50342ff, 0, 0); // msr daifclr, #2
    CHECK(o->vector1 == 0x1280);
    WRITE(hcr_el2, HCR_RW | 1 << 5 | 1 << 8); // AMO, VSE: once
    run_word(o, 0x2c5, 0xd503201f, 0, 0);
    CHECK(o->vector1 == 0x1380 && !(READ(hcr_el2) & 1 << 8));
    WRITE(hcr_el2, HCR_RW);
}

// FEAT_VHE: names of EL1 mean EL2, and a host's EL0 lives in EL2's tables.
static void vhe(struct outcome *o)
{
    if (!(READ(id_aa64mmfr1_el1) >> 8 & 15)) {
        WRITE(hcr_el2, HCR_RW | 1UL << 34); // no such bit
        CHECK(READ(hcr_el2) == HCR_RW);
        run_word(o, SPSR_EL2, MRS(5, 1, 0, 0), 0, 0);
        CHECK(o->vector == 0x200 && EC(o->esr) == 0);
        return;
    }
    WRITE(tpidr_el1, 0x55);
    u64 esr1 = 0x77;
    WRITE(esr_el1, esr1);
    WRITE(sctlr_el2, 0x30c50830);
    WRITE(hcr_el2, HCR_RW | 1UL << 34 | 1UL << 27);
    WRITE(cptr_el2, 3 << 20);
    WRITE(esr_el1, 0x99); // esr_el2
    CHECK(READ(S3_5_C5_C2_0) == 0x77 && READ(esr_el2) == 0x99 && READ(tpidr_el1) == 0x55);
    WRITE(S3_4_C2_C0_1, 0x1000); // ttbr1_el2
    CHECK(READ(ttbr1_el1) == 0x1000);
    // EL2&0: identity with user pages at 1 GiB, kernel view at the top.
    static u64 t1[512] __attribute__((aligned(4096)));
    table[0] = 0 | 0x401 | 1 << 2 | 3UL << 53;
    table[1] = 0x40000000 | 0x701;               // kernel
    table[2] = 0x40000000 | 0xf41 | 1UL << 53;     // the same for EL0, nG, PXN
    t1[1] = 0x40000000 | 0x701;
    WRITE(mair_el2, 0x00ff);
    WRITE(tcr_el2, 25 | 25 << 16 | 2UL << 30 | 2UL << 32 | 0x3500 | 0x35000000UL);
    WRITE(ttbr0_el2, (u64)table | 1UL << 48);
    WRITE(S3_4_C2_C0_1, t1);
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
    WRITE(sctlr_el2, 0x30c50830 | 1 | 4 | 1 << 12 | 1UL << 28 | 1 << 26 | 1 << 15 | 1 << 23);
    static volatile u64 cell = 0x1122334455667788;
    CHECK(*(volatile u64 *)(((u64)&cell - 0x40000000) | 0xffffff8040000000UL) == cell);
    run_word(o, SPSR_EL2, 0xd503201f, 0, 0);
    // EL0 of the host: the same words through its own mapping.
    run_code[0] = 0xf9400000; // ldr x0, [x0]
    run_code[1] = 0xd4000fe1; // svc #0x7f
    __asm__ volatile("dc cvau, %0\n dsb sy\n ic ivau, %0\n dsb sy\n isb" : : "r"(run_code) : "memory");
    run_at(o, SPSR_EL0, (u64)run_code + 0x40000000, (u64)&cell + 0x40000000, 0);
    CHECK(o->vector == 0x400 && o->esr == 0x5600007f && o->x0 == cell);
    run_at(o, SPSR_EL0, (u64)run_code + 0x40000000, (u64)&cell, 0);
    CHECK(o->vector == 0x400 && EC(o->esr) == 0x24 && (o->esr & 63) == 0x0d && o->far == (u64)&cell);
    // Another address space by TTBR0 under the old name, and back.
    WRITE(ttbr0_el1, (u64)table | 2UL << 48);
    run_at(o, SPSR_EL0, (u64)run_code + 0x40000000, (u64)&cell + 0x40000000, 0);
    CHECK(o->x0 == cell);
    // PAN and LDTR at EL2
    WRITE(S3_0_C4_C2_3, 1 << 22);
    run_word(o, SPSR_EL2 | 1 << 22, 0xf9400000, (u64)&cell + 0x40000000, 0);
    CHECK(EC(o->esr) == 0x25 && (o->esr & 63) == 0x0d);
    run_word(o, SPSR_EL2 | 1 << 22, 0xf8400800, (u64)&cell + 0x40000000, 0); // ldtr x0, [x0]
    CHECK(o->esr == HVC_7F && o->x0 == cell);
    WRITE(S3_0_C4_C2_3, 0);
    // EL2's virtual timer under the name of EL0's
    WRITE(cntvoff_el2, 1UL << 40);
    CHECK((READ(cntpct_el0) - READ(cntvct_el0)) >> 39 != 1); // the host sees no offset
    WRITE(cntvoff_el2, 0);
    WRITE(cntv_cval_el0, 0x1234);
    CHECK(READ(S3_4_C14_C3_2) == 0x1234 && READ(S3_5_C14_C3_2) != 0x1234);
    WRITE(cptr_el2, 1 << 20); // EL0 only is trapped
    run_code[0] = 0x1e604000;
    __asm__ volatile("dc cvau, %0\n dsb sy\n ic ivau, %0\n dsb sy\n isb" : : "r"(run_code) : "memory");
    run_at(o, SPSR_EL0, (u64)run_code + 0x40000000, 0, 0);
    CHECK(o->vector == 0x400 && EC(o->esr) == 7);
    WRITE(sctlr_el2, 0x30c50830);
    WRITE(hcr_el2, HCR_RW);
    WRITE(cptr_el2, 0x33ff);
    CHECK(READ(esr_el1) == 0x77);
}

u64 guest_main(void)
{
    static struct outcome o;
    levels(&o);
    traps(&o);
    own_tables(&o);
    stage2(&o);
    interrupts(&o);
    vhe(&o);
    return failed;
}
