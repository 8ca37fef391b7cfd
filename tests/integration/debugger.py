#!/usr/bin/env python3
"""gdb and the monitor against the demonstration kernel and gdb against Debian's, from the first instruction (MMU off) on.

usage: debugger.py BRUIN GUEST_OUT [--engine interp|jit] [--write DIR] [--compare DIR]
--write puts the sessions, as they ran, into DIR as gdb.txt, monitor.txt and gdb-linux.txt. --compare fails when those in DIR differ in
more than numbers, instructions and white space, which a compiler or a kernel's next version changes.
"""
import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

passed, failed = 0, 0
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
GDB = '''info registers pc x0 cpsr
x/2i $pc
print/x $SCTLR_EL1
print/x $MIDR_EL1
info threads
stepi
break kmain
continue
backtrace 1
x/i $pc
print/x $SCTLR_EL1 & 1
print/x $TTBR1_EL1 != 0
print $v0.d.u[0]
hbreak selftest
continue
set $saved = $sp
watch *(unsigned long *)($sp - 16)
continue
print/x $pc != 0
delete
monitor info cpus
monitor pt $pc
monitor info mtree
detach
'''
LINUX = '''info registers pc x0 x1 cpsr
x/3i $pc
print/x $SCTLR_EL1 & 1
print/x $CurrentEL
stepi 2
break start_kernel
continue
backtrace
x/3i $pc
print/x $SCTLR_EL1 & 1
print/x $TCR_EL1
print/x $TTBR1_EL1
print/x $VBAR_EL1
info symbol $VBAR_EL1
stepi 2
info symbol $pc
hbreak setup_arch
continue
backtrace
watch *(unsigned long *)($sp - 16)
continue
info symbol $pc
delete
tbreak rest_init
continue
monitor p start_kernel
monitor info cpus
monitor pt $pc
'''
MONITOR = ['info status', 'b kmain', 'c', 'wait 20', 'info registers', 'info cpus', 'x/3i $pc', 'p $SCTLR_EL1 & 1', 'p kmian', 'pt $pc', 'info mem',
           'b pmm_alloc', 'c', 'wait 20', 's 2', 'x/2i $pc', 'info break', 'delete', 'watch $sp-16', 'c', 'wait 20', 'delete', 'info irq', 'info mtree',
           'info sysreg VBAR_EL1', 'xp/4xw 0x40000000', 'x/s $sp', 'explain', 'help watch', 'helo']


def check(name, ok, why=''):
    global passed, failed
    passed, failed = passed + ok, failed + (not ok)
    print(f'{"ok  " if ok else "FAIL"} {name}{"" if ok else ": " + why}', flush=True)


