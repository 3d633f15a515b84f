"""`pythia add` and `pythia rm`: files of any format put by their content, found, known again, kept, taken out."""
import hashlib
import os
import threading

from documents import docx, paragraph, pdf
from harness import PythiaTest, file_size_limit, main, signal, subprocess, BINARY

LETTER = docx(paragraph("The glacier", "berschrift1") + paragraph("In summer the river carries turquoise water."),
              title="A letter about ice")
REPORT = pdf(["The first page is about granite.", "The second page is about basalt."])
CODE = '''"""Waves."""


def wave_height(wind, fetch):
    """How high waves grow under a wind of so many knots."""
    return wind * fetch ** 0.5


def tide(moon):
    return moon * 2
'''


def uri(content):
    return "upload://sha256:" + hashlib.sha256(content).hexdigest()


class AddTest(PythiaTest):
    def add(self, *args, code=0, **how):
        return self.pythia("add", "--json", *args, code=code, **how).json

    def found(self, query, *args, **how):
        return self.search(query, "--in", "documents", *args, **how)["results"]

    def clean(self):
        self.assertEqual(self.pythia("verify", "--json", code=0).json["report"], [])


class Adding(AddTest):
    def test_files_of_several_formats_are_found_by_words_and_by_meaning(self):
        for name, content in (("letter.docx", LETTER), ("report.pdf", REPORT), ("waves.py", CODE)):
            self.write(name, content)
        report = self.add("letter.docx", "report.pdf", "waves.py")
        self.assertEqual((report["collection"], report["added"], report["known"], report["refused"]), ("documents", 3, 0, 0))
        self.assertEqual([f["outcome"] for f in report["files"]], ["added"] * 3)
        letter = report["files"][0]["document"]
        self.assertEqual((letter["path"], letter["uri"], letter["title"], letter["lang"], letter["bytes"]),
                         ("letter.docx", uri(LETTER), "A letter about ice", "docx", len(LETTER)))
        for name in ("letter.docx", "report.pdf", "waves.py"):
            (self.tree / name).unlink()  # the collection has a copy
        hit = self.found("basalt", "--mode", "lexical")[0]
        self.assertEqual((hit["path"], hit["uri"], hit["page"], hit["freshness"], hit["content"]),
                         ("report.pdf", uri(REPORT), 2, "fresh", "The second page is about basalt."))
        self.assertEqual(self.found("how cold streams look", "--mode", "semantic", "-m", "1")[0]["path"], "letter.docx")
        hit = self.found("wave_height", "-m", "1")[0]
        self.assertEqual((hit["path"], hit["lang"]), ("waves.py", "python"))
        self.clean()

    def test_code_keeps_its_symbols(self):
        self.add("--name", "waves.py", "-", stdin=CODE.encode())
        outline = self.pythia("symbols", "waves.py", "--in", "documents", "--json", code=0).json
        self.assertEqual([s["symbol"] for s in outline["results"]], ["wave_height", "tide"])
        self.assertEqual(self.pythia("get", "waves.py#tide", "--in", "documents", code=0).out.rstrip(),
                         "def tide(moon):\n    return moon * 2")
        self.assertEqual(self.pythia("get", "waves.py:9:1", "--in", "documents", code=0).out, "def tide(moon):\n")
        self.assertEqual(self.pythia("get", uri(CODE.encode()), "--in", "documents", code=0).out, CODE)
        self.assertEqual(self.found("tide", "--mode", "symbol")[0]["symbol"], "tide")

    def test_the_same_bytes_are_one_document_whatever_they_are_called(self):
        self.write("report.pdf", REPORT)
        self.write("copy.pdf", REPORT)
        report = self.add("report.pdf", "copy.pdf")
        self.assertEqual([f["outcome"] for f in report["files"]], ["added", "known"])
        self.assertEqual(report["files"][1]["document"], report["files"][0]["document"])
        again = self.add("copy.pdf")
        self.assertEqual((again["known"], again["added"], again["run"]), (1, 0, None))
        self.assertEqual(again["files"][0]["document"]["path"], "report.pdf")
        self.assertEqual(self.add("--name", "piped.pdf", "-", stdin=REPORT)["known"], 1)
        told = self.pythia("add", "copy.pdf", code=0).out
        self.assertIn("report.pdf  known: the same bytes as copy.pdf", told)
        self.assertEqual(len(self.found("basalt", "--mode", "lexical")), 1)

    def test_a_taken_name_gets_a_number_or_is_replaced(self):
        self.write("a/notes.md", "# First\n\nabout parsnips\n")
        self.write("b/notes.md", "# Second\n\nabout rutabaga\n")
        self.write("c/notes.md", "# Third\n\nabout salsify\n")
        report = self.add("a/notes.md", "b/notes.md")
        self.assertEqual([f["document"]["path"] for f in report["files"]], ["notes.md", "notes-2.md"])
        self.assertIn("notes-3.md  added: another document is called notes.md",
                      self.pythia("add", "c/notes.md", code=0).out)
        self.write("d/notes.md", "# Fourth\n\nabout celeriac\n")
        report = self.add("--replace", "d/notes.md")
        self.assertEqual((report["replaced"], report["files"][0]["document"]["path"]), (1, "notes.md"))
        self.assertEqual(self.found("celeriac", "--mode", "lexical")[0]["path"], "notes.md")
        self.found("parsnips", "--mode", "lexical", code=1)
        self.clean()

    def test_names_and_titles(self):
        report = self.add("--name", "sub/../minutes.txt", "--title", "Board meeting of May", "--collection", "board", "-",
                          stdin=b"They agreed on nothing.\n")
        document = report["files"][0]["document"]
        self.assertEqual((report["collection"], document["path"], document["title"]), ("board", "minutes.txt", "Board meeting of May"))
        hits = self.search("meeting", "--in", "board", "--mode", "lexical")["results"]
        self.assertEqual(hits[0]["path"], "minutes.txt")  # by its title
        self.assertFails(self.pythia("add", "-", stdin=b"x"), 2, "stdin has no name", "pythia add --name notes.md -")
        self.write("x.txt", "x")
        self.write("y.txt", "y")
        self.assertFails(self.pythia("add", "x.txt", "y.txt", "--name", "z.txt"), 2, "are of one file; 2 are given")
        self.assertFails(self.pythia("add", "--name", "n" * 300, "-", stdin=b"x"), 2, "its name has 300 bytes; at most 255")

    def test_what_cannot_be_read_is_refused_with_the_reason_and_the_rest_goes_in(self):
        self.write("good.txt", "about parsnips\n")
        self.write("picture.bin", b"\0\1\2")
        self.write("broken.docx", LETTER[:200])
        self.write("empty.txt", "")
        report = self.add("picture.bin", "good.txt", "broken.docx", "empty.txt", code=9)
        self.assertEqual(report["error"]["code"], "partial")
        self.assertEqual(report["error"]["message"], "3 of 4 files were refused")
        self.assertEqual([(f["outcome"], f["refusal"]) for f in report["files"]],
                         [("refused", "binary (NUL at byte 0)"), ("added", None),
                          ("refused", "broken DOCX (no zip directory: the file is cut off or damaged)"), ("refused", "empty")])
        told = self.pythia("add", "picture.bin", "good.txt", code=9)
        self.assertIn("picture.bin  refused: binary (NUL at byte 0)", told.out)
        self.assertFails(self.pythia("add", "picture.bin"), 2, "'picture.bin': binary (NUL at byte 0)")
        self.assertFails(self.pythia("add", "nowhere.txt"), 2, "cannot open 'nowhere.txt'")
        self.assertFails(self.pythia("add", "."), 2, "'.' is a folder", "pythia index '.'")
        self.clean()

    def test_a_call_that_comes_to_nothing_makes_no_collection(self):
        self.write("picture.bin", b"\0\1\2")
        self.pythia("add", "picture.bin", code=2)
        self.assertEqual(self.pythia("collection", "list", "--json", code=0).json["collections"], [])

    def test_a_file_that_somebody_wants_is_no_noise_and_no_secret(self):
        self.write(".env", "PORT=8080\nNAME=lighthouse\n")
        self.write("package-lock.json", '{"lockfileVersion": 3, "name": "breakwater"}\n')
        report = self.add(".env", "package-lock.json")
        self.assertEqual(report["added"], 2)
        self.assertEqual(self.found("lighthouse", "--mode", "lexical")[0]["path"], ".env")

    def test_sizes_are_limited(self):
        self.write("big.txt", "lighthouse " * 20000)
        self.assertFails(self.pythia("add", "--max-file-size", "100K", "big.txt"), 2, "larger than 100 KB (214.8 KB)")
        with open(self.tree / "huge.pdf", "wb") as f:
            f.truncate(1 << 40)  # reading it would take longer than a test may
        self.assertFails(self.pythia("add", "huge.pdf"), 2, "larger than 64 MB (1 TB)")
        self.assertFails(self.pythia("add", "--max-file-size", "100K", "--name", "big.txt", "-", stdin=b"x" * 200000), 2,
                         "'stdin': more than 102400 bytes")
        self.assertEqual(self.add("big.txt")["added"], 1)
        self.write("huge.txt", "lighthouse\n" * 200000)  # more than a file of text in a folder may have
        self.assertEqual(self.add("huge.txt")["added"], 1)

    def test_pipes_are_read_to_their_end(self):
        os.mkfifo(self.tree / "pipe.md")

        def feed():
            with open(self.tree / "pipe.md", "wb") as pipe:
                pipe.write(b"# Tides\n\nMeasured at the pier.\n")

        writer = threading.Thread(target=feed)
        writer.start()
        report = self.add("pipe.md")
        writer.join()
        self.assertEqual(report["files"][0]["document"]["path"], "pipe.md")
        self.assertEqual(self.found("pier", "--mode", "lexical")[0]["heading"], "Tides")
        self.assertEqual(os.listdir(self.home / "tmp"), [])

    def test_a_folders_collection_takes_none(self):
        self.make_tree()
        self.index("--collection", "repo", "--lex-only")
        self.write("x.txt", "x")
        self.assertFails(self.pythia("add", "--collection", "repo", "x.txt"), 2, "is made of the folder")


