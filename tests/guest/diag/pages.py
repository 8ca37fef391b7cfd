#!/usr/bin/env python3
"""Does what docs/diagnosis shows come from the guests that its pages name?

usage: pages.py BRUIN [--write] [NAME...]

Each page FNN.md has a report in its section "The report" and names its guest. The guest is run and every line of the
report must be among the lines it gives; numbers in hexadecimal may differ, `...` stands for anything. --write puts the
new lines into the page.
"""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import run  # noqa: E402

DOCS = os.path.join(run.HERE, '../../../docs/diagnosis')
REPORT = re.compile(r'(?<=\n## The report\n\n```\n)(.*?)(?=```)', re.S)
GUEST = re.compile(r'^The guests?: tests/guest/diag/(\S+?)[.,]?(?=[ \n])', re.M)
PROGRESS = re.compile(r'^bruin: (ELF|flat|arm64|guest )')  # not part of a report


def normal(line):
    return re.sub(r'\d+\.\d+ s', 'N s', re.sub(r'0x[0-9a-f]+', '0x', line)).rstrip()


def missing(shown, given):
    """Lines of the page that the guest does not give."""
    have = {normal(line) for line in given.splitlines()}
    return [line for line in shown.splitlines() if line.strip() != '...' and normal(line) not in have]


def main():
    names = [a for a in sys.argv[2:] if not a.startswith('-')]
    tally = harness.Tally([])
    with tempfile.TemporaryDirectory() as tmp:
        elf = os.path.join(tmp, 'guest.elf')
        for page in sorted(n for n in os.listdir(DOCS) if n[0] == 'F'):
            path = os.path.join(DOCS, page)
            with open(path, encoding='utf-8') as f:
                text = f.read()
            guest, report = GUEST.search(text), REPORT.search(text)
            if not guest or (names and not any(n in page for n in names)):
                continue
            source = os.path.join(run.HERE, guest[1])
            want = next(w for kind, w in run.expectations(source) if kind == 'bad')
            run.build(source, 'bad', want, elf)
            _, err, seconds, _ = harness.run(sys.argv[1], 'jit', elf, run.arguments(want), os.path.join(tmp, 'report.json'))
            lost = missing(report[1], err) if report else ['the page shows no report']
            if lost and '--write' in sys.argv and report:
                new = ''.join(line + '\n' for line in err.splitlines() if line.startswith(('bruin: ', '  ')) and not PROGRESS.match(line))
                with open(path, 'w', encoding='utf-8') as f:
                    f.write(REPORT.sub(lambda _: new, text))
                lost = []
            tally.case(f'{page} {guest[1]}', seconds, [f'the guest does not give: {line}' for line in lost], err)
    sys.exit(tally.end())


if __name__ == '__main__':
    main()
