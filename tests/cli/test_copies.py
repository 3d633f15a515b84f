"""Hits of the same text, or nearly the same, are one with its other places; over every door, and not where each place is wanted."""
import json
import re

from harness import TREE, PythiaTest, main

NAME = "src/net/retry.c"
COPIES = {
    "vendor/one/retry.c": TREE[NAME],
    "branch/retry.c": TREE[NAME].replace("    ", "\t"),
    "fork/retry.c": TREE[NAME].replace("/* Sending again after a failure. */", "/* Sending again after some failure. */"),
}
QUERY = "wait exponentially longer after each failed attempt"


class Copies(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.make_tree(COPIES)
        self.index()

    def retries(self, reply):
        return [hit for hit in reply["results"] if hit["path"].endswith("retry.c")]

    def test_copies_stand_with_the_hit_that_comes_first(self):
        apart = self.retries(self.search(QUERY, "--no-collapse"))
        self.assertEqual({hit["path"] for hit in apart}, {NAME, *COPIES})
        self.assertFalse(any("copies" in hit for hit in apart))
        reply = self.search(QUERY)
        [hit] = self.retries(reply)
        self.assertEqual((hit["id"], hit["path"]), (apart[0]["id"], apart[0]["path"]))
        self.assertEqual([c["id"] for c in hit["copies"]], [h["id"] for h in apart[1:]])
        for copy, other in zip(hit["copies"], apart[1:]):
            self.assertEqual(set(copy), {"id", "uri", "path", "collection", "start_line", "end_line", "likeness"})
            for key in ("uri", "path", "collection", "start_line", "end_line"):
                self.assertEqual(copy[key], other[key])
        likeness = {c["path"]: c["likeness"] for c in hit["copies"] + [{"path": hit["path"], "likeness": 1}]}
        self.assertEqual({likeness[NAME], likeness["vendor/one/retry.c"]}, {1})
        self.assertTrue(0.8 <= likeness["fork/retry.c"] < 1 or hit["path"] == "fork/retry.c", likeness)
        self.assertNotIn("more_copies", hit)
        self.assertEqual(reply["total"], self.search(QUERY, "--no-collapse")["total"] - 3)

    def test_the_places_of_copies_go_to_the_next(self):
        self.assertEqual(len(self.retries(self.search(QUERY, "--limit", "2", "--no-collapse"))), 2)
        self.assertEqual(len(self.retries(self.search(QUERY, "--limit", "2"))), 1)
        self.assertEqual(len(self.search(QUERY, "--limit", "2")["results"]), 2)

    def test_copies_in_another_collection_are_copies_too(self):
        other = self.dir / "other"
        self.write("again.c", TREE[NAME], root=other)
        self.index(str(other))
        [hit] = self.retries(self.search(QUERY, "--in", "tree", "--in", "other"))[:1]
        self.assertIn(("other", "again.c"), [(c["collection"], c["path"]) for c in hit["copies"] + [hit]])

    def test_text_and_markdown_name_the_places(self):
        run = self.pythia("search", QUERY, "--color", "always", code=0)
        plain = re.sub(r"\x1b\][^\x1b]*\x1b\\|\x1b\[[0-9;]*m", "", run.out)
        self.assertRegex(plain, r"   also in \S+retry.c:\d+-\d+( \(\d+ % alike\))?, \S+retry.c")
        self.assertIn(" · 3 copies elsewhere", run.err)
        self.assertNotIn("also in", self.pythia("search", QUERY, "--color", "always", "--no-collapse", code=0).out)
        self.assertRegex(self.pythia("search", QUERY, "--format", "md", code=0).out, r"\nalso in \S+retry.c:\d+-\d+")

    def test_lists_of_places_have_them_all(self):
        for args in (["-l"], ["--format", "vimgrep"]):
            lines = self.pythia("search", QUERY, *args, code=0).out.splitlines()
            self.assertEqual({line.split(":")[0] for line in lines if "retry.c" in line}, {NAME, *COPIES})
        ids = [hit["path"] for hit in self.pythia("similar", NAME + ":5", "--json", code=0).json["results"]]
        self.assertTrue(set(COPIES) <= set(ids), ids)

    def test_it_can_be_turned_off_for_good_and_by_request(self):
        env = {"PYTHIA_SEARCH_COLLAPSE": "false"}
        self.assertEqual(len(self.retries(self.search(QUERY, env=env))), 4)

        def over_mcp(env, **arguments):
            return self.retries(self.agent("search", {"query": QUERY, **arguments}, env))

        self.assertEqual(len(over_mcp({})), 1)
        self.assertEqual(len(over_mcp({})[0]["copies"]), 3)
        self.assertEqual(len(over_mcp({}, collapse=False)), 4)
        self.assertEqual(len(over_mcp(env)), 4)
        self.assertEqual(len(over_mcp(env, collapse=True)), 1)

        talk = {"jsonrpc": "2.0", "id": 1, "method": "search", "params": {"query": QUERY, "collapse": False}}
        run = self.pythia("serve", "--stdio", stdin=(json.dumps(talk) + "\n").encode(), code=0)
        self.assertEqual(len(self.retries(json.loads(run.out.splitlines()[-1])["result"])), 4)

    def test_a_copy_that_changed_is_a_hit_that_says_so(self):
        self.write("vendor/one/retry.c", "/* all new */\n")
        hits = self.retries(self.search(QUERY))
        self.assertEqual(len(hits), 2)
        self.assertEqual(sorted(hit["freshness"] for hit in hits), ["changed", "fresh"])

    def test_full_hits_of_copied_symbols_are_one(self):
        hits = self.retries(self.search("backoff_next", "--full"))
        self.assertEqual(len([hit for hit in hits if hit["symbol"] == "backoff_next"]), 1)


if __name__ == "__main__":
    main()
