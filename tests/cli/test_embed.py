"""The engine as a Unix filter: embed and tokenize."""
import json
import math
import os
import subprocess
import unittest

from harness import BINARY, PythiaTest, main


class Embed(PythiaTest):
    def lines(self, text, *args, command="embed", code=0):
        run = self.pythia(command, "-", *args, stdin=text if isinstance(text, bytes) else text.encode(), code=code)
        return [json.loads(line) for line in run.out.splitlines()], run.err

    def test_one_text_is_one_json_object(self):
        run = self.pythia("embed", "a text", code=0)
        answer = run.json
        self.assertEqual(set(answer), {"embedding", "dimension", "tokens", "truncated"})
        self.assertEqual((len(answer["embedding"]), answer["dimension"], answer["truncated"]), (384, 384, False))
        self.assertEqual(answer["tokens"], 4)  # [CLS] a text [SEP]
        self.assertAlmostEqual(math.fsum(x * x for x in answer["embedding"]), 1, places=5)
        self.assertEqual(run.err, "")

    def test_the_stream_keeps_order_and_ids_of_any_kind(self):
        ids = ["a", 7, None, [1, {"x": 2}], "\u00fc\u0000", 1.5]
        text = "".join(json.dumps({"id": i, "text": "text number %d" % k}) + "\n" for k, i in enumerate(ids))
        answers, _ = self.lines(text + '{"text": "without an id"}\n')
        self.assertEqual([a["id"] for a in answers[:-1]], ids)
        self.assertEqual(set(answers[-1]), {"embedding", "dimension", "tokens", "truncated"})
        one = self.pythia("embed", "text number 3", code=0).json
        self.assertEqual(answers[3]["embedding"], one["embedding"])

    def test_a_batch_gives_the_vectors_of_single_texts(self):
        texts = ["short", "a somewhat longer text with more words in it", "x" * 3000, "", "naïve 日本語 \U0001f600"] * 40
        answers, _ = self.lines("".join(json.dumps({"text": t}) + "\n" for t in texts))
        self.assertEqual(len(answers), 200)
        for i in range(5):
            self.assertEqual(answers[i]["embedding"], answers[i + 195]["embedding"])
            self.assertEqual(answers[i]["embedding"], self.pythia("embed", "--", texts[i], code=0).json["embedding"])

    def test_long_texts_are_told_to_be_truncated(self):
        answer = self.pythia("embed", "word " * 1000, code=0).json
        self.assertTrue(answer["truncated"])
        self.assertEqual(answer["tokens"], 256)

    def test_long_texts_are_refused_where_asked(self):
        long = "word " * 1000
        run = self.pythia("embed", long, "--truncate", "no")
        self.assertFails(run, 2, "more than the model's 256 tokens")
        self.assertEqual(run.out, "")
        lines = "".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(("a", long, "b")))
        answers, err = self.lines(lines, "--truncate", "no", code=9)
        self.assertEqual([a["id"] for a in answers], [0, 1, 2])
        self.assertEqual(["embedding" in a for a in answers], [True, False, True])
        self.assertIn("line 2: the text has more", answers[1]["error"]["message"])
        self.assertIn("1 of 3 lines", err)
        self.assertTrue(self.pythia("embed", long, "--truncate", "yes", code=0).json["truncated"])

    def test_bad_lines_name_themselves_and_keep_their_place(self):
        text = b'{"text": "one"}\nnot json\n{"id": 3, "text": 5}\n{"id": 4}\n[1]\n{"text": "x", "kind": "poem"}\n\n{"id": 8, "text": "eight"}\n{"text": "\xff"}\n'
        answers, err = self.lines(text, code=9)
        self.assertEqual(["embedding" in a for a in answers], [True, False, False, False, False, False, True, False])
        for i, number in ((1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (7, 9)):
            self.assertIn("line %d" % number, answers[i]["error"]["message"])
            self.assertIn("line %d" % number, err)
        self.assertEqual(answers[2]["id"], 3)
        self.assertIn("'text'", answers[3]["error"]["message"])
        self.assertIn("'poem'", answers[5]["error"]["message"])
        self.assertIn("6 of 8 lines could not be read", err)

    def test_a_line_is_answered_before_the_next_one_comes(self):
        process = subprocess.Popen([BINARY, "embed", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env)
        for i in range(3):
            process.stdin.write(b'{"id": %d, "text": "hello"}\n' % i)
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["id"], i)
        process.stdin.close()
        self.assertEqual(process.stdout.read(), b"")
        process.stdout.close()
        self.assertEqual(process.wait(), 0)

    def test_the_last_line_needs_no_line_feed_and_no_lines_are_fine(self):
        self.assertEqual(len(self.lines('{"text": "a"}\r\n{"text": "b"}')[0]), 2)
        self.assertEqual(self.lines("")[0], [])
        self.assertEqual(self.lines("\n \n")[0], [])

    def test_stdin_is_read_when_no_text_is_given(self):
        run = self.pythia("embed", stdin=b'{"text": "a"}\n', code=0)
        self.assertEqual(run.json["dimension"], 384)
        code, drawn = self.on_terminal("embed")
        self.assertEqual(code, 2)
        self.assertIn("no text given", drawn)

    def test_a_line_too_long_is_an_error_of_that_line(self):
        big = b'{"text": "' + b"x" * (17 << 20) + b'"}\n'
        answers, err = self.lines(b'{"text": "a"}\n' + big + b'{"text": "b"}\n', code=9)
        self.assertEqual(["embedding" in a for a in answers], [True, False, True])
        self.assertIn("line 2: longer than 16 MB", err)

    def test_queries_and_documents_may_be_mixed(self):
        text = "".join(json.dumps({"id": i, "text": "t%d" % i, "kind": ("query", "document")[i % 2]}) + "\n" for i in range(10))
        answers, _ = self.lines(text)
        self.assertEqual([a["id"] for a in answers], list(range(10)))
        for i in (0, 1):
            self.assertEqual(answers[i]["embedding"], self.pythia("embed", "t%d" % i, code=0).json["embedding"])

    def test_tokenize(self):
        self.assertEqual(self.pythia("tokenize", "hello world", code=0).json, {"ids": [101, 7592, 2088, 102]})
        answers, _ = self.lines('{"id": "x", "text": "hello"}\n{"text": ""}\n', command="tokenize")
        self.assertEqual(answers, [{"id": "x", "ids": [101, 7592, 102]}, {"ids": [101, 102]}])
        answers, _ = self.lines("oops\n", command="tokenize", code=9)
        self.assertIn("line 1", answers[0]["error"]["message"])

    def test_models_are_listed(self):
        models = self.pythia("model", "list", "--json", code=0).json["models"]
        self.assertEqual(len(models), 1)
        m = models[0]
        self.assertEqual((m["name"], m["arch"], m["dimension"], m["max_tokens"], m["in_use"], m["problem"]),
                         ("all-minilm-l6-v2", "bert", 384, 256, True, None))
        self.assertRegex(m["sha256"], "^[0-9a-f]{64}$")
        self.assertIn("all-minilm-l6-v2", self.pythia("model", code=0).out)
        self.assertEqual(self.pythia("model", "list", "-q", code=0).out, "all-minilm-l6-v2\n")

    def test_import_of_a_folder_that_is_no_model_names_what_is_missing(self):
        self.assertFails(self.pythia("model", "import", str(self.tree)), 2, "config.json")
        self.assertFails(self.pythia("model", "import", str(self.tree / "nope")), 2, "nope")
        self.assertEqual(os.listdir(self.home / "models"), ["all-minilm-l6-v2.gguf"])


if __name__ == "__main__":
    main()
