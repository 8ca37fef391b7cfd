/// SHA-256 and BLAKE2b-512 of a buffer.
#ifndef BRIDGE_HASH_H
#define BRIDGE_HASH_H

#include "def.h"

void br_sha256(const void *data, u64 len, u8 out[32]);
void br_blake2b(const void *data, u64 len, u8 out[64]);

#endif
