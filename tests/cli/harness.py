"""What the tests that drive the binary share: a home of their own, a small tree, running with and without a terminal.

PYTHIA_BINARY names the program, PYTHIA_TEST_MODEL a GGUF of all-MiniLM-L6-v2; `make test` sets both.
"""
import fcntl
import json
import os
import pathlib
import pty
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

BINARY = os.environ.get("PYTHIA_BINARY", "")
MODEL = os.environ.get("PYTHIA_TEST_MODEL", "")
MODEL_NAME = "all-minilm-l6-v2"
LIMIT_S = 240  # for one run; under a sanitizer and beside other tests the engine is many times slower

TREE = {
    "src/net/retry.c": """\
/* Sending again after a failure. */
#include "retry.h"

static int backoff_next(struct backoff *b, uint64_t now)
{
    uint64_t wait = b->base << b->attempt; /* exponential: twice as long after each failed attempt */
    if (wait > b->ceiling) wait = b->ceiling;
    b->due = now + wait + random_jitter(wait / 4);
    return ++b->attempt < b->max_attempts;
}
""",
    "src/dates.py": '''\
"""Dates as text."""
import datetime


def parse_iso8601(text):
    """Parse an ISO 8601 date such as 2026-11-21T04:45:00Z into a datetime."""
    if text.endswith("Z"):
        text = text[:-1] + "+00:00"
    return datetime.datetime.fromisoformat(text)
''',
    "docs/guide.md": """\
# Guide

## Installing the printer

Plug the printer in, then choose it in the settings. The paper tray takes fifty sheets.
""",
    "docs/soup.txt": """\
Tomato soup: fry an onion in olive oil, add ripe tomatoes and basil, and simmer for twenty minutes.
""",
    ".gitignore": "build/\n*.log\n!keep.log\n",
    "build/generated.c": "int generated_and_ignored;\n",
    "server.log": "an ignored log\n",
    "keep.log": "a log that is kept on purpose\n",
    "picture.bin": "\x00\x01\x02binary\x00",
}


def strip(result):
    """A search envelope without what may differ between two equal runs."""
    for hit in result["results"]:
        del hit["id"]
        for copy in hit.get("copies", []):
            del copy["id"]
    del result["took_ms"]
    return result


class Run:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


