"""Documents of every format, end to end: found by their words with page, heading and row; bad ones told with the reason."""
import os
import unittest

from documents import docx, docx_table, package, paragraph
from harness import PythiaTest, main

PAGE = """<!DOCTYPE html><html><head><title>The ferry</title><style>p { color: red }</style></head><body>
<h1>Ferries</h1><p>A ferry crosses the <b>fjord</b> at noon.</p><script>var unseen = "zeppelin";</script>
<h2>Prices</h2><table><tr><th>Who</th><th>Price</th></tr><tr><td>Adult</td><td>12 crowns</td></tr></table>
</body></html>"""

LETTER = docx(
    paragraph("The glacier", "berschrift1") + paragraph("Ice is older than the village below it.") +
    paragraph("Melting", "Mine") + paragraph("In summer the river carries turquoise water.", before="") +
    paragraph("First reason", "Bullet") +
    docx_table([["Year", "Length"], ["1920", "44 km"], ["2020", "31 km"]]) +
    "<w:p><w:r><w:delText>withdrawn</w:delText></w:r></w:p>",
    title="A letter about ice")


class Documents(PythiaTest):
    def hits(self, query, **how):
        return self.search(query, "--mode", "lexical", **how)["results"]

    def reason(self, name):
        """Why the file is left out, as `why` and `status` tell it."""
        steps = self.pythia("why", name, "--json", code=1).json["steps"]
        read = next(s for s in steps if s["stage"] == "read")
        self.assertFalse(read["passed"])
        kept = {s["path"]: s["reason"] for s in self.pythia("status", "--json", "--no-check", code=0).json["collections"][0]["skipped_files"]}
        self.assertEqual(kept[name], read["detail"])
        return kept[name]


class Formats(Documents):
    def test_html_is_found_by_what_a_reader_sees(self):
        self.write("ferry.html", PAGE)
        self.index("--lex-only")
        hit = self.hits("adult price")[0]
        self.assertEqual((hit["path"], hit["lang"], hit["heading"]), ("ferry.html", "html", "Ferries > Prices"))
        self.assertIn("Who: Adult | Price: 12 crowns", hit["content"])
        self.assertEqual(hit["freshness"], "fresh")
        self.search("zeppelin", "--mode", "lexical", code=1)
        self.search("color", "--mode", "lexical", code=1)

    def test_docx_has_headings_lists_and_tables(self):
        self.write("letter.docx", LETTER)
        self.index("--lex-only")
        hit = self.hits("turquoise river")[0]
        self.assertEqual((hit["path"], hit["lang"], hit["heading"]), ("letter.docx", "docx", "The glacier > Melting"))
        text = self.pythia("get", "letter.docx", code=0).out
        self.assertEqual(text, "The glacier\n\nIce is older than the village below it.\n\nMelting\n\n"
                               "In summer the river carries turquoise water.\n\n- First reason\n\nYear | Length\n"
                               "Year: 1920 | Length: 44 km\nYear: 2020 | Length: 31 km\n")
        self.assertEqual(self.pythia("get", "letter.docx:3", code=0).out, "Ice is older than the village below it.\n")

    def test_docx_pages_are_where_the_program_broke_them(self):
        broken = '<w:r><w:lastRenderedPageBreak/></w:r>'
        self.write("pages.docx", docx(paragraph("The first page speaks of herons.") +
                                      paragraph("The second page speaks of otters.", before=broken)))
        self.index("--lex-only")
        self.assertEqual([(h["page"], h["content"]) for h in self.hits("otters")],
                         [(2, "The second page speaks of otters.")])
        self.assertEqual(self.hits("herons")[0]["page"], 1)

    def test_a_collection_finds_documents_by_meaning_too(self):
        self.write("letter.docx", LETTER)
        self.write("ferry.html", PAGE)
        self.index()
        self.assertEqual(self.paths("what does a boat ticket cost", "-m", "1"), ["ferry.html"])


