#!/usr/bin/env python3
"""No false alarms: real guests run under --lint default and strict and must not be warned about.

usage: lint.py --bruin PROGRAM [--out GUEST_OUT] [--quick] [--only REGEX] [--level default,strict] [--list]
Prints one TAP line a case. --quick takes the cheap ones (CI); the rest are what make soak-lint adds. Cases whose
guest is not there are skipped; --fetch downloads GRUB, systemd-boot and U-Boot (Debian packages) first.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(f'{HERE}/../..')
sys.path.insert(0, HERE)
from console import Console, Failure  # noqa: E402

CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
INITRD = f'{CACHE}/initramfs.cpio.gz'
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
FOUND = re.compile(r'^.*(?:\[[FLU]\d+\]|bruin: (?:exception loop|fatal fault|stuck|interrupt storm|deadlock)).*$', re.M)
AAVMF = '/usr/share/AAVMF/AAVMF_CODE.fd'
UBOOT = '/usr/lib/u-boot/qemu_arm64/u-boot.bin'
GRUB = f'{CACHE}/grubaa64.efi'
SDBOOT = f'{CACHE}/systemd-bootaa64.efi'
MODULES = 'virtio_net,virtio_blk,virtio_rng,ipv6,af_packet,virtio_mmio,virtio_pci,nf_conntrack,8021q,bridge'
NET = r'''#!/bin/sh
ip link set lo up; ip link set eth0 up
udhcpc -i eth0 -n -q -s /bin/true 2>&1 | tail -1
ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
ping -c 3 -W 3 10.0.2.2 && ping6 -c 2 ::1
wget -T 3 -q -O - http://10.0.2.2:9/ ; echo fetched
dd if=/dev/zero of=/tmp/z bs=64k count=64 2>/dev/null; md5sum /tmp/z; gzip /tmp/z; gunzip /tmp/z.gz
i=0; while [ $i -lt 60 ]; do ls -lR /bin >/dev/null; i=$((i+1)); done; dmesg | tail -3
ip link set eth0 down; echo NET-DONE
'''


class Case:
    def __init__(self, name, make, quick=False, levels=('default', 'strict'), timeout=120, needs=()):
        self.name, self.make, self.quick, self.levels, self.timeout, self.needs = name, make, quick, levels, timeout, needs


def script(*steps):
    """Steps: a regular expression to wait for, or ('type', text)."""
    def drive(c):
        for s in steps:
            c.type(s[1]) if isinstance(s, tuple) else c.expect(s)
    return drive


def linux(kernel, *options):
    return lambda o, work: ([*options, '-i', INITRD, '-a', 'run=/bin/true', f'{CACHE}/{kernel}'], script('RUN-STATUS=0'))


def network(o, work):
    net, initrd = f'{work}/net.sh', f'{work}/net.cpio.gz'
    with open(net, 'w', encoding='ascii') as f:
        f.write(NET)
    os.chmod(net, 0o755)
    subprocess.run([f'{TOP}/scripts/mk-initramfs', '--busybox', f'{CACHE}/busybox', '--init', f'{TOP}/scripts/guests/init',
                    '-o', initrd, '--modules', f'{CACHE}/kernel', MODULES, '--add', f'{net}=net.sh'], check=True)
    return ['--net', 'user', '-i', initrd, '-a', 'run=/net.sh', f'{CACHE}/Image'], script(
        'packets transmitted', 'NET-DONE', 'RUN-STATUS=0')


def esp(work, files):
    root = f'{work}/esp'
    for path, source in files.items():
        os.makedirs(os.path.dirname(f'{root}/{path}'), exist_ok=True)
        if source.startswith('/'):
            shutil.copy(source, f'{root}/{path}')
        else:
            with open(f'{root}/{path}', 'w', encoding='ascii') as f:
                f.write(source)
    return root


def grub(o, work):
    cfg = 'set timeout=0\nmenuentry Linux {\n linux /Image console=ttyAMA0 run=/bin/true\n initrd /initrd\n}\n'
    root = esp(work, {'EFI/BOOT/BOOTAA64.EFI': GRUB, 'EFI/debian/grub.cfg': cfg, 'Image': f'{CACHE}/Image-cloud', 'initrd': INITRD})
    subprocess.run([o.bruin, 'img', 'create', '--esp', root, f'{work}/disk.img'], check=True)
    return ['-m', '1G', f'{work}/disk.img'], script('RUN-STATUS=0')


def sdboot(o, work):
    entry = 'title Debian\nlinux /Image\ninitrd /initrd\noptions console=ttyAMA0 earlycon run=/bin/true\n'
    root = esp(work, {'EFI/BOOT/BOOTAA64.EFI': SDBOOT, 'loader/loader.conf': 'timeout 0\n', 'loader/entries/debian.conf': entry,
                      'Image': f'{CACHE}/Image-cloud', 'initrd': INITRD})
    return ['-m', '1G', '--firmware', 'tiny', '--esp', root], script('RUN-STATUS=0')


def stub(o, work):
    return ['--firmware', 'tiny', '-i', INITRD, '-a', 'run=/bin/true', f'{CACHE}/Image-cloud'], script('EFI stub', 'RUN-STATUS=0')


def own(cmdline='selftest poweroff', *options):
    def make(o, work):
        conf = f'timeout: 0\n/Test\n    protocol: bbp\n    path: boot():/boot/kernel.elf\n    cmdline: {cmdline}\n'
        root = esp(work, {'EFI/BOOT/BOOTAA64.EFI': f'{o.out}/BOOTAA64.EFI', 'boot/kernel.elf': f'{o.out}/kernel-aarch64.elf',
                          'boot/loader.conf': conf})
        return [*options, '--firmware', 'tiny', '--esp', root], script('SELFTEST PASS')
    return make


def own_linux(o, work):
    conf = ('timeout: 0\n/Linux\n    protocol: linux\n    path: boot():/Image\n    module_path: boot():/initrd\n'
            '    cmdline: console=ttyAMA0 earlycon run=/bin/true\n')
    root = esp(work, {'EFI/BOOT/BOOTAA64.EFI': f'{o.out}/BOOTAA64.EFI', 'boot/loader.conf': conf, 'Image': f'{CACHE}/Image-cloud',
                      'initrd': INITRD})
    return ['-m', '1G', '--firmware', 'tiny', '--esp', root], script('RUN-STATUS=0')


def direct(o, work):
    return [f'{o.out}/kernel-aarch64.elf', '--', 'selftest', 'poweroff'], script('SELFTEST PASS')


def uboot(*options):
    return lambda o, work: (['-m', '512M', *options, UBOOT], script('=> ', ('type', 'bdinfo\n'), 'relocaddr', ('type', 'printenv\n'), '=> '))


def aavmf(*options):
    return lambda o, work: ([*options, '-m', '512M', '--flash', AAVMF], script('Shell>', ('type', 'memmap\r'), 'Total Memory'))


def board(source):
    def make(o, work):
        elf = f'{work}/guest.elf'
        subprocess.run(['aarch64-linux-gnu-gcc', '-nostdlib', '-static', '-no-pie', '-Wl,-Ttext=0x40080000,--build-id=none',
                        '-x', 'assembler-with-cpp', '-I', f'{TOP}/tests/board', f'-Wa,-I{TOP}/tests/board', source, '-o', elf],
                       check=True)
        gic = ['--gic', '2'] if 'gic2' in source else []
        return [*gic, '--semihosting', '--no-reboot', '-c', '2', elf], script()
    return make


def gcc(part):
    def make(o, work):
        return ['-m', '1024M', '--cmdline', 'console=ttyAMA0 quiet run=/gccts/run.sh nokaslr', '-i', f'{CACHE}/gcc-testsuite.cpio.gz',
                f'{CACHE}/Image-cloud'], script('GCCTS simd pass=')
    return make


def cases():
    for engine in ('jit', 'interp'):
        for kernel in ('Image-cloud', 'Image'):
            for gic in ('3', '2'):
                quick = kernel == 'Image-cloud' and (engine, gic) in (('jit', '3'), ('interp', '2'))
                yield Case(f'debian-{kernel}-{engine}-gic{gic}', linux(kernel, '--accel', engine, '--gic', gic), quick=quick)
    for cpus in (2, 4):
        yield Case(f'debian-smp{cpus}', linux('Image-cloud', '-c', str(cpus)), quick=cpus == 2)
    yield Case('network', network, quick=True)
    yield Case('loader-kernel', own(), quick=True)
    yield Case('loader-kernel-interp', own('selftest poweroff', '--accel', 'interp'))
    yield Case('loader-kernel-smp', own('selftest poweroff smp', '-c', '4'))
    yield Case('loader-linux', own_linux)
    yield Case('kernel-direct', direct, quick=True)
    yield Case('linux-stub', stub, quick=True)
    yield Case('grub', grub, needs=[GRUB])
    yield Case('systemd-boot', sdboot, needs=[SDBOOT])
    yield Case('u-boot-flat', uboot('--load', '0x40080000'), quick=True, needs=[UBOOT])
    yield Case('u-boot-flash', uboot('--flash'), needs=[UBOOT])
    yield Case('u-boot-flash-interp', uboot('--accel', 'interp', '--flash'), needs=[UBOOT])
    yield Case('aavmf-shell', aavmf(), needs=[AAVMF])
    yield Case('aavmf-shell-interp', aavmf('--accel', 'interp'), needs=[AAVMF], timeout=400)
    for name in ('fp_loops', 'power', 'smp_gic3', 'timer_gic2', 'timer_gic3'):
        yield Case(f'board-{name}', board(f'{TOP}/tests/board/{name}.S'), quick=True)
    for kind in ('', '-long'):
        yield Case('good-guests' + kind, None, timeout=3600)
    yield Case('gcc-testsuite', gcc(''), timeout=1800, needs=[f'{CACHE}/gcc-testsuite.cpio.gz'])


def good_guests(o, case, level):
    """tests/guest/good, which has a runner of its own."""
    started = time.monotonic()
    p = subprocess.run([f'{TOP}/tests/guest/good/run.py', o.bruin, '--level', level, *(['--long'] if 'long' in case.name else [])],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    bad = [l for l in p.stdout.decode(errors='replace').splitlines() if not l.startswith('ok')]
    return ('\n'.join(bad) if p.returncode else None), time.monotonic() - started


def run(o, case, level):
    if case.make is None:
        return good_guests(o, case, level)
    with tempfile.TemporaryDirectory(prefix='lint-') as work:
        args, drive = case.make(o, work)
        c = Console([o.bruin, 'run', '--lint', level, '--timeout', f'{case.timeout * SLOW}s', *args], case.timeout * SLOW + 20)
        why = None
        try:
            drive(c)
            if case.name.startswith('board'):
                c.exit_status()
        except Failure as e:
            why = str(e)
        c.close()
    text = c.seen.decode(errors='replace')
    said = FOUND.findall(text)
    return (f'said: {said[0]}' if said else why), c.elapsed()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--bruin', required=True)
    p.add_argument('--out', default=f'{TOP}/build/guest')
    p.add_argument('--quick', action='store_true')
    p.add_argument('--only', default='')
    p.add_argument('--skip', default='^$')
    p.add_argument('--level', default='default,strict')
    p.add_argument('--fetch', action='store_true')
    p.add_argument('--list', action='store_true')
    o = p.parse_args()
    if o.fetch:
        subprocess.run([f'{TOP}/scripts/fetch-loaders.sh'], check=True)
    chosen = [c for c in cases() if (c.quick or not o.quick) and re.search(o.only, c.name) and not re.search(o.skip, c.name)]
    if o.list:
        print(*(c.name for c in chosen), sep='\n')
        return 0
    count = bad = 0
    for case in chosen:
        for level in (l for l in o.level.split(',') if l in case.levels):
            count += 1
            missing = next((n for n in case.needs if not os.path.exists(n)), None)
            if missing:
                print(f'ok {count} - {case.name} {level} # SKIP no {missing}', flush=True)
                continue
            why, seconds = run(o, case, level)
            bad += bool(why)
            print(f'{"not ok" if why else "ok"} {count} - {case.name} {level} ({seconds:.1f} s)', flush=True)
            if why:
                print('\n'.join('# ' + l for l in why.splitlines()[-30:]), flush=True)
    print(f'1..{count}\n# {count - bad} passed, {bad} failed')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
