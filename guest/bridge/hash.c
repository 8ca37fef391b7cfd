/// FIPS 180-4, "Secure Hash Standard"; RFC 7693, "The BLAKE2 Cryptographic Hash".
#include "hash.h"

static const u32 sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static u32 ror32(u32 v, unsigned n) { return v >> n | v << (32 - n); }
static u64 ror64(u64 v, unsigned n) { return v >> n | v << (64 - n); }

static void sha_block(u32 h[8], const u8 *p)
{
    u32 w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = br_be32(p + 4 * i);
    for (int i = 16; i < 64; i++) {
        u32 a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (ror32(a, 7) ^ ror32(a, 18) ^ a >> 3) + w[i - 7] +
               (ror32(b, 17) ^ ror32(b, 19) ^ b >> 10);
    }
    for (int i = 0; i < 8; i++)
        v[i] = h[i];
    for (int i = 0; i < 64; i++) {
        u32 s1 = ror32(v[4], 6) ^ ror32(v[4], 11) ^ ror32(v[4], 25);
        u32 t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
        u32 s0 = ror32(v[0], 2) ^ ror32(v[0], 13) ^ ror32(v[0], 22);
        u32 t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        for (int k = 7; k > 0; k--)
            v[k] = v[k - 1];
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

void br_sha256(const void *data, u64 len, u8 out[32])
{
    u32 h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const u8 *p = data;
    u8 tail[128] = {0};
    u64 full = len & ~63ULL, left = len - full;
    for (u64 i = 0; i < full; i += 64)
        sha_block(h, p + i);
    memcpy(tail, p + full, left);
    tail[left] = 0x80;
    u64 end = left < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++)
        tail[end - 1 - (u64)i] = (u8)(len * 8 >> 8 * i);
    for (u64 i = 0; i < end; i += 64)
        sha_block(h, tail + i);
    for (int i = 0; i < 32; i++)
        out[i] = (u8)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static const u64 blake_iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
static const u8 blake_sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static void blake_mix(u64 v[16], const u8 at[4], u64 x, u64 y)
{
    u64 *a = &v[at[0]], *b = &v[at[1]], *c = &v[at[2]], *d = &v[at[3]];
    *a += *b + x;
    *d = ror64(*d ^ *a, 32);
    *c += *d;
    *b = ror64(*b ^ *c, 24);
    *a += *b + y;
    *d = ror64(*d ^ *a, 16);
    *c += *d;
    *b = ror64(*b ^ *c, 63);
}

static void blake_block(u64 h[8], const u8 *p, u64 done, bool last)
{
    static const u8 lanes[8][4] = {{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
                                   {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14}};
    u64 v[16], m[16];
    for (int i = 0; i < 16; i++)
        m[i] = br_ld64(p + 8 * i);
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = blake_iv[i];
    }
    v[12] ^= done;
    if (last)
        v[14] = ~v[14];
    for (int r = 0; r < 12; r++)
        for (int i = 0; i < 8; i++)
            blake_mix(v, lanes[i], m[blake_sigma[r % 10][2 * i]], m[blake_sigma[r % 10][2 * i + 1]]);
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

void br_blake2b(const void *data, u64 len, u8 out[64])
{
    u64 h[8], at = 0;
    const u8 *p = data;
    u8 tail[128] = {0};
    for (int i = 0; i < 8; i++)
        h[i] = blake_iv[i];
    h[0] ^= 0x01010040;
    for (; len - at > 128; at += 128)
        blake_block(h, p + at, at + 128, false);
    memcpy(tail, p + at, len - at);
    blake_block(h, tail, len, true);
    for (int i = 0; i < 64; i++)
        out[i] = (u8)(h[i / 8] >> (8 * (i % 8)));
}
