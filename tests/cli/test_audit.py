"""Who did what, when, to which collection: a row for each call that changes something, and nothing of what was in it."""
import http.client
import json
import os
import socket
import sqlite3
import struct
import time
import urllib.parse

from harness import BINARY, LIMIT_S, PythiaTest, main, subprocess

SECRET = "the lighthouse keeper's secret"


class Audit(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.index()

    def serve(self, *flags):
        process = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0", "--socket", str(self.dir / "s"), *flags], cwd=self.dir,
                                   env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.port = urllib.parse.urlsplit(json.loads(process.stdout.readline())["http"]).port

    def token(self, name, role):
        made = self.pythia("token", "create", name, "--role", role, "--json", code=0).json
        return made["id"], {"Authorization": "Bearer " + made["token"]}

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})})
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read() or b"null")
        finally:
            connection.close()

    def rows(self, headers=None):
        status, reply = self.call("GET", "/v1/audit", headers=headers)
        self.assertEqual(status, 200, reply)
        return reply["audit"]

    def brief(self, rows):
        return [(r["who"], r["door"], r["action"], r["collection"], r["object"], r["outcome"]) for r in rows]

    def test_changes_are_noted_with_who_made_them(self):
        writer, w = self.token("writer", "write")
        boss, a = self.token("boss", "admin")
        _, reader = self.token("reader", "read")
        self.serve()
        put = {"documents": [{"id": "d1", "text": SECRET}], "collection": "notes"}
        self.assertEqual(self.call("POST", "/v1/index", put, w)[0], 200)
        self.assertEqual(self.call("POST", "/v1/index", {"documents": [{"text": SECRET}]}, w)[0], 200)
        self.assertEqual(self.call("POST", "/v1/upload", {"name": "up.txt", "content": "aGVsbG8="}, w)[0], 200)
        self.assertEqual(self.call("POST", "/v1/search", {"query": SECRET}, reader)[0], 200)
        self.assertEqual(self.call("POST", "/v1/index", put, reader)[0], 403)
        self.assertEqual(self.call("DELETE", "/v1/documents/d1?collection=notes", headers=w)[0], 200)
        self.assertEqual(self.call("DELETE", "/v1/documents/d1?collection=notes", headers=w)[0], 404)
        self.assertEqual(self.call("PATCH", "/v1/collections/notes", {"to": "memos"}, a)[0], 200)
        self.assertEqual(self.call("DELETE", "/v1/collections/memos", headers=a)[0], 200)
        self.assertEqual(self.call("DELETE", "/v1/runs/99999", headers=w)[0], 404)
        rows = self.rows(a)
        self.assertEqual(self.brief(reversed(rows)), [
            (writer, "http", "index", "notes", None, "ok"),
            (writer, "http", "index", "documents", None, "ok"),
            (writer, "http", "upload", "documents", None, "ok"),
            (writer, "http", "document_remove", "notes", "d1", "ok"),
            (writer, "http", "document_remove", "notes", "d1", "no_document"),
            (boss, "http", "collection_rename", "notes", None, "ok"),
            (boss, "http", "collection_remove", "memos", None, "ok"),
            (writer, "http", "run_cancel", None, "99999", "no_document")])
        self.assertRegex(rows[0]["at"], r"^20\d\d-\d\d-\d\dT")
        self.assertEqual(len(self.call("GET", "/v1/audit?limit=2", headers=a)[1]["audit"]), 2)
        for who in (w, reader):
            self.assertEqual(self.call("GET", "/v1/audit", headers=who)[0], 403)
        with sqlite3.connect(self.home / "pythia.db") as db:
            kept = " ".join(map(str, db.execute("SELECT * FROM audit").fetchall()))
        db.close()
        for never in (SECRET, "aGVsbG8", w["Authorization"][7:], "secret"):
            self.assertNotIn(never, kept)

    def test_a_run_that_is_answered_at_once_is_noted_at_its_end(self):
        self.serve("--config", "serve.allowed_roots=%s" % self.tree)
        self.assertEqual(self.call("POST", "/v1/index", {"path": str(self.tree)})[0], 202)
        deadline = time.monotonic() + LIMIT_S
        while not (rows := [row for row in self.brief(self.rows()) if row[2] != "audit"]):  # looking is noted, too
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.assertEqual(rows, [("127.0.0.1", "http", "index", None, str(self.tree), "ok")])

    def test_other_doors_are_told_apart(self):
        self.serve()
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.dir / "s"))
            data = json.dumps({"id": 1, "method": "index", "params": {"documents": [{"id": "a", "text": "a"}]}}).encode()
            s.sendall(struct.pack(">I", len(data)) + data)
            s.recv(65536)
        tool = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "index", "arguments": {"path": "/nowhere"}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {}}}}
        self.call("POST", "/mcp", tool, {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28",
                                         "Mcp-Method": "tools/call", "Mcp-Name": "index"})
        lines = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "index", "params": {"documents": [{"id": "a", "text": "b"}]}}) + "\n"
        self.pythia("serve", "--stdio", stdin=lines.encode(), code=0)
        user = "user %d" % os.geteuid()
        rows = self.brief(self.rows())
        self.assertEqual(rows[:1] + rows[2:], [(user, "stdio", "index", "documents", None, "ok"), (user, "socket", "index", "documents", None, "ok")])
        self.assertEqual(rows[1][:5], ("127.0.0.1", "mcp", "index", None, "/nowhere"))
        self.assertNotEqual(rows[1][5], "ok")

    def test_each_token_has_its_own_rate(self):
        _, one = self.token("one", "read")
        _, two = self.token("two", "read")
        self.serve("--config", "serve.rate_limit=3")
        first = [self.call("GET", "/v1/collections", headers=one)[0] for _ in range(12)]
        self.assertIn(429, first)
        self.assertEqual(first[0], 200)
        self.assertEqual(self.call("GET", "/v1/collections", headers=two)[0], 200)


if __name__ == "__main__":
    main()
