#!/usr/bin/env python3
"""Runs the meson tests of a build directory and ends with one line, `N passed, N failed`.

usage: check.py BUILD [--suite NAME]... [TEST]...
A cmocka or TAP program counts as the tests it reports, any other as one. Failures are printed in full.
In a build with sanitizers everything has more time, and whatever any process reports is a failure.
"""
import glob
import json
import os
import re
import subprocess
import sys
import time

CMOCKA = re.compile(r'\[  (PASSED|FAILED)  \] (\d+) test\(s\)')
TAP = re.compile(r'^(not )?ok \d+', re.M)
TAIL_LINES = 80
KILLED = re.compile(r'==\d+==Unable to get registers from thread \d+\.')  # a process was killed while its leaks were looked for
SLOW = 6  # of a build with sanitizers: it needs 3 to 5 times as long


def sanitized(build):
    with open(os.path.join(build, 'meson-info', 'intro-buildoptions.json'), encoding='utf-8') as f:
        return any(o['name'] == 'b_sanitize' and o['value'] != 'none' for o in json.load(f))


def prepare_sanitizers(build):
    """Sends the reports of every process, also those a test starts, to files. ret  their pattern"""
    reports = os.path.join(os.path.abspath(build), 'meson-logs', 'sanitizer')
    for old in glob.glob(reports + '.*'):
        os.unlink(old)
    for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS'):
        os.environ[name] = f'log_path={reports}:halt_on_error=1:abort_on_error=1:print_stacktrace=1'
    os.environ['TSAN_OPTIONS'] = f'log_path={reports}:suppressions={os.path.dirname(os.path.abspath(__file__))}/tsan.supp'
    os.environ['BRUIN_TEST_SLOW'] = str(SLOW)
    return reports + '.*'


def count(record):
    """(passed, failed) of one test program."""
    text = record.get('stdout', '') + record.get('stderr', '')
    ok = record['result'] in ('OK', 'EXPECTEDFAIL')
    passed = failed = 0
    for word, n in CMOCKA.findall(text):
        passed += int(n) if word == 'PASSED' else 0
        failed += int(n) if word == 'FAILED' else 0
    for bad in TAP.findall(text):
        failed += bool(bad)
        passed += not bad
    if ok:
        return max(passed, 1), 0
    return passed, max(failed, 1)


def main():
    if len(sys.argv) < 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(__doc__)
    build, suites = sys.argv[1], sys.argv[2:]
    log = os.path.join(build, 'meson-logs', 'testlog.json')
    if os.path.exists(log):
        os.unlink(log)
    reports = prepare_sanitizers(build) if sanitized(build) else None
    started = time.monotonic()
    status = subprocess.call(['meson', 'test', '-C', build, '--no-rebuild', *(['-t', str(SLOW)] if reports else []), *suites])
    passed = failed = skipped = 0
    if os.path.exists(log):
        with open(log, encoding='utf-8') as f:
            for record in map(json.loads, f):
                if record['result'] == 'SKIP':
                    skipped += 1
                    continue
                p, n = count(record)
                n = n or int('runtime error: ' in record.get('stdout', '') + record.get('stderr', ''))  # UBSan
                passed += p
                failed += n
                if n:
                    lines = (record.get('stdout', '') + record.get('stderr', '')).splitlines()
                    print(f"\n--- {record['name']}: {record['result']}", *[l for l in lines if not l.startswith('ok ')][-TAIL_LINES:], sep='\n')
    for path in glob.glob(reports) if reports else []:
        with open(path, encoding='utf-8', errors='replace') as f:
            lines = f.read().splitlines()
        if all(KILLED.fullmatch(line) for line in lines):
            continue
        failed += 1
        print(f'\n--- {path}', *lines[:TAIL_LINES], sep='\n')
    if status and not failed:
        failed = 1
    print(f'\n{time.monotonic() - started:.0f} s' + (f', {skipped} skipped' if skipped else ''))
    print(f'{passed} passed, {failed} failed')
    sys.exit(1 if failed or not passed else 0)


main()
