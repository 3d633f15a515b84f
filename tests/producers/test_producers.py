"""Documents by the programs that people make them with: pandoc, LibreOffice, Chromium, wkhtmltopdf, qpdf (`make test-documents` installs
them). Each document is found by words of each of its sections, with the heading and the page where they stand, and says who wrote it.
"""
import mailbox
import pathlib
import shutil
import sys
from email.message import EmailMessage

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from harness import PythiaTest, main, subprocess

TOOLS = ("pandoc", "soffice", "chromium", "wkhtmltopdf", "qpdf", "pdftoppm")
MAKING_S = 300  # for one program

TITLE, AUTHOR, SUBJECT, DATE = "The Harbour Almanac", "Ingrid Solberg", "Tides and ferries", "2023-04-05"
ARTICLE = """---
title: %s
author: %s
subject: %s
date: %s
keywords: [harbour, tide]
lang: en
---

# Tides

Spring tides are strongest after the new moon: the quayside gauge reads **zirconium** metres.

## Neap tides

At the quarters of the moon the range is small, a time the pilots call *vermilion*.[^1]

[^1]: A footnote mentions obsidian.
%s
# Ferries

- The northern line crosses by way of cinnabar.
- The southern line waits.

| Route | Price | Skipper   |
|-------|-------|-----------|
| North | 12    | Malachite |
| South | 9     | Jasper    |

## Night service

Only on Fridays, with a lamp of beryllium at the mast.
%s
# Weather

Größe, naïveté and Ærø: “curly quotes” and the word tourmaline.

```python
def gale_warning(knots):
    return knots > 34  # feldspar
```
"""
PAGE_BREAK = '\n```{=openxml}\n<w:p><w:r><w:br w:type="page"/></w:r></w:p>\n```\n'
SHEET = "Vessel,Built,Tonnage\nAmethyst,1931-05-06,1200.5\nPeridot,1978-11-12,88\n"

# word: what it stands under, and on which page where each of the first headings begins one
PLACES = {"zirconium": ("Tides", 1), "vermilion": ("Tides > Neap tides", 1), "cinnabar": ("Ferries", 2), "malachite": ("Ferries", 2),
          "beryllium": ("Ferries > Night service", 2), "tourmaline": ("Weather", 3), "feldspar": ("Weather", 3)}
# As a slide: what stands below a slide's title is no heading of it.
SLIDES = {"zirconium": ("Tides", 2), "vermilion": ("Tides", 2), "cinnabar": ("Ferries", 3), "malachite": ("Ferries", 3),
          "beryllium": (None, 4), "tourmaline": ("Weather", 5), "feldspar": ("Weather", 5)}

BY_HEADINGS = ("article.md", "pandoc.docx", "pandoc.odt", "pandoc.epub", "pandoc.html", "pandoc.rtf", "pandoc.ipynb", "office.rtf",
               "office.html")
BY_HEADINGS_AND_PAGES = ("office.odt", "office.docx")
BY_PAGES = {"office.pdf": 0, "linearized.pdf": 0, "owner-only.pdf": 0, "chromium.pdf": 1, "wkhtmltopdf.pdf": 2, "scanned.pdf": 0}
BY_SLIDES = ("pandoc.pptx", "office.odp", "office.pptx")
SAY_WHO = (*(set(BY_HEADINGS) - {"pandoc.rtf", "pandoc.ipynb"}), *BY_HEADINGS_AND_PAGES, *BY_SLIDES, "pandoc.rst", "office.epub", "office.pdf",
           "linearized.pdf", "owner-only.pdf", "slides.pdf")
SAY_WHEN_IT_WAS_WRITTEN = ("article.md", "pandoc.epub", "pandoc.html", "pandoc.rst")