class Changes(Documents):
    def test_a_document_is_kept_until_its_bytes_change(self):
        self.write("letter.docx", LETTER)
        self.age()
        self.index("--lex-only")
        self.assertEqual(self.index("--lex-only")["unchanged"], 1)
        os.utime(self.tree / "letter.docx", (1.7e9, 1.7e9))
        self.assertEqual(self.hits("turquoise")[0]["freshness"], "fresh")
        self.assertEqual(self.index("--lex-only")["unchanged"], 1)
        self.write("letter.docx", docx(paragraph("Of something else.")))
        hit = self.hits("turquoise")[0]
        self.assertEqual(hit["freshness"], "changed")
        self.assertIn("turquoise", hit["content"])
        (self.tree / "letter.docx").unlink()
        self.assertEqual(self.hits("turquoise")[0]["freshness"], "gone")
        self.write("letter.docx", docx(paragraph("Of something else.")))
        self.index("--lex-only")
        self.search("turquoise", "--mode", "lexical", code=1)
        self.assertEqual(len(self.hits("something")), 1)

    def test_a_renamed_document_is_read_no_second_time(self):
        self.write("letter.docx", LETTER)
        self.age()
        self.index("--lex-only")
        (self.tree / "letter.docx").rename(self.tree / "ice.docx")
        self.assertEqual(self.index("--lex-only")["renamed"], 1)
        self.assertEqual(self.hits("turquoise")[0]["path"], "ice.docx")


class BadInput(Documents):
    needs_model = False

    def test_bad_documents_are_left_out_with_the_reason_and_the_rest_goes_on(self):
        big = b"<w:document><w:body>" + b"<w:p/>" * 2000000 + b"</w:body></w:document>"
        bomb = ('<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
                "<w:document><w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>")
        files = {
            "cut.docx": LETTER[:len(LETTER) // 2],
            "empty.docx": package({"[Content_Types].xml": "<Types/>"}),
            "locked.docx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
            "bomb.docx": package({"word/document.xml": big}),
            "entities.docx": package({"word/document.xml": bomb}),
            "deep.docx": package({"word/document.xml": "<a>" * 600 + "</a>" * 600}),
            "open.docx": package({"word/document.xml": "<w:document><w:body><w:p>"}),
            "damaged.docx": LETTER.replace(b"PK\1\2", b"PK\1\1"),
            "good.docx": LETTER,
            "nothing.html": "<html><script>only();</script></html>",
        }
        for name, content in files.items():
            self.write(name, content)
        self.age()
        report = self.index("--lex-only")
        self.assertEqual((report["added"], report["skipped"], report["failed"]), (1, len(files) - 1, 0))
        self.assertEqual(self.reason("cut.docx"), "broken DOCX (no zip directory: the file is cut off or damaged)")
        self.assertEqual(self.reason("empty.docx"), "broken DOCX (it has no 'word/document.xml')")
        self.assertEqual(self.reason("locked.docx"), "encrypted (DOCX)")
        self.assertRegex(self.reason("bomb.docx"), r"DOCX over a limit \(zip bomb: 'word/document.xml' grows \d+-fold, at most 200\)")
        self.assertEqual(self.reason("entities.docx"), "DOCX not supported ('word/document.xml' declares entities in its "
                                                       "document type, which is refused)")
        self.assertRegex(self.reason("deep.docx"), r"DOCX over a limit \('word/document.xml' is nested over 512 deep at byte \d+\)")
        self.assertRegex(self.reason("open.docx"), r"broken DOCX \('word/document.xml' is no good XML: it ends within an element at byte \d+\)")
        self.assertRegex(self.reason("damaged.docx"), r"broken DOCX \(entry 0 of the zip directory is damaged at byte \d+\)")
        self.assertEqual(self.reason("nothing.html"), "no text (HTML)")
        self.assertEqual(len(self.hits("turquoise")), 1)

    def test_a_left_out_document_is_tried_again_when_it_changed_or_the_limits_did(self):
        self.write("letter.docx", LETTER[:300])
        self.write("large.docx", LETTER)
        self.age()
        limit = {"PYTHIA_DOCUMENTS_MAX_FILE_SIZE": "1K"}
        self.assertEqual(self.index("--lex-only", env=limit)["skipped"], 2)
        self.assertRegex(self.pythia("why", "large.docx", env=limit).out, r"larger than 1 KB \(1\.\d KB\)")
        self.assertEqual(self.index("--lex-only", env=limit)["skipped"], 2)
        report = self.index("--lex-only")
        self.assertEqual((report["changed"], report["skipped"]), (1, 1))
        self.write("letter.docx", LETTER)
        self.index("--lex-only")
        self.assertEqual({h["path"] for h in self.hits("turquoise")}, {"letter.docx", "large.docx"})


if __name__ == "__main__":
    main()
