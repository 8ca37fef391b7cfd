/// Touching an address that may fault. The exception handler sees probe_active and returns to the
/// failure path instead of reporting.
#include "kernel.h"

volatile enum probe_kind probe_active;
volatile u64 probe_fault_addr;

static bool finish(u64 result)
{
    probe_active = PROBE_NONE;
    return result != PROBE_FAULTED;
}

bool probe_read32(u64 addr, u32 *out)
{
    probe_active = PROBE_READ;
    return finish(probe_load(addr, out));
}

bool probe_write32(u64 addr, u32 v)
{
    probe_active = PROBE_WRITE;
    return finish(probe_store(addr, v));
}

bool probe_exec(u64 addr)
{
    probe_active = PROBE_EXEC;
    return finish(((u64(*)(void))(uintptr_t)addr)());
}
