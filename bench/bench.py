#!/usr/bin/env python3
"""Runs the benchmark guest under QEMU and under bruin, interleaved, and prints a table of ratios by class.

usage: bench.py [-n RUNS] [--scale PERCENT] [--only NAME,...] [--accel jit] [--json FILE] [--logs DIR]
  -n      runs of each machine (medians are printed)
  --only  workloads, classes (integer calls fp simd crypto os boot) or groups (@c @o @p)
  --cpus  CPUs of both machines

Figures are host CPU seconds of the whole process between the BEGIN and RESULT lines on the serial
port: robust on a shared machine, and a guest clock that runs slow cannot flatter. QEMU runs in the
configuration that is faster for it: `max,pauth=off` for CPU work; `cortex-a72` with `nokaslr` for
operating-system work and boot. Both machines have one CPU and the same memory.

With --cpus N both have N (QEMU with a thread each, MTTCG) and the figures are seconds of wall time: what several
threads are for. That wants a host that runs nothing else.
"""
import argparse
import json
import math
import os
import re
import select
import shlex
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
CLASSES = {
    'integer': ('intcore', 'sort', 'interp', 'icall', 'fib', 'str'),
    'calls': ('fib', 'interp', 'icall'),
    'fp': ('nbody', 'whet', 'mandel'),
    'simd': ('sgemm', 'dgemm', 'simdint'),
    'crypto': ('aes', 'sha256', 'crc32c', 'clmul'),
    'os': ('syscall', 'signal', 'pipe', 'fork', 'stat'),
}
OS_WORK = {'syscall', 'gettime', 'pipe', 'futex', 'forkexec', 'fork', 'thread', 'pgfault', 'mprot', 'signal',
           'sleep', 'tmpfs', 'stat'}
CONSOLE = 'console=ttyAMA0 earlycon=pl011,0x9000000 panic=-1'
QEMU = 'qemu-system-aarch64 -M virt -m 1024 -nographic -no-reboot -kernel {kernel} -initrd {initrd}'


