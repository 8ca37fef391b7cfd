#!/usr/bin/env python3
"""Boots stock Debian kernels and asserts on the console and on the exit status.

usage: boot.py SCENARIO --bruin PROGRAM [--accel interp|jit] [--gic 2|3] [--timeout SECONDS]
"""
import argparse
import functools
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from console import Console, Failure  # noqa: E402

CACHE = os.environ.get('BRUIN_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'bruin')
INITRD = f'{CACHE}/initramfs.cpio.gz'
opened = []
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)


def want(ok, what, console):
    if not ok:
        raise Failure(f'{what}\n{console.tail()}')


def start(o, kernel, *options, tty=False, env=None):
    command = [o.bruin, 'run', '-m', '512M', '--gic', o.gic]
    command += ['--accel', o.accel] if o.accel else []
    opened.append(Console(command + [*options, f'{CACHE}/{kernel}'], o.timeout, tty, env and {**os.environ, **env}))
    return opened[-1]


def userspace(o, kernel='Image'):
    """To user space, one program, power off by PSCI: exit 0."""
    c = start(o, kernel, '-i', INITRD, '-a', 'run=/bin/true')
    c.expect('Linux version 6')
    c.expect(r'BUSYBOX-INIT Linux \S+ aarch64 cpus=1')
    up = c.elapsed()
    c.expect('RUN-STATUS=0')
    want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)
    text = c.seen.decode(errors='replace')
    for bad in ('BUG:', 'Oops', 'WARNING: CPU', 'Call trace', 'rcu_sched', 'soft lockup'):
        want(bad not in text, f'{bad!r} on the console', c)
    print(f'user space after {up:.2f} s')


def userspace_cloud(o):
    userspace(o, 'Image-cloud')


def el2(o):
    """A kernel entered at EL2, two CPUs: it stays there with FEAT_VHE, else leaves a stub; KVM initialises; no lint speaks."""
    for vhe, mode in (('on', 'VHE'), ('off', 'Hyp')):
        c = start(o, 'Image-cloud', '--el', '2', '--vhe', vhe, '-c', '2', '--lint', 'strict', '-i', INITRD, '-a', 'run=/bin/true')
        c.expect('CPU1: Booted secondary processor')
        c.expect(r'CPU: All CPU\(s\) started at EL2')
        c.expect(f'{mode} mode initialized successfully')
        c.expect('RUN-STATUS=0')
        want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)
        want(b'bruin: warning' not in c.seen, 'a warning', c)


def kvm(o):
    """Linux in a virtual machine of the guest's KVM (tests/guest/kvm/kvmboot.c), by both of its ways into EL2."""
    tools = [shutil.which(t) for t in ('aarch64-linux-gnu-gcc', 'fdtput', 'cpio')]
    if not all(tools):
        sys.exit(77)
    with tempfile.TemporaryDirectory() as d:
        inner = f'{d}/root/inner'
        os.makedirs(inner)
        run = lambda *command, **kw: subprocess.run(command, check=True, **kw)
        run(tools[0], '-O2', '-static', f'{HERE}/../guest/kvm/kvmboot.c', '-o', f'{d}/root/kvmboot', '-lpthread')
        run(o.bruin, 'dtb', 'dump', '-m', '256M', '-c', '2', '-o', f'{inner}/dtb')
        run(tools[1], '-t', 's', f'{inner}/dtb', '/chosen', 'bootargs', 'console=ttyAMA0 run=/bin/true')
        end = 0x48200000 + os.path.getsize(INITRD)
        for name, at in (('start', 0x48200000), ('end', end)):
            run(tools[1], '-t', 'x', f'{inner}/dtb', '/chosen', f'linux,initrd-{name}', '0', f'{at:x}')
        shutil.copy(INITRD, f'{inner}/initrd')
        shutil.copy(f'{CACHE}/Image-cloud', f'{inner}/Image')
        with open(f'{d}/root/kvmrun', 'w') as f:
            f.write('#!/bin/sh\nexec /kvmboot /inner/Image /inner/dtb /inner/initrd 2\n')
        os.chmod(f'{d}/root/kvmrun', 0o755)
        with open(f'{d}/kvm.cpio', 'wb') as f:
            run('sh', '-c', 'find . | cpio -o -H newc --quiet', cwd=f'{d}/root', stdout=f)
        for vhe in ('on', 'off'):
            c = start(o, 'Image-cloud', '--el', '2', '--vhe', vhe, '-m', '1G', '-i', INITRD, '-i', f'{d}/kvm.cpio', '-a', 'run=/kvmrun')
            c.expect('HYP mode not available') # says the inner kernel
            c.expect(r'BUSYBOX-INIT Linux \S+ aarch64 cpus=2')
            c.expect('RUN-STATUS=0')
            c.expect('KVMBOOT-OFF')
            c.expect('RUN-STATUS=0')
            want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)
            want(b'bruin: warning' not in c.seen, 'a warning', c)
            print(f'vhe {vhe}: {c.elapsed():.1f} s')


