#!/usr/bin/env python3
"""What a newcomer does, on a Debian 12 that nothing was installed on: clones HEAD, `make run`, types, `make check`.

usage: fresh.py [--root DIR] [--stages debian,clone,run,check] [--check-args ARGS] [--wrap COMMAND]
As root: a minimal system is made below DIR by mmdebstrap (2 minutes and 300 MB), with nothing beyond git, make and
certificates, and entered with its own mounts and processes. Stages of one DIR may run one after another; `clone`
begins anew with today's HEAD, `debian` with an empty DIR. --wrap is put before each long command (nice, say).
"""
import argparse
import os
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'integration'))
from console import Console, Failure  # noqa: E402

PACKAGES = 'git,make,ca-certificates'
TREE = 'root/bruin'
REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def inside(o, command):
    """The argument vector that runs a shell command in the clone, as on a machine of its own."""
    root = shlex.quote(o.root)
    enter = (f'mount -t proc proc {root}/proc && mount --rbind /dev {root}/dev && exec chroot {root} env -i '
             f'PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=xterm sh -c {shlex.quote(f"cd /{TREE} && exec {command}")}')
    return [*shlex.split(o.wrap), 'unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', enter]


def debian(o):
    if os.path.exists(os.path.join(o.root, 'etc')):
        shutil.rmtree(o.root)
    subprocess.run([*shlex.split(o.wrap), 'mmdebstrap', '-q', '--variant=minbase', '--include=' + PACKAGES, 'bookworm', o.root],
                   check=True)


def clone(o):
    tree = os.path.join(o.root, TREE)
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(['git', 'clone', '-q', '--no-local', REPOSITORY, tree], check=True)
    print('the clone is of', subprocess.check_output(['git', '-C', tree, 'log', '-1', '--format=%h %s'], text=True).strip())


def run(o):
    """Ends in a Failure unless a person at a terminal gets a shell that answers."""
    c = Console(inside(o, 'make run'), o.timeout, tty=True)
    try:
        c.expect(r'bruin:/# ')
        print(f'make run: a prompt after {c.elapsed():.0f} s')
        c.type('uname -a; echo $((6*7))\n')
        print('  ' + c.expect(r'Linux \S+ \S+ [^\n]*aarch64[^\n]*')[0].decode())
        c.expect(r'\n42\n')
        c.type('poweroff -f\n')
        if c.exit_status() != 0:
            raise Failure(f'make run: exit status {c.process.returncode}\n{c.tail()}')
    finally:
        c.close()


def check(o):
    status = subprocess.run(inside(o, 'make check ' + shlex.quote('CHECK_ARGS=' + o.check_args)), stdin=subprocess.DEVNULL,
                            check=False).returncode
    if status != 0:
        raise Failure(f'make check: exit status {status}')


STAGES = {f.__name__: f for f in (debian, clone, run, check)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--root', default='/var/tmp/bruin-fresh', help='directory of the system')
    p.add_argument('--stages', default=','.join(STAGES))
    p.add_argument('--check-args', default='', help="of tests/check.py, such as '--suite unit'")
    p.add_argument('--wrap', default='')
    p.add_argument('--timeout', type=int, default=1800, help='seconds that make run has')
    o = p.parse_args()
    if os.geteuid() != 0 or not shutil.which('mmdebstrap'):
        sys.exit('fresh.py: as root, and with mmdebstrap (apt-get install mmdebstrap)')
    for stage in o.stages.split(','):
        try:
            STAGES[stage](o)
        except (Failure, subprocess.CalledProcessError) as e:
            sys.exit(f'fresh.py: {stage}: {e}')
    print(f'fresh.py: {o.stages}: as it should be')


main()
