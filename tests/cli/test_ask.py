"""`pythia ask`: an answer is quoted from its sources word for word, or there is none and it says why."""
import unittest

from harness import PythiaTest, main


class Ask(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.age()
        self.index()

    def ask(self, *args, code=0):
        return self.pythia("ask", *args, "--json", code=code).json

    def test_the_sentence_that_answers_is_quoted_with_its_place(self):
        run = self.pythia("ask", "how many sheets does the paper tray take?", code=0)
        self.assertIn("The paper tray takes fifty sheets. [1]", run.out)
        self.assertIn("[1] docs/guide.md:5", run.out)
        self.assertRegex(run.err, r"confidence 0\.\d\d · \d of \d hits quoted · \d+ ms")
        run = self.pythia("ask", "how", "long", "does", "the", "soup", "simmer", code=0)  # no quotes needed
        self.assertIn("twenty minutes", run.out)

    def test_every_citation_stands_in_its_file(self):
        for question in ("what is in the tomato soup?", "how does backoff_next wait?", "parse a date with a Z at its end"):
            reply = self.ask(question)
            self.assertFalse(reply["abstained"], question)
            self.assertEqual(reply["writer"], "extractive")
            self.assertTrue(reply["citations"])
            for c in reply["citations"]:
                source = reply["sources"][c["source"] - 1]
                lines = (self.tree / source["path"]).read_text().splitlines()
                self.assertIn(c["quote"], "\n".join(lines[c["start_line"] - 1:c["end_line"]]), question)
                self.assertIn("%s [%d]" % (c["quote"], c["source"]), reply["answer"])

    def test_what_the_folder_does_not_know_is_not_answered(self):
        run = self.pythia("ask", "who won the chess championship of 1972?", code=1)
        self.assertEqual(run.out, "")
        self.assertIn("searched 5 documents; the best hits do not answer it", run.err)
        self.assertIn("nearest: ", run.err)
        reply = self.ask("who won the chess championship of 1972?", code=1)
        self.assertEqual((reply["status"], reply["abstained"], reply["answer"]), ("ok", True, None))
        self.assertLess(reply["confidence"], 0.4)
        self.assertTrue(reply["citations"])  # the nearest miss

    def test_the_threshold_is_the_askers(self):
        self.ask("who won the chess championship of 1972?", "--abstain", "0")
        self.ask("how many sheets does the paper tray take?", "--abstain", "1", code=1)
        self.assertFails(self.pythia("ask", "soup", "--abstain", "2"), 2, "abstain")

    def test_operators_and_flags_narrow_what_is_read(self):
        reply = self.ask("how many sheets does the paper tray take? -file:guide.md", code=1)
        self.assertNotIn("docs/guide.md", [s["path"] for s in reply["sources"]])
        reply = self.ask("how long does it wait", "-t", "c", "--abstain", "0")
        self.assertEqual({s["path"] for s in reply["sources"]}, {"src/net/retry.c"})
        self.assertFails(self.pythia("ask", " "), 2, "the question is empty")

    def test_explain_names_what_the_confidence_was_made_of(self):
        reply = self.ask("how long does the soup simmer?", "--explain")
        measures = {"share", "cosine", "span_share", "span_cosine", "expected", "margin", "denied", "opposed", "held", "lead", "gap", "numbers", "names"}
        self.assertEqual(set(reply["evidence"]), measures)
        self.assertEqual(reply["read"][0], "docs/soup.txt")

    def test_sources_only_and_a_collection_without_vectors(self):
        run = self.pythia("ask", "--sources-only", "how long does the soup simmer?", code=0)
        self.assertEqual(run.out, "[1] docs/soup.txt:1\n")
        env = {"PYTHIA_HOME": str(self.new_home(self.dir / "words"))}
        self.index("--lex-only", env=env)
        run = self.pythia("ask", "how long does the tomato soup simmer", "--abstain", "0", env=env, code=0)
        self.assertIn("twenty minutes", run.out)


if __name__ == "__main__":
    main()
