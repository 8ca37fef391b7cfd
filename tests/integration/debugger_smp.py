#!/usr/bin/env python3
"""gdb against a Linux that runs on two CPUs: comes while it runs, interrupts, breaks, steps, switches between the CPUs,
goes, comes again, kills. Without break- and watchpoints the CPUs are on host threads, with them they take turns.

usage: debugger_smp.py BRUIN [--threads on|off]
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from console import Console, Failure  # noqa: E402

CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))
WORK = 'while :; do ls /bin >/dev/null; done'
count = 0


def ok(what):
    global count
    count += 1
    print(f'ok {count} - {what}', flush=True)


class Gdb(Console):
    """gdb on pipes. A command's answer ends at the next prompt."""

    def __init__(self, symbols, sock):
        super().__init__(['gdb-multiarch', '-nx', '-q', '-ex', 'set pagination off', '-ex', 'set confirm off'], 100 * SLOW)
        self.prompt()
        for c in ('set architecture aarch64', f'symbol-file {symbols}', f'target remote {sock}'):
            self.do(c)

    def prompt(self):
        at = len(self.seen) - len(self.unread)
        self.expect(r'\(gdb\) ')
        return self.seen[at:len(self.seen) - len(self.unread)].decode(errors='replace')

    def do(self, command, want=''):
        self.type(command + '\n')
        text = self.prompt()
        if not re.search(want, text):
            raise Failure(f'{command}: {want!r} wanted\n{text}')
        return text

    def interrupt_after(self, seconds):
        """Ctrl-C while a command that was typed runs."""
        threading.Timer(seconds, lambda: os.kill(self.process.pid, signal.SIGINT)).start()

    def close(self):
        self.process.kill()
        self.process.wait()


def vcpu_threads(vm):
    names = []
    for t in os.listdir(f'/proc/{vm.process.pid}/task'):
        with open(f'/proc/{vm.process.pid}/task/{t}/comm', encoding='ascii') as f:
            names.append(f.read().strip())
    return sum(n.startswith('bruin-cpu') for n in names)


def wants_threads(o, vm, want, when):
    end = time.monotonic() + 10 * SLOW
    want = want if o.threads == 'on' else 0
    while vcpu_threads(vm) != want and time.monotonic() < end:
        time.sleep(0.02)
    if vcpu_threads(vm) != want:
        raise Failure(f'{when}: {vcpu_threads(vm)} threads of further vCPUs, wanted {want}')
    ok(f'{when}: vCPUs on {"threads" if want else "one thread"}')


def alive(vm, number):
    """The guest's shell still answers, and both CPUs take part."""
    vm.type(f'echo sum $(({number}+1)) $(nproc)\n')
    vm.expect(f'\nsum {number + 1} 2')


def first_visit(o, vm, gdb):
    text = gdb.do('info threads', r'Thread 1.*CPU 0[^\n]*\n.*Thread 2.*CPU 1')
    if 'off' in text:
        raise Failure(f'a CPU is off\n{text}')
    ok('attached to a running machine, both CPUs are there')
    gdb.interrupt_after(0.3)
    gdb.do('continue', 'SIGINT')
    ok('Ctrl-C')
    for n in (1, 2):
        gdb.do(f'thread {n}', f'Switching to thread {n}')
        gdb.do('print/x $MPIDR_EL1 & 0xff', rf'= 0x{n - 1}\b')
    ok('each thread shows its own CPU')
    gdb.do('break do_sys_openat2', 'Breakpoint 1')
    gdb.do('continue', r'Breakpoint 1, 0x\w+ in do_sys_openat2')
    ok('a breakpoint in a function of the kernel')
    gdb.do('backtrace 2', r'#1 +0x\w+ in ')
    for _ in range(3):
        gdb.do('stepi', r'in do_sys_openat2')
    ok('single steps')
    seen = set()
    for _ in range(60):
        gdb.do('continue', r'Breakpoint 1, ')
        seen.add(re.search(r'= (0x\w+)', gdb.do('print/x $MPIDR_EL1 & 0xff'))[1])
        if len(seen) == 2:
            break
    if len(seen) != 2:
        raise Failure(f'the breakpoint stops only CPU {seen}')
    ok('the breakpoint stops either CPU')
    gdb.do('delete')
    gdb.do('watch *(unsigned long *)($sp - 32)', 'atchpoint 2')
    gdb.do('continue', r'(?s)Old value.*New value')
    ok('a watchpoint')
    gdb.do('delete')
    gdb.do('detach', 'etached')


