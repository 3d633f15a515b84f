"""Pages that are pictures: drawn by poppler, read by tesseract where that is asked for; and what is told where it is not."""
import shutil

from documents import pdf, pdf_of_pictures
from harness import PythiaTest, main, subprocess

OCR = ("--config", "documents.ocr=true")
LINES = ["Turquoise water below the glacier", "The harbour pilot retired in May"]


def drawn(text, form="", dpi=150):
    """A page with the text, as a picture: what a scanner sees."""
    done = subprocess.run(["pdftoppm", "-r", str(dpi), "-gray", *form.split(), "-"], input=pdf([text], size=24), capture_output=True,
                          check=True)
    return done.stdout


class Ocr(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        for program in ("pdftoppm", "tesseract"):
            self.assertTrue(shutil.which(program), "%s is missing; run: tools/setup.sh packages" % program)

    def only(self, query):
        hits = self.search(query, "--mode", "lexical")["results"]
        self.assertEqual(len(hits), 1, hits)
        return hits[0]

    def reason(self, name, *flags):
        steps = self.pythia("why", name, "--json", *flags, code=1).json["steps"]
        return next(s for s in steps if s["stage"] == "read")["detail"]

    def test_a_scanned_pdf_is_read_when_that_is_asked_for(self):
        self.write("scan.pdf", pdf_of_pictures([drawn(line) for line in LINES]))
        self.age()
        self.assertEqual(self.index("--lex-only")["skipped"], 1)
        self.assertEqual(self.reason("scan.pdf"), "no text (PDF of 2 pages, perhaps scanned; documents.ocr reads pictures)")
        report = self.index("--lex-only", *OCR)  # tried again, for now it can be read
        self.assertEqual((report["changed"], report["skipped"]), (1, 0))
        self.assertEqual((self.only("turquoise")["page"], self.only("turquoise")["content"]), (1, LINES[0]))
        self.assertEqual((self.only("harbour pilot")["page"], self.only("harbour")["lang"]), (2, "pdf"))
        self.assertEqual(self.index("--lex-only", *OCR)["unchanged"], 1)

    def test_so_many_pages_and_languages(self):
        self.write("scan.pdf", pdf_of_pictures([drawn(line) for line in LINES]))
        self.age()
        self.index("--lex-only", *OCR, "--config", "documents.ocr_pages=1")
        self.only("turquoise")
        self.search("harbour", "--mode", "lexical", code=1)
        self.write("other.pdf", pdf_of_pictures([drawn(LINES[1])]))
        self.index("--lex-only", *OCR, "--config", "documents.ocr_languages=zzz")
        self.assertRegex(self.reason("other.pdf", *OCR, "--config", "documents.ocr_languages=zzz"), r"^no text \(tesseract: .*zzz")

    def test_pictures_are_read_too(self):
        self.write("page.png", drawn(LINES[0], "-png"))
        self.write("photo.jpg", drawn(LINES[1], "-jpeg"))
        self.write("icon.png", drawn("x", "-png", dpi=5))
        self.write("broken.png", drawn(LINES[0], "-png")[:5000].ljust(6000, b"x"))
        self.age()
        self.assertEqual(self.index("--lex-only")["skipped"], 4)
        self.assertEqual(self.reason("page.png"), "binary (PNG image)")
        self.assertEqual(self.index("--lex-only", *OCR)["changed"], 2)
        hit = self.only("turquoise")
        self.assertEqual((hit["path"], hit["page"], hit["lang"], hit["content"]), ("page.png", 1, "picture", LINES[0]))
        self.assertEqual(self.only("harbour")["path"], "photo.jpg")
        self.assertEqual(self.reason("icon.png", *OCR), "picture too small for a page")
        self.assertRegex(self.reason("broken.png", *OCR), r"^no text \(")


class AddedOcr(PythiaTest):
    def test_add_reads_a_scan_from_a_pipe(self):
        report = self.pythia("add", "--ocr", "--name", "scan.pdf", "--json", "-", stdin=pdf_of_pictures([drawn(LINES[0])]), code=0).json
        self.assertEqual(report["files"][0]["document"]["chunks"], 1)
        hits = self.search("glacier", "--in", "documents")["results"]
        self.assertEqual((hits[0]["path"], hits[0]["page"]), ("scan.pdf", 1))


if __name__ == "__main__":
    main()
