/// Events of the firmware: phases, images, memory, services. Says what they show by themselves: U1..U3, L6's
/// map, L7, L8, L12's buffer, L15. UEFI, "Boot Services", "EFI_BOOT_SERVICES.ExitBootServices()".
#include "debug/handoff.h"

#include <stdio.h>
#include <stdlib.h>

typedef unsigned long long ull;

static const char *const service_name[] = {
    "?", "AllocatePages", "FreePages", "AllocatePool", "FreePool", "GetMemoryMap", "LoadImage", "StartImage",
    "a protocol service", "an event service", "the console", "ExitBootServices", "a boot service", "Stall", "a file service", "a block device's service"};

/// "EFI_NOT_FOUND (14)".
static const char *status_name(u64 status, char *buf, size_t size)
{
    static const char *const error[] = {
        "0", "EFI_LOAD_ERROR", "EFI_INVALID_PARAMETER", "EFI_UNSUPPORTED", "EFI_BAD_BUFFER_SIZE", "EFI_BUFFER_TOO_SMALL", "EFI_NOT_READY",
        "EFI_DEVICE_ERROR", "EFI_WRITE_PROTECTED", "EFI_OUT_OF_RESOURCES", "EFI_VOLUME_CORRUPTED", "EFI_VOLUME_FULL", "EFI_NO_MEDIA",
        "EFI_MEDIA_CHANGED", "EFI_NOT_FOUND", "EFI_ACCESS_DENIED", "EFI_NO_RESPONSE", "EFI_NO_MAPPING", "EFI_TIMEOUT", "EFI_NOT_STARTED",
        "EFI_ALREADY_STARTED", "EFI_ABORTED"};
    u64 n = status & ~(1ULL << 63);
    if (bit(status, 63) && n && n < ARRAY_LEN(error))
        snprintf(buf, size, "%s (%llu)", error[n], (ull)n);
    else
        snprintf(buf, size, "status 0x%llx", (ull)status);
    return buf;
}
static const char *service(u64 n) { return n < ARRAY_LEN(service_name) ? service_name[n] : "a boot service"; }

bool handoff_in_image(const struct handoff *h, u64 pc)
{
    for (unsigned k = 0; k < h->images; k++)
        if (pc - h->image[k].base < h->image[k].size)
            return true;
    return false;
}

const char *handoff_where(struct explain *x, u64 pc, char *buf, size_t size)
{
    const struct handoff *h = x->handoff;
    for (unsigned k = h->images; k-- > 0;)
        if (pc - h->image[k].base < h->image[k].size) {
            snprintf(buf, size, "%s+0x%llx", h->image[k].name, (ull)(pc - h->image[k].base));
            return buf;
        }
    return name_full(x, pc, buf, size);
}

bool handoff_page_is(const struct handoff *h, gpa_t pa, unsigned type)
{
    u64 page = (pa - h->ram) / GUEST_PAGE;
    return pa >= h->ram && page < h->pages && h->type[page] == type;
}

bool handoff_active(const struct explain *x) { return x->handoff && !x->quiet && x->handoff->phase >= FWHOST_PHASE_APP; }
const char *handoff_id(const struct explain *x, const char *in_handoff, const char *otherwise)
{
    return handoff_active(x) ? in_handoff : otherwise;
}

static void begin(struct explain *x)
{
    const struct mem_region *ram = machine_mem(x->m)->ram0;
    handoff_free(x);
    x->handoff = xcalloc(1, sizeof *x->handoff);
    x->handoff->phase = FWHOST_PHASE_START;
    x->handoff->ram = ram->base;
    x->handoff->pages = ram->size / GUEST_PAGE;
    x->handoff->type = xcalloc(x->handoff->pages, 1);
    memset(x->handoff->type, EFI_FREE_TYPE, x->handoff->pages);
    hooks_handoff(x);
    x->handoff->watchdog = true; /* the boot manager arms it for five minutes */
}

void handoff_free(struct explain *x)
{
    if (x->handoff)
        free(x->handoff->type);
    free(x->handoff);
    x->handoff = NULL;
}

static void on_phase(struct explain *x, struct cpu *c, const u64 a[6])
{
    u64 phase = a[1];
    struct handoff *h = x->handoff;
    h->phase = (enum fwhost_phase)phase;
    if (phase == FWHOST_PHASE_APP) {
        h->fw_vbar = c->sr[cpu_el_regs[c->el].vbar];
        h->stack = a[3];
        h->stack_size = a[4];
    }
    /* A kernel by its EFI stub: what holds for Linux holds from here. */
    for (unsigned k = 0; phase == FWHOST_PHASE_EXITED && k < h->images; k++)
        x->is_linux |= h->image[k].is_linux;
}

