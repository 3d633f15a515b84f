"""Which numbers a collection is made in, and that its queries are made in the same. Weights are packed for a precision when
it is first used, into a file beside the model: that file tells what ran."""
import unittest

from harness import PythiaTest

QUERY = "exponential backoff after a failure"
EXACT = ("--config", "model.precision=exact")


class Precision(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()

    def packed(self, kind):
        return sorted((self.home / "models").glob(f"*-{kind}.packed"))

    def test_a_new_collection_is_made_in_fast_precision_and_asked_in_it(self):
        self.index()
        self.assertEqual(len(self.packed("int8")), 1)
        self.assertEqual(self.paths(QUERY, "--mode", "semantic")[0], "src/net/retry.c")
        self.assertEqual(self.packed("bf16"), [])

    def test_a_collection_keeps_the_precision_that_it_was_made_in(self):
        self.index(*EXACT)
        self.assertEqual(self.packed("int8"), [])
        self.assertEqual(self.paths(QUERY, "--mode", "semantic")[0], "src/net/retry.c")
        self.write("src/more.c", "int more(void) { return 1; }\n")
        self.assertEqual(self.index()["embedded"], 1)
        self.assertEqual(self.index("--force")["embedded"], 0)
        self.assertEqual(self.packed("int8"), [])

    def test_force_with_a_precision_makes_a_collection_in_it(self):
        self.index()
        report = self.index("--force", *EXACT)
        self.assertEqual(report["embedded"], report["chunks"])
        self.packed("int8")[0].unlink()
        self.assertEqual(self.paths(QUERY, "--mode", "semantic")[0], "src/net/retry.c")
        self.assertEqual(self.packed("int8"), [])

    def test_what_belongs_to_no_collection_is_exact(self):
        self.pythia("embed", "a text", code=0)
        self.assertEqual(self.packed("int8"), [])


if __name__ == "__main__":
    unittest.main()
