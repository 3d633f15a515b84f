#!/usr/bin/env python3
"""What a call costs by each door: within the program, over the Unix socket, HTTP, and MCP on stdio and over HTTP.

Usage: doors.py --build build --model MODEL.gguf --tree FOLDER [--calls 2000]

The same three calls by each: status, a search by words, and the vector of a short text; one after the other on one connection, p50 and
p99 in milliseconds of the clock, what the client in Python itself costs included. Told as JSON, with what each door adds at p50 to the
call within the program (libpythia, by ctypes). Needs nothing but Python.
"""
import argparse
import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

CALLS = {"status": {}, "search": {"query": "retry buffer", "mode": "lexical", "limit": 5}, "embed": {"text": "read it"}}
ROUTES = {"status": ("GET", "/v1/status"), "search": ("POST", "/v1/search"), "embed": ("POST", "/embed")}
VERSION = "2025-11-25"


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

    def ask(self, method, path, body):
        self.s.sendall(("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" %
                        (method, path, len(body), self.headers)).encode() + body)
        length = 0
        while (line := self.file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        return self.file.read(length)

    def call(self, name):
        method, path = ROUTES[name]
        return self.ask(method, path, b"" if method == "GET" else json.dumps(CALLS[name]).encode())

    def close(self):
        self.s.close()


def tool_call(name):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": CALLS[name]}}).encode()


class McpHttp(Http):
    def __init__(self, port):
        super().__init__(port, "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: %s\r\n" % VERSION)

    def call(self, name):
        return self.ask("POST", "/mcp", tool_call(name))


class McpStdio:
    def __init__(self, pythia, env, tree):
        self.process = subprocess.Popen([pythia, "mcp"], env=env, cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)

    def call(self, name):
        self.process.stdin.write(tool_call(name) + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def good(reply):
    return b'"status":"ok"' in reply or b'\\"status\\":\\"ok\\"' in reply


def measure(door, calls):
    told = {}
    for name in CALLS:
        deadline = time.monotonic() + 60
        while not good(door.call(name)):  # the model is being loaded
            if time.monotonic() > deadline:
                sys.exit("%s by %s: %s" % (name, type(door).__name__, door.call(name)[:500]))
            time.sleep(0.05)
        ms = []
        for _ in range(calls):
            began = time.perf_counter()
            reply = door.call(name)
            ms.append((time.perf_counter() - began) * 1000)
            if not good(reply):
                sys.exit("%s by %s: %s" % (name, type(door).__name__, reply[:500]))
        ms.sort()
        told[name] = {"p50_ms": round(ms[len(ms) // 2], 3), "p99_ms": round(ms[int(len(ms) * .99)], 3)}
    door.close()
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--calls", type=int, default=2000)
    args = parser.parse_args()
    build = Path(args.build).resolve()
    pythia = str(build / "pythia")
    with tempfile.TemporaryDirectory(prefix="pythia-doors-") as folder:
        home = Path(folder)
        (home / "models").mkdir()
        (home / "models" / "all-minilm-l6-v2.gguf").symlink_to(os.path.realpath(args.model))
        env = {"PATH": os.environ["PATH"], "HOME": folder, "PYTHIA_HOME": folder}
        subprocess.run([pythia, "index", "--progress", "none", args.tree], env=env, check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen([pythia, "serve", "--http", "127.0.0.1:0", "--socket", folder + "/sock", "--log", "none"], env=env,
                                  cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        port = urllib.parse.urlsplit(json.loads(server.stdout.readline())["http"]).port
        told = {"within": measure(Within(build, home), args.calls)}
        for name, door in (("socket", lambda: Socket(folder + "/sock")), ("http", lambda: Http(port)), ("mcp http", lambda: McpHttp(port)),
                           ("mcp stdio", lambda: McpStdio(pythia, env, args.tree))):
            told[name] = measure(door(), args.calls)
            for call in CALLS:
                told[name][call]["added_ms"] = round(told[name][call]["p50_ms"] - told["within"][call]["p50_ms"], 3)
        server.terminate()
        server.wait()
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
