"""Searches whose first hits are read once more by a reranker: the golden cross-encoder (random weights: its order means nothing, but
every number does), and a service with Cohere's API that can fail in all the ways."""
import http.client
import json
import math
import pathlib
import re
import time

from harness import BINARY, LIMIT_S, MODEL_NAME, PythiaTest, main, subprocess
from llm import Llm

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "arch" / "rank.gguf"
QUERY = "waiting after a failure"
WEIGHT = 0.7
RANK = ["--config", "model.rerank=rank"]


class Reranked(PythiaTest):
    def setUp(self):
        super().setUp()
        (self.home / "models" / "rank.gguf").symlink_to(GOLDEN)
        self.make_tree()
        self.index()

    def check(self, reply, relevance, before):
        """The reply's hits are those of `before` in the order of their new scores, and the shares add up."""
        old = {hit["id"]: (i + 1, hit["score"]) for i, hit in enumerate(before["results"])}
        self.assertEqual({hit["id"] for hit in reply["results"]}, set(old))
        for hit in reply["results"]:
            rank, score = old[hit["id"]]
            told = hit["explain"]["rerank"]
            self.assertEqual(told["rank_before"], rank)
            self.assertAlmostEqual(told["score_before"], score, places=6)
            self.assertAlmostEqual(told["relevance"], relevance(hit), places=5)
            self.assertAlmostEqual(hit["score"], WEIGHT * told["relevance"] + (1 - WEIGHT) * score, places=5)
        scores = [hit["score"] for hit in reply["results"]]
        self.assertEqual(scores, sorted(scores, reverse=True))

    # ---- our own engine ----

    def test_hits_stand_by_what_the_reranker_says_and_their_score(self):
        def says(hit):
            run = self.pythia("rerank", QUERY, "-", "--model", "rank", code=0,
                              stdin=json.dumps({"text": hit["content"]}).encode())
            return run.json["score"]
        before = self.search(QUERY)
        self.assertNotIn("reranked", before)
        for mode in ("hybrid", "semantic"):
            old = self.search(QUERY, "--mode", mode)
            reply = self.search(QUERY, "--mode", mode, "--rerank", "--explain", *RANK)
            self.check(reply, says, old)
            told = reply["reranked"]
            self.assertEqual((told["wanted"], told["scored"], told["weight"]), (len(old["results"]),) * 2 + (WEIGHT,))
            self.assertEqual(told["model"], "tiny rank")
            self.assertEqual((reply["total"], reply["has_more"]), (old["total"], old["has_more"]))

    def test_it_is_off_unless_asked_for_or_configured(self):
        self.assertNotIn("reranked", self.search(QUERY))  # a reranker is not even looked for
        env = {"PYTHIA_SEARCH_RERANK": "true", "PYTHIA_MODEL_RERANK": "rank"}
        self.assertIn("reranked", self.search(QUERY, env=env))
        reply = self.search(QUERY, "--explain", env={**env, "PYTHIA_SEARCH_RERANK_DEPTH": "1"})
        self.assertEqual(reply["reranked"]["wanted"], 1)
        self.assertEqual(["rerank" in hit["explain"] for hit in reply["results"]],
                         [True] + [False] * (len(reply["results"]) - 1))
        for env, text in (({"PYTHIA_SEARCH_RERANK_DEPTH": "0"}, "search.rerank_depth 0: it must be 1 to 1000"),
                          ({"PYTHIA_SEARCH_RERANK_WEIGHT": "2"}, "rerank_weight")):
            self.assertFails(self.pythia("search", QUERY, "--rerank", *RANK, env=env), 2, text)

    def test_a_text_for_eyes_says_what_the_reranker_did(self):
        run = self.pythia("search", QUERY, "--rerank", "--explain", *RANK, code=0)
        n = len(self.search(QUERY)["results"])
        self.assertIn(" · %d reranked" % n, run.err)
        self.assertIn("reranked by tiny rank: %d of %d hits in " % (n, n), run.err)
        rows = re.findall(r"reranker was +(\d+)  relevance (\S+)  gives +(\S+), the score before (\S+): score (\S+)", run.out)
        self.assertEqual(len(rows), n)
        for _, relevance, gives, kept, score in rows:
            self.assertAlmostEqual(float(gives), WEIGHT * float(relevance), places=3)
            self.assertAlmostEqual(float(gives) + float(kept), float(score), places=3)

    def test_a_definition_that_is_asked_for_by_its_name_stays_first(self):
        reply = self.search("parse_iso8601", "--rerank", "--explain", *RANK)
        self.assertEqual(reply["results"][0]["symbol"], "parse_iso8601")
        self.assertGreaterEqual(reply["results"][0]["score"], 0.9)

    def test_what_has_no_question_is_not_reranked(self):
        for mode in ("symbol", "regex"):
            self.assertFails(self.pythia("search", "backoff", "--mode", mode, "--rerank", *RANK), 2,
                             "what '%s' finds cannot be reranked; valid: hybrid, semantic, lexical" % mode)
            reply = self.search("backoff", "--mode", mode, env={"PYTHIA_SEARCH_RERANK": "true"})
            self.assertNotIn("reranked", reply)
        self.assertFails(self.pythia("similar", "src/net/retry.c:5", "--rerank"), 2, "--rerank")

    def test_models_that_are_missing_or_no_rerankers(self):
        self.assertFails(self.pythia("search", QUERY, "--rerank"), 7, "there is no model 'ms-marco-minilm-l6-v2'",
                         "run: pythia model pull cross-encoder/ms-marco-MiniLM-L6-v2 --name ms-marco-minilm-l6-v2")
        self.assertFails(self.pythia("search", QUERY, "--rerank", "--config", "model.rerank=" + MODEL_NAME), 2,
                         "is not a reranker")

    def test_every_door_has_the_same(self):
        env = {"PYTHIA_MODEL_RERANK": "rank"}
        want = self.search(QUERY, "--rerank", "--explain", env=env)
        params = {"query": QUERY, "rerank": True, "explain": True}

        def same(reply):
            for r in (want, reply):
                r.pop("took_ms", None)
                r["reranked"].pop("ms", None)
            self.assertEqual(reply, want)

        server = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0"], cwd=self.tree, env={**self.env, **env},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        port = int(json.loads(server.stdout.readline())["http"].rsplit(":", 1)[1].split("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
        self.addCleanup(connection.close)

        def call(method, path, body=None):
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())

        while call("GET", "/ready").get("status") != "ok":
            time.sleep(0.02)
        same(call("POST", "/v1/search", params))
        same(call("GET", "/v1/search?q=%s&rerank=true&explain=true" % QUERY.replace(" ", "%20")))
        self.assertNotIn("reranked", call("POST", "/v1/search", {"query": QUERY}))
        self.assertNotIn("reranked", call("POST", "/v1/search", {"query": QUERY, "rerank": False}))
        refused = call("POST", "/v1/search", {"query": "backoff", "mode": "regex", "rerank": True})
        self.assertIn("what 'regex' finds cannot be reranked", refused["error"]["message"])

        found = self.agent("search", {"query": QUERY, "rerank": True}, env)
        self.assertEqual([h["id"] for h in found["results"]], [h["id"] for h in want["results"]])
        self.assertEqual(found["reranked"]["scored"], want["reranked"]["scored"])

    def test_eval_run_takes_a_reranker(self):
        folder = self.dir / "set"
        folder.mkdir()
        (folder / "corpus.jsonl").write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in (
            ("a", "read the file"), ("b", "open the file"), ("c", "retry with back off"))))
        (folder / "queries.jsonl").write_text('{"id": "q", "text": "open the file"}\n')
        (folder / "qrels.tsv").write_text("q\tb\t1\n")
        self.assertEqual(self.pythia("eval", "run", str(folder), "--rerank", *RANK, code=0).json["ndcg_at_10"], 1)
        self.assertFails(self.pythia("eval", "run", str(folder), "--rerank"), 7, "there is no model")

    # ---- a service ----

    def service(self):
        llm = Llm()
        self.addCleanup(llm.close)
        self.env.update({"PYTHIA_RERANK_REMOTE_URL": llm.url, "PYTHIA_MODEL_RERANK": "remote:judge", "NO_PROXY": "127.0.0.1",
                         "PYTHIA_NETWORK_STALL_TIMEOUT": "1s"})
        llm.rank = lambda query, text: 0.9 if "soup" in text else 0.1
        return llm

    def test_a_service_gets_the_question_and_the_texts_once(self):
        llm = self.service()
        before = self.search(QUERY)
        reply = self.search(QUERY + " -zebra", "--rerank", "--explain")
        self.check(reply, lambda hit: 0.9 if "soup" in hit["content"] else 0.1, before)
        self.assertEqual(reply["results"][0]["path"], "docs/soup.txt")
        self.assertEqual(reply["reranked"]["model"], "remote:judge")
        [(path, headers, asked)] = llm.seen
        self.assertEqual((path, asked["model"], asked["query"]), ("/v1/rerank", "judge", QUERY))
        self.assertEqual(sorted(asked["documents"]), sorted(hit["content"] for hit in before["results"]))
        self.assertEqual(asked["top_n"], len(asked["documents"]))
        self.assertNotIn("Authorization", headers)

    def test_a_service_that_answers_logits_ranks_alike(self):
        llm = self.service()
        llm.rank = lambda query, text: math.log(9) if "soup" in text else -math.log(9)
        reply = self.search(QUERY, "--rerank", "--explain")
        self.check(reply, lambda hit: 0.9 if "soup" in hit["content"] else 0.1, self.search(QUERY))

    def test_texts_are_reranked_by_a_service_as_a_filter_too(self):
        llm = self.service()
        run = self.pythia("rerank", "q", "hot soup", "stone", code=0)
        self.assertEqual([json.loads(line)["index"] for line in run.out.splitlines()], [0, 1])
        llm.faults = ["status:413"]  # too much at once: in halves
        run = self.pythia("rerank", "q", "stone", "hot soup", "--model", "remote:other", code=0)
        self.assertEqual([json.loads(line)["index"] for line in run.out.splitlines()], [1, 0])
        self.assertEqual([len(asked["documents"]) for _, _, asked in llm.seen], [2, 2, 1, 1])
        self.assertEqual(llm.seen[-1][2]["model"], "other")
        self.assertFails(self.pythia("embed", "a", "--model", "remote:judge"), 2, "embed_remote.url")

    def test_what_a_service_gets_wrong_is_an_error_and_nothing_is_made_up(self):
        llm = self.service()
        n = len(self.search(QUERY)["results"])
        two = '{"results": [{"index": 0, "relevance_score": 0.5}, {"index": %s, "relevance_score": %s}]}'
        for fault, parts in (
                ("html", ("'%s/rerank': the answer is no JSON" % llm.url,)),
                ("body:{}", ("the answer has no list 'results'",)),
                ('body:{"error": {"message": "overloaded"}}', ("the answer has no list 'results'",)),
                ("body:" + two % ("1", "0.5"), ("the answer has 2 results for %d texts" % n,)),
                ("status:400", ("/v1/rerank' answers 400: as asked",)),
                ("status:404", ("answers 404", "rerank_remote.url")),
                ("status:401", ("answers 401", "rerank_remote.key_env"))):
            llm.faults = [fault]
            run = self.pythia("search", QUERY, "--rerank")
            self.assertFails(run, 8, *parts)
            self.assertEqual(run.out, "")
        llm.rank = lambda query, text: float("nan")  # json.dumps writes NaN, which is no JSON
        self.assertFails(self.pythia("search", QUERY, "--rerank"), 8, "the answer is no JSON")

    def test_failures_that_pass_are_tried_again_and_told_when_they_stay(self):
        llm = self.service()
        llm.faults = ["status:503:0", "cut"]
        self.assertEqual(self.search(QUERY, "--rerank")["results"][0]["path"], "docs/soup.txt")
        self.assertEqual(len(llm.seen), 3)
        once = ["--config", "network.attempts=1"]
        for fault, text in (("status:503", "answers 503"), ("cut", "/rerank"), ("close", "/rerank"), ("hang", "/rerank")):
            llm.faults = [fault]
            self.assertFails(self.pythia("search", QUERY, "--rerank", *once), 8, text)
        llm.close()
        self.assertFails(self.pythia("search", QUERY, "--rerank", *once), 8, llm.url)

    def test_a_deadline_leaves_the_order_as_it_was_and_says_so(self):
        llm = self.service()
        self.env["PYTHIA_NETWORK_STALL_TIMEOUT"] = "%ds" % LIMIT_S
        before = self.search(QUERY)
        llm.faults = ["hang"] * 9
        reply = self.search(QUERY, "--rerank", "--deadline", "1s")
        self.assertTrue(reply["deadline_hit"])
        self.assertEqual(reply["reranked"]["scored"], 0)
        self.assertEqual(reply["results"], before["results"])
        run = self.pythia("search", QUERY, "--rerank", "--deadline", "1s", code=0)
        self.assertIn("0 of %d reranked · deadline reached" % len(before["results"]), run.err)

    def test_the_key_and_the_model_are_told_by_the_configuration(self):
        llm = self.service()
        env = {"PYTHIA_RERANK_REMOTE_KEY_ENV": "MY_KEY"}
        self.assertFails(self.pythia("search", QUERY, "--rerank", env=env), 2,
                         "variable 'MY_KEY' (rerank_remote.key_env) is not set", "export MY_KEY")
        env["MY_KEY"] = "sk-sesame"
        self.search(QUERY, "--rerank", env=env)
        self.assertEqual(llm.seen[-1][1]["Authorization"], "Bearer sk-sesame")
        llm.faults = ["status:403"]
        run = self.pythia("search", QUERY, "--rerank", env=env)
        self.assertFails(run, 8, "answers 403: as asked, Bearer ***", "export MY_KEY")
        self.assertNotIn("sesame", run.err)
        env = {"PYTHIA_MODEL_RERANK": "remote"}
        self.assertFails(self.pythia("search", QUERY, "--rerank", env=env), 2, "does not say which model of the service",
                         "rerank_remote.model")
        self.search(QUERY, "--rerank", env={**env, "PYTHIA_RERANK_REMOTE_MODEL": "large"})
        self.assertEqual(llm.seen[-1][2]["model"], "large")
        self.assertFails(self.pythia("search", QUERY, "--rerank", env={"PYTHIA_RERANK_REMOTE_URL": ""}), 2,
                         "no service is set for model 'remote:judge' (rerank_remote.url)", "rerank_remote.url")
        self.assertFails(self.pythia("search", QUERY, "--rerank", env={"PYTHIA_RERANK_REMOTE_URL": "here"}), 2,
                         "'here' is no URL of a service (rerank_remote.url)")
        (self.tree / ".pythia.ini").write_text("[rerank_remote]\nurl = %s\n" % llm.url)
        self.assertFails(self.pythia("search", QUERY), 2, "rerank_remote")


if __name__ == "__main__":
    main()
