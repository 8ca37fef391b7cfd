#!/usr/bin/env python3
"""Builds and runs the guests of this folder and compares what is said about them.

usage: run.py BRUIN ENGINE[+OPTION,...] [NAME...]; jit+--deterministic,-c2 gives every guest these options

Each source starts with comments `// bad: ...` and `// good: ...`: the sibling with -DGOOD, one
instruction different, must stay silent. Words: id=F03 (of the report), say=F05 (a warning), exit=N,
verdict=V, args=A,B, cflags=..., ldflags=..., format=flat|stripped (else ELF), cause=REGEX (of the report, _ stands for
a blank), trail=same (both engines show the same last transfers).
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CC = ['aarch64-linux-gnu-gcc', '-nostdlib', '-nostartfiles', '-ffreestanding', '-O1', '-fno-stack-protector', '-static',
      '-fno-pic', '-no-pie', '-fno-optimize-sibling-calls', '-Wl,--build-id=none,-z,max-page-size=4096,--no-warn-rwx-segments', '-I', HERE, '-T',
      os.path.join(HERE, 'diag.ld')]

def expectations(path):
    with open(path, encoding='ascii') as f:
        for text in f:
            for kind in ('bad', 'good'):
                if text.startswith(f'// {kind}: '):
                    yield kind, dict(w.split('=', 1) for w in text.split(': ', 1)[1].split())


def build(path, kind, want, out):
    flags = [f for key in ('cflags', 'ldflags') for f in want.get(key, '').split(';') if f]
    subprocess.run(CC + (['-DGOOD'] if kind == 'good' else []) + flags + [path, '-o', out], check=True)
    if want.get('format') == 'flat':
        subprocess.run(['aarch64-linux-gnu-objcopy', '-O', 'binary', out, out], check=True)
    elif want.get('format') == 'stripped':
        subprocess.run(['aarch64-linux-gnu-strip', out], check=True)


def check(kind, want, status, err, seconds, report):
    """Yields what is wrong."""
    result = report.get('report') or {}
    said = {lint['id'] for lint in result.get('lints', [])}
    if status != int(want['exit']):
        yield f'exit {status}, wanted {want["exit"]}'
    if 'id' in want and result.get('id') != want['id']:
        yield f'id {result.get("id")}, wanted {want["id"]}'
    if 'verdict' in want and report.get('verdict') != want['verdict']:
        yield f'verdict {report.get("verdict")}, wanted {want["verdict"]}'
    if 'cause' in want and not re.search(want['cause'].replace('_', '[ _]'), result.get('cause') or ''):
        yield f'the cause does not match {want["cause"]}'
    if 'say' in want and want['say'] not in said:
        yield f'{want["say"]} was not said, only {sorted(said)}'
    if kind == 'good' and said:
        yield f'not silent: {sorted(said)}'
    if kind == 'good' and want['exit'] == '0' and 'cause' in err:
        yield 'not silent: a report'
    if seconds > harness.SECONDS_MAX and (kind == 'bad' or harness.SLOW == 1):  # some of the good ones have much to do
        yield f'{seconds:.1f} s'
    if harness.lines_of(err) > harness.LINES_MAX - 1:
        yield f'{harness.lines_of(err)} lines'
    if 'id' in want and want['exit'] in ('112', '114', '115'):
        for part in ('where', 'cause', 'fix'):
            if f'\n  {part}' not in err:
                yield f'the report has no line {part}'


def arguments(want):
    return [a for a in want.get('args', '').split(',') if a]


def same_trail(bruin, engine, elf, want, data, report):
    """What is wrong with the last transfers, if the other engine shows other ones."""
    other = harness.run(bruin, 'interp' if engine == 'jit' else 'jit', elf, arguments(want), report)[3]
    here, there = data['report'].get('from'), other['report'].get('from')
    return [] if here and here == there else [f'transfers {here[:6]}... and {there[:6]}... in the other engine']


def main():
    bruin, engine, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    tally = harness.Tally(names)
    sources = sorted(n for n in os.listdir(HERE) if n[0] == 'F' and n[-2:] in ('.S', '.c'))
    with tempfile.TemporaryDirectory() as tmp:
        elf, report = os.path.join(tmp, 'guest.elf'), os.path.join(tmp, 'report.json')
        for name in sources:
            if names and not any(n in name for n in names):
                continue
            path = os.path.join(HERE, name)
            for kind, want in expectations(path):
                build(path, kind, want, elf)
                status, err, seconds, data = harness.run(bruin, engine, elf, arguments(want), report)
                if '+' in engine:  # the guest's time may be longer than the host's
                    seconds /= 4
                wrong = list(check(kind, want, status, err, seconds, data))
                if want.get('trail') == 'same':
                    wrong += same_trail(bruin, engine, elf, want, data, report)
                tally.case(f'{name} {kind} {engine}', seconds, wrong, err)
    sys.exit(tally.end())


if __name__ == '__main__':
    main()
