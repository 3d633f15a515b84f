"""Documents of every format, end to end: found by their words with page, heading and row; bad ones told with the reason."""
import json
import os
import re
import socket
import sqlite3
import unittest
from email.message import EmailMessage

from documents import W, docx, docx_table, epub, odf, package, paragraph, pdf, pptx, xlsx
from harness import BINARY, PythiaTest, main, subprocess, without_override

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
        return self.search(query, "--mode", "lexical", "--no-collapse", **how)["results"]

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

    def pages_of(self, **words):
        """{word: page} of the one hit of each."""
        return {word: self.only(word)["page"] for word in words}

    def test_docx_pages_are_where_breaks_were_put_when_these_are_all_there_are(self):
        put = '<w:r><w:br w:type="page"/></w:r>'
        styles = ('<w:styles %s><w:style w:styleId="Base"><w:name w:val="b"/><w:pPr><w:pageBreakBefore/></w:pPr></w:style>'
                  '<w:style w:styleId="Top"><w:name w:val="t"/><w:basedOn w:val="Base"/></w:style></w:styles>' % W)
        body = (paragraph("herons", "Top") + paragraph("otters", before=put) + paragraph("voles") + paragraph("shrews", "Top") +
                '<w:p><w:pPr><w:pageBreakBefore w:val="0"/></w:pPr><w:r><w:t>badgers</w:t></w:r></w:p>')
        wanted = dict(herons=1, otters=2, voles=2, shrews=3, badgers=3)
        for told, pages in ((3, wanted), (4, dict.fromkeys(wanted)), (0, dict.fromkeys(wanted))):
            about = "<Properties><Pages>%d</Pages></Properties>" % told if told else "<Properties><Pages>many</Pages></Properties>"
            self.write("pages.docx", docx(body, more={"word/styles.xml": styles, "docProps/app.xml": about}))
            self.index("--lex-only")
            self.assertEqual(self.pages_of(**wanted), pages, told)
        self.write("pages.docx", docx(paragraph("herons"), more={"docProps/app.xml": "<Properties><Pages>1</Pages></Properties>"}))
        self.index("--lex-only")
        self.assertEqual(self.only("herons")["page"], None)  # pandoc's template says so of texts of any length

    def test_odt_pages_are_where_the_program_or_the_author_broke_them(self):
        def styled(style, text):
            return '<text:p text:style-name="%s">%s</text:p>' % (style, text)
        def style(name, attributes, properties):
            return ('<style:style style:name="%s" style:family="paragraph"%s><style:paragraph-properties%s/></style:style>' %
                    (name, attributes, properties))
        named = style("Top", "", ' fo:break-before="page"')
        automatic = (style("P1", ' style:parent-style-name="Top"', "") + style("P2", "", ' fo:break-after="page"') +
                     style("P3", ' style:master-page-name="Landscape"', "") +
                     '<style:style style:name="Plain" style:family="text"><style:paragraph-properties fo:break-before="page"/></style:style>')
        body = (styled("P1", "herons") + styled("P1", "otters") + styled("Plain", "voles") + styled("P2", "shrews") + styled("P4", "badgers") +
                "<text:soft-page-break/>" + styled("", "martens") + styled("P3", "stoats"))
        wanted = dict(herons=1, otters=2, voles=2, shrews=2, badgers=3, martens=4, stoats=5)
        self.write("pages.odt", odf("text", body, paged=True, automatic=automatic, styles=named))
        self.index("--lex-only")
        self.assertEqual(self.pages_of(**wanted), wanted)
        text = styled("P1", "herons") + styled("P1", "otters")
        self.write("pages.odt", odf("text", text, automatic=automatic, styles=named))  # whoever wrote it noted no pages
        self.index("--lex-only")
        self.assertEqual(self.pages_of(herons=0, otters=0), dict(herons=None, otters=None))

    def only(self, query):
        """The one hit of a query."""
        hits = self.hits(query)
        self.assertEqual(len(hits), 1, hits)
        return hits[0]

    def test_pdf_has_pages(self):
        self.write("report.pdf", pdf(["The first page is about granite.", "The second page is about basalt.", ""]))
        self.index("--lex-only")
        hit = self.only("basalt")
        self.assertEqual((hit["page"], hit["lang"], hit["content"]), (2, "pdf", "The second page is about basalt."))
        self.assertEqual(self.only("granite")["page"], 1)

    def test_pdf_has_the_title_that_its_author_gave_it(self):
        self.write("a1.pdf", pdf(["Of granite."], title="Rocks of the coast"))
        self.write("a2.pdf", pdf(["Of basalt."], title="Untitled"))
        self.index("--lex-only")
        hit = self.only("coast")  # nothing but the title says so
        self.assertEqual(hit["path"], "a1.pdf")
        self.search("untitled", "--mode", "lexical", code=1)

    def test_pptx_has_a_page_and_a_heading_a_slide_and_its_notes(self):
        self.write("talk.pptx", pptx([("Opening", ["Welcome to the harbour"]), ("Cranes", ["They lift containers"])],
                                     notes="Speak about the pilot boat"))
        self.index("--lex-only")
        hit = self.only("containers")
        self.assertEqual((hit["page"], hit["heading"], hit["content"]), (2, "Cranes", "Cranes\n\nThey lift containers"))
        self.assertEqual(self.only("pilot boat")["page"], 1)

    def test_xlsx_rows_name_their_columns(self):
        self.write("orders.xlsx", xlsx("March &amp; April", [["Customer", "Ordered", "Sum"], ["Lindqvist", ("date", 45368), 12.5],
                                                             ["Okafor", ("date", 45369.75), 0.1 + 0.2]]))
        self.index("--lex-only")
        hit = self.only("okafor")
        self.assertEqual(hit["heading"], "March & April")
        self.assertEqual(hit["content"].split("\n")[-2:], ["Customer: Lindqvist | Ordered: 2024-03-17 | Sum: 12.5",
                                                           "Customer: Okafor | Ordered: 2024-03-18 18:00 | Sum: 0.3"])

    def test_odt_has_headings_lists_tables_and_pages(self):
        self.write("manual.odt", odf("text", '<text:h text:outline-level="1">Boilers</text:h><text:p>Bleed<text:s text:c="2"/>the valve'
                                             " weekly.</text:p><text:list><text:list-item><text:p>goggles</text:p></text:list-item>"
                                             '</text:list><text:soft-page-break/><text:h text:outline-level="2">Pumps</text:h>'
                                             "<text:p>Prime it with glycol.</text:p>", title="House manual"))
        self.index("--lex-only")
        hit = self.only("glycol")
        self.assertEqual((hit["page"], hit["heading"]), (2, "Boilers > Pumps"))
        self.assertEqual(self.pythia("get", "manual.odt", code=0).out,
                         "Boilers\n\nBleed the valve weekly.\n\n- goggles\n\nPumps\n\nPrime it with glycol.\n")

    def test_ods_and_odp_too(self):
        def row(*cells):
            return "<table:table-row>%s</table:table-row>" % "".join(
                "<table:table-cell><text:p>%s</text:p></table:table-cell>" % cell for cell in cells)
        self.write("stock.ods", odf("spreadsheet", '<table:table table:name="Cellar">%s</table:table>' %
                                    (row("Wine", "Bottles") + row("Riesling", "48"))))
        self.write("show.odp", odf("presentation", '<draw:page draw:name="page1"><text:p>of kestrels</text:p></draw:page>'
                                                   '<draw:page draw:name="Owls"><text:p>of barn owls</text:p></draw:page>'))
        self.index("--lex-only")
        self.assertIn("Wine: Riesling | Bottles: 48", self.only("riesling")["content"])
        self.assertEqual(self.only("riesling")["heading"], "Cellar")
        self.assertEqual((self.only("barn")["page"], self.only("barn")["heading"]), (2, "Owls"))

    def test_epub_chapters_come_in_the_order_of_the_spine(self):
        self.write("book.epub", epub(["<h1>Departure</h1><p>The train left at dusk.</p>",
                                      "<h1>Arrival</h1><h2>The platform</h2><p>Nobody waited but a dachshund.</p>"]))
        self.index("--lex-only")
        self.assertEqual(self.only("dachshund")["heading"], "Arrival > The platform")
        text = self.pythia("get", "book.epub", code=0).out
        self.assertLess(text.index("dusk"), text.index("dachshund"))

    def test_epub_chapters_without_headings_stand_under_their_names_in_the_contents(self):
        chapters = ["<p>Departure</p><p>The train left at dusk.</p>", "<h2>Arrival</h2><p>Nobody waited but a dachshund.</p>",
                    "<p>A letter from the pensioner.</p>"]
        nav = ('<html xmlns="x"><body><nav><ol><li><a href="text/0.xhtml#top">The <i>departure</i></a></li>'
               '<li><a href="text/1.xhtml">Not this</a></li><li><a href="text/0.xhtml">nor this</a></li></ol></nav></body></html>')
        ncx = ('<ncx><navMap><navPoint><navLabel><text>Leaving &amp; going</text></navLabel><content src="text/0.xhtml"/></navPoint>'
               '</navMap></ncx>')
        for toc, item, wanted in (
                (nav, '<item id="n" href="toc.xml" properties="nav" media-type="application/xhtml+xml"/>', "The departure"),
                (ncx, '<item id="n" href="toc.xml" media-type="application/x-dtbncx+xml"/>', "Leaving & going"),
                ("<ncx><navMap>", '<item id="n" href="toc.xml" media-type="application/x-dtbncx+xml"/>', None)):
            self.write("book.epub", epub(chapters, toc=toc, toc_item=item))
            self.index("--lex-only")
            self.assertEqual([self.only(word)["heading"] for word in ("dusk", "dachshund", "pensioner")], [wanted, "Arrival", None])
            self.assertEqual(self.pythia("get", "book.epub", code=0).out[:10], "Departure\n")  # the name is no text of the book

    def test_rtf_in_any_code_page(self):
        self.write("old.rtf", rb"{\rtf1\ansi\ansicpg1251\uc1{\fonttbl{\f0 Arial;}}{\stylesheet{\s1 heading 1;}}{\info{\title x}}"
                              rb"\pard\s1 Rails\par\pard The gauge is 1435 mm, \'cc\'ee\'f1\'ea\'e2\'e0 \u8364? \par"
                              rb"{\trowd\pard\intbl Line\cell\pard\intbl Length\cell\row\pard\intbl North\cell\intbl 90 km\cell\row}"
                              rb"\pard{\*\hidden no}{\pict ffd8}\par}")
        self.index("--lex-only")
        self.assertEqual(self.only("gauge")["heading"], "Rails")
        self.assertEqual(self.pythia("get", "old.rtf", code=0).out,
                         "Rails\n\nThe gauge is 1435 mm, Москва €\n\nLine | Length\nLine: North | Length: 90 km\n")

    def test_rtf_notes_stand_behind_their_paragraph(self):
        self.write("noted.rtf", rb"{\rtf1\ansi\pard The dam{\super\chftn}{\*\footnote\chftn\~\pard Of granite.\par{\b Since 1911}}"
                                rb" holds{\*\footnote\ftnalt{\*\hidden no}{\pict ffd8}So far.} the lake.\par\pard Below it lies a village.\par}")
        self.index("--lex-only")
        self.assertEqual(self.pythia("get", "noted.rtf", code=0).out,
                         "The dam holds the lake.\n\nOf granite.\nSince 1911\nSo far.\n\nBelow it lies a village.\n")

    def test_html_that_closes_what_it_opens_is_read_however_long_it_is(self):
        self.write("long.html", "<ul>" + "<DIV class=x><b>kestrel</b></div><p><li>\n" * 21000 + "<div>heron</div>")
        self.index("--lex-only")
        self.assertEqual(self.only("heron")["path"], "long.html")

    def test_html_heads_of_tables_name_columns_whatever_their_cells_are(self):
        self.write("t.html", "<table><thead><tr><td>Who</td><td>Price</td></tr></thead><tbody><tr><td>Adult</td><td>12</td></tr></tbody></table>"
                             "<table><tr><td>Left</td><td>Right</td></tr><tr><td>1</td><td>2</td></tr></table>")
        self.index("--lex-only")
        self.assertEqual(self.pythia("get", "t.html", code=0).out, "Who | Price\nWho: Adult | Price: 12\n\nLeft | Right\n1 | 2\n")

    def test_mail_with_attachments_and_mailboxes(self):
        mail = EmailMessage()
        mail["Subject"], mail["From"] = "Die Brücke", "Jörg <j@example.org>"
        mail.set_content("The pontoon is closed.")
        mail.add_alternative("<p>The <i>pontoon</i> is closed, in HTML.</p>", subtype="html")
        mail.add_attachment(LETTER, maintype="application", subtype="octet-stream", filename="über/../ice.docx")
        mail.add_attachment(b"\0\1", maintype="image", subtype="png", filename="map.png")
        self.write("bridge.eml", bytes(mail))
        self.write("all.mbox", b"From a@b Mon\nSubject: First\n\nabout parsnips\n\nFrom c@d Tue\nSubject: Second\n"
                               b"Content-Type: text/html; charset=iso-8859-2\n\n<h1>Roots</h1>\xb5u\xbbky rutabaga\n")
        self.index("--lex-only")
        hit = self.only("pontoon")
        self.assertEqual(hit["heading"], "Die Brücke")
        self.assertNotIn("HTML", hit["content"])
        self.assertEqual(self.only("turquoise")["heading"], "Die Brücke > ice.docx > The glacier > Melting")
        self.assertEqual(self.only("jörg")["path"], "bridge.eml")
        self.assertIn("(attachment, not read)", self.only("map png")["content"])
        hit = self.only("rutabaga")
        self.assertEqual((hit["heading"], hit["content"]), ("Second > Roots", "Second\n\nRoots\n\nľuťky rutabaga"))
        self.assertEqual(self.only("parsnips")["heading"], "First")

    def test_pdfs_in_mails_are_read_into_their_places(self):
        mail = EmailMessage()
        mail["Subject"] = "Stones"
        mail.set_content("See the survey.")
        mail.add_attachment(pdf(["The first page is about granite.", "The second page is about basalt."], title="Not the mail's"),
                            maintype="application", subtype="pdf", filename="survey.pdf")
        mail.add_attachment(pdf([""]), maintype="application", subtype="pdf", filename="scan.pdf")
        mail.add_attachment(b"%PDF-1.7\nnothing", maintype="application", subtype="octet-stream", filename="broken.pdf")
        mail.add_attachment("Greetings from the quarry.", filename="last.txt")
        self.write("stones.eml", bytes(mail))
        self.write("all.mbox", b"From a@b Mon\n" + bytes(mail) + b"\nFrom c@d Tue\nSubject: Next\n\nabout parsnips\n")
        self.index("--lex-only")
        hits = {(h["path"], h["page"], h["heading"]) for h in self.hits("basalt")}
        self.assertEqual(hits, {("stones.eml", 2, "Stones > survey.pdf"), ("all.mbox", 2, "Stones > survey.pdf")})
        self.assertEqual({(h["page"], h["heading"]) for h in self.hits("quarry")}, {(None, "Stones > last.txt")})
        self.assertEqual([(h["path"], h["page"], h["heading"]) for h in self.hits("parsnips")], [("all.mbox", None, "Next")])
        text = self.pythia("get", "stones.eml", code=0).out
        self.assertRegex(text, r"^Stones\n\nSee the survey\.\n\nsurvey\.pdf\n\nThe first page is about granite\.\n\n"
                               r"The second page is about basalt\.\n\nscan\.pdf\n\n\(not read: no text \(PDF of 1 page, .*\)\)\n\n"
                               r"broken\.pdf\n\n\(not read: broken PDF \(.*\)\)\n\nlast\.txt\n\nGreetings from the quarry\.\n$")
        self.assertEqual([h for h in self.hits("survey") if h["heading"] == "Not the mail's"], [])

    def test_notebooks_rows_and_records(self):
        self.write("study.ipynb", json.dumps({"nbformat": 4, "cells": [
            {"cell_type": "markdown", "source": ["# Tides\n", "Measured at the pier."]},
            {"cell_type": "code", "source": "height = moon * 2",
             "outputs": [{"output_type": "stream", "text": ["4.2 fathoms\n"]},
                         {"data": {"image/png": "iVBORw0", "text/plain": ["<Figure>"]}}]}]}))
        self.write("people.csv", 'Name;Town;Note\n"Ålesund; Ida";Bergen;"says ""hello"""\nOla;;of the lighthouse\n'.encode("latin-1"))
        self.write("events.jsonl", '{"id": 7, "what": "an avalanche", "where": {"valley": "Aosta"}}\nno record\n')
        self.index("--lex-only")
        self.assertEqual(self.only("fathoms")["heading"], "Tides")
        self.assertIn("height = moon * 2", self.only("fathoms")["content"])
        self.assertIn('Name: Ålesund; Ida | Town: Bergen | Note: says "hello"', self.only("bergen")["content"])
        self.assertEqual(self.pythia("get", "events.jsonl:1", code=0).out,
                         "id: 7 | what: an avalanche | where: (valley: Aosta)\n")

    def test_old_text_is_read_in_its_encoding(self):
        self.write("brief.txt", "Die Mühle gehörte früher einem älteren Müller, der große Säcke über die Brücke trug.\n".encode("cp1252"))
        self.index("--lex-only")
        self.assertIn("Die Mühle gehörte früher", self.only("müller")["content"])

    def test_a_collection_finds_documents_by_meaning_too(self):
        self.write("letter.docx", LETTER)
        self.write("ferry.html", PAGE)
        self.index()
        self.assertEqual(self.paths("what does a boat ticket cost", "-m", "1"), ["ferry.html"])


