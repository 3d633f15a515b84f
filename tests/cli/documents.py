"""Documents made with the standard library, in the structure that the real formats have."""
import io
import zipfile
import zlib


def package(parts, compression=zipfile.ZIP_DEFLATED):
    """A zip archive of {name: text or bytes}."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STYLES = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:styles %s>
<w:style w:type="paragraph" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="My heading"/><w:basedOn w:val="berschrift2"/></w:style>
<w:style w:type="paragraph" w:styleId="Bullet"><w:name w:val="List Bullet"/><w:pPr><w:numPr/></w:pPr></w:style>
</w:styles>""" % W


def paragraph(text, style=None, before=""):
    properties = '<w:pPr><w:pStyle w:val="%s"/></w:pPr>' % style if style else ""
    return '<w:p>%s%s<w:r><w:t xml:space="preserve">%s</w:t></w:r></w:p>' % (properties, before, text)


def docx_table(rows, header=True):
    look = '<w:tblPr><w:tblLook w:firstRow="%d"/></w:tblPr>' % header
    cells = ["".join("<w:tc>%s</w:tc>" % paragraph(cell) for cell in row) for row in rows]
    return "<w:tbl>%s%s</w:tbl>" % (look, "".join("<w:tr>%s</w:tr>" % row for row in cells))


def core(title, about):
    return '<cp:coreProperties xmlns:cp="x" xmlns:dc="y"><dc:title>%s</dc:title>%s</cp:coreProperties>' % (title, about)


def docx(body, title="", more=None, about=""):
    return package({
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": '<?xml version="1.0"?><w:document %s><w:body>%s</w:body></w:document>' % (W, body),
        "word/styles.xml": STYLES,
        "docProps/core.xml": core(title, about),
        **(more or {}),
    })


def pptx(slides, notes=""):
    """slides: a list of (title, [lines]); notes: of the first."""
    parts = {"[Content_Types].xml": "<Types/>"}
    ids, relations = "", ""
    for i, (title, lines) in enumerate(slides, 1):
        ids += '<p:sldId id="%d" r:id="rId%d"/>' % (255 + i, i)
        relations += '<Relationship Id="rId%d" Type="http://x/relationships/slide" Target="slides/slide%d.xml"/>' % (i, i)
        body = "".join("<a:p><a:r><a:t>%s</a:t></a:r></a:p>" % line for line in lines)
        parts["ppt/slides/slide%d.xml" % i] = (
            '<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr><p:ph type="body"/></p:nvPr></p:nvSpPr>'
            "<p:txBody>%s</p:txBody></p:sp><p:sp><p:nvSpPr><p:nvPr><p:ph type=\"title\"/></p:nvPr></p:nvSpPr><p:txBody><a:p>"
            "<a:r><a:t>%s</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>" % (body, title))
    if notes:
        parts["ppt/slides/_rels/slide1.xml.rels"] = (
            '<Relationships><Relationship Id="n" Type="http://x/relationships/notesSlide" '
            'Target="../notesSlides/notesSlide1.xml"/></Relationships>')
        parts["ppt/notesSlides/notesSlide1.xml"] = '<p:notes xmlns:p="p" xmlns:a="a"><a:p><a:t>%s</a:t></a:p></p:notes>' % notes
    parts["ppt/presentation.xml"] = '<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>%s</p:sldIdLst></p:presentation>' % ids
    parts["ppt/_rels/presentation.xml.rels"] = "<Relationships>%s</Relationships>" % relations
    return package(parts)


def xlsx(name, rows, about=""):
    """One sheet; a str is shared, a number stands for itself, ("date", n) has a date's format."""
    shared, cells = [], ""
    for r, row in enumerate(rows, 1):
        cells += '<row r="%d">' % r
        for c, value in enumerate(row):
            at = "%s%d" % (chr(65 + c), r)
            if isinstance(value, str):
                shared.append(value)
                cells += '<c r="%s" t="s"><v>%d</v></c>' % (at, len(shared) - 1)
            elif isinstance(value, tuple):
                cells += '<c r="%s" s="1"><v>%s</v></c>' % (at, value[1])
            elif value is not None:
                cells += '<c r="%s"><v>%r</v></c>' % (at, value)
        cells += "</row>"
    return package({
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": '<workbook xmlns:r="r"><sheets><sheet name="%s" sheetId="1" r:id="rId1"/></sheets></workbook>' % name,
        "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="rId1" Type="http://x/worksheet" '
                                      'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": "<worksheet><sheetData>%s</sheetData></worksheet>" % cells,
        "xl/sharedStrings.xml": "<sst>%s</sst>" % "".join("<si><t>%s</t></si>" % s for s in shared),
        "docProps/core.xml": core("", about),
        "xl/styles.xml": '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
    })


