/// Requests to the VMM.
#include "fw.h"

bool fw_map_given;

u32 fw_host(struct fwhost_req *r)
{
    r->status = FWHOST_IO_ERROR;
    __asm__ volatile("dsb sy" ::: "memory");
    *(volatile u64 *)(FWHOST_BASE + FWHOST_REG_DOORBELL) = (u64)(uintptr_t)r;
    __asm__ volatile("dsb sy" ::: "memory");
    return *(volatile u32 *)&r->status;
}
void fw_event(u32 event, u64 a, u64 b, u64 c, u64 d)
{
    struct fwhost_req r = {.op = FWHOST_EVENT, .a = {event, a, b, c, d}};
    fw_host(&r);
}
bool fw_alive(u32 service, u64 caller)
{
    if (!fw_exited) {
        if (fw_map_given)
            fw_event(FWHOST_EV_SERVICE, service, caller, 0, 0);
        return true;
    }
    fw_event(FWHOST_EV_AFTER_EXIT, service, caller, 0, 0);
    return false;
}
