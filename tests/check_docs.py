#!/usr/bin/env python3
"""Checks that what the project's documents name exists: paths and functions in back quotes, make targets, and
the verbs and options of the program.
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = re.compile(r'`((?:src|tests|scripts|bench|docs|guest|tools|include|examples)/[\w./-]*)`')
LINK = re.compile(r'\]\(([\w./-]+\.md)(?:#[\w-]*)?\)')
TARGET = re.compile(r'\bmake ([a-z][a-z-]+)\b(?=`)')
NAME = re.compile(r'`([a-z][a-zA-Z0-9]*_[A-Za-z0-9_]+)(?:\(\))?`')
COMMAND = re.compile(r'(?:`|^ {4}|^\$ )(?:build/)?bruin +((?:[^`\n]|(?<=\w)`(?=\w))+)', re.M)
OPTION = re.compile(r'(?<![\w-])--([a-z][a-z-]+)')
SOURCES = ('.c', '.h', '.def', '.S', '.py', '.sh', '.inc', '.build')
FOLDERS = ('src', 'include', 'tests', 'tools', 'guest', 'scripts', 'bench', 'examples')


def read(*path):
    with open(os.path.join(TOP, *path), encoding='utf-8', errors='replace') as f:
        return f.read()


def walk(folder, endings):
    for where, _, names in os.walk(os.path.join(TOP, folder)):
        yield from (os.path.relpath(os.path.join(where, n), TOP) for n in names if n.endswith(endings))


def main():
    targets = set(re.findall(r'^([a-z-]+):', read('Makefile'), re.M))
    verbs = set(re.findall(r'^VERB\((\w+)', read('src/cli/verbs.def'), re.M))
    options = set(re.findall(r'^OPT\("([\w-]+)"', read('src/lib/options.def'), re.M))
    options |= set(re.findall(r'"--([a-z-]+)', ''.join(read(p) for p in walk('src/cli', '.c'))))
    words = set(re.findall(r'\w+', ''.join(read(p) for folder in FOLDERS for p in walk(folder, SOURCES))))
    documents = [d for d in os.listdir(TOP) if d.endswith('.md')]
    documents += [p for folder in ('docs', 'scripts', 'bench', 'tests') for p in walk(folder, '.md')]
    bad, count = [], 0
    for name in sorted(documents):
        text = read(name)
        here = os.path.dirname(name)
        found = [(p, os.path.exists(os.path.join(TOP, p))) for p in PATH.findall(text)]
        found += [(p, os.path.exists(os.path.join(TOP, here, p))) for p in LINK.findall(text)]
        found += [(f'make {t}', t in targets) for t in TARGET.findall(text)]
        found += [(n, n in words) for n in NAME.findall(text)]
        for command in COMMAND.findall(text):
            verb = re.match(r'([a-z]+)(?= |$)', command)
            found += [(f'bruin {verb[1]}', verb[1] in verbs)] if verb else []
            found += [(f'--{o}', o in options) for o in OPTION.findall(command.split(' -- ')[0].split('|')[0])]
        count += len(found)
        bad += [f'{name}: {what} does not exist' for what, exists in found if not exists]
    print(*bad, f'{len(documents)} documents, {count} names, {len(bad)} wrong', sep='\n')
    sys.exit(bool(bad) or not count)


main()
