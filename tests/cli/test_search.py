"""Index a small tree with the real model, then search it in every mode, with every filter, in every format."""
import datetime
import json
import os
import re
import unittest

from harness import PythiaTest, main

ENVELOPE = {"status": str, "query": str, "mode": str, "results": list, "total": int, "has_more": bool, "took_ms": (int, float),
            "coverage": dict}
HIT = {"id": str, "uri": str, "path": str, "collection": str, "start_line": int, "end_line": int, "page": type(None), "symbol": (str, type(None)),
       "kind": (str, type(None)), "lang": (str, type(None)), "heading": (str, type(None)), "score": (int, float), "freshness": str,
       "content": str}


class Search(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.age()
        self.index()

    # ---- finding ----

    def test_hybrid_finds_by_meaning_and_by_words(self):
        self.assertEqual(self.paths("wait longer and longer between attempts when sending fails")[0], "src/net/retry.c")
        self.assertEqual(self.paths("turn an ISO 8601 timestamp into a datetime")[0], "src/dates.py")
        self.assertEqual(self.paths("a recipe with basil")[0], "docs/soup.txt")
        self.assertEqual(self.paths("backoff_next")[0], "src/net/retry.c")

    def test_semantic_mode_needs_no_common_word(self):
        found = self.search("cooking lunch with vegetables", "--mode", "semantic")
        self.assertEqual(found["results"][0]["path"], "docs/soup.txt")
        self.assertEqual(found["mode"], "semantic")

    def test_lexical_mode_finds_only_what_has_the_words(self):
        found = self.search("max_attempts", "--mode", "lexical")
        self.assertEqual([h["path"] for h in found["results"]], ["src/net/retry.c"])
        self.assertEqual(found["mode"], "lexical")
        self.search("zeppelin", "--mode", "lexical", code=1)

    def test_code_words_are_found_in_parts_and_whole(self):
        for query in ("backoff", "attempts", "parse_iso8601", "fromisoformat"):
            self.assertTrue(self.paths(query, "--mode", "lexical"), query)

    def test_scores_lie_between_0_and_1_and_fall(self):
        for mode in ("hybrid", "semantic", "lexical"):
            for fusion in ("convex", "rrf"):
                scores = [h["score"] for h in self.search("parse a date", "--mode", mode, "--fusion", fusion)["results"]]
                self.assertTrue(scores and all(0 <= s <= 1 for s in scores), scores)
                self.assertEqual(scores, sorted(scores, reverse=True))

    def test_nothing_found_is_exit_1_and_an_empty_envelope(self):
        run = self.pythia("search", "zeppelin", "--mode", "lexical", "--json", code=1)
        self.assertEqual((run.json["status"], run.json["results"], run.json["total"], run.json["has_more"]), ("ok", [], 0, False))
        run = self.pythia("search", "zeppelin", "--mode", "lexical", code=1)
        self.assertEqual(run.out, "")
        self.assertIn("nothing found for 'zeppelin'", run.err)

    def test_the_same_search_gives_the_same_answer(self):
        first, second = self.search("printer settings"), self.search("printer settings")
        del first["took_ms"], second["took_ms"]
        self.assertEqual(first, second)

    # ---- the envelope ----

    def check_hit(self, hit, explain=False):
        self.assertEqual(set(hit), set(HIT) | ({"explain"} if explain else set()))
        for key, kind in HIT.items():
            self.assertIsInstance(hit[key], kind, key)
        self.assertEqual(hit["uri"], "file://%s/%s" % (self.tree, hit["path"]))
        self.assertEqual(hit["collection"], "tree")
        text = (self.tree / hit["path"]).read_text().split("\n")
        lines = text[hit["start_line"] - 1:hit["end_line"]]
        self.assertEqual(hit["content"].rstrip("\n").split("\n"), lines)

    def test_the_envelope_is_as_promised(self):
        found = self.search("exponential backoff")
        self.assertEqual(set(found), set(ENVELOPE))
        for key, kind in ENVELOPE.items():
            self.assertIsInstance(found[key], kind, key)
        self.assertEqual((found["status"], found["query"], found["mode"]), ("ok", "exponential backoff", "hybrid"))
        self.assertEqual(set(found["coverage"]), {"indexed", "pending", "skipped", "stale", "skimmed", "static"})
        self.assertEqual(found["coverage"]["indexed"], 5)
        self.assertEqual(found["coverage"]["pending"], 0)
        for hit in found["results"]:
            self.check_hit(hit)
            self.assertEqual(hit["freshness"], "fresh")

    def test_explain_adds_up(self):
        for hit in self.search("exponential backoff", "--explain")["results"]:
            self.check_hit(hit, explain=True)
            explain = hit["explain"]
            self.assertEqual(set(explain), {"lexical", "vector", "fused"})
            self.assertTrue(explain["lexical"] or explain["vector"])
            for arm, key in (("lexical", "bm25"), ("vector", "cosine")):
                if explain[arm]:
                    self.assertEqual(set(explain[arm]), {"rank", key})
                    self.assertGreaterEqual(explain[arm]["rank"], 1)
        for hit in self.search("exponential backoff", "--explain", "--fusion", "rrf")["results"]:
            ranks = [arm["rank"] for arm in (hit["explain"]["lexical"], hit["explain"]["vector"]) if arm]
            self.assertAlmostEqual(hit["explain"]["fused"], sum(1 / (60 + r) for r in ranks), places=5)
        text = self.pythia("search", "exponential backoff", "--explain", code=0)
        self.assertRegex(text.out, r"vectors +rank +\d+ +cosine")
        self.assertIn("embed", text.err)

    def test_explained_contributions_sum_to_the_fused_score(self):
        for fusion in ("convex", "rrf"):
            out = self.pythia("search", "exponential backoff", "--explain", "--fusion", fusion, code=0).out
            for block in re.split(r"(?m)^(?! {6})", out):
                gives = [float(x) for x in re.findall(r"gives +([0-9.]+)", block)]
                fused = re.findall(r"fused +([0-9.]+)", block)
                if fused:
                    self.assertAlmostEqual(sum(gives), float(fused[0]), delta=0.0002, msg=block)

    def test_limit_and_has_more(self):
        found = self.search("the", "-m", "2", "--mode", "semantic")
        self.assertEqual(len(found["results"]), 2)
        self.assertTrue(found["has_more"])
        self.assertGreater(found["total"], 2)
        self.assertFalse(self.search("the", "-m", "100", "--mode", "semantic")["has_more"])

    # ---- filters ----

    def test_filters_narrow_before_the_best_are_taken(self):
        query = "exponential backoff"  # best in retry.c, which every filter below leaves out
        self.assertEqual(self.paths(query, "-t", "python", "-m", "1"), ["src/dates.py"])
        self.assertEqual(set(self.paths(query, "-t", "c,python")), {"src/net/retry.c", "src/dates.py"})
        self.assertEqual(set(self.paths(query, "-t", "c", "-t", "python")), {"src/net/retry.c", "src/dates.py"})
        self.assertEqual(self.paths(query, "-g", "*.txt", "-m", "1"), ["docs/soup.txt"])
        self.assertNotIn("src/net/retry.c", self.paths(query, "-g", "!*.c"))
        self.assertEqual(set(self.paths(query, "docs")), {"docs/guide.md", "docs/soup.txt"})
        self.assertEqual(self.paths(query, "docs/soup.txt"), ["docs/soup.txt"])
        self.assertEqual(set(self.paths(query, "docs", "src/dates.py")), {"docs/guide.md", "docs/soup.txt", "src/dates.py"})
        self.assertEqual(self.paths(query, "--min-score", "1", "--mode", "semantic", code=1), [])

    def test_languages_have_the_names_that_people_type(self):
        query = "exponential backoff"
        self.assertEqual(self.paths(query, "-t", "py", "-m", "1"), ["src/dates.py"])
        self.assertEqual(self.paths(query, "-t", "PY", "-m", "1"), ["src/dates.py"])
        self.assertFails(self.pythia("search", "x", "-t", "pyhton"), 2, "pyhton", "python")

    def test_an_unknown_language_lists_the_valid_ones(self):
        run = self.pythia("search", "x", "-t", "klingon")
        self.assertFails(run, 2, "klingon", "python")

    def test_dates_narrow_by_the_files_time(self):
        moment = datetime.datetime(2026, 11, 15, 12, tzinfo=datetime.timezone.utc).timestamp()
        os.utime(self.tree / "docs/soup.txt", (moment, moment))
        self.index()
        every = lambda *a, code=0: self.paths("soup", "--mode", "semantic", "-m", "50", *a, code=code)
        self.assertEqual(every("--since", "2026"), ["docs/soup.txt"])
        self.assertNotIn("docs/soup.txt", every("--until", "2026-10"))
        for inside in ("2026-11-15", "2026-11", "2026", "2026-11-15T12:00Z"):
            self.assertIn("docs/soup.txt", every("--until", inside), inside)
        self.assertNotIn("docs/soup.txt", every("--until", "2026-11-15T11:59Z"))
        self.assertEqual(every("--since", "2026-11-15", "--until", "2026-11-15"), ["docs/soup.txt"])
        self.assertEqual(every("--since", "2026-12", code=1), [])

    def test_from_a_folder_below_the_root(self):
        self.assertEqual(self.paths("exponential backoff", cwd=self.tree / "docs")[0], "src/net/retry.c")
        run = self.pythia("search", "exponential backoff", "-m1", cwd=self.tree / "src" / "net", code=0)
        self.assertTrue(run.out.startswith("retry.c:"), run.out)
        self.assertEqual(self.pythia("search", "basil", "-lm1", cwd=self.tree / "src", code=0).out, "%s/docs/soup.txt\n" % self.tree)

    def test_in_chooses_collections_from_anywhere(self):
        other = self.dir / "other"
        other.mkdir()
        self.write("basil.md", "Basil grows on a sunny window sill.\n", other)
        self.index("--collection", "garden", cwd=other)
        self.assertEqual(self.paths("basil", "--in", "garden", cwd=self.dir), ["basil.md"])
        both = self.search("basil", "--in", "garden", "--in", "tree", "--mode", "lexical", cwd=self.dir)["results"]
        self.assertEqual({(h["collection"], h["path"]) for h in both}, {("garden", "basil.md"), ("tree", "docs/soup.txt")})
        run = self.pythia("search", "basil", "--in", "gardn")
        self.assertFails(run, 3, "'gardn'", "garden")

    def test_outside_of_everything_the_index_command_is_named(self):
        run = self.pythia("search", "basil", cwd=self.dir)
        self.assertFails(run, 3, str(self.dir), "run: pythia index")
        envelope = self.pythia("search", "basil", "--json", cwd=self.dir, code=3).json
        self.assertEqual(envelope["error"]["code"], "no_collection")
        self.assertIn("pythia index", envelope["error"]["fix"])

    # ---- formats ----

    def test_piped_text_is_one_line_a_hit(self):
        run = self.pythia("search", "exponential backoff", "-m", "3", code=0)
        lines = run.out.rstrip("\n").split("\n")
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[0], r"^src/net/retry\.c:1:[01]\.\d\d:/\* Sending again after a failure\. \*/$")
        self.assertRegex(run.err, r"^3 of \d+ hits · [\d.]+ m?s · index 100 %\n$")

    def test_files_vimgrep_jsonl_and_markdown(self):
        self.assertEqual(self.pythia("search", "backoff", "--mode", "lexical", "-l", code=0).out, "src/net/retry.c\n")
        self.assertEqual(self.pythia("search", "backoff", "--mode", "lexical", "-l0", code=0).out, "src/net/retry.c\0")
        self.assertEqual(self.pythia("search", "backoff", "--mode", "lexical", "--format", "files", code=0).out, "src/net/retry.c\n")
        out = self.pythia("search", "random_jitter", "--mode", "lexical", "--format", "vimgrep", code=0).out
        self.assertEqual(out, "src/net/retry.c:8:27:    b->due = now + wait + random_jitter(wait / 4);\n")
        lines = self.pythia("search", "parse a date", "--jsonl", code=0).out.rstrip("\n").split("\n")
        self.assertEqual([json.loads(line) for line in lines], self.search("parse a date")["results"])
        page = self.pythia("search", "parse_iso8601", "--mode", "lexical", "--format", "md", code=0).out
        self.assertRegex(page, r"^### src/dates\.py:1-\d+ `parse_iso8601` \([01]\.\d\d\)\n\n```python\n")
        self.assertIn('def parse_iso8601(text):\n', page)

    def test_a_markdown_fence_cannot_be_closed_by_the_content(self):
        self.write("fence.md", "Fences\n```sh\nzeppelin\n```\nand `````five`````\n")
        self.index()
        page = self.pythia("search", "zeppelin", "--mode", "lexical", "--format", "md", code=0).out
        self.assertIn("\n``````markdown\n", page)

    def test_context_shows_lines_around_the_best_one(self):
        hit = self.search("random_jitter", "--mode", "lexical", "-C", "1")["results"][0]
        self.assertEqual((hit["start_line"], hit["end_line"]), (7, 9))
        self.assertIn("random_jitter", hit["content"])
        hit = self.search("random_jitter", "--mode", "lexical", "-B", "2", "-A", "0")["results"][0]
        self.assertEqual((hit["start_line"], hit["end_line"]), (6, 8))
        hit = self.search("random_jitter", "--mode", "lexical", "-C", "5000")["results"][0]
        self.assertEqual((hit["start_line"], hit["end_line"]), (1, 10))
        out = self.pythia("search", "random_jitter", "--mode", "lexical", "-C1", code=0).out
        self.assertIn("src/net/retry.c-8-    b->due", out)

    def test_context_reaches_beyond_the_chunk(self):
        lines = ["value_%03d = compute(%d)  # filler so that the file is cut into several chunks" % (i, i) for i in range(200)]
        lines[100] = "zeppelin = airship()"
        self.write("long.py", "\n".join(lines) + "\n")
        self.index()
        hit = self.search("zeppelin", "--mode", "lexical", "-C", "60")["results"][0]
        self.assertEqual((hit["start_line"], hit["end_line"]), (41, 161))
        self.assertEqual(hit["content"].rstrip("\n").split("\n"), lines[40:161])

    def test_max_tokens_stops_the_output_and_says_so(self):
        run = self.pythia("search", "parse a date", "--format", "md", "--max-tokens", "60", code=0)
        self.assertLessEqual(len(run.out), 60 * 4 + 80)
        self.assertIn("stopped at about 60 tokens", run.err)
        found = self.search("parse a date", "--max-tokens", "150")
        self.assertTrue(found["has_more"])
        self.assertTrue(found["results"])
        for hit in found["results"]:
            lines = (self.tree / hit["path"]).read_text().split("\n")[hit["start_line"] - 1:hit["end_line"]]
            self.assertTrue("\n".join(lines).startswith(hit["content"].rstrip("\n")), hit)

    def test_a_deadline_is_kept_or_told(self):
        run = self.pythia("search", "parse a date", "--deadline", "1ms", "--json")
        self.assertIn(run.code, (0, 124))
        if run.code == 124:
            self.assertEqual(run.json["error"]["code"], "deadline")
        self.search("parse a date", "--deadline", "1h")

    # ---- freshness ----

    def freshness(self, query="random_jitter"):
        hit = self.search(query, "--mode", "lexical")["results"][0]
        return hit["freshness"], hit["start_line"], hit["content"]

    def test_freshness_is_checked_against_the_live_file(self):
        path = self.tree / "src/net/retry.c"
        text = path.read_text()
        self.assertEqual(self.freshness()[:2], ("fresh", 1))
        path.write_text("// one\n// two\n" + text)
        fresh, line, content = self.freshness()
        self.assertEqual((fresh, line), ("moved", 3))
        self.assertEqual(content.rstrip("\n"), text.rstrip("\n"))
        path.write_text(text.replace("random_jitter", "deterministic_jitter"))
        self.assertEqual(self.freshness()[0], "changed")
        path.unlink()
        fresh, _, content = self.freshness()
        self.assertEqual((fresh, content), ("gone", ""))
        self.assertEqual(self.search("random_jitter", "--mode", "lexical")["coverage"]["stale"], 1)
        out = self.pythia("search", "random_jitter", "--mode", "lexical", "--color", "always", code=0).out
        self.assertIn("gone", out)
        self.index()
        self.search("random_jitter", "--mode", "lexical", code=1)

    # ---- get ----

    def test_get_in_every_form(self):
        text = (self.tree / "src/dates.py").read_text()
        lines = text.split("\n")
        self.assertEqual(self.pythia("get", "src/dates.py", code=0).out, text)
        self.assertEqual(self.pythia("get", "src/dates.py:5", code=0).out, lines[4] + "\n")
        self.assertEqual(self.pythia("get", "src/dates.py:5:2", code=0).out, "\n".join(lines[4:6]) + "\n")
        self.assertEqual(self.pythia("get", "dates.py:5", cwd=self.tree / "src", code=0).out, lines[4] + "\n")
        self.assertEqual(self.pythia("get", str(self.tree / "src/dates.py") + ":5", cwd=self.dir, code=0).out, lines[4] + "\n")
        hit = self.search("parse_iso8601", "--mode", "lexical")["results"][0]
        for spelling in (hit["id"], "#" + hit["id"]):
            got = self.pythia("get", spelling, "--json", code=0).json["results"][0]
            self.assertEqual((got["content"], got["start_line"], got["end_line"], got["freshness"]),
                             (hit["content"], hit["start_line"], hit["end_line"], "fresh"))
        self.assertEqual(self.pythia("get", "docs/soup.txt", "--in", "tree", cwd=self.dir, code=0).out,
                         (self.tree / "docs/soup.txt").read_text())

    def test_get_of_what_is_not_there(self):
        self.assertFails(self.pythia("get", "nope.c"), 3, "'nope.c'")
        self.assertFails(self.pythia("get", "#zzzzzz"), 3, "zzzzzz")
        self.assertFails(self.pythia("get", "src/dates.py#nope"), 3, "'nope'")
        self.assertFails(self.pythia("get", "src/dates.py:500"), 3, "500")
        self.assertFails(self.pythia("get", "/etc/passwd"), 3, "/etc/passwd", "pythia index")

    def test_several_at_once_and_one_missing_is_partly_done(self):
        run = self.pythia("get", "docs/soup.txt", "nope.c", "src/dates.py:1", code=9)
        self.assertIn("==> docs/soup.txt:1-1 <==", run.out)
        self.assertIn('"""Dates as text."""', run.out)
        self.assertIn("nope.c", run.err)
        run = self.pythia("get", "docs/soup.txt", "src/dates.py:1", "--json", code=0)
        self.assertEqual(len(run.json["results"]), 2)

    # ---- hostile content ----

    def test_content_cannot_drive_a_terminal_in_any_human_format(self):
        evil = "zeppelin \x1b[2J\x1b]0;owned\x07 \x9b31m \u202e reversed \u2066 \U000e0041 \x7f \x08\n"
        self.write("evil.txt", evil.encode() + b"zeppelin \xff\xfe ill-formed \xc2\x9b31m\n")
        self.index()
        for args in ([], ["--format", "md"], ["--format", "vimgrep"], ["-C", "1"], ["--full"], ["--color", "never"], ["--json"],
                     ["--jsonl"]):
            out = self.pythia("search", "zeppelin", "--mode", "lexical", *args, code=0, binary=True).out
            self.assertNotIn(b"\x1b", out, args)
            self.assertNotIn(b"\x07", out, args)
            self.assertNotIn(b"\x08", out, args)
            self.assertNotIn(b"\x7f", out, args)
            self.assertNotIn(b"\xc2\x9b", out, args)
            if "json" not in "".join(args):
                self.assertNotIn("\u202e".encode(), out, args)
                self.assertNotIn("\u2066".encode(), out, args)
                self.assertNotIn("\U000e0041".encode(), out, args)
                out.decode("utf-8")
        hit = self.search("zeppelin", "--mode", "lexical")["results"][0]
        self.assertTrue(hit["content"].startswith(evil), ascii(hit["content"]))


if __name__ == "__main__":
    main()
