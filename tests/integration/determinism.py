#!/usr/bin/env python3
"""Boots a stock Debian kernel again and again with --deterministic: every console must be the same, byte for byte.

usage: determinism.py --bruin PROGRAM [--boots N] [--accel jit|interp] [--cpus N] [--knobs LIST] [--sha HASH]
With --knobs one more boot each is made with rare paths of the translator made common: where a turn ends must not
depend on what is translated, and when. --sha joins several runs of this program: the hash that the first one said.
"""
import argparse
import hashlib
import os
import subprocess
import sys
import time

CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
BOOT_LIMIT_S = 120 * int(os.environ.get('BRUIN_TEST_SLOW', '1'))


def boot(o, seed, **knobs):
    """The console of one boot to user space and power-off; knobs: variables of the environment."""
    command = [o.bruin, 'run', '-q', '--deterministic', '--seed', str(seed), '-c', str(o.cpus), '-i', f'{CACHE}/initramfs.cpio.gz',
               '-a', 'run=/bin/true', f'{CACHE}/Image-cloud'] + (['--accel', o.accel] if o.accel else [])
    try:
        p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=BOOT_LIMIT_S, check=False,
                           env={**os.environ, **knobs})
    except subprocess.TimeoutExpired as e:
        sys.exit(f'hangs: no end after {BOOT_LIMIT_S} s; the console ends with {e.stdout[-500:]!r}')
    if p.returncode or b'RUN-STATUS=0' not in p.stdout:
        sys.exit(f'exit status {p.returncode}; the console ends with {p.stdout[-500:]!r}')
    return p.stdout


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--bruin', required=True)
    p.add_argument('--boots', type=int, default=3)
    p.add_argument('--accel', default='')
    p.add_argument('--cpus', type=int, default=1)
    p.add_argument('--knobs', default='BLOCK=1,EVICT=300,FLUSH=3000')
    p.add_argument('--sha')
    o = p.parse_args()
    if not os.path.exists(f'{CACHE}/Image-cloud'):
        sys.exit(f'{CACHE}/Image-cloud is missing: make guest fetches it')
    started = time.monotonic()
    first = boot(o, 1)
    sha = hashlib.sha256(first).hexdigest()[:16]
    if o.sha and sha != o.sha:
        sys.exit(f'sha256 {sha}, not {o.sha}, of a console that ends with {first[-500:]!r}')
    knobs = [k for k in o.knobs.split(',') if k and o.accel != 'interp']
    for n in range(2, o.boots + 1 + len(knobs)):
        knob = knobs[n - o.boots - 1] if n > o.boots else ''
        again = boot(o, 1, **dict([('BRUIN_JIT_' + knob).split('=')] if knob else []))
        if again != first:
            at = next((k for k, (a, b) in enumerate(zip(first, again)) if a != b), min(len(first), len(again)))
            sys.exit(f'boot {n} {knob} differs from boot 1 at byte {at}:\n{first[at - 200:at + 100]!r}\n{again[at - 200:at + 100]!r}')
    if boot(o, 2) == first:
        sys.exit('another seed gives the same console: nothing was compared')
    print(f'{o.boots + len(knobs)} boots, {len(first)} bytes each, sha256 {sha}, {time.monotonic() - started:.1f} s')


main()
