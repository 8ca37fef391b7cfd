#!/usr/bin/env python3
"""Boots Linux to its first program with several CPUs on host threads, plainly and while translations are given up,
flushed and dropped all the time; then by turns.

usage: threads.py --bruin PROGRAM [--times N]
"""
import argparse
import os
import subprocess
import sys
import time

CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
RUNS = [('2', '', []), ('4', '', []), ('3', '', ['--gic', '2']), ('2', '', ['--el', '2']), ('2', 'EVICT=200', []),
        ('4', 'FLUSH=3000', []), ('2', 'DROP=50', []), ('2', '', ['--threads', 'off'])]
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
LIMIT_S = 120 * SLOW


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--bruin', required=True)
    p.add_argument('--times', type=int, default=1)
    o = p.parse_args()
    failed = n = 0
    for cpus, knob, words in RUNS * o.times:
        n += 1
        env = {**os.environ, **({'BRUIN_JIT_' + knob.split('=')[0]: knob.split('=')[1]} if knob else {})}
        started = time.monotonic()
        boot = subprocess.run([o.bruin, 'test', '--accel', 'jit', '-c', cpus, *words, '--timeout', f'{100 * SLOW}s', '--expect', f'Brought up 1 node, {cpus} CPUs',
                               '--expect', 'Run /init', '-i', f'{CACHE}/initramfs.cpio.gz', f'{CACHE}/Image-cloud'], env=env,
                              timeout=LIMIT_S, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        failed += boot.returncode != 0
        print(f'{"not ok" if boot.returncode else "ok"} {n} {cpus} CPUs {knob} {" ".join(words)} {time.monotonic() - started:.1f} s', flush=True)
        if boot.returncode:
            print(boot.stdout[-3000:].decode(errors='replace'))
    sys.exit(failed != 0)


main()
