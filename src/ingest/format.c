/* format.c - the table of documents' formats. See format.h. */
#include "ingest/format.h"

#include "base/file.h"

static const DocumentFormat document_formats[] = {
    {"HTML", "html", " html htm xhtml xht ", NULL, true, FORMAT_BYTES, format_html},
    {"DOCX", "docx", " docx docm dotx dotm ", NULL, false, FORMAT_BYTES, format_docx},
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