class PythiaTest(unittest.TestCase):
    maxDiff = 4000
    needs_model = True

    def setUp(self):
        if not (BINARY and os.access(BINARY, os.X_OK)):
            self.fail("PYTHIA_BINARY=%r is no program; run: make test" % BINARY)
        if self.needs_model and not os.path.isfile(MODEL):
            self.fail("PYTHIA_TEST_MODEL=%r is no file; run: make .setup/models/%s.gguf" % (MODEL, MODEL_NAME))
        self.dir = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="pythia-cli-")))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.home = self.dir / "home"
        self.tree = self.dir / "tree"
        self.tree.mkdir()
        self.new_home(self.home)
        self.env = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.dir / "user"),
            "XDG_CONFIG_HOME": str(self.dir / "user" / "config"),
            "PYTHIA_HOME": str(self.home),
            "LC_ALL": "C",
            "TERM": "xterm-256color",
        }
        for name, value in os.environ.items():  # a sanitizer's own settings must reach the program
            if name.endswith("SAN_OPTIONS"):
                self.env[name] = value

    # ---- one set-up for all tests of a class, which then leave everything as it is ----

    world = None

    def in_world(self):
        """True: an earlier test of the class has made the set-up, and it is this one's now."""
        self.__dict__.update(type(self).world or {})
        return type(self).world is not None

    def keep_world(self):
        """What was set up so far is for all tests of the class, and goes with the last of them."""
        kind = type(self)
        kind.world = {k: v for k, v in self.__dict__.items() if not k.startswith("_")}
        for function, args, kwargs in self._cleanups:
            kind.addClassCleanup(function, *args, **kwargs)
        self._cleanups.clear()

    def new_home(self, home):
        (home / "models").mkdir(parents=True)
        if self.needs_model:
            (home / "models" / (MODEL_NAME + ".gguf")).symlink_to(os.path.realpath(MODEL))
        return home

    # ---- files ----

    def write(self, name, text, root=None):
        path = (root or self.tree) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def make_tree(self, files=None):
        for name, text in (TREE if files is None else files).items():
            self.write(name, text)

    def age(self, *names):
        """Puts the files' times back, so that a test need not wait to be out of the racy moment after a write."""
        for name in names or [p for p in self.tree.rglob("*") if p.is_file()]:
            os.utime(self.tree / name, (1.6e9, 1.6e9))

    # ---- running ----

    def pythia(self, *args, cwd=None, stdin=None, env=None, code=None, binary=False, **how):
        done = subprocess.run(
            [BINARY, *args], cwd=cwd or self.tree, env={**self.env, **(env or {})}, input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, timeout=LIMIT_S, **how)
        run = Run(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
        if not binary:
            run.out = done.stdout.decode(errors="surrogateescape")
        if code is not None:
            self.assertEqual(run.code, code, "pythia %s\n%s\n%s" % (" ".join(map(str, args)), run.out[:2000], run.err))
        return run

    def agent(self, tool, arguments, env=None):
        """What a tool's call by `pythia mcp` came to. Its stdin stays open until then: at the end of it, what is under way has a second."""
        talk = "".join(json.dumps({"jsonrpc": "2.0", "id": i, **m}) + "\n" for i, m in enumerate((
            {"method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {},
                                                "clientInfo": {"name": "t", "version": "1"}}},
            {"method": "tools/call", "params": {"name": tool, "arguments": arguments}})))
        with subprocess.Popen([BINARY, "mcp"], cwd=self.tree, env={**self.env, **(env or {})}, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as agent:
            agent.stdin.write(talk.encode())
            agent.stdin.flush()
            reply = [json.loads(agent.stdout.readline()) for _ in range(2)][-1]
        self.assertIn("structuredContent", reply.get("result", {}), reply)
        return reply["result"]["structuredContent"]

    def index(self, *args, code=0, **how):
        run = self.pythia("index", "--json", *args, code=code, **how)
        return run.json["reports"][0]

    def search(self, query, *args, code=0, **how):
        return self.pythia("search", query, "--json", *args, code=code, **how).json

    def paths(self, query, *args, **how):
        """Of every place: copies are no hits of their own elsewhere (test_copies.py)."""
        return [hit["path"] for hit in self.search(query, "--no-collapse", *args, **how)["results"]]

    def on_terminal(self, *args, columns=100, env=None, cwd=None):
        """Runs with stdin, stdout and stderr on a terminal; returns the exit code and every byte that was drawn."""
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([BINARY, *args], cwd=cwd or self.tree, env={**self.env, **(env or {})}, stdin=child,
                                   stdout=child, stderr=child, start_new_session=True)
        os.close(child)
        drawn, deadline = b"", time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if not select.select([parent], [], [], 1)[0]:
                continue
            try:
                piece = os.read(parent, 65536)
            except OSError:  # EIO: the last writer is gone
                piece = b""
            if not piece:
                break
            drawn += piece
        os.close(parent)
        return process.wait(timeout=LIMIT_S), drawn.decode(errors="replace")

    def index_until(self, stage, send, *args, env=None, done=0, later_s=0):
        """Starts `index`, sends a signal when a progress event of the stage has come, or so much later; returns what it ended
        with: not with the signal, if it was quicker. Of a stage only the first event is sure to come."""
        process = subprocess.Popen([BINARY, "index", "--progress", "json", *args], cwd=self.tree,
                                   env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        seen, err = False, []
        for line in process.stderr:
            err.append(line.decode(errors="replace"))
            if not seen and line.startswith(b"{"):
                event = json.loads(line)
                if event["stage"] == stage and event["done"] >= done:
                    time.sleep(later_s)
                    process.send_signal(send)
                    seen = True
        out = process.stdout.read().decode()
        process.stdout.close()
        process.stderr.close()
        code = process.wait(timeout=LIMIT_S)
        self.assertTrue(seen, "index ended before stage %r: %s" % (stage, "".join(err)))
        return Run(code, out, "".join(line for line in err if not line.startswith("{")))

    def assertFails(self, run, code, *parts):
        """The exit code, and an error line that holds every part."""
        self.assertEqual(run.code, code, run.out + run.err)
        for part in parts:
            self.assertIn(part, run.err)
        self.assertTrue(run.err.startswith("pythia: ") or "\npythia: " in run.err, run.err)


def file_size_limit(size):
    """A preexec_fn: no file may grow beyond size bytes, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def without_override():
    """Words before a command that make file permissions count for root too."""
    if os.geteuid() != 0:
        return []
    caps = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", caps, "--inh-caps", caps]


def main():
    unittest.main(verbosity=1)


__all__ = ["BINARY", "LIMIT_S", "MODEL", "MODEL_NAME", "PythiaTest", "Run", "TREE", "file_size_limit", "main", "signal", "strip",
           "subprocess", "sys", "without_override"]
