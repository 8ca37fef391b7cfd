/// A device-tree reader for a handful of nodes. Devicetree Specification, "Flattened Devicetree
/// (DTB) Format". Bounded by the header's sizes; depth is capped.
#include "hw.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, END = 9, DEPTH_MAX = 8, HEADER = 40 };

struct node {
    const char *name;
    u32 address_cells, size_cells; ///< for its children
    const u8 *reg;
    const char *compatible;
    const char *device_type;
    const char *method;
    u32 reg_len, compatible_len;
    u32 reg_shift;
    u32 irq;
};

struct reader {
    const u8 *structs, *strings;
    u32 structs_len, strings_len, at;
    struct node stack[DEPTH_MAX];
    int depth;
    char stdout_path[64];
    struct hw *hw;
};

u64 hw_dtb_len(const void *dtb)
{
    const u8 *d = dtb;
    return d && br_be32(d) == 0xd00dfeed ? br_be32(d + 4) : 0;
}

static u64 cells(const u8 *p, u32 n)
{
    return n == 2 ? br_be64(p) : n == 1 ? br_be32(p) : 0;
}

static bool reg_at(const struct node *parent, const struct node *n, u32 index, u64 *base, u64 *len)
{
    u32 ac = parent->address_cells, sc = parent->size_cells, step = (ac + sc) * 4;
    if (!n->reg || ac > 2 || sc > 2 || !step || (index + 1) * step > n->reg_len)
        return false;
    *base = cells(n->reg + index * step, ac);
    *len = cells(n->reg + index * step + ac * 4, sc);
    return true;
}

static bool is_compatible(const struct node *n, const char *what)
{
    u32 len = (u32)br_strlen(what) + 1;
    for (u32 i = 0; n->compatible && i + len <= n->compatible_len;) {
        if (!memcmp(n->compatible + i, what, len))
            return true;
        while (i < n->compatible_len && n->compatible[i])
            i++;
        i++;
    }
    return false;
}

/// True if the path "/a@1/b@2" or "/a@1/b@2:115200" names the node at the top of the stack.
static bool is_stdout(const struct reader *r)
{
    const char *p = r->stdout_path;
    for (int d = 1; d <= r->depth; d++) {
        const char *name = r->stack[d].name;
        size_t n = br_strlen(name);
        if (*p++ != '/' || br_strlen(p) < n || memcmp(p, name, n))
            return false;
        p += n;
    }
    return *p == 0 || *p == ':';
}

static void take_gic(struct hw *hw, const struct node *parent, const struct node *n)
{
    u64 len, base;
    if (is_compatible(n, "arm,gic-v3")) {
        hw->gic_version = 3;
        (void)(reg_at(parent, n, 0, &hw->gic_dist, &len) &&
               reg_at(parent, n, 1, &hw->gic_redist, &hw->gic_redist_len));
    } else if (is_compatible(n, "arm,cortex-a15-gic") || is_compatible(n, "arm,gic-400")) {
        hw->gic_version = 2;
        if (reg_at(parent, n, 0, &hw->gic_dist, &len) && reg_at(parent, n, 1, &base, &len))
            hw->gic_cpu = base;
    }
}

static void take_uart(struct reader *r, const struct node *parent, const struct node *n)
{
    u64 base, len;
    u32 type = is_compatible(n, "arm,pl011")      ? BBP_CON_PL011
               : is_compatible(n, "ns16550a") || is_compatible(n, "ns16550") ? BBP_CON_16550
                                                                             : BBP_CON_NONE;
    bool is_chosen = is_stdout(r);
    if (type == BBP_CON_NONE || !reg_at(parent, n, 0, &base, &len))
        return;
    // A chosen console wins; without one, the first UART does.
    if (r->hw->console.type && !is_chosen)
        return;
    r->hw->console = (struct bbp_console){type, n->reg_shift, base, n->irq, 0};
}

