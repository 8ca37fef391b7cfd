#!/usr/bin/env python3
"""Damaged files through the whole program: every one is refused with a message, or runs until it is stopped.

usage: hostile.py BRUIN CORPUS [--inputs N] [--seed S]     CORPUS: tests/fuzz/corpus. A bad input is kept as hostile-N.
"""
import argparse
import collections
import glob
import os
import random
import subprocess
import sys
import tempfile

CODES = {0, 112, 113, 114, 115, 116, 124, 125, 126, 127}
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
EXTREMES = (b'\xff' * 8, bytes(8), b'\x7f' + b'\xff' * 7, b'\0\0\0\x80' * 2)
WAYS = (['run'], ['run'], ['run', '--accel', 'interp'], ['inspect'], ['run', '--firmware', 'tiny'], ['run', '--dry-run'])


def damaged(r, data):
    data = bytearray(data)
    for _ in range(r.choice((1, 3, 10, 50))):
        if not data:
            break
        at = r.randrange(min(len(data), 4096) if r.random() < .8 else len(data))
        kind = r.randrange(5)
        if kind == 0:
            data[at] = r.randrange(256)
        elif kind == 1:
            data[at:at + 8] = r.choice(EXTREMES)
        elif kind == 2:
            data = data[:at + 1]
        elif kind == 3:
            data[at:at] = r.randbytes(r.randrange(64))
        else:
            data[at:at + 4] = r.randbytes(4)
    return bytes(data)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('bruin')
    p.add_argument('corpus')
    p.add_argument('--inputs', type=int, default=60)
    p.add_argument('--seed', type=int, default=1)
    o = p.parse_args()
    r, codes, bad = random.Random(o.seed), collections.Counter(), 0
    files = sorted(f for d in ('image', 'elf', 'zboot', 'disk', 'dtb', 'symbols') for f in glob.glob(f'{o.corpus}/{d}/*'))
    with tempfile.TemporaryDirectory() as d:
        for n in range(o.inputs):
            source, way = r.choice(files), r.choice(WAYS)
            with open(source, 'rb') as f:
                data = damaged(r, f.read())
            with open(f'{d}/input', 'wb') as f:
                f.write(data)
            command = [o.bruin, *way, *(['--timeout', '300ms'] if way[0] == 'run' else []), f'{d}/input']
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      timeout=20 * SLOW, check=False)
                code, err = done.returncode, done.stderr.decode(errors='replace')
            except subprocess.TimeoutExpired:
                code, err = 'none: it hangs', ''
            codes[code] += 1
            if (code not in CODES and 'the application returned' not in err) or (code and way[0] == 'run' and 'bruin: ' not in err):
                bad += 1
                with open(f'hostile-{n}', 'wb') as f:
                    f.write(data)
                print(f'hostile-{n} (from {source}), {" ".join(way)}: exit code {code}\n{err[-2000:]}')
    print(f'{o.inputs} inputs, exit codes {dict(codes)}, {bad} bad')
    sys.exit(1 if bad else 0)


main()
