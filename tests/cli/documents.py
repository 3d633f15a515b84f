"""Documents made with the standard library, in the structure that the real formats have."""
import io
import zipfile


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


def docx(body, title="", more=None):
    core = '<cp:coreProperties xmlns:cp="x" xmlns:dc="y"><dc:title>%s</dc:title></cp:coreProperties>' % title
    return package({
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": '<?xml version="1.0"?><w:document %s><w:body>%s</w:body></w:document>' % (W, body),
        "word/styles.xml": STYLES,
        "docProps/core.xml": core,
        **(more or {}),
    })
