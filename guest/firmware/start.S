// Entry of the tiny firmware: EL1 or EL2, MMU off, x0 = address it was loaded at. It may be loaded anywhere
// on a 64 KiB boundary: relative relocations are applied here, before any C runs.
	.section .text.start, "ax"
	.globl	_start
_start:
	b	1f
	.long	0
	.quad	_bss_end - _start	// bytes of memory it needs, read by the VMM
	.ascii	"BRFW"
	.long	0
1:	adr	x19, _start
	adrp	x1, _rela_start
	add	x1, x1, :lo12:_rela_start
	adrp	x2, _rela_end
	add	x2, x2, :lo12:_rela_end
2:	cmp	x1, x2
	b.hs	3f
	ldp	x3, x4, [x1], #16	// offset, info
	ldr	x5, [x1], #8		// addend
	cmp	w4, #1027		// R_AARCH64_RELATIVE
	b.ne	2b
	add	x5, x5, x19
	str	x5, [x19, x3]
	b	2b
3:	adrp	x1, _bss_start
	add	x1, x1, :lo12:_bss_start
	adrp	x2, _bss_end
	add	x2, x2, :lo12:_bss_end
4:	cmp	x1, x2
	b.hs	5f
	stp	xzr, xzr, [x1], #16
	b	4b
5:	adrp	x1, fw_stack_top
	add	x1, x1, :lo12:fw_stack_top
	mov	sp, x1
	adrp	x1, fw_vectors
	add	x1, x1, :lo12:fw_vectors
	mrs	x2, currentel
	cmp	x2, #8
	b.eq	6f
	msr	vbar_el1, x1
	mov	x1, #(3 << 20)
	msr	cpacr_el1, x1
	b	7f
6:	msr	vbar_el2, x1
	msr	cntvoff_el2, xzr
	mov	x1, #0x33ff		// no FP trap
	msr	cptr_el2, x1
7:	isb
	mov	x0, x19
	adrp	x1, _bss_end
	add	x1, x1, :lo12:_bss_end
	mov	x29, #0
	mov	x30, #0
	bl	fw_main
0:	wfi
	b	0b

// void fw_mmu_on(u64 ttbr0, u64 tcr, u64 mair)
	.section .text
	.globl	fw_mmu_on
fw_mmu_on:
	mrs	x3, currentel
	cmp	x3, #8
	b.eq	1f
	msr	mair_el1, x2
	msr	tcr_el1, x1
	msr	ttbr0_el1, x0
	isb
	tlbi	vmalle1
	dsb	sy
	ic	iallu
	dsb	sy
	isb
	mrs	x0, sctlr_el1
	mov	x1, #0x1005		// M, C, I
	orr	x0, x0, x1
	msr	sctlr_el1, x0
	isb
	ret
1:	msr	mair_el2, x2
	msr	tcr_el2, x1
	msr	ttbr0_el2, x0
	isb
	tlbi	alle2
	dsb	sy
	ic	iallu
	dsb	sy
	isb
	mrs	x0, sctlr_el2
	mov	x1, #0x1005
	orr	x0, x0, x1
	msr	sctlr_el2, x0
	isb
	ret

// void fw_host_mode(void): HCR_EL2.E2H and TGE, before the MMU is on. EL1's names then mean EL2.
	.globl	fw_host_mode
fw_host_mode:
	mov	x0, #0x88000000		// RW, TGE
	movk	x0, #4, lsl #32		// E2H
	msr	hcr_el2, x0
	isb
	mov	x0, #(3 << 20)		// CPTR_EL2.FPEN has moved
	msr	cptr_el2, x0
	isb
	ret

// u64 fw_call_image(handle, system table, entry, struct fw_jump *): runs an image on the current stack
// so that fw_leave_image can come back from any depth.
	.globl	fw_call_image
fw_call_image:
	stp	x29, x30, [sp, #-16]!
	stp	x19, x20, [x3]
	stp	x21, x22, [x3, #16]
	stp	x23, x24, [x3, #32]
	stp	x25, x26, [x3, #48]
	stp	x27, x28, [x3, #64]
	stp	d8, d9, [x3, #96]
	stp	d10, d11, [x3, #112]
	stp	d12, d13, [x3, #128]
	stp	d14, d15, [x3, #144]
	mov	x4, sp
	str	x4, [x3, #80]
	blr	x2
	ldp	x29, x30, [sp], #16
	ret
// void fw_leave_image(struct fw_jump *, u64 status)
	.globl	fw_leave_image
fw_leave_image:
	ldr	x4, [x0, #80]
	mov	sp, x4
	ldp	x19, x20, [x0]
	ldp	x21, x22, [x0, #16]
	ldp	x23, x24, [x0, #32]
	ldp	x25, x26, [x0, #48]
	ldp	x27, x28, [x0, #64]
	ldp	d8, d9, [x0, #96]
	ldp	d10, d11, [x0, #112]
	ldp	d12, d13, [x0, #128]
	ldp	d14, d15, [x0, #144]
	mov	x0, x1
	ldp	x29, x30, [sp], #16
	ret

// u64 fw_psci(u64 function, u64 a, u64 b)
	.globl	fw_psci
fw_psci:
	mov	x3, #0
	mrs	x4, currentel
	cmp	x4, #8			// with EL2 of our own, HVC would come back to us
	b.eq	1f
	hvc	#0
	ret
1:	smc	#0
	ret

	.balign 2048
fw_vectors:
	.macro	vector
	.balign	128
	b	fault
	.endm
	.rept	16
	vector
	.endr
fault:
	adrp	x1, fw_stack_top
	add	x1, x1, :lo12:fw_stack_top
	mov	sp, x1
	mrs	x3, currentel
	cmp	x3, #8
	b.eq	1f
	mrs	x0, esr_el1
	mrs	x1, elr_el1
	mrs	x2, far_el1
	bl	fw_fault
1:	mrs	x0, esr_el2
	mrs	x1, elr_el2
	mrs	x2, far_el2
	bl	fw_fault
0:	wfi
	b	0b
