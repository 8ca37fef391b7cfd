/// The decoder of unpack.h. Reads nothing past `len` and writes nothing past the size in the header.
#include "unpack.h"

struct reader {
    const u8 *in, *end;
    u32 range, code;
    bool is_short; ///< the stream ended too early
};

static u32 take_byte(struct reader *r)
{
    if (r->in < r->end)
        return *r->in++;
    r->is_short = true;
    return 0;
}

static void refill(struct reader *r)
{
    while (r->range < 1u << 24) {
        r->range <<= 8;
        r->code = r->code << 8 | take_byte(r);
    }
}

static u32 get_bit(struct reader *r, u16 *p)
{
    u32 bound = (r->range >> PROB_BITS) * *p;
    u32 bit = r->code >= bound;
    if (bit) {
        r->code -= bound;
        r->range -= bound;
        *p = (u16)(*p - (*p >> PROB_RATE));
    } else {
        r->range = bound;
        *p = (u16)(*p + ((PROB_ONE - *p) >> PROB_RATE));
    }
    refill(r);
    return bit;
}

static u32 get_tree(struct reader *r, u16 *p, u32 bits)
{
    u32 v = 1;
    for (u32 i = 0; i < bits; i++)
        v = v << 1 | get_bit(r, &p[v]);
    return v - (1u << bits);
}

static u32 get_even(struct reader *r, u32 bits)
{
    u32 v = 0;
    while (bits--) {
        r->range >>= 1;
        u32 bit = r->code >= r->range;
        r->code -= bit ? r->range : 0;
        v = v << 1 | bit;
        refill(r);
    }
    return v;
}

/// ret  at least 1
static u32 get_number(struct reader *r, struct pack_number *n, u32 kind)
{
    u32 low = get_tree(r, n->bits[kind], 5);
    u32 high = low < 2 ? low : 2;
    u32 v = 1u << high | get_tree(r, n->high[low], high);
    return low > high ? v << (low - high) | get_even(r, low - high) : v;
}

u32 br_packed_size(const u8 *in, u64 len)
{
    u32 n = len > PACK_HEADER && br_ld32(in) == PACK_MAGIC ? br_ld32(in + 4) : 0;
    return n && n <= PACK_OUT_MAX && in[12] <= 2 && in[13] <= 3 ? n : 0;
}

bool br_unpack(const u8 *in, u64 len, u8 *out, struct pack_model *m)
{
    struct reader r = {in + PACK_HEADER, in + len, ~0u, 0, false};
    u32 size = br_packed_size(in, len), at = 0, distance = 0, last = 0;
    u32 position_mask = (1u << in[12]) - 1, before_bits = in[13];
    for (u16 *p = (u16 *)m; p < (u16 *)(m + 1); p++)
        *p = PROB_ONE / 2;
    for (int i = 0; i < 4; i++)
        r.code = r.code << 8 | take_byte(&r);
    while (at < size && !r.is_short) {
        u32 before = at ? out[at - 1] : 0u;
        if (!get_bit(&r, &m->match[last][at & 3])) {
            u32 tree = (at & position_mask) << 3 | before >> (8 - before_bits);
            out[at++] = (u8)get_tree(&r, m->literal[tree], 8);
            last = 0;
            continue;
        }
        u32 again = get_bit(&r, &m->again[last]);
        u32 n = get_number(&r, &m->length[again], 0) + PACK_MATCH_MIN - 1;
        if (!again)
            distance = get_number(&r, &m->distance, n > 2);
        if (!distance || distance > at || n > size - at)
            return false;
        for (; n; n--, at++)
            out[at] = out[at - distance];
        last = 1;
    }
    return size && at == size && br_crc32c(0, out, size) == br_ld32(in + 8);
}
