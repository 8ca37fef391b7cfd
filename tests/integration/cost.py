#!/usr/bin/env python3
"""What a booted Debian costs: memory above guest RAM, and the time to the first guest instruction; --stats and --perf-map.

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
