"""The guest that debuggers are tested with (tests/guest/debug): how it is built, and its symbols."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST = os.path.join(HERE, '..', 'guest', 'debug')
CC = ['aarch64-linux-gnu-gcc', '-O1', '-ffreestanding', '-fno-pic', '-no-pie', '-mgeneral-regs-only', '-mstrict-align', '-Wall', '-Werror', '-g0',
      '-nostdlib', '-static', '-Wl,--build-id=none,-z,max-page-size=4096,--no-warn-rwx-segments', '-T', f'{GUEST}/guest.ld',
      f'{GUEST}/start.S', f'{GUEST}/tables.c']
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
HIGH = 0xffffff8000000000


def build(work, granule=12, el=1):
    out = f'{work}/g{granule}-el{el}.elf'
    if not os.path.exists(out):
        extra = ['-DAT_EL2', '-DHIGH_ALIAS=0'] if el == 2 else [f'-DHIGH_ALIAS={HIGH:#x}']
        subprocess.run(CC + extra + [f'-DGRANULE={granule}', '-o', out], check=True)
    return out


def symbols(elf):
    if not elf.endswith('.elf'):
        return {}
    text = subprocess.run(['aarch64-linux-gnu-nm', elf], stdout=subprocess.PIPE, check=True).stdout.decode()
    return {name: int(addr, 16) for addr, _, name in (line.split() for line in text.splitlines())}
