/// pack IN OUT: compresses a file into the stream of guest/bridge/unpack.h. The choice between literals
/// and matches is the cheapest path by the prices that the previous pass left behind. Integers only: the
/// same input gives the same bytes on every host.
#include "../../guest/bridge/unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHAIN_MAX = 64,
    LENGTH_MAX = 400,
    LENGTH_ENOUGH = 48,
    PASSES = 4,
    HASH = 65536,
    PRICE_UNIT = 16
};

/// The cheapest known way to a position.
struct node {
    u32 price, length, distance, again; ///< the step that leads here; distance 0 = a literal
    u32 kept, last;                     ///< state after it
};
struct packer {
    const u8 *in;
    u32 size, position_bits, before_bits;
    struct pack_model model;
    struct node *node;
    u32 *head, *chain; ///< earlier positions with the same two bytes
    u32 log2[PROB_ONE / 16];
    /* the coder */
    u8 *out;
    u32 used, range, pending;
    u64 low;
    int cache;
};

/* ---- prices in sixteenths of a bit ---- */

static void make_prices(struct packer *k)
{
    for (u32 i = 1; i < ARRAY_LEN(k->log2); i++) {
        u64 w = i;
        u32 bits = 0;
        for (int j = 0; j < 4; j++) {
            w *= w;
            bits <<= 1;
            for (; w >= 1u << 16; bits++)
                w >>= 1;
        }
        k->log2[i] = (8 << 4) - 15 - bits;
    }
    k->log2[0] = k->log2[1];
}
static u32 price_bit(const struct packer *k, u16 p, u32 bit)
{
    return k->log2[(bit ? PROB_ONE - p : p) / 16];
}
static u32 price_tree(const struct packer *k, const u16 *p, u32 bits, u32 value)
{
    u32 price = 0, v = 1;
    while (bits--) {
        u32 bit = value >> bits & 1;
        price += price_bit(k, p[v], bit);
        v = v << 1 | bit;
    }
    return price;
}
static u32 log2_of(u32 v) { return 31 - (u32)__builtin_clz(v); }
static u32 price_number(const struct packer *k, const struct pack_number *n, u32 kind, u32 v)
{
    u32 low = log2_of(v), high = low < 2 ? low : 2;
    return price_tree(k, n->bits[kind], 5, low) +
           price_tree(k, n->high[low], high, v >> (low - high) & ((1u << high) - 1)) +
           (low - high) * PRICE_UNIT;
}

/* ---- the coder ---- */

static void put_low(struct packer *k)
{
    if (k->low < 0xff000000u || k->low > UINT32_MAX) {
        if (k->cache >= 0)
            k->out[k->used++] = (u8)(k->cache + (int)(k->low >> 32));
        for (; k->pending; k->pending--)
            k->out[k->used++] = (u8)(0xff + (k->low >> 32));
        k->cache = (int)(k->low >> 24 & 0xff);
    } else {
        k->pending++;
    }
    k->low = (k->low & 0xffffff) << 8;
}
static void put_bit(struct packer *k, u16 *p, u32 bit)
{
    u32 bound = (k->range >> PROB_BITS) * *p;
    if (bit) {
        k->low += bound;
        k->range -= bound;
        *p = (u16)(*p - (*p >> PROB_RATE));
    } else {
        k->range = bound;
        *p = (u16)(*p + ((PROB_ONE - *p) >> PROB_RATE));
    }
    for (; k->range < 1u << 24; k->range <<= 8)
        put_low(k);
}
static void put_tree(struct packer *k, u16 *p, u32 bits, u32 value)
{
    u32 v = 1;
    while (bits--) {
        u32 bit = value >> bits & 1;
        put_bit(k, &p[v], bit);
        v = v << 1 | bit;
    }
}
static void put_number(struct packer *k, struct pack_number *n, u32 kind, u32 v)
{
    u32 low = log2_of(v), high = low < 2 ? low : 2;
    put_tree(k, n->bits[kind], 5, low);
    put_tree(k, n->high[low], high, v >> (low - high) & ((1u << high) - 1));
    for (u32 left = low - high; left--;) {
        k->range >>= 1;
        if (v >> left & 1)
            k->low += k->range;
        for (; k->range < 1u << 24; k->range <<= 8)
            put_low(k);
    }
}

/* ---- the parse ---- */

static u32 literal_tree(const struct packer *k, u32 at)
{
    u32 before = at ? k->in[at - 1] : 0u;
    return (at & ((1u << k->position_bits) - 1)) << 3 | before >> (8 - k->before_bits);
}
static u32 match_length(const struct packer *k, u32 at, u32 distance)
{
    u32 n = 0, max = k->size - at < LENGTH_MAX ? k->size - at : LENGTH_MAX;
    while (distance && distance <= at && n < max && k->in[at + n] == k->in[at + n - distance])
        n++;
    return n;
}
static void reach(struct packer *k, u32 to, u32 price, struct node step)
{
    step.price = price;
    if (price < k->node[to].price)
        k->node[to] = step;
}
static void try_matches(struct packer *k, u32 at)
{
    const struct pack_model *m = &k->model;
    const struct node *here = &k->node[at];
    u32 base = here->price + price_bit(k, m->match[here->last][at & 3], 1), last = here->last,
        best = 1;
    u32 again = base + price_bit(k, m->again[last], 1),
        fresh = base + price_bit(k, m->again[last], 0), kept = here->kept;
    for (u32 n = 2, max = match_length(k, at, kept); n <= max; n++)
        reach(k, at + n, again + price_number(k, &m->length[1], 0, n - 1),
              (struct node){0, n, kept, 1, kept, 1});
    u32 tries = 0;
    for (u32 from = k->chain[at]; from != UINT32_MAX && tries < CHAIN_MAX && best < LENGTH_ENOUGH;
         from = k->chain[from], tries++) {
        u32 d = at - from, max = match_length(k, at, d);
        for (u32 n = best + 1; n <= max; n++)
            reach(k, at + n,
                  fresh + price_number(k, &m->length[0], 0, n - 1) +
                      price_number(k, &m->distance, n > 2, d),
                  (struct node){0, n, d, 0, d, 1});
        best = max > best ? max : best;
    }
}
static void parse(struct packer *k)
{
    for (u32 i = 0; i <= k->size; i++)
        k->node[i].price = UINT32_MAX;
    k->node[0] = (struct node){0};
    for (u32 at = 0; at < k->size; at++) {
        struct node *here = &k->node[at];
        u32 price = here->price + price_bit(k, k->model.match[here->last][at & 3], 0) +
                    price_tree(k, k->model.literal[literal_tree(k, at)], 8, k->in[at]);
        reach(k, at + 1, price, (struct node){0, 1, 0, 0, here->kept, 0});
        try_matches(k, at);
    }
}

