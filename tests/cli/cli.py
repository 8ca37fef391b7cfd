#!/usr/bin/env python3
"""The command line: every refusal with its code and message in under a second, help from the tables, plans.

usage: cli.py BRUIN BUSY RESET [NAME]...     prints TAP. BUSY: a flat guest that counts for ever, RESET: one that
resets twice; both "" when the host has no compiler for guests
"""
import bz2
import json
import lzma
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
import zlib

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BRUIN = os.path.abspath(sys.argv[1])
BUSY = sys.argv[2] and os.path.abspath(sys.argv[2])
RESET = sys.argv[3] and os.path.abspath(sys.argv[3])
os.environ['NO_COLOR'] = '1'
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
tests = []


def test(f):
    tests.append(f)
    return f


class Run:
    def __init__(self, *args, stdin=b'', timeout=20):
        start = time.monotonic()
        p = subprocess.run([BRUIN, *args], input=stdin, capture_output=True, timeout=timeout * SLOW)
        self.seconds = time.monotonic() - start
        self.args, self.code = args, p.returncode
        self.out, self.err = p.stdout.decode(errors='replace'), p.stderr.decode(errors='replace')

    def want(self, ok, what):
        if not ok:
            raise AssertionError(f'{what}\n  args {self.args}\n  exit {self.code} after {self.seconds:.2f} s'
                                 f'\n  stdout {self.out[:600]!r}\n  stderr {self.err[:600]!r}')
        return self


def refused(code, *words, args):
    """Exit code, every word on stderr, one line, nothing on stdout, within a second."""
    r = Run(*args)
    r.want(r.code == code, f'exit code, wanted {code}')
    for w in words:
        r.want(w in r.err, f'message, wanted {w!r}')
    r.want(len(r.err.strip().splitlines()) == 1, 'one line')
    r.want(r.out == '', 'nothing on stdout')
    r.want(r.seconds < SLOW, 'within a second')
    return r


def write(name, data):
    with open(name, 'wb') as f:
        f.write(data)
    return name


def image(length=8192, flags=2, image_size=16384, text_offset=0):
    head = struct.pack('<IIQQQ', 0x14000000, 0, text_offset, image_size, flags)
    return head.ljust(0x38, b'\0') + b'ARM\x64' + bytes(length - 0x3c)


