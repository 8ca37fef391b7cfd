/// The MMIO transport. Source: VIRTIO 1.2, "Virtio Over MMIO", with its legacy interface.
#include "virtio/virtio.h"

#include <stdlib.h>

enum {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    GUEST_PAGE_SIZE = 0x028, /* legacy */
    QUEUE_SEL = 0x030,
    QUEUE_NUM_MAX = 0x034,
    QUEUE_NUM = 0x038,
    QUEUE_ALIGN = 0x03c, /* legacy */
    QUEUE_PFN = 0x040,   /* legacy */
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DESC_HIGH = 0x084,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DRIVER_HIGH = 0x094,
    QUEUE_DEVICE_LOW = 0x0a0,
    QUEUE_DEVICE_HIGH = 0x0a4,
    SHM_FIRST = 0x0ac,
    SHM_LAST = 0x0bc,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100,
};
enum { STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8, STATUS_NEEDS_RESET = 0x40 };
enum { INT_USED = 1, INT_CONFIG = 2 };
#define MAGIC 0x74726976U  /* "virt" */
#define VENDOR 0x554d4551U /* what QEMU says: some drivers look */

struct virtio {
    const struct virtio_device_ops *ops;
    void *dev;
    struct mem *mem;
    struct irq_line irq;
    bool is_legacy;
    u32 device_sel, driver_sel, queue_sel, status, isr, generation;
    u32 guest_page_size, queue_align;
    u64 driver_features;
    struct virtq queue[VIRTIO_QUEUES_MAX];
};

static u64 offered(const struct virtio *v)
{
    u64 f = VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX | (v->ops->features ? v->ops->features(v->dev) : 0);
    return v->is_legacy ? f & 0xffffffff : f | VIRTIO_F_VERSION_1;
}

static void update(struct virtio *v) { irq_set(&v->irq, v->isr != 0); }

static void interrupt(struct virtio *v, u32 why)
{
    v->isr |= why;
    update(v);
}

static void broken(struct virtio *v)
{
    if (v->status & STATUS_NEEDS_RESET)
        return;
    v->status |= STATUS_NEEDS_RESET;
    interrupt(v, INT_CONFIG);
}

static void virtio_reset(void *dev)
{
    struct virtio *v = dev;
    v->device_sel = v->driver_sel = v->queue_sel = v->status = v->isr = 0;
    v->guest_page_size = v->queue_align = 4096;
    v->driver_features = 0;
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        v->queue[i] = (struct virtq){.size = VIRTQ_SIZE_MAX};
    if (v->ops->reset)
        v->ops->reset(v->dev);
    update(v);
}

/* ---- registers ---- */

static struct virtq *selected(struct virtio *v)
{
    return v->queue_sel < v->ops->queue_count ? &v->queue[v->queue_sel] : NULL;
}

static u32 reg_read(struct virtio *v, u64 off)
{
    struct virtq *q = selected(v);
    switch (off) {
    case MAGIC_VALUE: return MAGIC;
    case VERSION: return v->is_legacy ? 1 : 2;
    case DEVICE_ID: return v->ops->id;
    case VENDOR_ID: return VENDOR;
    case DEVICE_FEATURES: return v->device_sel < 2 ? (u32)(offered(v) >> v->device_sel * 32) : 0;
    case QUEUE_NUM_MAX: return q ? VIRTQ_SIZE_MAX : 0;
    case QUEUE_PFN:
        return q && v->is_legacy && q->is_ready ? (u32)(q->desc / v->guest_page_size) : 0;
    case QUEUE_READY: return q && !v->is_legacy && q->is_ready;
    case INTERRUPT_STATUS: return v->isr;
    case STATUS: return v->status;
    case CONFIG_GENERATION: return v->generation;
    default: return off >= SHM_FIRST && off <= SHM_LAST ? ~0U : 0; /* no shared memory */
    }
}

static void set_low(u64 *v, u32 low) { *v = (*v & ~0xffffffffULL) | low; }
static void set_high(u64 *v, u32 high) { *v = (*v & 0xffffffffULL) | (u64)high << 32; }

static void queue_start(struct virtio *v, struct virtq *q)
{
    q->is_ready = true;
    q->is_broken = q->has_signalled = false;
    q->next_avail = q->next_used = q->signalled = 0;
    q->has_event_idx = v->driver_features & VIRTIO_F_EVENT_IDX;
    q->has_indirect = v->driver_features & VIRTIO_F_INDIRECT;
}

