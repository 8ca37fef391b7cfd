#!/usr/bin/env python3
"""What a booted Debian costs: memory above guest RAM, and the time to the first guest instruction; --stats and --perf-map.
What the default checks add to a deterministic boot, in counts, not in time: how often they are called, and what the translator does.

usage: cost.py --bruin PROGRAM
The limit of the time has room for a busy host; docs/performance.md has what was measured.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
RAM_MIB, ABOVE_MAX_MIB, START_MAX_MS = 512, 64, 200
LOOKS_MAX = 100000  # of the checks; 50,000 are stores to pages that hold code
MORE_MAX = 1.05     # of anything else that is counted, with the checks, than without
COUNTED = ('blocks', 'instructions', 'hot_bytes', 'cold_bytes', 'slow_memory', 'bodies', 'cross_page', 'indirect', 'attention', 'lookups')


def above_ram_kib(pid):
    """Resident memory of a process without the mapping that is the guest's RAM (the one of RAM_MIB or more)."""
    total, size = 0, 0
    with open(f'/proc/{pid}/smaps', encoding='utf-8') as f:
        for line in f:
            head = re.match(r'([0-9a-f]+)-([0-9a-f]+) ', line)
            if head:
                size = int(head[2], 16) - int(head[1], 16)
            elif line.startswith('Rss:') and size < RAM_MIB << 20:
                total += int(line.split()[1])
    return total


def counts(bruin, level, directory):
    """What --stats counts of a boot of the cloud kernel to /init whose time is counted in instructions."""
    report = f'{directory}/{level}.json'
    subprocess.run([bruin, 'test', '--deterministic', '--lint', level, '--stats', f'--json={report}', '--timeout', '100s', '--expect', 'Run /init',
                    '-i', f'{CACHE}/initramfs.cpio.gz', f'{CACHE}/Image-cloud'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    with open(report, encoding='utf-8') as f:
        return json.load(f)['stats']['cpus'][0]


def check_counts(bruin, directory):
    off, on = counts(bruin, 'off', directory), counts(bruin, 'default', directory)
    more = {k: (off[k], on[k]) for k in COUNTED if on[k] > MORE_MAX * off[k]}
    print(f'the default checks look {on["lint_looks"]} times, {off["lint_looks"]} when off')
    if more or on['lint_looks'] > LOOKS_MAX or off['lint_looks']:
        sys.exit(f'wanted at most {LOOKS_MAX} times, 0 when off, and nothing more than {MORE_MAX} of what it is then: {more}')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--bruin', required=True)
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as d:
        run = subprocess.Popen([o.bruin, 'run', '-m', f'{RAM_MIB}M', '--stats', '--perf-map', f'--json={d}/out.json', '-i', f'{CACHE}/initramfs.cpio.gz',
                                f'{CACHE}/Image'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        seen, peak = b'', 0
        os.set_blocking(run.stdout.fileno(), False)
        end = time.monotonic() + 100
        while b'bruin:/#' not in seen and time.monotonic() < end and run.poll() is None:
            seen += run.stdout.read() or b''
            peak = max(peak, above_ram_kib(run.pid))
            time.sleep(0.05)
        if b'bruin:/#' not in seen:
            sys.exit(f'no prompt: {seen[-500:]!r}')
        os.set_blocking(run.stdout.fileno(), True)
        run.communicate(b'poweroff -f\n', timeout=60)
        with open(f'{d}/out.json', encoding='utf-8') as f:
            stats = json.load(f)['stats']
        check_counts(o.bruin, d)
    start_ms, names = stats['start_ms'], f'/tmp/perf-{run.pid}.map'
    with open(names, encoding='utf-8') as f:
        named = sum(re.fullmatch(r'[0-9a-f]+ [0-9a-f]+ \S+\n', line) is not None for line in f)
    os.unlink(names)
    if named != stats['cpus'][0]['blocks'] or not stats['cpus'][0]['top'][0]['runs']:
        sys.exit(f'{named} blocks in {names}, counted: {stats}')
    print(f'{peak / 1024:.1f} MiB above guest RAM at most, first instruction after {start_ms} ms')
    if peak > ABOVE_MAX_MIB << 10 or not 0 < start_ms <= START_MAX_MS:
        sys.exit(f'wanted at most {ABOVE_MAX_MIB} MiB and {START_MAX_MS} ms')


main()
