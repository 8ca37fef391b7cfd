#!/usr/bin/env python3
"""bruin test, as a CI job uses it: --expect, --fail, --timeout, --junit, --json, and what a timeout reports.

usage: ci.py BRUIN ENGINE
"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + '/diag')
import run as diag  # noqa: E402

GUEST = '''
#include "diag.inc"
#ifdef SLEEPY
    b       wait
#endif
    put     'a'
    put     'l'
    put     'l'
    put     ' '
    put     'o'
    put     'k'
    put     '\\n'
    power_off
wait:
    mov     x1, #UART           // input that never comes
1:
#ifdef TIMED
    mrs     x2, cntvct_el0      // and looks at the time: it may have a reason to end
#endif
    ldr     w0, [x1, #0x18]
    tbnz    w0, #4, 1b
    power_off
'''
SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
failed = 0


def check(name, ok, why):
    global failed
    failed += not ok
    print(f'{"ok  " if ok else "FAIL"} {name}{"" if ok else ": " + why}', flush=True)


def main():
    bruin, engine = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as work:
        source, good, sleepy, deaf = work + '/guest.S', work + '/good.elf', work + '/sleepy.elf', work + '/deaf.elf'
        with open(source, 'w', encoding='ascii') as f:
            f.write(GUEST)
        diag.build(source, 'good', {}, good)
        diag.build(source, 'bad', {'cflags': '-DSLEEPY;-DTIMED'}, sleepy)
        diag.build(source, 'bad', {'cflags': '-DSLEEPY'}, deaf)

        def test(elf, *options):
            p = subprocess.run([bruin, 'test', '--accel', engine, *options, elf], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, timeout=60 * SLOW, check=False)
            return p.returncode, p.stdout.decode(), p.stderr.decode()

        rc, out, err = test(good, '--expect', 'all ok', '--fail', 'panic|error')
        check('--expect seen: 0, one line of verdict', rc == 0 and out.startswith('all ok') and 'PASS' in err, f'{rc} {err}')
        rc, out, err = test(good, '--expect', 'never printed')
        check('--expect not seen: 117', rc == 117 and 'never printed' in err, f'{rc} {err}')
        rc, out, err = test(good, '--expect', 'never', '--fail', 'all')
        check('--fail seen: 117', rc == 117 and '--fail "all"' in err, f'{rc} {err}')
        rc, out, err = test(deaf, '--timeout', f'{30 * SLOW}s')
        check('input that never comes: 124 at once', rc == 124 and "the host's input has ended" in err, f'{rc} {err}')
        junit, report = work + '/junit.xml', work + '/report.json'
        rc, out, err = test(sleepy, '--timeout', f'{2 * SLOW}s', '--junit', junit, f'--json={report}')
        check('--timeout: 124', rc == 124, f'{rc} {err}')
        case = xml.etree.ElementTree.parse(junit).getroot().find('testcase')
        check('--junit: the failure and the report', case.find('failure').get('type') == 'exit-124' and
              'cpu0 pc=' in case.find('failure').text, open(junit, encoding='utf-8').read())
        with open(report, encoding='utf-8') as f:
            data = json.load(f)
        r = data['report']
        check('--json: verdict and exit', data['verdict'] == 'timeout' and data['exit'] == 124, str(data)[:300])
        check('each CPU: pc, symbol, level, MMU, state', r['cpus'][0]['symbol'].startswith('wait') and r['cpus'][0]['el'] == 1 and
              r['cpus'][0]['mmu'] is False and r['cpus'][0]['state'] == 'running', str(r['cpus']))
        check('the hottest block', r['hot'][0]['symbol'].startswith('wait') and r['hot'][0]['percent'] > 90, str(r['hot']))
    sys.exit(bool(failed))


main()
