#!/usr/bin/env python3
"""What a call costs by each door, and how many texts a second come through HTTP, beside the engine alone.

Usage: doors.py --build build --model MODEL.gguf --tree FOLDER [--texts TEXTS.jsonl] [--calls 2000] [--precision P] [--json]

The same calls by each door, one after the other on one connection, in blocks by turns so that all meet the same machine: `tokenize`, which
has next to nothing to do, a search by words, and the vector of a short text. p50 and p99 in milliseconds of the clock, what the client in
Python itself costs included (`client`: that alone); what each door adds at p50 to the call within the program (libpythia, by ctypes),
and that to the client alone.

With --texts also texts a second: `pythia bench embed`, and a server's /embed with 32 texts a call, /v1/embeddings in base64 likewise, and
/embed with one text a call on 32 connections, by turns, each the middle one of --rounds; by the clock, and by the CPU time of the process
that embeds, which other work on the machine disturbs less.

Told as rows of a Markdown table, or with --json. Needs nothing but Python.
"""
import argparse
import ctypes
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

CALLS = {"tokenize": {"text": "read it"}, "search": {"query": "retry buffer", "mode": "lexical", "limit": 5}, "embed": {"text": "read it"}}
ROUTES = {"tokenize": "/tokenize", "search": "/v1/search", "embed": "/embed"}
VERSION, MODEL = "2025-11-25", "all-minilm-l6-v2"
BLOCK = 50
TARGETS = {"within": 0.01, "socket": 0.1, "http": 0.3}  # milliseconds that a call of next to nothing may cost at p50


class Within:
    """libpythia in this process."""

    def __init__(self, build, home):
        self.lib = ctypes.CDLL(str(build / "libpythia.so"))
        self.engine = ctypes.c_void_p()
        os.environ["PYTHIA_HOME"] = str(home)
        if self.lib.pythia_start(ctypes.byref(self.engine), None, None):
            sys.exit("libpythia does not start")

    def call(self, name):
        reply = ctypes.c_void_p()
        if self.lib.pythia_call(self.engine, name.encode(), json.dumps(CALLS[name]).encode(), ctypes.byref(reply), None):
            return b""
        text = ctypes.string_at(reply)
        self.lib.pythia_free(reply)
        return text

    def close(self):
        self.lib.pythia_stop(self.engine)


class Client:
    """What this client itself costs: a call of libpythia that does nothing."""

    def __init__(self, within):
        self.lib = within.lib
        self.lib.pythia_version.restype = ctypes.c_void_p

    def call(self, name):
        json.dumps(CALLS[name]).encode()
        self.lib.pythia_free(None)
        return ctypes.string_at(self.lib.pythia_version())

    def close(self):
        pass


class Socket:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(str(path))
        self.file = self.s.makefile("rb")

    def call(self, name):
        data = json.dumps({"id": 1, "method": name, "params": CALLS[name]}).encode()
        self.s.sendall(struct.pack(">I", len(data)) + data)
        return self.file.read(struct.unpack(">I", self.file.read(4))[0])

    def close(self):
        self.s.close()


