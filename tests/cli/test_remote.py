"""Models of a service (`--model remote:NAME`): a fake one on the loopback that can fail in all the ways."""
import base64
import hashlib
import http.server
import json
import math
import struct
import threading
import unittest

from harness import PythiaTest, main

DIM = 8
FAST = ["--config", "network.stall_timeout=1s"]


def vector(text):
    """Words decide: texts that share words are near. Not normalised."""
    v = [0.01] * DIM
    for word in text.lower().replace("_", " ").split():
        v[hashlib.md5(word.strip("*/.,:;(){}").encode()).digest()[0] % DIM] += 3.0
    return v


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        service = self.server.service
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = service.take()
        with service.lock:
            service.seen.append((self.path, dict(self.headers), asked))
        kind, *rest = (fault or "").split(":")
        if kind == "status":
            return self.reply(int(rest[0]), json.dumps({"error": {"message": "as asked, " + self.headers.get(
                "Authorization", "no key")}}).encode(), {"Retry-After": rest[1]} if len(rest) > 1 else {})
        if kind == "hang":
            return service.over.wait(20)
        if kind == "close":
            self.close_connection = True
            return self.connection.close()
        if kind == "html":
            return self.reply(200, b"<html>Sign in</html>")
        if len(asked["input"]) > service.most:
            return self.reply(413, b"too many")
        data = [{"object": "embedding", "index": i, "embedding": self.encode(service, asked, text)}
                for i, text in enumerate(asked["input"])]
        if kind == "short":
            data = data[:-1]
        if kind == "dim":
            data[-1]["embedding"] = [1.0] * (DIM + 1)
        return self.reply(200, json.dumps({"data": data[::-1], "model": asked["model"]}).encode())

    def encode(self, service, asked, text):
        v = vector(text)
        if service.shortens:
            v = v[:asked.get("dimensions", DIM)]
        if asked.get("encoding_format") == "base64" and service.base64:
            return base64.b64encode(struct.pack("<%df" % len(v), *v)).decode()
        return v

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Service:
    def __init__(self):
        self.seen, self.faults, self.most, self.base64, self.shortens = [], [], 1000, True, True
        self.lock, self.over = threading.Lock(), threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.service, self.server.daemon_threads = self, True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/v1" % self.server.server_port

    def take(self):
        with self.lock:
            return self.faults.pop(0) if self.faults else None

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


