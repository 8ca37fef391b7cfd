#!/usr/bin/env python3
"""Checks that the library has no mutable globals outside os/ and the log: two machines in one process
must not meet in one. Looks at the writable symbols of every object; what only relocation writes is fine.

usage: check_globals.py LIBRARY.a
"""
import re
import subprocess
import sys

# base.c keeps the log's state; os/ owns the process: signals, the terminal.
OWNERS = ('src_os_', 'src_base_base.c')
# Tables that are computed once, to the same values by whoever comes first.
TABLES = {'row_of', 'row_once', 'jit_emitters', 'emitters_known'}  # a number the compiler appends does not count


def main():
    out = subprocess.run(['objdump', '-t', sys.argv[1]], stdout=subprocess.PIPE, text=True, check=True).stdout
    bad, symbols, member = [], 0, ''
    for line in out.splitlines():
        if ':     file format' in line:
            member = line.split(':')[0]
        m = re.match(r'[0-9a-f]{16} .{6}[O ] (\S+)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$', line)
        if not m:
            continue
        symbols += 1
        section, name = m.groups()
        writable = section in ('*COM*', '.bss', '.data') or section.startswith(('.bss.', '.data.', '.tbss', '.tdata'))
        if writable and not section.startswith('.data.rel.ro') and not member.startswith(OWNERS) and re.sub(r'\.\d+$', '', name) not in TABLES and name != section:
            bad.append(f'{member}: {name} is writable')
    print(*bad, f'{symbols} symbols, {len(bad)} mutable globals', sep='\n')
    sys.exit(bool(bad) or symbols == 0)


main()
