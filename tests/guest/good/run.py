#!/usr/bin/env python3
"""Good guests: programs that do unusual things which the architecture allows. Whatever is said about one is wrong.

usage: run.py BRUIN [--engine jit,interp] [--level default,strict] [--long] [--jobs N] [--list] [NAME...]
A source's lines `// guest: NAME[=OPTION,...]...` name its functions and how they run: exit=N is the status wanted (0). `cpus: N`, `el2:`,
`stay:` (at EL2), `disk:` and `slow:` (nobody reads the console for a while) give more; `gic2:` runs these with GICv2 too. --long waits for long where the short run (CI) does not.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
CC = ['aarch64-linux-gnu-gcc', '-O1', '-ffreestanding', '-fno-stack-protector', '-fno-pic', '-no-pie', '-mgeneral-regs-only', '-mstrict-align',
      '-fno-tree-loop-distribute-patterns', '-foptimize-sibling-calls', '-Wall', '-Wno-unused-function', '-g0', '-I', HERE]
LINK = ['-nostdlib', '-nostartfiles', '-static', '-Wl,--build-id=none,-z,max-page-size=4096,--no-warn-rwx-segments', '-T', f'{HERE}/good.ld']


class Guest:
    def __init__(self, source, name, options, defines, status, slow=False):
        self.slow, self.source, self.name, self.options, self.defines, self.status = slow, source, name, options, defines, status
        self.label = f'{os.path.basename(source)[:-2]}-{name}' + ('-gic2' if '-DGIC2' in defines else '')


def guests():
    for source in sorted(glob.glob(f'{HERE}/*.c')):
        with open(source, encoding='ascii') as f:
            text = f.read()
        for kind, words in re.findall(r'^// (guest|cpus|gic2|el2|stay|disk|slow): (.*)', text, re.M):
            options, defines, items = [], (), words.split()
            if kind == 'cpus':
                options, items = ['-c', items[0]], items[1:]
            if kind in ('el2', 'stay'):
                options, defines = ['--el', '2'], ('-DHAS_EL2', '-DSTAY_EL2') if kind == 'stay' else ('-DHAS_EL2',)
            if kind == 'disk':
                options = ['-d', 'DISK']
            if kind == 'gic2':
                options, defines = ['--gic', '2', *(['-c', '2'] if 'cpus:' in text else [])], ('-DGIC2',)
            for item in items:
                name, _, more = item.partition('=')
                extra = [o for o in more.split(',') if o and not o.startswith('exit=')]
                status = int((re.findall(r'exit=(\d+)', more) or ['0'])[0])
                yield Guest(source, name, options + extra, defines, status, kind == 'slow')


def compile_one(command):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if p.returncode:
        raise SystemExit(' '.join(command[-6:]) + '\n' + p.stdout.decode())


def build(work, ms):
    """All objects, then an ELF file for each guest. ret  {guest: path}"""
    made, elf = {}, {}
    flags = [f'-DMS={ms}']
    jobs = []
    for g in chosen_guests:
        for source in (g.source, f'{HERE}/lib.c'):
            key = (source, g.defines)
            if key not in made:
                made[key] = f'{work}/{len(made)}.o'
                jobs.append([*CC, *flags, *g.defines, '-c', source, '-o', made[key]])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, jobs))
        jobs = []
        for g in chosen_guests:
            elf[g.label] = f'{work}/{g.label}.elf'
            jobs.append([*CC, *g.defines, f'-DMAIN={g.name}', f'{HERE}/crt.S', made[(g.source, g.defines)], made[(f'{HERE}/lib.c', g.defines)],
                         *LINK, '-o', elf[g.label]])
        list(pool.map(compile_one, jobs))
    return elf


def disk(work, name):
    path = f'{name}.img'
    with open(path, 'wb') as f:
        f.write(bytes(range(256)) * 256)
    return path


def run(o, g, elf, engine, level, work):
    """ret  what is wrong, or None"""
    report = f'{work}/{g.label}-{engine}-{level}.json'
    options = [disk(work, report) if a == 'DISK' else a for a in g.options]
    command = [o.bruin, 'run', '--accel', engine, '--lint', level, '--timeout', f'{(240 if o.long else 40) * SLOW}s', f'--json={report}',
               *options, elf]
    with open(f'{work}/{g.label}-{engine}-{level}.log', 'wb') as log:
        p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE if g.slow else log, stderr=log)
        if g.slow:
            time.sleep(1.5)
            log.write(p.stdout.read()[-1000:])
        status = p.wait()
        p.stdin.close()
    with open(log.name, encoding='utf-8', errors='replace') as f:
        text = f.read()
    said = []
    if os.path.exists(report):
        with open(report, encoding='utf-8') as f:
            data = json.load(f)
        said = [l['id'] for l in (data.get('report') or {}).get('lints', [])] + [l['id'] for l in data.get('lints', [])]
    said += re.findall(r'\[([FLU]\d+)\]', text)
    if status != g.status or said or 'GOOD' not in text:
        return f'exit {status}, wanted {g.status}; said {sorted(set(said))}\n{text[-1800:]}'
    return None


def main():
    global chosen_guests
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('bruin')
    p.add_argument('names', nargs='*')
    p.add_argument('--engine', default='jit,interp')
    p.add_argument('--level', default='default')
    p.add_argument('--long', action='store_true')
    p.add_argument('--jobs', type=int, default=os.cpu_count())
    p.add_argument('--list', action='store_true')
    o = p.parse_intermixed_args()
    chosen_guests = [g for g in guests() if not o.names or any(n in g.label for n in o.names)]
    if o.list:
        print(*(g.label for g in chosen_guests), sep='\n')
        return 0
    with tempfile.TemporaryDirectory(prefix='good-') as work:
        elf = build(work, 6300 if o.long else 700)
        todo = [(g, engine, level) for g in chosen_guests for engine in o.engine.split(',') for level in o.level.split(',')]
        bad = 0
        with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
            results = pool.map(lambda t: run(o, t[0], elf[t[0].label], t[1], t[2], work), todo)
            for n, ((g, engine, level), why) in enumerate(zip(todo, results), 1):
                bad += bool(why)
                print(f'{"not ok" if why else "ok"} {n} - {g.label} {engine} {level}', flush=True)
                if why:
                    print('\n'.join('# ' + l for l in why.splitlines()), flush=True)
    print(f'1..{len(todo)}\n# {len(todo) - bad} passed, {bad} failed')
    return bad > 0


if __name__ == '__main__':
    sys.exit(main())
