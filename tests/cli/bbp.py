#!/usr/bin/env python3
"""Kernels with a BBP note, started without firmware: every granule, MMU on and off, linked high and low.

usage: bbp.py BRUIN GUEST_DIR OUT     builds the demonstration kernel with clang; prints TAP
"""
import os
import re
import shutil
import subprocess
import sys

BRUIN, GUEST, OUT = (os.path.abspath(a) for a in sys.argv[1:4])
GOOD = {  # kernel: what its first lines say
    'kernel-aarch64': r'slide 0x0, .*\n.*mmu-on',
    'kernel-mmuoff': r'entered at EL1',
    'kernel-16k': r'mmu-on',
    'kernel-64k': r'mmu-on',
    'kernel-phys': r'image 0x40000000 at physical 0x40000000',
    'kernel-low': r'image 0x4',
}
failed = 0
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)


def report(ok, name, why=''):
    global failed
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} 1 - {name}" + (f"\n# {why}".replace('\n', '\n# ') if not ok else ''), flush=True)


def run(kernel, *options):
    p = subprocess.run([BRUIN, 'run', '--timeout', f'{20 * SLOW}s', *options, f'{OUT}/{kernel}.elf', '--', 'selftest', 'poweroff'],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=120 * SLOW)
    return p.returncode, p.stdout.decode(errors='replace'), p.stderr.decode(errors='replace')


def main():
    if not shutil.which('clang') or not shutil.which('ld.lld'):
        sys.exit(77)
    targets = [f'{OUT}/{k}.elf' for k in [*GOOD, 'kernel-noram']]
    subprocess.run(['make', '-s', '-C', GUEST, f'OUT={OUT}', *targets], check=True)
    for kernel, first in GOOD.items():
        code, out, err = run(kernel)
        passed = re.search(r'SELFTEST PASS (\d+)/\1', out)
        report(bool(code == 0 and passed and re.search(first, out.replace('\r', ''))), f'{kernel}_passes_its_selftest',
               f'exit {code}\n{out[-1500:]}\n{err[-1500:]}')
    code, out, err = run('kernel-aarch64', '-m', '64M', '-i', f'{OUT}/kernel-low.elf')
    report('selftest: module ' in out and re.search(r'SELFTEST PASS (\d+)/\1', out), 'initrd_becomes_a_module', out[-900:])
    code, out, err = run('kernel-noram')
    report(code == 126 and 'but RAM is' in err and not out, 'link_address_without_ram_is_refused', f'exit {code} {err}')
    code, out, err = run('kernel-aarch64', '-m', '1M')
    report(code == 126 and 'larger -m' in err, 'too_little_memory_is_refused', f'exit {code} {err}')
    sys.exit(failed > 0)


main()
