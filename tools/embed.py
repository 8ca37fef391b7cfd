#!/usr/bin/env python3
"""embed.py OUT NAME=FILE...: writes a C file with the bytes of files and a table of them."""
import sys

out, *pairs = sys.argv[1:]
with open(out, 'w', encoding='ascii') as f:
    f.write('/// Files embedded by tools/embed.py.\n#include "demos.h"\n\n')
    for i, pair in enumerate(pairs):
        data = open(pair.partition('=')[2], 'rb').read()
        f.write(f'static const unsigned char bytes{i}[] = {{\n')
        for at in range(0, len(data), 24):
            f.write('    ' + ''.join(f'{b},' for b in data[at:at + 24]) + '\n')
        f.write('};\n')
    f.write('const struct demo_bytes demo_bytes[] = {\n')
    for i, pair in enumerate(pairs):
        f.write(f'    {{"{pair.partition("=")[0]}", bytes{i}, sizeof bytes{i}}},\n')
    f.write('    {0, 0, 0},\n};\n')
