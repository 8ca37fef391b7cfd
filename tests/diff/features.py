#!/usr/bin/env python3
"""Checks that the identification registers and the decode table agree: an instruction of every extension
decodes when, and only when, its field advertises it.

usage: features.py FEATURES_PROGRAM
       features.py FEATURES_PROGRAM --cpuinfo FILE     also compares /proc/cpuinfo of a guest
"""
import subprocess
import sys
import tempfile

# Field (register, lowest bit, smallest value), the name Linux gives it in /proc/cpuinfo ("" when it gives
# none), and instructions that come with it.
FEATURES = [
    ('PFR0', 16, 0, 'fp', 'fadd d0, d1, d2', 'fcvtzs x0, s1'),
    ('PFR0', 16, 1, 'fphp', 'fadd h0, h1, h2', 'fsqrt h3, h4', 'fccmp h1, h2, #3, eq'),
    ('PFR0', 20, 0, 'asimd', 'add v0.4s, v1.4s, v2.4s', 'tbl v0.16b, {v1.16b}, v2.16b'),
    ('PFR0', 20, 1, 'asimdhp', 'fadd v0.8h, v1.8h, v2.8h', 'fmla v0.4h, v1.4h, v2.h[3]'),
    ('PFR0', 32, 1, 'sve', 'add z0.s, z1.s, z2.s'),
    ('PFR0', 48, 1, 'dit', ),
    ('PFR1', 8, 1, '', 'irg x0, x1', 'ldg x0, [x1]'),
    ('ISAR0', 4, 1, 'aes', 'aese v0.16b, v1.16b', 'aesimc v0.16b, v1.16b'),
    ('ISAR0', 4, 2, 'pmull', 'pmull v0.1q, v1.1d, v2.1d'),
    ('ISAR0', 8, 1, 'sha1', 'sha1c q0, s1, v2.4s', 'sha1h s0, s1'),
    ('ISAR0', 12, 1, 'sha2', 'sha256h q0, q1, v2.4s'),
    ('ISAR0', 12, 2, 'sha512', 'sha512h q0, q1, v2.2d'),
    ('ISAR0', 16, 1, 'crc32', 'crc32b w0, w1, w2', 'crc32cx w0, w1, x2'),
    ('ISAR0', 20, 2, 'atomics', 'ldadd x0, x1, [x2]', 'casp x0, x1, x2, x3, [x4]', 'swpalb w0, w1, [x2]'),
    ('ISAR0', 28, 1, 'asimdrdm', 'sqrdmlah v0.4s, v1.4s, v2.4s', 'sqrdmlsh h0, h1, v2.h[1]'),
    ('ISAR0', 32, 1, 'sha3', 'eor3 v0.16b, v1.16b, v2.16b, v3.16b', 'rax1 v0.2d, v1.2d, v2.2d'),
    ('ISAR0', 36, 1, 'sm3', 'sm3ss1 v0.4s, v1.4s, v2.4s, v3.4s'),
    ('ISAR0', 40, 1, 'sm4', 'sm4e v0.4s, v1.4s'),
    ('ISAR0', 44, 1, 'asimddp', 'udot v0.4s, v1.16b, v2.16b', 'sdot v0.2s, v1.8b, v2.4b[1]'),
    ('ISAR0', 48, 1, 'asimdfhm', 'fmlal v0.4s, v1.4h, v2.4h'),
    ('ISAR0', 52, 1, 'flagm', 'rmif x0, #1, #2', 'setf8 w1', 'cfinv'),
    ('ISAR0', 52, 2, 'flagm2', ),
    ('ISAR0', 60, 1, 'rng', ),
    ('ISAR1', 0, 1, 'dcpop', ),
    ('ISAR1', 4, 1, 'paca', 'pacga x0, x1, x2', 'ldraa x0, [x1]', 'braa x0, x1'),
    ('ISAR1', 12, 1, 'jscvt', 'fjcvtzs w0, d1'),
    ('ISAR1', 16, 1, 'fcma', 'fcmla v0.4s, v1.4s, v2.4s, #90', 'fcadd v0.2d, v1.2d, v2.2d, #270'),
    ('ISAR1', 20, 1, 'lrcpc', 'ldapr x0, [x1]', 'ldaprb w0, [x1]'),
    ('ISAR1', 20, 2, 'ilrcpc', 'ldapur x0, [x1, #4]', 'stlur w0, [x1]'),
    ('ISAR1', 32, 1, 'frint', 'frint32z s0, s1', 'frint64x v0.2d, v1.2d'),
    ('ISAR1', 36, 1, 'sb', 'sb'),
    ('ISAR1', 44, 1, 'bf16', 'bfdot v0.4s, v1.8h, v2.8h'),
    ('ISAR1', 52, 1, 'i8mm', 'usdot v0.4s, v1.16b, v2.16b', 'smmla v0.4s, v1.16b, v2.16b'),
    ('ISAR2', 16, 1, '', 'cpyfp [x0]!, [x1]!, x2!'),
    ('MMFR1', 16, 1, '', 'ldlar x0, [x1]', 'stllrb w0, [x1]'),
    ('MMFR2', 32, 1, 'uscat', ),
]
ALWAYS = {'evtstrm', 'cpuid'}  # the kernel's own


