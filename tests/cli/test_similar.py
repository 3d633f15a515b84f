"""`pythia similar`: nearest neighbours of a hit or a place, on the command line and over HTTP; symbols over HTTP."""
from harness import main
from server import ServeTest

FILES = {
    "soup.md": "# Tomato soup\n\nFry an onion in olive oil, add ripe tomatoes and simmer for twenty minutes.\n",
    "stew.md": "# Vegetable stew\n\nCook carrots, onions and potatoes slowly in broth until they are soft.\n",
    "retry.py": '"""Sending again."""\n\n\ndef backoff_next(attempt):\n    """Wait twice as long after each failure."""\n    return 2 ** attempt\n\n\n'
                "def send(request):\n    return backoff_next(request.attempt)\n",
    "two.md": "# Printers\n\n%s\n\n# Broth\n\nBoil the bones with onions and carrots for three hours, then strain the soup.\n" %
              ("The paper tray of the printer takes fifty sheets. " * 40),
}


class Similar(ServeTest):
    def setUp(self):
        self.indexed = False
        super().setUp()
        self.make_tree(FILES)
        self.index()

    def similar(self, what, *args, code=0, **how):
        return self.pythia("similar", what, "--json", *args, code=code, **how).json

    def test_places_and_hits_have_neighbours_and_are_none_themselves(self):
        reply = self.similar("soup.md")
        self.assertEqual((reply["mode"], reply["query"]), ("similar", "soup.md"))
        paths = [h["path"] for h in reply["results"]]
        self.assertNotIn("soup.md", paths)
        self.assertIn(paths[0], ("stew.md", "two.md"))
        scores = [h["score"] for h in reply["results"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        hit = self.search("tomato soup", "-m", "1")["results"][0]
        self.assertEqual([h["path"] for h in self.similar("#" + hit["id"])["results"]], paths)
        self.assertEqual([h["id"] for h in self.similar(hit["id"], "-m", "1")["results"]], [reply["results"][0]["id"]])
        self.assertEqual(self.similar(hit["id"], "-m", "1")["total"], reply["total"])

    def test_a_line_chooses_the_chunk(self):
        text = (self.tree / "two.md").read_text().splitlines()
        line = text.index("# Broth") + 1
        self.assertIn(self.similar("two.md:%d" % line, "-m", "1")["results"][0]["path"], ("soup.md", "stew.md"))
        hits = self.similar("two.md:3")["results"]
        self.assertEqual(hits[0]["path"], "two.md")  # another part about printers

    def test_filters_narrow_and_scores_bound(self):
        self.assertEqual({h["path"] for h in self.similar("soup.md", "-t", "python")["results"]}, {"retry.py"})
        self.assertEqual([h["path"] for h in self.similar("soup.md", "-g", "stew*")["results"]], ["stew.md"])
        self.similar("soup.md", "--min-score", "0.99", code=1)

    def test_it_is_of_the_text_as_it_is_now(self):
        self.write("soup.md", "# Printing\n\nThe paper tray of the printer takes fifty sheets.\n")
        self.assertEqual(self.similar("soup.md", "-m", "1")["results"][0]["path"], "two.md")
        (self.tree / "soup.md").unlink()
        self.assertFails(self.pythia("similar", "soup.md"), 3, "soup.md")

    def test_put_documents_and_other_collections(self):
        self.pythia("add", "--name", "borscht.txt", "-", stdin=b"Beetroot soup with cabbage, simmered for an hour.", code=0)
        self.assertEqual([h["path"] for h in self.similar("borscht.txt", "--in", "documents", code=1)["results"]], [])
        hits = self.similar("borscht.txt", "--in", "documents", "--in", "tree")["results"]
        self.assertIn(hits[0]["path"], ("soup.md", "stew.md", "two.md"))

    def test_what_cannot_be(self):
        self.assertFails(self.pythia("similar", "none.md"), 3, "none.md")
        self.assertFails(self.pythia("similar", "#k00000"), 3)
        self.assertFails(self.pythia("similar", "soup.md", "--mode", "lexical"), 2, "unknown flag '--mode'")
        self.write("empty.md", "\n")
        self.write("lex/words.md", "# Words only\n\nabout parsnips\n")
        self.index("lex", "--collection", "lex", "--lex-only")
        self.assertFails(self.pythia("similar", "lex/words.md"), 3, "has no vectors", "pythia index --collection 'lex'")

    def test_compact_collections_too(self):
        self.index("--force", "--index", "compact")
        self.assertIn(self.similar("soup.md")["results"][0]["path"], ("stew.md", "two.md"))


class Served(Similar):
    """The same over HTTP."""
    test_places_and_hits_have_neighbours_and_are_none_themselves = None
    test_a_line_chooses_the_chunk = None
    test_filters_narrow_and_scores_bound = None
    test_it_is_of_the_text_as_it_is_now = None
    test_put_documents_and_other_collections = None
    test_what_cannot_be = None
    test_compact_collections_too = None

    def test_similar_is_the_command_lines_envelope(self):
        self.serve()
        self.wait_ready()
        by_cli = self.similar("soup.md")
        by_http = self.ok(self.post("/v1/similar", {"path": "soup.md"}))
        for envelope in (by_cli, by_http):
            del envelope["took_ms"], envelope["query"]
        self.assertEqual(by_cli, by_http)
        hit = self.ok(self.post("/v1/search", {"query": "tomato", "limit": 1}))["results"][0]
        reply = self.ok(self.post("/v1/similar", {"id": hit["id"], "limit": 2, "filters": {"lang": "markdown"}}))
        self.assertEqual((reply["mode"], {h["lang"] for h in reply["results"]}), ("similar", {"markdown"}))
        self.refused(self.post("/v1/similar", {}), 400, "either 'id' or 'path'")
        self.refused(self.post("/v1/similar", {"path": "/etc/passwd"}), 404)
        self.refused(self.post("/v1/similar", {"id": "kzzzzz"}), 404)

    def test_symbols_of_files_and_names(self):
        self.serve()
        self.wait_ready()
        outline = self.ok(self.post("/v1/symbols", {"path": "retry.py"}))
        self.assertEqual([s["symbol"] for s in outline["results"]], ["backoff_next", "send"])
        self.assertEqual(outline["mode"], "file")
        reply = self.ok(self.post("/v1/symbols", {"name": "backoff_next", "references": True, "kind": "function"}))
        self.assertEqual((reply["total"], reply["total_references"], reply["references"][0]["line"]), (1, 1, 10))
        reply = self.ok(self.post("/v1/symbols", {"name": "backoff_next(n)", "usages": True}))
        self.assertEqual([(u["count"], u["arguments"], u["examples"][0]["line"]) for u in reply["usages"]], [(1, 1, 10)])
        self.assertEqual(self.ok(self.post("/v1/symbols", {"name": "backoff_next()", "usages": True}))["total_usages"], 0)
        self.refused(self.post("/v1/symbols", {"path": "retry.py", "usages": True}), 400, "'references' and 'usages' are of a 'name'")
        self.assertEqual(self.ok(self.post("/v1/symbols", {"name": "nowhere"}))["total"], 0)
        self.refused(self.post("/v1/symbols", {"name": "x", "path": "retry.py"}), 400, "either 'name' or 'path'")
        self.refused(self.post("/v1/symbols", {"path": "../outside.py"}), 404)
        self.refused(self.post("/v1/symbols", {"name": "/etc/passwd"}), 400, "give 'path'")
        self.assertEqual(self.ok(self.post("/v1/search", {"query": "backoff", "mode": "symbol"}))["results"][0]["symbol"], "backoff_next")

    def test_openapi_names_what_they_reply(self):
        self.serve()
        paths = self.ok(self.call("GET", "/openapi.json"))["paths"]

        def members(path):
            return paths[path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]

        self.assertIn("recomputed", members("/v1/search"))
        self.assertIn("recomputed", members("/v1/similar"))
        self.assertLessEqual({"results", "references", "total_references", "usages", "total_usages", "stale"}, set(members("/v1/symbols")))

    def test_runs_are_shown_and_cancelled_by_their_rows(self):
        self.serve()
        runs = self.ok(self.call("GET", "/v1/runs"))["runs"]
        self.assertEqual(self.ok(self.call("GET", "/v1/runs/%d" % runs[0]["id"]))["run"], runs[0])
        self.assertEqual(self.refused(self.call("GET", "/v1/runs/999"), 404, "999")["fix"], "GET /v1/runs")
        self.refused(self.call("DELETE", "/v1/runs/999"), 404, "999")
        self.refused(self.call("DELETE", "/v1/runs/%d" % runs[0]["id"]), 400, "is over: succeeded")


if __name__ == "__main__":
    main()
