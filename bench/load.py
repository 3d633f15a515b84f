#!/usr/bin/env python3
"""A server at saturation: many connections at once that search, embed and upload without a pause.

Usage: load.py --pythia build/pythia --model MODEL.gguf --tree FOLDER [--connections 1000] [--seconds 600] [--end TERM|KILL] [--json]

Starts a server with a home of its own and a collection of FOLDER, and asks it over HTTP on --connections connections that stay open,
each with its next call as soon as the one before is answered. A 503 or 429 is waited out as long as Retry-After says, as clients do.
Anything else than 200, 503 and 429, and any connection that breaks, is a failure.

Of ten calls six search, three embed and one uploads: of the uploads nine in ten are files that are there already, the tenth is new.
After --seconds the server is ended by SIGTERM in the midst of it, started again, and every document whose upload was answered with 200
must be there; then `pythia verify` must find nothing. Then the same for a tenth of the time, ended by SIGKILL. With --end by that signal
alone, after --seconds.

Told as a verdict, line by line: calls and their milliseconds, whether one failed, memory by the minute (that of the process's own; with
files mapped it follows what is there), uploads that were lost. Memory is flat when the last minute has no more than MEMORY_GROWTH of the
second, or of the first where there are no three; the cache of queries' vectors has a quarter of its usual size, so that it is full by
then. --json tells all figures.

Exit code 1: a line that is not ok. Needs nothing but Python. The client takes a share of the same cores.
"""
import argparse
import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

WORDS = ("retry backoff index vector lock timeout buffer parse socket header query document stream worker thread signal memory cache "
         "token model search engine printer paper river granite glacier harbour lantern archive ledger compass").split()
REPLY_S = 120  # an answer that takes longer is a failure
START_S = 120
MEMORY_GROWTH = 1.15


def text(rng, words):
    return " ".join(rng.choice(WORDS) for _ in range(words))


def call_of(rng):
    """(kind, path, content type, body)."""
    chance = rng.random()
    if chance < 0.6:
        return "search", "/v1/search", "application/json", json.dumps({"query": text(rng, 5), "limit": 10}).encode()
    if chance < 0.9:
        return "embed", "/embed", "application/json", json.dumps({"text": text(rng, 30)}).encode()
    number = rng.randrange(100) if rng.random() < 0.9 else rng.randrange(1 << 40)
    content = ("# Note %d\n\n%s\n" % (number, text(random.Random(number), 60))).encode()
    return "upload", "/v1/upload?name=note-%d.md" % number, "text/markdown", content


