// Programs that start at EL2: --el 2.
// el2: drops
// stay: poll_hyp_timer stays_plain hypervisor stage2_lazy traps_ids vhe
#include "good.h"

static volatile u64 count, sink;
static void call(struct frame *f) { count++; }

/// crt.S dropped to EL1; SVCs and the timer work there.
void drops(void)
{
    on_sync = call;
    CHECK((READ(CurrentEL) & 12) == 4);
    for (u64 n = 0; n < 3000; n++)
        ASM("svc #0");
    mmu_on();
    gic_init();
    gic_enable(27);
    timer_in(ms(MS));
    while (!(READ(cntv_ctl_el0) & 4))
        ASM("wfi");
    CHECK(count == 3000);
}

#ifdef STAY_EL2
/* Vectors of EL2 that say how the guest came up. */
extern u8 el2_vectors[];
void el2_exception(struct frame *f);
__asm__(".balign 2048\nel2_vectors:\n.rept 16\n.balign 128\nb 8f\n.endr\n.balign 2048\n"
        "8: sub sp, sp, #288\nstp x0, x1, [sp]\nstp x2, x3, [sp, #16]\nstp x4, x5, [sp, #32]\nstp x6, x7, [sp, #48]\n"
        "stp x8, x9, [sp, #64]\nstp x10, x11, [sp, #80]\nstp x12, x13, [sp, #96]\nstp x14, x15, [sp, #112]\nstp x16, x17, [sp, #128]\n"
        "stp x18, x19, [sp, #144]\nstp x29, x30, [sp, #232]\nmrs x1, elr_el2\nmrs x2, spsr_el2\nstp x1, x2, [sp, #248]\nmov x0, sp\n"
        "bl el2_exception\nldp x1, x2, [sp, #248]\nmsr elr_el2, x1\nmsr spsr_el2, x2\nldp x2, x3, [sp, #16]\nldp x4, x5, [sp, #32]\n"
        "ldp x6, x7, [sp, #48]\nldp x8, x9, [sp, #64]\nldp x10, x11, [sp, #80]\nldp x12, x13, [sp, #96]\nldp x14, x15, [sp, #112]\n"
        "ldp x16, x17, [sp, #128]\nldp x18, x19, [sp, #144]\nldp x29, x30, [sp, #232]\nldp x0, x1, [sp], #288\neret\n");
static u64 saved_sp, saved_pc;
static u64 s2_l1[1024] __attribute__((aligned(8192))), s2_l2[512] __attribute__((aligned(4096)));
void el2_exception(struct frame *f)
{
    u64 ec = READ(esr_el2) >> 26;
    count++;
    if (ec == 0x16 && f->x[0] == 0x77) /* the guest is done */
        __asm__ volatile("mov sp, %0\nmov x29, #0\nbr %1" ::"r"(saved_sp), "r"(saved_pc));
    if (ec == 0x16)
        f->x[0] = count;
    else if (ec == 0x18 || ec == 1) /* a system register or WFI that is kept from the guest */
        f->elr += 4;
    else if (ec == 0x24) {
        u64 ipa = READ(hpfar_el2) << 8;
        CHECK(ipa - RAM < 0x40000000);
        s2_l2[ipa >> 21 & 511] = (ipa & ~0x1fffffUL) | 0x7fd;
        dsb();
    } else
        fail("class at EL2", (int)ec);
}
extern u8 guest_calls[], guest_touches[], guest_ids[];
__asm__(".text\nguest_calls: mov x2, #3000\n1: mov x0, #1\nhvc #0\nsubs x2, x2, #1\nb.ne 1b\nmov x0, #0x77\nhvc #0\nb .\n"
        "guest_touches: mov x2, #0x44000000\nmov x3, #400\n1: str x3, [x2]\nadd x2, x2, #0x40000\nsubs x3, x3, #1\nb.ne 1b\n"
        "mov x0, #0x77\nhvc #0\nb .\n"
        "guest_ids: mov x2, #2000\n1: mrs x1, id_aa64pfr0_el1\nwfi\nsubs x2, x2, #1\nb.ne 1b\nmov x0, #0x77\nhvc #0\nb .\n");
