"""What tests of a server share: one on a free port, calls to it by HTTP, what they must answer."""
import http.client
import json
import socket
import time
import urllib.parse

from harness import BINARY, LIMIT_S, PythiaTest, subprocess


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class ServeTest(PythiaTest):
    """One server a test, on a free port."""
    indexed = True
    shared = None  # flags of one server for all tests of the class, which then leave everything as it is

    def setUp(self):
        if self.in_world():
            return
        super().setUp()
        if self.indexed:
            self.make_tree()
            self.index()
        if self.shared is not None:
            self.serve(*self.shared)
            self.wait_ready()
            self.keep_world()

    def serve(self, *flags, env=None, cwd=None):
        """Starts a server; its ready line is in self.ready."""
        self.log = open(self.dir / "log", "ab+")
        self.addCleanup(self.log.close)
        process = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0", *flags], cwd=cwd or self.dir,
                                   env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=self.log)
        self.addCleanup(self.end, process)
        line = process.stdout.readline()
        self.assertTrue(line, "no ready line: " + (self.dir / "log").read_text())
        self.ready = json.loads(line)
        self.assertEqual(self.ready["status"], "ready")
        self.port = urllib.parse.urlsplit(self.ready["http"]).port
        self.server = process
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()

    def wait_ready(self, token=None):
        deadline = time.monotonic() + LIMIT_S
        while self.call("GET", "/ready").status != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def call(self, method, path, body=None, headers=None, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        result = Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        connection.close()
        return result

    def post(self, path, body, **how):
        return self.call("POST", path, body, **how)

    def ok(self, reply, status=200):
        self.assertEqual(reply.status, status, reply.body)
        return reply.json

    def refused(self, reply, status, *parts):
        self.assertEqual(reply.status, status, reply.body)
        error = reply.json
        self.assertEqual(error["status"], "error")
        for part in parts:
            self.assertIn(part, error["error"]["message"])
        return error["error"]

    def raw(self, data, timeout=LIMIT_S, shut=False):
        """Sends bytes, returns everything that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as s:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            got = b""
            try:
                while piece := s.recv(65536):
                    got += piece
            except (ConnectionResetError, TimeoutError):
                pass
            return got
