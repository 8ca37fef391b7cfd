#!/usr/bin/env python3
"""Checks that every path in back quotes in the project's documents exists, and every make target too."""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = re.compile(r'`((?:src|tests|scripts|bench|docs|guest|tools|include)/[\w./-]*)`')
TARGET = re.compile(r'\bmake ([a-z][a-z-]+)\b(?=`)')


def main():
    bad, count = [], 0
    with open(os.path.join(TOP, 'Makefile'), encoding='utf-8') as f:
        targets = set(re.findall(r'^([a-z-]+):', f.read(), re.M))
    documents = [d for d in os.listdir(TOP) if d.endswith('.md')]
    for folder in ('docs', 'scripts', 'bench', 'tests'):
        for where, _, names in os.walk(os.path.join(TOP, folder)):
            documents += [os.path.relpath(os.path.join(where, n), TOP) for n in names if n.endswith('.md')]
    for name in sorted(documents):
        with open(os.path.join(TOP, name), encoding='utf-8') as f:
            text = f.read()
        for path in PATH.findall(text):
            count += 1
            if not os.path.exists(os.path.join(TOP, path)):
                bad.append(f'{name}: {path} does not exist')
        for target in TARGET.findall(text):
            count += 1
            if target not in targets:
                bad.append(f'{name}: make {target} does not exist')
    print(*bad, f'{len(documents)} documents, {count} paths and targets, {len(bad)} wrong', sep='\n')
    sys.exit(bool(bad) or not count)


main()
