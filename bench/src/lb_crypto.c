/// Workloads with the cryptographic instructions: a part of lb.c.
/* ---------- crypto instr ---------- */
TCRYPTO static u64 b_aes(void)
{
    u64 n = sc(2000000);
    units = n * 16 / 1e6;
    unit = "MB";
    u8 k[11][16];
    for (int i = 0; i < 176; i++)
        k[i / 16][i % 16] = i * 29 + 7;
    u64 s = 0;
#ifdef __aarch64__
    uint8x16_t K[11];
    for (int i = 0; i < 11; i++)
        K[i] = vld1q_u8(k[i]);
    uint8x16_t acc = vdupq_n_u8(0);
    for (u64 i = 0; i < n; i++) {
        uint8x16_t x = vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(i), vcreate_u64(~i)));
        for (int r = 0; r < 9; r++)
            x = vaesmcq_u8(vaeseq_u8(x, K[r]));
        x = veorq_u8(vaeseq_u8(x, K[9]), K[10]);
        acc = veorq_u8(acc, x);
    }
    s = vgetq_lane_u64(vreinterpretq_u64_u8(acc), 0) ^ vgetq_lane_u64(vreinterpretq_u64_u8(acc), 1);
#else
    __m128i K[11], acc = _mm_setzero_si128();
    for (int i = 0; i < 11; i++)
        K[i] = _mm_loadu_si128((void *)k[i]);
    for (u64 i = 0; i < n; i++) {
        __m128i x = _mm_xor_si128(_mm_set_epi64x(~i, i), K[0]);
        for (int r = 1; r < 10; r++)
            x = _mm_aesenc_si128(x, K[r]);
        x = _mm_aesenclast_si128(x, K[10]);
        acc = _mm_xor_si128(acc, x);
    }
    s = _mm_extract_epi64(acc, 0) ^ _mm_extract_epi64(acc, 1);
#endif
    return s;
}
TCRYPTO static u64 b_sha256(void)
{
    static const u32 Kc[4] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5};
    u64 n = sc(800000);
    units = n * 64 / 1e6;
    unit = "MB";
    u64 s;
#ifdef __aarch64__
    uint32x4_t a = vdupq_n_u32(0x6a09e667), b = vdupq_n_u32(0x510e527f), w[4], k = vld1q_u32(Kc);
    for (int i = 0; i < 4; i++)
        w[i] = vdupq_n_u32(i + 1);
    for (u64 i = 0; i < n; i++) {
        uint32x4_t a0 = a, b0 = b;
        for (int r = 0; r < 16; r++) {
            uint32x4_t t = vaddq_u32(w[r & 3], k), o = a;
            a = vsha256hq_u32(a, b, t);
            b = vsha256h2q_u32(b, o, t);
            w[r & 3] = vsha256su1q_u32(vsha256su0q_u32(w[r & 3], w[(r + 1) & 3]), w[(r + 2) & 3],
                                       w[(r + 3) & 3]);
        }
        a = vaddq_u32(a, a0);
        b = vaddq_u32(b, b0);
    }
    s = vgetq_lane_u32(a, 0) ^ ((u64)vgetq_lane_u32(b, 2) << 32);
#else
    __m128i a = _mm_set1_epi32(0x6a09e667), b = _mm_set1_epi32(0x510e527f), w[4],
            k = _mm_loadu_si128((void *)Kc);
    for (int i = 0; i < 4; i++)
        w[i] = _mm_set1_epi32(i + 1);
    for (u64 i = 0; i < n; i++) {
        __m128i a0 = a, b0 = b;
        for (int r = 0; r < 16; r++) {
            __m128i t = _mm_add_epi32(w[r & 3], k);
            b = _mm_sha256rnds2_epu32(b, a, t);
            a = _mm_sha256rnds2_epu32(a, b, _mm_shuffle_epi32(t, 0x0e));
            __m128i x = _mm_sha256msg1_epu32(w[r & 3], w[(r + 1) & 3]);
            x = _mm_add_epi32(x, _mm_alignr_epi8(w[(r + 3) & 3], w[(r + 2) & 3], 4));
            w[r & 3] = _mm_sha256msg2_epu32(x, w[(r + 3) & 3]);
        }
        a = _mm_add_epi32(a, a0);
        b = _mm_add_epi32(b, b0);
    }
    s = _mm_extract_epi32(a, 0) ^ ((u64)_mm_extract_epi32(b, 2) << 32);
#endif
    return s;
}
TCRYPTO static u64 b_crc32c(void)
{
    u64 n = sc(40000000);
    units = n * 8 / 1e6;
    unit = "MB";
    u32 c = ~0u;
    for (u64 i = 0; i < n; i++)
#ifdef __aarch64__
        c = __crc32cd(c, i * 0x9E3779B97F4A7C15ull);
#else
        c = _mm_crc32_u64(c, i * 0x9E3779B97F4A7C15ull);
#endif
    return c;
}
TCRYPTO static u64 b_clmul(void)
{
    u64 n = sc(8000000), a = 0x123456789abcdefull, s = 0;
    units = n;
    for (u64 i = 0; i < n; i++) {
#ifdef __aarch64__
        poly128_t p = vmull_p64((poly64_t)a, (poly64_t)(i | 0xC200000000000000ull));
        a = (u64)p ^ (u64)(p >> 64) ^ i;
#else
        __m128i p = _mm_clmulepi64_si128(_mm_cvtsi64_si128(a),
                                         _mm_cvtsi64_si128(i | 0xC200000000000000ull), 0);
        a = _mm_cvtsi128_si64(p) ^ _mm_extract_epi64(p, 1) ^ i;
#endif
        s += a;
    }
    return s;
}