static void guest(const void *entry, u64 hcr)
{
    WRITE(vbar_el2, el2_vectors);
    WRITE(hcr_el2, 1UL << 31 | hcr);
    WRITE(sctlr_el1, 0x30d00800);
    WRITE(spsr_el2, 0x3c5);
    WRITE(elr_el2, entry);
    WRITE(sp_el1, RAM + 0x3000000);
    isb();
    __asm__ volatile("mov x9, sp\nstr x9, [%0]\nadr x9, 1f\nstr x9, [%1]\nmov x0, #0\neret\n1:" ::"r"(&saved_sp), "r"(&saved_pc)
                     : "x0", "x1", "x2", "x3", "x9", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "cc",
                       "memory");
}
static void stays(void) { CHECK((READ(CurrentEL) & 12) == 8); }
/// A hypervisor whose guest calls it.
void hypervisor(void)
{
    stays();
    guest(guest_calls, 0);
    CHECK(count == 3001);
}
/// Stage 2 is filled as the guest touches its memory.
void stage2_lazy(void)
{
    stays();
    s2_l2[0] = RAM | 0x7fd;
    s2_l1[1] = (u64)s2_l2 | 3;
    WRITE(vtcr_el2, 1UL << 31 | 25 | 1 << 6 | 0x3500 | 2 << 16);
    WRITE(vttbr_el2, s2_l1);
    isb();
    ASM("tlbi vmalls12e1\ndsb nsh\nisb");
    guest(guest_touches, 1);
    CHECK(count > 40);
}
/// The guest sees other identification registers, and may not sleep.
void traps_ids(void)
{
    stays();
    guest(guest_ids, 1 << 18 | 1 << 13);
    CHECK(count == 4001);
}
/// A program that simply stays at EL2, with an MMU and without.
static u64 l1[512] __attribute__((aligned(4096)));
void stays_plain(void)
{
    stays();
    l1[0] = 0x0040000000000401;
    for (u64 k = 1; k < 4; k++)
        l1[k] = k << 30 | 0x705;
    dsb();
    WRITE(mair_el2, 0x44ff04);
    WRITE(tcr_el2, 25 | 0x3500 | 1UL << 31 | 1 << 23 | 2 << 16);
    WRITE(ttbr0_el2, l1);
    isb();
    ASM("tlbi alle2\ndsb nsh\nisb");
    WRITE(sctlr_el2, 0x30c51835);
    isb();
    for (u64 n = 0; n < 3000000; n++)
        sink += n;
    for (u64 end = now() + ms(MS); now() < end;)
        ;
}
/// Polls the status of EL2's own timers with interrupts masked; the GIC knows nothing of them.
void poll_hyp_timer(void)
{
    stays();
    WRITE(cnthp_tval_el2, ms(MS));
    WRITE(cnthp_ctl_el2, 1);
    isb();
    while (!(READ(cnthp_ctl_el2) & 4))
        ;
    WRITE(cnthp_ctl_el2, 0);
    WRITE(cnthp_tval_el2, ms(MS));
    WRITE(cnthp_ctl_el2, 3);
    while ((int)READ(cnthp_tval_el2) > 0)
        ;
    WRITE(cnthp_ctl_el2, 0);
}
/// With E2H the EL1 names reach EL2's registers.
void vhe(void)
{
    stays();
    if (!(READ(id_aa64mmfr1_el1) >> 8 & 15))
        return;
    WRITE(hcr_el2, 1UL << 31 | 1UL << 34 | 1 << 27);
    isb();
    WRITE(vbar_el1, el2_vectors);
    mmu_on();
    CHECK(READ(ttbr0_el2) == READ(ttbr0_el1));
    for (u64 n = 0; n < 3000000; n++)
        sink += n;
    gic_init();
    gic_enable(28);
    WRITE(cntv_tval_el0, ms(MS));
    WRITE(cntv_ctl_el0, 1);
    isb();
    while (!(READ(cntv_ctl_el0) & 4))
        ASM("wfi");
}
#endif