class Http:
    def __init__(self, port, headers=""):
        self.s = socket.create_connection(("127.0.0.1", port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file, self.headers = self.s.makefile("rb"), headers

    def ask(self, path, body):
        self.s.sendall(("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" %
                        (path, len(body), self.headers)).encode() + body)
        length = 0
        while (line := self.file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        return self.file.read(length)

    def call(self, name):
        return self.ask(ROUTES[name], json.dumps(CALLS[name]).encode())

    def close(self):
        self.s.close()


def tool_call(name):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": CALLS[name]}}).encode()


class McpHttp(Http):
    def __init__(self, port):
        super().__init__(port, "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: %s\r\n" % VERSION)

    def call(self, name):
        return self.ask("/mcp", tool_call(name))


class Stdio:
    """JSON-RPC, one message a line."""

    def __init__(self, env, cwd, *command):
        self.process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def line(self, message):
        self.process.stdin.write(message + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def call(self, name):
        return self.line(json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": CALLS[name]}).encode())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class McpStdio(Stdio):
    def call(self, name):
        return self.line(tool_call(name))


def good(kind, reply):
    return kind == "client" or b'"status":"ok"' in reply or b'\\"status\\":\\"ok\\"' in reply


def warm(doors, name):
    for kind, door in doors.items():
        deadline = time.monotonic() + 60
        while not good(kind, reply := door.call(name)):  # the model is being loaded
            if time.monotonic() > deadline:
                sys.exit("%s by %s: %s" % (name, kind, reply[:500]))
            time.sleep(0.05)


def measure(doors, calls):
    """{call: {door: milliseconds, sorted}}"""
    told = {}
    for name in CALLS:
        # Of MCP tokenize is no tool; the client alone costs the same whatever is asked.
        asked = {kind: door for kind, door in doors.items() if name == "tokenize" or kind != "client"}
        if name == "tokenize":
            asked = {kind: door for kind, door in asked.items() if not kind.startswith("mcp")}
        warm(asked, name)
        told[name] = {kind: [] for kind in asked}
        for _ in range(0, calls, BLOCK):
            for kind, door in asked.items():
                for _ in range(BLOCK):
                    began = time.perf_counter()
                    reply = door.call(name)
                    told[name][kind].append((time.perf_counter() - began) * 1000)
                    if not good(kind, reply):
                        sys.exit("%s by %s: %s" % (name, kind, reply[:500]))
        for ms in told[name].values():
            ms.sort()
    return told


def figures(told):
    out = {}
    for name, doors in told.items():
        base = statistics.median(doors["within"])
        for kind, ms in doors.items():
            middle = statistics.median(ms)
            beside = middle if kind == "client" else base
            if kind == "within" and "client" in doors:
                beside = statistics.median(doors["client"])
            out.setdefault(kind, {})[name] = {"p50_ms": round(middle, 4), "p99_ms": round(ms[int(len(ms) * .99)], 3),
                                              "added_ms": round(middle - beside, 4)}
    return out


def rows(told):
    print("| door | `tokenize` p50 / p99 | adds | search by words p50 / p99 | adds | vector of a short text p50 / p99 | adds |")
    print("|---|---|---|---|---|---|---|")
    for kind, calls in told.items():
        cells = []
        for name in CALLS:
            f = calls.get(name)
            cells += ["%.3f / %.3f" % (f["p50_ms"], f["p99_ms"]), "%.3f" % f["added_ms"] if f["added_ms"] else ""] if f else ["", ""]
        print("| %s | %s |" % (kind, " | ".join(cells)))
    for kind, most in TARGETS.items():
        cost = told[kind]["tokenize"]["added_ms"]
        print("%s adds %.4f ms at p50, %s %.2f" % (kind, cost, "at most" if cost <= most else "MORE THAN", most), file=sys.stderr)


# ---- texts a second ----

def cpu_s(pid):
    fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def through(port, pid, bodies, path, connections):
    """(seconds of the clock, of the server's CPU)"""
    rest, lock, failed = list(bodies), threading.Lock(), []

    def work():
        door = Http(port)
        while True:
            with lock:
                if not rest or failed:
                    break
                body = rest.pop()
            reply = door.ask(path, body)
            if b"embedding" not in reply[:200]:
                failed.append(reply[:500])
        door.close()
    threads = [threading.Thread(target=work) for _ in range(connections)]
    began, cpu = time.perf_counter(), cpu_s(pid)
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        sys.exit("%s: %s" % (path, failed[0]))
    return time.perf_counter() - began, cpu_s(pid) - cpu


def throughput(args, pythia, env, port, pid, folder):
    with open(args.texts) as f:
        texts = [json.loads(line)["text"] for line in f][:args.count]
    short = folder / "texts.jsonl"
    short.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    many = [texts[i:i + 32] for i in range(0, len(texts), 32)]
    ways = {"/embed, 32 texts a call": ("/embed", [{"texts": t} for t in many], 2),
            "/v1/embeddings, 32 texts a call, base64": ("/v1/embeddings", [{"model": MODEL, "input": t, "encoding_format": "base64"} for t in many], 2),
            "/embed, one text a call, 32 connections": ("/embed", [{"text": t} for t in texts], 32)}
    got = {}
    for _ in range(args.rounds):
        done = subprocess.run([pythia, "bench", "embed", "--input", short, "--precision", args.precision], env=env, check=True, capture_output=True)
        alone = json.loads(done.stdout)
        got.setdefault("bench embed", []).append((alone["texts_per_s"], alone["cpu_texts_per_s"]))
        for way, (path, bodies, connections) in ways.items():
            seconds, cpu = through(port, pid, [json.dumps(b).encode() for b in bodies], path, connections)
            got.setdefault(way, []).append((len(texts) / seconds, len(texts) / cpu))
    middle = {way: [statistics.median(column) for column in zip(*runs)] for way, runs in got.items()}
    wall, cpu = middle["bench embed"]
    return {way: {"texts_per_s": round(w, 1), "share": round(w / wall, 3), "texts_per_cpu_s": round(c, 1), "cpu_share": round(c / cpu, 3)}
            for way, (w, c) in middle.items()}


def texts_rows(told):
    print("\n| | texts/s | of `bench embed` | texts a second of CPU | of `bench embed` |")
    print("|---|---|---|---|---|")
    for way, f in told.items():
        print("| %s | %.1f | %.0f %% | %.1f | %.0f %% |" % (way, f["texts_per_s"], 100 * f["share"], f["texts_per_cpu_s"], 100 * f["cpu_share"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--texts", help="also texts a second, of these (make_chunks.py)")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="fast", choices=["exact", "fast", "f32"])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    build = Path(args.build).resolve()
    pythia = str(build / "pythia")
    with tempfile.TemporaryDirectory(prefix="pythia-doors-") as folder:
        home = Path(folder)
        (home / "models").mkdir()
        (home / "models" / (MODEL + ".gguf")).symlink_to(os.path.realpath(args.model))
        os.environ["PYTHIA_MODEL_PRECISION"] = args.precision
        env = {"PATH": os.environ["PATH"], "HOME": folder, "PYTHIA_HOME": folder, "PYTHIA_MODEL_PRECISION": args.precision}
        subprocess.run([pythia, "index", "--progress", "none", args.tree], env=env, check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen([pythia, "serve", "--http", "127.0.0.1:0", "--socket", folder + "/sock", "--log", "none"], env=env,
                                  cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        port = urllib.parse.urlsplit(json.loads(server.stdout.readline())["http"]).port
        within = Within(build, home)
        doors = {"client": Client(within), "within": within, "socket": Socket(folder + "/sock"),
                 "JSON-RPC on stdio": Stdio(env, args.tree, pythia, "serve", "--stdio"), "http": Http(port),
                 "mcp on stdio": McpStdio(env, args.tree, pythia, "mcp"), "mcp over http": McpHttp(port)}
        doors["JSON-RPC on stdio"].process.stdout.readline()  # ready
        told = {"doors": figures(measure(doors, args.calls))}
        for door in doors.values():
            door.close()
        if not args.json:
            rows(told["doors"])
        if args.texts:
            told["texts"] = throughput(args, pythia, env, port, server.pid, home)
        server.terminate()
        server.wait()
    if args.json:
        print(json.dumps(told, indent=1))
    elif args.texts:
        texts_rows(told["texts"])


if __name__ == "__main__":
    main()
