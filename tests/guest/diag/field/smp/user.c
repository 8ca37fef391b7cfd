extern char user_prog[], user_prog_end[];
extern u64 *kroot;
void user_enter(u64 pc, u64 sp);
static int done[8];
static void sync_code(void *p, size_t n)
{
#if M_NO_ICACHE
    (void)p, (void)n;
#else
    u64 line = 4ull << (rd(ctr_el0) >> 16 & 15), iline = 4ull << (rd(ctr_el0) & 15);
    for (u64 a = (u64)p & ~(line - 1); a < (u64)p + n; a += line)
        __asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
    dsb(ish);
#if !M_NO_IC
    for (u64 a = (u64)p & ~(iline - 1); a < (u64)p + n; a += iline)
        __asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
    dsb(ish);
#endif
    isb();
#endif
}
static void user_thread(void *arg)
{
    (void)arg;
    irq_save();
    user_enter(UVA_CODE, UVA_STACK + PAGE);
}
static void spawn(int id)
{
    struct thread *t = thread_new(user_thread, NULL);
    u64 *root = pt_new();
    if (!HIGH) {
        /* the kernel's half lives in the same table: share its top entries */
        for (int i = 0; i < PAGE / 8; i++)
            root[i] = kroot[i];
        /* the user's gigabyte is its own: devices are mapped again below it */
        u64 sh = PS + (u64)(((VA_BITS - PS + PS - 4) / (PS - 3)) - 1) * (PS - 3);
        (void)sh;
        root[0] = 0;
        if (GRAN != 4) {
            /* one top entry covers RAM too: map everything again */
            map(root, 0x40000000, 0x40000000, 0x200000, P_W);
            extern char _text[], _etext[], _erodata[];
            map(root, (u64)_text & ~0x1fffffull, (u64)_text & ~0x1fffffull, (u64)_text & 0x1fffff, P_W);
            map(root, (u64)_text, (u64)_text, (u64)(_etext - _text), P_X);
            map(root, (u64)_etext, (u64)_etext, (u64)(_erodata - _etext), 0);
            map(root, (u64)_erodata, (u64)_erodata, 0x46000000 - (u64)_erodata, P_W);
        }
        map(root, 0x09000000, 0x09000000, 0x10000, P_W | P_DEV);
        map(root, 0x08000000, 0x08000000, 0x200000, P_W | P_DEV);
    }
    char *code = page_alloc(), *data = page_alloc(), *stack = page_alloc();
    memcpy(code, user_prog, (size_t)(user_prog_end - user_prog));
    sync_code(code, (size_t)(user_prog_end - user_prog));
    *(int *)data = id;
    int ng = IS(USER_GLOBAL) ? 0 : P_NG;
    map(root, UVA_CODE, va_to_pa(code), PAGE, (IS(USER_NX) ? 0 : P_X) | (IS(USER_NOT_U) ? 0 : P_U) | ng);
    map(root, UVA_DATA, va_to_pa(data), PAGE, P_W | P_U | ng);
    map(root, UVA_STACK, va_to_pa(stack), PAGE, (IS(USER_STACK_RO) ? 0 : P_W) | P_U | ng);
    dsb(ishst);
    isb();
    t->ttbr0 = IS(USER_TTBR_VA) ? (u64)root : va_to_pa(root);
    t->asid = (u64)id;
}
void user_init(void)
{
    spawn(1);
    spawn(2);
    sched_run();
    if (done[1] != 1 || done[2] != 1)
        panic("user processes failed: %d %d", done[1], done[2]);
}
void syscall(struct frame *f)
{
    switch (f->x[8]) {
    case 1: printf("minik: hello from process %d\n", (int)f->x[0]); break;
    case 2: schedule(); break;
    case 3:
        done[current->asid] += f->x[0] ? 2 : 1;
        thread_exit();
    default: panic("syscall %lu", f->x[8]);
    }
#if M_SVC_PLUS4
    f->elr += 4;
#endif
}
bool user_fault(struct frame *f, u64 esr, u64 far)
{
    (void)f;
    if (far >= UVA_HEAP && far < UVA_HEAP + 0x10000 && esr >> 26 == 0x24) {
        char *p = page_alloc();
        map(pa_to_va(current->ttbr0 & 0xffffffffffff), far & ~(u64)(PAGE - 1), va_to_pa(p), PAGE, (IS(DEMAND_RO) ? 0 : P_W) | P_U | P_NG);
        if (IS(DEMAND_WRONG))
            *pte_of(pa_to_va(current->ttbr0 & 0xffffffffffff), far) = 0;
        dsb(ishst);
        isb();
        return true;
    }
    printf("minik: process %d dies: esr %lx far %lx pc %lx\n", (int)current->asid, esr, far, f->elr);
    return false;
}
