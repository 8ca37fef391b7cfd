/// The packed form of the loader: what is packed comes back, and no damage is followed.
#include "unpack.h"

#include "tap.h"

u32 pack(const u8 *in, u32 size, u8 *out);
static struct pack_model model;

static void round_trip(const u8 *in, u32 size)
{
    u8 *packed = malloc(size * 2 + 64), *out = malloc(size);
    u32 n = pack(in, size, packed);
    CHECK(br_packed_size(packed, n) == size);
    CHECK(br_unpack(packed, n, out, &model));
    CHECK(memcmp(in, out, size) == 0);
    free(packed);
    free(out);
}

static void texts_and_noise_come_back(void)
{
    static u8 in[3000];
    u32 seed = 1;
    round_trip((const u8 *)"a", 1);
    round_trip(in, sizeof in);
    for (u32 i = 0; i < sizeof in; i++)
        in[i] = (u8)((seed = seed * 1664525 + 1013904223) >> 24);
    round_trip(in, sizeof in);
    for (u32 i = 0; i < sizeof in; i++)
        in[i] = (u8)("the loader, the kernel"[i % 22] + (i % 1000 == 0));
    round_trip(in, sizeof in);
    for (u32 i = 0; i < sizeof in; i += 4)
        in[i] = (u8)(i >> 8);
    round_trip(in, sizeof in);
}

static void every_damaged_byte_is_survived_and_told(void)
{
    static u8 in[600], packed[2000], out[600];
    for (u32 i = 0; i < sizeof in; i++)
        in[i] = (u8)(i * i >> 3);
    u32 n = pack(in, sizeof in, packed);
    for (u32 i = 4; i + 5 < n; i++) {
        u8 was = packed[i];
        if (i >= 12 && i < PACK_HEADER)
            continue; /* unused bytes, and choices that may mean the same */
        packed[i] ^= 0x55;
        if (br_packed_size(packed, n) && br_packed_size(packed, n) <= sizeof out)
            CHECK(!br_unpack(packed, n, out, &model) || memcmp(in, out, sizeof in) == 0);
        packed[i] = was;
    }
    for (u32 len = 0; len + 5 < n; len++)
        CHECK(!br_packed_size(packed, len) || !br_unpack(packed, len, out, &model));
}

int main(void)
{
    RUN(texts_and_noise_come_back);
    RUN(every_damaged_byte_is_survived_and_told);
    return DONE();
}
