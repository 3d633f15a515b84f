"""`bench generate` on a tiny decoder whose tokens are known, `bench index` on vectors whose neighbours are, `bench search` on a small tree."""
import json
import math
import pathlib
import random
import struct
import unittest

from harness import PythiaTest, main

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "generate"
GENERATE_KEYS = {"prompt_tokens_per_s", "tokens_per_s", "first_token_ms", "open_ms", "rss_mb", "precision", "threads", "cpu",
                 "prompts", "prompt_tokens", "tokens"}
RUN_KEYS = {"kind", "params", "build_s", "build_cpu_s", "bytes_per_vector", "insert_us", "delete_us", "filtered_us",
            "filtered_recall", "recall_at_1", "recall_at_k", "qps", "p50_ms", "p99_ms", "cpu_us", "recomputed"}
SEARCH_KEYS = {"p50_ms", "p95_ms", "p99_ms", "qps", "cpu_ms", "mean_ms", "first_ms", "rss_mb", "collection", "documents", "chunks",
               "embedded", "index", "mode", "queries", "found", "cut", "warm_up", "rounds", "threads", "cpu"}
TOKENS = 40


def npy(rows):
    """The bytes of a .npy file, version 1: float32, little-endian, rows one after the other."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
    header += " " * (-(len(header) + 11) % 64) + "\n"
    numbers = [x for row in rows for x in row]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<%df" % len(numbers), *numbers)


def fvecs(rows):
    return b"".join(struct.pack("<i%df" % len(row), len(row), *row) for row in rows)


def unit_rows(n, dim, seed):
    random_ = random.Random(seed)
    rows = [[random_.gauss(0, 1) for _ in range(dim)] for _ in range(n)]
    return [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in rows]


class Generate(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        lines = (GOLDEN / "gemma3.txt").read_text().splitlines()
        self.cases = [(json.loads(prompt), ids.split(","), [int(i) for i in next_.split(",")])
                      for prompt, ids, next_ in (line.split("\t") for line in lines)]
        self.write("prompts.jsonl", "".join(json.dumps({"text": prompt}) + "\n" for prompt, _, _ in self.cases))

    def bench(self, *args, **how):
        return self.pythia("bench", "generate", "--input", "prompts.jsonl", "--model", str(GOLDEN / "gemma3.gguf"), *args, **how)

    def test_the_keys_are_exactly_those_promised(self):
        for threads in (1, 2):
            report = self.bench("--tokens", "5", "--threads", str(threads), code=0).json
            self.assertEqual(set(report), GENERATE_KEYS)
            self.assertEqual(report["prompts"], len(self.cases))
            self.assertEqual(report["tokens"], 5 * len(self.cases))
            self.assertEqual(report["prompt_tokens"], sum(len(ids) for _, ids, _ in self.cases))
            self.assertEqual(report["threads"], threads)
            for key in ("prompt_tokens_per_s", "tokens_per_s", "first_token_ms", "open_ms", "rss_mb"):
                self.assertGreater(report[key], 0, key)
        self.assertEqual(self.bench("--tokens", "1", "--precision", "f32", code=0).json["precision"], "f32")

    def test_each_prompt_gets_the_tokens_of_the_reference(self):
        for threads in ("1", "2"):
            lines = self.bench("--each", "--tokens", str(TOKENS), "--threads", threads, "--precision", "f32", code=0).out
            *each, report = [json.loads(line) for line in lines.splitlines()]
            self.assertEqual(set(report), GENERATE_KEYS)
            self.assertEqual(len(each), len(self.cases))
            for got, (prompt, ids, want) in zip(each, self.cases):
                self.assertEqual(set(got), {"text", "prompt_tokens", "ids", "gaps"})
                self.assertEqual(got["ids"], want, prompt)
                self.assertEqual(got["prompt_tokens"], len(ids), prompt)
                self.assertEqual(len(got["gaps"]), TOKENS)
                self.assertTrue(all(gap >= 0 for gap in got["gaps"]))

    def test_without_tokens_there_are_64(self):
        self.write("prompts.jsonl", '{"text": "the"}\n\n')
        report = self.bench(code=0).json
        self.assertEqual((report["prompts"], report["tokens"]), (1, 64))

    def test_what_cannot_be_run_says_why(self):
        self.assertFails(self.pythia("bench", "generate"), 2, "--input is missing")
        self.assertFails(self.bench("--tokens", "0"), 2, "0 tokens are not possible, 1 to 65536 are")
        self.assertFails(self.bench("--tokens", "many"), 2, "--tokens cannot be 'many'")
        self.assertFails(self.bench("--input", "nowhere.jsonl"), 2, "nowhere.jsonl")
        self.assertFails(self.bench("--model", str(GOLDEN.parent / "tiny_bert.gguf")), 2, "does not generate texts")
        self.write("prompts.jsonl", '{"txt": "the"}\n')
        self.assertFails(self.bench(), 2, "line 1: the key 'text' is missing")
        self.write("prompts.jsonl", "\n")
        self.assertFails(self.bench(), 2, "has no texts")


class Index(PythiaTest):
    needs_model = False
    DIM = 64

    def setUp(self):
        super().setUp()
        self.base = unit_rows(600, self.DIM, 1)
        # The nearest row of each query is known: the one it was made of.
        noise = unit_rows(20, self.DIM, 2)
        self.queries = [[x + 0.1 * y for x, y in zip(self.base[29 * i], noise[i])] for i in range(20)]
        self.write("base.npy", npy(self.base))
        self.write("queries.npy", npy(self.queries))

    def bench(self, *args, base="base.npy", queries="queries.npy", **how):
        return self.pythia("bench", "index", "--base", base, "--queries", queries, *args, **how)

    def test_the_keys_are_exactly_those_promised(self):
        report = self.bench("--kind", "flat", code=0).json
        self.assertEqual(set(report), {"runs"})
        self.assertGreater(len(report["runs"]), 1)
        efforts = [run["params"]["effort"] for run in report["runs"]]
        self.assertEqual(efforts, sorted(set(efforts)))
        for run in report["runs"]:
            self.assertEqual(set(run), RUN_KEYS)
            self.assertEqual(run["kind"], "flat")
            self.assertLessEqual(run["p50_ms"], run["p99_ms"])
            self.assertGreater(run["qps"], 0)
            for cost in ("build_cpu_s", "insert_us", "delete_us", "filtered_us", "cpu_us"):
                self.assertGreater(run[cost], 0, cost)
            self.assertEqual(run["filtered_recall"], 1)  # six rows pass: they are compared one by one
        self.assertGreaterEqual(report["runs"][-1]["recall_at_1"], 0.95)
        self.assertGreaterEqual(report["runs"][-1]["recall_at_k"], 0.95)

    def test_the_exact_kind_finds_all_in_one_run(self):
        runs = self.bench("--kind", "exact", code=0).json["runs"]
        self.assertEqual(len(runs), 1)
        self.assertEqual((runs[0]["recall_at_1"], runs[0]["recall_at_k"]), (1, 1))
        self.assertGreaterEqual(runs[0]["bytes_per_vector"], 4 * self.DIM)

    def test_without_a_kind_all_are_measured(self):
        kinds = {run["kind"] for run in self.bench(code=0).json["runs"]}
        self.assertLessEqual({"exact", "flat", "hnsw", "ivfpq", "compact"}, kinds)

    def test_rows_of_f32_cost_their_bytes_and_find_all(self):
        runs = [self.bench("--kind", "flat", *how, code=0).json["runs"][-1] for how in ((), ("--keep-f32",))]
        self.assertAlmostEqual(runs[1]["bytes_per_vector"] - runs[0]["bytes_per_vector"], 4 * self.DIM, delta=1)
        self.assertEqual(runs[1]["recall_at_k"], 1)

    def test_fvecs_are_read_like_npy(self):
        self.write("base.fvecs", fvecs(self.base))
        self.write("queries.fvecs", fvecs(self.queries))
        for k in ("1", "7"):
            both = [self.bench("--kind", "flat", "--k", k, base="base" + end, queries="queries" + end, code=0).json["runs"]
                    for end in (".npy", ".fvecs")]
            for key in ("recall_at_1", "recall_at_k", "bytes_per_vector"):
                self.assertEqual(*[[run[key] for run in runs] for runs in both], key)

    def test_nothing_is_left_behind(self):
        self.bench("--kind", "flat", code=0)
        self.assertEqual([p.name for p in self.home.iterdir() if p.name.startswith("bench-")], [])
        self.write("few.npy", npy([row[:8] for row in self.queries]))
        self.assertFails(self.bench(queries="few.npy"), 2, "'few.npy' has 8 dimensions, 'base.npy' has 64")
        self.assertEqual([p.name for p in self.home.iterdir() if p.name.startswith("bench-")], [])

    def test_files_that_are_none_say_so(self):
        whole = npy(self.base)
        self.write("cut.npy", whole[:-4])
        self.assertFails(self.bench(base="cut.npy"), 2, "its shape (600, 64) says otherwise")
        self.write("text.npy", "hello")
        self.assertFails(self.bench(base="text.npy"), 2, "text.npy")
        self.write("base.csv", "1,2,3\n")
        self.assertFails(self.bench(base="base.csv"), 2, "is neither .npy nor .fvecs")
        self.write("odd.fvecs", fvecs(self.base)[:-2])
        self.assertFails(self.bench(base="odd.fvecs"), 2, "are no whole rows of 64 numbers")
        self.write("nan.npy", npy([[math.nan] * self.DIM] + self.base))
        self.assertFails(self.bench(base="nan.npy"), 2, "row 0 of 601 to add is not finite")
        self.assertFails(self.bench(base="nowhere.npy"), 2, "nowhere.npy")
        self.assertFails(self.pythia("bench", "index", "--base", "base.npy"), 2, "--queries is missing")
        self.assertFails(self.pythia("bench", "index", "--queries", "base.npy"), 2, "--base is missing")

    def test_options_are_checked(self):
        self.assertFails(self.bench("--kind", "quick"), 2, "quick")
        for k in ("0", "1001", "ten"):
            self.assertFails(self.bench("--k", k), 2, "--k cannot be '%s'" % k)


class Search(PythiaTest):
    QUERIES = [{"text": "retry with exponential backoff"}, {"query": "parse a date"}, {"text": "tomato soup", "id": "q3"}]

    def setUp(self):
        if self.in_world():
            return
        super().setUp()
        self.make_tree()
        self.index("--collection", "small")
        self.queries("q.jsonl", *map(json.dumps, self.QUERIES))
        self.keep_world()

    def queries(self, name, *lines):
        self.write(name, "".join(line + "\n" for line in lines), root=self.dir)

    def bench(self, *args, queries="q.jsonl", **how):
        return self.pythia("bench", "search", "--queries", str(self.dir / queries), *args, **how)

    def test_the_keys_are_exactly_those_promised(self):
        for threads in (1, 3):
            report = self.bench("--in", "small", "--threads", str(threads), "--rounds", "2", code=0).json
            self.assertEqual(set(report), SEARCH_KEYS)
            self.assertEqual((report["threads"], report["rounds"], report["warm_up"]), (threads, 2, 3))
            self.assertEqual((report["queries"], report["found"], report["cut"]), (3, 3, 0))
            self.assertEqual((report["collection"], report["index"], report["mode"]), ("small", "flat", "hybrid"))
            self.assertLessEqual(report["p50_ms"], report["p95_ms"])
            self.assertLessEqual(report["p95_ms"], report["p99_ms"])
            for key in ("p50_ms", "qps", "cpu_ms", "first_ms", "rss_mb"):
                self.assertGreater(report[key], 0, key)
            self.assertGreater(report["first_ms"], report["p50_ms"])  # it opens the model
        status = self.pythia("status", "--json", code=0).json["collections"][0]
        for key in ("documents", "chunks", "embedded"):
            self.assertEqual(report[key], status[key], key)

    def test_each_round_embeds_its_queries_as_a_first_search_does(self):
        mean = self.bench("--rounds", "3", code=0).json["mean_ms"]
        self.assertEqual(set(mean), {"open", "embed", "words", "vectors", "fuse", "freshness"})
        self.assertGreater(mean["embed"], 0.1)  # a look-up among known vectors takes some microseconds
        words = self.bench("--mode", "lexical", code=0).json
        self.assertEqual((words["mode"], words["mean_ms"]["embed"], words["mean_ms"]["vectors"]), ("lexical", 0, 0))

    def test_a_query_that_finds_nothing_is_counted(self):
        self.queries("none.jsonl", '{"text": "zyzzyva quux"}', "", '{"text": "soup"}')
        report = self.bench("--mode", "lexical", queries="none.jsonl", code=0).json
        self.assertEqual((report["queries"], report["found"]), (2, 1))

    def test_the_folder_tells_the_collection_and_nothing_else_does(self):
        self.assertEqual(self.bench(code=0).json["collection"], "small")
        self.assertFails(self.bench(cwd=self.dir), 3, "nothing indexed covers", "pythia index")
        self.assertFails(self.bench("--in", "large"), 3, "large")

    def test_what_cannot_be_run_says_why(self):
        self.assertFails(self.pythia("bench", "search"), 2, "--queries is missing")
        self.assertFails(self.bench(queries="nowhere.jsonl"), 2, "nowhere.jsonl")
        for text, *parts in (("", "q.jsonl' has no queries"), ('{"text": "a"}\n[1]\n', "line 2 is no JSON object"),
                             ('\n"soup"\n', "line 2 is no JSON object"), ('{"text": "a"}\n{"text"\n', "line 2"),
                             ('{"words": "a"}\n', "line 1: the key 'text' or 'query' is missing"),
                             ('{"query": 7}\n', "line 1", "'query'"), ('{"text": " "}\n', "line 1: the query is empty")):
            self.write("bad-q.jsonl", text, root=self.dir)
            self.assertFails(self.bench(queries="bad-q.jsonl"), 2, *parts)
        self.queries("regex.jsonl", '{"text": "soup"}', '{"text": "so(up"}')
        self.assertFails(self.bench("--mode", "regex", queries="regex.jsonl"), 2, "query 'so(up'")
        for flag, values in (("--threads", ("0", "257", "many")), ("--rounds", ("0", "1001"))):
            for value in values:
                self.assertFails(self.bench(flag, value), 2, flag, value)
        self.assertFails(self.bench("--mode", "quick"), 2, "quick")


if __name__ == "__main__":
    main()
