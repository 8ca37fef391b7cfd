#!/usr/bin/env python3
"""What holds for every source file, whoever wrote it: no tabs outside assembly, no blanks at line ends, a newline
at the end, no line beyond LINE_MAX (rows of tables may be longer). And the lines that clang-format would change do
not become many more: format_known.txt has their number for each file that is older than this rule, or laid out by
hand as a table; a tenth of a file is let pass, for new tables. `make format` formats changed lines.

usage: check_format.py TOP [--write]     --write: writes format_known.txt anew
"""
import difflib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

LINE_MAX = 240
FOLDERS = ('src', 'include', 'tests', 'guest', 'tools', 'examples', 'bench')
KNOWN = 'tests/format_known.txt'
VERSION = 14  # Debian 12's; others differ in details
SHOWN = 12
ROOM = 8  # lines


def findings(path):
    with open(path, encoding='utf-8') as f:
        text = f.read()
    if text and not text.endswith('\n'):
        yield text.count('\n') + 1, 'no newline at the end'
    for n, line in enumerate(text.split('\n'), 1):
        if '\t' in line and not path.endswith('.S'):
            yield n, 'a tab'
        if line != line.rstrip():
            yield n, 'blanks at the end'
        if len(line) > LINE_MAX and not path.endswith('.def'):
            yield n, f'{len(line)} characters, at most {LINE_MAX} are wanted'


def sources(top):
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(top, folder)):
            for name in sorted(names):
                if name.endswith(('.c', '.h', '.def', '.S')):
                    yield os.path.join(where, name)


def lines_of(path):
    with open(path, encoding='utf-8') as f:
        return f.read().split('\n')


def misformatted(path):
    """The lines that clang-format would change, as (number, text)."""
    before = lines_of(path)
    after = subprocess.run(['clang-format', '--style=file', path], stdout=subprocess.PIPE, check=True).stdout.decode().split('\n')
    return [(n + 1, before[n]) for tag, lo, hi, _, _ in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
            if tag != 'equal' for n in range(lo, max(hi, lo + 1))]


def has_clang_format():
    if not shutil.which('clang-format'):
        return False
    version = subprocess.run(['clang-format', '--version'], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.search(rf'version {VERSION}\.', version) is not None


def more_misformatted(top, paths, write):
    """ret  number of files with more such lines than are known, which are printed"""
    known = {}
    with open(os.path.join(top, KNOWN), encoding='ascii') as f:
        for line in f:
            name, count = line.split()
            known[name] = int(count)
    bad, counts = 0, {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, lines in zip(paths, pool.map(misformatted, paths)):
            name = os.path.relpath(path, top)
            counts[name] = len(lines)
            if len(lines) > known.get(name, 0) + max(ROOM, len(lines_of(path)) // 10) and not write:
                bad += 1
                print(f'{name}: clang-format would change {len(lines)} lines, known are {known.get(name, 0)} (make format). All of them:')
                print(*[f'  {n}: {text}' for n, text in lines[:SHOWN]], *['  ...'] * (len(lines) > SHOWN), sep='\n')
    if write:
        with open(os.path.join(top, KNOWN), 'w', encoding='ascii') as f:
            f.writelines(f'{name} {n}\n' for name, n in sorted(counts.items()) if n)
    return bad


def main():
    top, write = sys.argv[1], '--write' in sys.argv
    paths = list(sources(top))
    bad = 0
    for path in paths:
        for line, what in findings(path):
            bad += 1
            print(f'{os.path.relpath(path, top)}:{line}: {what}')
    if has_clang_format():
        bad += more_misformatted(top, [p for p in paths if p.endswith(('.c', '.h'))], write)
    else:
        print(f'no clang-format {VERSION} here: only blanks and lengths were checked')
    print(f'{len(paths)} files, {bad} findings')
    sys.exit(1 if bad else 0)


main()