def start(o, work, args, words):
    log = open(work + '/console.log', 'wb')
    return subprocess.Popen([o.bruin, 'run', '--accel', o.engine, '--timeout', f'{60 * SLOW}s', *args, kernel(o), '--', *words],
                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def kernel(o):
    return o.out + '/kernel-mmuoff.elf'


def wait_for(path, seconds=20 * SLOW):
    end = time.time() + seconds
    while not os.path.exists(path) and time.time() < end:
        time.sleep(0.02)


def gdb_session(o, work):
    sock = work + '/gdb.sock'
    vm = start(o, work, [f'--gdb={sock}', '--wait'], ['selftest', 'poweroff'])
    wait_for(sock)
    script = work + '/session.gdb'
    commands = ['set pagination off', 'set confirm off', 'set architecture aarch64', f'file {kernel(o)}',
                f'target remote {sock}'] + GDB.splitlines()
    with open(script, 'w', encoding='ascii') as f:
        for c in commands:
            f.write(f'echo (gdb) {c}\\n\n{c}\n' if c in GDB else c + '\n')
    p = subprocess.run(['gdb-multiarch', '-nx', '-batch', '-x', script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=100 * SLOW, check=False)
    text = p.stdout.decode(errors='replace')
    code = vm.wait(60 * SLOW)
    want = {'the first instruction, with the MMU off': r'cpsr\s+0x3c5', 'system registers by name': r'= 0x420f0b10',
            'a breakpoint set before the MMU is on': r'Breakpoint 1.*kmain', 'the MMU is on there': r'SCTLR_EL1 & 1\n\$\d+ = 0x1',
            'a hardware breakpoint': r'Breakpoint 2.*selftest', 'a watchpoint with both values': r'(?s)Old value = .*New value = ',
            'the monitor through gdb': r'PA 0x4', 'detaching': r'detached'}
    for name, pattern in want.items():
        check(f'gdb {o.engine}: {name}', re.search(pattern, text) is not None, text[-1500:])
    console = open(work + '/console.log', encoding='utf-8', errors='replace').read()
    check(f'gdb {o.engine}: the guest goes on undisturbed', code == 0 and 'SELFTEST PASS' in console, f'exit {code} {console[-300:]}')
    return text.replace(work, '/tmp')


def linux_session(o, work):
    """Debian's kernel, which has no symbols but those it carries: inspect makes them a file for gdb."""
    cache = os.environ.get('BRUIN_CACHE', os.path.join(os.environ.get('XDG_CACHE_HOME', os.path.expanduser('~/.cache')), 'bruin'))
    image, initrd = cache + '/Image-cloud', cache + '/initramfs.cpio.gz'
    if not os.path.exists(image):
        return None
    sock, symbols = work + '/linux.sock', work + '/kernel.symbols'
    p = subprocess.run([o.bruin, 'inspect', '--symbols-elf', symbols, image], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       check=False)
    check(f'inspect --symbols-elf {o.engine}', p.returncode == 0 and b' symbols; gdb' in p.stderr, p.stderr.decode())
    log = open(work + '/linux.log', 'wb')
    vm = subprocess.Popen([o.bruin, 'run', '--accel', o.engine, '--timeout', f'{120 * SLOW}s', f'--gdb={sock}', '--wait', '-i', initrd, '-a',
                           'nokaslr', '-a', 'run=/bin/true', image], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_for(sock)
    script = work + '/linux.gdb'
    last = 'detach' if o.engine == 'jit' else 'kill' # the interpreter would boot for long
    with open(script, 'w', encoding='ascii') as f:
        for c in ['set pagination off', 'set confirm off', 'set architecture aarch64', f'symbol-file {symbols}',
                  f'target remote {sock}']:
            f.write(c + '\n')
        for c in LINUX.splitlines() + [last]:
            f.write(f'echo (gdb) {c}\\n\n{c}\n')
    p = subprocess.run(['gdb-multiarch', '-nx', '-batch', '-x', script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=110 * SLOW,
                       check=False)
    text = p.stdout.decode(errors='replace')
    code = vm.wait(100 * SLOW)
    want = {'the first instruction': r'pc\s+0x4[0-9a-f]{7}\s', 'start_kernel by name, a virtual address before the MMU is on':
            r'Breakpoint 1, 0xffff8[0-9a-f]+ in start_kernel \(\)', 'backtrace': r'#0 +0xffff8[0-9a-f]+ in start_kernel \(\)\n#1 ',
            'the MMU is on there': r'(?s)in start_kernel.*SCTLR_EL1 & 1\n\$\d+ = 0x1', 'the vectors by name': r'vectors in section',
            'single steps': r'start_kernel \+ \d+ in section', 'a hardware breakpoint in a function it calls':
            r'Breakpoint 2, .* in setup_arch', 'its caller': r'(?s)in setup_arch.*#1 .* in start_kernel', 'a watchpoint':
            r'(?s)Old value = .*New value = ', 'later functions': r'Temporary breakpoint \d+, .* rest_init', 'symbols in the monitor too':
            r'0xffff8[0-9a-f]+', 'the walk': r'PA 0x4'}
    for name, pattern in want.items():
        check(f'gdb {o.engine}, Debian: {name}', re.search(pattern, text) is not None, text[-2500:])
    if o.engine == 'jit':
        console = open(work + '/linux.log', encoding='utf-8', errors='replace').read()
        check(f'gdb {o.engine}, Debian: it boots on after detach', code == 0 and 'RUN-STATUS=0' in console, f'exit {code} {console[-300:]}')
    return text.replace(work, '/tmp')


def monitor_session(o, work):
    sock = work + '/monitor.sock'
    vm = start(o, work, [f'--monitor={sock}', '--wait', '--symbols', kernel(o)], [])
    wait_for(sock)
    time.sleep(0.2)
    text, answers = '', {}
    for line in MONITOR:
        p = subprocess.run([o.bruin, 'monitor', sock, line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30 * SLOW, check=False)
        answers[line] = p.stdout.decode(errors='replace')
        text += f'(bruin) {line}\n{answers[line]}'
    want = {'info status': 'first instruction', 'b kmain': 'breakpoint 1 at physical', 'info registers': r'pstate 0x', 'x/3i $pc': r'=> 0x', 'pt $pc': r'PA 0x4',
            'b pmm_alloc': 'breakpoint 2', 'info break': 'virtual 0x', 'info mem': r'EL1 r', 'info irq': 'virtual timer', 'info mtree': 'pl011',
            'xp/4xw 0x40000000': '0x', 'wait 20': 'watchpoint 3: write of', 'info sysreg VBAR_EL1': r'VBAR_EL1 0x', 'help watch': 'old and new value', 'helo': 'did you mean'}
    for line, pattern in want.items():
        check(f'monitor {o.engine}: {line}', re.search(pattern, answers[line]) is not None, answers[line][-300:])
    subprocess.run([o.bruin, 'monitor', sock, 'quit'], stdout=subprocess.DEVNULL, timeout=30 * SLOW, check=False)
    check(f'monitor {o.engine}: quit ends the machine', vm.wait(20 * SLOW) == 0, 'still running')
    return text


def substance(text):
    """What of a session does not change with a compiler or a kernel's version."""
    lines = []
    for line in text.splitlines():
        line = re.sub(r'^((?:=>)?\s*0x[0-9a-f]+[^:]*:).*', r'\1', line)  # memory and instructions
        line = re.sub(r'\b(by \S+ \S+:|watchpoint \d+: .*?:) .*', r'\1', line)
        line = re.sub(r'<[^>]*>|\+0x[0-9a-f]+|\+ \d+ in|(?<= in )\w+(?= \(\))|\[SP.*?\]|\[.*EL=.*\]', '', line)
        line = re.sub(r'0x[0-9a-f]+|\b[0-9a-f]{8,}\b|-?\d+', '#', line)
        line = re.sub(r'# \w+(?=, |$)', '#', line)
        lines.append(re.sub(r'\s+', ' ', line).strip())
    return lines


def compare(folder, name, text):
    with open(f'{folder}/{name}', encoding='utf-8') as f:
        old, new = substance(f.read()), substance(text)
    diff = '\n'.join(difflib.unified_diff(old, new, f'docs/transcripts/{name}', 'now', lineterm='', n=1))
    check(f'docs/transcripts/{name} is what is seen', old == new, f'debugger.py --write writes it anew\n{diff[:3000]}')


def main():
    a = argparse.ArgumentParser()
    a.add_argument('bruin')
    a.add_argument('out')
    a.add_argument('--engine', default='jit')
    a.add_argument('--write')
    a.add_argument('--compare')
    o = a.parse_args()
    if not os.path.exists(kernel(o)) or not shutil.which('gdb-multiarch'):
        print('needs the guest side (make -C guest) and gdb-multiarch')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as work:
        sessions = {'gdb.txt': gdb_session(o, work), 'monitor.txt': monitor_session(o, work),
                    'gdb-linux.txt': linux_session(o, work)}
    for name, text in sessions.items():
        if o.compare and text:
            compare(o.compare, name, text)
        if o.write and text:
            os.makedirs(o.write, exist_ok=True)
            with open(f'{o.write}/{name}', 'w', encoding='utf-8') as f:
                f.write(text)
    print(f'{passed} passed, {failed} failed')
    sys.exit(bool(failed))


main()
