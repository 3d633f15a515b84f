"""Hugging Face folders through the program: imported, listed, verified, used for what they are (tests/golden/import; numbers are
sentence-transformers')."""
import json
import pathlib
import shutil
import struct
import unittest

from harness import PythiaTest, main

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "import"


def rows(name):
    for line in (GOLDEN / name / "expected.txt").read_text().splitlines():
        fields = line.split("\t")
        if len(fields) == 4:
            vector = bytes.fromhex(fields[3])
            yield fields[0], bytes.fromhex(fields[1]).decode(), struct.unpack("<%df" % (len(vector) // 4), vector)


class Import(PythiaTest):
    needs_model = False

    def folder(self, name):
        copy = self.dir / name
        shutil.copytree(GOLDEN / name, copy)
        return copy

    def imported(self, name, *args, code=0):
        return self.pythia("model", "import", str(GOLDEN / name), "--json", *args, code=code).json

    def test_a_sentence_model_embeds_with_its_prompts(self):
        model = self.imported("nomic", "--name", "mine")["model"]
        self.assertEqual((model["name"], model["arch"], model["dimension"], model["pooling"]), ("mine", "nomic-bert", 24, "mean"))
        for kind, text, want in list(rows("nomic"))[::5]:
            got = self.pythia("embed", "--model", "mine", "--kind", kind, "--config", "model.precision=f32", "--", text,
                              code=0).json["embedding"]
            for a, b in zip(got, want):
                self.assertAlmostEqual(a, b, places=4)
        self.assertIn("mine", self.pythia("model", "list", "-q", code=0).out)
        self.pythia("model", "verify", "mine", code=0)

    def test_a_cross_encoder_ranks(self):
        self.assertEqual(self.imported("xlmr_rank")["model"]["pooling"], "rank")
        query = bytes.fromhex((GOLDEN / "xlmr_rank" / "expected.txt").read_text().splitlines()[0]).decode()
        pairs = "".join(json.dumps({"query": query, "text": text}) + "\n" for _, text, _ in rows("xlmr_rank"))
        run = self.pythia("rerank", "-", "--model", "xlmr_rank", stdin=pairs.encode(), code=0)
        got = [json.loads(line)["logit"] for line in run.out.splitlines()]
        for a, (_, _, want) in zip(got, rows("xlmr_rank")):
            self.assertAlmostEqual(a, want[0], places=4)
        self.assertFails(self.pythia("embed", "--model", "xlmr_rank", "x"), 2, "is a reranker, it cannot embed")

    def test_a_decoder_without_pooling_is_kept_for_generating(self):
        folder = self.folder("qwen2")
        (folder / "modules.json").unlink()
        self.assertEqual(self.pythia("model", "import", str(folder), "--json", code=0).json["model"]["pooling"], "none")
        self.assertFails(self.pythia("embed", "--model", "qwen2", "x"), 2, "does not say how token vectors are pooled")

    def test_what_cannot_be_imported_leaves_nothing(self):
        folder = self.folder("gemma_embedding")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "t5"}))
        failed = self.pythia("model", "import", str(folder), "--name", "odd")
        self.assertFails(failed, 2, "has model_type 't5'; known: 'bert', 'roberta'", "'gemma3_text'")
        (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 1000}))
        self.assertFails(self.pythia("model", "import", str(folder), "--name", "odd"), 2, "config.json asks for [437, 1000]")
        self.assertEqual(list((self.home / "models").glob("odd*")), [])


if __name__ == "__main__":
    main()
