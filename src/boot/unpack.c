/// Decompression of kernels: gzip (RFC 1952), zstd, LZ4 frames and legacy frames, xz, lzma, bzip2.
/// Output is capped, and every stream must end where its format says it ends: a truncated file is
/// told apart from a damaged one.
#include "boot/boot.h"

#include <bzlib.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/// A growing output buffer with a limit.
struct sink {
    u8 *p;
    u64 len, room, cap;
};

enum step { STEP_MORE, STEP_DONE, STEP_TRUNCATED, STEP_CORRUPT, STEP_TOO_BIG };

/// Makes at least `want` bytes available, doubling. ret  false when the cap is reached.
static bool sink_grow(struct sink *s, u64 want)
{
    if (s->room - s->len >= want)
        return true;
    if (s->len + want > s->cap)
        return false;
    u64 room = s->room * 2 > s->len + want ? s->room * 2 : s->len + want;
    if (room > s->cap)
        room = s->cap;
    s->p = xrealloc(s->p, room);
    s->room = room;
    return true;
}

/// First allocation: the size the format promises, when that is believable, else a guess.
static void sink_start(struct sink *s, u64 promised, u64 in_len, u64 cap)
{
    u64 room = promised && promised <= in_len * 1100 ? promised : in_len * 4;
    if (room < 64 * KIB)
        room = 64 * KIB;
    if (room > cap)
        room = cap;
    *s = (struct sink){.cap = cap, .room = room, .p = xcalloc(1, room)};
}

static enum step run_gzip(const struct blob *in, struct sink *s)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in->data};
    u64 left = in->len;
    enum step st = STEP_MORE;
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return STEP_CORRUPT;
    while (st == STEP_MORE) {
        if (!sink_grow(s, 1)) {
            /* Full: done only if the stream has nothing more to say. */
            u8 spill;
            z.next_out = &spill;
            z.avail_out = 1;
            int r = inflate(&z, Z_NO_FLUSH);
            st = r == Z_STREAM_END && z.avail_out == 1 ? STEP_DONE : STEP_TOO_BIG;
            break;
        }
        u64 out_room = s->room - s->len;
        uInt in_now = left > (1U << 30) ? 1U << 30 : (uInt)left;
        uInt out_now = out_room > (1U << 30) ? 1U << 30 : (uInt)out_room;
        z.avail_in = in_now;
        z.next_out = s->p + s->len;
        z.avail_out = out_now;
        int r = inflate(&z, Z_NO_FLUSH);
        left -= in_now - z.avail_in;
        s->len += out_now - z.avail_out;
        if (r == Z_STREAM_END)
            st = STEP_DONE; /* what follows a gzip member is not kernel: DTBs get appended */
        else if (r == Z_BUF_ERROR && left == 0)
            st = STEP_TRUNCATED;
        else if (r != Z_OK && r != Z_BUF_ERROR)
            st = STEP_CORRUPT;
        else if (left == 0 && z.avail_out != 0)
            st = STEP_TRUNCATED;
    }
    inflateEnd(&z);
    return st;
}

static enum step run_bzip2(const struct blob *in, struct sink *s)
{
    bz_stream z = {.next_in = (char *)(uintptr_t)in->data};
    u64 left = in->len;
    enum step st = STEP_MORE;
    if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
        return STEP_CORRUPT;
    while (st == STEP_MORE) {
        if (!sink_grow(s, 1)) {
            st = STEP_TOO_BIG;
            break;
        }
        u64 out_room = s->room - s->len;
        unsigned in_now = left > 1U << 30 ? 1U << 30 : (unsigned)left;
        unsigned out_now = out_room > 1U << 30 ? 1U << 30 : (unsigned)out_room;
        z.avail_in = in_now;
        z.next_out = (char *)s->p + s->len;
        z.avail_out = out_now;
        int r = BZ2_bzDecompress(&z);
        left -= in_now - z.avail_in;
        s->len += out_now - z.avail_out;
        if (r == BZ_STREAM_END)
            st = STEP_DONE;
        else if (r != BZ_OK)
            st = STEP_CORRUPT;
        else if (left == 0 && z.avail_out != 0)
            st = STEP_TRUNCATED;
    }
    BZ2_bzDecompressEnd(&z);
    return st;
}

