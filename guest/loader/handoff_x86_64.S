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
    mov cr3, r8
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
    .p2align 12, 0xCC