def gcc_testsuite(o):
    """GCC's own run-time tests in the guest (scripts/guests/gcc-testsuite.sh): QEMU's result."""
    results = {}
    append = 'console=ttyAMA0 quiet run=/gccts/run.sh nokaslr'
    initrd = f'{CACHE}/gcc-testsuite.cpio.gz'
    machines = {'bruin': [o.bruin, 'run', '-m', '1024M', '--cmdline', append, '-i', initrd],
                'qemu': ['qemu-system-aarch64', '-M', 'virt', '-m', '1024', '-cpu', 'max,pauth=off', '-nographic',
                         '-no-reboot', '-append', append, '-initrd', initrd, '-kernel']}
    machines['bruin'] += ['--accel', o.accel] if o.accel else []
    for name, command in machines.items():
        c = Console([*command, f'{CACHE}/Image-cloud'], o.timeout)
        opened.append(c)
        c.expect('GCCTS simd pass=')
        c.exit_status()
        text = c.seen.decode(errors='replace')
        results[name] = sorted(set(re.findall(r'GCCTS-FAIL (\S+) rc=\d+', text))), re.findall(r'GCCTS \w+ pass=\d+ fail=\d+', text + '\n')
        print(f'{name}: {results[name][1]} in {c.elapsed():.0f} s', flush=True)
    only = set(results['bruin'][0]) ^ set(results['qemu'][0])
    want(not only, f'results differ in {sorted(only)}', c)


def panic(o):
    """No root and panic=-1: the kernel asks for a reset after its panic: exit 112."""
    c = start(o, 'Image-cloud', '-a', 'panic=-1')
    c.expect('Kernel panic - not syncing')
    want(c.exit_status() == 112, f'exit status {c.process.returncode}, wanted 112', c)
    for words in ('console=ttyS5 panic=-1', 'console=ttyS5'):
        c = start(o, 'Image-cloud', '--cmdline', words)
        c.expect('F20 Kernel panic - not syncing: VFS')
        want(c.exit_status() == 112, f'{words}: exit status {c.process.returncode}, wanted 112', c)


