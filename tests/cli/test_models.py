"""`model use` and `model rm`: which setting a model goes into, and what keeps one from being removed."""
import os
import shutil

from harness import MODEL, MODEL_NAME, PythiaTest, main


class Models(PythiaTest):
    def setUp(self):
        super().setUp()
        self.models = self.home / "models"

    def names(self):
        return [m["name"] for m in self.pythia("model", "list", "--json", code=0).json["models"]]

    def setting(self, key):
        return self.pythia("config", "get", key, code=0).out.strip()

    def test_a_model_is_used_for_what_it_can_do(self):
        shutil.copy(MODEL, self.models / "other.gguf")
        run = self.pythia("model", "use", "other", code=0)
        self.assertIn("model.embed is 'other' now, in '", run.err)
        self.assertIn("pythia index --collection NAME --model other --force", run.err)
        self.assertEqual(self.setting("model.embed"), "other")
        self.make_tree()
        self.assertEqual(self.index()["model"], "other")

    def test_one_that_is_not_there_or_cannot_be_read_is_not_taken(self):
        (self.models / "broken.gguf").write_bytes(b"GGUF and no more")
        self.assertFails(self.pythia("model", "use", "nothing"), 7, "there is no model 'nothing' in '%s'" % self.models,
                         "pythia model list")
        self.assertFails(self.pythia("model", "use", "broken"), 5, "model 'broken' cannot be read", "pythia model verify broken")
        self.assertEqual(self.setting("model.embed"), MODEL_NAME)

    def test_removal_frees_the_file_and_what_was_put_beside_it(self):
        shutil.copy(MODEL, self.models / "other.gguf")
        (self.models / "other.gguf.amx-fast.packed").write_bytes(b"x" * 1000)
        (self.models / "other.ggufs").write_bytes(b"somebody's")
        size = os.path.getsize(MODEL)
        self.assertIn("other", self.names())  # its sum is beside it from here
        self.assertTrue((self.models / "other.gguf.sha256").exists())
        gone = self.pythia("model", "rm", "other", "--json", code=0).json
        self.assertEqual(gone["removed"], "other")
        self.assertGreaterEqual(gone["freed_bytes"], size + 1000)
        self.assertEqual({p.name for p in self.models.iterdir() if p.name.startswith("other")}, {"other.ggufs"})
        self.assertFails(self.pythia("model", "rm", "other"), 7, "there is no model 'other'")

    def test_of_a_link_what_it_leads_to_stays(self):
        kept = self.write("cache/blob", b"GGUF")
        (self.models / "linked.gguf").symlink_to(kept)
        gone = self.pythia("model", "rm", "linked", code=0)
        self.assertIn("it was a link: '%s' stays" % kept, gone.err)
        self.assertTrue(kept.exists())
        self.assertNotIn("linked", self.names())
        (self.models / "loose.gguf").symlink_to(self.dir / "nowhere")
        self.pythia("model", "rm", "loose", code=0)
        self.assertFalse(os.path.lexists(self.models / "loose.gguf"))

    def test_a_model_in_use_is_kept_unless_forced(self):
        shutil.copy(MODEL, self.models / "other.gguf")
        self.make_tree()
        self.index("--model", "other", "--collection", "mine")
        self.assertFails(self.pythia("model", "rm", "other"), 2, "model 'other' is kept: collection 'mine' is made with it",
                         "pythia index --collection 'mine' --model OTHER --force")
        self.assertFails(self.pythia("model", "rm", MODEL_NAME), 2, "model '%s' is kept: it is model.embed" % MODEL_NAME,
                         "pythia model use OTHER")
        self.assertIn("other", self.names())
        self.pythia("model", "rm", "other", "--force", code=0)
        self.assertNotIn("other", self.names())

    def test_names_lead_nowhere_else(self):
        outside = self.write("outside.gguf", b"GGUF")
        for name in ("../../tree/outside", str(outside), "..", ""):
            self.assertFails(self.pythia("model", "rm", name), 2)
        self.assertTrue(outside.exists())


if __name__ == "__main__":
    main()
