#!/usr/bin/env python3
"""Writes docs/diagnosis/*.md as a C table. usage: embed_pages.py OUTPUT FILE..."""
import json
import os
import sys


def main():
    out, files = sys.argv[1], sorted(sys.argv[2:])
    with open(out, 'w', encoding='utf-8') as f:
        f.write('#include "debug/pages.h"\n#include <stddef.h>\nconst struct page diagnosis_pages[] = {\n')
        for path in files:
            with open(path, encoding='ascii') as page:
                text = page.read()
            name = os.path.basename(path)[:-3]
            title = text.splitlines()[0].lstrip('# ').split(': ', 1)[-1]
            f.write(f'    {{{json.dumps(name)}, {json.dumps(title)},\n')
            for line in text.splitlines(keepends=True):
                f.write(f'     {json.dumps(line)}\n')
            f.write('    },\n')
        f.write('    {NULL, NULL, NULL},\n};\n')


main()