def shell(o):
    """A person at a terminal: prompt, typing, line editing by the guest, power off, modes restored."""
    c = start(o, 'Image-cloud', '-i', INITRD, tty=True)
    c.expect(r'bruin:/# ')
    c.type('uname -a\n')
    c.expect(r'Linux \S+ 6\.\S+ .*aarch64')
    c.expect(r'bruin:/# ')
    c.type('echo $((6*7)) > /tmp/f; cxt\b\b\x7fat /tmp/f\n'.replace('cxt\b\b\x7f', 'cx\x7f'))
    c.expect(r'\n42\n')
    c.expect(r'bruin:/# ')
    c.type('grep Features /proc/cpuinfo\n')
    features = c.expect(r'\nFeatures\s*:[^\n]*\n')[0].decode()
    c.expect(r'bruin:/# ')
    if o.features:
        with tempfile.NamedTemporaryFile('w', suffix='.txt') as f:
            f.write(features)
            f.flush()
            p = subprocess.run([sys.executable, f'{HERE}/../diff/features.py', o.features, '--cpuinfo', f.name],
                               stdout=subprocess.PIPE, text=True, check=False)
        want(p.returncode == 0, p.stdout, c)
    c.type('poweroff -f\n')
    want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)
    want(c.modes() == c.modes_before, 'the terminal modes were not restored', c)


def leave(o):
    """Ctrl-A x ends the machine and restores the terminal."""
    c = start(o, 'Image-cloud', '-i', INITRD, tty=True)
    c.expect(r'bruin:/# ')
    want(c.modes() != c.modes_before, 'the terminal was never in raw mode', c)
    c.type('\x01x')
    c.exit_status()
    want(c.modes() == c.modes_before, 'the terminal modes were not restored', c)


def check(o):
    """A whole boot in both engines at once (--check): no difference. Time counts instructions, so a slow host sees the same."""
    c = start(o, 'Image-cloud', '--check', '--deterministic', '-i', INITRD, '-a', 'run=/bin/true')
    c.expect('RUN-STATUS=0')
    want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)


def check_fault(o):
    """--check finds an operation that is translated wrongly, says where, and ends with exit 125."""
    for op, text in (('LDRx_ui', 'ldr x'), ('ADD_i', 'add x'), ('UBFM', 'ubfm ')):
        c = start(o, 'Image-cloud', '--check', '--deterministic', '-i', INITRD, env={'BRUIN_JIT_FAULT': op})
        c.expect('translated code and the interpreter differ within')
        c.expect('instructions:')
        c.expect(text)
        c.expect('after, translated:')
        want(c.exit_status() == 125, f'exit status {c.process.returncode}, wanted 125', c)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def ask(port, what):
    """What a server in the guest answers, asked through the forwarded port."""
    answer = b''
    with socket.socket() as s:
        s.settimeout(10 * SLOW)
        s.connect(('127.0.0.1', port))
        s.sendall(what)
        while piece := s.recv(4096):
            answer += piece
    return answer


def net(o):
    """passt and DHCP; from the host to servers in the guest over TCP and UDP, from the guest to a server here."""
    web, port = free_port(), free_port(socket.SOCK_DGRAM)
    c = start(o, 'Image-cloud', '-i', INITRD, '-a', 'ip=dhcp', '-p', f'127.0.0.1:{web}:80', '-p', f'{port}:7/udp', tty=True)
    lease = c.expect(r'NET eth0 [0-9.]+ by ([0-9.]+)|passt has ended')
    if not lease[1]:  # it shuts itself into namespaces, which a chroot or a container may forbid
        c.close()
        print('skipped: passt does not run here')
        sys.exit(77)
    router = lease[1].decode()
    c.expect(r'bruin:/# ')
    c.type('echo hello-from-the-guest > /tmp/index.html; httpd -p 80 -h /tmp; echo UP=$?\n')
    c.expect(r'UP=0')
    got = ask(web, b'GET / HTTP/1.0\r\n\r\n')
    want(b'hello-from-the-guest' in got, f'over TCP: {got}', c)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # BusyBox has no server for UDP: the guest counts
        for _ in range(5):
            s.sendto(b'a datagram', ('127.0.0.1', port))
    c.type('sleep 0.2; grep -c "^Udp: 0 5 " /proc/net/snmp\n')
    c.expect(r'\n1\n')
    files = functools.partial(http.server.SimpleHTTPRequestHandler, directory=HERE)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        c.type(f'wget -q -O - http://{router}:{server.server_port}/boot.py | grep -c "ask[(]web"\n')
        c.expect(r'\n1\n')
        server.shutdown()
    c.type('poweroff -f\n')
    want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)


