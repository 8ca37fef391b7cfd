#!/usr/bin/env python3
"""What the checks cost: a Debian boot to /init with --lint off, default and strict, interleaved.

usage: lint_cost.py [--bruin PROGRAM] [-n RUNS] [--kernel Image|Image-cloud] [--resume FILE]
CPU seconds (user and system) of the whole program. Prints median and minimum of each and their ratio to off.
With --resume, runs are added to those in FILE, so that a series can be measured in pieces.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess

CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
LEVELS = ('off', 'default', 'strict')


def boot(o, level):
    """CPU seconds of one boot."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    p = subprocess.run([o.bruin, 'test', '--lint', level, '--accel', o.accel, '--timeout', '120s', '--expect', 'Run /init',
                        '-i', f'{CACHE}/initramfs.cpio.gz', f'{CACHE}/{o.kernel}'], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if p.returncode or '[F' in p.stdout or '[L' in p.stdout:
        raise SystemExit(f'--lint {level}: exit {p.returncode}\n{p.stdout[-800:]}')
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bruin', default='build/bruin')
    a.add_argument('-n', type=int, default=15)
    a.add_argument('--kernel', default='Image-cloud')
    a.add_argument('--accel', default='jit')
    a.add_argument('--resume')
    o = a.parse_args()
    seconds = {level: [] for level in LEVELS}
    if o.resume and os.path.exists(o.resume):
        with open(o.resume, encoding='ascii') as f:
            seconds = json.load(f)
    for n in range(o.n):
        for k in range(len(LEVELS)): # the order turns, so that no level always follows the same one
            level = LEVELS[(k + n) % len(LEVELS)]
            seconds[level].append(boot(o, level))
    if o.resume:
        with open(o.resume, 'w', encoding='ascii') as f:
            json.dump(seconds, f)
    off = seconds['off']
    print(f'{o.kernel}, {o.accel}, {len(off)} interleaved runs, CPU seconds')
    print('| --lint | median | minimum | median / off | minimum / off |\n|---|---|---|---|---|')
    for level in LEVELS:
        s = seconds[level]
        print(f'| {level} | {statistics.median(s):.3f} | {min(s):.3f} | {statistics.median(s) / statistics.median(off):.3f} | '
              f'{min(s) / min(off):.3f} |')


main()