def odf(kind, body, title="", manifest="", about="", paged=False, automatic="", styles=""):
    """kind: text, spreadsheet or presentation. paged: the program noted its page breaks. automatic, styles: styles of this text, named ones."""
    named = "<office:document-styles><office:styles>%s</office:styles></office:document-styles>" % styles
    return package({
        "mimetype": "application/vnd.oasis.opendocument." + kind,
        "content.xml": '<office:document-content xmlns:office="o" xmlns:text="t" xmlns:table="b" xmlns:draw="d">'
                       "<office:automatic-styles>%s</office:automatic-styles><office:body><office:%s%s>%s</office:%s></office:body>"
                       "</office:document-content>" % (automatic, kind, ' text:use-soft-page-breaks="true"' if paged else "", body, kind),
        **({"styles.xml": named} if styles else {}),
        "meta.xml": '<office:document-meta xmlns:office="o" xmlns:dc="d"><dc:title>%s</dc:title>%s</office:document-meta>' %
                    (title, about),
        "META-INF/manifest.xml": "<manifest>%s</manifest>" % manifest,
    })


def epub(chapters, encrypted=False, about="", toc="", toc_item=""):
    """chapters: XHTML bodies, in the order of the spine and not of the manifest. toc: book/toc.xml, named by the manifest's toc_item."""
    items = "".join('<item id="c%d" href="text/%d.xhtml" media-type="application/xhtml+xml"/>' % (i, i)
                    for i in reversed(range(len(chapters))))
    spine = "".join('<itemref idref="c%d"/>' % i for i in range(len(chapters)))
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="book/content.opf"/></rootfiles></container>',
        "book/content.opf": '<package xmlns:dc="d"><metadata><dc:title>A book</dc:title>%s</metadata><manifest>%s</manifest>'
                            "<spine>%s</spine></package>" % (about, items + toc_item, spine),
        **({"book/toc.xml": toc} if toc else {}),
    }
    for i, body in enumerate(chapters):
        parts["book/text/%d.xhtml" % i] = '<?xml version="1.0"?><html xmlns="x"><body>%s</body></html>' % body
    if encrypted:
        parts["META-INF/encryption.xml"] = '<encryption><CipherReference URI="book/text/0.xhtml"/></encryption>'
    return package(parts)


def pdf(pages, fonts="<</F 4 0 R>>", title="", size=12, about=""):
    """One line of text a page, uncompressed; "" is a page without text. about: more entries of the information dictionary."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>",
               "<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), " ".join("%d 0 R" % (5 + 2 * i) for i in range(len(pages)))),
               "<<>>", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    for i, text in enumerate(pages):
        stream = "BT /F %d Tf 50 700 Td (%s) Tj ET" % (size, text) if text else ""
        objects.append("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font%s>>/Contents %d 0 R>>" % (fonts, 6 + 2 * i))
        objects.append("<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
    return pdf_file([o.encode("latin-1") for o in objects], title, about)


def pdf_file(objects, title="", about=""):
    """Objects 1 to n, of which the first is the catalogue."""
    if title or about:
        objects = [*objects, b"<</Title(%s)%s>>" % (title.encode("latin-1"), about.encode("latin-1"))]
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, content)
    start, info = len(out), b"/Info %d 0 R" % len(objects) if title or about else b""
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, info, start)


def pdf_of_pictures(pictures):
    """A PDF as a scanner makes it: a picture a page and no text. pictures: PGM files (P5) of 8 bits."""
    kids = b" ".join(b"%d 0 R" % (3 + 3 * i) for i in range(len(pictures)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pictures), kids)]
    for i, picture in enumerate(pictures):
        kind, width, height, most, pixels = picture.split(maxsplit=4)
        assert (kind, most, len(pixels)) == (b"P5", b"255", int(width) * int(height))
        packed = zlib.compress(pixels)
        draw = b"q 600 0 0 800 0 0 cm /I Do Q"
        objects += [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</XObject<</I %d 0 R>>>>/Contents %d 0 R>>"
                    % (4 + 3 * i, 5 + 3 * i),
                    b"<</Type/XObject/Subtype/Image/Width %s/Height %s/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode"
                    b"/Length %d>>stream\n%s\nendstream" % (width, height, len(packed), packed),
                    b"<</Length %d>>stream\n%s\nendstream" % (len(draw), draw)]
    return pdf_file(objects)
