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


def bbp_kernel(machine, flags, kind=3):
    """A PIE of two segments with a BBP note and one relative relocation."""
    base = 0xffffffff80000000
    f = bytearray(0x1000)

    def phdr(n, type_, rights, off, va, filesz, memsz):
        struct.pack_into('<IIQQQQQQ', f, 64 + 56 * n, type_, rights, off, va, va, filesz, memsz, 0x400 if type_ == 1 else 8)
    struct.pack_into('<7s9xHHIQQQIHHHHHH', f, 0, b'\x7fELF\2\1\1', kind, machine, 1, base + 0x10, 64, 0, 0, 64, 56, 4, 0, 0, 0)
    phdr(0, 1, 5, 0x400, base, 0x400, 0x400)
    phdr(1, 1, 6, 0x800, base + 0x1000, 0x200, 0x3000)
    phdr(2, 4, 4, 0x200, base, 64, 64)
    phdr(3, 2, 6, 0x900, base + 0x1100, 0x40, 0x40)
    struct.pack_into('<III4sHHHHIBBBBI4IIQ', f, 0x200, 4, 48, 1, b'BBP', 1, 0, 48, machine, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    struct.pack_into('<QQQQ', f, 0x900, 7, base + 0x1180, 8, 24)
    struct.pack_into('<QQQ', f, 0x980, base + 0x1008, 1027 if machine == 183 else 8, base + 0x20)
    return bytes(f)


def limine_kernel():
    """The same without a note, with a base revision and requests in its data."""
    f = bytearray(bbp_kernel(183, 0))
    f[0x200:0x240] = bytes(0x40)
    words = [0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9,
             0xf9562b2d5c95a6c8, 0x6a7b384944536bdc, 3]
    for a, b in ((0x67cf3d9d378a806f, 0xe304acdfc50c3c62), (0x48dcf1cb8ad2b852, 0x63984e959a98244b),
                 (0x4b161536e598651e, 0xb390ad4a2f1f303a), (0x13d86c035a1cd3e1, 0x2b0caa89d8f3026a)):
        words += [0xc7b1dd30df4c8b88, 0x0a82e883a194f07b, a, b, 0, 0, 0xffffffff80000010]
    data = struct.pack(f'<{len(words)}Q', *words)
    f[0xa00:0xa00 + len(data)] = data
    struct.pack_into('<QQ', f, 64 + 56 + 32, 0x400, 0x3000)
    return bytes(f)


def fat12():
    """Eight sectors: boot, FAT, root directory, five clusters; a directory and a file with a long name."""
    v = bytearray(4096)
    struct.pack_into('<3s8sHBHBHHBHHHII', v, 0, b'\xeb\x3c\x90', b'SEED    ', 512, 1, 1, 1, 16, 8, 0xf8, 1, 63, 255, 0, 0)
    v[510:512] = b'\x55\xaa'
    v[512:521] = bytes.fromhex('f8ffffffffff05f0ff')
    short = b'ALONG~1 TXT'
    total = 0
    for b in short:
        total = ((total >> 1 | total << 7) + b) & 255
    name = 'a long name.txt'.encode('utf-16-le') + b'\0\0'
    name += b'\xff' * (52 - len(name))
    for k, part in enumerate((name[26:], name[:26])):
        struct.pack_into('<B10sBBB12sH4s', v, 1024 + 32 * k, (0x42, 1)[k], part[:10], 15, 0, total, part[10:22], 0, part[22:])
    struct.pack_into('<11sB14xHI', v, 1088, short, 0x20, 3, 900)
    struct.pack_into('<11sB14xHI', v, 1120, b'EFI        ', 0x10, 2, 0)
    struct.pack_into('<11sB14xHI', v, 1536, b'BOOT       ', 0x10, 4, 0)
    return bytes(v)


def pe():
    """An arm64 EFI application: code, data and one relocation."""
    f = bytearray(0x600)
    struct.pack_into('<2s58xI', f, 0, b'MZ', 64)
    struct.pack_into('<4sHHIIIHH', f, 64, b'PE\0\0', 0xaa64, 3, 0, 0, 0, 240, 0x22)
    struct.pack_into('<HBBIIIIIQIIHHHHHHIIIIHHQQQQII', f, 88, 0x20b, 14, 0, 0x200, 0x400, 0, 0x1000, 0x1000, 0x140000000, 0x1000, 0x200,
                     6, 0, 0, 0, 6, 0, 0, 0x4000, 0x200, 0, 10, 0, 1 << 20, 4096, 1 << 20, 4096, 0, 16)
    struct.pack_into('<II', f, 88 + 112 + 40, 0x3000, 12)
    for k, (name, rva, flags) in enumerate(((b'.text', 0x1000, 0x60000020), (b'.data', 0x2000, 0xc0000040), (b'.reloc', 0x3000, 0x42000040))):
        struct.pack_into('<8sIIII12xI', f, 328 + 40 * k, name, 0x100, rva, 0x100, 0x200 + 0x100 * k, flags)
    struct.pack_into('<IIHH', f, 0x400, 0x2000, 12, 0xa010, 0)
    return bytes(f)


def bbp_block():
    """A block with a command line, a memory map and a module."""
    tags = [(8, b'root=/dev/vda\0'), (1, struct.pack('<IIQQIIQ', 32, 1, 0x40000000, 0x10000000, 1, 7, 8)),
            (9, struct.pack('<IIQQII32s', 56, 1, 0x48000000, 99, 0, 0, bytes(32)))]
    at, body, table = 88 + 16 * len(tags), b'', b''
    for kind, data in tags:
        table += struct.pack('<IIII', kind, 0, at + len(body), len(data))
        body += data + bytes(-len(data) % 8)
    total = at + len(body)
    return struct.pack('<8sHHIIIQQQQQQQII', b'BBPINFO', 1, 0, 88, total, 0, 1, 0xffff800000000000, 0x50000000, 0x51000000,
                       0xffffffff80000000, 0x4000, 0, len(tags), 88) + table + body


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
    for device in range(7):
        put('devices', f'device-{device}', bytes([device]) + bytes(rng.randrange(256) for _ in range(1500)))
    for kind in range(12):
        put('virtio', f'device-{kind}', bytes([kind]) + bytes(rng.randrange(256) for _ in range(600)))
        # A chain of two, offered again and again: header or frame, then room.
        put('virtio', f'chain-{kind}', bytes([kind]) + bytes.fromhex('1b00010040001001 0b0101001000024000 1800 0800 0400100018000800'.replace(' ', '')) * 8)
    put('monitor', 'commands', b'info registers\ninfo cpus\nx/3i $pc\np $SCTLR_EL1 & 1\npt $pc\nb 0x40000010\ninfo break\ns 2\nx/4xw 0x40000000\n'
        b'xp/2xg 0x40000000\ninfo mem\ninfo irq\ninfo mtree\ninfo sysreg VBAR_EL1\nexplain\ndelete 1\nwatch 0x40000100\nset $x0 = 5\nhelp\n')
    put('gdb', 'session', b'qSupported:swbreak+\n?\ng\np0\nP0=0100000000000000\nm40000000,40\nM40000100,4:01020304\nZ0,40000010,4\nZ2,40000100,8\nz0,40000010,4\n'
        b'qXfer:features:read:target.xml:0,100\nqfThreadInfo\nqC\nHg1\nT2\nvCont?\ns\nqRcmd,696e666f206d656d\nQStartNoAckMode\nD')
    put('gdb', 'step', b's\nvCont;s:1\nS05;40000004\nvCont;c\n')
    put('gdb', 'raw', b'\xff+$g#67\3$}\x03m0,#00')
    put('options', 'file', b'memory = 1G\ncpus = 2\ngic=3\n# comment\nkernel = /x\nappend = a b\ntimeout = 5s\nload = x@0x40000000\n')
    for n in range(50):
        put('options', f'value-{n}', bytes([n]) + b'0x1000')
    put('devices', 'gic2-enable', bytes([0]) + bytes.fromhex('025500000001000000') * 20)
    for name, data in {'aarch64': bbp_kernel(183, 8), 'mmu-off': bbp_kernel(183, 1), 'phys': bbp_kernel(183, 0x401, 2),
                       'x86_64': bbp_kernel(62, 0), 'none': elf(), 'limine': limine_kernel()}.items():
        put('kernel', name, data)
    put('config', 'new', b'timeout: 3\n${D}=/boot\n/+Dir\n//One\nprotocol: bbp\npath: boot():${D}/k-${ARCH}.elf#' + b'0a' * 32 +
        b'\nmodule_path: /m\nmodule_string: x\nkaslr: no\n# end\n')
    put('config', 'old', b'TIMEOUT=5\n:Arch\nPROTOCOL=linux\nKERNEL_PATH=boot:///vmlinuz\nKERNEL_CMDLINE=a=b c\n')
    put('fat', 'fat12', fat12())
    put('pe', 'application', pe())
    put('unpack', 'magic', b'BRPK' + struct.pack('<III', 600, 0, 0x302) + bytes(range(200)))
    put('bbp', 'block', bbp_block())
    put('bbp', 'dtb', struct.pack('>10I', 0xd00dfeed, 72, 56, 72, 40, 17, 16, 0, 0, 16) + bytes(16) + struct.pack('>IIII', 1, 0, 2, 9))


main()
