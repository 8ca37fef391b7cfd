#!/usr/bin/env python3
"""Boots loader and kernel on other people's firmware, cell by cell, and expects the self-test to pass.

usage: bootchain.py [--out DIR] [--bruin PROGRAM] [--full] [--only REGEX] [--jobs N] [--list] [--log DIR]
A cell is a firmware, a CPU, a configuration and what must appear on the serial console. Without
--full a quick subset runs (under a minute). Needs qemu-system-arm, qemu-efi-aarch64, u-boot-qemu
and, for x86_64, qemu-system-x86 and ovmf; cells whose firmware is missing are skipped.
"""
import argparse
import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
AAVMF = ('/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/AAVMF/AAVMF_VARS.fd')
OVMF = ('/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd')
UBOOT = '/usr/lib/u-boot/qemu_arm64/u-boot.bin'
GUEST_CACHE = os.environ.get('BRUIN_CACHE', os.path.expanduser('~/.cache/bruin'))
BRUIN = os.path.join(TOP, 'build', 'bruin')
TIMEOUT_S = 240 * int(os.environ.get('BRUIN_TEST_SLOW', '1'))
PASS = ['SELFTEST PASS', 'powering off']


def conf(kernel='kernel-${ARCH}.elf', cmdline='selftest poweroff smp', head='timeout: 0', extra=''):
    return f'{head}\n/Test\n    protocol: bbp\n    path: boot():/boot/{kernel}\n    cmdline: {cmdline}\n{extra}'


class Cell:
    def __init__(self, name, fw, quick=False, cpu='cortex-a72', el2=False, gic=2, mem=512, config=None,
                 expect=None, forbid=(), files=None, keys=(), smp=1, qemu=(), needs=()):
        self.name, self.fw, self.quick, self.cpu, self.el2, self.gic = name, fw, quick, cpu, el2, gic
        self.mem, self.config = mem, conf() if config is None else config
        self.expect = PASS if expect is None else expect
        self.forbid, self.files, self.keys, self.smp = forbid, files or {}, keys, smp
        self.qemu, self.needs = list(qemu), needs

    def missing(self):
        if self.fw in ('tiny', 'direct'):
            return None if os.path.exists(BRUIN) else BRUIN
        need = {'aavmf': AAVMF, 'ovmf': OVMF, 'uboot': (UBOOT,)}[self.fw] + tuple(self.needs)
        binary = 'qemu-system-x86_64' if self.fw == 'ovmf' else 'qemu-system-aarch64'
        if not shutil.which(binary):
            return binary
        return next((p for p in need if not os.path.exists(p)), None)

    def command(self, work, out):
        if self.fw == 'tiny':
            return [BRUIN, 'run', '-m', f'{self.mem}M', '--firmware', 'tiny', '--esp', f'{work}/esp'] + self.qemu
        if self.fw == 'direct':
            kernel, cmdline = (re.search(p, self.config).group(1) for p in (r'/boot/(\S+)', r'cmdline: (.*)'))
            return [BRUIN, 'run', '-m', f'{self.mem}M', *self.qemu, f'{out}/{kernel}'.replace('${ARCH}', 'aarch64'),
                    '--', *cmdline.split()]
        disk = ['-drive', f'file={work}/esp.img,format=raw,if=none,id=d', '-device',
                'virtio-blk-pci,drive=d,bootindex=0']
        common = ['-m', str(self.mem), '-smp', str(self.smp), '-nic', 'none', '-display', 'none',
                  '-serial', 'stdio', '-monitor', 'none', '-no-reboot']
        if self.fw != 'uboot':
            code, variables = OVMF if self.fw == 'ovmf' else AAVMF
            shutil.copy(variables, f'{work}/vars.fd')  # a stale copy may hide a good disk
            flash = ['-drive', f'if=pflash,format=raw,readonly=on,file={code}', '-drive',
                     f'if=pflash,format=raw,file={work}/vars.fd', '-boot', 'menu=on,splash-time=0']
        else:
            flash = ['-bios', UBOOT]
        if self.fw == 'ovmf':
            return ['qemu-system-x86_64', '-M', 'q35', '-accel', 'tcg', '-cpu', self.cpu] + common + \
                flash + disk + self.qemu
        machine = f'virt,gic-version={self.gic}' + (',virtualization=on' if self.el2 else '')
        return ['qemu-system-aarch64', '-M', machine, '-cpu', self.cpu] + common + flash + disk + self.qemu


