#!/usr/bin/env python3
"""gdb against a guest whose memory, tables and accesses are known (tests/guest/debug), and the protocol by hand.

usage: gdb.py BRUIN [--engine jit|interp] [NAME]...     prints TAP
"""
import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from debug_guest import HIGH, SLOW, build, symbols  # noqa: E402

tests = []


def test(f):
    tests.append(f)
    return f


class Vm:
    """A machine that waits for gdb."""

    def __init__(self, o, elf, *args, wait=True):
        self.sock = f'{o.work}/g{len(os.listdir(o.work))}.sock'
        self.log = open(self.sock + '.log', 'w+b')
        self.process = subprocess.Popen([o.bruin, 'run', '--accel', o.engine, '--timeout', f'{60 * SLOW}s', f'--gdb={self.sock}', *(['--wait'] if wait else []), *args, elf],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 20 * SLOW
        while not os.path.exists(self.sock) and time.monotonic() < end and self.process.poll() is None:
            time.sleep(0.005)
        self.elf, self.sym = elf, symbols(elf)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def output(self):
        self.log.flush()
        with open(self.sock + '.log', encoding='utf-8', errors='replace') as f:
            return f.read()


def gdb(o, vm, *commands):
    """ret  what gdb says to each command"""
    script = f'{vm.sock}.{len(os.listdir(o.work))}.gdb'
    with open(script, 'w', encoding='ascii') as f:
        for c in ['set pagination off', 'set confirm off', 'set architecture aarch64', f'file {vm.elf}', f'target remote {vm.sock}', *commands]:
            f.write(f'echo \\n@@{c[:60]}\\n\n{c}\n')
    with open(script, 'rb') as f:  # out of a file an error would end it
        p = subprocess.run(['gdb-multiarch', '-nx', '-q'], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100 * SLOW, check=False)
    parts = [a.replace('(gdb) ', '').strip('\n') for a in re.split(r'^(?:\(gdb\) )*@@.*\n', p.stdout.decode(errors='replace'), flags=re.M)[1:]]
    answers = parts[5:]
    assert len(answers) == len(commands), f'gdb stopped at {commands[max(len(answers) - 1, 0)]!r}:\n{p.stdout.decode(errors="replace")[-1500:]}'
    return answers


def session(o, vm, *pairs):
    """Commands, each with what its answer must match."""
    for (command, pattern), answer in zip(pairs, gdb(o, vm, *(c for c, _ in pairs))):
        assert re.search(pattern, answer, re.S | re.M), f'{command}: {pattern!r} wanted\n{answer}'


# ---- gdb ----

@test
def registers(o):
    with Vm(o, build(o.work)) as vm:
        session(o, vm, ('print $pc', r'0x40080000'), ('print $cpsr', r'\[ .*EL=1.* I .*\]'), ('print/x $cpsr', '0x3c5'), ('print $SCTLR_EL1', '= 818939928'), ('print/x $MIDR_EL1', '0x420f0b10'),
                ('set $x5 = 0x123456789abcdef0', '^$'), ('print/x $x5', '0x123456789abcdef0'), ('print/x $w5', '0x9abcdef0'), ('set $v3.d.u[1] = 77', '^$'),
                ('print $v3.d.u[1]', '= 77'), ('print $q3', '= '), ('set $VBAR_EL1 = 0x40081000', '^$'), ('print/x $VBAR_EL1', '0x40081000'), ('set $TPIDR_EL0 = -1', '^$'),
                ('print $TPIDR_EL0 + 1', '= 0'), ('set $MIDR_EL1 = 1', 'Could not write register|E22|remote|cannot'), ('print/x $MIDR_EL1', '0x420f0b10'), ('set $fpcr = 0x03000000', '^$'),
                ('print/x $fpcr', '0x3000000'), ('set $sp = 0x50000000', '^$'), ('print/x $sp', '0x50000000'), ('info registers system', 'SCTLR_EL1 .*VBAR_EL1 '),
                ('set $cpsr = 0x400003c5', '^$'), ('print $cpsr', r' Z '), ('kill', ''))


@test
def memory(o):
    with Vm(o, build(o.work)) as vm:
        w = vm.sym['words']
        session(o, vm, ('x/2xw &words', '0x00000041.*0xffffffff'), ('set {int}&words = 0x5a5a5a5a', '^$'), ('x/xw &words', '0x5a5a5a5a'), ('x/s &text_bytes', r'"first \\"line\\"\\n"'),
                ('info mem', '0x'), ('x/xw 0x30000000', 'Cannot access memory'), ('x/4xb 0x5ffffffe', '0x5ffffffe:.*0x00.*0x00.*(Cannot|0x60000000)'),
                (f'restore {vm.elf} binary 0x50000000 0 20000', 'Restoring|restoring'), ('x/4xb 0x50000000', '0x7f.*0x45.*0x4c.*0x46'),
                (f'compare-sections .data', '.'), ('break accesses', 'Breakpoint 1'), ('continue', 'Breakpoint 1.* accesses'),
                ('x/xw 0x80000000', '0x80000000:.*0x0'), ('set {long}0x80000000 = 0x1122334455667788', '^$'), ('x/xw 0x80004000', 'Cannot access memory'),
                (f'x/xg {0xffffffffffff0000}', '0x1122334455667788'), (f'x/xw {w + HIGH:#x}', '0x5a5a5a5a'), ('x/xg 0x48000000', '0x48000000.*0x1122334455667788'),
                ('monitor phys on', 'gdb reads physical memory'), ('maintenance packet qqemu.PhyMemMode', 'received: "1"'), ('x/xg 0x48000000', '0x1122334455667788'),
                ('maintenance packet Qqemu.PhyMemMode:0', 'received: "OK"'), ('maintenance packet qqemu.PhyMemMode', 'received: "0"'), ('kill', ''))


@test
def points(o):
    with Vm(o, build(o.work)) as vm:
        cell = vm.sym['cell']
        session(o, vm, ('break high_main', 'Breakpoint 1'), ('continue', 'Breakpoint 1, .* high_main'), ('hbreak accesses', 'Hardware assisted breakpoint 2'), ('continue', 'Breakpoint 2, .* accesses'),
                ('watch *(long *)&cell', 'atchpoint 3'), ('continue', 'Old value = 72340172838076673.*New value = 1229782938247303441.* in w_stp '),
                ('continue', 'New value = 2459565876494606882.* in w_strq '), ('continue', 'New value = 4919131752989213764'), ('continue', 'New value = 0.* in '),
                ('continue', 'Old value = 0\nNew value = 1'), ('continue', 'New value = 2'), ('continue', 'New value = 3'), ('delete 3', ''),
                ('awatch *(char *)((char *)&cell + 3)', 'access .*watchpoint 4'), ('continue', 'access .*watchpoint 4'), ('delete 4', ''), ('rwatch *(long *)&cell', 'read watchpoint 5'), ('delete 5', ''), (f'watch *(long *){cell + HIGH:#x}', 'atchpoint 6'), ('continue', r'New value = 3689348814741910323.* in r_ldr '), ('delete', ''), ('rwatch *(long *)&cell', 'read watchpoint 7'), ('continue', 'read watchpoint 7.*Value = .* in r_ldp '), ('delete', ''),
                ('monitor b do_svc', 'breakpoint'), ('continue', 'breakpoint [0-9]+ at 0x[0-9a-f]+ do_svc.*SIGTRAP.* do_svc'), ('monitor delete', ''),
                ('monitor watch cell', 'watchpoint'), ('monitor info break', 'watch 0x'), ('monitor delete', ''), ('tbreak finish', 'breakpoint'), ('break do_wfi', ''), ('continue', 'do_wfi'), ('stepi', 'do_wfi'),
                ('continue', 'finish'), ('continue', 'exited normally|Remote connection closed'))
        assert vm.process.wait(20 * SLOW) == 0
    with Vm(o, build(o.work)) as vm:  # many, some twice, in both kinds
        n = vm.sym['accesses']
        session(o, vm, *((f'hbreak *{n + 4 * k:#x}', f'breakpoint {k + 1}') for k in range(20)), ('break accesses', 'Breakpoint 21'), ('continue', 'accesses'), ('delete 1', ''),
                ('stepi', ''), ('continue', 'Breakpoint 3'), ('delete', ''), ('detach', 'etached'))


@test
def steps(o):
    with Vm(o, build(o.work)) as vm:
        session(o, vm, ('break w_excl', 'Breakpoint 1'), ('continue', 'w_excl'), ('delete', ''), ('stepi 5', 'w_excl|w_stxr'), ('stepi 12', ' in w_'), ('tbreak do_svc', ''),
                ('continue', 'do_svc'), ('print $x8', '= '), ('stepi', r'0x[0-9a-f]+ in vectors'), ('print/x $ESR_EL1', '0x56000007'), ('print $ELR_EL1 == &after_svc', '= 1'),
                ('stepi 3', 'in after_svc'), ('stepi', 'do_wfi'), ('stepi', 'do_wfi'), ('print $x20', '= 1'), ('stepi', 'finish'), ('print $x20', '= 2'), ('stepi', 'in finish'),
                ('stepi', 'exited normally|Remote connection closed'))
        assert vm.process.wait(20 * SLOW) == 0


@test
def a_guest_that_dies(o):
    with Vm(o, build(o.work)) as vm:
        session(o, vm, ('set $pc = &mmu_on', ''), ('set $x0 = 0', ''), ('set $VBAR_EL1 = 0', ''), ('continue', 'exception loop.*(exit 115).*SIGABRT'), ('print/x $ESR_EL1', '0x'), ('info registers pc', 'pc'),
                ('monitor info cpus', 'cpu 0'), ('continue', 'exited with code 0163'))
        assert vm.process.wait(20 * SLOW) == 115, vm.output()
        assert 'exception loop' in vm.output(), vm.output()


@test
def coming_and_going(o):
    with Vm(o, build(o.work), '--monitor', f'{o.work}/beside.sock', '-c', '2') as vm:
        def monitor(*line):
            p = subprocess.run([o.bruin, 'monitor', f'{o.work}/beside.sock', *line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30 * SLOW, check=False)
            return p.stdout.decode()

        assert 'pc 0x40080000' in monitor('info cpus'), 'the monitor is there while gdb is waited for'
        session(o, vm, ('info threads', r'Thread 1.*CPU 0 EL1.*Thread 2.*CPU 1 .*off'), ('thread 2', 'Switching to thread 2'), ('print $pc', '= .*0x0'), ('stepi', '0x0'), ('thread 1', 'Switching'),
                ('thread 3', 'Unknown thread'), ('monitor b accesses', 'breakpoint'), ('detach', 'etached'))
        assert 'breakpoint' in monitor('wait', '20'), 'the monitor\'s points stay when gdb goes'
        assert 'gdb' not in monitor('info', 'break')
        session(o, vm, ('print $pc == &accesses', '= 1'), ('monitor c', "gdb's own continue"), ('monitor info status', 'stopped'), ('monitor system_reset', 'reset: at its first instruction'),
                ('maintenance flush register-cache', ''), ('print/x $pc', '0x40080000'), ('monitor delete', ''), ('monitor nonsense', 'not a command'), ('break finish', 'Breakpoint 1'), ('continue', 'finish'), ('kill', 'killed'))
        assert vm.process.wait(20 * SLOW) == 0


# ---- the protocol ----

class Raw:
    def __init__(self, path):
        end = time.monotonic() + 20 * SLOW
        while True:
            self.s = socket.socket(socket.AF_UNIX)
            try:
                self.s.connect(path)
                break
            except (ConnectionRefusedError, FileNotFoundError):
                assert time.monotonic() < end
                time.sleep(0.01)
        self.s.settimeout(20 * SLOW)
        self.left = b''

    def ask(self, packet):
        packet = packet if isinstance(packet, bytes) else packet.encode()
        self.s.sendall(b'$' + packet + b'#%02x' % (sum(packet) & 255))
        return self.reply()

    def reply(self):
        while b'#' not in self.left or len(self.left) < self.left.index(b'#') + 3:
            more = self.s.recv(65536)
            if not more:
                return None
            self.left += more
        end = self.left.index(b'#')
        body, self.left = self.left[self.left.index(b'$') + 1:end], self.left[end + 3:]
        self.s.sendall(b'+')
        return body.decode('latin1')


@test
def packets(o):
    with Vm(o, build(o.work), '-c', '2') as vm:
        r = Raw(vm.sock)
        assert 'qXfer:features:read+' in r.ask('qSupported:swbreak+;hwbreak+') and 'vContSupported+' in r.ask('qSupported')
        xml_text, at = '', 0
        while True:
            part = r.ask(f'qXfer:features:read:target.xml:{at:x},ffb')
            xml_text += re.sub(r'\}(.)', lambda m: chr(ord(m[1]) ^ 32), part[1:])
            at = len(xml_text)
            if part[0] == 'l':
                break
        regs = [e.get('name') for e in xml.etree.ElementTree.fromstring(xml_text).iter('reg')]
        assert len(regs) == len(set(regs)) and {'x30', 'sp', 'pc', 'cpsr', 'v31', 'fpcr', 'SCTLR_EL1', 'TTBR1_EL1', 'VBAR_EL1', 'ESR_EL1'} <= set(regs), regs
        part = r.ask('qXfer:memory-map:read::0,fff')
        spans = sorted((int(m.get('start'), 16), int(m.get('length'), 16)) for m in xml.etree.ElementTree.fromstring(part[1:]).iter('memory'))
        assert all(a + n == b for (a, n), (b, _) in zip(spans, spans[1:])) and spans[0][0] == 0 and sum(n for _, n in spans) >= 2**64 - 2, spans
        for packet, want in (('?', r'T05thread:1;'), ('qC', 'QC1'), ('qfThreadInfo', 'm1,2'), ('qsThreadInfo', 'l'), ('qAttached', '1'), ('vCont?', 'vCont;c;C;s;S'), ('Hg2', 'OK'), ('Hg0', 'OK'), ('Hg-1', 'OK'), ('Hg3', 'E'),
                             ('Hg', 'E'), ('T1', 'OK'), ('T3', 'E'), ('T0', 'E'), ('Hg1', 'OK'), ('p20', '0000084000000000'), ('pffff', 'E'), ('P0=', 'E'), ('P0=00', 'E'), ('m', 'E'), ('m0', 'E'), ('m30000000,4', 'E'),
                             ('m40080000,0', 'E'), ('mzz,4', '.*'), ('m40080000,ffffffffffffffff', '[0-9a-f]+'), ('M40080000,4:00', 'E'), ('M40080000', 'E'), ('X50000000,4:abcd', 'OK'), ('m50000000,4', '61626364'), ('X50000000,0:', 'OK'),
                             ('X50000000,2:}\x03}\x5d', 'OK'), ('m50000000,2', '237d'), ('X50000000,5:abcd', 'E'), ('Z0,40080002,4', 'E'), ('Z0,40080000,4', 'OK'), ('Z0,40080000,4', 'OK'), ('z0,40080000,4', 'OK'), ('z0,40080000,4', 'E'),
                             ('Z9,1,1', ''), ('Z', ''), ('Z2,40090040,0', 'E'), ('Z2,40090040,8', 'OK'), ('Z3,40090040,8', 'OK'), ('z2,40090040,8', 'OK'), ('z2,40090040,8', 'E'), ('z3,40090040,8', 'OK'), ('vCont;x', 'E'), ('vCont;s:9', 'E'), ('vCont', ''),
                             ('qXfer:features:read:target.xml:ffffffff,10', 'E00'), ('qXfer:features:read:target.xml:', '[ml]'), ('qRcmd,', 'OK'), ('qRcmd,zz', 'OK'), ('qRcmd,68656c70', '[0-9a-f]{100,}'), ('vMustReplyEmpty', ''), ('', ''), ('!', ''), ('nonsense', ''),
                             ('G00', 'OK|E'), ('vCont;s:1', 'T05thread:1;'), ('s', 'T05thread:1;')):
            got = r.ask(packet.encode('latin1'))
            assert got is not None and re.fullmatch(want if want != 'E' else 'E[0-9]{2}', got, re.S), f'{packet!r}: {got!r}, wanted {want!r}'
        r.s.sendall(b'$' + b'A' * 100000 + b'#00')  # longer than any packet may be
        assert r.reply() == ''
        assert r.ask('c') is not None  # to its end: finish powers off, WFI is a deadlock
        r.s.close()


@test
def ctrl_c(o):
    with Vm(o, f'{o.work}/spin.bin', '--load', '0x50000000', wait=False) as vm:
        r = Raw(vm.sock)
        got = r.ask('?')
        assert got.startswith('T05'), got
        for _ in range(5):
            r.s.sendall(b'$c#63')
            time.sleep(0.05)
            r.s.sendall(b'\x03')
            got = r.reply()
            assert got.startswith('T02thread:1;'), got
        got = r.ask('p20')
        assert got in ('0000005000000000', '0400005000000000'), got
        r.s.sendall(b'$c#63')
        time.sleep(0.05)
        r.s.close()  # it runs on
        r = Raw(vm.sock)
        assert r.ask('?').startswith('T05')
        assert r.ask('D') == 'OK'
        r = Raw(vm.sock)
        r.s.sendall(b'$k#6b')
        assert vm.process.wait(20 * SLOW) == 0


@test
def ways_to_start(o):
    p = subprocess.run([o.bruin, 'run', '--gdb=70000', build(o.work)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20 * SLOW, check=False)
    assert p.returncode == 125 and b'ports end at 65535' in p.stderr, p
    p = subprocess.run([o.bruin, 'run', '--gdb=/nosuch/dir/s', build(o.work)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20 * SLOW, check=False)
    assert p.returncode == 125 and b'/nosuch/dir/s' in p.stderr, p
    p = subprocess.run([o.bruin, 'run', '--gdb=soon', build(o.work)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20 * SLOW, check=False)
    assert p.returncode == 125 and b'soon' in p.stderr, p
    vm = subprocess.Popen([o.bruin, 'debug', f'--gdb={o.work}/d.sock', build(o.work)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line = vm.stderr.readline().decode()
    m = re.search(r"in another terminal: (gdb-multiarch .*)", line)
    assert m, line
    p = subprocess.run(m[1].replace('gdb-multiarch', 'gdb-multiarch -nx -batch') + " -ex 'break accesses' -ex continue -ex kill", shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60 * SLOW, check=False)
    assert b'Breakpoint 1, ' in p.stdout and b'accesses' in p.stdout, p.stdout.decode()
    assert vm.wait(20 * SLOW) == 0


def main():
    a = argparse.ArgumentParser()
    a.add_argument('bruin')
    a.add_argument('names', nargs='*')
    a.add_argument('--engine', default='jit')
    o = a.parse_args()
    o.bruin = os.path.abspath(o.bruin)
    if not shutil.which('gdb-multiarch'):
        print('needs gdb-multiarch')
        sys.exit(77)
    failed = 0
    with tempfile.TemporaryDirectory() as o.work:
        with open(f'{o.work}/spin.bin', 'wb') as f:
            f.write(bytes.fromhex('40e03bd5e0ff97b6'))  # mrs x0, cntvct_el0; tbz x0, #50, .-4
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
