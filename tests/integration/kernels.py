#!/usr/bin/env python3
"""No false alarms on other kernels: those of scripts/fetch-more.sh run busy sessions (busy.sh) and must not be warned about.

usage: kernels.py --bruin PROGRAM [--only REGEX] [--engine jit,interp] [--cpus 1,2,4] [--level default,strict] [--parts LIST] [--list] [--keep DIR]
Prints one TAP line a case. Kernels that are not there are skipped.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(f'{HERE}/../..')
sys.path.insert(0, HERE)
from console import Console, Failure  # noqa: E402
from lint import CACHE, FOUND, SLOW  # noqa: E402

MODULES = ('virtio_mmio,virtio_pci,virtio_blk,virtio_net,virtio_rng,virtio_console,ext4,btrfs,raid6_pq,xor,zram,loop,dm_mod,dm_crypt,nf_conntrack,'
           'nf_tables,bridge,8021q,tun,af_packet,ipv6,overlay,crc32_ce,aes_ce_blk,ghash_ce,sha2_ce,sha256_arm64,virtio_balloon,kheaders')
# Parts of a session that take the interpreter too long are left to the translator.
INTERP_PARTS = 'segv,traps,step,code,uffd,timers,perf,bpf,disk,modules,net,trace,hotplug,sleep,sysrq,kexec'


def kernels():
    """{name: (image, folder with lib/modules)}"""
    found = {'6.1': (f'{CACHE}/Image', f'{CACHE}/kernel'), '6.1-cloud': (f'{CACHE}/Image-cloud', f'{CACHE}/kernel-cloud')}
    for folder in sorted(glob.glob(f'{CACHE}/more/*')):
        images = glob.glob(f'{folder}/boot/vmlinuz-*') + glob.glob(f'{folder}/usr/lib/modules/*/vmlinuz')
        if images:
            found[os.path.basename(folder)] = (images[0], folder if os.path.isdir(f'{folder}/lib/modules') else f'{folder}/usr')
    return found


def prepare(name, image, modules, work):
    """The kernel's initramfs, and a disk that keeps what the session notes between its boots. ret  (initrd, disk)"""
    busy, initrd = f'{work}/busy', f'{work}/{name}.cpio.gz'
    if not os.path.exists(busy):
        subprocess.run(['aarch64-linux-gnu-gcc', '-static', '-O1', '-Wall', '-pthread', f'{HERE}/busy.c', '-o', busy], check=True)
    if not os.path.exists(initrd):
        subprocess.run([f'{TOP}/scripts/mk-initramfs', '--busybox', f'{CACHE}/busybox', '--init', f'{TOP}/scripts/guests/init', '--also', modules, MODULES,
                        '--add', f'{busy}=bin/busy', '--add', f'{HERE}/busy.sh=busy.sh', '--add', f'{TOP}/scripts/guests/lease=bin/lease', '-o', initrd],
                       check=True, stderr=subprocess.DEVNULL)
    with open(image, 'rb') as f:
        data = f.read()
    with open(f'{work}/disk.img', 'wb') as f:
        f.write(bytes(1 << 20) + data + bytes(-len(data) % (1 << 20)))
    return initrd


def run(o, name, image, modules, engine, cpus, level, work):
    initrd = prepare(name, image, modules, work)
    limit = (1200 if engine == 'interp' else 400) * SLOW
    parts = o.parts or (INTERP_PARTS if engine == 'interp' else '')
    c = Console([o.bruin, 'run', '--accel', engine, '-c', str(cpus), '--lint', level, '-m', '1G', '--timeout', f'{limit}s', '--net', 'user', '-d',
                 f'{work}/disk.img', '-d', f'{initrd},ro', '-i', initrd, '-a', 'run=/busy.sh ' + (f'parts={parts}' if parts else ''), image], limit + 20)
    why = None
    try:
        c.expect('BUSY-END')
        c.expect('RUN-STATUS=0')
    except Failure as e:
        why = str(e)
    c.close()
    text = c.seen.decode(errors='replace')
    if o.keep:
        with open(f'{o.keep}/{name}-{engine}-{cpus}-{level}.log', 'w', encoding='utf-8') as f:
            f.write(text)
    said = FOUND.findall(text)
    broken = re.findall(r'^.*(?:Kernel panic|BUG:|WARNING: CPU|Internal error|rcu_.*stall|BUSY-\w+ FAILED).*$', text, re.M)
    return (f'said: {said[0]}' if said else why), c.elapsed(), broken


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--bruin', required=True)
    p.add_argument('--only', default='')
    p.add_argument('--engine', default='jit,interp')
    p.add_argument('--cpus', default='1,2,4')
    p.add_argument('--level', default='default,strict')
    p.add_argument('--parts', default='')
    p.add_argument('--keep', default='')
    p.add_argument('--list', action='store_true')
    o = p.parse_args()
    chosen = {n: k for n, k in kernels().items() if re.search(o.only, n)}
    if o.list:
        print(*chosen, sep='\n')
        return 0
    count = bad = 0
    with tempfile.TemporaryDirectory(prefix='kernels-') as work:
        for name, (image, modules) in chosen.items():
            for engine in o.engine.split(','):
                for cpus in o.cpus.split(','):
                    for level in o.level.split(','):
                        count += 1
                        why, seconds, broken = run(o, name, image, modules, engine, cpus, level, work)
                        bad += bool(why)
                        print(f'{"not ok" if why else "ok"} {count} - {name} {engine} {cpus} cpus {level} ({seconds:.1f} s)', flush=True)
                        print(''.join(f'# guest: {l}\n' for l in broken[:8]), end='', flush=True)
                        if why:
                            print('\n'.join('# ' + l for l in why.splitlines()[-30:]), flush=True)
    print(f'1..{count}\n# {count - bad} passed, {bad} failed')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