/// Legacy: one address says where all three parts lie ("Legacy Interfaces: A Note on Virtqueue
/// Layout").
static void legacy_place(struct virtio *v, struct virtq *q, u32 pfn)
{
    if (!pfn) {
        q->is_ready = false;
        return;
    }
    q->desc = (u64)pfn * v->guest_page_size;
    q->avail = q->desc + 16ULL * q->size;
    q->used = align_up(q->avail + 6 + 2ULL * q->size, v->queue_align);
    queue_start(v, q);
}

static bool power_of_two(u32 n) { return n && !(n & (n - 1)); }

static void queue_reg_write(struct virtio *v, struct virtq *q, u64 off, u32 val)
{
    switch (off) {
    case QUEUE_NUM:
        if (power_of_two(val) && val <= VIRTQ_SIZE_MAX && !q->is_ready)
            q->size = val;
        return;
    case QUEUE_ALIGN:
        if (v->is_legacy && power_of_two(val) && val <= 64 * KIB)
            v->queue_align = val;
        return;
    case QUEUE_PFN:
        if (v->is_legacy)
            legacy_place(v, q, val);
        return;
    case QUEUE_READY:
        if (!v->is_legacy && val & 1 && !q->is_ready)
            queue_start(v, q);
        else if (!v->is_legacy && !(val & 1))
            q->is_ready = false;
        return;
    default: break;
    }
    if (v->is_legacy || q->is_ready)
        return;
    switch (off) {
    case QUEUE_DESC_LOW: set_low(&q->desc, val); break;
    case QUEUE_DESC_HIGH: set_high(&q->desc, val); break;
    case QUEUE_DRIVER_LOW: set_low(&q->avail, val); break;
    case QUEUE_DRIVER_HIGH: set_high(&q->avail, val); break;
    case QUEUE_DEVICE_LOW: set_low(&q->used, val); break;
    case QUEUE_DEVICE_HIGH: set_high(&q->used, val); break;
    default: break;
    }
}

static void status_write(struct virtio *v, u32 val)
{
    if (!val) {
        virtio_reset(v);
        return;
    }
    bool features_now = val & ~v->status & STATUS_FEATURES_OK;
    if (features_now && !v->is_legacy &&
        (v->driver_features & ~offered(v) || !(v->driver_features & VIRTIO_F_VERSION_1)))
        val &= ~(u32)STATUS_FEATURES_OK; /* refused: the driver reads it back */
    bool starts = val & ~v->status & STATUS_DRIVER_OK;
    v->status = (val & 0xff) | (v->status & STATUS_NEEDS_RESET);
    for (unsigned i = 0; starts && i < v->ops->queue_count; i++) { /* kicks that came early */
        if (v->is_legacy) {
            v->queue[i].has_event_idx = v->driver_features & VIRTIO_F_EVENT_IDX;
            v->queue[i].has_indirect = v->driver_features & VIRTIO_F_INDIRECT;
        }
        if (v->queue[i].is_ready)
            v->ops->notify(v->dev, i);
    }
}

static void driver_features_write(struct virtio *v, u32 val)
{
    if (v->status & STATUS_FEATURES_OK || v->driver_sel > 1)
        return;
    if (v->driver_sel)
        set_high(&v->driver_features, val);
    else
        set_low(&v->driver_features, val);
    if (v->is_legacy)
        v->driver_features &= offered(v);
}

static void reg_write(struct virtio *v, u64 off, u32 val)
{
    struct virtq *q = selected(v);
    switch (off) {
    case DEVICE_FEATURES_SEL: v->device_sel = val; break;
    case DRIVER_FEATURES: driver_features_write(v, val); break;
    case DRIVER_FEATURES_SEL: v->driver_sel = val; break;
    case GUEST_PAGE_SIZE:
        if (power_of_two(val) && val <= 64 * KIB)
            v->guest_page_size = val;
        break;
    case QUEUE_SEL: v->queue_sel = val; break;
    case QUEUE_NOTIFY:
        if (val < v->ops->queue_count && virtio_is_running(v))
            v->ops->notify(v->dev, val);
        break;
    case INTERRUPT_ACK:
        v->isr &= ~val;
        update(v);
        break;
    case STATUS: status_write(v, val); break;
    default:
        if (q)
            queue_reg_write(v, q, off, val);
        break;
    }
}

static bool mmio_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct virtio *v = dev;
    *val = 0;
    if (off >= CONFIG) {
        u8 buf[8] = {0};
        if (range_ok(off - CONFIG, size, v->ops->config_size))
            v->ops->config_read(v->dev, (u32)(off - CONFIG), buf, size);
        *val = ld64(buf);
    } else if (size == 4 && !(off & 3)) {
        *val = reg_read(v, off);
    }
    return true;
}

