"""Drives a program's console: wait for text, type, wait for the exit. Used by the boot tests."""
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

ANSI = re.compile(rb'\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\r')
PIECE = 16  # bytes typed at once: UART FIFOs are 16 to 32 deep


class Failure(Exception):
    """What was expected did not happen; the text says what was seen."""


class Console:
    """A program on a pseudo-terminal (tty=True) or on pipes."""

    def __init__(self, command, timeout, tty=False, env=None):
        self.command, self.started = command, time.monotonic()
        self.deadline = self.started + timeout
        self.seen, self.unread = b'', b''
        self.master = None
        kw = dict(start_new_session=True, env=env)
        if tty:
            self.master, slave = pty.openpty()
            self.slave = slave
            self.modes_before = termios.tcgetattr(slave)
            self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, **kw)
            self.fd = self.master
        else:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, **kw)
            self.fd = self.process.stdout.fileno()
        self.eof = False

    def elapsed(self):
        return time.monotonic() - self.started

    def _pump(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            # We keep the terminal's other end open, so only the process's end tells.
            self.eof = self.process.poll() is not None and not select.select([self.fd], [], [], 0)[0]
            return
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b''
        self.eof = not data
        data = ANSI.sub(b'', data)
        self.seen += data
        self.unread += data

    def expect(self, pattern):
        """Waits for a regular expression in what was not matched yet. ret  the match."""
        rx = re.compile(pattern.encode())
        while True:
            m = rx.search(self.unread)
            if m:
                self.unread = self.unread[m.end():]
                return m
            if self.eof:
                raise Failure(f'the console ended before {pattern!r}\n{self.tail()}')
            if time.monotonic() > self.deadline:
                raise Failure(f'{pattern!r} was not seen in {self.elapsed():.0f} s\n{self.tail()}')
            self._pump(0.1)

    def type(self, text):
        data = text.encode()
        for at in range(0, len(data), PIECE):
            if self.master is not None:
                os.write(self.master, data[at:at + PIECE])
            else:
                self.process.stdin.write(data[at:at + PIECE])
                self.process.stdin.flush()
            time.sleep(0.02)

    def exit_status(self):
        """Waits for the end. ret  the exit status, as the shell counts."""
        while self.process.poll() is None:
            if time.monotonic() > self.deadline:
                raise Failure(f'still running after {self.elapsed():.0f} s\n{self.tail()}')
            self._pump(0.1)
        while not self.eof:
            self._pump(0.05)
        return self.process.returncode if self.process.returncode >= 0 else 128 - self.process.returncode

    def modes(self):
        """The terminal's modes, to check that they are restored."""
        return termios.tcgetattr(self.slave)

    def tail(self):
        return '--- console, last 2000 bytes\n' + self.seen[-2000:].decode(errors='replace')

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
