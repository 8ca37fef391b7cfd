#!/usr/bin/env python3
"""Checks every #include "dir/file.h" of src/ against the floors of ARCHITECTURE.md.

A folder includes folders of lower floors, itself, and the neighbours named in BESIDE. A header named
priv.h or *_priv.h is its folder's own. FORBIDDEN arrows point downward and are wrong all the same. Each finding is a line; the exit status says whether there was one.
"""
import os
import re
import sys

FLOORS = [
    {'base'}, {'os'},
    {'mem', 'block', 'net', 'chr'},
    {'cpu', 'a64', 'jit', 'irq', 'dev', 'virtio'},
    {'accel'},
    {'board', 'boot'},
    {'debug', 'snap'},
    {'lib'},
    {'cli'},
]
BESIDE = {
    ('a64', 'cpu'), ('jit', 'a64'), ('jit', 'cpu'), ('irq', 'dev'), ('virtio', 'irq'), ('boot', 'board'), ('virtio', 'dev'),
    ('snap', 'debug'),
}
# The word under an external debugger's breakpoint gets a body of its own.
ALLOWED = {('cpu/dbg.c', 'a64/insn.h')}
FORBIDDEN = {(a, b) for a in ('dev', 'virtio', 'irq') for b in ('cpu', 'a64', 'jit', 'accel')}
FORBIDDEN |= {('accel', 'dev'), ('accel', 'virtio'), ('jit', 'dev'), ('jit', 'virtio')}
ONLY_HERE = {'linux/kvm.h': 'accel/kvm.c', 'Hypervisor/Hypervisor.h': 'accel/hvf.c'}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)

level = {folder: n for n, floor in enumerate(FLOORS) for folder in floor}


def findings(path, name):
    folder = name.split('/')[0]
    with open(path, encoding='utf-8') as f:
        text = f.read()
    for target in INCLUDE.findall(text):
        if target in ONLY_HERE and name != ONLY_HERE[target]:
            yield f'{name}: <{target}> belongs to {ONLY_HERE[target]} alone'
        to, _, header = target.partition('/')
        if to not in level or not header or to == folder or (name, target) in ALLOWED:
            continue
        if (folder, to) in FORBIDDEN:
            yield f'{name}: {folder} never includes {to} ({target})'
        elif level[to] > level[folder]:
            yield f'{name}: upward, floor {level[folder]} to {level[to]} ({target})'
        elif level[to] == level[folder] and (folder, to) not in BESIDE:
            yield f'{name}: {to} stands beside {folder}, not below ({target})'
        elif header == 'priv.h' or header.endswith('_priv.h'):
            yield f'{name}: {target} is private to {to}'


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else 'src'
    bad, files = [], 0
    for folder, _, names in sorted(os.walk(root)):
        for n in sorted(names):
            if not n.endswith(('.c', '.h', '.def')):
                continue
            path = os.path.join(folder, n)
            name = os.path.relpath(path, root)
            files += 1
            if '/' in name and name.split('/')[0] not in level:
                bad.append(f'{name}: the folder has no floor')
                continue
            bad += findings(path, name)
    print(*bad, f'{files} files, {len(bad)} arrows wrong', sep='\n')
    sys.exit(bool(bad) or not files)


main()
