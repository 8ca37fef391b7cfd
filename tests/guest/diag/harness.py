"""What the runners of this folder share: one run of a guest, its report, and the count of what was wrong."""
import json
import os
import subprocess

SLOW = int(os.environ.get('BRUIN_TEST_SLOW', '1'))  # how many times slower than usual all is (check.py)
SECONDS_MAX, LINES_MAX = 1.0 * SLOW, 40  # CPU time counts, so that a busy host is no failure


def spent(before):
    """Seconds since: of the host's clock, but no more than what was used when the host is busy elsewhere."""
    now = os.times()
    wall, used = now.elapsed - before.elapsed, now.children_user + now.children_system - before.children_user - before.children_system
    return min(wall, max(used * 1.25, 0.0)) if os.getloadavg()[0] > os.cpu_count() else wall


def run(bruin, engine, elf, args, report, limit=10):
    """ret  exit status, what it said, seconds, its JSON document ({}: none)"""
    if os.path.exists(report):
        os.unlink(report)
    engine, _, more = engine.partition('+')  # jit+--option,--option
    args = [*filter(None, more.split(',')), *args]
    before = os.times()
    done = subprocess.run([bruin, 'run', '--accel', engine, '--timeout', f'{limit * SLOW}s', f'--json={report}', *args, elf],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=3 * limit * SLOW)
    seconds, data = spent(before), {}
    if os.path.exists(report) and os.path.getsize(report):
        with open(report, encoding='utf-8') as f:
            data = json.load(f)
    return done.returncode, done.stderr.decode(errors='replace'), seconds, data


def lines_of(err):
    return len([line for line in err.splitlines() if line.startswith('  ')])


class Tally:
    """Prints one line a run, as TAP, and what was wrong."""

    def __init__(self, show):
        self.count = self.bad = 0
        self.show = show  # the report, too, when nothing is wrong

    def case(self, name, seconds, wrong, err):
        self.count += 1
        self.bad += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {self.count} - {name} {seconds:.2f} s')
        for w in wrong:
            print(f'# {w}')
        if wrong or self.show:
            print('\n'.join('# ' + line for line in err.splitlines()))

    def end(self):
        print(f'1..{self.count}\n# {self.count - self.bad} passed, {self.bad} failed')
        return bool(self.bad)
