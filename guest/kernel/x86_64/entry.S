// First instructions of the kernel on x86_64. Contract: docs/boot-protocol.md, "Entry": long mode,
// our link address (plus slide), rdi = information block in the direct map, interrupts off, no IDT.
    .intel_syntax noprefix
    .section .text.entry, "ax"
    .globl _start
_start:
    cld
    lea rsp, [rip + __stack_top]
    xor ebp, ebp
    push rdi
    push rdi
    call descriptors_start    // GDT, TSS, IDT first: without them the first mistake resets
    pop rdi
    pop rdi
    call kmain
    ud2

// void load_descriptors(const void *gdt_pointer, const void *idt_pointer)
    .globl load_descriptors
load_descriptors:
    lgdt [rdi]
    lidt [rsi]
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov eax, 24
    ltr ax
    pop rax
    push 8
    push rax
    retfq

// Where another CPU begins, copied to a page below 1 MiB: real mode, CS = that page. It counts itself and
// waits to be stopped.
    .code16
    .globl sipi_begin, sipi_counter, sipi_end
    .p2align 6
sipi_begin:
    cli
    mov ax, cs
    mov ds, ax
    lock inc dword ptr ds:[64] // sipi_counter
1:  hlt
    jmp 1b
    .p2align 6
sipi_counter:
    .long 0
sipi_end:
    .code64

    .globl probe_begin, probe_end, probe_fail, probe_load, probe_store
probe_begin:
probe_load:
    mov ecx, [rdi]
    mov [rsi], ecx
    xor eax, eax
    ret
probe_store:
    mov [rdi], esi
    xor eax, eax
    ret
probe_end:
probe_fail:
    movabs rax, 0xFA17FA17FA17FA17
    ret

// --- one stub a vector ---------------------------------------------------------------------------
    .altmacro
    .macro stub n
    .p2align 4
    .if (\n == 8) || ((\n >= 10) && (\n <= 14)) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30)
    .else
    push 0                    // the CPU pushed no error code
    .endif
    push \n
    jmp save_and_handle
    .endm

    .p2align 4
    .globl isr_stubs
isr_stubs:
    .set i, 0
    .rept 64
    stub %i
    .set i, i + 1
    .endr
    .p2align 4

save_and_handle:
    push r15
    push r14
    push r13
    push r12
    push r11
    push r10
    push r9
    push r8
    push rbp
    push rdi
    push rsi
    push rdx
    push rcx
    push rbx
    push rax
    mov rdi, rsp
    mov rbx, rsp
    and rsp, -16
    cld
    call trap
    mov rsp, rbx
    pop rax
    pop rbx
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    pop rbp
    pop r8
    pop r9
    pop r10
    pop r11
    pop r12
    pop r13
    pop r14
    pop r15
    add rsp, 16
    iretq