class OfItself(Documents):
    """What documents say of themselves: kept, shown, and what searches are narrowed by."""
    needs_model = False

    def put_all(self):
        core = ("<dc:creator>Anna Berg</dc:creator><dc:subject>the &lt;sea&gt;</dc:subject><cp:keywords>tides; ebb</cp:keywords>"
                '<dcterms:created xsi:type="dcterms:W3CDTF">2021-03-04T05:06:07Z</dcterms:created><dcterms:modified>2022-01-02T03:04:05Z'
                "</dcterms:modified>")
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = "The harbour", "Jörg <j@example.org>", "a@example.org, b@example.org"
        mail["Date"] = "Wed, 1 May 2024 10:00:00 +0200"
        mail.set_content("needle of the mail")
        mail.add_attachment(docx(paragraph("attached"), about="<dc:creator>Nobody</dc:creator>"), maintype="application",
                            subtype="octet-stream", filename="ice.docx")
        files = {
            "a.docx": docx(paragraph("needle of the letter"), title="A letter", about=core),
            "b.xlsx": xlsx("Sheet", [["needle", "of", "rows"]], about="<dc:creator>Ola Lind</dc:creator>"),
            "c.odt": odf("text", "<text:p>needle of the manual</text:p>", title="A manual",
                         about="<meta:initial-creator>Anna Berg</meta:initial-creator><meta:creation-date>2020-02-03T04:05:06.789"
                               "</meta:creation-date><dc:creator>Ola Lind</dc:creator><dc:date>2023-04-05T06:07:08</dc:date>"
                               "<meta:keyword>boilers</meta:keyword><meta:keyword>pumps</meta:keyword>"),
            "d.epub": epub(["<p>needle of the book</p>"],
                           about="<dc:creator>Ida Holm</dc:creator><dc:date>2019</dc:date><dc:subject>trains</dc:subject>"
                                 '<meta property="dcterms:modified">2023-08-09T10:11:12Z</meta>'),
            "e.pdf": pdf(["needle of the report"], title="Rocks",
                         about="/Author(Anna Berg)/Keywords(granite, basalt)/CreationDate(D:20180501100000+02'00')"
                               "/ModDate(D:20180601100000Z)"),
            "f.html": '<html><head><title>The ferry</title><meta name="author" content="Ida Holm"><meta property="article:author" '
                      'content="https://example.org/ida"><meta property="article:published_time" content="2024-02-03T10:00:00+01:00">'
                      '<meta name="viewport" content="width=1"></head><body>needle of the page</body></html>',
            "g.eml": bytes(mail),
            "h.rtf": rb"{\rtf1\ansi{\info{\title Rails}{\author J\'f6rg M\'fcller}{\creatim\yr2017\mo6\dy5\hr4\min3}{\operator Nobody}}"
                     rb"needle of the rails\par}",
            "i.md": "---\ntitle: Ebb\nauthor: Ola Lind\ndate: 2025-06-07\ntags: [sea, moon]\nstatus: draft\n---\nneedle of the notes\n",
            "j.ipynb": json.dumps({"nbformat": 4, "metadata": {"title": "Study", "authors": [{"name": "Ida Holm"}, {"name": "Ola"}]},
                                   "cells": [{"cell_type": "code", "source": "needle = 1"}]}),
            "k.txt": "needle of the text\n",
        }
        for name, content in files.items():
            self.write(name, content)
        self.age()
        self.index("--lex-only")

    def about(self):
        return {h["path"]: (h.get("title"), h.get("metadata")) for h in self.hits("needle", limit=20)}

    def hits(self, query, *args, limit=20, code=0):
        return self.search(query, "--mode", "lexical", "--no-collapse", "-m", str(limit), *args, code=code)["results"]

    def found(self, query, *args, code=0):
        return "".join(sorted(h["path"][0] for h in self.hits(query, *args, code=code)))

    def test_every_format_says_who_and_when(self):
        self.put_all()
        self.assertEqual(self.about(), {
            "a.docx": ("A letter", {"author": "Anna Berg", "subject": "the <sea>", "keywords": "tides; ebb",
                                    "created": "2021-03-04T05:06:07Z", "modified": "2022-01-02T03:04:05Z"}),
            "b.xlsx": (None, {"author": "Ola Lind"}),
            "c.odt": ("A manual", {"author": "Anna Berg; Ola Lind", "created": "2020-02-03T04:05:06Z",
                                   "modified": "2023-04-05T06:07:08Z", "keywords": "boilers; pumps"}),
            "d.epub": ("A book", {"author": "Ida Holm", "created": "2019", "subject": "trains", "modified": "2023-08-09T10:11:12Z"}),
            "e.pdf": ("Rocks", {"author": "Anna Berg", "keywords": "granite, basalt", "created": "2018-05-01T08:00:00Z",
                                "modified": "2018-06-01T10:00:00Z"}),
            "f.html": ("The ferry", {"author": "Ida Holm", "created": "2024-02-03T09:00:00Z"}),
            "g.eml": ("The harbour", {"author": "Jörg <j@example.org>", "to": "a@example.org, b@example.org",
                                      "created": "2024-05-01T08:00:00Z"}),
            "h.rtf": ("Rails", {"author": "Jörg Müller", "created": "2017-06-05T04:03:00Z"}),
            "i.md": ("Ebb", {"author": "Ola Lind", "created": "2025-06-07", "keywords": "sea, moon", "status": "draft"}),
            "j.ipynb": ("Study", {"author": "Ida Holm; Ola"}),
            "k.txt": (None, None)})

    def test_searches_are_narrowed_by_it(self):
        self.put_all()
        self.assertEqual(self.found("needle", "--author", "berg"), "ace")
        self.assertEqual(self.found("needle author:\"Anna Berg\" date>=2020"), "ac")
        self.assertEqual(self.found("needle -author:berg author:lind"), "bi")
        self.assertEqual(self.found("needle", "--author", "Ida Holm", "--author", "Jörg"), "dfghj")
        self.assertEqual(self.found("needle", "--meta", "keywords=sea", "--meta", "status=draft"), "i")
        self.assertEqual(self.found("needle meta:keywords=pumps"), "c")
        self.assertEqual(self.found("needle", "--meta", "!author=berg", "--since", "2023-04"), "dfgi")
        self.assertEqual(self.found("needle", "--until", "2019"), "eh")
        self.assertEqual(self.found("needle date:2020-09-13"), "bjk")  # those that say nothing are as old as their files
        self.search("needle author:ber", "--mode", "lexical", code=1)
        self.assertFails(self.pythia("search", "needle", "--meta", "tides"), 2, "'--meta' cannot be 'tides'; valid: NAME=VALUE")

    def test_it_is_shown_where_documents_are(self):
        self.put_all()
        code, drawn = self.on_terminal("search", "needle", "--author", "holm", "--until", "2024-03", "--mode", "lexical",
                                       env={"NO_COLOR": "1"})
        self.assertEqual(code, 0)
        self.assertRegex(drawn, r"html · .*Ida Holm · 2024-02-03\b")
        text, = self.pythia("get", "e.pdf", "--json", code=0).json["results"]
        self.assertEqual((text["title"], text["metadata"]["author"]), ("Rocks", "Anna Berg"))
        text, = self.pythia("get", self.hits("needle lang:pdf")[0]["id"], "--json", code=0).json["results"]
        self.assertEqual((text["title"], text["metadata"]["author"]), ("Rocks", "Anna Berg"))
        self.assertIn("pdf, by Anna Berg, of 2018-06-01T10:00:00Z", self.pythia("why", "e.pdf").out)

    def test_titles_of_heads_are_found_by_their_words(self):
        self.write("a.md", "---\ntitle: On kestrels\n---\nNothing of that here.\n")
        self.write("b.md", "Nothing of that here.\n")
        self.index("--lex-only")
        self.assertEqual([h["path"] for h in self.hits("kestrels")], ["a.md"])

    def test_a_mailbox_of_several_mails_has_no_author(self):
        self.write("one.mbox", b"From a@b Mon\nFrom: Anna\nSubject: First\n\nneedle\n")
        self.write("two.mbox", b"From a@b Mon\nFrom: Anna\nSubject: First\n\nneedle\n\nFrom c@d Tue\nFrom: Ola\n\nneedle\n")
        self.index("--lex-only")
        self.assertEqual({h["path"]: h.get("metadata") for h in self.hits("needle")}, {"one.mbox": {"author": "Anna"}, "two.mbox": None})


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


