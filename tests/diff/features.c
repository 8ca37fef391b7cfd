/// For features.py: prints the identification registers of a CPU after reset, then for each word on stdin
/// (hexadecimal, one a line) the row it decodes to.
#include "a64/insn.h"
#include "cpu/cpu.h"

#include <stdio.h>

int main(void)
{
    static const char *const names[] = {"ID_AA64PFR0_EL1", "ID_AA64PFR1_EL1", "ID_AA64ZFR0_EL1", "ID_AA64ISAR0_EL1",
                                        "ID_AA64ISAR1_EL1", "ID_AA64ISAR2_EL1", "ID_AA64MMFR0_EL1", "ID_AA64MMFR1_EL1",
                                        "ID_AA64MMFR2_EL1"};
    struct mem *m = mem_new();
    struct cpu *c = cpu_new(m, 0);
    cpu_reset(c);
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        u64 v = 0;
        if (!sysreg_get(c, names[k], &v))
            return 1;
        printf("%s %llx\n", names[k], (unsigned long long)v);
    }
    unsigned word;
    while (scanf("%x", &word) == 1) {
        struct insn i;
        insn_decode(word, &i);
        printf("%08x %s\n", word, insn_rows[i.op].name);
    }
    cpu_free(c);
    mem_free(m);
    return 0;
}