class Producers(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        if self.in_world():
            return
        for tool in TOOLS:
            if not shutil.which(tool):
                self.fail("%s is missing; run: make test-documents" % tool)
        self.make = self.dir / "make"
        self.make.mkdir()
        (self.make / "article.md").write_text(ARTICLE % (TITLE, AUTHOR, SUBJECT, DATE, "", ""))
        (self.make / "paged.md").write_text(ARTICLE % (TITLE, AUTHOR, SUBJECT, DATE, PAGE_BREAK, PAGE_BREAK))
        (self.make / "sheet.csv").write_text(SHEET)
        self.by_pandoc()
        self.by_libreoffice()
        self.by_browsers_and_qpdf()
        self.by_mail()
        report = self.index("--lex-only", "--config", "documents.ocr=true")
        self.assertEqual(report["failed"], 0)
        self.keep_world()

    # ---- making ----

    def run_tool(self, *words):
        done = subprocess.run([str(w) for w in words], cwd=self.make, capture_output=True, text=True, timeout=MAKING_S,
                              env={**self.env, "HOME": str(self.make), "LC_ALL": "C.UTF-8"})
        self.assertEqual(done.returncode, 0, "%s\n%s%s" % (words, done.stdout, done.stderr))

    def take(self, made, name):
        shutil.copy(self.make / made, self.tree / name)

    def by_pandoc(self):
        self.take("article.md", "article.md")
        for kind in ("docx", "odt", "epub", "html", "rtf", "rst", "ipynb", "pptx"):
            self.run_tool("pandoc", "-s", "article.md", "-o", self.tree / ("pandoc." + kind))
        self.run_tool("pandoc", "-s", "paged.md", "-o", "paged.docx")

    def office(self, made, kind):
        """Its name in the folder `office`."""
        self.run_tool("soffice", "-env:UserInstallation=file://%s/profile" % self.make, "--headless", "--convert-to", kind, "--outdir", "office", made)
        return "office/%s.%s" % (pathlib.Path(made).stem, kind)

    def by_libreoffice(self):
        text = self.office("paged.docx", "odt")
        self.take(text, "office.odt")
        for kind in ("docx", "rtf", "html", "epub", "pdf"):
            self.take(self.office(text, kind), "office." + kind)
        for kind in ("xlsx", "ods"):
            self.take(self.office("sheet.csv", kind), "office." + kind)
        slides = self.office(self.tree / "pandoc.pptx", "odp")
        self.take(slides, "office.odp")
        for kind, name in (("pptx", "office.pptx"), ("pdf", "slides.pdf")):
            self.take(self.office(slides, kind), name)
        self.take(self.office(text, "doc"), "old.doc")

    def print_page(self, page, name):
        self.run_tool("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=%s/chromium" % self.make,
                      "--no-pdf-header-footer", "--print-to-pdf=%s" % (self.tree / name), "file://%s" % (self.make / page))

    def by_browsers_and_qpdf(self):
        (self.make / "print.css").write_text("h1 { break-before: page; page-break-before: always }\n")
        self.run_tool("pandoc", "-s", "--css", "print.css", "--self-contained", "article.md", "-o", "printed.html")
        self.print_page("printed.html", "chromium.pdf")
        self.run_tool("wkhtmltopdf", "-q", "printed.html", self.tree / "wkhtmltopdf.pdf")
        source = self.tree / "office.pdf"
        self.run_tool("qpdf", "--linearize", "--object-streams=generate", source, self.tree / "linearized.pdf")
        self.run_tool("qpdf", "--encrypt", "", "owner", "256", "--", source, self.tree / "owner-only.pdf")
        self.run_tool("qpdf", "--encrypt", "user", "owner", "256", "--", source, self.tree / "locked.pdf")
        self.run_tool("pdftoppm", "-r", "150", "-png", source, "scan")
        pictures = "".join('<img style="width:100%%;break-after:page;display:block" src="%s">' % p.name
                           for p in sorted(self.make.glob("scan*.png")))
        (self.make / "scanned.html").write_text('<html><body style="margin:0">%s</body></html>' % pictures)
        self.print_page("scanned.html", "scanned.pdf")

    def by_mail(self):
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["Date"] = TITLE, "%s <i@example.org>" % AUTHOR, "Wed, 5 Apr 2023 10:00:00 +0200"
        mail.set_content("The almanac is attached.\n")
        for name in ("office.pdf", "office.docx"):
            mail.add_attachment((self.tree / name).read_bytes(), maintype="application", subtype="octet-stream", filename=name)
        self.write("letter.eml", mail.as_bytes())
        box = mailbox.mbox(self.tree / "letters.mbox")
        box.add(mail)
        box.close()

    # ---- asking ----

    def places(self, word):
        """{path: (heading, page)} of every hit."""
        hits = self.search(word, "--mode", "lexical", "--no-collapse", "--limit", "60")["results"]
        return {hit["path"]: (hit["heading"], hit["page"]) for hit in hits}

    def test_words_stand_under_their_headings_and_on_their_pages(self):
        for word, (heading, page) in PLACES.items():
            found = self.places(word)
            with self.subTest(word):
                self.assertEqual({name: found.get(name) for name in BY_HEADINGS}, dict.fromkeys(BY_HEADINGS, (heading, None)))
                self.assertEqual({name: found.get(name) for name in BY_HEADINGS_AND_PAGES},
                                 dict.fromkeys(BY_HEADINGS_AND_PAGES, (heading, page)))
                self.assertEqual({name: found.get(name) for name in BY_PAGES}, {name: (None, page + more) for name, more in BY_PAGES.items()})
                self.assertEqual({name: found.get(name) for name in BY_SLIDES}, dict.fromkeys(BY_SLIDES, SLIDES[word]))
                self.assertEqual(found.get("slides.pdf"), (None, SLIDES[word][1]))
                self.assertEqual(found.get("pandoc.rst"), ("%s > %s" % (TITLE, heading), None))
                self.assertEqual(found.get("office.epub"), (heading.split(" > ")[0], None))  # LibreOffice marks up no headings

    def test_footnotes_are_read_everywhere(self):
        self.assertEqual(set(self.places("obsidian")) & {*BY_HEADINGS, *BY_HEADINGS_AND_PAGES, *BY_PAGES},
                         {*BY_HEADINGS, *BY_HEADINGS_AND_PAGES, *BY_PAGES})

    def test_rows_of_tables_name_their_columns(self):
        for name in ("pandoc.docx", "pandoc.odt", "pandoc.html", "office.odt", "office.docx", "office.html", "pandoc.epub", "pandoc.pptx",
                     "office.pptx", "office.odp", "office.rtf", "pandoc.rtf"):
            with self.subTest(name):
                self.assertIn("Route: North | Price: 12 | Skipper: Malachite", self.pythia("get", name, code=0).out)
        for name in ("office.xlsx", "office.ods"):
            with self.subTest(name):
                self.assertEqual(self.places("amethyst")[name], ("sheet", None))
                self.assertRegex(self.pythia("get", name, code=0).out, r"Vessel: Amethyst \| Built: \S+ \| Tonnage: 1200\.5\n")

    def test_they_say_who_wrote_them_and_when(self):
        hits = {hit["path"]: hit for hit in self.search("zirconium", "--mode", "lexical", "--no-collapse", "--limit", "60")["results"]}
        for name in SAY_WHO:
            with self.subTest(name):
                said = hits[name].get("metadata") or {}
                self.assertEqual(said.get("author"), AUTHOR)
                if name != "pandoc.rst":  # its title is its first heading
                    self.assertEqual(hits[name].get("title"), TITLE)
                if name in SAY_WHEN_IT_WAS_WRITTEN:
                    self.assertEqual(said.get("created"), DATE)
                else:
                    self.assertRegex(said.get("created") or said.get("modified") or "", r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        found = {hit["path"] for hit in self.search("zirconium author:solberg", "--mode", "lexical", "--no-collapse", "--limit", "60")["results"]}
        self.assertLessEqual(set(SAY_WHO), found)

    def test_mails_have_their_attachments_with_pages(self):
        for name in ("letter.eml", "letters.mbox"):
            hits = self.search("beryllium", "--mode", "lexical", "--no-collapse", "--limit", "60", "--glob", name)["results"]
            with self.subTest(name):
                self.assertEqual({(hit["heading"], hit["page"]) for hit in hits},
                                 {("%s > office.pdf" % TITLE, 2), ("%s > office.docx > Ferries > Night service" % TITLE, 2)})

    def test_what_is_locked_or_too_old_is_told(self):
        status = self.pythia("status", "--json", "--no-check", code=0).json["collections"][0]
        self.assertEqual({f["path"]: f["reason"] for f in status["skipped_files"]},
                         {"locked.pdf": "encrypted (PDF)",
                          "old.doc": "binary (office document of before 2007, or another compound file)"})


if __name__ == "__main__":
    main()
