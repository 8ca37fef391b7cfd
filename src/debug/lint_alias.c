/// F16: the same physical page reached at the same time through mappings of different memory types. Of
/// each page of RAM the attributes and the address of one mapping are remembered; when another is used
/// with other attributes, the first is walked again to see whether it still stands. Arm ARM, "Mismatched
/// memory attributes".
#include "debug/priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { CLASS_DEVICE = 1, CLASS_NORMAL, SH_SHIFT = 6 };

struct aliases {
    const struct mem_region *ram;
    u8 *key;    ///< [pages] of one mapping, 0: none was seen. The CPUs read it without the lock (cpu_audited)
    gva_t *va;  ///< [pages] of the mapping that key describes
};

enum cacheability { NON_CACHEABLE, WRITE_THROUGH, WRITE_BACK };
static enum cacheability cacheability(unsigned nibble)
{
    return nibble == 4 ? NON_CACHEABLE : bit(nibble, 2) ? WRITE_BACK : WRITE_THROUGH;
}

/// What must agree: Device or Normal, inner and outer cacheability. Allocation hints need not; that
/// shareability differs is said when strict.
static u8 class_of(const struct explain *x, u8 attr, u8 sh)
{
    if ((attr & 0xf0) == 0)
        return CLASS_DEVICE;
    unsigned outer = cacheability(attr >> 4), inner = cacheability(attr & 15);
    return (u8)(CLASS_NORMAL + 3 * outer + inner + (is_strict(x) && inner ? (unsigned)sh << SH_SHIFT : 0));
}

/// What is kept of a mapping: its attributes as in MAIR, never 0; its class when shareability matters.
static u8 key_of(const struct explain *x, u8 attr, u8 sh)
{
    const u8 device_ngnre = 4;
    return is_strict(x) ? class_of(x, attr, sh) : attr ? attr : device_ngnre;
}
static u8 class_of_key(const struct explain *x, u8 key) { return is_strict(x) ? key : class_of(x, key, 0); }

static const char *class_name(u8 class)
{
    static const char *const cached[] = {"Non-cacheable", "Write-Through", "Write-Back"};
    unsigned n = class & ((1 << SH_SHIFT) - 1);
    return n == CLASS_DEVICE ? "Device" : n - CLASS_NORMAL < 9u ? cached[(n - CLASS_NORMAL) % 3] : "?";
}

static const char *sh_name(u8 class)
{
    static const char *const name[] = {" Non-shareable", "", " Outer Shareable", " Inner Shareable"};
    return name[class >> SH_SHIFT];
}

static void remember(struct aliases *a, u64 page, u8 key, gva_t va)
{
    a->va[page] = va;
    __atomic_store_n(&a->key[page], key, __ATOMIC_RELAXED);
}

/// Caches and memory agree on what nobody can have written through the first mapping, and the second only reads.
static bool is_harmless(struct cpu *c, gva_t old, bool write)
{
    struct xlat w;
    u8 status;
    return !write && !mmu_translate(c, old, ACC_STORE, 0, &w, &status);
}

static NOINLINE void differ(struct explain *x, struct cpu *c, u64 page, u8 key, gva_t va, gpa_t pa, bool write)
{
    struct aliases *a = x->aliases;
    struct xlat w;
    char at[96];
    u8 was = class_of_key(x, a->key[page]), class = class_of_key(x, key);
    gva_t old = a->va[page];
    bool stands = mmu_walk(c, old, &w) && align_down(w.pa, GUEST_PAGE) == align_down(pa, GUEST_PAGE) &&
                  class_of(x, w.attr, w.sh) == was && (old ^ va) & ~0xfffULL;
    if (stands && is_harmless(c, old, write)) /* the first stays known: a write would be told */
        return;
    remember(a, page, key, va);
    if (stands)
        explain_say(x, c, "F16", true,
                    "RAM at PA 0x%llx is used as %s%s at 0x%llx (pc=%s) while 0x%llx maps it as %s%s: mismatched aliases "
                    "lose writes; give both mappings the same attributes, or remove the first (and clean the cache)",
                    (unsigned long long)pa, class_name(class), sh_name(class), (unsigned long long)va,
                    name_full(x, c->pc, at, sizeof at), (unsigned long long)old, class_name(was), sh_name(was));
}

void lint_alias(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr, u8 sh, bool write)
{
    struct aliases *a = x->aliases;
    if (UNLIKELY(a == NULL)) {
        a = x->aliases = xcalloc(1, sizeof *a);
        a->ram = machine_mem(x->m)->ram0;
        a->key = xcalloc(a->ram->size / GUEST_PAGE, 1);
        a->va = xcalloc(a->ram->size / GUEST_PAGE, sizeof *a->va);
    }
    if (pa - a->ram->base >= a->ram->size)
        return;
    u64 page = (pa - a->ram->base) / GUEST_PAGE;
    u8 key = key_of(x, attr, sh), was = a->key[page];
    if (LIKELY(was == key))
        return;
    if (was == 0)
        remember(a, page, key, va);
    else if (class_of_key(x, was) != class_of_key(x, key))
        differ(x, c, page, key, va, pa, write);
}

void lint_alias_publish(struct explain *x, struct cpu *c)
{
    const struct aliases *a = x->aliases;
    if (a)
        c->audited = (struct cpu_audited){a->key, a->ram->base, a->ram->size / GUEST_PAGE, x->cpus > 1};
}

void lint_alias_free(struct explain *x)
{
    struct cpu *c;
    for (unsigned i = 0; (c = machine_cpu(x->m, i)) != NULL; i++)
        c->audited = (struct cpu_audited){0};
    if (x->aliases) {
        free(x->aliases->key);
        free(x->aliases->va);
    }
    free(x->aliases);
    x->aliases = NULL;
}
