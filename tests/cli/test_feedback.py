"""Feedback: what became of hits is kept, listed, forgotten, and asked again by `eval init --from feedback`."""
import json
import unittest

from harness import main
from server import ServeTest


class Feedback(ServeTest):
    def setUp(self):
        self.indexed = False
        super().setUp()
        self.make_tree()
        self.index()

    def add(self, *args, code=0, **how):
        return self.pythia("feedback", "add", *args, code=code, **how)

    def rows(self, *args):
        return [(r["query"], r["path"], r["verdict"]) for r in self.pythia("feedback", "list", *args, "--json", code=0).json["feedback"]]

    def test_it_is_kept_listed_and_forgotten(self):
        hit = self.search("retry", "-m", "1")["results"][0]
        self.assertIn("kept as useful: 1", self.add("how to retry", "#" + hit["id"]).err)
        self.add("soup", "docs/soup.txt", "docs/guide.md:5", "--verdict", "clicked")
        self.assertEqual(self.rows(), [("soup", "docs/guide.md", "clicked"), ("soup", "docs/soup.txt", "clicked"),
                                       ("how to retry", hit["path"], "useful")])
        self.assertEqual(self.rows("-m", "1"), self.rows()[:1])
        self.assertIn("docs/soup.txt:1", self.pythia("feedback", code=0).out)
        self.assertFails(self.add(" ", "docs/soup.txt", code=2), 2, "wants the query")
        self.assertFails(self.add("x" * 5000, "docs/soup.txt", code=2), 2, "5000 bytes is too long")
        self.assertFails(self.add("soup", "docs/none.txt", code=3), 3, "none.txt")
        self.assertFails(self.add("soup", "docs/soup.txt", "--verdict", "nice", code=2), 2, "clicked, useful, useless")
        self.assertEqual(self.pythia("feedback", "clear", "--json", code=0).json["removed"], 3)
        self.assertEqual(self.rows(), [])
        self.add("soup", "docs/soup.txt")
        self.pythia("collection", "rm", "tree", "--yes", code=0)  # its feedback goes with it
        self.index()
        self.assertEqual(self.rows(), [])

    def test_what_was_useful_is_asked_again(self):
        self.add("wait longer", "src/net/retry.c:5", "--verdict", "clicked")
        self.add("wait longer", "src/net/retry.c:5", "--verdict", "useful")
        self.add("wait longer", "docs/soup.txt", "--verdict", "clicked")
        self.add("wait longer", "docs/guide.md:5", "--verdict", "useful")
        self.add("wait longer", "docs/guide.md:5", "--verdict", "useless")  # what was said last counts
        self.add("nothing good", "docs/soup.txt", "--verdict", "useless")
        self.write("src/net/retry.c", "\n\n" + (self.tree / "src/net/retry.c").read_text())
        self.index()
        made = self.pythia("eval", "init", str(self.dir / "set"), "--from", "feedback", "--json", code=0).json
        self.assertEqual(made["queries"], {"docstring": 0, "heading": 0, "commit": 0, "feedback": 1})
        self.assertEqual(json.loads((self.dir / "set" / "queries.jsonl").read_text())["text"], "wait longer")
        grades = [line.split("\t")[1:] for line in (self.dir / "set" / "qrels.tsv").read_text().splitlines()]
        self.assertEqual({(place.split(":")[0], grade) for place, grade in grades}, {("src/net/retry.c", "2"), ("docs/soup.txt", "1")})

    def test_over_http(self):
        self.serve()
        self.wait_ready()
        hit = self.ok(self.post("/v1/search", {"query": "tomato soup", "limit": 1}))["results"][0]
        self.ok(self.post("/v1/feedback", {"query": "tomato soup", "id": hit["id"], "verdict": "clicked"}))
        self.ok(self.post("/v1/feedback", {"query": "tomato soup", "id": "#" + hit["id"]}))
        rows = self.ok(self.call("GET", "/v1/feedback?collection=tree"))["feedback"]
        self.assertEqual([(r["query"], r["path"], r["verdict"]) for r in rows],
                         [("tomato soup", "docs/soup.txt", "useful"), ("tomato soup", "docs/soup.txt", "clicked")])
        self.refused(self.post("/v1/feedback", {"query": "x", "id": "/etc/passwd"}), 400, "'id' is no hit's: '/etc/passwd'")
        self.refused(self.post("/v1/feedback", {"query": "x", "id": "kzzzzz"}), 404)
        self.refused(self.post("/v1/feedback", {"query": "x", "id": hit["id"], "verdict": "nice"}), 400, "clicked")
        self.refused(self.post("/v1/feedback", {"id": hit["id"]}), 400, "query")
        self.refused(self.call("GET", "/v1/feedback"), 400, "collection")


if __name__ == "__main__":
    main()