def cpio(files):
    """A cpio archive (newc) of programs."""
    out = b''
    for i, (name, data) in enumerate([*files, ('TRAILER!!!', b'')]):
        head = [i + 1, 0o100755, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out += b'070701' + b''.join(b'%08x' % v for v in head) + name.encode() + b'\0'
        out += b'\0' * (-len(out) % 4) + data
        out += b'\0' * (-len(out) % 4)
    return out


def kallsyms(o):
    """The symbols found in guest memory, and those of inspect --symbols-elf, are those of /proc/kallsyms."""
    script = b'#!/bin/sh\nmount -t proc p /proc 2>/dev/null\necho KS-BEGIN\ngrep -v "\\[" /proc/kallsyms\necho KS-END\nread x\n'
    for kernel in ('Image-cloud', 'Image'):
        with tempfile.TemporaryDirectory() as work:
            with open(work + '/ks.cpio', 'wb') as f:
                f.write(cpio([('ks', script)]))
            c = start(o, kernel, '-i', INITRD, '-i', work + '/ks.cpio', '-a', 'run=/ks', '--monitor', work + '/mon', tty=True)
            c.expect('KS-BEGIN')
            c.expect('KS-END')
            text = c.seen.decode(errors='replace')
            lines = re.findall(r'^([0-9a-f]{16}) ([tTwW]) (\S+)\r?$', text[text.rindex('KS-BEGIN'):], re.M)
            guest = {(name, int(a, 16)) for a, _, name in lines}
            want(len(guest) > 30000, f'{len(guest)} symbols in /proc/kallsyms', c)
            p = subprocess.run([o.bruin, 'inspect', '--symbols-elf', work + '/elf', f'{CACHE}/{kernel}'], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, check=False)
            want(p.returncode == 0, p.stderr.decode(), c)
            nm = subprocess.run(['aarch64-linux-gnu-nm', work + '/elf'], stdout=subprocess.PIPE, check=True).stdout.decode()
            ours = {(n, int(a, 16)) for a, n in re.findall(r'^([0-9a-f]+) \w (\S+)$', nm, re.M)}
            start_of = {n: a for n, a in ours if n in ('_stext', 'vectors')}
            slide = dict(guest)['vectors'] - start_of['vectors']
            want(slide != 0, 'no KASLR: nothing is proved', c)
            missing = {(n, a) for n, a in guest if (n, a - slide) not in ours and n[0] != '$'}
            want(not missing, f'{len(missing)} of {len(guest)} differ, as {sorted(missing)[:3]}', c)
            names = {}
            for name, a in guest:
                names.setdefault(name, set()).add(a)
            for name in ('start_kernel', 'panic', 'schedule', 'vectors', 'do_exit'):
                p = subprocess.run([o.bruin, 'monitor', work + '/mon', f'p {name}'], stdout=subprocess.PIPE, check=False)
                got = int((re.search(r'0x([0-9a-f]+)', p.stdout.decode()) or ['', '0'])[1], 16)
                want(got in names[name], f'monitor: {name} at {got:#x}, wanted one of {names[name]}: {p.stdout}', c)
            print(f'{kernel}: {len(guest)} symbols as in /proc/kallsyms, slide {slide:#x}')
            subprocess.run([o.bruin, 'monitor', work + '/mon', 'quit'], stdout=subprocess.DEVNULL, check=False)
            c.exit_status()


def hvc(o):
    """The virtio console: typing, and more pieces of output than Linux forgives interrupts for; beside the UART; a panic."""
    c = start(o, 'Image-cloud', '-i', INITRD, '-a', 'console=hvc0', '--virtio-console', 'stdio', tty=True)
    c.expect(r'bruin:/# ')
    c.type('echo $((6*7)); for k in 1 2 3 4; do seq 1 40000; done; echo EN""D; dmesg | grep -c nobody.cared\n')
    c.expect(r'\n42\n')
    c.expect(r'\nEND\n0\n')
    text = c.seen.decode(errors='replace')
    want(text.count('\n'.join(str(n) for n in range(1, 40001))) == 4, 'all numbers in order, four times', c)
    c.type('poweroff -f\n')
    want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)
    with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX) as s:
        c = start(o, 'Image-cloud', '-i', INITRD, '-a', 'console=hvc0 console=ttyAMA0', '--virtio-console', f'unix:{d}/s', tty=True)
        c.expect(r'bruin:/# ')
        s.settimeout(10 * SLOW)
        s.connect(f'{d}/s')
        # open all the while: who closes it last throws away what came
        c.type('exec 3<>/dev/hvc0; stty -F /dev/hvc0 -echo; echo from-the-guest >&3; read x <&3; echo GOT "$x"\n')
        got = b''
        while b'from-the-guest' not in got:
            got += s.recv(4096)
        s.sendall(b'from the host\n')
        c.expect('GOT from the host')
        c.type('poweroff -f\n')
        want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)
    c = start(o, 'Image-cloud', '-i', INITRD, '-a', 'console=hvc0 panic=-1', '--virtio-console', 'stdio', tty=True)
    c.expect(r'bruin:/# ')
    c.type('echo c >/proc/sysrq-trigger\n')
    c.expect('bruin: guest panic: F20 Kernel panic - not syncing: sysrq triggered crash')
    want(c.exit_status() == 112, f'exit status {c.process.returncode}, wanted 112', c)


