#!/usr/bin/env python3
"""Debian's cloud kernel booted wrongly: each end must be named with its exit code. For soaks (half a minute a CPU and engine).

usage: linux.py BRUIN [--interp] [NAME...]      --interp: in the interpreter, too (minutes)

Needs ~/.cache/bruin (make deps). 124 means that it boots well in spite of it, or waits for ever, and is warned about.
"""
import gzip
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

CACHE = os.environ.get('BRUIN_CACHE', os.path.expanduser('~/.cache/bruin'))
NOP, SELF, UDF, BRK, RET = 0xd503201f, 0x14000000, 0x00000000, 0xd4200000, 0xd65f03c0
DIR, EXE = 0o40755, 0o100755


class Workshop:
    """Makes wrong files in a folder."""

    def __init__(self, bruin, work):
        self.bruin, self.work = bruin, work
        self.image, self.initrd = f'{CACHE}/Image-cloud', f'{CACHE}/initramfs.cpio.gz'
        with open(self.image, 'rb') as f:
            self.kernel = f.read()
        with open(self.initrd, 'rb') as f:
            self.archive = f.read()
        self.random = random.Random(1)
        subprocess.run([bruin, 'inspect', '--symbols-elf', self.path('symbols'), self.image], stdout=subprocess.DEVNULL, check=True)
        names = subprocess.run(['aarch64-linux-gnu-nm', self.path('symbols')], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.symbol = {line.split()[2]: int(line.split()[0], 16) for line in names.splitlines()}

    def path(self, name):
        return os.path.join(self.work, name)

    def file(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data)
        return self.path(name)

    def patched(self, name, edits):
        """The kernel with words replaced: (symbol, offset, words)."""
        data = bytearray(self.kernel)
        for symbol, offset, words in edits:
            at = self.symbol[symbol] - (self.symbol['_stext'] - 0x10000) + offset
            data[at:at + 4 * len(words)] = struct.pack(f'<{len(words)}I', *words)
        return self.file(name + '.img', bytes(data))

    def dtb(self, name, edits, options=()):
        """The board's device tree, its source changed by regular expressions."""
        with open(self.path('b.dtb'), 'wb') as f:
            subprocess.run([self.bruin, 'dtb', 'dump', *options], stdout=f, check=True)
        text = subprocess.run(['dtc', '-q', '-I', 'dtb', '-O', 'dts', self.path('b.dtb')], stdout=subprocess.PIPE, text=True, check=True).stdout
        for pattern, new in edits:
            changed = re.sub(pattern, new, text, flags=re.S)
            assert changed != text, f'{name}: {pattern} is not in the device tree'
            text = changed
        subprocess.run(['dtc', '-q', '-I', 'dts', '-O', 'dtb', '-o', self.path(name + '.dtb'), '-'], input=text, text=True, check=True)
        return self.path(name + '.dtb')

    def cpio(self, name, files):
        out = b''
        for member, mode, data in files + [('TRAILER!!!', 0, b'')]:
            n = member.encode() + b'\0'
            entry = b'070701' + b''.join(b'%08x' % v for v in (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(n), 0)) + n
            out += entry + b'\0' * (-len(entry) % 4) + data + b'\0' * (-len(data) % 4)
        return self.file(name, gzip.compress(out))

    def program(self, name, code):
        with open(self.path(name + '.S'), 'w', encoding='ascii') as f:
            f.write('.global _start\n_start:\n' + code + '\n')
        subprocess.run(['aarch64-linux-gnu-gcc', '-nostdlib', '-static', '-Wl,--build-id=none', self.path(name + '.S'), '-o', self.path(name)], check=True)
        with open(self.path(name), 'rb') as f:
            return f.read()


def cases(w):
    """Yields name, options, exit codes, ids, what must be said, kernel."""
    out = []

    def case(name, args, codes, ids, text, _fix='', kernel=None):
        out.append((name, args, codes, ids, text, kernel or w.image))

    # The command line, the initramfs, memory.
    case('no_initrd_root', [], '112', 'F20|F19', 'root')
    case('root_sda', ['-a', 'root=/dev/sda1'], '112', 'F20|F19', 'root')
    case('root_vda_nodisk', ['-a', 'root=/dev/vda rw'], '112,124', 'F20|F19', 'root|vda')
    case('root_wait', ['-a', 'root=/dev/vda rootwait'], '124,114', 'F19|F13|F20', 'root|vda')
    case('console_s0', ['-i', w.initrd, '--cmdline', 'console=ttyS0'], '0,124,112', 'F19', 'ttyAMA0')
    case('console_ama1', ['-i', w.initrd, '--cmdline', 'console=ttyAMA1'], '0,124,112', 'F19', 'ttyAMA0')
    case('earlycon_addr', ['-i', w.initrd, '--cmdline', 'earlycon=pl011,0x1c090000 console=ttyAMA0'], '115,112,0,124', 'F19|F09|F20', '1c090000|9000000')
    case('earlycon_8250', ['-i', w.initrd, '--cmdline', 'earlycon=uart8250,mmio32,0x9000000 console=ttyAMA0'], '0,112,115,124,114', 'F19', 'pl011|PL011|8250')
    case('init_missing', ['-i', w.initrd, '-a', 'rdinit=/sbin/nothing root=/dev/ram0'], '112', 'F20|F19', 'init|rdinit')
    case('init_noexec', ['-i', w.cpio('i1', [('init', 0o100644, b'#!/bin/sh\n')])], '112', 'F20', 'init')
    case('init_noshell', ['-i', w.cpio('i2', [('init', EXE, b'#!/bin/bash\necho hi\n')])], '112', 'F20', 'init|/bin/bash|interpreter')
    case('init_x86', ['-i', w.cpio('i3', [('init', EXE, b'\x7fELF\x02\x01\x01' + bytes(9) + b'\x02\0\x3e\0\x01' + bytes(4000))])], '112', 'F20', 'ENOEXEC|-8|init|x86')
    case('init_exits', ['-i', w.cpio('i4', [('init', EXE, w.program('ie', 'mov x0, #3\n mov x8, #93\n svc #0'))])], '112', 'F20', 'init.*(exit|ended|died)|kill init')
    case('init_segv', ['-i', w.cpio('i5', [('init', EXE, w.program('is', 'mov x0, #0\n str x0, [x0]'))])], '112', 'F20', 'init')
    case('init_undef', ['-i', w.cpio('i6', [('init', EXE, w.program('iu', '.inst 0'))])], '112', 'F20', 'init|SIGILL')
    case('init_pause', ['-i', w.cpio('i7', [('init', EXE, w.program('ip', '1: wfe\n b 1b'))])], '124,114', '', '')
    case('initrd_garbage', ['-i', w.file('g', w.random.randbytes(100000))], '112,126', 'F20|F19', 'initrd|initramfs|archive')
    case('initrd_truncated', ['-i', w.file('tr', w.archive[:300000])], '112,0,126', 'F20|F19', 'initrd|initramfs|trunc|archive|ended')
    case('initrd_empty', ['-i', w.file('em', b'')], '112,125,126', '', 'empty')
    case('initrd_zip', ['-i', w.file('z.zip', b'PK\x03\x04' + w.random.randbytes(5000))], '112,126', 'F20|F19', 'zip|archive')
    case('initrd_lz4', ['-i', w.file('lz', b'\x04\x22\x4d\x18' + w.random.randbytes(5000))], '112,126', 'F20|F19', 'lz4|archive|initr')
    case('initrd_ext', ['-i', w.file('ext', b'\0' * 1080 + b'\x53\xef' + b'\0' * 60000)], '112,126', 'F20|F19', 'ext|archive|file system')
    case('initrd_is_kernel', ['-i', w.image], '112,126', 'F20|F19', 'kernel|Image')
    case('mem_32', ['-i', w.initrd, '-m', '32M'], '112,126,125,114,115', 'F20|F10|F19', 'memory|RAM|-m')
    case('mem_64', ['-i', w.initrd, '-m', '64M'], '0,112,126,114,124', '', '')
    case('mem_cmd', ['-i', w.initrd, '-a', 'mem=40M'], '112,114,115', 'F20|F19', 'mem=')
    case('mem_cmd_8', ['-i', w.initrd, '-a', 'mem=8M'], '112,114,115', 'F20|F19|F08', 'mem=')
    case('panic_noconsole', ['--cmdline', 'root=/dev/vda'], '112', 'F20', 'root')
    case('panic_quiet', ['--cmdline', 'quiet loglevel=0 console=ttyAMA0'], '112', 'F20', 'root')
    case('panic_reboot', ['-a', 'panic=1', '--no-reboot'], '112,113', 'F20|F19|', 'root')
    case('panic_nullcon', ['--cmdline', 'console= '], '112', 'F20', 'root')
    case('nosmp_maxcpus', ['-i', w.initrd, '-c', '2', '-a', 'maxcpus=0'], '0,124', '', '')
    case('init_arg_typo', ['-i', w.initrd, '-a', 'rdinit=/int'], '112', 'F20|F19', 'rdinit|/int')
    # Device trees.
    case('dtb_nomem', ['-i', w.initrd, '--dtb', w.dtb('nomem', [(r'memory@40000000 \{.*?\};', '')])], '0,124', '', '')
    case('dtb_mem_wrong', ['-i', w.initrd, '--dtb', w.dtb('memw', [(r'reg = <0x00 0x40000000 0x00 0x\w+>', 'reg = <0x00 0x80000000 0x00 0x20000000>')])], '112,114,115', 'F07|F20|F19', 'memory')
    case('dtb_mem_big', ['-i', w.initrd, '--dtb', w.dtb('memb', [(r'reg = <0x00 0x40000000 0x00 0x\w+>', 'reg = <0x00 0x40000000 0x01 0x00000000>')])], '112,114,115', 'F07|F09|F20|F19', 'memory|RAM')
    case('dtb_mem_small', ['-i', w.initrd, '--dtb', w.dtb('mems', [(r'reg = <0x00 0x40000000 0x00 0x\w+>', 'reg = <0x00 0x40000000 0x00 0x1000000>')])], '112,114,115', 'F07|F20|F19', 'memory')
    case('dtb_nogic', ['-i', w.initrd, '--dtb', w.dtb('nogic', [(r'arm,gic-v3', 'acme,gic-v9')])], '112,114,115,124', 'F07|F20|F19|F13', 'GIC|interrupt controller|irqchip')
    case('dtb_gic_addr', ['-i', w.initrd, '--dtb', w.dtb('gica', [(r'0x00 0x8000000 0x00 0x10000', '0x00 0x2f000000 0x00 0x10000')])], '112,115', 'F07|F09|F20|F19', '2f000000|GIC')
    case('dtb_gicr_addr', ['-i', w.initrd, '--dtb', w.dtb('gicr', [(r'0x00 0x80a0000', '0x00 0x2f100000')])], '112,115,114', 'F07|F09|F20|F19', '2f100000|GIC|redist')
    case('dtb_gic2', ['-i', w.initrd, '--dtb', w.dtb('gic2', [], ['--gic', '2'])], '112,115,114', 'F07|F09|F20|F19', 'GIC')
    case('dtb_uart_addr', ['-i', w.initrd, '--dtb', w.dtb('ua', [(r'0x00 0x9000000 0x00 0x1000', '0x00 0xfe201000 0x00 0x1000'), ('pl011@9000000', 'pl011@fe201000')])], '112,115,0,114,124', 'F07|F09|F20|F19', 'fe201000')
    case('dtb_notimer', ['-i', w.initrd, '--dtb', w.dtb('noti', [(r'arm,armv8-timer', 'acme,timer')])], '112,114,124', 'F07|F20|F13|F19', 'timer')
    case('dtb_timer_irq', ['-i', w.initrd, '--dtb', w.dtb('tirq', [(r'(timer \{.*?interrupts = <).*?>', r'\1 1 1 4 1 2 4 1 3 4 1 4 4>')])], '114,124,112', 'F07|F13|F20|F19', 'timer|INTID')
    case('dtb_psci_smc', ['-i', w.initrd, '-c', '2', '--dtb', w.dtb('psci', [('method = "hvc"', 'method = "smc"')], ['-c', '2'])], '112,115', 'F12|F20|F07', 'smc|SMC')
    case('dtb_nopsci', ['-i', w.initrd, '-c', '2', '--dtb', w.dtb('nopsci', [(r'\n\tpsci \{.*?\n\t\};', '')], ['-c', '2'])], '0,112,114,124', 'F07|F19|F20|F12', 'psci|PSCI')
    case('dtb_3cpus', ['-i', w.initrd, '-c', '1', '--dtb', w.dtb('cpu3', [], ['-c', '3'])], '0,124', 'F07|F19', 'cpu|CPU')
    case('dtb_garbage', ['-i', w.initrd, '--dtb', w.file('gd', w.random.randbytes(4096))], '125,126', '', 'device tree|DTB|dtb')
    case('dtb_trunc', ['-i', w.initrd, '--dtb', w.file('td', open(w.dtb('whole', []), 'rb').read()[:900])], '125,126', '', 'device tree|DTB|dtb')
    case('dtb_dts', ['-i', w.initrd, '--dtb', w.file('ts', b'/dts-v1/;\n/ { };\n')], '125,126', '', 'dtc|source|device tree')
    case('dtb_empty', ['-i', w.initrd, '--dtb', w.dtb('empt', [(r'\{.*\};', '{ };')])], '112,114,115,124,126', 'F07|F20|F19', 'memory|device tree')
    # Files that are no good kernel.
    case('img_trunc', ['-i', w.initrd], '126,112,115', 'F07|F18|F10|', 'trunc|image_size|shorter|bytes', '', w.file('trunc.img', w.kernel[:9000000]))
    case('img_zeroed', ['-i', w.initrd], '115,112,126', 'F0[12]|F20', '.', '', w.file('zero.img', w.kernel[:65536] + b'\0' * 65536 + w.kernel[131072:]))
    case('img_be', ['-i', w.initrd], '126', 'F18|', 'big.endian', '', w.file('be.img', w.kernel[:24] + bytes([w.kernel[24] | 1]) + w.kernel[25:]))
    case('img_64k', ['-i', w.initrd], '126,0,124,112,115', '', '.', '', w.file('64k.img', w.kernel[:24] + bytes([w.kernel[24] | 6]) + w.kernel[25:]))
    case('img_magic', ['-i', w.initrd], '126,115,112,0,124', '', '.', '', w.file('mag.img', w.kernel[:56] + b'XXXX' + w.kernel[60:]))
    case('img_x86', [], '126', '', 'x86', '', w.file('x86.img', b'\0' * 510 + b'\x55\xaa' + b'\0' * 2 + b'HdrS' + b'\0' * 60000))
    case('img_text', [], '126', '', 'text|not', '', w.file('txt', b'hello this is not a kernel\n' * 100))
    case('load_unaligned', ['-i', w.initrd, '--load', '0x40001000'], '114,115,112,125,126,0', 'F07|', '2 MiB|2 MB|align', '')
    case('load_high', ['-i', w.initrd, '--load', '0x5ff00000'], '115,112,125,126', 'F07|F10|', 'RAM|fit|end', '')
    case('el2_novhe', ['-i', w.initrd, '--el', '2', '--vhe', 'off'], '0,124', '', '')
    case('entry_plus', ['-i', w.initrd, '--entry', '0x40200040'], '115,112,126,125', r'F\d+', '.', '')
    case('dtb_over_kernel', ['-i', w.initrd, '--dtb-addr', '0x40300000'], '125,126,112,115', '|F07', 'overlap|device tree', '')
    # The kernel changed in one function.
    case('p_startk_udf', ['-i', w.initrd], '115,112', 'F02|F20|F01', 'start_kernel|undefined|UNDEFINED|udf', '', w.patched('sk', [('start_kernel', 0, [UDF])]))
    case('p_startk_hang', ['-i', w.initrd], '114', 'F13', 'start_kernel', '', w.patched('skh', [('start_kernel', 0, [SELF])]))
    case('p_startk_brk', ['-i', w.initrd], '115,112', 'F02|F20', 'BRK', '', w.patched('skb', [('start_kernel', 0, [BRK])]))
    case('p_setup_arch_null', ['-i', w.initrd], '115,112', 'F20|F0[189]', 'NULL|null', '', w.patched('san', [('setup_arch', 8, [0xd2800000, 0xf9400000])]))
    case('p_setup_jump', ['-i', w.initrd], '115,112', 'F20|F01|F08', 'deadbeef|null|jump|Jump|0x10|NULL|pc', '', w.patched('saj', [('setup_arch', 8, [0xd2800200, 0xd63f0000])]))
    case('p_mm_hang', ['-i', w.initrd], '114,124', 'F13', 'mm_init|mem_init', '', w.patched('mmh', [('mem_init', 0, [SELF])]))
    case('p_init_irq_wfi', ['-i', w.initrd], '114', 'F13', 'init_IRQ|WFI|wfi|sleeps', '', w.patched('iw', [('init_IRQ', 0, [0xd503207f, 0x17ffffff])]))
    case('p_vectors', ['-i', w.initrd], '115,112', r'F\d+', '.', '', w.patched('vec', [('vectors', 0x200, [UDF] * 4), ('setup_arch', 8, [BRK])]))
    case('p_time_init', ['-i', w.initrd], '115,112', 'F20', 'BRK|BUG|Oops|time_init|panic', '', w.patched('ti', [('time_init', 0, [0xd4210000])]))
    case('p_rest_init_null', ['-i', w.initrd], '112', 'F20', 'NULL|null', '', w.patched('ri', [('rest_init', 8, [0xd2800000, 0xb9000001])]))
    case('p_console_gone_panic', ['-i', w.initrd, '--cmdline', 'quiet'], '112', 'F20', 'NULL|null', '', w.patched('ri', [('rest_init', 8, [0xd2800000, 0xb9000001])]))
    case('p_primary_entry_msr', ['-i', w.initrd], '115', 'F11', 'HCR_EL2', '', w.patched('pe', [('primary_entry', 0, [0xd51c1100])]))
    case('p_head_smc', ['-i', w.initrd], '115', 'F12', 'SMC', '', w.patched('ps', [('primary_entry', 0, [0xd4000003])]))
    case('p_enable_mmu_noaf', ['-i', w.initrd], '115,124', '', '.', '', w.patched('pm', [('__primary_switch', 0, [0xd2800001, 0xd5182001])]))
    case('p_spin_irqs_off', ['-i', w.initrd], '114,124', 'F13|', 'kernel_init|loop', '', w.patched('kih', [('kernel_init', 4, [0xd50342df, SELF])]))
    case('p_secondary', ['-i', w.initrd, '-c', '2'], '0,115,112,114', r'F\d+', '.', '', w.patched('sec', [('secondary_start_kernel', 0, [UDF])]))
    case('p_secondary_hang', ['-i', w.initrd, '-c', '2'], '0,114,112,124', '', '', '', w.patched('sech', [('secondary_start_kernel', 0, [SELF])]))
    case('p_recurse', ['-i', w.initrd], '115,112', 'F14|F20', 'stack|recurs', '', w.patched('rec', [('init_IRQ', 0, [0xd503233f, 0xa9bf7bfd, 0x97fffffe])]))
    case('p_bug_early', ['--cmdline', 'console=ttyAMA0'], '112,115', 'F20', 'BUG|panic|Oops|trap|setup_arch', '', w.patched('bearly', [('setup_arch', 8, [0xd4210000])]))
    return out


def check(status, err, report, codes, ids, text):
    result = report.get('report') or {}
    lints = result.get('lints', [])
    said = ' '.join([result.get('cause') or '', result.get('title') or '', *(lint['text'] for lint in lints), err])
    found = [result.get('id') or '', *(lint['id'] for lint in lints)]
    if str(status) not in codes.split(','):
        yield f'exit {status}, wanted {codes}'
    if ids and not any(re.fullmatch(ids, i) for i in found):
        yield f'ids {found}, wanted {ids}'
    if text and not re.search(text, said):
        yield f'{text} was not said'
    if harness.lines_of(err) > harness.LINES_MAX - 1:
        yield 'more than 40 lines'


def main():
    bruin, names = sys.argv[1], [a for a in sys.argv[2:] if a[0] != '-']
    tally = harness.Tally(names)
    with tempfile.TemporaryDirectory() as work:
        for name, args, codes, ids, text, kernel in cases(Workshop(bruin, work)):
            if names and not any(n in name for n in names):
                continue
            for engine in ['jit'] + ['interp'] * ('--interp' in sys.argv):
                status, err, seconds, data = harness.run(bruin, engine, kernel, args, f'{work}/report.json', 60 if engine == 'interp' else 10)
                tally.case(f'{name} {engine}', seconds, list(check(status, err, data, codes, ids, text)), err)
    sys.exit(tally.end())


if __name__ == '__main__':
    main()