def damaged(out, kernel, offset, data):
    """A kernel file with some bytes replaced."""
    with open(os.path.join(out, kernel), 'rb') as f:
        b = bytearray(f.read())
    b[offset:offset + len(data)] = data
    return bytes(b)


def firmware_cells():
    """Every firmware, exception level, CPU and interrupt controller."""
    for fw in ('aavmf', 'uboot'):
        for el2 in (False, True):
            for cpu in ('cortex-a72', 'max'):
                for gic in (2, 3):
                    quick = (fw, el2, cpu, gic) in (('aavmf', False, 'cortex-a72', 2),
                                                    ('aavmf', True, 'max', 3),
                                                    ('uboot', True, 'cortex-a72', 3))
                    yield Cell(f'{fw}-el{2 if el2 else 1}-{cpu}-gicv{gic}', fw, quick, cpu, el2, gic,
                               smp=2)
    for cpu in ('qemu64', 'max', 'max,la57=on'):
        yield Cell(f'ovmf-{cpu}', 'ovmf', cpu == 'qemu64', cpu, smp=2)
    # OVMF of today runs with four levels also on CPUs that have five: the loader switches.
    for mem in (512, 4096):
        yield Cell(f'ovmf-5-levels-{mem}-MiB', 'ovmf', mem == 512, 'max,la57=on', smp=2, mem=mem,
                   config=conf('kernel-5level-x86-64.elf'), expect=['levels 5'] + PASS)
    yield Cell('ovmf-4-levels', 'ovmf', cpu='max,la57=on', config=conf('kernel-4level-x86-64.elf'), expect=['levels 4'] + PASS)
    yield Cell('ovmf-refuse-5-levels', 'ovmf', cpu='qemu64', config=conf('kernel-5level-x86-64.elf'),
               expect=['4-level paging; the kernel accepts 5', 'returning to the firmware'])


def kernel_cells():
    """The kernel in its other guises: MMU off at entry, EL2, granules, link addresses, memory sizes."""
    for fw in ('aavmf', 'uboot'):
        yield Cell(f'{fw}-mmuoff', fw, fw == 'aavmf', config=conf('kernel-mmuoff.elf'),
                   expect=['MMU off, EL1', 'MMU is off'] + PASS)
        yield Cell(f'{fw}-el2-mmuoff', fw, cpu='max', el2=True, gic=3, config=conf('kernel-el2off.elf'),
                   expect=['MMU off, EL2', 'MMU is off', 'entered at EL2'] + PASS)
        yield Cell(f'{fw}-el2-vhe', fw, cpu='max', el2=True, gic=3, config=conf('kernel-vhe.elf'),
                   expect=['EL2 VHE', 'vhe'] + PASS)
        yield Cell(f'{fw}-linked-low', fw, config=conf('kernel-low.elf'), expect=['virtual 0x40000000'] + PASS)
    for granule in ('16k', '64k'):
        yield Cell(f'aavmf-{granule}-pages', 'aavmf', cpu='max', config=conf(f'kernel-{granule}.elf'))
    yield Cell('ovmf-linked-low', 'ovmf', cpu='qemu64', config=conf('kernel-low-x86-64.elf'))
    for mem in (128, 1024, 4096):
        yield Cell(f'aavmf-{mem}-MiB', 'aavmf', mem=mem)
    yield Cell('ovmf-4096-MiB', 'ovmf', cpu='qemu64', mem=4096)
    yield Cell('aavmf-framebuffer', 'aavmf', qemu=['-device', 'ramfb'])
    yield Cell('ovmf-framebuffer', 'ovmf', cpu='qemu64', qemu=['-vga', 'std'])
    yield Cell('aavmf-no-kaslr', 'aavmf', config=conf(extra='    kaslr: no\n'), expect=['slide 0x0'] + PASS)