def session(o, work):
    image, symbols, sock = f'{CACHE}/Image-cloud', f'{work}/symbols', f'{work}/gdb.sock'
    monitor = f'{work}/monitor.sock'
    subprocess.run([o.bruin, 'inspect', '--symbols-elf', symbols, image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    vm = Console([o.bruin, 'run', '-c', '2', '--threads', o.threads, f'--gdb={sock}', f'--monitor={monitor}', '-i', f'{CACHE}/initramfs.cpio.gz', '-a', 'nokaslr',
                  image], 150 * SLOW)
    gdb = None
    try:
        vm.expect('Type poweroff')
        vm.type(f'{WORK} & {WORK} &\n')
        alive(vm, 10)
        wants_threads(o, vm, 1, 'before a debugger comes')
        gdb = Gdb(symbols, sock)
        first_visit(o, vm, gdb)
        gdb.close()
        alive(vm, 20)
        ok('after detach the guest goes on')
        wants_threads(o, vm, 1, 'after detach')
        gdb = Gdb(symbols, sock)
        gdb.do('break do_sys_openat2', 'Breakpoint 1')
        gdb.do('continue', 'Breakpoint 1')
        gdb.do('disable 1')
        gdb.type('continue\n')
        wants_threads(o, vm, 1, 'without a point')
        gdb.interrupt_after(0)
        gdb.expect('SIGINT')
        gdb.prompt()
        gdb.do('enable 1')
        gdb.do('continue', 'Breakpoint 1')
        gdb.do('break vfs_write if $x2 == 0x7fffffff', 'Breakpoint 2')
        gdb.do('delete 1')
        gdb.type('continue\n')
        wants_threads(o, vm, 0, 'with a point')
        p = subprocess.run([o.bruin, 'monitor', monitor, 'info cpus'], stdout=subprocess.PIPE, timeout=30, check=False)
        if b'cpu 1' not in p.stdout:
            raise Failure(f'the monitor says {p.stdout!r}')
        ok('a monitor command while gdb lets it run')
        gdb.process.kill()
        alive(vm, 30)
        ok('after gdb died the guest goes on')
        for n in range(12):  # gdb goes away in the middle of something: running, stopping, stopped
            gdb = Gdb(symbols, sock)
            gdb.do('break do_sys_openat2 if $x0 == 0x12345', 'Breakpoint 1')
            gdb.type('continue\n')
            time.sleep(0.02 * (n % 4))
            gdb.process.kill()
            alive(vm, 40 + n)
        ok('gdb dies again and again: the guest goes on')
        gdb = Gdb(symbols, sock)
        gdb.type('kill\n')
        status = vm.exit_status()
        if status != 0:
            raise Failure(f'exit status {status} after kill\n{vm.tail()}')
        ok('attached again; kill ends the machine')
    except (BrokenPipeError, Failure) as e:
        if vm.process.poll() is None:
            raise
        raise Failure(f'{e}\nexit status {vm.exit_status()}') from e
    finally:
        for c in (vm, gdb):
            if c and c.process.poll() is None:
                c.process.kill()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('bruin')
    p.add_argument('--threads', default='on')
    o = p.parse_args()
    if not os.path.exists(f'{CACHE}/Image-cloud') or not shutil.which('gdb-multiarch'):
        print('needs Debian\'s kernel (make guest) and gdb-multiarch')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as work:
        try:
            session(o, work)
        except Failure as e:
            sys.exit(f'not ok {count + 1} - {e}')
    print(f'1..{count}')


main()
