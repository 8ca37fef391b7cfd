/// Guest side of the floating-point comparison: reads jobs from standard input, executes each word
/// on the (emulated) processor and writes the results to standard output.
#include "fp_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void fp_run(struct fp_case *c, const uint32_t *code);
__asm__(".text\n"
        ".global fp_run\n"
        "fp_run:\n"
        "  stp x29, x30, [sp, #-96]!\n"
        "  stp x19, x20, [sp, #16]\n"
        "  stp d8, d9, [sp, #32]\n"
        "  stp d10, d11, [sp, #48]\n"
        "  stp d12, d13, [sp, #64]\n"
        "  stp d14, d15, [sp, #80]\n"
        "  mov x19, x0\n"
        "  mov x20, x1\n"
        "  ldp q0, q1, [x19]\n"
        "  ldp q2, q3, [x19, #32]\n"
        "  ldp q4, q5, [x19, #64]\n"
        "  ldp q6, q7, [x19, #96]\n"
        "  ldp x0, x1, [x19, #160]\n"
        "  msr fpcr, x0\n"
        "  msr fpsr, x1\n"
        "  ldr x0, [x19, #176]\n"
        "  msr nzcv, x0\n"
        "  ldp x0, x1, [x19, #128]\n"
        "  ldp x2, x3, [x19, #144]\n"
        "  blr x20\n"
        "  stp q0, q1, [x19]\n"
        "  stp q2, q3, [x19, #32]\n"
        "  stp q4, q5, [x19, #64]\n"
        "  stp q6, q7, [x19, #96]\n"
        "  stp x0, x1, [x19, #128]\n"
        "  stp x2, x3, [x19, #144]\n"
        "  mrs x0, nzcv\n"
        "  str x0, [x19, #176]\n"
        "  mrs x0, fpsr\n"
        "  str x0, [x19, #168]\n"
        "  msr fpcr, xzr\n"
        "  msr fpsr, xzr\n"
        "  ldp d14, d15, [sp, #80]\n"
        "  ldp d12, d13, [sp, #64]\n"
        "  ldp d10, d11, [sp, #48]\n"
        "  ldp d8, d9, [sp, #32]\n"
        "  ldp x19, x20, [sp, #16]\n"
        "  ldp x29, x30, [sp], #96\n"
        "  ret\n");

static void run_job(const struct fp_job *j, const uint32_t *code)
{
    for (uint32_t k = 0; k < j->count; k++) {
        struct fp_case c;
        struct fp_result r;
        fp_case_make(&c, j->seed + k);
        fp_run(&c, code);
        unsigned d = j->word & 31;
        r.v[0] = c.v[d & 7][0];
        r.v[1] = c.v[d & 7][1];
        r.x = d == 31 ? 0 : c.x[d & 3];
        r.fpsr = (uint32_t)c.fpsr;
        r.nzcv = (uint32_t)c.nzcv;
        fwrite(&r, sizeof r, 1, stdout);
    }
}

int main(void)
{
    uint32_t n = 0;
    if (fread(&n, sizeof n, 1, stdin) != 1 || n > 1000000)
        return 1;
    struct fp_job *jobs = calloc(n, sizeof *jobs);
    uint32_t *code = mmap(NULL, (size_t)n * 8 + 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (jobs == NULL || code == MAP_FAILED || fread(jobs, sizeof *jobs, n, stdin) != n)
        return 1;
    for (uint32_t k = 0; k < n; k++) {
        code[2 * k] = jobs[k].word;
        code[2 * k + 1] = 0xd65f03c0; /* RET */
    }
    __builtin___clear_cache((char *)code, (char *)(code + 2 * n));
    for (uint32_t k = 0; k < n; k++)
        run_job(&jobs[k], code + 2 * k);
    return 0;
}