def own_cells():
    """Our machine: the tiny firmware and direct entry, memory sizes, guises, chaos."""
    for fw in ('tiny', 'direct'):
        for mem in (128, 512, 4096):
            yield Cell(f'{fw}-{mem}-MiB', fw, mem == 512, mem=mem)
        for name in ('mmuoff', '16k', '64k', 'low'):
            yield Cell(f'{fw}-{name}', fw, config=conf(f'kernel-{name}.elf'))
        yield Cell(f'{fw}-interpreter', fw, qemu=['--accel', 'interp'])
    yield Cell('direct-no-ram-there', 'direct', config=conf('kernel-noram.elf'), expect=['needs 0x10000000'])
    yield Cell('tiny-limine', 'tiny', config=conf('kernel-limine3-aarch64.elf', 'hello limine',
               extra='    module_path: /one\n'), files={'one': b'module one'}, expect=['LIMINE PASS'])
    # A kernel linked at physical 0x40000000 lies there, or is told what lies there instead.
    yield Cell('tiny-phys-at-0x40000000', 'tiny', True, config=conf('kernel-phys.elf'), expect=['at 0x40000000'] + PASS)
    yield Cell('tiny-phys-occupied', 'tiny', True, config=conf('kernel-phys.elf'), qemu=['--chaos', '3'],
               expect=['cannot be moved', '0x40000000..0x40200000 is in use', 'returning to the firmware'], forbid=['first C line'])
    yield Cell('tiny-strict-nx', 'tiny', True, qemu=['--chaos', '4'], expect=['strict NX'] + PASS)
    for seed in range(1, 9):
        yield Cell(f'tiny-chaos-{seed}', 'tiny', seed == 1, qemu=['--chaos', str(seed)],
                   expect=['SELFTEST PASS|loader: ERROR', 'powering off|returning to the firmware'])


def refusal_cells(out):
    """What cannot work is refused with a reason before the jump."""
    gone = 'returning to the firmware'
    yield Cell('refuse-writable-code', 'aavmf', True, config=conf('bad.elf'),
               files={'boot/bad.elf': damaged(out, 'kernel-aarch64.elf', 64 + 4, b'\7')},
               expect=['writable and executable', gone], forbid=['first C line'])
    yield Cell('refuse-other-machine', 'aavmf', config=conf('kernel-x86-64.elf'),
               expect=['is for x86_64', gone])
    yield Cell('refuse-no-ram-there', 'aavmf', config=conf('kernel-phys.elf'),
               files={'boot/kernel-phys.elf': open(os.path.join(out, 'kernel-noram.elf'), 'rb').read()},
               expect=['cannot be moved', 'no RAM at', gone])
    yield Cell('refuse-occupied', 'aavmf', config=conf('kernel-occupied.elf'),
               expect=['cannot be moved', 'is in use: memory type', gone])
    yield Cell('refuse-no-vhe', 'aavmf', el2=True, config=conf('kernel-vhe.elf'), expect=['FEAT_VHE', gone])
    yield Cell('refuse-missing-file', 'uboot', config=conf('nothing.elf'), expect=['cannot open', gone])
    yield Cell('refuse-truncated', 'aavmf', config=conf('bad.elf'),
               files={'boot/bad.elf': damaged(out, 'kernel-aarch64.elf', 0, b'')[:70000]},
               expect=['outside the file', gone])
    yield Cell('refuse-wrong-hash', 'aavmf', config=conf('kernel-aarch64.elf#' + '00' * 32),
               expect=['was changed or damaged', gone], forbid=['first C line'])
    yield Cell('phys-at-0x40000000', 'aavmf', config=conf('kernel-phys.elf'), expect=['at 0x40000000'] + PASS)


