#!/usr/bin/env python3
"""Every command of the monitor against a guest whose tables, memory and accesses are known (tests/guest/debug).

usage: monitor.py BRUIN [--engine jit|interp] [NAME]...     prints TAP
"""
import argparse
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from debug_guest import HIGH, SLOW, build, symbols  # noqa: E402

tests = []


def test(f):
    tests.append(f)
    return f


class Client:
    """A connection to the monitor. An answer ends with a NUL."""

    def __init__(self, path):
        end = time.monotonic() + 20 * SLOW
        while True: # it is bound, then listened at
            self.s = socket.socket(socket.AF_UNIX)
            try:
                self.s.connect(path)
                break
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)
        self.s.settimeout(30 * SLOW)

    def ask(self, line):
        self.s.sendall(line.encode() + b'\n')
        got = b''
        while not got.endswith(b'\0'):
            more = self.s.recv(1 << 20)
            if not more:
                raise AssertionError(f'{line}: the connection ended after {got[-200:]!r}')
            got += more
        return got[:-1].decode()


class Vm(Client):
    def __init__(self, o, elf, *args, image=None):
        self.path = f'{o.work}/m{len(os.listdir(o.work))}.sock'
        self.log = open(self.path + '.log', 'w+b')
        self.process = subprocess.Popen([o.bruin, 'run', '--accel', o.engine, '--timeout', f'{60 * SLOW}s', '--monitor', self.path, '--wait', *args, image or elf],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 20 * SLOW
        while not os.path.exists(self.path) and time.monotonic() < end and self.process.poll() is None:
            time.sleep(0.005)
        super().__init__(self.path)
        self.elf, self.sym = elf, symbols(elf)

    def want(self, line, pattern):
        text = self.ask(line)
        if not re.search(pattern, text, re.M):
            raise AssertionError(f'{line}: {pattern!r} is not in\n{text}')
        return text

    def go(self, pattern):
        """Continues until it stops again."""
        self.want('c', '^$')
        return self.want('wait 20', pattern)

    def to(self, place):
        self.want(f'b {place}', 'breakpoint')
        text = self.go(f'breakpoint .* {place}, cpu 0')
        self.want('delete', '^$')
        return text

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.s.close()
        self.process.kill()
        self.process.wait()
        self.log.close()


# ---- looking ----

@test
def the_first_instruction(o):
    with Vm(o, build(o.work)) as vm:
        vm.want('info status', '^waits at the first instruction')
        vm.want('info cpus', r'^\* cpu 0: pc 0x40080000 _start, EL1, running$')
        text = vm.want('info registers', r'^pc  0x0*40080000 _start$')
        assert re.search('EL1h .* DAIF MMU off', text) and 'fpcr' not in text, text
        assert 'fpcr 0x' in vm.want('info registers all', r'^v0  0x0{32}')
        vm.want('info registers pc $SCTLR_EL1', r'^pc +0x40080000\nSCTLR_EL1 +0x30d00818$')
        vm.want('info mem', 'MMU off: virtual = physical')
        vm.want('pt 0x40080000', 'MMU off: PA = VA = 0x40080000')
        vm.want('x/2i $pc', rf'^=> 0x0*40080000 <_start>: [0-9a-f]{{8}}  adrp x1, 0x[0-9a-f]+\n   0x0*40080004 <_start\+0x4>: [0-9a-f]{{8}}  add x1, x1')
        vm.want('info sysreg MIDR_EL1', '^MIDR_EL1 0x00000000420f0b10$')
        vm.want('info sysreg sctlr_el1', r'^SCTLR_EL1 0x0*30d00818\n  M \(MMU\) 0')
        vm.want('info sysreg SCTLR_EL11', 'did you mean SCTLR_EL1')
        assert vm.ask('info sysreg').count('0x') > 60, vm.ask('info sysreg')


@test
def expressions(o):
    with Vm(o, build(o.work)) as vm:
        cell = vm.sym['cell']
        for text, value in (('1 + 2 * 3', 7), ('(1 + 2) * 3', 9), ('7 & 3 + 1', 7 & 4), ('1 | 6 ^ 2 & 3', 1 | 6 ^ 2 & 3), ('1 << 4 + 1', 32),
                            ('0xff >> 4', 15), ('-1', 2**64 - 1), ('~0 - 1', 2**64 - 2), ('17 % 5', 2), ('17 / 5', 3), ('0b101', 5), ('010', 10),
                            ('$pc', 0x40080000), ('$pc == _start', 1), ('$pc != _start', 0), ('cell', cell), ('cell+0x10', cell + 16),
                            ('*cell', 0x0101010101010101), ('*(cell + 8) & 0xff', 2), ('$SCTLR_EL1 & 1', 0), ('$w0', None), ('$sp', 0),
                            ('1 << 64', 0), ('0xffffffffffffffff + 1', 0)):
            got = vm.want(f'p {text}', '^0x')
            assert value is None or int(got.split()[0], 16) == value, f'{text}: {got}'
        for fmt, want in (('x', '0x41'), ('d', '65'), ('u', '65'), ('o', '0101'), ('t', '0b1000001'), ('c', "'A'")):
            assert vm.ask(f'p/{fmt} 0x41').strip() == want
        assert vm.ask('p/d -5').strip() == '-5'
        for text, words in (('1 / 0', 'division by zero'), ('1 % 0', 'division by zero'), ('12345678901234567890123', 'more than 64 bits'),
                            ('0x', 'is no number'), ('12ab', 'is no number'), ('(1', r'`\)` wanted'), ('1 2', '`2` is left over'), ('$SCTLR_EL', 'did you mean'),
                            ('cel', 'did you mean `cell`'), ('', 'is wanted'), ('((((((((((((((((((((1', 'nested deeper'), ('*0x10', 'no memory at 0x10'),
                            ('nonsense_of_all_kinds', 'no symbol or register'), ('+' * 500, 'nested deeper')):
            vm.want(f'p {text}', words)
        vm.want('p/z 1', 'a format is one of')


@test
def examine(o):
    with Vm(o, build(o.work)) as vm:
        w, t = vm.sym['words'], vm.sym['text_bytes']
        for x in ('x', 'xp'): # the MMU is off: they are the same
            for how, want in (('4xw', '0x00000041 0xffffffff 0x80000000 0x3fc00000'), ('2xb', '0x41 0x00'), ('2xh', '0x0041 0x0000'),
                              ('1xg', '0xffffffff00000041'), ('2dw', '65 -1'), ('2uw', '65 4294967295'), ('1ow', '0101'), ('1tb', '01000001'),
                              ('1tw', '0' * 25 + '1000001'), ('2cb', r"65 'A' 0 '\x00'"), ('1c', "65 'A'")):
                text = vm.ask(f'{x}/{how} words').strip()
                assert text == f'0x{w:016x} <words>: {want}', f'{x}/{how}: {text}'
            vm.want(f'{x}/fw words+12', r'<words\+0xc>: 1\.5$')
            vm.want(f'{x}/fg words+16', r': 3\.14159265358979\d+$')
            vm.want(f'{x}/a words+24', rf': 0x{vm.sym["accesses"]:x} <accesses>$')
            vm.want(f'{x}/2s text_bytes', rf'^0x{t:016x}: "first \\"line\\"\\n"\n0x{t + 14:016x}: "second"$')
            vm.want(f'{x}/1xw 0x09000000', 'device pl011, not read')
            vm.want(f'{x}/1xw 0x30000000', 'no memory')
            vm.want(f'{x}/i 0x40080001', 'multiples of 4')
        assert vm.ask('x/2xw words').strip().endswith('0x00000041 0xffffffff')
        vm.want('x', f'^0x{w + 8:016x} ') # goes on, with the same format
        vm.want('x/99999999999999999999xb 0x40080000', r'at most 65536 at once')
        vm.want('x/0x 0', 'count is 0')
        vm.want('x/4q 0', 'neither a format')
        vm.want('x/-1 0', 'neither a format')
        vm.want('x/2xw 0x5ffffffc', r'0x[0-9a-f]{8} no memory$')


def ranges(text, half):
    """(va, end, pa, permissions, type) of each line of a half."""
    at = text.split(f'{half}_EL')[1].split('TTBR')[0]
    return [(int(m[1], 16), int(m[2], 16) + 1, int(m[3], 16), m[4], m[5]) for m in
            re.finditer(r'^([0-9a-f]{16})-([0-9a-f]{16}) -> ([0-9a-f]+) +\d+ KiB  ((?:EL\d ...)(?: EL0 ...)?)  (.*)$', at, re.M)]


def truth(granule, el):
    """What tests/guest/debug/tables.c maps."""
    page, big, m = 1 << granule, {12: 1 << 30, 14: 1 << 25, 16: 1 << 29}[granule], 2 * granule - 3
    va, pa, wb = 0x80000000, 0x48000000, 'Normal-WB inner-shareable'
    rows = [(0x09000000, 0x09000000 + page, 0x09000000, 'rw-', '---', 'Device-nGnRnE'), (0x40000000, 0x40000000 + big, 0x40000000, 'rwx', '--x', wb)]
    for n, priv, user, kind in ((0, 'rw-', '---', wb), (1, 'r--', '---', wb), (2, 'rw-', 'rw-', wb), (3, 'r--', 'r-x', wb),
                                (5, 'rw-', '---', 'Normal-NC outer-shareable'), (7, 'r-x', '---', 'Normal-WT non-shareable')):
        rows.append((va + n * page, va + (n + 1) * page, pa + n * page, priv, user, kind))
    rows += [(va + 32 * page, va + 48 * page, pa + 32 * page, 'rw-', '---', wb), (va + 48 * page, va + 64 * page, pa + 48 * page, 'r--', '---', wb),
             (va + (1 << m), va + (1 << m) + page, pa, 'r-x', 'r--', wb)]
    if el == 2: # one XN bit, bit 54, and no EL0
        xn = {va + 3 * page: 'r-x', va + 7 * page: 'r--', va + (1 << m): 'r--'}
        rows = [(a, b, p, xn.get(a, priv), '', kind) for a, b, p, priv, user, kind in rows]
        rows = [(a, b, p, f'EL2 {priv}', kind) for a, b, p, priv, _, kind in rows]
        return rows, []
    low = [(a, b, p, f'EL1 {priv} EL0 {user}', kind) for a, b, p, priv, user, kind in rows]
    top = 0xffffffffffff0000
    high = [(HIGH + 0x40000000, HIGH + 0x40000000 + big, 0x40000000, 'EL1 rwx EL0 ---', wb), (top, top + page, pa, 'EL1 rw- EL0 ---', wb)]
    return low, high


@test
def address_spaces(o):
    for granule, el in ((12, 1), (14, 1), (16, 1), (12, 2), (14, 2), (16, 2)):
        with Vm(o, build(o.work, granule, el), '--el', str(el)) as vm:
            vm.to('accesses')
            text = vm.want('info mem', '^TTBR0')
            low, high = truth(granule, el)
            assert ranges(text, 'TTBR0') == low, f'{granule} EL{el}\n{text}\nwanted {low}'
            assert el == 2 or ranges(text, 'TTBR1') == high, f'{granule}\n{text}\nwanted {high}'
            page, kib = 1 << granule, (1 << granule) // 1024
            vm.want('pt 0x80000010', rf'(?s)L3 \[0x[0-9a-f]+\] = 0x[0-9a-f]+ page\n  PA 0x48000010, page of {kib} KiB')
            vm.want(f'pt {0x80000000 + 4 * page:#x}', 'access flag fault, level 3')
            vm.want(f'pt {0x80000000 + 6 * page:#x}', r'(?s)invalid\n  translation fault, level 3')
            vm.want('pt 0x40080000', r'(?s)block\n  PA 0x40080000')
            vm.want(f'x/xg {0x80000000 + 6 * page:#x}', 'not mapped')
            text = vm.want('info tlb', r'^soft TLB of cpu 0 at EL' + str(el))
            at = [m for m in re.finditer(r'^(...) (?:global|asid  ) ([0-9a-f]+)-([0-9a-f]+) -> ([0-9a-f]+)', text, re.M)]
            assert at and any('x' in m[1] and int(m[2], 16) <= vm.sym['accesses'] <= int(m[3], 16) for m in at), text
            assert all(int(m[2], 16) & 0x7fffffff == int(m[4], 16) & 0x7fffffff for m in at) and 'say otherwise' not in text, text


@test
def devices_and_interrupts(o):
    with Vm(o, build(o.work), '-c', '2') as vm:
        vm.to('accesses')
        text = vm.want('info mtree', r'^000009000000-000009000fff MMIO pl011, 0 accesses$')
        assert re.search(r'^000040000000-00005fffffff RAM  ram$', text, re.M) and '0 reads, 0 writes' in text, text
        text = vm.want('info irq', r'^cpu 0: IRQ wire down, FIQ wire down, PSTATE\.I 1, PSTATE\.F 1$')
        assert 'cpu 1:' in text and 'virtual timer: CTL 0x0' in text and 'enabled: none' in text, text
        vm.want('info cpus', r'^\* cpu 0: pc 0x[0-9a-f]+ accesses, EL1, running\n  cpu 1: pc 0x0 , EL1, off$')
        vm.want('cpu 1', '^$')
        vm.want('s', 'cpu 1 is off')
        vm.want('info registers pc', '^pc +0x0$')
        vm.want('cpu 4294967296', 'no cpu 4294967296: there are 2')
        vm.want('cpu 2', 'no cpu 2')
        vm.want('cpu', '^cpu 1$')
        vm.want('explain', '(?i)nothing|cpu')


# ---- points ----

@test
def breakpoints_before_and_after_the_mmu(o):
    for cpus in ('1', '2'):
        with Vm(o, build(o.work), '-c', cpus) as vm:
            high, low = vm.sym['high_main'], vm.sym['accesses']
            vm.want('b high_main', f'breakpoint 1 at physical {high - HIGH:#x} high_main')
            vm.want(f'b {high + 4:#x}', f'breakpoint 2 at {high + 4:#x} high_main') # as the guest will see it
            vm.want('b virt accesses+4', f'breakpoint 3 at {low + 4:#x}')
            vm.want(f'b phys {low + 8:#x}', 'breakpoint 4 at physical')
            vm.want('b high_mian', 'did you mean `high_main`')
            vm.want('b 0x40080002', 'not a multiple of 4')
            vm.want('b high_main garbage', 'left over')
            for place in (high, high + 4, low + 4, low + 8):
                vm.go(f'breakpoint . at {place:#x} .*, cpu 0\n=> 0x{place:016x}')
            text = vm.want('info break', r'^1: physical .* high_main, hit 1 times$')
            assert text.count('hit 1 times') == 4, text
            vm.want('delete 4294967297', 'no breakpoint or watchpoint 4294967297')
            vm.want('delete 3', '^$')
            vm.want('delete 3', 'no breakpoint or watchpoint 3')
            vm.want(f'b {vm.sym["w_str"]:#x}', 'breakpoint 5 at 0x4008') # mapped: virtual
            vm.want('b 0x50000000', 'breakpoint 6 at 0x50000000')        # mapped, too
            vm.want('b 0x08000000', 'breakpoint 7 at physical 0x8000000') # a device's place, not mapped
            vm.want('s 100000', 'breakpoint 5 at .* w_str, cpu 0\n=> ') # steps stop at breakpoints
            vm.want('delete', '^$')
            vm.want('info break', 'no breakpoints, no watchpoints')
    with Vm(o, build(o.work)) as vm: # more than there is room for
        for n in range(128):
            vm.want(f'b {0x40080000 + 4 * n:#x}', f'breakpoint {n + 1} ')
        vm.want('b 0x40090000', 'all 128 breakpoints are in use')


@test
def steps(o):
    with Vm(o, build(o.work)) as vm:
        vm.to('w_excl')
        for n in range(3): # a loop of exclusives gets on
            vm.want('s 5', r'=> ')
        vm.to('do_svc')
        vm.want('s', r'=> 0x[0-9a-f]+ <vectors\+0x200>')
        vm.want('s 3', r'=> 0x[0-9a-f]+ <after_svc>')
        vm.to('do_wfi')
        vm.want('s', r'=> 0x[0-9a-f]+ <do_wfi\+0x4>')
        vm.want('s 1', r'=> 0x[0-9a-f]+ <finish>')
        vm.want('info registers x20 x21', '^x20 +0x2\nx21 +0x1$')
        vm.want('s 2 3', 'left over')
        vm.want('s x', 'did you mean|no symbol')


def words(*values):
    return ' '.join(f'{v:#x}' for v in values)


@test
def watchpoints(o):
    one, two, three, four, five = (int(str(k) * 16, 16) for k in range(1, 6))
    with Vm(o, build(o.work)) as vm:
        cell = vm.sym['cell']
        vm.to('w_str')
        vm.want('watch cell 16', f'watchpoint 2: {cell:#x} cell, 16 bytes')

        def hit(label, old, new, size, what='write', at=None):
            line = f'watchpoint 2: {what} of {size} bytes at {at or cell:#x} by {vm.sym[label]:#x} {label}: .*, cpu 0\n'
            vm.go(line + f'  .*: old {old}, new {new}\n=> ')

        hit('w_str', words(0x0101010101010101), words(one), 8)
        hit('w_stp', words(one, 0x0202020202020202), words(two, three), '(8|16)')
        hit('w_strq', words(two, three), words(four, five), '(8|16)')
        vm.go('watchpoint 2: write of .* w_st1: st1')  # the same values again
        hit('w_zva', words(four, five), words(0, 0), '[0-9]+')
        for n in range(3):
            hit('w_stxr', words(n), words(n + 1), 8)
        hit('w_ldadd', words(3), words(3 + one), 8)
        hit('w_cas', words(3 + one), words(two), 8)
        text = vm.go(f'watchpoint 2: write of 1 bytes at {cell + 3:#x} by .* w_byte')
        assert 'old 0x22, new 0x55' in text, text
        text = vm.go(f'watchpoint 2: write of 8 bytes at {cell - 4:#x} by .* w_cross')
        assert f'{cell:#x}: old 0x2222222255222222, new 0x2222222244444444' in text or 'old 0x55222222, new 0x44444444' in text, text
        vm.want('info break', r'^2: watch 0x[0-9a-f]+ cell, 16 bytes, hit 12 times$')
        vm.want('delete', '^$')
        vm.want(f'watch {cell + HIGH:#x} 8', 'watchpoint')  # by its alias
        vm.go(f'write of 8 bytes at {cell + HIGH:#x} by .* w_alias')
        vm.want('delete', '^$')
        vm.want('rwatch cell', 'watchpoint')
        vm.go('read of 8 bytes .* r_ldr')
        vm.go('read of .* r_ldp')
    with Vm(o, build(o.work)) as vm:  # before the MMU is on: by the physical address, whatever its alias
        vm.to('mmu_on')
        vm.want('awatch cell 4096', 'watchpoint 2: (physical )?0x')
        vm.want('delete', '^$')
        vm.want('watch phys cell', 'watchpoint 3: physical')
        seen = []
        for _ in range(15):
            text = vm.go('watchpoint 3')
            seen.append(re.search(r'by 0x[0-9a-f]+ (\w+)', text)[1])
            if seen[-1] == 'w_alias':
                break
        assert seen == ['w_str', 'w_stp', 'w_strq', 'w_st1', 'w_zva', 'w_stxr', 'w_stxr', 'w_stxr', 'w_ldadd', 'w_cas', 'w_byte', 'w_cross',
                        'w_alias'], seen
        for line, why in (('watch cell 0', '1 to 4096 bytes, not 0'), ('watch cell 5000', '1 to 4096 bytes'), ('watch', 'is wanted'),
                          ('watch cell x y', 'no symbol'), ('watch 0xffffffffffffffff 8', '1 to 4096 bytes|watchpoint')):
            vm.want(line, why)
        for n in range(40):
            text = vm.ask(f'watch {cell + n:#x}')
        assert 'all 32 watchpoints are in use' in text, text


@test
def linux_before_its_mmu(o):
    """Debian's kernel, which will put itself at random addresses: by its own names, by an ELF file, by a System.map without _text."""
    cache = os.environ.get('BRUIN_CACHE') or os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
    image = f'{cache}/Image-cloud'
    if not os.path.exists(image):
        return
    elf, table = f'{o.work}/linux.elf', f'{o.work}/System.map'
    subprocess.run([o.bruin, 'inspect', '--symbols-elf', elf, image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    with open(table, 'wb') as f:
        subprocess.run(['aarch64-linux-gnu-nm', '-n', elf], stdout=f, check=True)
    for cpus, names in (('1', None), ('2', table), ('2', elf)):
        with Vm(o, elf, '-c', cpus, *(['--symbols', names] if names else []), '-i', f'{cache}/initramfs.cpio.gz', image=image) as vm:
            vm.want('b start_kernel', 'breakpoint 1 at physical 0x4[0-9a-f]+ start_kernel')
            text = vm.go(r'breakpoint 1 at 0xffff[0-9a-f]+ start_kernel, cpu 0\n=> ')
            at = int(re.search('at (0x[0-9a-f]+)', text)[1], 16)
            assert at != vm.sym['start_kernel'], 'KASLR is at work'
            vm.want('p start_kernel', f'^{at:#x} = ')
            vm.want('p $SCTLR_EL1 & 1', '^0x1')
            if o.engine == 'jit':
                vm.want('b rest_init', 'breakpoint 2 at 0xffff')
                vm.go('breakpoint 2 at .* rest_init, cpu 0')


# ---- the ways in ----

@test
def hostile_lines(o):
    with Vm(o, build(o.work)) as vm:
        for line, why in (('frobnicate', 'not a command; try help'), ('helq', 'did you mean `help`'), ('info registrs', 'did you mean `registers`'),
                          ('info', '^info: what'), ('info bogusall', 'none of|what'), ('info mem now', 'takes no argument'), ('c now', 'takes no argument'), ('!!!', 'not a command'),
                          ('x' * 40, 'not a command'), ('p ' + '1' * 900, 'is no number|more than 64'), ('help frob', 'not a command'), ('', '^$'), ('   ', '^$'),
                          ('wait soon', 'a number of seconds'), ('wait 0', 'waits at the first')):
            vm.want(line, why)
        vm.want('p ' + '1' * 5000, 'longer than 1023')
        vm.want('p 1', '^0x1 = 1$')
        assert '\x1b' not in vm.ask('p \x1b[31m') and '\x07' not in vm.ask('\x07\x07')
        text = vm.ask('help')
        for command in ('info', 'x', 'xp', 'p', 'pt', 'b', 'watch', 'rwatch', 'awatch', 'delete', 'c', 's', 'stop', 'wait', 'cpu', 'explain', 'system_reset',
                        'quit', 'help'):
            assert re.search(rf'^{command}[ /]', text, re.M), f'{command} in\n{text}'
            vm.want(f'help {command}', f'^{command}[ /]')
        assert max(map(len, text.splitlines())) <= 101, text
        other = Client(vm.path)  # two at a time
        assert 'waits at the first' in other.ask('info status')
        other.ask('stop')
        vm.want('p 2', '^0x2')
        other.s.sendall(b'x/60000xb 0x40080000\n' * 20)  # goes away in the middle
        other.s.close()
        half = Client(vm.path)
        half.s.sendall(b'info cp')
        half.s.close()
        vm.want('p 3', '^0x3')
        many = [Client(vm.path) for _ in range(8)]
        assert all('0x4 = 4' in c.ask('p 4') for c in many)
        vm.want('b accesses', 'breakpoint')
        many[0].ask('c')
        assert all('breakpoint 1 at' in c.ask('wait 20') for c in many), 'everybody is told'
        vm.want('system_reset', '^$')
        vm.want('wait 20', 'breakpoint 1 at .* accesses')  # boots again, and the breakpoint is still there
        one = subprocess.run([o.bruin, 'monitor', vm.path, 'p', '1', '+', '1'], stdout=subprocess.PIPE, check=False)
        assert one.returncode == 0 and one.stdout == b'0x2 = 2\n', one
        text = subprocess.run([o.bruin, 'monitor', vm.path], input=b'p 5\np 6\n' + b'p 7' + b' ' * 3000 + b'\n', stdout=subprocess.PIPE, check=False)
        assert text.returncode == 0 and text.stdout.startswith(b'0x5 = 5\n0x6 = 6\n') and b'longer than' in text.stdout, text
        stuck = Client(vm.path)  # takes nothing: the end does not wait for it
        stuck.s.sendall(b'x/65536xb 0x40080000\n' * 50)
        time.sleep(0.2)
        subprocess.run([o.bruin, 'monitor', vm.path, 'quit'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=20 * SLOW)
        assert vm.process.wait(20 * SLOW) == 0
    gone = subprocess.run([o.bruin, 'monitor', vm.path, 'p 1'], stderr=subprocess.PIPE, check=False)
    assert gone.returncode == 125 and b'No such file' in gone.stderr, gone


@test
def on_the_console(o):
    """Ctrl-A c in a terminal: the same commands; a breakpoint gives the prompt back."""
    elf = build(o.work)
    master, slave = pty.openpty()
    p = subprocess.Popen([o.bruin, 'run', '--accel', o.engine, '--timeout', f'{60 * SLOW}s', '--load', f'{o.work}/spin.bin@0x50000000', '--entry', '0x50000000', elf],
                         stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    seen = b''

    def expect(pattern):
        nonlocal seen
        end = time.monotonic() + 20 * SLOW
        while not re.search(pattern, seen):
            assert time.monotonic() < end, f'{pattern!r} was not seen:\n{seen.decode(errors="replace")}'
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 65536)
        seen = re.split(pattern, seen, 1)[-1]

    def say(line):
        os.write(master, line.encode() + b'\r')

    try:
        expect(rb'MiB')
        os.write(master, b'\x01c')
        expect(rb'stopped; c continues\r+\n\(bruin\) ')
        say('p 6 * 7')
        expect(rb'0x2a = 42\r+\n\(bruin\) ')
        os.write(master, b'garbage\x15info cpx\x7fus\r')  # Ctrl-U, backspace
        expect(rb'\* cpu 0: pc 0x5000000[04] , EL1, running\r+\n\(bruin\) ')
        say('help s')
        expect(rb's \[N\] .*\r+\n')
        say('b 0x50000004')
        expect(rb'breakpoint 1 at')
        say('c')
        expect(rb'breakpoint 1 at 0x50000004 , cpu 0\r+\n=> 0x0*50000004: [0-9a-f]{8}  tbz x0, #50, 0x50000000\r+\n\(bruin\) ')
        say('delete')
        expect(rb'\(bruin\) ')
        say('s 2')
        expect(rb'=> 0x0*50000004')
        say('quit')
        expect(rb'\(exit 0\)')
        assert p.wait(20 * SLOW) == 0
    finally:
        p.kill()
        os.close(master)
        os.close(slave)


def main():
    a = argparse.ArgumentParser()
    a.add_argument('bruin')
    a.add_argument('names', nargs='*')
    a.add_argument('--engine', default='jit')
    o = a.parse_args()
    o.bruin = os.path.abspath(o.bruin)
    failed = 0
    with tempfile.TemporaryDirectory() as o.work:
        with open(f'{o.work}/spin.bin', 'wb') as f:
            f.write(struct.pack('<II', 0xd53be040, 0xb697ffe0))  # mrs x0, cntvct_el0; tbz x0, #50, .-4
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
