#!/usr/bin/env python3
"""Checks that clang accepts every source of the project without a warning, as `make fuzz` needs; code is not made.

usage: check_clang.py BUILD CLANG
"""
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

KEPT = ('-I', '-D', '-W', '-std', '-f', '-m')  # of the options that the compiler gets
DROPPED = ('-fsanitize', '-fdiagnostics', '-fno-omit', '-Wl,', '-march', '-mtune')


def check(directory, clang, entry):
    """What clang says of one source."""
    words = [w for w in shlex.split(entry['command']) if w.startswith(KEPT) and not w.startswith(DROPPED)]
    p = subprocess.run([clang, '-fsyntax-only', *words, '-Werror', '-Wno-bitwise-instead-of-logical', entry['file']], cwd=directory,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return p.stdout if p.returncode else ''


def main():
    build, clang = sys.argv[1:3]
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as f:
        sources = {e['file']: e for e in json.load(f) if e['file'].endswith('.c')}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [s for s in pool.map(lambda e: check(build, clang, e), sources.values()) if s]
    print(*said, f'{len(sources)} sources, {len(said)} refused', sep='\n')
    sys.exit(bool(said) or not sources)


main()
