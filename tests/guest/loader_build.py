#!/usr/bin/env python3
"""The loader's files: at most 40,960 bytes each, and the same bytes from two builds in different places.

usage: loader_build.py GUEST_OUT
"""
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
LIMIT = 40960
NAMES = ('BOOTAA64.EFI', 'BOOTX64.EFI')


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def main():
    out = sys.argv[1]
    if not os.path.exists(f'{out}/{NAMES[0]}') or not (shutil.which('clang') and shutil.which('lld-link')):
        print(f'{out}: the guest side is not built (make -C guest)')
        return 77
    bad = 0
    with tempfile.TemporaryDirectory() as work:
        shutil.copytree(f'{TOP}/guest', f'{work}/other/guest')
        shutil.copytree(f'{TOP}/tools/mkimage', f'{work}/other/tools/mkimage')
        subprocess.run(['make', '-s', '-C', f'{work}/other/guest', f'OUT={work}/elsewhere', 'loader'], check=True)
        subprocess.run(['make', '-s', '-C', f'{TOP}/guest', f'OUT={work}/here', 'loader'], check=True)
        for name in NAMES:
            first, second = read(f'{work}/here/{name}'), read(f'{work}/elsewhere/{name}')
            same = first == second
            fits = len(first) <= LIMIT
            print(f'{"ok  " if fits else "FAIL"} {name}: {len(first)} bytes, at most {LIMIT}')
            print(f'{"ok  " if same else "FAIL"} {name}: two builds in different places are equal')
            bad += (not same) + (not fits)
    return bad != 0


if __name__ == '__main__':
    sys.exit(main())