def process_cpu(pid):
    """CPU seconds of another process, from its POSIX CPU clock."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


class Run:
    """One guest from start to exit: the boot figures and those of each workload it ran."""

    def __init__(self, command, timeout, by_wall=False):
        self.by_wall = by_wall
        self.work, self.sums, self.failures, self.lines = {}, {}, [], []
        self.mark = None
        start = time.monotonic()
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        begun, rest = {}, b''
        while True:
            left = timeout - (time.monotonic() - start)
            if left <= 0:
                p.kill()
                self.failures.append('timeout')
                break
            if not select.select([p.stdout], [], [], left)[0]:
                continue
            data = os.read(p.stdout.fileno(), 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b'\n')
            for line in lines:
                self.line(line.decode('latin1').strip(), p.pid, begun, start)
        _, self.status, usage = os.wait4(p.pid, 0)
        p.returncode = self.status
        self.wall = time.monotonic() - start
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rss_mb = usage.ru_maxrss / 1024

    def line(self, text, pid, begun, start):
        self.lines.append('%9.3f %s' % (time.monotonic() - start, text))
        if 'BOOT-MARK' in text:
            self.mark = process_cpu(pid) if not self.by_wall else time.monotonic() - start
        m = re.search(r'\bBEGIN (\w+)$', text)
        if m:
            begun[m[1]] = process_cpu(pid), time.monotonic()
        m = re.search(r'\bRESULT (\w+) ([\d.]+) \d+ (\S+) (\S+)$', text)
        if m and m[1] in begun:
            cpu, wall = begun[m[1]]
            self.work[m[1]] = process_cpu(pid) - cpu if not self.by_wall else time.monotonic() - wall
            self.sums[m[1]] = m[4] if m[3] != 'n/a' else None
        if re.search(r'\bFAIL |Kernel panic|Oops', text):
            self.failures.append(text)


def machines(o, workload):
    """The two command lines for a workload (None: only boot)."""
    os_work = workload is None or workload in OS_WORK
    initrd = f'{CACHE}/bench/' + ('boot' if workload is None else 'bench') + '.cpio.gz'
    append = CONSOLE if workload is None else f'{CONSOLE} quiet bench={workload} scale={o.scale}'
    qemu = shlex.split(QEMU.format(kernel=o.kernel, initrd=initrd))
    qemu += ['-cpu', 'cortex-a72' if os_work else 'max,pauth=off']
    qemu += ['-append', append + ' nokaslr' if os_work else append]
    ours = [o.bruin, 'run', '-m', '1024M', '-i', initrd, '--cmdline', append + ' nokaslr' if os_work else append]
    ours += ['--accel', o.accel] if o.accel else []
    if o.cpus > 1:
        qemu += ['-smp', str(o.cpus), '-accel', 'tcg,thread=multi']
        ours += ['-c', str(o.cpus)]
    return {'qemu': qemu, 'bruin': ours + [o.kernel]}


def measure(o, workload):
    """{machine: [Run]} interleaved."""
    runs = {'qemu': [], 'bruin': []}
    for n in range(o.n):
        for name, command in machines(o, workload).items():
            r = Run(command, o.timeout, o.cpus > 1)
            runs[name].append(r)
            if o.logs:
                os.makedirs(o.logs, exist_ok=True)
                with open(f'{o.logs}/{workload or "boot"}-{name}-{n}.log', 'w', encoding='utf-8') as f:
                    f.write('\n'.join([shlex.join(command), *r.lines, '']))
            if r.failures or r.status:
                print(f'# {workload or "boot"} on {name}: status {r.status} {r.failures[:2]}', file=sys.stderr)
    return runs


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else float('nan')


def selection(text):
    names = []
    listing = subprocess.run([f'{CACHE}/bench/lb.x86'], stdout=subprocess.PIPE, text=True, check=False).stdout
    groups = [line.split() for line in listing.splitlines() if len(line.split()) == 2]
    for word in text.split(','):
        if word.startswith('@'):
            names += [n for g, n in groups if g == word[1:]]
        else:
            names += CLASSES.get(word, [word])
    return list(dict.fromkeys(names))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('-n', type=int, default=3)
    p.add_argument('--scale', type=int, default=100)
    p.add_argument('--only', default='boot,integer,fp,simd,crypto,os')
    p.add_argument('--accel', default='')
    p.add_argument('--cpus', type=int, default=1)
    p.add_argument('--bruin', default=os.path.join(HERE, '../build/bruin'))
    p.add_argument('--kernel', default=f'{CACHE}/Image-cloud')
    p.add_argument('--timeout', type=float, default=300)
    p.add_argument('--json')
    p.add_argument('--logs')
    o = p.parse_args()
    names = selection(o.only)
    ratios, record = {}, {}
    print('%-10s %9s %9s %7s' % ('wall s' if o.cpus > 1 else 'cpu s', 'qemu', 'bruin', 'ratio'))
    for name in names:
        boot = name == 'boot'
        runs = measure(o, None if boot else name)
        q, b = (median([r.mark if boot else r.work.get(name) for r in runs[m]]) for m in ('qemu', 'bruin'))
        ratios[name] = q / b if b else float('nan')
        sums = {r.sums.get(name) for v in runs.values() for r in v if r.sums.get(name)}
        note = '  CHECKSUMS DIFFER ' + ' '.join(sorted(sums)) if len(sums) > 1 else ''
        print('%-10s %9.3f %9.3f %6.2fx%s' % (name, q, b, ratios[name], note), flush=True)
        record[name] = {m: [dict(cpu=r.cpu, wall=r.wall, rss_mb=r.rss_mb, mark=r.mark, work=r.work) for r in v]
                        for m, v in runs.items()}
    print('\nclass, geometric mean of QEMU / bruin')
    for cls, members in CLASSES.items():
        have = [ratios[m] for m in members if m in ratios]
        if len(have) == len(members):
            print('%-10s %6.2fx' % (cls, math.exp(sum(map(math.log, have)) / len(have))))
    if ratios:
        worst = min(ratios, key=lambda k: math.inf if math.isnan(ratios[k]) else ratios[k])
        print('%-10s %6.2fx (%s)' % ('worst', ratios[worst], worst))
    if o.json:
        with open(o.json, 'w', encoding='utf-8') as f:
            json.dump(dict(argv=sys.argv, runs=record), f, indent=1)


main()
