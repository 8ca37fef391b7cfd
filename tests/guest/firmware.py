#!/usr/bin/env python3
"""The tiny firmware: loader and kernel pass their self-test on it, Linux boots by its EFI stub, mistakes of
the hand-off are named, and with chaos seeds a boot succeeds or says why, but never hangs.

usage: firmware.py BRUIN GUEST_OUT [--seeds N] [--first SEED] [--engine interp|jit]
Prints one line per case and `N passed, N failed`.
"""
import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
CACHE = os.environ.get('BRUIN_CACHE', os.path.join(os.environ.get('XDG_CACHE_HOME', os.path.expanduser('~/.cache')), 'bruin'))
CONF = 'timeout: 0\n/Test\n    protocol: bbp\n    path: boot():/boot/kernel.elf\n    cmdline: selftest poweroff\n'
APP_FLAGS = ['-target', 'aarch64-unknown-windows', '-std=c11', '-O1', '-ffreestanding', '-fshort-wchar',
             '-mno-stack-arg-probe', '-mgeneral-regs-only', '-fno-stack-protector', '-c']
CHAOS_KERNELS = ('kernel-aarch64.elf', 'kernel-mmuoff.elf', 'kernel-16k.elf', 'kernel-phys.elf', 'kernel-low.elf')
passed, failed = [], []
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
BUSY = SLOW * (3 if os.getloadavg()[0] > (os.cpu_count() or 1) else 1)  # for limits of time: others use the host too


def report(name, ok, why=''):
    (passed if ok else failed).append(name)
    print(f'{"ok  " if ok else "FAIL"} {name}{"" if ok else ": " + why}', flush=True)


def run(bruin, args, timeout=60, typed=b''):
    timeout *= SLOW
    cmd = [bruin, 'run', '--timeout', f'{timeout}s', *args]
    p = subprocess.run(cmd, input=typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout + 30,
                       check=False)
    return p.returncode, p.stdout.decode(errors='replace').replace('\r', '')


def esp(work, out, kernel='kernel-aarch64.elf', conf=CONF):
    root = os.path.join(work, 'esp')
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root + '/EFI/BOOT')
    os.makedirs(root + '/boot')
    shutil.copy(out + '/BOOTAA64.EFI', root + '/EFI/BOOT/BOOTAA64.EFI')
    shutil.copy(f'{out}/{kernel}', root + '/boot/kernel.elf')
    with open(root + '/boot/loader.conf', 'w', encoding='ascii') as f:
        f.write(conf)
    return root


def self_test(o, work):
    for engine in ('interp', 'jit'):
        for mem in ('128M', '4G') if engine == 'jit' else ('512M',):
            rc, text = run(o.bruin, ['--accel', engine, '-m', mem, '--esp', esp(work, o.out)])
            report(f'self-test {engine} {mem}', rc == 0 and 'SELFTEST PASS' in text, f'exit {rc}: {text[-400:]}')


GUISES = ('', '--el 2', '--el 2 --vhe off', '--el 2 -c 2 --gic 2', '--acpi', '--acpi --gic 2 -c 2', '--el 2 --acpi -c 2', '--display ramfb')


def guises(o, work):
    """The firmware at every level, with ACPI or a device tree, with a framebuffer."""
    root = esp(work, o.out)
    for guise in GUISES[1:]:
        rc, text = run(o.bruin, [*guise.split(), '--esp', root])
        want = ['SELFTEST PASS', 'firmware at EL2' if '--el 2' in guise else 'firmware at EL1',
                'devices from ACPI' if 'acpi' in guise else 'devices from the device tree']
        report(f'self-test {guise}', rc == 0 and all(w in text for w in want), f'exit {rc}: {text[-400:]}')
    for kernel, guise in (('el2off', '--el 2'), ('vhe', '--el 2')):
        rc, text = run(o.bruin, [*guise.split(), '--esp', esp(work, o.out, f'kernel-{kernel}.elf')])
        report(f'kernel stays at EL2 ({kernel})', rc == 0 and 'SELFTEST PASS' in text and 'entered at EL2' in text,
               f'exit {rc}: {text[-400:]}')


def services(o, work):
    """Services used by an application; the same at EL2 and with ACPI."""
    with open(work + '/initrd', 'wb') as f:
        f.write(b'initrd!')
    app = build_app(work, 'services')
    for guise in ('', '--el 2', '--acpi'):
        rc, text = run(o.bruin, ['--display', 'ramfb', '-i', work + '/initrd', *guise.split(), app], 20)
        bad = ' '.join(re.findall(r'BAD .*', text))
        report(f'services {guise}', rc == 0 and 'SERVICES PASS' in text and not bad, f'exit {rc}: {bad or text[-400:]}')