def assemble(lines):
    """The words of assembly lines."""
    with tempfile.TemporaryDirectory() as d:
        with open(f'{d}/a.s', 'w', encoding='utf-8') as f:
            f.write('.arch armv9-a+sve2+memtag+sm4+sha3+aes+fp16+fp16fml+bf16+i8mm+rcpc+mops+lor+pauth\n')
            f.write('\n'.join(lines) + '\n')
        subprocess.run(['aarch64-linux-gnu-as', '--no-warn', '-o', f'{d}/a.o', f'{d}/a.s'], check=True)
        subprocess.run(['aarch64-linux-gnu-objcopy', '-O', 'binary', '-j', '.text', f'{d}/a.o', f'{d}/a.bin'], check=True)
        with open(f'{d}/a.bin', 'rb') as f:
            data = f.read()
    return [data[k:k + 4][::-1].hex() for k in range(0, len(data), 4)]


def advertised(ids, register, low, least):
    field = ids[f'ID_AA64{register}_EL1'] >> low & 15
    if register == 'PFR0' and low in (16, 20):  # 15: absent
        return field != 15 and field >= least
    return field >= least


def main():
    lines = [line for f in FEATURES for line in f[4:]]
    words = assemble(lines)
    out = subprocess.run([sys.argv[1]], input='\n'.join(words) + '\n', stdout=subprocess.PIPE, text=True, check=True).stdout
    table = [line.split() for line in out.splitlines()]
    ids = {name: int(value, 16) for name, value in table if name.startswith('ID_')}
    rows = iter([row for name, row in table if not name.startswith('ID_')])
    bad, names = [], set(ALWAYS)
    for register, low, least, name, *instructions in FEATURES:
        has = advertised(ids, register, low, least)
        if has and name:
            names.add(name)
        for text in instructions:
            row = next(rows)
            if (row != 'INVALID') != has:
                bad.append(f'{text}: {"decoded as " + row if row != "INVALID" else "undefined"}, but ID_AA64{register}_EL1[{low + 3}:{low}]'
                           f' {"advertises" if has else "does not advertise"} {name or "it"}')
    if '--cpuinfo' in sys.argv:
        with open(sys.argv[-1], encoding='utf-8', errors='replace') as f:
            seen = next((set(line.split(':')[1].split()) for line in f if line.startswith('Features')), set())
        if seen != names:
            bad.append(f'/proc/cpuinfo: {sorted(seen - names)} are not derived, {sorted(names - seen)} are missing')
    print(*bad, f'{len(FEATURES)} fields, {len(words)} instructions, {len(bad)} wrong', sep='\n')
    print('hwcaps:', *sorted(names))
    sys.exit(bool(bad))


if __name__ == '__main__':
    main()
