#!/usr/bin/env python3
"""Writes the inputs that fuzzing starts from: small valid files of every kind. usage: seeds.py DIRECTORY"""
import bz2
import gzip
import lzma
import os
import random
import struct
import sys
import zlib


def image():
    """A 128-byte arm64 Image: header, then a loop."""
    head = struct.pack('<IIQQQQQQII', 0x91005a4d, 0x14000010, 0, 0x1000, 0xa, 0, 0, 0, 0x644d5241, 0x40)
    return head + struct.pack('<I', 0x14000000) * 16 + b'Linux version 6.1.0 (x)\0'


def elf(machine=183, paddr=0x40200000, segments=1, symbols=True):
    """An ELF64 with PT_LOADs and a symbol table."""
    body = struct.pack('<I', 0x14000000) * 8
    names = b'\0_start\0loop\0'
    off = 64 + 56 * segments
    syms = bytes(24) + struct.pack('<IBBHQQ', 1, 0x12, 0, 1, paddr, 16) + struct.pack('<IBBHQQ', 8, 0x12, 0, 1, paddr + 16, 0)
    sym_off = off + len(body)
    str_off = sym_off + len(syms)
    sh_off = (str_off + len(names) + 7) & ~7
    head = b'\x7fELF\2\1\1' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 2, machine, 1, paddr, 64, sh_off if symbols else 0, 0,
                                                    64, 56, segments, 64, 4 if symbols else 0, 0)
    loads = b''.join(struct.pack('<IIQQQQQQ', 1, 7, off, paddr + 0x1000 * k, paddr + 0x1000 * k, len(body), 0x800, 0x1000)
                     for k in range(segments))
    out = head + loads + body + syms + names
    out += bytes(sh_off - len(out))
    if symbols:
        for kind, o, n, link, ent in ((0, 0, 0, 0, 0), (1, off, len(body), 0, 0), (2, sym_off, len(syms), 3, 24),
                                      (3, str_off, len(names), 0, 0)):
            out += struct.pack('<IIQQQQIIQQ', 0, kind, 0, paddr if kind == 1 else 0, o, n, link, 1, 8, ent)
    return out


def zboot(payload):
    head = b'MZ\0\0zimg' + struct.pack('<II', 64, len(payload)) + bytes(8) + b'gzip' + bytes(28)
    return head[:56] + struct.pack('<II', 0x818223cd, 64) + payload


def main():
    top = sys.argv[1]
    rng = random.Random(1)

    def put(target, name, data):
        os.makedirs(f'{top}/{target}', exist_ok=True)
        with open(f'{top}/{target}/{name}', 'wb') as f:
            f.write(data)

    im = image()
    packed = gzip.compress(im, mtime=0)
    for name, data in {
            'empty': b'', 'image': im, 'image.gz': packed, 'image.xz': lzma.compress(im), 'image.bz2': bz2.compress(im),
            'image.lzma': lzma.compress(im, format=lzma.FORMAT_ALONE), 'zboot': zboot(packed), 'elf': elf(),
            'elf-two': elf(segments=2), 'elf-virtual': elf(paddr=0xffff800008000000), 'elf-x86': elf(machine=62),
            'zlib': zlib.compress(im), 'lz4': bytes.fromhex('04224d186040820c000000') + b'\xc0' + im[:12] + bytes(4),
            'zstd': bytes.fromhex('28b52ffd2010810000') + im[:16], 'cpio': b'070701' + b'0' * 104, 'text': b'console=ttyAMA0\n',
            'disk': bytes(510) + b'\x55\xaa', 'dtb': struct.pack('>10I', 0xd00dfeed, 72, 56, 72, 40, 17, 16, 0, 0, 16) + bytes(32)}.items():
        put('boot', name, data)
    for name, data in {'elf': elf(), 'system.map': b'ffff800008000000 T _text\nffff800008000040 t loop\n'}.items():
        put('symbols', name, data)
    put('decode', 'words', bytes(rng.randrange(256) for _ in range(1300)))
    for device in range(5):
        put('devices', f'device-{device}', bytes([device]) + bytes(rng.randrange(256) for _ in range(1500)))
    put('devices', 'gic2-enable', bytes([0]) + bytes.fromhex('025500000001000000') * 20)


main()
