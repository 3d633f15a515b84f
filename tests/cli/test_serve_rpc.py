"""The Unix socket (4 bytes of length, then JSON) and JSON-RPC 2.0 on stdin and stdout."""
import json
import os
import select
import socket
import struct
import time

from harness import BINARY, LIMIT_S, MODEL_NAME, PythiaTest, main, signal, subprocess


class Client:
    """One connection: frames out, frames in, in whatever order they come."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(LIMIT_S)
        self.s.connect(str(path))

    def send(self, message):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.s.sendall(struct.pack(">I", len(data)) + data)

    def exactly(self, n):
        got = b""
        while len(got) < n:
            piece = self.s.recv(n - len(got))
            if not piece:
                return None
            got += piece
        return got

    def receive(self):
        head = self.exactly(4)
        return json.loads(self.exactly(struct.unpack(">I", head)[0])) if head else None

    def call(self, method, **params):
        self.send({"id": 1, "method": method, "params": params})
        return self.receive()


class Socket(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.index()
        self.path = self.dir / "pythia.sock"
        self.start()

    def start(self):
        self.server = subprocess.Popen([BINARY, "serve", "--socket", str(self.path)], cwd=self.dir, env=self.env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop, self.server)
        self.assertEqual(json.loads(self.server.stdout.readline()), {"status": "ready", "socket": str(self.path)})

    def stop(self, server):
        server.kill()
        server.wait()
        server.stdout.close()

    def client(self):
        c = Client(self.path)
        self.addCleanup(c.s.close)
        return c

    def test_methods(self):
        c = self.client()
        self.assertEqual(c.call("health")["result"]["status"], "ok")
        put = c.call("index", documents=[{"id": "a", "text": "The keeper of the lighthouse."}])
        self.assertEqual(put["result"]["chunks"], 1)
        found = c.call("search", query="lighthouse", limit=10, threshold=0.1)["result"]
        self.assertEqual(found["results"][0]["path"], "a")
        self.assertEqual(len(c.call("embed", text="a")["result"]["embedding"]), 384)
        self.assertEqual({x["name"] for x in c.call("collections")["result"]["collections"]}, {"tree", "documents"})
        by_cli = self.search("exponential backoff")
        by_socket = c.call("search", query="exponential backoff", collections=["tree"])["result"]
        del by_cli["took_ms"], by_socket["took_ms"]
        self.assertEqual(by_cli, by_socket)

    def test_errors(self):
        c = self.client()
        for message, part in [({"id": 1, "method": "nope"}, "unknown method 'nope'"), (b"{", "JSON"), (b"", "JSON"), (b"[]", "not a request"),
                              ({"id": 1, "method": "search", "params": {}}, "'query' is missing"),
                              ({"id": 1, "method": "search", "params": {"qurey": "a"}}, "unknown field 'qurey'; valid: query"),
                              ({"id": 1, "method": "search", "params": [1]}, "must be an object"), ({"id": 1}, "not a request"),
                              ({"id": [1], "method": "health"}, "not a request"), ({"id": 1, "method": "docs"}, "unknown method"),
                              ({"id": 1, "method": "search", "params": {"query": "a", "collections": ["x"]}}, "x"),
                              (b"[" * 100000, "JSON"), (b'{"id":1,"id":2}', "JSON")]:
            c.send(message)
            answer = c.receive()
            self.assertIn(part, answer["error"]["message"])
            self.assertIn("code", answer["error"])
            self.assertNotIn("result", answer)
        self.assertEqual(c.call("health")["result"]["status"], "ok")

    def test_many_at_once_on_one_connection_and_on_many(self):
        clients = [self.client() for _ in range(8)]
        for c in clients:
            for i in range(20):
                c.send({"id": "q%d" % i, "method": "search", "params": {"query": "soup %d" % i, "mode": "lexical"}})
        for c in clients:
            self.assertEqual(sorted(c.receive()["id"] for _ in range(20)), sorted("q%d" % i for i in range(20)))

    def test_frames_in_pieces_and_together(self):
        c = self.client()
        data = json.dumps({"id": 1, "method": "health"}).encode()
        frame = struct.pack(">I", len(data)) + data
        for byte in frame:
            c.s.sendall(bytes([byte]))
        c.s.sendall(frame * 3)
        for _ in range(4):
            self.assertEqual(c.receive()["result"]["status"], "ok")

    def test_lies_about_length(self):
        c = self.client()
        c.s.sendall(b"\xff\xff\xff\xff" + b"x" * 100)
        self.assertIsNone(c.receive())
        c = self.client()
        c.s.sendall(struct.pack(">I", 1000) + b"{}")
        c.s.close()
        self.assertEqual(self.client().call("health")["result"]["status"], "ok")

    def test_half_closed_connections_get_their_answers(self):
        c = self.client()
        for i in range(5):
            c.send({"id": i, "method": "search", "params": {"query": "soup"}})
        c.s.shutdown(socket.SHUT_WR)
        self.assertEqual(sorted(c.receive()["id"] for _ in range(5)), list(range(5)))
        self.assertIsNone(c.receive())

    def test_clients_that_go_away_harm_nobody(self):
        for _ in range(20):
            c = Client(self.path)
            c.send({"id": 1, "method": "search", "params": {"query": "soup"}})
            c.s.close()
        self.assertEqual(self.client().call("health")["result"]["status"], "ok")

    def test_the_socket_is_its_owners_and_survives_a_kill(self):
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        second = self.pythia("serve", "--socket", self.path)
        self.assertFails(second, 6, "somebody listens")
        self.server.send_signal(signal.SIGKILL)
        self.server.wait()
        self.assertTrue(self.path.exists())
        self.start()
        self.assertEqual(self.client().call("health")["result"]["status"], "ok")
        self.write("file", "x", root=self.dir)
        self.assertFails(self.pythia("serve", "--socket", self.dir / "file"), 2, "no socket")
        self.assertFails(self.pythia("serve", "--socket", self.dir / ("a" * 200)), 2, "too long")

    def test_shutdown_ends_the_server(self):
        self.assertEqual(self.client().call("shutdown")["result"]["status"], "ok")
        self.assertEqual(self.server.wait(timeout=LIMIT_S), 0)
        self.assertFalse(self.path.exists())


class Stdio(PythiaTest):
    def run_lines(self, *lines, code=0):
        data = b"".join(l if isinstance(l, bytes) else json.dumps(l).encode() + b"\n" for l in lines)
        run = self.pythia("serve", "--stdio", stdin=data, code=code)
        out = [json.loads(l) for l in run.out.splitlines()]
        self.assertEqual(out[0], {"status": "ready"})
        return out[1:]

    def test_calls_notifications_and_batches(self):
        out = self.run_lines({"jsonrpc": "2.0", "id": 1, "method": "health"},
                             {"jsonrpc": "2.0", "method": "health"},
                             {"jsonrpc": "2.0", "method": "no/such"},
                             {"jsonrpc": "2.0", "id": "e", "method": "embed", "params": {"text": "a"}},
                             b"\r\n", b'{"jsonrpc":"2.0","id":7,"method":"health"}\r\n',
                             [{"jsonrpc": "2.0", "id": 8, "method": "health"}, {"jsonrpc": "2.0", "method": "health"}, 1],
                             [{"jsonrpc": "2.0", "method": "health"}])
        singles = {o["id"]: o for o in out if isinstance(o, dict)}
        self.assertEqual(set(singles), {1, "e", 7})
        self.assertEqual(singles[1]["result"]["status"], "ok")
        self.assertEqual(len(singles["e"]["result"]["embedding"]), 384)
        batches = [o for o in out if isinstance(o, list)]
        self.assertEqual(len(batches), 1)
        self.assertEqual({(o.get("id"), o.get("error", {}).get("code")) for o in batches[0]}, {(8, None), (None, -32600)})

    def test_errors_have_the_numbers_of_the_specification(self):
        for line, code, id_ in [(b"{\n", -32700, None), (b"[]\n", -32600, None), (b"1\n", -32600, None),
                                ({"id": 1, "method": "health"}, -32600, 1),
                                ({"jsonrpc": "1.0", "id": 1, "method": "health"}, -32600, 1),
                                ({"jsonrpc": "2.0", "id": None, "method": "health"}, -32600, None),
                                ({"jsonrpc": "2.0", "id": 1, "method": "nope"}, -32601, 1),
                                ({"jsonrpc": "2.0", "id": 1, "method": "search", "params": [1]}, -32602, 1),
                                ({"jsonrpc": "2.0", "id": 1, "method": "search", "params": {"a": 1}}, -32602, 1),
                                ({"jsonrpc": "2.0", "id": 1, "method": "search", "params": {"query": "a"}}, -32603, 1)]:
            out = self.run_lines(line)
            self.assertEqual(len(out), 1, line)
            self.assertEqual((out[0]["error"]["code"], out[0]["id"]), (code, id_), line)
        self.assertEqual(self.run_lines({"jsonrpc": "2.0", "id": 1, "method": "search", "params": {"query": "a"}})[0]["error"]
                         ["data"]["code"], "no_collection")

    def test_lines_that_are_too_long_are_skipped(self):
        out = self.run_lines(b"a" * (70 << 20) + b"\n", {"jsonrpc": "2.0", "id": 1, "method": "health"})
        self.assertEqual(out[0]["error"]["code"], -32700)
        self.assertEqual(out[1]["id"], 1)

    def test_a_client_that_does_not_read_cannot_hold_the_server_up(self):
        for command, message in [(["serve", "--stdio"], b'{"jsonrpc":"2.0","id":1,"method":"openapi"}\n'),
                                 (["mcp"], b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n')]:
            process = subprocess.Popen([BINARY, *command], cwd=self.tree, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
            self.addCleanup(process.stdin.close)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.kill)
            fd = process.stdin.fileno()
            os.set_blocking(fd, False)
            while select.select([], [fd], [], 1)[1]:  # until it reads no more, since nobody takes its answers
                os.write(fd, message)
            process.terminate()
            self.assertIn(process.wait(timeout=60), (0, 130), command)

    def test_shutdown_and_a_reader_that_goes_away(self):
        process = subprocess.Popen([BINARY, "serve", "--stdio"], env=self.env, cwd=self.dir, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"shutdown"}\n')
        process.stdin.flush()
        self.assertEqual(json.loads(process.stdout.readline())["id"], 1)
        self.assertEqual(process.wait(timeout=LIMIT_S), 0)
        process.stdin.close()
        process.stdout.close()
        process = subprocess.Popen([BINARY, "serve", "--stdio"], env=self.env, cwd=self.dir, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"health"}\n')
        process.stdin.flush()
        self.assertEqual(process.wait(timeout=LIMIT_S), 0)
        process.stdin.close()


if __name__ == "__main__":
    main()