def config_cells(out):
    """Hashes, modules, menu, warnings, no configuration at all, chain loading, Linux."""
    with open(os.path.join(out, 'kernel-aarch64.elf'), 'rb') as f:
        kernel = f.read()
    module = bytes(range(256)) * 40
    b2 = hashlib.blake2b(module).hexdigest()
    yield Cell('module-and-hashes', 'aavmf', True,
               config=conf('kernel-aarch64.elf#' + hashlib.sha256(kernel).hexdigest(),
                           f'selftest poweroff modcrc={crc32c(module):#x}', 'timeout: 0\nfoo: bar',
                           f'    module_path: boot():/data.bin#{b2}\n    module_string: some data\n'),
               files={'data.bin': module},
               expect=['unknown key "foo"', 'SHA-256 matches', 'BLAKE2b matches', 'data.bin (some data)'] + PASS)
    two = conf('nothing.elf', head='timeout: 30') + '/Second\n    path: /boot/kernel-aarch64.elf\n' \
        '    cmdline: selftest poweroff\n'
    yield Cell('menu-by-number', 'aavmf', config=two, keys=[('booting entry 1', 'x'), ('Esc leaves', '2')],
               expect=['choose with', 'booting "Second"'] + PASS)
    yield Cell('menu-by-arrow', 'uboot', config=two,
               keys=[('booting entry 1', '\x1b[B'), ('> 2', '\r')], expect=['> 2', 'booting "Second"'] + PASS)
    yield Cell('menu-after-failure', 'aavmf', config=two.replace('30', '1'), keys=[('cannot open', '2')],
               expect=['cannot open', 'booting "Second"'] + PASS)
    yield Cell('no-configuration', 'aavmf', config='', files={'kernel.elf': kernel},
               keys=[('type help', 'peek 0\r'), ('fault', 'off\r')],
               expect=['first C line', 'monitor: type help', 'fault', 'powering off'])
    yield Cell('limine-config', 'uboot', config='', files={
        'limine.conf': conf(cmdline='selftest poweroff', head='timeout: 0\nterm_palette: 000').encode()},
        expect=['/limine.conf: 1 entries'] + PASS)
    faults = [('type help', 'fault 0\r')]
    yield Cell('exception-report', 'aavmf', config=conf(cmdline='shell'), keys=faults,
               expect=['EXCEPTION data abort', 'fault+0x', 'translation fault at 0x8', 'not mapped',
                       'called from', 'HALT code 0xb0b3'])
    yield Cell('stack-overflow-report', 'ovmf', cpu='qemu64', config=conf(cmdline='shell'),
               keys=[('type help', 'fault 3\r')],
               expect=['EXCEPTION page fault', 'eat_stack', 'the stack overflowed', 'HALT code'])
    yield Cell('checkpoint', 'uboot', config=conf(cmdline='stop-at=3'),
               expect=['checkpoint 3 reached', 'HALT code 0xb0b2, last checkpoint 3'])
    hello = 'timeout: 0\n/Chain\n    protocol: efi\n    path: /hello-{}.efi\n    cmdline: some options\n'
    chained = ['starting EFI program', 'hello from a chained program: some options', 'returned to the loader']
    for fw, arch in (('aavmf', 'aarch64'), ('uboot', 'aarch64'), ('ovmf', 'x86-64')):
        with open(os.path.join(out, f'hello-{arch}.efi'), 'rb') as f:
            data = f.read()
        yield Cell(f'chain-{fw}', fw, cpu='qemu64' if fw == 'ovmf' else 'cortex-a72',
                   config=hello.format(arch), files={f'hello-{arch}.efi': data}, expect=chained)
    for fw, arch, revision in (('aavmf', 'aarch64', 0), ('aavmf', 'aarch64', 3), ('uboot', 'aarch64', 4),
                               ('ovmf', 'x86-64', 0), ('ovmf', 'x86-64', 3)):
        yield Cell(f'limine-{fw}-revision-{revision}', fw, (fw, revision) == ('aavmf', 3),
                   cpu='qemu64' if fw == 'ovmf' else 'cortex-a72', el2=fw == 'uboot',
                   config=conf(f'kernel-limine{revision}-{arch}.elf', 'hello limine',
                               extra='    module_path: /one\n').replace('bbp', 'limine'),
                   files={'one': b'module one'}, expect=['LIMINE PASS'], forbid=['LIMINE FAIL'])
    yield from linux_cells()


def linux_cells():
    image, initrd = (os.path.join(GUEST_CACHE, n) for n in ('Image', 'initramfs.cpio.gz'))

    def files():
        return {'Image': open(image, 'rb').read(), 'initrd.gz': open(initrd, 'rb').read()}
    text = 'timeout: 0\n/Linux\n    protocol: linux\n    path: /Image\n    module_path: /initrd.gz\n' \
        '    cmdline: console=ttyAMA0 earlycon\n'
    for fw in ('aavmf', 'uboot'):
        yield Cell(f'linux-{fw}', fw, config=text, files=files, mem=1024, needs=(image, initrd),
                   expect=['starting EFI program', 'EFI stub', 'Linux version',
                           'Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID|Unpacking initramfs|Trying to unpack rootfs',
                           'Run /init|Freeing initrd memory'])


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def make_disk(cell, out, work):
    esp = f'{work}/esp'
    files = cell.files() if callable(cell.files) else cell.files
    os.makedirs(f'{esp}/EFI/BOOT')
    os.makedirs(f'{esp}/boot')
    for name in ('BOOTAA64.EFI', 'BOOTX64.EFI'):
        shutil.copy(f'{out}/{name}', f'{esp}/EFI/BOOT/')
    for name in os.listdir(out):
        mentioned = name in cell.config or '${ARCH}' in cell.config
        if name.startswith('kernel-') and name.endswith('.elf') and mentioned:
            shutil.copy(f'{out}/{name}', f'{esp}/boot/')
    if '${ARCH}' in str(files.get('limine.conf', '')):
        shutil.copy(f'{out}/kernel-aarch64.elf', f'{esp}/boot/')
    if cell.config:
        with open(f'{esp}/boot/loader.conf', 'w', encoding='utf-8') as f:
            f.write(cell.config)
    for name, data in files.items():
        os.makedirs(os.path.dirname(f'{esp}/{name}'), exist_ok=True)
        with open(f'{esp}/{name}', 'wb') as f:
            f.write(data)
    if cell.fw not in ('tiny', 'direct'):
        subprocess.run([f'{out}/mkimage', 'create', '--esp', esp, f'{work}/esp.img'], check=True)
        shutil.rmtree(esp)