class Remote(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        self.service = Service()
        self.addCleanup(self.service.close)
        self.env.update({"PYTHIA_EMBED_REMOTE_URL": self.service.url, "NO_PROXY": "127.0.0.1"})

    def embed(self, *args, code=0, **how):
        return self.pythia("embed", "retry the soup", "--model", "remote:tiny", "--json", *FAST, *args, code=code, **how)

    def embed_fails(self, code, *parts, env=None, args=()):
        run = self.pythia("embed", "retry the soup", "--model", "remote:tiny", *FAST, *args, env=env)
        self.assertFails(run, code, *parts)
        return run

    def test_a_vector_comes_normalised_as_base64_or_floats(self):
        want = vector("retry the soup")
        norm = math.sqrt(sum(x * x for x in want))
        for self.service.base64 in (True, False):
            reply = self.embed().json
            self.assertEqual(reply["dimension"], DIM)
            for got, x in zip(reply["embedding"], want):
                self.assertAlmostEqual(got, x / norm, places=6)
        path, headers, asked = self.service.seen[-1]
        self.assertEqual((path, asked["model"], asked["input"]), ("/v1/embeddings", "tiny", ["retry the soup"]))
        self.assertNotIn("Authorization", headers)

    def test_a_folder_is_indexed_and_searched_through_the_service(self):
        self.make_tree()
        report = self.index("--model", "remote:tiny")
        self.assertEqual(report["model"], "remote:tiny")
        self.assertGreater(report["embedded"], 3)
        self.service.seen.clear()
        self.assertEqual(self.paths("tomato soup onion", "--mode", "semantic")[0], "docs/soup.txt")
        self.assertEqual(len(self.service.seen), 1, "only the query is sent: the dimension is known")
        self.assertIn("remote:tiny", self.pythia("collection", "list", code=0).out)

    def test_many_texts_go_in_batches_in_order_and_in_halves_where_asked(self):
        self.service.most = 20
        lines = "".join(json.dumps({"id": str(i), "text": "word%d" % i}) + "\n" for i in range(150))
        run = self.pythia("embed", "-", "--model", "remote:tiny", stdin=lines.encode(), code=0)
        got = [json.loads(line) for line in run.out.splitlines()]
        self.assertEqual([g["id"] for g in got], [str(i) for i in range(150)])
        for i in (0, 63, 64, 149):
            want = vector("word%d" % i)
            norm = math.sqrt(sum(x * x for x in want))
            self.assertAlmostEqual(got[i]["embedding"][0], want[0] / norm, places=6)
        self.assertLessEqual(max(len(a["input"]) for _, _, a in self.service.seen if len(a["input"]) <= 20), 20)

    def test_failures_that_pass_are_tried_again(self):
        self.service.faults = ["status:503", "status:429:1", "close", "hang"]
        self.embed()
        self.assertEqual(len(self.service.seen), 6)

    def test_failures_that_do_not_pass_are_told_at_once(self):
        self.service.faults = ["status:400"]
        self.embed_fails(8, "/v1/embeddings' answers 400: as asked")
        self.service.faults = ["status:404"]
        self.embed_fails(8, "answers 404", "embed_remote.url")
        self.service.faults = ["status:503", "status:503"]
        self.embed_fails(8, "answers 503", "try again later", args=["--config", "network.attempts=2"])

    def test_answers_that_cannot_be_are_refused(self):
        for fault, code, text in (("html", 8, "no JSON"), ("short", 8, "0 embeddings for 1 texts")):
            self.service.faults = [fault]
            self.embed_fails(code, text)
        self.service.faults = [None, "dim"]
        self.embed_fails(4, "of 9 dimensions, the model has 8", "--force")

    def test_prefixes_go_before_what_they_are_for(self):
        env = {"PYTHIA_EMBED_REMOTE_QUERY_PREFIX": '"search_query: "', "PYTHIA_EMBED_REMOTE_DOCUMENT_PREFIX": "passage:"}
        self.embed(env=env)
        self.assertEqual(self.service.seen[-1][2]["input"], ["passage:retry the soup"])
        self.embed("--kind", "query", env=env)
        self.assertEqual(self.service.seen[-1][2]["input"], ["search_query: retry the soup"])
        self.make_tree()
        self.index("--model", "remote:tiny", env=env)
        self.assertTrue(all(t.startswith("passage:") for t in self.service.seen[-1][2]["input"]))
        self.service.seen.clear()
        self.search("tomato soup", "--mode", "semantic", env=env)
        self.assertEqual(self.service.seen[-1][2]["input"], ["search_query: tomato soup"])
        # other prefixes make other vectors: a collection is not searched with them
        self.assertFails(self.pythia("search", "soup", "--mode", "semantic"), 4, "another 'remote:tiny'", "--force")

    def test_dimensions_are_asked_for_and_checked(self):
        env = {"PYTHIA_EMBED_REMOTE_DIMENSIONS": "4"}
        reply = self.embed(env=env).json
        self.assertEqual((reply["dimension"], len(reply["embedding"])), (4, 4))
        self.assertEqual([a["dimensions"] for _, _, a in self.service.seen], [4], "known: no request only to ask")
        self.service.shortens = False
        self.embed_fails(4, "of 8 dimensions, the model has 4", env=env)
        self.embed()
        self.assertNotIn("dimensions", self.service.seen[-1][2])
        self.embed_fails(2, "embed_remote.dimensions can be 0 to", env={"PYTHIA_EMBED_REMOTE_DIMENSIONS": "99999"})

    def test_the_key_comes_from_the_named_variable_and_is_never_shown(self):
        env = {"PYTHIA_EMBED_REMOTE_KEY_ENV": "MY_KEY"}
        self.embed_fails(2, "variable 'MY_KEY' (embed_remote.key_env) is not set", env=env)
        env["MY_KEY"] = "sk-sesame"
        self.embed(env=env)
        self.assertEqual(self.service.seen[-1][1]["Authorization"], "Bearer sk-sesame")
        self.service.faults = ["status:401"]
        run = self.embed_fails(8, "answers 401: as asked, Bearer ***", "export MY_KEY", env=env)
        self.assertNotIn("sesame", run.err)

    def test_a_project_may_not_choose_the_service(self):
        self.write(".pythia.ini", "[embed_remote]\nurl = http://evil.example/v1\n")
        run = self.pythia("embed", "x", "--model", "remote:tiny", cwd=self.tree)
        self.assertFails(run, 2, "embed_remote")
        self.assertEqual(self.service.seen, [])

    def test_what_is_not_set_is_named(self):
        run = self.pythia("embed", "x", "--model", "remote:tiny", env={"PYTHIA_EMBED_REMOTE_URL": ""})
        self.assertFails(run, 2, "no service is set", "pythia config set embed_remote.url")
        self.assertFails(self.pythia("embed", "x", "--model", "remote"), 2, "embed_remote.model")
        self.assertFails(self.pythia("tokenize", "x", "--model", "remote:tiny"), 2, "tokenizer")
        self.embed(env={"PYTHIA_EMBED_REMOTE_URL": self.service.url + "/embeddings"})

    def test_a_service_that_is_not_there_is_told(self):
        env = {"PYTHIA_EMBED_REMOTE_URL": "http://127.0.0.1:1"}
        self.embed_fails(8, "cannot get 'http://127.0.0.1:1/v1/embeddings'", env=env,
                         args=["--config", "network.attempts=1"])


if __name__ == "__main__":
    main()