static void leave_node(struct reader *r)
{
    struct hw *hw = r->hw;
    u64 base, len;
    if (r->depth < 1)
        return; // the root, or an end without a beginning
    const struct node *n = &r->stack[r->depth], *parent = n - 1;
    if (n->device_type && br_streq(n->device_type, "cpu") && hw->cpu_count < HW_CPUS_MAX &&
        reg_at(parent, n, 0, &base, &len))
        hw->cpu_id[hw->cpu_count++] = base;
    if (is_compatible(n, "arm,psci-0.2") || is_compatible(n, "arm,psci-1.0") ||
        is_compatible(n, "arm,psci"))
        hw->conduit = n->method && br_streq(n->method, "smc")   ? HW_PSCI_SMC
                      : n->method && br_streq(n->method, "hvc") ? HW_PSCI_HVC
                                                                : HW_PSCI_NONE;
    take_gic(hw, parent, n);
    take_uart(r, parent, n);
}

static const char *text(const u8 *v, u32 len)
{
    return len && !v[len - 1] ? (const char *)v : NULL;
}

static void take_property(struct reader *r, const char *name, const u8 *v, u32 len)
{
    struct node *n = &r->stack[r->depth];
    if (br_streq(name, "#address-cells") && len == 4)
        n->address_cells = br_be32(v);
    else if (br_streq(name, "#size-cells") && len == 4)
        n->size_cells = br_be32(v);
    else if (br_streq(name, "reg"))
        n->reg = v, n->reg_len = len;
    else if (br_streq(name, "compatible") && text(v, len))
        n->compatible = text(v, len), n->compatible_len = len;
    else if (br_streq(name, "device_type"))
        n->device_type = text(v, len);
    else if (br_streq(name, "method"))
        n->method = text(v, len);
    else if (br_streq(name, "reg-shift") && len == 4)
        n->reg_shift = br_be32(v);
    else if (br_streq(name, "interrupts") && len >= 12)
        n->irq = br_be32(v + 4) + (br_be32(v) ? 16 : 32); // PPI or SPI
    else if (br_streq(name, "stdout-path") && text(v, len))
        br_fmt(r->stdout_path, sizeof r->stdout_path, "%s", text(v, len));
}

/// ret  false at the end or at the first fault
static bool step(struct reader *r)
{
    if (r->at + 4 > r->structs_len)
        return false;
    const u8 *p = r->structs + r->at;
    u32 token = br_be32(p), left = r->structs_len - r->at;
    r->at += 4;
    if (token == BEGIN_NODE) {
        u32 n = 0;
        while (4 + n < left && p[4 + n])
            n++;
        if (4 + n >= left || r->depth + 1 >= DEPTH_MAX)
            return false;
        r->stack[++r->depth] = (struct node){.name = (const char *)p + 4, .address_cells = 2,
                                             .size_cells = 1};
        r->at += (u32)br_up(n + 1, 4);
    } else if (token == END_NODE) {
        leave_node(r);
        r->depth--;
        return r->depth >= 0;
    } else if (token == PROP) {
        if (left < 12)
            return false;
        u32 len = br_be32(p + 4), name = br_be32(p + 8);
        if (len > left - 12 || name >= r->strings_len)
            return false;
        if (r->depth >= 0)
            take_property(r, (const char *)r->strings + name, p + 12, len);
        r->at += 8 + (u32)br_up(len, 4);
    }
    return token == BEGIN_NODE || token == PROP || token == NOP;
}

/// The path of the console is in /chosen, which may come after the UART: two passes.
bool hw_from_dtb(struct hw *hw, const void *dtb, u64 len_max)
{
    const u8 *d = dtb;
    if (len_max < HEADER || !hw_dtb_len(d) || hw_dtb_len(d) > len_max)
        return false;
    u64 total = hw_dtb_len(d);
    struct reader r = {.hw = hw};
    u32 so = br_be32(d + 8), st = br_be32(d + 12);
    r.strings_len = br_be32(d + 32);
    r.structs_len = br_be32(d + 36);
    if (!br_range_ok(so, r.structs_len, total) || !br_range_ok(st, r.strings_len, total) ||
        !r.strings_len || d[st + r.strings_len - 1])
        return false;
    r.structs = d + so;
    r.strings = d + st;
    for (int pass = 0; pass < 2; pass++) {
        memset(hw, 0, sizeof *hw);
        r.at = 0;
        r.depth = -1;
        while (step(&r))
            ;
    }
    return true;
}
