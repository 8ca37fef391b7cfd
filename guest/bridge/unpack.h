/// The compression of the loader's own image: an LZ77 stream under an adaptive binary range coder. The
/// packer (tools/mkimage/pack.c) and the loader's first stage share this description.
///
/// Header, then bits. A bit is coded with a 12-bit probability of being 0 that follows what was seen
/// (after G. N. N. Martin, "Range encoding", 1979). The stream is a sequence of
///   0 literal                     8 bits by a tree chosen by the byte before and the position
///   1 0 length distance           copy `length` bytes from `distance` back
///   1 1 length                    the same distance as last time
/// until out_len bytes are there. Numbers: the count of bits by a tree, then the bits below the
/// highest, the first two of them by a tree, the others with even odds.
#ifndef BRIDGE_UNPACK_H
#define BRIDGE_UNPACK_H

#include "def.h"

#define PACK_MAGIC 0x4B505242u ///< "BRPK"
enum { PACK_HEADER = 16, PACK_OUT_MAX = 1 << 20, PACK_MATCH_MIN = 2 };
enum { PROB_BITS = 12, PROB_ONE = 1 << PROB_BITS, PROB_RATE = 5 };

/// Header: magic, bytes of output, CRC-32C of the output (all u32, little endian), then how a literal's
/// tree is chosen: bits of the position, bits of the byte before, two zero bytes.
struct pack_number {
    u16 bits[2][32], high[32][4]; ///< bits: [distance of a match longer than 2 or not]
};
struct pack_model {
    u16 match[2][4], again[2], literal[4 * 8][256]; ///< match: [last was a match][position & 3]
    struct pack_number length[2], distance; ///< length: [same distance or not]
};

/// How many bytes a packed image has when unpacked. ret  0 if it is none
u32 br_packed_size(const u8 *in, u64 len);
/// in   out    br_packed_size() bytes
/// in   model  scratch
/// ret  false if the stream is damaged; out then holds rubbish
bool br_unpack(const u8 *in, u64 len, u8 *out, struct pack_model *model);

#endif
