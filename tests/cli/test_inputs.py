"""Texts and models at the edges, through the program: each a right answer or an error that names what is wrong."""
import json
import pathlib
import struct
import unittest

from harness import PythiaTest, main

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"


def after(data, name):
    """Where what follows a string of the file begins."""
    return data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)


class Texts(PythiaTest):
    def lines(self, *texts, args=(), code=0):
        stdin = "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts).encode()
        run = self.pythia("embed", "-", *args, stdin=stdin, code=code)
        return [json.loads(line) for line in run.out.splitlines()]

    def test_an_empty_text_is_its_special_tokens_alone(self):
        empty, blank, control = self.lines("", " \n\t ", "\u0000\u0007")
        self.assertEqual((empty["tokens"], empty["truncated"]), (2, False))
        self.assertEqual(empty["embedding"], blank["embedding"])
        self.assertEqual(empty["embedding"], control["embedding"])  # BERT's cleaning takes them away

    def test_ill_formed_utf8_is_embedded_as_its_repair(self):
        broken = self.pythia("embed", "--", b"na\xffve \xe2\x82 text", code=0).json
        self.assertEqual(broken["embedding"], self.lines("na\ufffdve \ufffd text")[0]["embedding"])

    def test_ten_megabytes_cost_what_the_front_of_them_does(self):
        words = "the quick brown fox jumps over the lazy dog and comes back "
        n = 10_000_000
        prose, word, blanks, han = self.lines(words * (n // len(words)), "x" * n, " " * n, "\u4e2d" * (n // 3))
        self.assertEqual((prose["tokens"], prose["truncated"]), (256, True))
        self.assertEqual(prose["embedding"], self.lines(words * 100)[0]["embedding"])
        self.assertEqual((word["tokens"], word["truncated"]), (3, False))  # [CLS] [UNK] [SEP]
        self.assertEqual((blanks["tokens"], blanks["truncated"]), (2, False))
        self.assertEqual((han["tokens"], han["truncated"]), (256, True))

    def test_ten_megabytes_in_a_vocabulary_of_each_kind(self):
        for arch in ("modern", "qwen3", "gemma3", "roberta"):
            model = str(GOLDEN / "arch" / (arch + ".gguf"))
            if self.pythia("embed", "x", "--model", model).code:
                continue  # a generator
            got = self.lines("y" * 10_000_000, "y " * 5_000_000, args=("--model", model))
            for g in got:
                self.assertTrue(g["truncated"] or g["tokens"] < 10, arch)


class Models(PythiaTest):
    def setUp(self):
        super().setUp()
        self.tiny = (GOLDEN / "tiny_bert.gguf").read_bytes()
        self.path = self.dir / "bad.gguf"

    def refused(self, data, code, *parts):
        self.path.write_bytes(data)
        (self.dir / "bad.gguf.sha256").unlink(missing_ok=True)
        run = self.pythia("embed", "read the file", "--model", str(self.path))
        self.assertFails(run, code, *parts)
        self.assertEqual(run.out, "")
        self.assertEqual(len(run.err.strip().splitlines()), 1, run.err)

    def patched(self, at, fmt, *values):
        data = bytearray(self.tiny)
        struct.pack_into(fmt, data, at, *values)
        return bytes(data)

    def test_the_file_itself_is_fine(self):
        self.path.write_bytes(self.tiny)
        self.pythia("embed", "read the file", "--model", str(self.path), code=0)

    def test_an_unknown_architecture_is_named_with_those_known(self):
        at = after(self.tiny, b"general.architecture") + 12
        self.assertEqual(self.tiny[at:at + 4], b"bert")
        self.refused(self.patched(at, "4s", b"frob").replace(b"bert.", b"frob."), 2, "'frob'", "bert")

    def test_an_unknown_tensor_type_is_named(self):
        at = after(self.tiny, b"token_embd.weight") + 4 + 16
        self.refused(self.patched(at, "<I", 99), 2, "'token_embd.weight'", "99")
        self.refused(self.patched(at, "<I", 24), 2, "'token_embd.weight'", "I8")

    def test_a_missing_tensor_is_named(self):
        name = b"blk.0.attn_q.weight"
        self.refused(self.tiny.replace(name, b"blk.0.attn_x.weight"), 5, name.decode())

    def test_a_wrong_shape_is_named(self):
        at = after(self.tiny, b"blk.0.attn_q.weight") + 4
        rows, = struct.unpack_from("<Q", self.tiny, at + 8)
        self.refused(self.patched(at + 8, "<Q", rows // 2), 5, "'blk.0.attn_q.weight'", str(rows // 2), str(rows))
        self.refused(self.patched(at + 8, "<Q", 1 << 62), 5, "blk.0.attn_q.weight")

    def test_weights_that_are_not_numbers_are_found(self):
        data = bytearray(self.tiny)
        struct.pack_into("<f", data, len(data) - 4, float("nan"))  # the last number of the last tensor
        self.path.write_bytes(data)
        run = self.pythia("model", "verify", str(self.path))
        self.assertEqual(run.code, 5, run.out + run.err)
        self.assertIn("not finite", run.out)
        self.refused(data, 5, "not finite")

    def test_a_cut_file_is_told_at_every_length(self):
        n = len(self.tiny)
        for length in (0, 3, 4, 23, 24, 100, n // 2, n - 1):
            self.path.write_bytes(self.tiny[:length])
            run = self.pythia("embed", "x", "--model", str(self.path))
            self.assertEqual(run.code, 5, "%d bytes: %s" % (length, run.err))
            self.assertIn("bad.gguf", run.err)

    def test_a_collection_keeps_its_dimension(self):
        self.write("a.txt", "read the file")
        self.path.write_bytes(self.tiny)
        self.index("--model", str(self.path))
        run = self.pythia("index", "--model", "all-minilm-l6-v2")
        self.assertFails(run, 4, "384 dimensions", "--force")
        self.search("read", "--mode", "semantic")


if __name__ == "__main__":
    main()