class Keeping(AddTest):
    def test_documents_survive_an_index_of_their_collection(self):
        self.write("letter.docx", LETTER)
        self.add("letter.docx")
        before = self.found("turquoise water")
        report = self.index("--collection", "documents")
        self.assertEqual((report["removed"], report["added"], report["recut"]), (0, 0, False))
        self.assertEqual(self.found("turquoise water"), before)
        report = self.index("--collection", "documents", "--force", "--index", "hnsw")
        self.assertEqual(report["index"], "hnsw")
        self.assertEqual(self.found("turquoise water")[0]["path"], "letter.docx")
        self.assertFails(self.pythia("index", ".", "--collection", "documents"), 2, "of no folder",
                         "pythia add --collection 'documents' FILE")
        self.clean()

    def test_vectors_that_a_kill_left_pending_are_made_by_index(self):
        for i in range(40):
            self.write("n%02d.md" % i, "# Note %d\n\nAbout the %s.\n\n%s\n" % (i, "qx" * (i + 2), "So said the old man. " * 300))
        names = ["n%02d.md" % i for i in range(40)]
        process = subprocess.Popen([BINARY, "add", "--progress", "json", *names], cwd=self.tree, env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for line in process.stderr:
            if b'"embed"' in line:
                process.send_signal(signal.SIGKILL)
                break
        process.stderr.close()
        process.wait()
        self.assertEqual(len(self.found("qx" * 9, "--mode", "lexical")), 1)  # words came first
        self.index("--collection", "documents")
        status = self.pythia("collection", "show", "documents", "--json", code=0).json["collection"]
        self.assertEqual((status["documents"], status["pending"]), (40, 0))
        self.clean()

    def test_rm_takes_documents_out_by_name_or_uri(self):
        self.write("letter.docx", LETTER)
        self.write("report.pdf", REPORT)
        self.add("letter.docx", "report.pdf")
        self.assertEqual(self.pythia("rm", "report.pdf", "--json", code=0).json["removed"], 1)
        self.found("basalt", "--mode", "lexical", code=1)
        self.assertFails(self.pythia("rm", "report.pdf"), 3, "no document 'report.pdf'")
        self.pythia("rm", uri(LETTER), code=0)
        self.found("turquoise", "--mode", "lexical", code=1)
        self.clean()
        self.assertEqual(self.add("report.pdf")["added"], 1)  # and back

    def test_why_and_status_and_runs_know_them(self):
        self.write("letter.docx", LETTER)
        run = self.add("letter.docx")["run"]
        why = self.pythia("why", "letter.docx", "--in", "documents", "--json", code=0).json
        self.assertEqual([(s["stage"], s["passed"]) for s in why["steps"]],
                         [("read", True), ("chunk", True), ("embed", True), ("index", True)])
        self.assertIn(uri(LETTER), why["steps"][0]["detail"])
        self.assertFails(self.pythia("why", "none.docx", "--in", "documents"), 3, "none.docx")
        status = self.pythia("status", "documents", "--json", code=0).json["collections"][0]
        self.assertEqual((status["documents"], status["stale_files"]), (1, []))
        shown = self.pythia("runs", "show", str(run), "--json", code=0).json["run"]
        self.assertEqual((shown["collection"], shown["state"], shown["failures"]), ("documents", "succeeded", 0))
        self.assertEqual(self.pythia("doctor", code=0).code, 0)


class Damage(AddTest):
    def test_a_full_disk_is_told_and_leaves_nothing(self):
        done = self.pythia("add", "--name", "x.txt", "-", stdin=b"lighthouse " * 20000, preexec_fn=file_size_limit(65536))
        self.assertNotEqual(done.code, 0)
        self.assertEqual(os.listdir(self.home / "tmp"), [])
        self.assertEqual(self.add("--name", "x.txt", "-", stdin=b"lighthouse " * 2000)["added"], 1)
        self.clean()


if __name__ == "__main__":
    main()