static void find_chains(struct packer *k)
{
    memset(k->head, 0xff, HASH * sizeof *k->head);
    for (u32 i = 0; i < k->size; i++) {
        u32 h = i + 1 < k->size ? br_ld16(k->in + i) : 0u;
        k->chain[i] = i + 1 < k->size ? k->head[h] : UINT32_MAX;
        k->head[h] = i;
    }
}

/// Writes the parsed steps. ret  bytes
static u32 encode(struct packer *k)
{
    struct pack_model *m = &k->model;
    u32 *ends = malloc((k->size + 1) * sizeof *ends), count = 0, last = 0;
    for (u32 at = k->size; at; at -= k->node[at].length)
        ends[count++] = at;
    for (u16 *p = (u16 *)m; p < (u16 *)(m + 1); p++)
        *p = PROB_ONE / 2;
    k->used = PACK_HEADER;
    k->range = ~0u;
    k->low = 0;
    k->pending = 0;
    k->cache = -1;
    while (count--) {
        struct node *step = &k->node[ends[count]];
        u32 at = ends[count] - step->length;
        put_bit(k, &m->match[last][at & 3], step->distance != 0);
        if (step->distance) {
            put_bit(k, &m->again[last], step->again);
            put_number(k, &m->length[step->again], 0, step->length - PACK_MATCH_MIN + 1);
            if (!step->again)
                put_number(k, &m->distance, step->length > 2, step->distance);
        } else {
            put_tree(k, m->literal[literal_tree(k, at)], 8, k->in[at]);
        }
        last = step->distance != 0;
    }
    for (int i = 0; i < 5; i++)
        put_low(k);
    free(ends);
    return k->used;
}

static void put32(u8 *p, u32 v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (u8)(v >> 8 * i);
}

u32 pack(const u8 *in, u32 size, u8 *out)
{
    struct packer *k = calloc(1, sizeof *k);
    u8 *best = malloc(size * 2 + 64);
    u32 best_size = UINT32_MAX;
    *k = (struct packer){.in = in, .size = size, .out = out};
    k->node = malloc((size + 1) * sizeof *k->node);
    k->head = malloc(HASH * sizeof *k->head);
    k->chain = malloc((size + 1) * sizeof *k->chain);
    make_prices(k);
    find_chains(k);
    for (u32 way = 0; way < 2; way++) { /* instructions of four bytes, or not */
        k->position_bits = 2 * way;
        k->before_bits = 3;
        for (u16 *p = (u16 *)&k->model; p < (u16 *)(&k->model + 1); p++)
            *p = PROB_ONE / 2;
        for (int pass = 0; pass < PASSES; pass++) {
            parse(k);
            if (encode(k) >= best_size)
                continue;
            best_size = k->used;
            put32(out, PACK_MAGIC);
            put32(out + 4, size);
            put32(out + 8, br_crc32c(0, in, size));
            put32(out + 12, k->position_bits | k->before_bits << 8);
            memcpy(best, out, best_size);
        }
    }
    memcpy(out, best, best_size);
    free(best);
    free(k->node);
    free(k->head);
    free(k->chain);
    free(k);
    return best_size;
}

#ifndef PACK_NO_MAIN
static u8 *read_file(const char *path, u32 *size)
{
    FILE *f = fopen(path, "rb");
    u8 *data = malloc(PACK_OUT_MAX);
    *size = f ? (u32)fread(data, 1, PACK_OUT_MAX, f) : 0;
    if (f)
        fclose(f);
    return data;
}

int main(int argc, char **argv)
{
    u32 size = 0;
    if (argc != 3)
        return fprintf(stderr, "usage: pack IN OUT\n"), 2;
    u8 *in = read_file(argv[1], &size);
    if (!size || size == PACK_OUT_MAX)
        return fprintf(stderr, "pack: %s: empty, not readable, or %d bytes and more\n", argv[1],
                       PACK_OUT_MAX),
               1;
    u8 *out = malloc(size * 2 + 64), *check = malloc(size);
    struct pack_model *model = malloc(sizeof *model);
    u32 packed = pack(in, size, out);
    if (br_packed_size(out, packed) != size || !br_unpack(out, packed, check, model) ||
        memcmp(in, check, size))
        return fprintf(stderr, "pack: %s: does not unpack to what it was\n", argv[1]), 1;
    FILE *f = fopen(argv[2], "wb");
    if (!f || fwrite(out, 1, packed, f) != packed || fclose(f))
        return fprintf(stderr, "pack: %s: cannot be written\n", argv[2]), 1;
    return 0;
}
#endif