static void on_image(struct explain *x, const u64 a[6], const char *name)
{
    struct handoff *h = x->handoff;
    u8 head[64] = {0};
    unsigned k = h->images < HANDOFF_IMAGES ? h->images++ : HANDOFF_IMAGES - 1;
    snprintf(h->image[k].name, sizeof h->image[k].name, "%s", name[0] == '/' ? name + 1 : name);
    h->image[k].base = a[1];
    h->image[k].size = a[2];
    h->image[k].is_linux = mem_read(machine_mem(x->m), a[1], head, sizeof head) && ld32(head + 56) == 0x644d5241;
}

static void on_memory(struct explain *x, const u64 a[6])
{
    struct handoff *h = x->handoff;
    u64 from = (a[1] - h->ram) / GUEST_PAGE;
    if (a[1] < h->ram || !range_ok(from, a[2], h->pages))
        return;
    memset(h->type + from, (int)(a[3] & 0x7f), a[2]);
}

static void on_map(struct explain *x, const u64 a[6])
{
    struct handoff *h = x->handoff;
    h->map_key = a[1];
    h->map_caller = a[2];
    h->printed_caller = 0;
    if (h->map_watched)
        mem_watch_loads(machine_mem(x->m), h->map_buffer, h->map_size, false);
    h->map_buffer = a[3];
    h->map_size = a[4] >> 16;
    h->map_step = a[4] & 0xffff; /* the firmware's TLBI makes the loads visible */
    h->map_watched = x->cfg.lint != MACHINE_LINT_OFF && h->map_step > 40 && h->map_size && h->map_size < MIB && h->phase == FWHOST_PHASE_APP;
    memset(h->stride, 0, sizeof h->stride);
    if (h->map_watched)
        mem_watch_loads(machine_mem(x->m), h->map_buffer, h->map_size, true);
}

static void on_exit_try(struct explain *x, struct cpu *c, const u64 a[6])
{
    struct handoff *h = x->handoff;
    char at[120], by[120], got[120];
    handoff_where(x, a[3], at, sizeof at);
    if (a[1] != a[2] && !h->map_caller)
        explain_say(x, c, "U1", true,
                    "ExitBootServices at %s with MapKey 0x%llx, but no GetMemoryMap succeeded: it fails with EFI_BUFFER_TOO_SMALL when the buffer is "
                    "too small, and then gives no key. Look at its status; take a buffer of what it asks for plus some descriptors (L7)",
                    at, (ull)a[1]);
    else if (a[1] != a[2] && a[1] != h->map_key)
        explain_say(x, c, "U1", true,
                    "ExitBootServices at %s: MapKey 0x%llx is not the key that GetMemoryMap at %s gave last (0x%llx): pass that one, with nothing in "
                    "between (L7)",
                    at, (ull)a[1], handoff_where(x, h->map_caller, got, sizeof got), (ull)h->map_key);
    else if (a[1] != a[2])
        explain_say(x, c, "U1", true,
                    "ExitBootServices at %s: MapKey 0x%llx is stale: %s at %s changed the map after GetMemoryMap at %s. Get the "
                    "map again and call ExitBootServices with nothing in between (L7)",
                    at, (ull)a[1], service(h->changed_service), handoff_where(x, h->changed_caller, by, sizeof by),
                    handoff_where(x, h->map_caller, got, sizeof got));
    else if (h->printed_caller)
        explain_say(x, c, "L7", true,
                    "console output at %s between GetMemoryMap at %s and ExitBootServices at %s: printing may allocate, which "
                    "makes the key stale on other firmware; print before, or on the serial port after",
                    handoff_where(x, h->printed_caller, by, sizeof by), handoff_where(x, h->map_caller, got, sizeof got), at);
    h->exit_failed |= a[4] != 0;
}

static void on_service(struct explain *x, struct cpu *c, const u64 a[6])
{
    struct handoff *h = x->handoff;
    char by[120];
    bool memory = a[1] >= FWHOST_SVC_ALLOCATE_PAGES && a[1] <= FWHOST_SVC_GET_MEMORY_MAP;
    if (a[1] == FWHOST_SVC_CONSOLE)
        h->printed_caller = a[2];
    if (h->exit_failed && !memory && a[1] != FWHOST_SVC_EXIT_BOOT_SERVICES)
        explain_say(x, c, "L7", true,
                    "%s is called at %s after ExitBootServices failed: the firmware may be half shut down; only the memory "
                    "services and GetMemoryMap are allowed before the next try",
                    service(a[1]), handoff_where(x, a[2], by, sizeof by));
}

/// After exit the console protocols of the system table are gone.
static bool is_lost_console(const struct handoff *h, const u64 a[6])
{
    const u64 members = sizeof(u64) * 10; /* of EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL */
    return h->phase == FWHOST_PHASE_EXITED && handoff_in_image(h, a[2]) && bits(a[1], 31, 26) == EC_DABT && a[3] < members;
}

