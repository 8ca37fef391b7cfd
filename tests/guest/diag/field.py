#!/usr/bin/env python3
"""Broken guests as developers of kernels and firmware make them (field/*.cases): each must be named, in both engines.

usage: field.py BRUIN [--all] [NAME...]      without --all: those not marked as rare

A case begins with a line of fields between bars: name (- in front: rare), how it is built, options, exit codes, id, cause,
fix (regular expressions); behind a run that went well the warnings count as the cause. Built as S (assembly that follows, with tiny.inc),
C:COMPILER:OPT (C that follows, with tiny.h and crt.S) or B:FOLDER:COMPILER:OPT (the kernel in that folder); then macros, -flags of the
compiler, LINK=ADDRESS, -flat (raw binary), -strip, -pie.
"""
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'field')
COMMON = ['-w', '-I', HERE, '-fno-stack-protector', '-ffreestanding']
GCC = ['aarch64-linux-gnu-gcc', *COMMON, '-mno-outline-atomics']
CLANG = ['clang', '--target=aarch64-none-elf', *COMMON, '-mno-outline-atomics']
LINK = ['-Wl,--build-id=none,-z,max-page-size=4096,--no-warn-rwx-segments', '-nostdlib']


def cases(names, every):
    for group in ('tiny', 'rtos', 'upper', 'unseen1', 'smp'):
        with open(f'{HERE}/{group}.cases', encoding='utf-8') as f:
            text = f.read()
        for part in re.findall(r'^## .*?(?=^## |\Z)', text, flags=re.S | re.M):
            head, _, source = part.partition('\n')
            fields = [w.strip() for w in re.split(r' \|(?= |$)', head[3:])]
            rare, fields[0] = fields[0].startswith('-'), fields[0].lstrip('-')
            if any(n in fields[0] for n in names) if names else every or not rare:
                yield dict(zip(('name', 'how', 'args', 'exit', 'id', 'cause', 'fix'), fields + [''] * 7), source=source)


def compile_(case, out):
    """Builds a case as the ELF file or raw binary `out`."""
    kind, *rest = case['how'].split()
    special = {w for w in rest if w in ('-flat', '-strip', '-pie', '-fp')}
    link = [f'-Wl,--defsym={w}' for w in rest if w.startswith('LINK=')]
    flags = [w if w[0] == '-' else '-D' + w for w in rest if w not in special and not w.startswith('LINK=')]
    kind, *how = kind.split(':')
    script, objects = f'{HERE}/tiny.ld', []
    pie = '-pie' in special

    def object_(source, compiler, more):
        objects.append(f'{out}.{len(objects)}.o')
        subprocess.run(compiler + more + flags + ['-c', source, '-o', objects[-1]], check=True)

    if kind == 'S':
        with open(out + '.S', 'w', encoding='utf-8') as f:
            f.write('#include "tiny.inc"\n' + case['source'])
        object_(out + '.S', GCC, [])
    else:
        compiler = CLANG if how[-2] == 'clang' else GCC
        c_flags = [f'-{how[-1]}', '-fpie' if pie else '-fno-pic'] + ([] if '-fp' in special else ['-mgeneral-regs-only'])
        if kind == 'C':
            with open(out + '.c', 'w', encoding='utf-8') as f:
                f.write('#include "tiny.h"\n' + case['source'])
            object_(f'{HERE}/crt.S', GCC, [])
            object_(out + '.c', compiler, c_flags)
        else:
            folder = f'{HERE}/{how[0]}'
            script = f'{folder}/link.ld' if os.path.exists(f'{folder}/link.ld') else script
            object_(f'{folder}/k.c', compiler, c_flags + (['-mcmodel=large'] if how[0] == 'upper' else []))
            object_(f'{folder}/start.S', GCC, [])
    mode = ['-pie', '-Wl,-z,notext,--no-dynamic-linker'] if pie else ['-no-pie', '-static']
    subprocess.run(GCC + LINK + mode + link + ['-T', script, *objects, '-o', out], check=True)
    if '-strip' in special:
        subprocess.run(['aarch64-linux-gnu-strip', out], check=True)
    if '-flat' in special:
        subprocess.run(['aarch64-linux-gnu-objcopy', '-O', 'binary', out, out], check=True)


def check(case, status, err, seconds, report):
    """Yields what is wrong."""
    result = report.get('report') or {}
    lints = result.get('lints', [])
    if str(status) not in case['exit'].split(','):
        yield f'exit {status}, wanted {case["exit"]}'
    if status in (0, 124, 126):
        cause = fix = ' '.join(f'[{lint["id"]}] {lint["text"]}' for lint in lints) + ' ' + err
        if case['id'] and not re.search(rf'\b({case["id"]})\b', cause):
            yield f'{case["id"]} was not said, only {[lint["id"] for lint in lints]}'
        if not case['id'] and not case['cause'] and lints:
            yield f'not silent: {lints}'
    else:
        cause = result.get('cause') or ''
        fix = cause + ' ' + (result.get('fix') or '')
        if case['id'] and not re.fullmatch(case['id'], result.get('id') or ''):
            yield f'id {result.get("id")}, wanted {case["id"]}'
        if lints and status == 114:  # what was warned of before may be the reason
            cause += ' '.join(lint['text'] for lint in lints)
    for what, pattern, text in (('cause', case['cause'], cause), ('fix', case['fix'], fix)):
        if pattern and not re.search(pattern, text):
            yield f'the {what} does not match {pattern}: {text[:400]}'
    if seconds > 2 * harness.SECONDS_MAX:  # some run a while before they die
        yield f'{seconds:.1f} s'
    if harness.lines_of(err) > harness.LINES_MAX - 1:
        yield 'more than 40 lines'


def main():
    bruin, names, every = sys.argv[1], [a for a in sys.argv[2:] if a[0] != '-'], '--all' in sys.argv
    tally = harness.Tally(names)
    with tempfile.TemporaryDirectory() as tmp, ThreadPoolExecutor(os.cpu_count()) as pool:
        todo = list(cases(names, every))
        built = [pool.submit(compile_, case, f'{tmp}/{case["name"]}.elf') for case in todo]
        for case, ready in zip(todo, built):
            ready.result()
            for engine in ('jit', 'interp'):
                status, err, seconds, data = harness.run(bruin, engine, f'{tmp}/{case["name"]}.elf', case['args'].split(), f'{tmp}/report.json')
                tally.case(f'{case["name"]} {engine}', seconds, list(check(case, status, err, seconds, data)), err)
    sys.exit(tally.end())


if __name__ == '__main__':
    main()