static enum step run_zstd(const struct blob *in, struct sink *s)
{
    ZSTD_DStream *d = ZSTD_createDStream();
    ZSTD_inBuffer ib = {in->data, in->len, 0};
    enum step st = STEP_MORE;
    if (d == NULL)
        return STEP_CORRUPT;
    /* The kernel build uses windows up to 128 MiB. */
    ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, 27);
    while (st == STEP_MORE) {
        if (!sink_grow(s, 1)) {
            st = STEP_TOO_BIG;
            break;
        }
        ZSTD_outBuffer ob = {s->p, s->room, s->len};
        size_t in_before = ib.pos;
        size_t r = ZSTD_decompressStream(d, &ob, &ib);
        bool moved = ob.pos != s->len || ib.pos != in_before;
        s->len = ob.pos;
        if (ZSTD_isError(r))
            st = STEP_CORRUPT;
        else if (r == 0)
            st = STEP_DONE;
        else if (ib.pos == ib.size && (!moved || ob.pos < ob.size))
            st = STEP_TRUNCATED;
    }
    ZSTD_freeDStream(d);
    return st;
}

static enum step run_lz4_frame(const struct blob *in, struct sink *s)
{
    LZ4F_dctx *d;
    u64 pos = 0;
    enum step st = STEP_MORE;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)))
        return STEP_CORRUPT;
    while (st == STEP_MORE) {
        if (!sink_grow(s, 1)) {
            st = STEP_TOO_BIG;
            break;
        }
        size_t out_len = s->room - s->len, in_len = in->len - pos;
        size_t r = LZ4F_decompress(d, s->p + s->len, &out_len, in->data + pos, &in_len, NULL);
        s->len += out_len;
        pos += in_len;
        if (LZ4F_isError(r))
            st = STEP_CORRUPT;
        else if (r == 0)
            st = STEP_DONE;
        else if (pos == in->len && out_len == 0 && in_len == 0)
            st = STEP_TRUNCATED;
    }
    LZ4F_freeDecompressionContext(d);
    return st;
}

/// Legacy frame: magic, then blocks of at most 8 MiB, each with its compressed size in front. The
/// kernel build appends four bytes of unpacked size, which read as a last, too short block.
static enum step run_lz4_legacy(const struct blob *in, struct sink *s)
{
    const u64 block_max = 8 * MIB;
    u64 pos = 4;
    while (in->len - pos >= 4) {
        u64 n = ld32(in->data + pos);
        if (n == 0x184c2102) { /* concatenated frame */
            pos += 4;
            continue;
        }
        if (in->len - pos == 4)
            return s->len ? STEP_DONE : STEP_TRUNCATED;
        if (n == 0 || n > (u64)LZ4_COMPRESSBOUND(8 * 1024 * 1024))
            return STEP_CORRUPT;
        if (!range_ok(pos + 4, n, in->len))
            return STEP_TRUNCATED;
        u64 want = s->cap - s->len < block_max ? s->cap - s->len : block_max;
        if (want == 0 || !sink_grow(s, want))
            return STEP_TOO_BIG;
        int r = LZ4_decompress_safe((const char *)in->data + pos + 4, (char *)s->p + s->len, (int)n,
                                    (int)want);
        if (r < 0)
            return want < block_max ? STEP_TOO_BIG : STEP_CORRUPT;
        s->len += (u64)r;
        pos += 4 + n;
    }
    return s->len == 0 || pos != in->len ? STEP_TRUNCATED : STEP_DONE;
}

static enum step run_lzma(const struct blob *in, struct sink *s, bool alone)
{
    lzma_stream z = LZMA_STREAM_INIT;
    const u64 memory_max = 256 * MIB;
    enum step st = STEP_MORE;
    lzma_ret r = alone ? lzma_alone_decoder(&z, memory_max) : lzma_stream_decoder(&z, memory_max, 0);
    if (r != LZMA_OK)
        return STEP_CORRUPT;
    z.next_in = in->data;
    z.avail_in = in->len;
    while (st == STEP_MORE) {
        if (!sink_grow(s, 1)) {
            st = STEP_TOO_BIG;
            break;
        }
        z.next_out = s->p + s->len;
        z.avail_out = s->room - s->len;
        u64 out_before = z.avail_out;
        r = lzma_code(&z, LZMA_RUN);
        s->len += out_before - z.avail_out;
        if (r == LZMA_STREAM_END)
            st = STEP_DONE;
        else if (r == LZMA_BUF_ERROR || (r == LZMA_OK && z.avail_in == 0 && z.avail_out != 0))
            st = STEP_TRUNCATED;
        else if (r != LZMA_OK)
            st = STEP_CORRUPT;
    }
    lzma_end(&z);
    return st;
}

/// What the stream says it unpacks to, or 0.
static u64 promised_len(const struct blob *in, enum boot_format fmt)
{
    if (fmt == BOOT_GZIP && in->len >= 18)
        return ld32(in->data + in->len - 4) + 1ULL; /* +1: lets inflate see the end of stream */
    if (fmt == BOOT_ZSTD) {
        unsigned long long n = ZSTD_getFrameContentSize(in->data, in->len);
        return n == ZSTD_CONTENTSIZE_UNKNOWN || n == ZSTD_CONTENTSIZE_ERROR ? 0 : n + 1;
    }
    return 0;
}

