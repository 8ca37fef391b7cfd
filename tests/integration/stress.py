#!/usr/bin/env python3
"""Boots Linux to its first program with the translator's rare paths made common, and runs the lock-step test so.

usage: stress.py --bruin PROGRAM --lockstep PROGRAM [--only KNOB]
"""
import argparse
import os
import subprocess
import sys
import time

CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
# One slot, small cache, blocks of one instruction, a test at every exit, random eviction, flushes, no links, a TLB of
# four entries, translations that vanish in slow paths, every check leaves, and is an interrupt
# now and then; code translated when it runs for the first time, or the second
KNOBS = ['SLOTS=1', 'CODE=0x400000', 'BLOCK=1', 'CHECKS=1', 'EVICT=200', 'FLUSH=2000', 'NOLINK=1', 'HOT=2', 'TLB=4', 'DROP=7',
         'ATTEND=1', 'ATTEND=1 IRQ=32', 'WARM=0', 'WARM=1']
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
LIMIT_S = 200 * SLOW


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--bruin', required=True)
    p.add_argument('--lockstep', required=True)
    p.add_argument('--only')
    o = p.parse_args()
    failed = 0
    for knob in KNOBS:
        if o.only and not knob.startswith(o.only):
            continue
        env = {**os.environ, **dict(('BRUIN_JIT_' + k).split('=') for k in knob.split())}
        started = time.monotonic()
        boot = subprocess.run([o.bruin, 'test', '--accel', 'jit', '--deterministic', '--timeout', f'{150 * SLOW}s', '--expect', 'Run /init',
                               '-i', f'{CACHE}/initramfs.cpio.gz', f'{CACHE}/Image-cloud'], env=env, timeout=LIMIT_S,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        env.pop('BRUIN_JIT_IRQ', None)  # no piece of code expects an interrupt
        pieces = subprocess.run([o.lockstep, '--insns', '30000', '--seed', '5'], env=env, timeout=LIMIT_S,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        ok = boot.returncode == 0 and pieces.returncode == 0
        failed += not ok
        print(f'{"ok" if ok else "not ok"} {KNOBS.index(knob) + 1} {knob} {time.monotonic() - started:.1f} s', flush=True)
        if not ok:
            print(boot.stdout[-1500:].decode(errors='replace'), pieces.stdout[-1500:].decode(errors='replace'))
    sys.exit(failed != 0)


main()