def watch(cell, process, deadline):
    """Reads the console until everything expected was seen. Returns (reason or None, text)."""
    text, keys, seen, state = '', list(cell.keys), 0, {}

    def read():
        nonlocal text
        while chunk := process.stdout.read1(65536):
            text += chunk.decode('utf-8', 'replace')
        state['end'] = True
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    at, key_at = 0, 0
    while True:
        ended = state.get('end')
        if keys and (i := text.find(keys[0][0], key_at)) >= 0:
            key_at = i + len(keys[0][0])
            time.sleep(0.3)
            process.stdin.write(keys.pop(0)[1].encode())
            process.stdin.flush()
        while seen < len(cell.expect) and (m := re.compile(literal(cell.expect[seen])).search(text, at)):
            at = m.end()
            seen += 1
        bad = next((f for f in ('SELFTEST FAIL', 'loader: STOP', *cell.forbid) if f in text), None)
        if not bad and 'nothing was booted' in text and not cell.keys and \
                not any('returning' in e or 'returned' in e for e in cell.expect):
            bad = 'nothing was booted'
        if bad:
            return f'saw "{bad}"', text
        if seen == len(cell.expect):
            return None, text
        if ended or time.monotonic() > deadline:
            return f'{"ended" if ended else "timeout"} before "{cell.expect[seen]}"', text
        time.sleep(0.02)


def literal(pattern):
    return '|'.join(re.escape(p) for p in pattern.split('|'))


def run(cell, out, log):
    started = time.monotonic()
    missing = cell.missing()
    if missing:
        return cell, 'skip', f'no {missing}', 0
    with tempfile.TemporaryDirectory(prefix='bootchain-') as work:
        make_disk(cell, out, work)
        process = subprocess.Popen(cell.command(work, out), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        try:
            reason, text = watch(cell, process, started + TIMEOUT_S)
        finally:
            process.kill()
            process.wait()
    if log:
        with open(os.path.join(log, cell.name + '.log'), 'w', encoding='utf-8') as f:
            f.write(text)
    if reason:
        tail = '\n'.join('    | ' + l for l in text.replace('\r', '').splitlines()[-25:])
        return cell, 'FAIL', f'{reason}\n{tail}', time.monotonic() - started
    return cell, 'ok', '', time.monotonic() - started


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--out', default=os.path.join(TOP, 'build', 'guest'))
    p.add_argument('--full', action='store_true')
    p.add_argument('--only', default='')
    p.add_argument('--jobs', type=int, default=2)
    p.add_argument('--list', action='store_true')
    p.add_argument('--log')
    p.add_argument('--bruin', help='our machine; default: bruin beside the guest files')
    a = p.parse_args()
    global BRUIN
    BRUIN = a.bruin or os.path.join(os.path.dirname(os.path.abspath(a.out)), 'bruin')
    if not os.path.exists(os.path.join(a.out, 'BOOTAA64.EFI')):
        print(f'1..0 # SKIP {a.out} is not built: make -C guest')
        return 77
    cells = [*firmware_cells(), *kernel_cells(), *own_cells(), *refusal_cells(a.out), *config_cells(a.out)]
    cells = [c for c in cells if (a.full or a.only or c.quick) and re.search(a.only, c.name)]
    if a.list:
        print(*(c.name for c in cells), sep='\n')
        return 0
    if a.log:
        os.makedirs(a.log, exist_ok=True)
    counts = {'ok': 0, 'FAIL': 0, 'skip': 0}
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        jobs = [pool.submit(run, c, a.out, a.log) for c in cells]
        for n, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            cell, result, why, seconds = job.result()
            counts[result] += 1
            mark = {'ok': 'ok', 'FAIL': 'not ok', 'skip': 'ok'}[result]
            print(f'{mark} {n} - {cell.name} ({seconds:.1f} s)' + (' # SKIP ' + why if result == 'skip' else ''))
            if result == 'FAIL':
                print(f'# {cell.name}: {why}')
            sys.stdout.flush()
    print(f'1..{len(cells)}\n# {counts["ok"]} passed, {counts["FAIL"]} failed, {counts["skip"]} skipped')
    return 1 if counts['FAIL'] else 0


if __name__ == '__main__':
    sys.exit(main())