def flash_vars(o):
    """EDK2 in flash: a variable that one run sets is there in the next; the file is made, and is one machine's at a time."""
    code, name = '/usr/share/AAVMF/AAVMF_CODE.fd', 'BruinTest -guid 12345678-1234-1234-1234-123456789abc'
    if not os.path.exists(code):
        sys.exit(77)
    with tempfile.TemporaryDirectory() as d:
        command = [o.bruin, 'run', '-m', '512M', '--flash', code, '--flash-vars', f'{d}/vars.fd']
        for line, answer in ((f'setvar {name} -bs -rt -nv =0x11223344', ''), (f'setvar {name}', '44 33 22 11')):
            c = Console(command, o.timeout, tty=True)
            opened.append(c)
            c.expect('any other key to continue')
            second = subprocess.run([*command, '--timeout', '5s'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, check=False)
            want(second.returncode == 125 and b'another machine is using it' in second.stderr, f'a second machine: {second}', c)
            c.type('\x1b')
            c.expect('Shell> ')
            c.type(line + '\r')
            c.expect(answer)
            c.expect('Shell> ')
            c.type('reset -s\r')
            want(c.exit_status() == 0, f'exit status {c.process.returncode}, wanted 0', c)


SCENARIOS = {f.__name__.replace('_', '-'): f for f in (userspace, userspace_cloud, panic, shell, leave, net, hvc, flash_vars, el2, kvm, check, check_fault,
                                                        gcc_testsuite, kallsyms)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('scenario', choices=SCENARIOS)
    p.add_argument('--bruin', required=True)
    p.add_argument('--accel', default='')
    p.add_argument('--features', help='shell: the program of tests/diff/features.py')
    p.add_argument('--gic', default='3')
    p.add_argument('--timeout', type=float, default=150)
    o = p.parse_args()
    o.timeout *= SLOW
    if not os.path.exists(f'{CACHE}/Image'):
        sys.exit(f'{CACHE}/Image is missing: make guest fetches it')
    try:
        SCENARIOS[o.scenario](o)
    except Failure as e:
        sys.exit(f'{o.scenario}: {e}')
    finally:
        for c in opened:
            c.close()
    print(f'{o.scenario}: ok in {opened[0].elapsed():.1f} s')


main()