def picture(o, work):
    """The kernel writes on the framebuffer that the firmware set up; the monitor shows it."""
    sock, ppm = work + '/monitor', work + '/screen.ppm'
    root = esp(work, o.out, conf=CONF.replace('selftest poweroff', 'shell'))
    p = subprocess.Popen([o.bruin, 'run', '--timeout', f'{30 * SLOW}s', '--display', 'ramfb', '--monitor', sock, '--esp', root],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = b''
    while b'type help' not in text and (c := p.stdout.read1(4096)):
        text += c
    answer = subprocess.run([o.bruin, 'monitor', sock, 'screendump ' + ppm], stdout=subprocess.PIPE, timeout=20 * SLOW, check=False).stdout
    p.kill()
    p.wait()
    data = b''
    if os.path.exists(ppm):
        with open(ppm, 'rb') as f:
            data = f.read()
    head, pixels = data[:15], data[16:]
    lit = sum(1 for k in range(0, len(pixels), 3) if pixels[k])
    report('picture of the framebuffer', head == b'P6\n1024 768\n255' and 1000 < lit < 100000,
           f'{head} {lit} pixels lit: {answer.decode()} {text[-200:]}')


def speed(o, work):
    """From the start of the program to the application's entry, and its end, in at most 50 ms. A busy host gets many tries."""
    root = work + '/hello'
    os.makedirs(root + '/EFI/BOOT')
    shutil.copy(o.out + '/hello-aarch64.efi', root + '/EFI/BOOT/BOOTAA64.EFI')
    disk = work + '/hello.img'
    subprocess.run([o.bruin, 'img', 'create', '--esp', root, disk], check=True)
    for title, args in (('a directory', ['--esp', root]), ('a disk', [disk])):
        best, text = 1e9, ''
        for n in range(60):
            if n >= 5 and best <= 50:
                break
            start = time.perf_counter()
            _, text = run(o.bruin, args)
            best = min(best, (time.perf_counter() - start) * 1000)
        report(f'start to application from {title}: {best:.0f} ms', best <= 50 * BUSY and 'hello from' in text, text[-200:])


def chaos(o, work):
    root, wrong = esp(work, o.out), 0
    for seed in range(o.first, o.first + o.seeds):
        kernel = CHAOS_KERNELS[seed % len(CHAOS_KERNELS)]
        shutil.copy(f'{o.out}/{kernel}', root + '/boot/kernel.elf')
        rc, text = run(o.bruin, ['--accel', o.engine, '--esp', root, '--chaos', str(seed)], 20)
        booted = rc == 0 and 'SELFTEST PASS' in text
        explained = re.search(r'^loader: (ERROR|STOP)|^firmware: ', text, re.M) is not None and rc != 124
        if not booted and not explained:
            wrong += 1
            report(f'chaos seed {seed}', False, f'exit {rc}: {text[-300:]}')
    report(f'chaos seeds {o.first}..{o.first + o.seeds - 1}', wrong == 0, f'{wrong} neither booted nor explained')


def mbr_of(volume):
    """A disk with an MBR and one EFI system partition."""
    table = bytearray(512)
    table[446:462] = struct.pack('<B3sB3sII', 0, b'', 0xef, b'', 2048, len(volume) // 512)
    table[510:512] = b'\x55\xaa'
    return bytes(table) + bytes((2048 - 1) * 512) + volume


def disks(o, work):
    """`bruin run disk.img` with every kind of table and FAT, and what is said of disks that hold nothing."""
    root, mk, name = esp(work, o.out), o.out + '/mkimage', work + '/disk.img'

    def boots(title, *args):
        rc, text = run(o.bruin, [*args])
        report(title, rc == 0 and 'SELFTEST PASS' in text, f'exit {rc}: {text[-300:]}')
    subprocess.run([o.bruin, 'img', 'create', '--esp', root, name], check=True)
    boots('disk: GPT, FAT16', name)
    boots('disk: behind another disk', name, '--firmware', 'tiny', '-d', mk + ',ro')
    subprocess.run([mk, 'create', '--esp', root, '--bare', work + '/fat16.img'], check=True)
    boots('disk: no table', work + '/fat16.img')
    with open(work + '/fat16.img', 'rb') as f, open(work + '/mbr.img', 'wb') as g:
        g.write(mbr_of(f.read()))
    boots('disk: MBR', work + '/mbr.img')
    subprocess.run([mk, 'create', '--esp', root, '--size', '300', work + '/fat32.img'], check=True)
    boots('disk: GPT, FAT32', work + '/fat32.img')
    with open(name, 'r+b') as f:
        f.seek(512)
        f.write(bytes(512))
    boots('disk: the second GPT alone', '--firmware', 'tiny', '-d', name)
    if shutil.which('mkfs.fat') and shutil.which('mcopy'):
        fat12 = work + '/fat12.img'
        subprocess.run(['mkfs.fat', '-F', '12', '-C', fat12, '3000'], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(['mcopy', '-s', '-i', fat12, root + '/EFI', root + '/boot', '::/'], check=True)
        boots('disk: FAT12 by mkfs.fat and mtools', fat12)
    with open(work + '/empty.img', 'wb') as f:
        f.write(mbr_of(bytes(1 << 20)))
    rc, text = run(o.bruin, ['--firmware', 'tiny', '-d', work + '/empty.img'])
    report('disk: nothing to start', rc == 14 and 'is on none of' in text, f'exit {rc}: {text[-300:]}')


def linux_stub(o, work):
    image, initrd = CACHE + '/Image-cloud', CACHE + '/initramfs.cpio.gz'
    if not os.path.exists(image):
        return
    for guise, want in (('', 'Machine model'), ('--acpi', 'ACPI: Interpreter enabled'), ('--el 2', 'started at EL2'),
                        ('--el 2 --acpi -c 2 --gic 2', 'ACPI: Interpreter enabled')):
        rc, text = run(o.bruin, ['--firmware', 'tiny', *guise.split(), image, '-i', initrd, '-a', 'run=/bin/true'])
        ok = all(w in text for w in ('RUN-STATUS=0', 'EFI stub', want)) and not re.search(r'ACPI (Error|BIOS Error)', text)
        report(f'Linux by its EFI stub {guise}', rc == 0 and ok, f'exit {rc}: {text[-400:]}')


def loaders(o, work):
    """Debian's GRUB and systemd-boot, unmodified, start Linux (scripts/fetch-loaders.sh)."""
    image, initrd = CACHE + '/Image-cloud', CACHE + '/initramfs.cpio.gz'
    for name, binary in (('GRUB', 'grubaa64.efi'), ('systemd-boot', 'systemd-bootaa64.efi')):
        loader = f'{CACHE}/{binary}'
        if not (os.path.exists(loader) and os.path.exists(image)):
            print(f'skip {name}: no {loader} (scripts/fetch-loaders.sh)')
            continue
        root = work + '/loaders'
        shutil.rmtree(root, ignore_errors=True)
        for d in ('EFI/BOOT', 'EFI/debian', 'loader/entries'):
            os.makedirs(f'{root}/{d}')
        for source, to in ((loader, 'EFI/BOOT/BOOTAA64.EFI'), (image, 'Image'), (initrd, 'initrd.gz')):
            shutil.copy(source, f'{root}/{to}')
        for path, text in (('EFI/debian/grub.cfg', 'set timeout=0\nmenuentry Linux {\n linux /Image console=ttyAMA0 run=/bin/true\n'
                                                   ' initrd /initrd.gz\n}\n'),
                           ('loader/loader.conf', 'timeout 0\ndefault linux\n'),
                           ('loader/entries/linux.conf', 'title Linux\nlinux /Image\ninitrd /initrd.gz\n'
                                                         'options console=ttyAMA0 run=/bin/true\n')):
            with open(f'{root}/{path}', 'w', encoding='ascii') as f:
                f.write(text)
        disk = work + '/loaders.img'
        if os.path.exists(disk):
            os.unlink(disk)
        subprocess.run([o.bruin, 'img', 'create', '--esp', root, disk], check=True)
        for guise in ([disk], [disk, '--el', '2']) + (([ '--esp', root],) if name != 'GRUB' else ()):
            rc, text = run(o.bruin, guise)
            ok = rc == 0 and 'RUN-STATUS=0' in text and 'EFI stub' in text
            title = ' '.join(guise).replace(work, '')
            report(f'{name} boots Linux: {title}', ok, f'exit {rc}: {text[-500:]}')


def build_app(work, name, *flags):
    obj, efi = f'{work}/{name}.obj', f'{work}/{name}.efi'
    subprocess.run(['clang', *APP_FLAGS, *flags, f'{TOP}/tests/guest/efi/{name}.c', '-I', TOP + '/guest', '-o', obj], check=True)
    subprocess.run(['lld-link', '-subsystem:efi_application', '-entry:efi_main', '-nodefaultlib', '-machine:arm64',
                    '-timestamp:0', f'-out:{efi}', obj], check=True)
    return efi


def lints(o, work):
    """L1..L15: each application with the mistake, and without it, in both engines."""
    apps = sorted(n[:-2] for n in os.listdir(f'{TOP}/tests/guest/efi') if re.match(r'L\d+', n))
    for name in apps:
        with open(f'{TOP}/tests/guest/efi/{name}.c', encoding='ascii') as f:
            options = re.findall(r'^/// options: (.*)', f.read())
        options = options[0].split() if options else []
        for kind, flags in (('bad', []), ('good', ['-DGOOD'])):
            app = build_app(work, name, *flags)
            for engine in ('interp', 'jit'):
                rc, text = run(o.bruin, ['--accel', engine, '--timeout', '10s', *options, app], 20, b'x')
                ids = set(re.findall(r'\[([FLU]\d+)\]', text))
                want = {re.match(r'L\d+', name).group()}
                ok = want <= ids if kind == 'bad' else not ids and 'APP-DONE' in text and rc == 0
                report(f'{name} {kind} {engine}', ok, f'exit {rc}, said {sorted(ids)}: {text[-600:]}')
    rc, text = run(o.bruin, ['--lint', 'error', build_app(work, 'L6')], 20)
    report('L6 with --lint error ends with 116', rc == 116 and 'L6' in text, f'exit {rc}: {text[-300:]}')


def mistakes(o, work):
    if not (shutil.which('clang') and shutil.which('lld-link')):
        return
    for name, found in (('stale_key', 'U1'), ('after_exit', 'U2'), ('good_exit', None)):
        rc, text = run(o.bruin, [build_app(work, name)], 20)
        ids = re.findall(r'\bU[1-4]\b', text)
        ok = (ids[:1] == [found] if found else not ids) and 'APP-DONE' in text
        report(f'{name}: {found or "nothing to say"}', ok, f'exit {rc}: {text[-400:]}')
    app = build_app(work, 'null_protocol')
    rc, text = run(o.bruin, [app], 20)
    report('null_protocol: U3, as a fatal fault', rc == 115 and 'fatal fault: U3' in text and 'null_protocol.efi+0x' in text,
           f'exit {rc}: {text[-900:]}')
    rc, text = run(o.bruin, [build_app(work, 'wrong_key')], 20)
    report('wrong_key: U1, and the status is the exit code', rc == 2 and '[U1]' in text and 'not the key' in text, f'exit {rc}: {text[-900:]}')
    rc, text = run(o.bruin, [build_app(work, 'console_after_exit')], 20)
    report('console_after_exit: U2, as a fatal fault', rc == 115 and 'fatal fault: U2' in text and 'OutputString' in text, f'exit {rc}: {text[-900:]}')
    rc, text = run(o.bruin, ['--lint=error', build_app(work, 'stale_key')], 20)
    report('stale_key: --lint=error ends it', rc == 116 and 'stopped by a lint: U1' in text, f'exit {rc}: {text[-900:]}')
    lints(o, work)
    rc, text = run(o.bruin, [o.out + '/BOOTX64.EFI'], 20)
    report('an application for another processor is refused', rc in (126, 0) and 'x86-64' in text, f'exit {rc}: {text[-300:]}')


def main():
    a = argparse.ArgumentParser()
    a.add_argument('bruin')
    a.add_argument('out')
    a.add_argument('--seeds', type=int, default=6)
    a.add_argument('--first', type=int, default=1)
    a.add_argument('--engine', default='jit')
    a.add_argument('--only', default='', help='names of parts: self_test,mistakes,guises,services,picture,disks,linux_stub,loaders,speed,chaos')
    o = a.parse_args()
    if not os.path.exists(o.out + '/BOOTAA64.EFI'):
        print(f'{o.out}: the guest side is not built (make -C guest)')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as work:
        have_clang = shutil.which('clang') and shutil.which('lld-link')
        for part in (self_test, mistakes, guises, services, picture, disks, linux_stub, loaders, speed, chaos):
            if (o.only and part.__name__ not in o.only.split(',')) or (part is services and not have_clang):
                continue
            part(o, work)
    print(f'{len(passed)} passed, {len(failed)} failed')
    sys.exit(bool(failed))


main()
