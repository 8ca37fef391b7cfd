/// bruin demo hello: says where it runs, and powers off.
#include "payload.h"

/// Primes below n, by trial division: some work to time.
static u64 count_primes(u64 n)
{
    u64 count = 0;
    for (u64 i = 2; i < n; i++) {
        u64 d = 2;
        while (d * d <= i && i % d)
            d++;
        count += d * d > i;
    }
    return count;
}

void main(const void *dtb)
{
    put("\n  Hello from an AArch64 guest.\n\n");
    put("  exception level  ");
    put_number(READ_SYSREG(CurrentEL) >> 2);
    put("\n  processor        ");
    put_hex(READ_SYSREG(MIDR_EL1));
    put("\n  counter          ");
    put_number(READ_SYSREG(CNTFRQ_EL0) / 1000);
    put(" kHz\n  device tree      ");
    put_hex((u64)dtb);
    u64 start = READ_SYSREG(CNTPCT_EL0);
    u64 primes = count_primes(20000);
    u64 ticks = READ_SYSREG(CNTPCT_EL0) - start;
    put("\n  primes < 20000   ");
    put_number(primes);
    put(" in ");
    put_number(ticks * 1000000 / READ_SYSREG(CNTFRQ_EL0));
    put(" us\n\n");
}
