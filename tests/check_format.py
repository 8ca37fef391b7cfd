#!/usr/bin/env python3
"""What holds for every source file, whoever wrote it: no tabs outside assembly, no blanks at line ends, a newline
at the end, no line beyond LINE_MAX (rows of tables may be longer). `make format` does the rest for changed lines.

usage: check_format.py TOP
"""
import os
import sys

LINE_MAX = 240
FOLDERS = ('src', 'include', 'tests', 'guest', 'tools', 'examples', 'bench')


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


def main():
    files = bad = 0
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(sys.argv[1], folder)):
            for name in sorted(names):
                if name.endswith(('.c', '.h', '.def', '.S')):
                    path = os.path.join(where, name)
                    files += 1
                    for line, what in findings(path):
                        bad += 1
                        print(f'{os.path.relpath(path, sys.argv[1])}:{line}: {what}')
    print(f'{files} files, {bad} findings')
    sys.exit(1 if bad else 0)


main()