class Load:
    def __init__(self, port, seconds):
        self.port, self.until = port, time.monotonic() + seconds
        self.ending = False  # the server was told to go: what breaks then is no failure
        self.calls = {}  # (kind, status): [milliseconds]
        self.failures, self.uploaded = [], set()

    async def reply(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        status, length, wait, close = int(head.split(b" ", 2)[1]), 0, 0, False
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"retry-after":
                wait = int(value)
            elif name.lower() == b"connection":
                close = value.strip().lower() == b"close"
        return status, wait, close, await reader.readexactly(length)

    async def ask(self, streams, kind, path, content_type, body):
        reader, writer = streams
        writer.write(b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" %
                     (path.encode(), content_type.encode(), len(body)) + body)
        began = time.monotonic()
        status, wait, close, answer = await asyncio.wait_for(self.reply(reader), REPLY_S)
        self.calls.setdefault((kind, status), []).append((time.monotonic() - began) * 1000)
        if status not in (200, 429, 503):
            self.failures.append("%s: %d %s" % (kind, status, answer[:200].decode(errors="replace")))
        if kind == "upload" and status == 200:
            for file in json.loads(answer)["files"]:
                self.uploaded.add(file["document"]["uri"])
        return wait, close

    async def connection(self, number):
        rng, streams = random.Random(number), None
        while time.monotonic() < self.until and not self.ending:
            try:
                if not streams:
                    streams = await asyncio.open_connection("127.0.0.1", self.port)
                wait, close = await self.ask(streams, *call_of(rng))
                if close:
                    streams[1].close()
                    streams = None
                if wait:
                    await asyncio.sleep(min(wait + rng.random(), max(0, self.until - time.monotonic())))
            except Exception as e:  # whatever it is: one connection's failure, not the run's
                streams = None
                if not self.ending:
                    self.failures.append("connection %d: %r" % (number, e))
                    await asyncio.sleep(1)
        if streams:
            streams[1].close()


def memory(pid):
    """(anonymous, resident) in MB."""
    with open("/proc/%d/status" % pid) as f:
        lines = dict(line.split(":", 1) for line in f)
    return int(lines["RssAnon"].split()[0]) / 1024, int(lines["VmRSS"].split()[0]) / 1024


async def watch(load, pid, minutes):
    """minutes: the most memory in each."""
    began = time.monotonic()
    while time.monotonic() < load.until and not load.ending:
        minute = int((time.monotonic() - began) / 60)
        if minute == len(minutes):
            minutes.append((0, 0))
        minutes[minute] = tuple(map(max, minutes[minute], memory(pid)))
        await asyncio.sleep(1)


async def end_at(load, process, seconds, number):
    await asyncio.sleep(seconds)
    load.ending = True
    process.send_signal(number)


def share(values, part):
    return round(values[min(len(values) - 1, int(len(values) * part))], 1)


def kinds_told(calls):
    out = {}
    for (kind, status), ms in sorted(calls.items()):
        ms.sort()
        out.setdefault(kind, {})[str(status)] = {"calls": len(ms), "p50_ms": share(ms, .5), "p95_ms": share(ms, .95),
                                                 "p99_ms": share(ms, .99), "max_ms": round(ms[-1], 1)}
    return out


class Server:
    def __init__(self, args, home):
        self.args, self.home = args, home
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHIA_HOME": str(home), "PYTHIA_MEMORY_CACHE_SIZE": "8M"}

    def run(self, *words):
        done = subprocess.run([self.args.pythia, *words], env=self.env, cwd=self.args.tree, capture_output=True, text=True)
        if done.returncode:
            sys.exit("pythia %s: exit %d\n%s" % (" ".join(words), done.returncode, done.stderr[-2000:]))
        return done.stdout

    def start(self):
        self.log = open(self.home / "serve.log", "ab")
        self.process = subprocess.Popen([self.args.pythia, "serve", "--http", "127.0.0.1:0", "--log", "none"], env=self.env, cwd=self.home,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        self.port = urllib.parse.urlsplit(json.loads(self.process.stdout.readline())["http"]).port
        until = time.monotonic() + START_S
        while "healthy" not in subprocess.run([self.args.pythia, "health", "--http", "127.0.0.1:%d" % self.port], env=self.env,
                                              capture_output=True, text=True).stdout:
            if time.monotonic() > until:
                sys.exit("the server is not ready after %d s; see %s" % (START_S, self.log.name))
            time.sleep(0.1)


def lost(server, uploaded):
    """Starts the server again; which documents are not there."""
    server.start()
    there, after = set(), ""
    while True:
        url = "http://127.0.0.1:%d/v1/documents?collection=documents&limit=1000%s" % (server.port, after)
        page = json.load(urllib.request.urlopen(url))
        there.update(d["uri"] for d in page["documents"])
        if not page["has_more"]:
            break
        after = "&after=" + urllib.parse.quote(page["documents"][-1]["path"], safe="")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait()
    return sorted(uploaded - there)


async def drive(args, server, load, minutes, seconds, end):
    load.until += 60  # the end comes before
    await asyncio.gather(*(load.connection(i) for i in range(args.connections)), watch(load, server.process.pid, minutes),
                         end_at(load, server.process, seconds, getattr(signal, "SIG" + end)))


def phase(args, server, seconds, end):
    """Load until the end, and what is there after it."""
    server.start()
    load, minutes, began = Load(server.port, seconds), [], time.monotonic()
    asyncio.run(drive(args, server, load, minutes, seconds, end))
    code = server.process.wait(timeout=120)
    took = time.monotonic() - began
    gone = lost(server, load.uploaded)
    server.run("verify")
    answered = sum(len(ms) for (_, status), ms in load.calls.items() if status == 200)
    return {"end": end, "connections": args.connections, "seconds": round(took, 1), "calls": kinds_told(load.calls),
            "answered_per_s": round(answered / took, 1), "anonymous_mb": [round(a, 1) for a, _ in minutes],
            "resident_mb": [round(r, 1) for _, r in minutes], "exit_code": code, "documents_uploaded": len(load.uploaded),
            "documents_lost": len(gone), "failures": len(load.failures), "first_failures": load.failures[:5]}


def verdict(told):
    """[(ok, line)]"""
    signal_name, calls, memory_mb = "SIG" + told["end"], told["calls"], told["anonymous_mb"]
    lines = [(True, "%d connections for %.0f s, ended by %s: %.1f calls answered a second" %
              (told["connections"], told["seconds"], signal_name, told["answered_per_s"]))]
    for kind, by_status in calls.items():
        lines += [(status in ("200", "429", "503"), "%s %s: %d calls, p50 %.0f, p95 %.0f, p99 %.0f, longest %.0f ms" %
                   (kind, status, f["calls"], f["p50_ms"], f["p95_ms"], f["p99_ms"], f["max_ms"])) for status, f in by_status.items()]
    lines.append((not told["failures"], "%d failures%s" % (told["failures"], "".join("; " + f for f in told["first_failures"]))))
    base = memory_mb[1] if len(memory_mb) > 2 else memory_mb[0]
    lines.append((memory_mb[-1] <= base * MEMORY_GROWTH, "memory by the minute, MB: %s (resident %s)" %
                  (" ".join("%.0f" % m for m in memory_mb), " ".join("%.0f" % m for m in told["resident_mb"]))))
    lines.append((told["exit_code"] == (0 if told["end"] == "TERM" else -signal.SIGKILL), "exit code %d" % told["exit_code"]))
    lines.append((not told["documents_lost"], "%d documents uploaded, %d lost; verify finds nothing" %
                  (told["documents_uploaded"], told["documents_lost"])))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pythia", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--end", choices=("TERM", "KILL"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.pythia, args.tree = os.path.abspath(args.pythia), os.path.abspath(args.tree)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    phases = [(args.seconds, args.end)] if args.end else [(args.seconds, "TERM"), (args.seconds / 10, "KILL")]
    good, all_told = True, []
    with tempfile.TemporaryDirectory(prefix="pythia-load-") as folder:
        home = Path(folder)
        (home / "models").mkdir()
        (home / "models" / "all-minilm-l6-v2.gguf").symlink_to(os.path.realpath(args.model))
        server = Server(args, home)
        server.run("index", args.tree)
        for seconds, end in phases:
            all_told.append(phase(args, server, seconds, end))
            for ok, line in verdict(all_told[-1]):
                good &= ok
                if not args.json:
                    print("%-6s %s" % ("ok" if ok else "NOT OK", line), flush=True)
    if args.json:
        print(json.dumps(all_told, indent=1))
    else:
        print("all is well" if good else "NOT WELL")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