class Readers(Documents):
    needs_model = False

    def test_what_readers_of_another_version_made_is_read_again_and_nothing_else(self):
        self.make_tree({"page.html": "<html><body><h1>Top</h1><p>kestrel</p></body></html>\n", "plain.txt": "heron\n"})
        self.age()
        self.index("--lex-only")
        database = sqlite3.connect(self.home / "pythia.db")
        with database:
            settings, = database.execute("SELECT settings FROM collections").fetchone()
            version = re.search(r'"v(\d+) ', settings).group(1)
            database.execute("UPDATE collections SET settings = ?", (settings.replace('"v%s ' % version, '"v0 '),))
        database.close()
        again = self.index("--lex-only")
        self.assertEqual((again["changed"], again["unchanged"]), (1, 1))
        self.assertEqual([h["path"] for h in self.hits("kestrel")], ["page.html"])
        again = self.index("--lex-only")
        self.assertEqual((again["changed"], again["unchanged"]), (0, 2))


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
            "locked.odt": odf("text", "", manifest="<encryption-data/>"),
            "bought.epub": epub(["<p>x</p>"], encrypted=True),
            "none.pptx": package({"ppt/presentation.xml": "<a>"}),
            "none.xlsx": package({"x": "y"}),
            "none.rtf": b"no rtf",
            "none.eml": b"no mail at all",
            "none.ipynb": b'{"cells": 7}',
            "cut.ipynb": b'{"cells": [',
            "scan.pdf": pdf(["", ""]),
            "broken.pdf": b"%PDF-1.7\n" + b"nothing " * 50,
            "nothing.html": "<html><script>only();</script></html>",
            "deep.html": "<div>" * 190000,
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
        self.assertEqual(self.reason("deep.html"), "HTML over a limit (nested over 20000 deep)")
        self.assertEqual(self.reason("locked.odt"), "encrypted (ODT)")
        self.assertEqual(self.reason("bought.epub"), "encrypted (EPUB)")
        self.assertRegex(self.reason("none.pptx"), "^broken PPTX .'ppt/presentation.xml' is no good XML: it ends within an element at byte 3")
        self.assertEqual(self.reason("none.xlsx"), "broken XLSX (it has no 'xl/workbook.xml')")
        self.assertEqual(self.reason("none.rtf"), "broken RTF (it does not begin as RTF does)")
        self.assertEqual(self.reason("none.eml"), "broken mail (it does not begin as a mail does)")
        self.assertEqual(self.reason("none.ipynb"), "broken notebook (it has no cells)")
        self.assertRegex(self.reason("cut.ipynb"), r"^broken notebook \(.*the notebook.*\)$")
        self.assertEqual(self.reason("scan.pdf"), "no text (PDF of 2 pages, perhaps scanned; documents.ocr reads pictures)")
        self.assertRegex(self.reason("broken.pdf"), r"^broken PDF \(.*Error.*\)$")
        self.assertEqual(len(self.hits("turquoise")), 1)

    def test_names_in_an_archive_open_nothing(self):
        outside = self.write("outside.txt", "a secret", root=self.dir)
        self.write("names.epub", package({
            "META-INF/container.xml": '<container><rootfile full-path="../../../../../../%s"/></container>' % outside,
            str(outside): "not this", "../outside.txt": "nor this"}))
        self.write("parts.docx", package({"word/document.xml": "<w:document><w:body>%s</w:body></w:document>" % paragraph("inside"),
                                          "../../evil.txt": "evil", "/tmp/evil.txt": "evil"}))
        self.age()
        self.assertEqual(self.index("--lex-only")["added"], 1)
        self.assertRegex(self.reason("names.epub"), r"broken EPUB")
        self.assertEqual(self.pythia("get", "parts.docx", code=0).out, "inside\n")
        self.assertFalse((self.dir / "evil.txt").exists())

    def test_files_that_are_no_documents_whatever_they_are_called(self):
        for name in ("huge.pdf", "huge.txt", "huge.html", "huge.docx"):
            with open(self.tree / name, "wb") as f:
                f.write({"pdf": b"%PDF-1.7\n", "docx": b"PK\3\4"}.get(name[5:], b"text\n"))
                f.truncate(2 << 30)  # sparse: two gigabytes that take no room
        os.mkfifo(self.tree / "pipe.pdf")
        (self.tree / "loop.docx").symlink_to("loop.docx")
        (self.tree / "device.pdf").symlink_to("/dev/zero")
        (self.tree / "up.pdf").symlink_to("..")
        with socket.socket(socket.AF_UNIX) as s:
            here = os.getcwd()
            os.chdir(self.tree)
            s.bind("socket.eml")
            os.chdir(here)
        self.write("new\nline\xff.html".encode("latin-1").decode("latin-1"), "<p>a capybara")
        os.rename(self.tree / "new\nline\xff.html", os.fsencode(self.tree) + b"/new\nline\xff.html")
        self.write("line.html", "<p>" + "endless " * 20000)
        self.write("line.csv", 'a,b\n"' + "endless " * 20000)
        self.write("line.eml", "Subject: " + "endless " * 20000)
        self.write("line.rtf", "{\\rtf1 " + "endless " * 20000)
        self.age("huge.pdf", "huge.txt", "huge.html", "huge.docx", "line.html", "line.csv", "line.eml", "line.rtf")
        report = self.index("--lex-only")
        self.assertEqual((report["added"], report["skipped"], report["failed"]), (5, 4, 0))
        self.assertEqual(self.reason("huge.pdf"), "larger than 64 MB (2 GB)")
        self.assertEqual(self.reason("huge.docx"), "larger than 64 MB (2 GB)")
        self.assertEqual(self.reason("huge.txt"), "larger than 1 MB (2 GB)")
        self.assertEqual(self.reason("huge.html"), "larger than 1 MB (2 GB)")
        for name, why in (("pipe.pdf", "fifo"), ("loop.docx", "link in a circle"), ("device.pdf", "link to a special file"),
                          ("up.pdf", "link to a folder"), ("socket.eml", "socket")):
            steps = self.pythia("why", name, "--json", code=1).json["steps"]
            self.assertEqual((steps[0]["stage"], steps[0]["passed"]), ("ignore", False))
            self.assertIn(why, steps[0]["detail"].lower())
        self.assertEqual(len(self.hits("capybara")), 1)
        for name in ("line.html", "line.csv", "line.eml", "line.rtf"):
            self.assertEqual(self.paths("endless", name, "--mode", "lexical", "-m", "1"), [name])

    def test_what_may_not_be_read_is_told_and_read_when_it_may(self):
        self.write("letter.docx", LETTER)
        self.age()
        (self.tree / "letter.docx").chmod(0)
        words = without_override()
        done = subprocess.run([*words, BINARY, "index", "--lex-only", "--json"], cwd=self.tree, env=self.env, capture_output=True)
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertIn(b"Permission denied", done.stdout)
        (self.tree / "letter.docx").chmod(0o644)
        self.index("--lex-only")
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
