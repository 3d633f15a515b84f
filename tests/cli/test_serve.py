"""`pythia serve` over HTTP: every route, and every refusal of one."""
import base64
import concurrent.futures
import json
import struct
import time
import urllib.parse

from harness import LIMIT_S, MODEL_NAME, main
from server import ServeTest


class Routes(ServeTest):
    shared = []

    def test_health_and_ready(self):
        self.assertEqual(self.ok(self.call("GET", "/health"))["status"], "ok")
        ready = self.ok(self.call("GET", "/ready"))
        self.assertEqual((ready["model"], ready["dimension"]), (MODEL_NAME, 384))
        self.assertEqual(self.pythia("health", "--http", "127.0.0.1:%d" % self.port, code=0).out, "healthy\n")
        self.pythia("health", "--http", "127.0.0.1:1", code=1)

    def test_a_search_is_the_command_lines_envelope(self):
        by_cli = self.search("exponential backoff", "-m", "2", "--explain")
        by_http = self.ok(self.post("/v1/search", {"query": "exponential backoff", "limit": 2, "explain": True}))
        by_url = self.ok(self.call("GET", "/v1/search?q=exponential+backoff&limit=2&explain=true"))
        for envelope in (by_cli, by_http, by_url):
            del envelope["took_ms"]
        self.assertEqual(by_cli, by_http)
        self.assertEqual(by_http, by_url)
        self.assertEqual(by_http["results"][0]["symbol"] or by_http["results"][0]["path"], by_http["results"][0]["symbol"]
                         or "src/net/retry.c")

    def test_operators_and_modes_are_those_of_the_command_line(self):
        def paths(query, **more):
            return [hit["path"] for hit in self.ok(self.post("/v1/search", {"query": query, **more}))["results"]]
        self.assertEqual(set(paths("backoff lang:c")), {"src/net/retry.c"})
        self.assertNotIn("src/net/retry.c", paths("exponential backoff -ceiling"))
        self.assertEqual(paths("random_\\w+\\(", mode="regex"), ["src/net/retry.c"])
        self.assertEqual(paths("backoff_next", mode="symbol"), ["src/net/retry.c"])
        self.refused(self.post("/v1/search", {"query": "(open", "mode": "regex"}), 400, "missing closing parenthesis")
        self.refused(self.post("/v1/search", {"query": "lang:c"}), 400, "add words to look for")

    def test_a_question_is_answered_with_quotes_or_not_at_all(self):
        reply = self.ok(self.post("/v1/ask", {"question": "how many sheets does the paper tray take?", "explain": True}))
        self.assertFalse(reply["abstained"])
        self.assertIn("fifty sheets. [1]", reply["answer"])
        self.assertIn(reply["citations"][0]["quote"], reply["sources"][0]["content"])
        self.assertIn("span_cosine", reply["evidence"])
        reply = self.ok(self.post("/v1/ask", {"question": "who won the chess championship of 1972?"}))
        self.assertEqual((reply["abstained"], reply["answer"]), (True, None))
        self.refused(self.post("/v1/ask", {"question": "x", "abstain": 2}), 400, "abstain")
        self.refused(self.post("/v1/ask", {"question": "x", "collections": ["none"]}), 404, "none")

    def test_searches_are_narrowed(self):
        def paths(**rq):
            return [hit["path"] for hit in self.ok(self.post("/v1/search", rq))["results"]]
        self.assertEqual(paths(query="parse a date", filters={"lang": "python"}), ["src/dates.py"])
        self.assertEqual(paths(query="soup", filters={"path": ["src"]}, mode="lexical"), [])
        self.assertEqual(paths(query="soup", filters={"glob": "*.txt"})[0], "docs/soup.txt")
        self.assertEqual(paths(query="soup", filters={"until": "2001"}), [])
        self.assertEqual(paths(query="soup", threshold=1), [])
        self.assertEqual(paths(query="soup", collections="tree", path="docs", limit=1), ["docs/soup.txt"])
        self.refused(self.post("/v1/search", {"query": "x", "filters": {"since": "soon"}}), 400, "filters.since")
        self.refused(self.post("/v1/search", {"query": "x", "collections": ["none"]}), 404, "none")

    def test_embeddings_in_all_shapes(self):
        line = json.dumps({"text": "read it"}).encode() + b"\n"
        by_cli = self.pythia("embed", "-", stdin=line, code=0).json
        one = self.ok(self.post("/embed", {"text": "read it"}))
        self.assertEqual(one["embedding"], by_cli["embedding"])
        self.assertEqual((one["dimension"], one["tokens"], one["truncated"]), (384, by_cli["tokens"], False))
        many = self.ok(self.post("/embed", {"texts": ["read it", "soup"]}))
        self.assertEqual(many["embeddings"][0], one["embedding"])
        floats = self.ok(self.post("/v1/embeddings", {"input": ["read it"], "model": MODEL_NAME}))
        self.assertEqual(floats["data"][0]["embedding"], one["embedding"])
        coded = self.ok(self.post("/v1/embeddings", {"input": "read it", "model": MODEL_NAME, "user": "u",
                                                     "encoding_format": "base64"}))
        data = base64.b64decode(coded["data"][0]["embedding"])
        self.assertEqual(list(struct.unpack("<384f", data)),
                         [struct.unpack("<f", struct.pack("<f", v))[0] for v in one["embedding"]])
        self.assertEqual(coded["usage"]["total_tokens"], by_cli["tokens"])
        ids = [self.ok(self.post("/tokenize", {"text": text}))["ids"] for text in ("read it", "soup")]
        for given, wanted in [(ids[0], many["embeddings"][:1]), (ids, many["embeddings"]), ([ids[1]] * 70, many["embeddings"][1:] * 70)]:
            by_ids = self.ok(self.post("/v1/embeddings", {"input": given, "model": MODEL_NAME}))
            self.assertEqual([d["embedding"] for d in by_ids["data"]], wanted)
        cut = self.ok(self.post("/v1/embeddings", {"input": ids[1] * 200, "model": MODEL_NAME}))  # as a text would be
        self.assertLess(cut["usage"]["total_tokens"], len(ids[1]) * 200)
        short = self.ok(self.post("/embed", {"text": "read it", "dimensions": 8}))
        self.assertEqual(len(short["embedding"]), 8)
        self.assertAlmostEqual(sum(v * v for v in short["embedding"]), 1, places=5)
        self.assertEqual(len(self.ok(self.post("/embed", {"texts": []}))["embeddings"]), 0)

    def test_embeddings_refused(self):
        for body, part in [({}, "either"), ({"text": "a", "texts": ["b"]}, "either"), ({"text": 7}, "a string"),
                           ({"texts": [1]}, "array of strings"), ({"text": "a", "kind": "x"}, "query|document"),
                           ({"text": "a", "dimensions": 385}, "1 to 384"), ({"text": "a", "dimensions": 0}, "dimensions"),
                           ({"text": "a", "normalize": False}, "unit length"), ({"txet": "a"}, "unknown field 'txet'")]:
            self.refused(self.post("/embed", body), 400, part)
        self.refused(self.post("/embed", {"text": "word " * 2000, "truncate": False}), 413, "tokens")
        self.refused(self.post("/v1/embeddings", {"input": "a", "model": "../../etc/passwd"}), 404, "no model")
        self.refused(self.post("/v1/embeddings", {"input": "a", "model": "text-embedding-3-small"}), 404,
                     "text-embedding-3-small")
        for given, part in [([], "empty"), ([[]], "'input[0]' is empty"), ([[101], [101, 40000]], "text 1: token 1 cannot be 40000"),
                            ([-1], "cannot be -1"), ([2 ** 31], "cannot be 2147483648"), ([1, "a"], "array of integers")]:
            self.refused(self.post("/v1/embeddings", {"input": given, "model": MODEL_NAME}), 400, part)

    def test_models_and_tokens(self):
        models = self.ok(self.call("GET", "/v1/models"))
        self.assertEqual(models["data"][0]["id"], MODEL_NAME)
        for model in models["data"]:
            self.assertEqual(self.ok(self.call("GET", "/v1/models/" + model["id"])), model)
        self.refused(self.call("GET", "/v1/models/none"), 404, "there is no model 'none'")
        ids = self.pythia("tokenize", "-", stdin=b'{"text":"read it"}\n', code=0).json["ids"]
        self.assertEqual(self.ok(self.post("/tokenize", {"text": "read it"}))["ids"], ids)
        self.refused(self.post("/v1/rerank", {"query": "q", "documents": ["a"]}), 404, "ms-marco")

    def test_documents_are_listed_page_by_page(self):
        names, after = [], None
        while True:
            query = "?collection=tree&limit=2" + ("&after=" + urllib.parse.quote(after) if after else "")
            page = self.ok(self.call("GET", "/v1/documents" + query))
            names += [d["path"] for d in page["documents"]]
            if not page["has_more"]:
                break
            after = names[-1]
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("src/net/retry.c", names)
        self.assertEqual(names, sorted(names))

    def test_the_table_is_described(self):
        api = self.ok(self.call("GET", "/openapi.json"))
        self.assertEqual(api["openapi"], "3.1.0")
        self.assertEqual(set(api["paths"]["/v1/search"]), {"get", "post"})
        body = api["paths"]["/v1/search"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        self.assertEqual(body["required"], ["query"])
        self.assertFalse(body["additionalProperties"])
        page = self.call("GET", "/docs")
        self.assertIn("text/html", page.headers["content-type"])
        for path in api["paths"]:
            self.assertIn(path, page.body.decode())
        self.assertEqual(self.call("GET", "/").status, 200)

    def test_metrics_count(self):
        before = self.ok(self.call("GET", "/metrics?format=json"))["requests"].get("search_get", {"total": 0, "failed": 0})
        self.ok(self.call("GET", "/v1/search?q=soup"))
        self.refused(self.call("GET", "/v1/search?nope=1"), 400)
        self.call("GET", "/no/such/path")
        text = self.call("GET", "/metrics")
        self.assertIn("version=0.0.4", text.headers["content-type"])
        lines = text.body.decode().splitlines()
        good = before["total"] - before["failed"] + 1
        self.assertIn('pythia_requests_total{route="search_get",code="200"} %d' % good, lines)
        self.assertIn('pythia_requests_total{route="search_get",code="400"} %d' % (before["failed"] + 1), lines)
        self.assertTrue([l for l in lines if l.startswith('pythia_requests_total{route="-",code="404"} ')])
        self.assertIn('pythia_request_seconds_count{route="search_get"} %d' % (before["total"] + 2), lines)
        self.assertIn("pythia_model_loaded 1", lines)
        for stage in ("all", "embed", "words", "vectors", "fuse", "fresh"):
            count = [int(l.split()[-1]) for l in lines if l.startswith('pythia_search_seconds_count{mode="hybrid",stage="%s"}' % stage)]
            self.assertTrue(count and count[0] > 0, stage)
        for part in ("vectors", "words"):
            self.assertTrue([l for l in lines if l.startswith('pythia_index_bytes{part="%s"} ' % part) and int(l.split()[-1]) > 0])
        counted = self.ok(self.call("GET", "/metrics?format=json"))
        self.assertEqual(counted["requests"]["search_get"]["total"], before["total"] + 2)
        self.assertEqual(counted["requests"]["search_get"]["failed"], before["failed"] + 1)

    def test_each_reply_has_an_id_and_a_line_in_the_log(self):
        self.assertEqual(self.call("GET", "/health", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"], "mine-1")
        made = self.call("GET", "/health", headers={"X-Request-Id": "bad id\t"}).headers["x-request-id"]
        self.assertEqual(len(made), 16)
        self.call("GET", "/v1/search?q=a+secret+query", headers={"X-Request-Id": "mine-2"})
        log = (self.dir / "log").read_text()
        line = [json.loads(l) for l in log.splitlines() if '"mine-2"' in l][0]
        self.assertEqual((line["method"], line["route"], line["status"]), ("GET", "/v1/search", 200))
        self.assertNotIn("secret", log)

    def test_methods_and_paths(self):
        reply = self.call("PUT", "/v1/search")
        self.refused(reply, 405)
        self.assertEqual(reply.headers["allow"], "POST, GET")
        self.assertEqual(self.call("OPTIONS", "/v1/search").status, 204)
        head = self.call("HEAD", "/health")
        self.assertEqual((head.status, head.body), (200, b""))
        for path in ["/v1/searching", "/v1", "/v1/runs/", "//health", "/health/", "/../health", "/%2e%2e/health"]:
            self.assertEqual(self.call("GET", path).status, 404, path)
        for path in ["/%00", "/health?%", "/v1/search?q=%f", "/v1/search?q=%00"]:
            self.assertEqual(self.call("GET", path).status, 400, path)
        self.refused(self.call("GET", "/v1/search?q=a&q=b"), 400, "twice")
        self.refused(self.call("GET", "/v1/search?q=%ff"), 400, "UTF-8")

    def test_bodies_that_are_no_requests(self):
        json_type = {"Content-Type": "application/json"}
        for body, part in [(b"{", "JSON"), (b"[]", "object"), (b'"a"', "object"), (b'{"query":"a","query":"b"}', "duplicate"),
                           (b"[" * 100000, "JSON"), (b'{"a":' * 3000 + b"1" + b"}" * 3000, "JSON"), (b"\xff\xfe", "JSON"),
                           (b'{"query":"\xff"}', "JSON"), (b"null", "object"), (b"{} {}", "JSON"), (b"\0", "JSON"),
                           (b'{"query":"a","limit":1e999}', "JSON"), (b'{"query":"a","limit":1001}', "1 to 1000"),
                           (b'{"query":"a","limit":1.5}', "integer"), (b'{"query":"a","limit":"5"}', "integer"),
                           (b'{"query":["a"]}', "a string"), (b'{"query":""}', "empty"), (b'{"query":null}', "missing"),
                           (b'{"query":"a","filters":[]}', "an object"),
                           (b'{"query":"a","filters":{"lang":[1]}}', "filters.lang"),
                           (b'{"query":"a","explain":1}', "true or false")]:
            self.refused(self.post("/v1/search", body, headers=json_type), 400, part)
        self.refused(self.post("/v1/search", b"query=a", headers={"Content-Type": "text/plain"}), 415)
        self.refused(self.post("/v1/search", b'{"query":"a"}', headers={}), 415)
        self.ok(self.post("/v1/search", b'{"query":"a"}', headers={"Content-Type": "Application/JSON; charset=utf-8"}))
        self.refused(self.post("/v1/search", None), 400, "missing")
        self.refused(self.post("/v1/search", {"query": "a" * 70000}), 413, "65536")
        self.refused(self.post("/v1/search", {"query": "a", "filters": {"lang": ["c"] * 65}}), 413, "65 items")
        self.refused(self.post("/v1/search", b" " * (5 << 20), headers=json_type), 413, "4194304")
        self.assertIn(b" 413 ", self.raw(b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000000\r\n\r\n"))

    def test_hosts_and_origins(self):
        def get(**headers):
            return self.call("GET", "/health", headers={k.replace("_", "-"): v for k, v in headers.items()}).status
        for host in ["localhost", "localhost:%d" % self.port, "127.0.0.1:1", "[::1]:8080", "LOCALHOST", "127.9.9.9"]:
            self.assertEqual(get(Host=host), 200, host)
        for host in ["evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "127.evil.com", "user@localhost",
                     "localhost:x", "localhost/", "", "[::1", "0x7f.1"]:
            self.assertIn(get(Host=host), (400, 421), host)
        for origin in ["http://localhost:3000", "http://127.0.0.1:%d" % self.port, "https://localhost", "http://[::1]:5"]:
            self.assertEqual(get(Origin=origin), 200, origin)
        for origin in ["null", "http://evil.com", "http://localhost.evil.com", "http://localhost@evil.com", "file://",
                       "http://127.0.0.1.nip.io", "chrome-extension://abc", "http://localhost:1/x", ""]:
            self.assertEqual(get(Origin=origin), 403, origin)
        reply = self.call("GET", "/health", headers={"Origin": "http://localhost:3000"})
        self.assertEqual(reply.headers["access-control-allow-origin"], "http://localhost:3000")

    def test_many_clients_at_once(self):
        def one(i):
            if i % 3 == 0:
                return self.post("/embed", {"text": "text number %d" % i}).status
            return self.call("GET", "/v1/search?q=soup+%d" % i).status
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            self.assertEqual(set(pool.map(one, range(96))), {200})


class Changes(ServeTest):
    """What leaves another state behind: a server each."""

    def setUp(self):
        super().setUp()
        self.serve()
        self.wait_ready()

    def test_documents_go_in_are_found_read_and_removed(self):
        put = self.ok(self.post("/v1/index", {"documents": [
            {"id": "letters/1", "text": "The lighthouse keeper wrote about whales.", "title": "Whales"},
            {"text": "A note without a name about glaciers."}]}))
        self.assertEqual((put["collection"], put["documents"], put["chunks"]), ("documents", 2, 2))
        found = self.ok(self.post("/v1/search", {"query": "whales at sea", "collections": ["documents"]}))
        self.assertEqual(found["results"][0]["path"], "letters/1")
        self.assertIn("lighthouse", found["results"][0]["content"])
        read = self.ok(self.post("/v1/read", {"path": "letters/1", "collection": "documents"}))["results"][0]
        self.assertEqual(read["content"], "The lighthouse keeper wrote about whales.")
        one = self.ok(self.call("GET", "/v1/documents/letters%2F1?collection=documents"))["document"]
        self.assertEqual((one["id"], one["state"], one["chunks"]), ("letters/1", "active", 1))
        self.ok(self.post("/v1/index", {"documents": [{"id": "letters/1", "text": "Now about volcanoes."}]}))
        self.assertEqual(self.ok(self.post("/v1/search", {"query": "whales", "collections": ["documents"],
                                                          "mode": "lexical"}))["total"], 0)
        self.ok(self.call("DELETE", "/v1/documents/letters%2F1?collection=documents"))
        self.refused(self.call("GET", "/v1/documents/letters%2F1?collection=documents"), 404, "letters/1")
        self.refused(self.post("/v1/index", {"documents": [{"text": "x"}], "collection": "tree"}), 400, "folder")
        self.refused(self.post("/v1/index", {"documents": [{"text": "x"}], "collection": "a\0b"}), 400, "'collection' has a NUL")
        self.refused(self.post("/v1/index", {"documents": [{"id": "a\0b", "text": "x"}]}), 400, "'documents[0].id' has a NUL")
        self.refused(self.post("/v1/index", {"documents": [{"text": "x", "author": "y"}]}), 400,
                     "unknown field 'documents[0].author'; valid: id, text, title, metadata")
        self.refused(self.call("DELETE", "/v1/documents/docs%2Fsoup.txt?collection=tree"), 400, "remove the file")

    def test_documents_are_found_by_what_is_told_of_them(self):
        def paths(query="needle", **metadata):
            reply = self.ok(self.post("/v1/search", {"query": query, "collections": ["documents"], "mode": "lexical", "collapse": False,
                                                     "filters": {"metadata": metadata}}))
            return sorted(hit["path"] for hit in reply["results"])
        self.ok(self.post("/v1/index", {"documents": [
            {"id": "a", "text": "A needle.", "metadata": {"author": ["Anna Berg", "Ola"], "created": "2024-05-01", "Pages": 12}},
            {"id": "b", "text": "A needle.", "metadata": {"author": "Ida Holm", "modified": "2025-05-01T10:00:00+02:00", "draft": True}},
            {"id": "c", "text": "A needle."}]}))
        self.assertEqual(paths(author="berg"), ["a"])
        self.assertEqual(paths(author=["ola", "holm"]), ["a", "b"])
        self.assertEqual(paths(author=["ola", "holm"], draft=True), ["b"])
        self.assertEqual(paths(pages=12), ["a"])
        self.assertEqual(paths("needle author:holm date>=2025"), ["b"])
        one = self.ok(self.call("GET", "/v1/documents/a?collection=documents"))["document"]
        self.assertEqual(one["metadata"], {"author": "Anna Berg; Ola", "created": "2024-05-01", "pages": "12"})
        self.refused(self.post("/v1/search", {"query": "x", "filters": {"metadata": {"author": {"a": 1}}}}), 400,
                     "'filters.metadata.author' must be a text")
        self.refused(self.post("/v1/search", {"query": "x", "filters": {"metadata": {"author": " "}}}), 400, "not be blank")
        self.refused(self.post("/v1/index", {"documents": [{"text": "x", "metadata": {"created": "soon"}}]}), 400,
                     "'metadata.created' is 'soon', which is no date")
        self.refused(self.post("/v1/index", {"documents": [{"text": "x", "metadata": {"n%d" % i: i for i in range(41)}}]}), 413,
                     "'metadata' has more than 40 values")

    def test_only_what_is_indexed_can_be_read(self):
        self.write(".env", "SECRET=1")
        outside = self.write("outside.txt", "not yours", root=self.dir)
        (self.tree / "link.txt").symlink_to(outside)
        text = self.ok(self.post("/v1/read", {"path": "docs/soup.txt", "collection": "tree"}))["results"][0]
        self.assertIn("Tomato", text["content"])
        lines = self.ok(self.post("/v1/read", {"path": "src/net/retry.c", "start_line": 4, "lines": 2}))["results"][0]
        self.assertEqual((lines["start_line"], lines["end_line"]), (4, 5))
        self.assertTrue(lines["content"].startswith("static int backoff_next"))
        full = self.ok(self.post("/v1/read", {"path": str(self.tree / "docs/soup.txt")}))["results"][0]
        self.assertEqual(full["content"], text["content"])
        hit = self.ok(self.post("/v1/search", {"query": "backoff"}))["results"][0]
        self.assertEqual(self.ok(self.post("/v1/read", {"id": hit["id"]}))["results"][0]["content"], hit["content"])
        for path in [".env", "../outside.txt", "link.txt", str(outside), "/etc/passwd", "docs/../.env", "build/generated.c",
                     "file:///etc/passwd", "docs/soup.txt/../../../outside.txt"]:
            self.refused(self.post("/v1/read", {"path": path}), 404)
        self.refused(self.post("/v1/read", {"id": "/etc/passwd"}), 400)
        self.refused(self.post("/v1/read", {"id": "k00000"}), 404)
        self.refused(self.post("/v1/read", {"path": "docs/soup.txt", "start_line": 99}), 404, "99")

    def test_an_indexed_file_that_became_a_link_is_not_followed_out(self):
        outside = self.write("outside.txt", "not yours", root=self.dir)
        (self.tree / "docs/soup.txt").unlink()
        (self.tree / "docs/soup.txt").symlink_to(outside)
        reply = self.post("/v1/read", {"path": "docs/soup.txt", "collection": "tree"})
        self.assertEqual(reply.status, 404, reply.body)

    def test_folders_are_indexed_as_runs(self):
        self.write("docs/new.txt", "A text about penguins.")
        run = self.ok(self.post("/v1/index", {"path": str(self.tree)}), 202)["run"]
        deadline = time.monotonic() + LIMIT_S
        while (state := self.ok(self.call("GET", "/v1/runs/%d" % run))["run"])["state"] in ("queued", "running"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.assertEqual(state["state"], "succeeded")
        self.assertEqual(self.ok(self.call("GET", "/v1/search?q=penguins&limit=1"))["results"][0]["path"], "docs/new.txt")
        waited = self.ok(self.post("/v1/index", {"path": str(self.tree), "wait": True}))
        self.assertEqual(waited["report"]["unchanged"], self.ok(self.call("GET", "/v1/status"))["collections"][0]["documents"])
        self.refused(self.post("/v1/index", {"path": str(self.dir)}), 404, "no folder that may be indexed")
        self.refused(self.post("/v1/index", {"path": "/etc"}), 404)
        self.refused(self.post("/v1/index", {"path": "tree"}), 400, "absolute")
        self.refused(self.post("/v1/index", {}), 400, "either")
        self.refused(self.call("DELETE", "/v1/runs/%d" % run), 400, "is over")
        self.refused(self.call("GET", "/v1/runs/no"), 400, "id")
        self.assertGreaterEqual(len(self.ok(self.call("GET", "/v1/runs?limit=5"))["runs"]), 2)

    def test_collections_are_renamed_and_forgotten(self):
        self.assertEqual([c["name"] for c in self.ok(self.call("GET", "/v1/collections"))["collections"]], ["tree"])
        self.assertEqual(self.ok(self.call("PATCH", "/v1/collections/tree", {"to": "wood"}))["collection"]["name"], "wood")
        self.refused(self.call("GET", "/v1/collections/tree"), 404, "tree")
        self.refused(self.call("PATCH", "/v1/collections/wood", {"name": "a", "to": "b"}), 400, "path already")
        self.ok(self.call("DELETE", "/v1/collections/wood"))
        self.refused(self.post("/v1/search", {"query": "soup"}), 404, "nothing is indexed")

    def test_status_tells_what_is_stale(self):
        self.write("docs/soup.txt", "Pumpkin soup.")
        s = self.ok(self.call("GET", "/v1/status?collection=tree&check=true"))
        self.assertEqual(s["model"]["state"], "ready")
        self.assertEqual([f["path"] for f in s["collections"][0]["stale_files"]], ["docs/soup.txt"])
        self.refused(self.call("GET", "/v1/status?collection=none"), 404, "none")


if __name__ == "__main__":
    main()
