#!/usr/bin/env python3
"""bin2c.py OUT SYMBOL [FILE]: a C file with the bytes of FILE as SYMBOL and their number as SYMBOL_len; without FILE
there are none."""
import sys

out, symbol, *rest = sys.argv[1:]
data = open(rest[0], 'rb').read() if rest else b''
with open(out, 'w', encoding='ascii') as f:
    f.write('/// Made by tools/bin2c.py.\n#include <stddef.h>\n')
    f.write(f'extern const unsigned char {symbol}[];\nextern const size_t {symbol}_len;\n')
    f.write(f'const unsigned char {symbol}[] = {{\n')
    for at in range(0, len(data), 24):
        f.write('    ' + ''.join(f'{b},' for b in data[at:at + 24]) + '\n')
    f.write(f'    0}};\nconst size_t {symbol}_len = {len(data)};\n')
