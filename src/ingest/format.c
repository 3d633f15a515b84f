/* format.c - the table of documents' formats. See format.h. */
#include "ingest/format.h"

#include "base/file.h"

static const DocumentFormat document_formats[] = {
    {"HTML", "html", " html htm xhtml xht ", NULL, true, FORMAT_BYTES, format_html},
    {"PDF", "pdf", NULL, "%PDF-", false, FORMAT_PDF, NULL},
    {"PDF", "pdf", " pdf ", NULL, false, FORMAT_PDF, NULL},
    {"picture", "picture", " png ", "\x89PNG", false, FORMAT_PICTURE, NULL},
    {"picture", "picture", " jpg jpeg ", "\xff\xd8\xff", false, FORMAT_PICTURE, NULL},
    {"picture", "picture", " tif tiff ", "II*", false, FORMAT_PICTURE, NULL},
    {"picture", "picture", " tif tiff ", "MM", false, FORMAT_PICTURE, NULL},
    {"DOCX", "docx", " docx docm dotx dotm ", NULL, false, FORMAT_BYTES, format_docx},
    {"PPTX", "pptx", " pptx pptm ppsx potx ", NULL, false, FORMAT_BYTES, format_pptx},
    {"XLSX", "xlsx", " xlsx xlsm xltx ", NULL, false, FORMAT_BYTES, format_xlsx},
    {"ODT", "odt", " odt ott ", NULL, false, FORMAT_BYTES, format_odf},
    {"ODS", "ods", " ods ots ", NULL, false, FORMAT_BYTES, format_odf},
    {"ODP", "odp", " odp otp ", NULL, false, FORMAT_BYTES, format_odf},
    {"EPUB", "epub", " epub ", NULL, false, FORMAT_BYTES, format_epub},
    {"RTF", "rtf", " rtf ", NULL, false, FORMAT_BYTES, format_rtf},
    {"RTF", "rtf", " doc ", "{\\rtf", false, FORMAT_BYTES, format_rtf}, /* as Word saves it at times */
    {"mail", "mail", " eml ", NULL, false, FORMAT_BYTES, format_mail},
    {"mailbox", "mail", " mbox mbx ", "From ", false, FORMAT_BYTES, format_mail},
    {"notebook", "jupyter", " ipynb ", NULL, false, FORMAT_BYTES, format_jupyter},
    {"CSV", "csv", " csv tsv ", NULL, true, FORMAT_BYTES, format_csv},
    {"JSON lines", "jsonl", " jsonl ndjson ", NULL, true, FORMAT_BYTES, format_jsonl},
};

enum { N_FORMATS = sizeof document_formats / sizeof *document_formats };

static bool among(Str extension, const char *list) {
    for (Str rest = str_of(list), word; str_cut(&rest, ' ', &word);)
        if (word.n && str_eq_nocase(word, extension)) return true;
    return false;
}

const DocumentFormat *format_of(Str path, Str head) {
    const Str extension = path_ext(path);
    for (size_t i = 0; i < N_FORMATS; i++) {
        const DocumentFormat *f = &document_formats[i];
        if (f->extensions && !among(extension, f->extensions)) continue;
        if (f->magic && !str_starts(head, str_of(f->magic))) continue;
        return f;
    }
    return NULL;
}

const DocumentFormat *format_named(Str name) {
    for (size_t i = 0; i < N_FORMATS; i++)
        if (str_is(name, document_formats[i].name)) return &document_formats[i];
    return NULL;
}