static enum step run(const struct blob *in, enum boot_format fmt, struct sink *s)
{
    switch (fmt) {
    case BOOT_GZIP: return run_gzip(in, s);
    case BOOT_ZSTD: return run_zstd(in, s);
    case BOOT_LZ4: return run_lz4_frame(in, s);
    case BOOT_LZ4_LEGACY: return run_lz4_legacy(in, s);
    case BOOT_XZ: return run_lzma(in, s, false);
    case BOOT_LZMA: return run_lzma(in, s, true);
    case BOOT_BZIP2: return run_bzip2(in, s);
    default: return STEP_CORRUPT;
    }
}

static const char *method_name(enum boot_format fmt)
{
    switch (fmt) {
    case BOOT_GZIP: return "gzip";
    case BOOT_ZSTD: return "zstd";
    case BOOT_LZ4: return "lz4";
    case BOOT_LZ4_LEGACY: return "lz4 (legacy)";
    case BOOT_XZ: return "xz";
    case BOOT_LZMA: return "lzma";
    case BOOT_BZIP2: return "bzip2";
    default: return "?";
    }
}

bool boot_decompress(const struct blob *in, enum boot_format fmt, u64 cap, struct blob *out,
                     struct err *e)
{
    struct sink s;
    const char *m = method_name(fmt);
    *out = (struct blob){.name = in->name};
    sink_start(&s, promised_len(in, fmt), in->len, cap);
    enum step st = run(in, fmt, &s);
    if (st == STEP_DONE) {
        out->data = out->heap = s.p;
        out->len = s.len;
        return true;
    }
    free(s.p);
    if (st == STEP_TRUNCATED)
        return err_set(e, ERR_FORMAT,
                       "%s: truncated %s file: %llu bytes end inside the compressed data, %llu bytes "
                       "unpacked so far; download or copy it again",
                       in->name, m, (unsigned long long)in->len, (unsigned long long)s.len);
    if (st == STEP_TOO_BIG)
        return err_set(e, ERR_FORMAT, "%s: %s unpacks to more than %llu MiB, the limit for a kernel",
                       in->name, m, (unsigned long long)(cap / MIB));
    return err_set(e, ERR_FORMAT, "%s: corrupt %s data after %llu unpacked bytes", in->name, m,
                   (unsigned long long)s.len);
}

static bool is_packed(enum boot_format f)
{
    return f == BOOT_GZIP || f == BOOT_ZSTD || f == BOOT_LZ4 || f == BOOT_LZ4_LEGACY || f == BOOT_XZ ||
           f == BOOT_LZMA || f == BOOT_BZIP2;
}

/// One layer: container to payload, or packed to unpacked. *more is false when `in` is neither.
static bool unpack_one(const struct blob *in, u64 cap, struct blob *out, bool *more, struct err *e)
{
    enum boot_format fmt = boot_detect(in->data, in->len, NULL);
    *more = true;
    if (fmt == BOOT_ZBOOT) {
        struct zboot z;
        if (!boot_zboot_parse(in, &z, e))
            return false;
        struct blob payload = {.name = in->name, .data = in->data + z.off, .len = z.len};
        return boot_decompress(&payload, z.fmt, cap, out, e);
    }
    if (is_packed(fmt))
        return boot_decompress(in, fmt, cap, out, e);
    *more = false;
    return true;
}

bool boot_unpack(const struct blob *in, u64 cap, struct blob *out, char how[96], struct err *e)
{
    struct blob cur = {.name = in->name, .data = in->data, .len = in->len};
    how[0] = 0;
    for (unsigned layer = 0; layer < BOOT_LAYERS_MAX; layer++) {
        struct blob next = {0};
        bool more;
        const char *fmt_name;
        boot_detect(cur.data, cur.len, &fmt_name);
        bool ok = unpack_one(&cur, cap, &next, &more, e);
        if (ok && !more) {
            *out = cur;
            return true;
        }
        if (ok && layer == 0)
            snprintf(how, 96, "%s %.1f -> %.1f MB", fmt_name, (double)cur.len / 1e6,
                     (double)next.len / 1e6);
        blob_free(&cur);
        if (!ok)
            return false;
        cur = next;
    }
    blob_free(&cur);
    return err_set(e, ERR_FORMAT, "%s: packed more than %d times", in->name, BOOT_LAYERS_MAX);
}