def elf(machine=183, data=1, paddr=0x40080000, entry=0x40080000, kind=2, cls=2):
    head = b'\x7fELF' + bytes([cls, data, 1]) + bytes(9)
    order = '<' if data == 1 else '>'
    head += struct.pack(order + 'HHIQQQIHHHHHH', kind, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    head += struct.pack(order + 'IIQQQQQQ', 1, 7, 0x1000, paddr, paddr, 16, 32, 4096)
    return head.ljust(0x1000, b'\0') + struct.pack('<I', 0x14000000) * 4


def pe(machine=0xaa64, subsystem=10):
    """An EFI application without content."""
    head = b'MZ' + bytes(58) + struct.pack('<I', 64)
    head += b'PE\0\0' + struct.pack('<HHIIIHH', machine, 0, 0, 0, 0, 112, 2) + struct.pack('<H', 0x20b)
    return (head.ljust(64 + 24 + 68, b'\0') + struct.pack('<H', subsystem)).ljust(512, b'\0')


def fat(loader=b'BOOTAA64EFI', content=None):
    """A FAT12 volume with EFI/BOOT/<loader>: 1 sector a cluster."""
    content = pe() if content is None else content
    boot = bytearray(512)
    struct.pack_into('<HBHBHHBH', boot, 11, 512, 1, 1, 1, 16, 64, 0xf8, 1)
    boot[510:] = b'\x55\xaa'

    def entry(name, attr, cluster, size=0):
        return name.ljust(11) + bytes([attr]) + bytes(14) + struct.pack('<HI', cluster, size)
    table = bytes([0xf8, 0xff, 0xff] + [0xff] * 6).ljust(512, b'\0')
    root = entry(b'EFI', 0x10, 2).ljust(512, b'\0')
    efi = entry(b'BOOT', 0x10, 3).ljust(512, b'\0')
    files = entry(loader, 0x20, 4, len(content)).ljust(512, b'\0')
    return (bytes(boot) + table + root + efi + files + content).ljust(64 * 512, b'\0')


def mbr(volume, kind=0xef):
    table = bytearray(512)
    struct.pack_into('<BBBBBBBBII', table, 446, 0, 0, 0, 0, kind, 0, 0, 0, 1, len(volume) // 512)
    table[510:] = b'\x55\xaa'
    return bytes(table) + volume


def gzip(data):
    c = zlib.compressobj(6, zlib.DEFLATED, 31)
    return c.compress(data) + c.flush()


# ---- refusals ----

@test
def empty_file():
    refused(126, 'empty.bin', 'empty file', args=['run', write('empty.bin', b'')])


@test
def random_bytes():
    data = random.Random(1).randbytes(65536)
    refused(126, 'random.bin', 'no known header', args=['run', write('random.bin', data)])


@test
def x86_elf():
    refused(126, 'x86.elf', 'ELF for x86-64', 'AArch64', args=['run', write('x86.elf', elf(machine=62))])


@test
def the_hosts_own_program():
    refused(126, 'AArch64', args=['run', '/bin/sh'])


@test
def riscv_and_big_endian_elf():
    refused(126, 'RISC-V', args=['run', write('rv.elf', elf(machine=243))])
    refused(126, 'big-endian ELF', args=['run', write('be.elf', elf(data=2))])


@test
def object_file():
    refused(126, 'object file', 'link it', args=['run', write('k.o', elf(kind=1))])


@test
def big_endian_image():
    refused(126, 'Image', 'big-endian', args=['run', write('be', image(flags=1))])


@test
def truncated_gzip():
    z = gzip(random.Random(2).randbytes(9000) + image())
    refused(126, 'cut.gz', 'truncated gzip', args=['run', write('cut.gz', z[:-3000])])


@test
def corrupt_gzip():
    z = bytearray(gzip(image(flags=2) + bytes(range(256)) * 40))
    z[40] ^= 0xff
    refused(126, 'bad.gz', 'gzip', args=['run', write('bad.gz', bytes(z))])


@test
def bomb():
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = bytes(1 << 20)
    z = b''.join([c.compress(chunk) for _ in range(1100)]) + c.flush()
    r = Run('run', write('bomb.gz', z))
    r.want(r.code == 126 and 'unpacks to more than 1024 MiB' in r.err, 'the cap')


@test
def missing_kernel_and_initrd():
    refused(127, 'nowhere/Image', args=['run', 'nowhere/Image'])
    refused(127, 'no-initrd', args=['run', write('Image', image()), '-i', 'no-initrd'])
    refused(127, 'no.dtb', args=['run', 'Image', '--dtb', 'no.dtb'])
    refused(127, 'disk no-disk: No such file', args=['run', 'Image', '-d', 'no-disk'])


@test
def consoles():
    kernel = write('Image', image())
    refused(125, 'serial tty: not one of stdio', args=['run', kernel, '--serial', 'tty'])
    refused(125, 'virtio-console file:no/where: No such file', args=['run', kernel, '--virtio-console', 'file:no/where'])
    refused(125, 'virtio-console stdio: --serial has it', args=['run', kernel, '--serial', 'stdio', '--virtio-console', 'stdio'])
    for option in ('--serial', '--virtio-console'):
        r = Run('run', kernel, option, 'pty', '--timeout', '200ms')
        r.want(f'{option[2:]}: /dev/pts/' in r.err, 'where the terminal is')


@test
def accelerators_that_there_are():
    refused(125, 'accel: "kvm" is not one of auto|jit|interp', args=['run', write('Image', image()), '--accel', 'kvm'])


@test
def variables_without_flash():
    refused(125, 'flash-vars: needs firmware in flash', args=['run', write('Image', image()), '--flash-vars', 'vars.fd'])


@test
def empty_initrd():
    refused(126, 'rd: empty initrd', args=['run', write('Image', image()), '-i', write('rd', b'')])


@test
def directory():
    os.makedirs('dir', exist_ok=True)
    refused(126, 'dir: is a directory', args=['run', 'dir'])


@test
def too_little_memory():
    refused(126, 'too little memory', '-m 128M', args=['run', write('Image', image(image_size=40 << 20)), '-m', '32M'])
    big = write('big', b'070701' + bytes(30 << 20))
    refused(126, 'initrd of 31 MiB', 'too little memory', args=['run', write('Image', image()), '-m', '24M', '-i', big])


@test
def overlap_names_both_ranges():
    write('blob', bytes(100))
    refused(126, '--load blob 0x40001000-0x40001063', 'overlaps Image 0x40000000-0x40003fff',
            args=['run', write('Image', image()), '--load', 'blob@0x40001000'])


@test
def elf_outside_ram():
    refused(126, 'PT_LOAD 0', '0x80000-', 'Raspberry Pi', args=['run', write('pi.elf', elf(paddr=0x80000, entry=0x80000))])
    refused(126, 'outside RAM', args=['run', write('far.elf', elf(paddr=1 << 39, entry=1 << 39))])
    refused(126, 'entry 0x1234', args=['run', write('entry.elf', elf(entry=0x1234))])


@test
def efi_application_and_disks():
    disk = bytes(510) + b'\x55\xaa' + b'EFI PART' + bytes(1000)
    refused(126, 'GPT disk image', args=['run', write('disk.img', disk)])


@test
def efi_application_for_another_processor():
    refused(126, 'EFI application for x86-64', 'wanted AArch64', args=['run', write('x64.efi', pe(0x8664))])
    refused(126, 'DOS program', args=['run', write('dos.exe', b'MZ' + bytes(200))])


@test
def inspect_tells_what_firmware_would_find():
    for data, found, words in (
            (mbr(fat()), True, 'BOOTAA64.EFI, 512 bytes, EFI application for AArch64'),
            (fat(), True, 'EFI application for AArch64'),
            (mbr(fat(content=pe(0x8664))), False, 'for x86-64'),
            (mbr(fat(b'BOOTX64 EFI')), False, 'BOOTX64.EFI, for x86-64, but no BOOTAA64.EFI'),
            (mbr(fat(b'GRUB    EFI')), False, 'no BOOTAA64.EFI'),
            (mbr(fat(content=b'hello')), False, 'not a PE file'),
            (mbr(bytes(8192)), False, 'no FAT file system'),
            (mbr(fat(), 0x83), False, 'no EFI system partition'),
            (mbr(fat())[:3000], False, 'truncated')):
        r = Run('inspect', '--json', write('esp.img', data))
        d = json.loads(r.out)
        r.want(d['disk']['firmware_finds_a_loader'] is found and words in d['disk']['loader'], words)
        r.want(d['bootable'] is found and (r.code == 0 if found else r.code == 126 and d['id'] == 'U4'), 'the built-in firmware starts what it finds')
        dry, plain = Run('run', '--dry-run', 'esp.img'), Run('inspect', 'esp.img')
        r.want(dry.code == r.code == plain.code, 'the plan says the same')
        r.want(('built-in UEFI firmware' if found else '[U4]') in plain.out, 'text')


@test
def load_time_rows_of_the_catalogue():
    """F07, F10, F19 and U4, in inspect as text and as JSON, and at the run."""
    low, x64 = write('low.elf', elf(paddr=0x80000, entry=0x80000)), write('x64.efi', pe(0x8664))
    for path, ident, words in ((low, 'F10', 'outside RAM'), (x64, 'U4', 'for x86-64; wanted AArch64')):
        r = Run('inspect', path)
        r.want(r.code == 126 and f'[{ident}]' in r.out and words in r.out, ident)
        d = json.loads(Run('inspect', '--json', path).out)
        r.want(d['id'] == ident and d['bootable'] is False and words in d['reason'], f'{ident} {d}')
        refused(126, f'[{ident}]', words, args=['run', path])
    kernel = write('Image', image())
    write('noise', bytes(range(256)) * 16)
    for options, ident, words in ((['-a', 'console=ttyS0'], 'F19', '16550'), (['-a', 'root=/dev/sda1'], 'F19', '/dev/vda'),
                                  (['-i', 'noise'], 'F19', 'initrd')):
        r = Run('inspect', *options, kernel)
        r.want(r.code == 0 and re.search(f'^warnings +{ident} .*{words}', r.out, re.M), f'{options}')
        d = json.loads(Run('inspect', '--json', *options, kernel).out)
        r.want(any(w['id'] == ident and words in w['text'] for w in d['warnings']), f'{d["warnings"]}')
        r = Run('run', '--lint', 'error', *options, kernel)
        r.want(r.code == 116 and f'[{ident}]' in r.err, 'exit 116 under --lint error')
    d = json.loads(Run('inspect', '--json', write('odd', image(text_offset=0x1234))).out)
    assert any(w['id'] == 'F07' and 'text_offset' in w['text'] for w in d['warnings']), d


@test
def explain_has_every_page():
    r = Run('explain')
    ids = re.findall(r'^(\w+)  \S', r.out, re.M)
    want = [f'F{n:02}' for n in range(1, 22)] + [f'L{n:02}' for n in range(1, 16)] + [f'U{n:02}' for n in range(1, 5)]
    r.want(ids == want and r.code == 0, f'{ids}')
    for name in want:
        page = Run('explain', name)
        page.want(page.code == 0 and all(f'\n## {part}\n' in page.out for part in ('The mistake', 'What happens', 'The fix')), name)
        page.want(name[0] == 'L' or '## The report' in page.out, name)
        for form in (name.lower(), f'{name[0]}{int(name[1:])}', f'{name[0].lower()}{int(name[1:])}'):
            page.want(Run('explain', form).out == page.out, form)
    for bad in ('F22', 'F0', 'X1', '', 'F', 'F-1', 'F3x', 'nonsense'):
        refused(125, 'no diagnosis', 'F01 to F21', args=['explain', bad])
    refused(125, 'it is in the title of', 'F02', args=['explain', 'exc'])
    r = Run('explain', 'F03', 'U4')
    r.want(r.out.count('## The mistake') == 2, 'two at once')


@test
def foreign_files():
    refused(126, 'text file', args=['run', write('k.txt', b'#!/bin/sh\necho hi\n')])
    refused(126, 'cpio archive', '-i', args=['run', write('rd.cpio', b'070701' + b'0' * 104)])
    refused(126, 'bzImage', args=['run', write('bz', bytes(0x202) + b'HdrS' + bytes(64))])
    refused(126, 'corrupt bzip2', args=['run', write('k.bz2', b'BZh9' + bytes(64))])
    refused(126, 'truncated bzip2', args=['run', write('t.bz2', bz2.compress(random.Random(2).randbytes(20000))[:9000])])


@test
def every_compression_boots():
    for name, data in {'gz': gzip(image()), 'bz2': bz2.compress(image()), 'xz': lzma.compress(image()),
                       'lzma': lzma.compress(image(), format=lzma.FORMAT_ALONE)}.items():
        r = Run('run', '--dry-run', write('k.' + name, data))
        r.want(r.code == 0 and '8192' not in r.err and 'Image' in r.out, name)


@test
def what_is_no_file():
    """Devices, FIFOs and the like never end, or never begin."""
    os.mkfifo('fifo')
    os.mkdir('folder')
    for verb, *rest in (['run'], ['inspect'], ['run', write('Image', image()), '-i'], ['run', 'Image', '--dtb'], ['run', '--config']):
        for path, words in (('/dev/zero', 'is a device'), ('/dev/null', 'is a device'), ('fifo', 'nobody writes'), ('folder', 'is a directory')):
            refused(126, path, words, args=[verb, *rest, path])
    r = subprocess.run(f'(sleep 0.2; cat Image) > fifo & exec {BRUIN} run --dry-run fifo', shell=True, capture_output=True, timeout=20)
    if r.returncode or b'Image' not in r.stdout:
        raise AssertionError(f'a FIFO with a writer boots: {r}')
    if BUSY:
        r = Run('run', '--timeout', '300ms', '--load', '0x41000000', '/dev/stdin', stdin=open(BUSY, 'rb').read())
        r.want(r.code == 124, 'a kernel out of a pipe runs')


@test
def truncated_image_with_a_pe_header():
    whole = bytearray(image(length=8192))
    whole[0:2] = b'MZ'
    struct.pack_into('<I', whole, 0x3c, 64)
    header = b'PE\0\0' + struct.pack('<HHIIIHH', 0xaa64, 1, 0, 0, 0, 112, 2) + struct.pack('<H', 0x20b)
    whole[64:64 + len(header)] = header
    struct.pack_into('<8sIIII', whole, 64 + 24 + 112, b'.text', 4096, 4096, 7168, 1024)
    r = Run('run', '--dry-run', write('whole', bytes(whole)))
    r.want(r.code == 0, 'the whole file is taken')
    for length in (90, 1000, 5000, 8191):
        refused(126, 'truncated Image', args=['run', write('part', bytes(whole[:length]))])


@test
def out_of_reach():
    refused(125, '48 bits', args=['run', '--ram-base', '0xfffffffff000', write('Image', image())])
    refused(125, 'publish', '--net user', args=['run', '-p', '8080:80', '--net', 'none', 'Image'])
    refused(125, 'NUL', args=['run', '--config', write('nul.conf', b'memory = 1G\0\n'), 'Image'])
    refused(125, '/nosuch/x', args=['run', '--json=/nosuch/x', 'Image'])
    refused(126, 'not a PE', args=['run', '--firmware', 'tiny', write('noise', bytes(100))])


@test
def zboot_of_unknown_kind():
    z = b'MZ\0\0zimg' + struct.pack('<II', 64, 16) + bytes(8) + b'brotli'.ljust(40, b'\0') + b'\x01' * 16
    refused(126, 'zboot', 'brotli', args=['run', write('z.efi', z)])
    refused(126, 'zboot payload', 'truncated', args=['run', write('z2.efi', z[:70])])


@test
def damaged_device_tree():
    write('Image', image())
    refused(126, 'wanted a flattened device tree', args=['run', 'Image', '--dtb', write('x.dtb', b'hello')])
    refused(126, 'damaged device tree', args=['run', 'Image', '--dtb', write('y.dtb', b'\xd0\x0d\xfe\xed' + bytes(60))])


# ---- usage ----

@test
def unknown_option_suggests():
    refused(125, 'no option --initrdd', '--initrd?', args=['run', '--initrdd', 'x'])
    refused(125, 'did you mean --timeout?', args=['run', '--timout', '5s', 'x'])
    refused(125, 'no option -Z', args=['run', '-Z'])


@test
def unknown_verb_suggests():
    refused(125, 'did you mean "bruin inspect"?', args=['inspct'])
    refused(125, 'no verb and no file', args=['frobnicate-all'])


@test
def words_and_typos():
    for args, words in ((['doctor', 'x'], 'one word too many'), (['man', 'x'], 'one word too many'), (['help', 'run', 'x'], 'one word too many'),
                        (['demo', 'hello', 'crash'], 'one word too many'), (['debug', 'a', 'b'], 'one word too many'), (['dtb', 'dump', 'x'], 'one word too many'),
                        (['help', 'rnu'], 'did you mean "bruin run"?'), (['run', '--hepl', 'x'], 'did you mean --help?'), (['--hlep'], 'did you mean --help?'),
                        (['inspect', '--json=/nosuch/x', write('Image', image())], '/nosuch/x')):
        refused(125, words, args=args)
    r = Run('inspect', '--json=inspected.json', 'Image')
    with open('inspected.json', encoding='utf-8') as f:
        r.want(r.code == 0 and r.out == '' and json.load(f)['bootable'] is True, '--json=FILE of inspect')
    for verb in ('run', 'test', 'demo', 'trace', 'debug'):
        r = Run('help', verb)
        r.want('exit codes: 0-111' in r.out and f'usage: bruin {verb} ' in r.out, 'exit codes in the help of what runs a guest')


@test
def bad_values():
    refused(125, 'memory: "lots"', args=['run', '-m', 'lots', 'x'])
    refused(125, 'gic: "4" is not one of 2|3', args=['run', '--gic', '4', 'x'])
    refused(125, 'timeout: "soon"', args=['run', '--timeout', 'soon', 'x'])
    refused(125, '--memory wants a value', args=['run', '--memory'])
    refused(125, 'cpus', args=['run', '-c', '0', write('Image', image())])
    refused(125, 'load', args=['run', '--load', 'x@y'])
    refused(125, 'nothing to boot', args=['run'])
    refused(125, 'one kernel', args=['run', 'a', 'b'])


@test
def config_file():
    write('c.conf', b'# a machine\nmemory = 64M\n\ninitrd = rd.img\n  append=quiet \n')
    write('rd.img', b'070701' + bytes(200))
    r = Run('run', '--dry-run', '--config', 'c.conf', write('Image', image()))
    r.want(r.code == 0 and '-m 64M' in r.out and '-initrd rd.img' in r.out and 'quiet' in r.out, 'values from the file')
    write('d.conf', b'memory = 64M\nmemry = 1\n')
    refused(125, 'd.conf:2:', 'did you mean "memory"?', args=['run', '--config', 'd.conf', 'Image'])
    write('e.conf', b'\n\nquiet\n')
    refused(125, 'e.conf:3:', 'key = value', args=['run', '--config', 'e.conf', 'Image'])
    refused(127, 'none.conf', args=['run', '--config', 'none.conf', 'Image'])


# ---- help ----

@test
def help_lists_every_option():
    r = Run('help', 'run')
    r.want(r.code == 0 and r.err == '', 'help on stdout')
    man = Run('man').out.replace('\\-', '-')
    for shell in ('bash', 'zsh', 'fish'):
        c = Run('completion', shell)
        c.want(c.code == 0 and c.out, 'a completion script')
        for key in re.findall(r'--([a-z][a-z-]+)', r.out):
            c.want(key in c.out, f'{key} in the {shell} completion')
            r.want(f'--{key}' in man, f'{key} in the manual page')
    r.want(len(re.findall(r'^ .*--[a-z]', r.out, re.M)) > 25, 'many options')
    r.want(max(map(len, r.out.splitlines())) <= 100, 'short lines')
    r.want(Run('run', '--help').out == r.out, 'run --help is the same')


@test
def help_at_the_door():
    r = Run('--help')
    r.want(r.code == 0 and 'usage: bruin' in r.out, 'help')
    r = Run()
    r.want(r.code == 125 and 'usage: bruin' in r.err and not r.out, 'without words')
    r = Run('--version')
    r.want(r.code == 0 and re.fullmatch(r'bruin \d+\.\d+\.\d+\n', r.out), 'version')


@test
def the_readme_shows_what_is_seen():
    """Every line of its sessions comes, in order; `...` stands for some, and times differ."""
    with open(f'{TOP}/README.md', encoding='utf-8') as f:
        sessions = re.findall(r'\$ build/bruin (demo \w+)\n(.*?)```', f.read(), re.S)
    assert len(sessions) == 2, sessions
    for words, text in sessions:
        p = subprocess.run([BRUIN, *words.split()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=20 * SLOW, check=False)
        out = p.stdout.decode().replace('\r', '')
        seen = iter(re.sub(r'after [0-9.]+ s', 'after N s', out).split('\n'))
        for line in text.rstrip('\n').split('\n'):
            line = re.sub(r'after [0-9.]+ s', 'after N s', line)
            assert line.strip() == '...' or any(line == s for s in seen), f'README.md: {line!r}\n{out}'


@test
def completions_are_valid_shell():
    script = Run('completion', 'bash').out
    p = subprocess.run(['bash', '-n'], input=script.encode(), capture_output=True)
    if p.returncode or p.stderr:
        raise AssertionError(p.stderr.decode())


# ---- looking ----

@test
def inspect_as_text_and_json():
    write('Image.gz', gzip(image(image_size=1 << 20, text_offset=0x80000)))
    r = Run('inspect', 'Image.gz')
    r.want(r.code == 0 and 'gzip' in r.out and '0x40080000' in r.out, 'text')
    r = Run('inspect', '--json', 'Image.gz')
    d = json.loads(r.out)
    r.want(d['format'] == 'gzip' and d['holds'] == 'arm64 Image' and d['bootable'] is True, 'fields')
    r.want(d['image']['page_kib'] == 4 and d['plan']['entry'] == '0x40080000', 'values')
    r = Run('inspect', '--json', write('x86.elf', elf(machine=62)))
    d = json.loads(r.out)
    r.want(r.code == 126 and d['bootable'] is False and 'x86-64' in d['reason'], 'not bootable')
    refused(127, 'nope', args=['inspect', 'nope'])


@test
def every_refusal_is_described_by_inspect():
    for name in sorted(os.listdir('.')):
        if os.path.isfile(name):
            r = Run('inspect', '--json', name)
            r.want(r.code in (0, 126), f'code for {name}')
            json.loads(r.out)


@test
def dry_run_names_qemu():
    write('Image', image())
    r = Run('run', '--dry-run', '-m', '1G', '-c', '2', 'Image', '--', 'root=/dev/vda', 'rw')
    r.want(r.code == 0 and r.err == '', 'success')
    line = r.out.strip().splitlines()[-1]
    for part in ('qemu-system-aarch64', '-M virt,gic-version=3', '-m 1024M', '-smp 2', '-kernel Image',
                 "-append 'console=ttyAMA0 earlycon root=/dev/vda rw'"):
        r.want(part in line, part)
    line = Run('run', '--dry-run', 'Image', '-d', 'a b,ro', '-p', '127.0.0.1:80:8080', '-p', '5:7/udp', '--virtio-console', 'pty').out
    for part in ("-drive 'if=virtio,format=raw,file=a b,readonly=on'", 'hostfwd=tcp:127.0.0.1:80-:8080,hostfwd=udp::5-:7',
                 '-chardev pty,id=hvc -device virtconsole,chardev=hvc'):
        assert part in line, f'{part}\n{line}'


@test
def command_line_defaults_yield():
    write('Image', image())
    for args, want in (
            (['--', 'console=hvc0'], 'earlycon console=hvc0'),
            (['-a', 'earlycon=pl011,0x9000000', '-a', 'x=1'], 'console=ttyAMA0 earlycon=pl011,0x9000000 x=1'),
            (['--cmdline', 'only this'], 'only this'),
            (['--', 'mem=earlyconsole=1'], 'console=ttyAMA0 earlycon mem=earlyconsole=1')):
        r = Run('run', '--dry-run', 'Image', *args)
        r.want(re.search(r"^cmdline +" + re.escape(want) + '$', r.out, re.M), want)


@test
def device_tree():
    r = Run('dtb', 'dump', '-o', 'board.dtb')
    r.want(r.code == 0 and os.path.getsize('board.dtb') > 1000, 'dump')
    r = Run('dtb', 'check', 'board.dtb')
    r.want(r.code == 0 and r.out == 'no findings\n', 'our own tree is sound')
    with open('board.dtb', 'rb') as f:
        data = f.read()
    write('cut.dtb', data[:len(data) // 2])
    refused(126, 'damaged device tree', args=['dtb', 'check', 'cut.dtb'])
    write('odd.dtb', data.replace(b'arm,psci', b'arm,osci').replace(b'device_type', b'device_typo'))
    r = Run('dtb', 'check', 'odd.dtb')
    r.want(r.code == 126 and 'psci' in r.out and 'memory' in r.out, 'findings')
    refused(125, 'dtb wants', args=['dtb'])


@test
def disk_images():
    r = Run('img', 'create', 'new.img', '3M')
    r.want(r.code == 0 and os.path.getsize('new.img') == 3 << 20, 'size')
    r.want(os.stat('new.img').st_blocks * 512 < 1 << 20, 'sparse')
    refused(125, 'exists already', args=['img', 'create', 'new.img', '5M'])
    os.makedirs('tree/EFI/BOOT')
    write('tree/EFI/BOOT/BOOTX64.EFI', pe(0x8664))
    r = Run('img', 'create', '--esp', 'tree', 'made.img')
    r.want(r.code == 0, 'an image from a directory')
    refused(125, 'exists already', args=['img', 'create', '--esp', 'tree', 'made.img'])
    refused(126, 'BOOTX64.EFI, for x86-64', 'no BOOTAA64.EFI', args=['run', 'made.img'])
    r.want(os.path.getsize('new.img') == 3 << 20, 'untouched')
    refused(125, '"big" is no size', args=['img', 'create', 'b.img', 'big'])
    refused(125, 'cannot be created', args=['img', 'create', 'no/such/dir.img', '1M'])
    r = Run('img', 'info', write('esp.img', mbr(fat())))
    r.want(r.code == 0 and 'EFI system partition' in r.out and 'BOOTAA64.EFI' in r.out, 'partitions')
    refused(127, 'none.img', args=['img', 'info', 'none.img'])


# ---- running ----

@test
def demo_runs_and_separates_streams():
    r = Run('demo')
    if 'no demos' in r.err:
        return
    r.want(r.code == 0 and 'Hello from an AArch64 guest' in r.out, 'guest on stdout')
    r.want('bruin:' not in r.out, 'ours on stderr only')
    lines = r.err.strip().splitlines()
    r.want(len(lines) == 2, 'one line before, one after')
    r.want(re.fullmatch(r'bruin: .*, 1 cpu, 512 MiB', lines[0]), 'line before')
    r.want(re.fullmatch(r'bruin: guest powered off after \d+\.\d\d s \(exit 0\)', lines[1]), 'line after')
    q = Run('demo', '-q')
    q.want(q.err == '' and q.code == 0, 'quiet')
    refused(125, 'did you mean "hello"?', args=['demo', 'helo'])


@test
def outcome_as_json():
    r = Run('demo', '--json=out.json')
    if 'no demos' in r.err:
        return
    with open('out.json', encoding='utf-8') as f:
        d = json.load(f)
    r.want(d['verdict'] == 'off' and d['exit'] == 0 and d['seconds'] > 0, 'fields')
    r = Run('run', '--json=refused.json', write('be', image(flags=1)))
    with open('refused.json', encoding='utf-8') as f:
        d = json.load(f)
    r.want(d['verdict'] == 'refused' and d['exit'] == 126 and 'big-endian' in d['error'], 'refusal')


@test
def timeout_ends_a_loop():
    r = Run('run', '--timeout', '300ms', BUSY or write('loop', image()))
    if BUSY:
        r.want(r.code == 124 and 'time given was used up' in r.err, 'exit 124')
        r.want(0.25 < r.seconds < 5 * SLOW, 'in time')


@test
def flat_binaries_and_loads():
    busy = BUSY or write('loop.bin', struct.pack('<I', 0x14000000) * 4)
    ends = (124,) if BUSY else (114, 124)
    r = Run('run', '--timeout', '100ms', '--lint', 'strict', busy)
    r.want(r.code in ends and 'placed at 0x40080000' in r.err, 'guessed address is told when strict')
    r = Run('run', '--timeout', '100ms', '--load', '0x41000000', busy)
    r.want(r.code in ends and 'placed' not in r.err, 'given address')
    r = Run('run', '--timeout', '100ms', '--load', busy + '@0x42000000')
    r.want(r.code in ends, 'only loads')
    r = Run('run', '--timeout', '1s', '--load', 'random.bin@0x42000000', '--entry', '0x42000000')
    r.want(r.code in (115, 124), 'random bytes on demand')


@test
def a_reset_boots_again():
    if not RESET:
        return
    r = Run('run', '-q', '--load', '0x40080000', RESET)
    r.want(r.code == 0 and r.out == '123', 'three starts, then off')
    r = Run('run', '--no-reboot', '--load', '0x40080000', RESET)
    r.want(r.code == 113 and r.out == '1' and 'guest reset' in r.err, 'exit 113')


@test
def sigint_leaves_with_its_code():
    p = subprocess.Popen([BRUIN, 'run', BUSY or '/bin/false'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    p.stderr.readline()
    time.sleep(0.1)
    p.send_signal(2)
    try:
        code = p.wait(5)
    finally:
        p.kill()
    if BUSY and code not in (130, -2):
        raise AssertionError(f'exit {code}')


def main():
    wanted = sys.argv[4:]
    failed = 0
    with tempfile.TemporaryDirectory() as d:
        os.chdir(d)
        for t in tests:
            if wanted and t.__name__ not in wanted:
                continue
            try:
                t()
                print(f'ok 1 - {t.__name__}', flush=True)
            except Exception as e:  # noqa: BLE001
                failed += 1
                print(f'not ok 1 - {t.__name__}\n# ' + str(e).replace('\n', '\n# '), flush=True)
        os.chdir('/')
    sys.exit(failed > 0)


main()