static bool mmio_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct virtio *v = dev;
    if (off >= CONFIG) {
        u8 buf[8];
        st64(buf, val);
        if (v->ops->config_write && range_ok(off - CONFIG, size, v->ops->config_size))
            v->ops->config_write(v->dev, (u32)(off - CONFIG), buf, size);
    } else if (size == 4 && !(off & 3)) {
        reg_write(v, off, (u32)val);
    }
    return true;
}

static void virtq_state(struct state *s, struct virtq *q)
{
    state_u32_max(s, &q->size, VIRTQ_SIZE_MAX);
    state_u64(s, &q->desc);
    state_u64(s, &q->avail);
    state_u64(s, &q->used);
    bool *flags[] = {&q->is_ready, &q->is_broken, &q->has_event_idx, &q->has_indirect,
                     &q->has_signalled};
    for (unsigned i = 0; i < ARRAY_LEN(flags); i++)
        state_bool(s, flags[i]);
    state_u16(s, &q->next_avail);
    state_u16(s, &q->next_used);
    state_u16(s, &q->signalled);
    if (!power_of_two(q->size)) {
        s->is_bad = true;
        q->size = 1;
        q->is_ready = false;
    }
}

static void virtio_state(void *dev, struct state *s)
{
    struct virtio *v = dev;
    u32 *words[] = {&v->device_sel, &v->driver_sel, &v->queue_sel,       &v->status,
                    &v->isr,        &v->generation, &v->guest_page_size, &v->queue_align};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        state_u32(s, words[i]);
    if (!power_of_two(v->guest_page_size) || !power_of_two(v->queue_align)) {
        s->is_bad = true;
        v->guest_page_size = v->queue_align = 4096;
    }
    state_u64(s, &v->driver_features);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        virtq_state(s, &v->queue[i]);
    if (v->ops->state)
        v->ops->state(v->dev, s);
    if (s->is_loading)
        update(v);
}

static const char compatible[] = "virtio,mmio";
const struct device_ops virtio_mmio_ops = {
    .name = "virtio-mmio",
    .node = "virtio_mmio",
    .compatible = compatible,
    .compatible_len = sizeof compatible,
    .is_dma_coherent = true,
    .size = 0x200,
    .io = {mmio_read, mmio_write, 1, 8},
    .reset = virtio_reset,
    .state = virtio_state,
};

struct virtio *virtio_new(const struct virtio_device_ops *ops, void *dev, struct mem *mem,
                          struct irq_line irq, bool is_legacy)
{
    struct virtio *v = xcalloc(1, sizeof *v);
    v->ops = ops;
    v->dev = dev;
    v->mem = mem;
    v->irq = irq;
    v->is_legacy = is_legacy;
    ((struct virtio_core *)dev)->v = v;
    virtio_reset(v);
    return v;
}

void virtio_free(struct virtio *v)
{
    if (!v)
        return;
    v->ops->free(v->dev);
    free(v);
}

bool virtio_can_wake(const void *dev)
{
    const struct virtio *v = dev;
    return virtio_is_running(v) && v->ops->can_wake && v->ops->can_wake(v->dev);
}

const char *virtio_name(const struct virtio *v) { return v->ops->name; }

/* ---- for device cores ---- */

bool virtio_pop(struct virtio *v, unsigned queue, struct chain *c)
{
    if (!virtio_is_running(v) || v->status & STATUS_NEEDS_RESET)
        return false;
    bool got = virtq_pop(&v->queue[queue], v->mem, c);
    if (v->queue[queue].is_broken)
        broken(v);
    return got;
}

void virtio_push_quietly(struct virtio *v, unsigned queue, const struct chain *c)
{
    virtq_push(&v->queue[queue], v->mem, c);
    if (v->queue[queue].is_broken)
        broken(v);
}

void virtio_signal(struct virtio *v, unsigned queue)
{
    if (virtq_wants_interrupt(&v->queue[queue], v->mem))
        interrupt(v, INT_USED);
    if (v->queue[queue].is_broken)
        broken(v);
}

void virtio_push(struct virtio *v, unsigned queue, const struct chain *c)
{
    virtio_push_quietly(v, queue, c);
    virtio_signal(v, queue);
}

void virtio_unpop(struct virtio *v, unsigned queue) { virtq_unpop(&v->queue[queue]); }
struct mem *virtio_mem(struct virtio *v) { return v->mem; }
bool virtio_has_feature(const struct virtio *v, unsigned n) { return bit(v->driver_features, n); }
bool virtio_is_running(const struct virtio *v) { return v->status & STATUS_DRIVER_OK; }

void virtio_config_changed(struct virtio *v)
{
    v->generation++;
    if (virtio_is_running(v))
        interrupt(v, INT_CONFIG);
}
