// The last page of the loader: from the firmware's tables to the kernel's. It is mapped one to one
// before and after. Intel SDM volume 3, "Protected-Mode Memory Management" and "Paging".
//
// rcx = struct handoff (loader.h); the CPU is in long mode with interrupts off.
    .intel_syntax noprefix
    .section .tramp, "xr"
    .p2align 12
    .globl handoff_page
handoff_page:
    cli
    mov r8, [rcx + 16]   // CR3
    mov r9, [rcx + 40]   // entry
    mov r10, [rcx + 48]  // stack
    mov rdi, [rcx + 56]  // rdi of the kernel
    mov r11, [rcx + 64]  // flags
    mov r12, [rcx + 88]  // GDT under the kernel's tables

    mov ecx, 0xC0000080  // EFER: no-execute on
    rdmsr
    or eax, 0x800
    wrmsr
    mov rax, cr4         // PGE, PCIDE, SMEP, SMAP, PKE, CET off
    mov rdx, 0xFFFFFFFFFF0DFF7F
    and rax, rdx
    test r11, 16         // FPU asked for: OSFXSR, OSXMMEXCPT
    jz 1f
    or rax, 0x600
1:  mov cr4, rax
    mov rax, cr0         // WP and MP on, EM and TS off
    or rax, 0x10002
    and rax, -13
    mov cr0, rax
    test r11, 64         // another depth of page tables?
    jnz switch_levels
    mov cr3, r8
with_new_tables:
    mov rsp, r10

    push r12             // lgdt takes limit and base from memory: use the new stack
    sub rsp, 8
    mov word ptr [rsp + 6], 55
    lgdt [rsp + 6]
    mov rax, 0
    mov [rsp], rax
    mov [rsp + 8], rax
    lidt [rsp]           // no IDT: an exception before the kernel has one resets the machine
    add rsp, 16
    mov eax, 0x30
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    lldt ax

    push 0               // a return address of zero: rsp % 16 == 8 as after a call
    push 0x28
    push r9
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor ebp, ebp
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    push 2
    popfq
    retfq

// CR4.LA57 may only change while long mode is inactive: to 32-bit code, paging off, on again with the new
// tables, back to 64 bits. This page and the tables lie below 4 GiB. What is needed after is read again
// from the copy of struct handoff in the page r12 names; ebx and ebp carry its halves across.
switch_levels:
    mov ebx, r12d
    mov rbp, r12
    shr rbp, 32
    mov esi, r8d
    lea rdx, [rip + far_pointer]
    lea rdi, [rip + 2f]
    lea rax, [rip + switch_gdt]
    push rax
    sub rsp, 8
    mov word ptr [rsp + 6], 31
    lgdt [rsp + 6]
    lea rax, [rip + 1f]
    push 8
    push rax
    retfq
    .code32
1:  mov eax, 16
    mov ds, eax
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    mov eax, cr4
    xor eax, 0x1000
    mov cr4, eax
    mov cr3, esi
    mov [edx], edi       // without paging our own page can be written
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp fword ptr [edx]
    .code64
2:  mov r12d, ebx
    shl rbp, 32
    or r12, rbp
    mov r9, [r12 + 256 + 40]
    mov r10, [r12 + 256 + 48]
    mov rdi, [r12 + 256 + 56]
    mov r11, [r12 + 256 + 64]
    jmp with_new_tables
    .p2align 3
switch_gdt:              // code and data of 32 bits, code of 64; accessed already, so nothing is written
    .quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF
far_pointer:
    .long 0
    .word 24
    .p2align 12, 0xCC
