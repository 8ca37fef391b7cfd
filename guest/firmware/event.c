/// Events, timers, TPL. Nothing interrupts: timers fire when somebody waits, checks or lowers the TPL.
/// UEFI, "Event, Timer, and Task Priority Services".
#include "fw.h"

enum { EVT_TIMER = 0x80000000, EVT_NOTIFY_WAIT = 0x100, EVT_NOTIFY_SIGNAL = 0x200, EVT_EXIT_BOOT = 0x201 };
typedef void(EFIAPI *notify_fn)(efi_event, void *);
struct event {
    bool used, signaled;
    u32 type;
    notify_fn notify;
    void *context;
    u64 deadline, period; ///< ticks; deadline 0 = not armed
    struct efi_guid group;
    bool has_group;
};
static struct event events[FW_EVENTS];
static u64 tpl = 4;
u8 fw_key_event;

u64 fw_ticks(void)
{
    u64 v;
    __asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(v)::"memory");
    return v;
}
u64 fw_tick_hz(void)
{
    u64 v;
    __asm__("mrs %0, cntfrq_el0" : "=r"(v));
    return v;
}

static struct event *valid(efi_event e)
{
    for (u32 k = 0; k < FW_EVENTS; k++)
        if (&events[k] == e && events[k].used)
            return &events[k];
    return NULL;
}
static void signal(struct event *e)
{
    e->signaled = true;
    if ((e->type & EVT_NOTIFY_SIGNAL) && e->notify) {
        e->signaled = false;
        e->notify(e, e->context);
    }
}
static void run_timers(void)
{
    u64 now = fw_ticks();
    for (u32 k = 0; k < FW_EVENTS; k++) {
        struct event *e = &events[k];
        if (!e->used || e->deadline == 0 || now < e->deadline)
            continue;
        e->deadline = e->period ? now + e->period : 0;
        signal(e);
    }
}

static u64 EFIAPI raise_tpl(u64 to)
{
    u64 old = tpl;
    tpl = to;
    return old;
}
static void EFIAPI restore_tpl(u64 to)
{
    tpl = to;
    if (!fw_exited && tpl <= 4)
        run_timers();
}
static efi_status EFIAPI create_event(u32 type, u64 level, void *notify, void *context, efi_event *out)
{
    if (!fw_alive(FWHOST_SVC_EVENT, CALLER))
        return EFI_UNSUPPORTED;
    if (out == NULL || ((type & (EVT_NOTIFY_WAIT | EVT_NOTIFY_SIGNAL)) && notify == NULL))
        return EFI_INVALID_PARAMETER;
    for (u32 k = 0; k < FW_EVENTS; k++)
        if (!events[k].used) {
            events[k] = (struct event){.used = true, .type = type, .notify = (notify_fn)(uintptr_t)notify, .context = context};
            *out = &events[k];
            return EFI_SUCCESS;
        }
    return EFI_OUT_OF_RESOURCES;
}
static efi_status EFIAPI create_event_ex(u32 type, u64 level, void *notify, const void *context,
                                         const struct efi_guid *group, efi_event *out)
{
    efi_status s = create_event(type, level, notify, (void *)(uintptr_t)context, out);
    if (s == EFI_SUCCESS && group) {
        struct event *e = *out;
        e->group = *group;
        e->has_group = true;
    }
    return s;
}
/// type: 0 cancel, 1 periodic, 2 relative; time in 100 ns.
static efi_status EFIAPI set_timer(efi_event event, u32 type, u64 time)
{
    struct event *e = valid(event);
    if (e == NULL || type > 2)
        return EFI_INVALID_PARAMETER;
    u64 ticks = time / 10000000 * fw_tick_hz() + time % 10000000 * fw_tick_hz() / 10000000;
    e->deadline = type == 0 ? 0 : fw_ticks() + (ticks ? ticks : 1);
    e->period = type == 1 ? (ticks ? ticks : 1) : 0;
    return EFI_SUCCESS;
}
static efi_status check(efi_event event)
{
    struct event *e = valid(event);
    if (event == &fw_key_event)
        return fw_key_ready() ? EFI_SUCCESS : EFI_NOT_READY;
    if (e == NULL || (e->type & EVT_NOTIFY_SIGNAL))
        return EFI_INVALID_PARAMETER;
    if (!e->signaled && (e->type & EVT_NOTIFY_WAIT))
        e->notify(e, e->context);
    if (!e->signaled)
        return EFI_NOT_READY;
    e->signaled = false;
    return EFI_SUCCESS;
}
static efi_status EFIAPI check_event(efi_event event)
{
    if (!fw_alive(FWHOST_SVC_EVENT, CALLER))
        return EFI_UNSUPPORTED;
    run_timers();
    return check(event);
}
static efi_status EFIAPI wait_for_event(u64 count, efi_event *list, u64 *index)
{
    if (!fw_alive(FWHOST_SVC_EVENT, CALLER))
        return EFI_UNSUPPORTED;
    if (count == 0 || list == NULL)
        return EFI_INVALID_PARAMETER;
    bool told = false, key = false;
    for (u64 k = 0; k < count; k++)
        key |= list[k] == &fw_key_event;
    for (;;) {
        run_timers();
        if (key && !told && count == 1) {
            told = true;
            fw_event(FWHOST_EV_WAIT_KEY, 0, CALLER, 0, 0);
        }
        for (u64 k = 0; k < count; k++) {
            efi_status s = check(list[k]);
            if (s == EFI_NOT_READY)
                continue;
            if (index)
                *index = k;
            return s;
        }
    }
}
static efi_status EFIAPI signal_event(efi_event event)
{
    struct event *e = valid(event);
    if (e == NULL)
        return EFI_INVALID_PARAMETER;
    signal(e);
    for (u32 k = 0; k < FW_EVENTS; k++)
        if (e->has_group && &events[k] != e && events[k].used && events[k].has_group &&
            fw_guid_eq(&events[k].group, &e->group))
            signal(&events[k]);
    return EFI_SUCCESS;
}
static efi_status EFIAPI close_event(efi_event event)
{
    struct event *e = valid(event);
    if (e == NULL)
        return EFI_INVALID_PARAMETER;
    e->used = false;
    return EFI_SUCCESS;
}
static efi_status EFIAPI stall(u64 microseconds)
{
    if (!fw_alive(FWHOST_SVC_STALL, CALLER))
        return EFI_UNSUPPORTED;
    u64 until = fw_ticks() + microseconds * (fw_tick_hz() / 1000) / 1000;
    while (fw_ticks() < until)
        ;
    return EFI_SUCCESS;
}

/// Tells those who asked that boot services end.
void fw_signal_exit(void)
{
    static const struct efi_guid exit_group = {0x27abf055, 0xb1b8, 0x4c26, {0x80, 0x48, 0x74, 0x8f, 0x37, 0xba, 0xa2, 0xdf}};
    for (u32 k = 0; k < FW_EVENTS; k++)
        if (events[k].used && (events[k].type == EVT_EXIT_BOOT ||
                               (events[k].has_group && fw_guid_eq(&events[k].group, &exit_group))))
            signal(&events[k]);
}

void fw_event_services(void)
{
    fw_bs.raise_tpl = raise_tpl;
    fw_bs.restore_tpl = restore_tpl;
    fw_bs.create_event = create_event;
    fw_bs.create_event_ex = create_event_ex;
    fw_bs.set_timer = set_timer;
    fw_bs.wait_for_event = wait_for_event;
    fw_bs.check_event = check_event;
    fw_bs.signal_event = signal_event;
    fw_bs.close_event = close_event;
    fw_bs.stall = stall;
}
