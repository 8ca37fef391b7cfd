#!/usr/bin/env python3
"""A young kernel (young/) with one mistake of many, or two: each must be named, in both engines.

usage: young.py BRUIN [--all] [NAME...]
"""
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'young')
CC = ['aarch64-linux-gnu-gcc', '-nostdlib', '-nostartfiles', '-ffreestanding', '-O2', '-w', '-fno-stack-protector', '-static', '-fno-pic', '-no-pie',
      '-mcmodel=large', '-mgeneral-regs-only', '-I', HERE, '-T', f'{HERE}/young.ld']


def variants(names, every):
    with open(f'{HERE}/variants.txt', encoding='ascii') as f:
        for line in f:
            if line[0] in '#\n':
                continue
            fields = [w.strip() for w in re.split(r' \|(?= |$)', line.rstrip('\n'))]
            rare, name = fields[0].startswith('-'), fields[0].lstrip('-')
            if any(n in name for n in names) if names else every or not rare:
                yield [name, *fields[1:]] + [''] * (6 - len(fields))


def build(defines, elf):
    base = next((int(d[5:], 0) for d in defines.split() if d.startswith('BASE=')), 0x40080000)
    offset = 0xffffff8000000000 if 'HIGH' in defines.split() else 0
    link = f'-Wl,--build-id=none,-z,max-page-size=4096,--no-warn-rwx-segments,--defsym=BASE={base + offset},--defsym=VOFFSET={offset}'
    subprocess.run(CC + [link] + ['-D' + d for d in defines.split() if not d.startswith('BASE=')] + [f'{HERE}/start.S', f'{HERE}/kernel.c', '-o', elf],
                   check=True)


def check(status, err, seconds, report, codes, ids, cause):
    """Yields what is wrong."""
    result = report.get('report') or {}
    lints = result.get('lints', [])
    text = result.get('cause') or ''
    if str(status) not in codes.split(','):
        yield f'exit {status}, wanted {codes}'
    if status == 0:
        text = ' '.join(l['text'] for l in lints)
        if ids and not any(re.match(ids, l['id']) for l in lints):
            yield f'{ids} was not said, only {[l["id"] for l in lints]}'
        if not ids and lints:
            yield f'not silent: {lints}'
    elif ids and not re.match(ids, result.get('id') or ''):
        yield f'id {result.get("id")}, wanted {ids}'
    if cause and not re.search(cause, text):
        yield f'"{text}" does not match {cause}'
    if seconds > harness.SECONDS_MAX and 'LATE' not in report.get('defines', ''):
        yield f'{seconds:.1f} s'
    if harness.lines_of(err) > harness.LINES_MAX - 1:
        yield 'more than 40 lines'


def main():
    bruin, names, every = sys.argv[1], [a for a in sys.argv[2:] if a[0] != '-'], '--all' in sys.argv
    tally = harness.Tally(names)
    with tempfile.TemporaryDirectory() as tmp, ThreadPoolExecutor(os.cpu_count()) as pool:
        todo = list(variants(names, every))
        built = [pool.submit(build, v[1], f'{tmp}/{v[0]}.elf') for v in todo]
        for (name, defines, args, codes, ids, cause), ready in zip(todo, built):
            ready.result()
            for engine in ('jit', 'interp'):
                status, err, seconds, data = harness.run(bruin, engine, f'{tmp}/{name}.elf', args.split(), f'{tmp}/report.json')
                data['defines'] = defines
                tally.case(f'{name} {engine}', seconds, list(check(status, err, seconds, data, codes, ids, cause)), err)
    sys.exit(tally.end())


if __name__ == '__main__':
    main()
