#!/usr/bin/env python3
"""Compares our decoder and disassembler with objdump over random words.

usage: decode.py WORDS_PROGRAM [--seed N] [--uniform N] [--per-row N] [--objdump PROGRAM] [--show N]
Every difference must be explained by a line of decode_known.txt.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LINE = re.compile(r'^\s*[0-9a-f]+:\t([0-9a-f]{8}) \t(.*)$')


def explanations():
    """[(why, mask, value, regex of objdump's text, regex of ours)]"""
    rules = []
    with open(os.path.join(HERE, 'decode_known.txt'), encoding='utf-8') as f:
        for line in f:
            line = line.rstrip('\n')
            if not line or line.startswith('#'):
                continue
            theirs, ours, why = re.split(r'\s{2,}', line, maxsplit=2)
            mask = value = 0
            if theirs.startswith('word:'):
                mask, value = (int(x, 16) for x in theirs[5:].split('/'))
                theirs = '.*'
            rules.append((why, mask, value, re.compile(theirs), re.compile(ours)))
    return rules


def normal(text):
    """objdump's text without comments, symbols and tabs."""
    text = re.sub(r'\s*(//|<).*', '', text)
    return re.sub(r'\s+', ' ', text).strip()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('words')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--uniform', type=int, default=100000)
    p.add_argument('--per-row', type=int, default=40)
    p.add_argument('--objdump', default='aarch64-linux-gnu-objdump')
    p.add_argument('--show', type=int, default=40)
    o = p.parse_args()
    rules = explanations()
    used, bad, rows = collections.Counter(), collections.Counter(), set()
    examples, total = [], 0
    with tempfile.TemporaryDirectory() as d:
        binary, text = d + '/words.bin', d + '/words.txt'
        subprocess.run([o.words, str(o.seed), str(o.uniform), str(o.per_row), binary, text], check=True)
        dump = subprocess.Popen([o.objdump, '-D', '-z', '-b', 'binary', '-m', 'aarch64', '-M', 'no-aliases', binary],
                                stdout=subprocess.PIPE, text=True)
        with open(text, encoding='utf-8') as f:
            for line in dump.stdout:
                m = LINE.match(line)
                if not m:
                    continue
                row, ours = f.readline().rstrip('\n').split('\t', 1)
                theirs = '.inst' if '.inst' in m[2] else normal(m[2])
                ours = '.inst' if ours.startswith('.inst') else ours
                total += 1
                rows.add(row)
                if theirs == ours:
                    continue
                word = int(m[1], 16)
                why = next((w for w, mask, value, a, b in rules
                            if word & mask == value and a.fullmatch(theirs) and b.fullmatch(ours)), None)
                if why:
                    used[why] += 1
                    continue
                bad[row if row != 'INVALID' else 'INVALID ' + theirs.split(' ')[0]] += 1
                if bad[row] <= 2 and (row != 'INVALID' or bad['INVALID ' + theirs.split(' ')[0]] <= 2):
                    examples.append(f'{m[1]} {row:12s} objdump: {theirs:44s} ours: {ours}')
        dump.wait()
    print(*examples[:o.show], sep='\n')
    for why, n in used.most_common():
        print(f'{n:8d} explained: {why}')
    for row, n in bad.most_common(60):
        print(f'{n:8d} unexplained: {row}')
    print(f'{total} words, {len(rows)} rows, {sum(used.values())} explained, {sum(bad.values())} unexplained')
    sys.exit(bool(bad) or total == 0)


main()
