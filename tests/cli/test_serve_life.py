"""Who may call a server, how it begins and ends, and what it says of its model."""
import http.client
import json
import os
import pathlib
import socket
import time

from harness import BINARY, LIMIT_S, MODEL_NAME, main, signal, subprocess
from server import ServeTest


class Tokens(ServeTest):
    def test_roles(self):
        read = self.pythia("token", "create", "reader", code=0).out.strip()
        write = self.pythia("token", "create", "writer", "--role", "write", "--json", code=0).json["token"]
        self.assertFails(self.pythia("token", "create", "reader"), 2, "there is a token called 'reader'")
        kept = (self.home / "tokens").read_text()
        self.assertNotIn(read, kept)
        self.assertEqual((self.home / "tokens").stat().st_mode & 0o777, 0o600)
        self.assertEqual([t["role"] for t in self.pythia("token", "list", "--json", code=0).json["tokens"]], ["read", "write"])
        self.serve(env={"INTERNAL_AUTH_TOKEN": "internal-secret"})
        self.wait_ready()
        self.assertEqual(self.call("GET", "/health").status, 200)
        reply = self.call("GET", "/v1/search?q=soup")
        self.refused(reply, 401, "token")
        self.assertIn("Bearer", reply.headers["www-authenticate"])
        self.refused(self.call("GET", "/v1/search?q=soup", token="pyt_wrong"), 401)
        self.refused(self.call("GET", "/v1/search?q=soup", headers={"Authorization": "Basic abc"}), 401)
        self.ok(self.call("GET", "/v1/search?q=soup", token=read))
        documents = {"documents": [{"text": "x"}]}
        self.refused(self.post("/v1/index", documents, token=read), 403, "write")
        self.ok(self.post("/v1/index", documents, token=write))
        self.refused(self.call("DELETE", "/v1/collections/documents", token=write), 403, "admin")
        self.ok(self.call("DELETE", "/v1/collections/documents", token="internal-secret"))
        self.pythia("token", "revoke", "reader", code=0)
        self.refused(self.call("GET", "/v1/search?q=soup", token=read), 401)
        self.pythia("token", "revoke", "writer", code=0)
        self.refused(self.call("GET", "/v1/search?q=soup"), 401)  # an empty list is not an open door
        self.assertFails(self.pythia("token", "revoke", "writer"), 3, "no token 'writer'")
        self.assertNotIn("internal-secret", (self.dir / "log").read_text())

    def test_other_addresses_need_a_token(self):
        run = self.pythia("serve", "--http", "0.0.0.0:0")
        self.assertFails(run, 2, "open to other machines", "pythia token create")
        self.assertFails(self.pythia("serve", "--http", "nonsense"), 2, "no address")
        self.assertFails(self.pythia("serve", "--http", "127.0.0.1:70000"), 2, "no address")

    def test_a_damaged_token_file_opens_no_door(self):
        (self.home / "tokens").write_text("not json\n")
        self.assertFails(self.pythia("serve", "--http", "127.0.0.1:0"), 2, "tokens")


class Life(ServeTest):
    def test_a_taken_port_is_told_with_its_owner(self):
        self.serve()
        run = self.pythia("serve", "--http", "127.0.0.1:%d" % self.port)
        self.assertFails(run, 6, "port %d is taken by '%s' (process %d)" % (self.port, os.path.basename(BINARY)[:15], self.server.pid),
                         "--http 127.0.0.1:%d" % (self.port + 1))

    def test_the_environment_sets_the_port(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        process = subprocess.Popen([BINARY, "serve"], env={**self.env, "EMBEDDING_SERVER_PORT": str(port)}, cwd=self.dir,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, process)
        self.assertEqual(json.loads(process.stdout.readline())["http"], "http://127.0.0.1:%d" % port)
        self.assertFails(self.pythia("serve", env={"EMBEDDING_SERVER_PORT": "x"}), 2, "EMBEDDING_SERVER_PORT")

    def test_it_ends_in_order(self):
        process = self.serve()
        self.wait_ready()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        connection.request("POST", "/embed", json.dumps({"texts": ["a text of some words %d" % i for i in range(300)]}),
                           {"Content-Type": "application/json"})
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.assertIn(connection.getresponse().status, (200, 503))
        started = time.monotonic()
        self.assertEqual(process.wait(timeout=LIMIT_S), 0)
        self.assertLess(time.monotonic() - started, 60)  # ten seconds, but for sanitizers

    def test_it_ends_when_idle(self):
        process = self.serve("--idle-exit", "300ms")
        self.assertEqual(process.wait(timeout=LIMIT_S), 0)

    def test_a_rate_limit(self):
        self.serve("--config", "serve.rate_limit=2")
        statuses = [self.call("GET", "/health") for _ in range(12)]
        limited = [r for r in statuses if r.status == 429]
        self.assertTrue(limited)
        self.assertGreaterEqual(int(limited[0].headers["retry-after"]), 1)
        self.assertEqual(statuses[0].status, 200)

    def test_allowed_origins_and_roots(self):
        other = self.dir / "other"
        self.write("a.txt", "A text about owls.", root=other)
        self.serve("--config", "serve.allowed_origins=https://app.example.org", "--config", "serve.allowed_roots=%s" % other)
        self.wait_ready()
        reply = self.call("OPTIONS", "/v1/search", headers={"Origin": "https://app.example.org"})
        self.assertEqual(reply.status, 204)
        self.assertEqual(reply.headers["access-control-allow-origin"], "https://app.example.org")
        self.assertEqual(self.call("GET", "/health", headers={"Origin": "https://app.example.org.evil"}).status, 403)
        self.ok(self.post("/v1/index", {"path": str(other), "wait": True}))
        (other / "out").symlink_to(self.tree)
        self.write("b.txt", "x", root=self.dir / "third")
        (other / "third").symlink_to(self.dir / "third")
        self.refused(self.post("/v1/index", {"path": str(other / "third")}), 404)


class Dimensions(ServeTest):
    def test_a_collection_of_another_model_is_told_at_the_start(self):
        file = self.home / "models" / (MODEL_NAME + ".gguf")
        file.unlink()
        file.symlink_to(pathlib.Path(__file__).resolve().parents[1] / "golden" / "tiny_bert.gguf")
        self.serve()
        self.wait_ready()
        dimension = self.ok(self.call("GET", "/ready"))["dimension"]
        self.assertNotEqual(dimension, 384)
        self.assertIn("collection 'tree' has vectors of 384 dimensions, the model '%s' gives %d; run: pythia index --collection tree --force"
                      % (MODEL_NAME, dimension), (self.dir / "log").read_text())


class NoModel(ServeTest):
    needs_model = False
    indexed = False

    def test_a_missing_model_is_told(self):
        self.serve()
        deadline = time.monotonic() + LIMIT_S
        while "not there" not in (reply := self.call("GET", "/ready")).body.decode():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.refused(reply, 503, MODEL_NAME)
        self.assertEqual(self.call("GET", "/health").status, 200)
        self.refused(self.post("/embed", {"text": "a"}), 404, MODEL_NAME)
        self.pythia("health", "--http", "127.0.0.1:%d" % self.port, code=1)
        self.assertEqual(self.ok(self.call("GET", "/v1/status"))["model"]["state"], "failed")


if __name__ == "__main__":
    main()