static void on_fault(struct explain *x, const u64 a[6])
{
    char text[400], at[120];
    bool console = is_lost_console(x->handoff, a);
    handoff_where(x, a[2], at, sizeof at);
    if (console)
        snprintf(text, sizeof text, "OutputString or another member of a console protocol is called at %s after ExitBootServices: ConOut, ConIn and StdErr "
                                    "of the system table are NULL then (L8); print before, or to the UART itself", at);
    else
        snprintf(text, sizeof text, "exception %s at %s: ESR 0x%llx (%s), FAR 0x%llx",
                 x->handoff->phase == FWHOST_PHASE_EXITED ? "after ExitBootServices, taken by the firmware's vectors," : "in boot services time", at,
                 (ull)a[1], ec_name((u32)bits(a[1], 31, 26)), (ull)a[3]);
    explain_firmware(x, console ? "U2" : "U3", text, true);
}

/// The application came back to the firmware, which has nothing more to do.
static void on_returned(struct explain *x, struct cpu *c, const u64 a[6])
{
    char status[60];
    struct handoff *h = x->handoff;
    if (h->phase == FWHOST_PHASE_EXITED && h->images)
        explain_say(x, c, "U2", true, "%s returned to the firmware after ExitBootServices: nothing is left there to return to (L8); enter the kernel, or "
                                      "reset the machine", h->image[h->images - 1].name);
    h->returned = a[1];
    if (a[1] && !a[2])
        snprintf(h->returned_text, sizeof h->returned_text, "stopped: the application returned %s", status_name(a[1], status, sizeof status));
    else if (a[1])
        snprintf(h->returned_text, sizeof h->returned_text, "stopped: there is no application to start");
}

void explain_firmware_event(struct explain *x, const u64 a[6], const char *name)
{
    struct cpu *c = machine_cpu(x->m, 0);
    struct handoff *h;
    char at[120];
    if (a[0] == FWHOST_EV_PHASE && a[1] == FWHOST_PHASE_START)
        begin(x);
    h = x->handoff;
    if (h == NULL)
        return;
    switch (a[0]) {
    case FWHOST_EV_PHASE: on_phase(x, c, a); break;
    case FWHOST_EV_IMAGE: on_image(x, a, name); break;
    case FWHOST_EV_MEMORY: on_memory(x, a); break;
    case FWHOST_EV_MAP: on_map(x, a); break;
    case FWHOST_EV_MAP_CHANGED:
        h->changed_caller = a[2];
        h->changed_service = a[3];
        break;
    case FWHOST_EV_SERVICE: on_service(x, c, a); break;
    case FWHOST_EV_EXIT_TRY: on_exit_try(x, c, a); break;
    case FWHOST_EV_AFTER_EXIT:
        explain_say(x, c, "U2", true, "%s was called at %s after ExitBootServices: boot services are gone then (L8)",
                    service(a[1]), handoff_where(x, a[2], at, sizeof at));
        break;
    case FWHOST_EV_WATCHDOG: h->watchdog = a[1] != 0; break;
    case FWHOST_EV_WAIT_KEY:
        if (h->watchdog)
            explain_say(x, c, "L15", true,
                        "a key is waited for at %s with the watchdog armed: five minutes after the start the firmware resets the "
                        "machine; call SetWatchdogTimer(0, 0, 0, NULL) first",
                        handoff_where(x, a[2], at, sizeof at));
        break;
    case FWHOST_EV_FAULT: on_fault(x, a); break;
    case FWHOST_EV_RETURNED: on_returned(x, c, a); break;
    default: break;
    }
}

int handoff_returned(const struct explain *x)
{
    const struct handoff *h = x->handoff;
    u64 n = h ? h->returned & 0xffff : 0;
    return h == NULL || h->returned == 0 ? 0 : n > 111 || n == 0 ? 111 : (int)n;
}
const char *handoff_returned_text(const struct explain *x) { return x->handoff ? x->handoff->returned_text : ""; }

const char *handoff_name(const struct explain *x, u64 addr, char *buf, size_t size)
{
    const struct handoff *h = x->handoff;
    buf[0] = 0;
    for (unsigned k = h ? h->images : 0; k-- > 0;)
        if (addr - h->image[k].base < h->image[k].size && !h->image[k].is_linux && !x->quiet) {
            snprintf(buf, size, "%s+0x%llx", h->image[k].name, (ull)(addr - h->image[k].base));
            return buf;
        }
    if (h && !x->quiet && handoff_page_is(h, addr, EFI_RUNTIME_CODE_TYPE))
        snprintf(buf, size, "(firmware)");
    return buf;
}

void explain_host_write(struct explain *x, gpa_t pa, u64 len)
{
    if (handoff_active(x) && x->cfg.lint != MACHINE_LINT_OFF)
        lint_code_host_write(x, pa, len);
}
