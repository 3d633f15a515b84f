"""Operators in a query, and exact names: the same through every mode."""
import os
import unittest

from harness import PythiaTest, main


class Query(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.write("src/net/retry.py", "def backoff_next(attempt):\n    \"\"\"How long to wait before trying again.\"\"\"\n"
                                       "    return 2 ** attempt\n")
        self.write("notes/backoff.md", "# Backoff\n\nbackoff_next is spoken of here: backoff_next, backoff_next and backoff_next "
                                       "again, for who waits longer after each failed attempt.\n")
        self.age()
        self.index()

    def found(self, query, *args, code=0):
        return sorted(set(self.paths(query, *args, code=code)))

    def test_lang_path_file_and_kind_narrow_like_the_flags(self):
        self.assertEqual(self.found("backoff lang:py"), ["src/dates.py", "src/net/retry.py"])
        self.assertNotIn("src/net/retry.py", self.found("backoff -lang:python"))
        self.assertEqual(self.found("backoff path:net"), ["src/net/retry.c", "src/net/retry.py"])
        self.assertEqual(self.found("backoff path:net file:*.c"), ["src/net/retry.c"])
        self.assertEqual(self.found("backoff -path:src file:*.md"), ["docs/guide.md", "notes/backoff.md"])
        self.assertEqual(self.found("backoff kind:function lang:c"), ["src/net/retry.c"])
        self.assertEqual(self.found("backoff path:net", "-t", "c"), ["src/net/retry.c"])  # both must let it pass
        self.assertFails(self.pythia("search", "backoff lang:klingon"), 2, "klingon")

    def test_words_that_must_and_must_not_stand_hold_in_every_mode(self):
        for mode in ("hybrid", "semantic", "lexical"):
            wanted = self.found("waiting longer before the next attempt +ceiling", "--mode", mode)
            self.assertEqual(wanted, ["src/net/retry.c"], mode)
            self.assertEqual(self.found('attempt "failed attempt"', "--mode", mode), ["notes/backoff.md", "src/net/retry.c"], mode)
            left = self.found("wait for the next attempt -ceiling", "--mode", mode)
            self.assertNotIn("src/net/retry.c", left, mode)
            self.assertIn("src/net/retry.py", left, mode)

    def test_the_definition_of_an_exact_name_comes_first(self):
        for query in ("backoff_next", "backoff_next()", "where is `backoff_next` defined", "sym:backoff_next"):
            for mode in ("hybrid", "lexical"):
                hits = self.search(query, "--mode", mode)["results"]
                first = [hit["path"] for hit in hits[:2]]
                self.assertEqual(sorted(first), ["src/net/retry.c", "src/net/retry.py"], (query, mode))
                self.assertGreaterEqual(hits[1]["score"], 0.87)
        self.assertEqual(self.paths("backoff_next lang:c")[0], "src/net/retry.c")
        self.assertEqual(self.found("wait sym:backoff_next"), ["src/net/retry.c", "src/net/retry.py"])

    def test_explain_tells_of_the_name_and_adds_up(self):
        run = self.pythia("search", "backoff_next", "--explain", "--limit", "1", code=0)
        self.assertIn("defines what is asked for  gives  1.0000", run.out)
        hit = self.search("backoff_next", "--explain", "--limit", "1")["results"][0]
        self.assertEqual(hit["explain"]["named"], 1)
        self.assertGreater(hit["explain"]["fused"], 1)

    def test_in_and_dates(self):
        other = self.dir / "other"
        other.mkdir()
        (other / "new.txt").write_text("the backoff of the other collection\n")
        self.index("--collection", "other", str(other))
        self.assertEqual(self.found("backoff in:other"), ["new.txt"])
        self.assertIn("new.txt", self.found("backoff in:other in:tree"))
        self.assertFails(self.pythia("search", "backoff in:nowhere"), 3, "nowhere")
        os.utime(self.tree / "docs/soup.txt", (1.7e9, 1.7e9))  # 2023-11-14
        self.index()
        self.assertEqual(self.found("soup date>=2023"), ["docs/soup.txt"])
        self.assertNotIn("docs/soup.txt", self.found("soup date<2023-11-14"))
        self.assertEqual(self.found("soup date:2023-11"), ["docs/soup.txt"])
        self.assertFails(self.pythia("search", "soup date>soon"), 2, "soon")

    def test_a_regular_expression_finds_the_lines_that_match(self):
        hits = self.search(r"random_\w+\(", "--mode", "regex")["results"]
        self.assertEqual([(h["path"], h["start_line"], h["end_line"], h["score"]) for h in hits], [("src/net/retry.c", 8, 8, 1)])
        self.assertIn("random_jitter(wait / 4)", hits[0]["content"])
        run = self.pythia("search", "--mode", "regex", r"^def \w+\(", code=0)
        self.assertEqual(sorted(line.split(":")[0] for line in run.out.splitlines()), ["src/dates.py", "src/net/retry.py"])
        self.assertEqual(self.found("(?i)TOMATO", "--mode", "regex"), ["docs/soup.txt"])
        self.assertEqual(self.found("backoff_next", "--mode", "regex", "-t", "c"), ["src/net/retry.c"])
        self.assertEqual(self.found("wait lang:c", "--mode", "regex", code=1), [])  # an expression has no operators
        whole = self.search(r"fromisoformat", "--mode", "regex", "--full")["results"][0]
        self.assertIn("def parse_iso8601", whole["content"])
        self.write("docs/soup.txt", "A new line.\n" + (self.tree / "docs/soup.txt").read_text())
        moved = self.search("tomatoes and basil", "--mode", "regex")["results"][0]
        self.assertEqual((moved["freshness"], moved["start_line"]), ("moved", 2))

    def test_expressions_that_are_none_or_explode_are_told(self):
        self.assertFails(self.pythia("search", "--mode", "regex", "(open"), 2, "(open", "missing closing parenthesis", "at byte 5")
        self.write("long.txt", "a" * 3000 + "!\n")
        self.index()
        run = self.pythia("search", "--mode", "regex", "(a|aa|a+)+$", code=2)
        self.assertIn("takes too many steps at long.txt:1", run.err)

    def test_operators_alone_are_refused(self):
        for query in ("lang:c", "-soup", "date>2020", "lang:c -soup"):
            self.assertFails(self.pythia("search", "--", query), 2, query, "add words to look for")


if __name__ == "__main__":
    main()
