#!/usr/bin/env python3
"""What CI relies on: semihosting, exit codes, patterns of `bruin test`, its documents; traces; worst reports.

usage: tools.py BRUIN [--engine jit|interp] [NAME]...     prints TAP
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
CC = ['aarch64-linux-gnu-gcc', '-O1', '-ffreestanding', '-fno-stack-protector', '-fno-pic', '-no-pie', '-mgeneral-regs-only', '-mstrict-align', '-Wall',
      '-fno-delete-null-pointer-checks', '-g0', '-nostdlib', '-static', '-Wl,--build-id=none,-z,max-page-size=4096,--no-warn-rwx-segments', '-T', f'{HERE}/diag/diag.ld']
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))
tests = []


def test(f):
    tests.append(f)
    return f


class Run:
    def __init__(self, o, verb, *args, guest=None, timeout=60):
        start = time.monotonic()
        boot = [guest or o.guest] if guest != '' else []
        words = list(args)
        at = words.index('--') if '--' in words else len(words)
        self.args = [o.bruin, verb, *(['--accel', o.engine] if verb != 'inspect' else []), *words[:at], *boot, *words[at:]]
        p = subprocess.run(self.args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout * SLOW, check=False)
        self.seconds, self.code = time.monotonic() - start, p.returncode
        self.out, self.err = p.stdout.decode(errors='replace'), p.stderr.decode(errors='replace')

    def want(self, ok, what):
        if not ok:
            raise AssertionError(f'{what}\n{" ".join(self.args)}\nexit {self.code} after {self.seconds:.2f} s\nstdout {self.out[-800:]!r}\nstderr {self.err[-1500:]}')
        return self


def assemble(o, name, source, *flags):
    path = f'{o.work}/{name}'
    with open(path + '.S', 'w', encoding='utf-8') as f:
        f.write('#include "diag.inc"\n' + source)
    subprocess.run(CC + ['-I', f'{HERE}/diag', path + '.S', '-o', path + '.elf', *flags], check=True)
    return path + '.elf'


# ---- semihosting and exit codes ----

@test
def statuses(o):
    for status in (0, 1, 2, 42, 110, 111, 112, 115, 124, 200, 255, 256, 70000):
        r = Run(o, 'test', '--json=' + o.work + '/s.json', '--', 'exit', str(status))
        r.want(r.code == min(status, 111), f'status {status}')
        with open(o.work + '/s.json', encoding='utf-8') as f:
            d = json.load(f)
        r.want(d['exit'] == r.code and d['report']['guest_code'] == status, f'the exact code in JSON: {d}')
    r = Run(o, 'test', '--', 'exit-old', '7')
    r.want(r.code == 7, 'SYS_EXIT')
    r = Run(o, 'test', '--', 'abort')
    r.want(r.code == 1, 'another reason than the end of the application')
    r = Run(o, 'run', '--semihosting', '--', 'exit', '5')
    r.want(r.code == 5, 'bruin run --semihosting')


@test
def semihosting_calls(o):
    r = Run(o, 'test', '--', 'files')
    r.want(r.code == 0 and 'written\nwritten\nwrite0\nc\n' in r.out, 'every call')
    r = Run(o, 'test', '--', 'hostile')
    r.want(r.code == 0, 'hostile pointers')


@test
def the_table_of_exit_codes(o):
    for code, args, word in ((0, ['test', '--', 'nothing'], 'powered off'), (112, ['test', '--', 'panic'], ''), (113, ['test', '--', 'reset'], 'reset'),
                             (114, ['test', '--', 'sleep'], 'deadlock'), (115, ['test', '--', 'null'], 'F01'), (116, ['test', '--lint', 'error', '--append', 'console=ttyS0', '--', 'x'], ''),
                             (117, ['test', '--expect', 'x', '--', 'nothing'], 'not seen'), (124, ['test', '--timeout', '300ms', '--', 'spin'], 'timeout')):
        if code in (112, 116):
            continue # Linux's: tests/guest/diag/linux.py; lints: every_lint_is_an_exit_code
        r = Run(o, *args)
        r.want(r.code == code and word in r.err, f'exit {code}')
    r = Run(o, 'test', '--nosuch')
    r.want(r.code == 125, 'usage')
    r = Run(o, 'test', guest=o.work + '/nowhere')
    r.want(r.code == 127, 'not found')
    r = Run(o, 'test', guest=__file__)
    r.want(r.code == 126, 'not bootable')
    p = subprocess.Popen([o.bruin, 'run', '--semihosting', '--accel', o.engine, o.guest, '--', 'spin'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    p.stderr.readline()
    time.sleep(0.2)
    p.terminate()
    code = p.wait(20 * SLOW)
    assert code in (143, -15), f'SIGTERM: {code}'
    with open(f'{HERE}/../../docs/cli.md', encoding='utf-8') as f:
        table = f.read().split('## Exit codes')[1].split('##')[0]
    for code in ('0-111', '112', '113', '114', '115', '116', '117', '124', '125', '126', '127', '128+N'):
        assert code in table, code


@test
def every_lint_is_an_exit_code(o):
    """--lint error ends with 116 wherever the default level warns (the guests of tests/guest/diag)."""
    sys.path.insert(0, f'{HERE}/diag')
    import run as diag
    count = 0
    for name in sorted(os.listdir(f'{HERE}/diag')):
        for kind, want in diag.expectations(f'{HERE}/diag/{name}') if name[-2:] in ('.S', '.c') else ():
            if kind == 'bad' and 'say' in want and 'strict' not in want.get('args', ''):
                out = f'{o.work}/lint.elf'
                diag.build(f'{HERE}/diag/{name}', kind, want, out)
                r = Run(o, 'run', '--lint', 'error', '--timeout', f'{10 * SLOW}s', *[a for a in want.get('args', '').split(',') if a], guest=out)
                r.want(r.code == 116 and f'[{want["say"]}]' in r.err and 'stopped by a lint' in r.err, f'{name}: {want}')
                count += 1
    assert count > 20, count


# ---- patterns ----

@test
def patterns(o):
    for words, options, code in (
            ('say-ansi', ['--expect', '^all ok$'], 0), ('say-cr', ['--expect', '^all ok$'], 0), ('say-cr', ['--expect', '^50%$', '--expect', '^next$'], 0),
            ('say-both', ['--expect', 'all ok', '--fail', 'error'], 117), ('say-first', ['--expect', 'all ok', '--fail', 'error'], 0),
            ('say-last', ['--expect', 'all ok', '--fail', 'error'], 117), ('say-last', ['--expect', 'error', '--expect', 'all ok'], 0),
            ('say-end', ['--expect', '^all ok$'], 0), ('say-edit', ['--expect', '^all ok$'], 0), ('say-binary', ['--expect', 'all ok$'], 0),
            ('prompt', ['--expect', '^login: $'], 0), ('say-both', ['--fail', '^all ok$'], 0), ('say-both', ['--expect', 'ok$'], 117),
            ('say-wide', ['--expect', ' all ok$'], 0), ('say-first', ['--fail', 'never'], 0)):
        r = Run(o, 'test', *options, '--timeout', f'{30 * SLOW}s', '--', words)
        r.want(r.code == code, f'{words} {options}: wanted {code}')
    for bad in ('(', '[', 'a{2,1}', '*'):
        r = Run(o, 'test', '--expect', bad)
        r.want((r.code == 125 and 'as grep -E' in r.err) or bad == '*', f'{bad!r} is no expression')
    r = Run(o, 'test', *(['--expect', 'x'] * 33))
    r.want(r.code == 125 and 'more than 32' in r.err, 'too many')


@test
def junit(o):
    path = f'{o.work}/j.xml'

    def parse(*args, guest=None):
        if os.path.exists(path):
            os.unlink(path)
        r = Run(o, 'test', '--junit', path, *args, guest=guest)
        return r, xml.etree.ElementTree.parse(path).getroot()

    r, suite = parse('--', 'say-binary')
    text = suite.find('testcase/system-out').text
    r.want(suite.get('failures') == '0' and 'a?b' in text and '< & > " ]]> \u00e9 ??' in text and 'all ok' in text, f'control characters: {text!r}')
    r, suite = parse('--fail', 'all <ok>|all ok', '--', 'say-first')
    r.want(suite.get('failures') == '1' and '"all <ok>|all ok"' in suite.find('testcase/failure').get('message'), 'a failure')
    r, suite = parse('--', 'say-long')
    text = suite.find('testcase/system-out').text
    r.want(len(text) < 300000 and 'bytes are left out' in text and text.rstrip().endswith('all ok'), 'the end of a long log is there')
    r, suite = parse('--', 'null')
    r.want('F01' in suite.find('testcase/failure').text and suite.find('testcase/failure').get('type') == 'exit-115', 'the report')
    r, suite = parse(guest=o.work + '/none')
    r.want(r.code == 127 and suite.get('errors') == '1' and suite.find('testcase/error').get('type') == 'exit-127', 'no such file')
    r = Run(o, 'test', '--junit', '/nosuch/x.xml')
    r.want(r.code == 125 and 'junit /nosuch/x.xml' in r.err and r.seconds < 5 * SLOW, 'said before it runs')
    js = o.work + '/r.json'
    r = Run(o, 'test', '--json=' + js, guest=o.work + '/none')
    with open(js, encoding='utf-8') as f:
        d = json.load(f)
    r.want(d['verdict'] == 'refused' and d['exit'] == 127 and 'none' in d['error'], f'JSON of a refusal {d}')


# ---- traces ----

@test
def traces(o):
    elf = assemble(o, 'traced', '''
    vectors vecs
    mov     x1, #UART
    mov     w2, #'x'
    .global poke, call, wait_irq
poke:
    strb    w2, [x1]
call:
    svc     #1
    mrs     x3, midr_el1
    msr     tpidr_el1, x3
    ldr     w0, =0x84000000     // PSCI_VERSION
    hvc     #0
    mov     x4, #1000
    msr     cntv_tval_el0, x4
    mov     x4, #1
    msr     cntv_ctl_el0, x4
    power_off
    .balign 2048
vecs:
    .rept 16
    eret
    .balign 128
    .endr
''')
    out = o.work + '/trace.json'

    def events(names):
        r = Run(o, 'trace', '--events', names, '-o', out, guest=elf)
        r.want(r.code == 0, names)
        with open(out, encoding='utf-8') as f:
            return [json.loads(line) for line in f]

    everything = events('all')
    assert {e['event'] for e in everything} >= {'exc', 'eret', 'mmio', 'sysreg', 'psci', 'tlb'}, {e['event'] for e in everything}
    assert all(set(e) == {'t_ns', 'cpu', 'el', 'event', 'pc', 'a', 'b', 'c', 'text'} for e in everything), everything[0]
    for name, kinds in (('exc', {'exc', 'eret'}), ('mmio', {'mmio'}), ('sysreg', {'sysreg'}), ('psci', {'psci'}), ('tlb', {'tlb'})):
        got = events(name)
        assert {e['event'] for e in got} == kinds, (name, got)
    got = [e for e in events('mmio') if e['a'] == '0x9000000']
    assert len(got) == 1 and got[0]['b'] == '0x78' and '<poke>' in got[0]['pc'] and 'write 1 B at 0x9000000: 0x78' in got[0]['text'], got
    got = events('exc')
    assert '<call>' in got[0]['pc'] and 'sync vector 0x200 ESR 0x56000001' in got[0]['text'], got
    assert any('msr TPIDR_EL1 0x420f0b10' in e['text'] for e in events('sysreg'))
    got = events('psci')
    assert [e['a'] for e in got] == ['0x84000000', '0x84000008'], got
    assert len(events('mmio,exc:poke-call')) == 2 and events('exc:poke') == [] and len(events('mmio:poke')) == 1
    r = Run(o, 'trace', '--events', 'exc', guest=elf)
    r.want(re.search(r'^ +0\.\d{9} cpu0 EL1 exc +0x[0-9a-f]+ <call>  sync vector 0x200', r.err, re.M), 'as text')
    for bad, why in (('', 'wanted before all else|an event is wanted'), ('exc,', 'after the comma'), ('exec,bogus', '`bogus` is none of'), (':poke', 'an event is wanted'), ('exc:', 'address or symbol'),
                     ('exc:nosuch', 'neither an address nor'), ('exc:pokee', 'did you mean `poke`'), ('exc:call-poke', 'no range'), ('exc:1-', 'address or symbol')):
        r = Run(o, 'trace', '--events', bad, guest=elf)
        r.want(r.code == 125 and re.search(why, r.err), f'{bad!r}')
    r = Run(o, 'trace', '--events', 'exc', '-o', '/nosuch/t', guest=elf)
    r.want(r.code == 125 and '/nosuch/t' in r.err, 'a file that cannot be written')
    loop = assemble(o, 'looped', '''
    mov     x1, #UART
    ldr     x2, =0x12000
1:  ldr     w3, [x1, #0x18]
    subs    x2, x2, #1
    b.ne    1b
    power_off
''')
    if o.engine == 'interp':
        r = Run(o, 'trace', '--events', 'exec', '-o', out, guest=loop)
        with open(out, encoding='utf-8') as f:
            lines = [json.loads(line) for line in f]
        r.want(len(lines) == 65537 and all(e['event'] == 'exec' for e in lines[1:]), 'taken branches')
    r = Run(o, 'trace', '--events', 'mmio', '-o', out, guest=loop)
    with open(out, encoding='utf-8') as f:
        lines = f.read().splitlines()
    lost = json.loads(lines[0])
    r.want(len(lines) == 65537 and lost == {'lost': 0x12000 - 65536}, f'a bounded ring: {len(lines)} {lines[0]}')


# ---- reports ----

@test
def worst_reports(o):
    long = 'a_very_long_name_' * 20
    deep = ''.join(f'\n    .global {long}{n}\n{long}{n}: stp x29, x30, [sp, #-16]!\n mov x29, sp\n bl {long}{n + 1}\n' for n in range(24))
    elf = assemble(o, 'deep', f'''
    stack
    mov     x29, #0
    b       {long}0
{deep}
{long}24:
    mov     x0, #0
    blr     x0
''')
    hostile = assemble(o, 'hostile', '''
    stack
    bl      "evil[31mname"
"evil[31mname":
    mov     x0, #0
    blr     x0
    nop
''')
    most = assemble(o, 'most', '''
    mrs     x4, mpidr_el1
    and     x4, x4, #0xff
    cbnz    x4, others
    mov     x19, #1
1:  ldr     w0, =0xc4000003
    mov     x1, x19
    adr     x2, _start
    mov     x3, #0
    hvc     #0
    add     x19, x19, #1
    cmp     x19, #8
    b.ne    1b
others:
2:  mrs     x5, cntvct_el0
    tbz     x5, #50, 2b
    power_off
''')
    for elf, options, code in ((elf, [], 115), (hostile, [], 115), (most, ['-c', '8', '--timeout', '1s'], 124), (most, ['-c', '8', '--lint', 'strict', '--timeout', '1s'], 124),
                               (o.guest, ['--semihosting', '--timeout', '500ms', '--', 'spin'], 124)):
        js = o.work + '/report.json'
        r = Run(o, 'run', '--json=' + js, *options, guest=elf)
        report = r.err[r.err.index('bruin: ', r.err.index('\n')):] if r.err.count('bruin: ') > 1 else r.err
        r.want(r.code == code, f'exit {code}')
        lines = report.splitlines()
        r.want(len(lines) <= 40, f'{len(lines)} lines')
        r.want(not re.search(r'[\x00-\x08\x0b-\x1f\x7f]', r.err), 'no control characters')
        for part in ('  where ', '  regs ') + (('  what ', '  cause ', '  fix ', '  more ', '  walk ', '  from ') if code == 115 else ('  hot ', '  cpus ')):
            r.want(part in report, f'the part {part}')
        with open(js, encoding='utf-8') as f:
            d = json.load(f)
        r.want(d['exit'] == code and d['report']['where']['pc'].startswith('0x'), 'JSON')
        if elf == most:
            r.want(len(d['report']['cpus']) == 8 and 'more that are on' in report, 'every CPU is in JSON')


@test
def demo_crash_is_quick(o):
    best = 99
    for _ in range(3):
        r = Run(o, 'demo', guest='crash')
        r.want(r.code == 115 and 'F01 jump to nothing' in r.err and len(r.err.splitlines()) < 40, 'the report')
        best = min(best, r.seconds)
    r.want(best < SLOW, 'in a second')


def main():
    a = argparse.ArgumentParser()
    a.add_argument('bruin')
    a.add_argument('names', nargs='*')
    a.add_argument('--engine', default='jit')
    o = a.parse_args()
    o.bruin = os.path.abspath(o.bruin)
    failed = 0
    with tempfile.TemporaryDirectory() as o.work:
        o.guest = o.work + '/guest.elf'
        subprocess.run(CC + [f'{HERE}/tools/start.S', f'{HERE}/tools/guest.c', '-o', o.guest], check=True)
        for t in tests:
            if o.names and t.__name__ not in o.names:
                continue
            start = time.monotonic()
            try:
                t(o)
                print(f'ok 1 - {o.engine} {t.__name__} # {time.monotonic() - start:.1f} s', flush=True)
            except Exception as e:  # pylint: disable=broad-except
                failed += 1
                print(f'not ok 1 - {o.engine} {t.__name__}\n# {type(e).__name__}: ' + str(e).replace('\n', '\n# '), flush=True)
    sys.exit(failed > 0)


main()
