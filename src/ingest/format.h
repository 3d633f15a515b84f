/* format.h - formats of documents: how they are told, and who reads them. A format is one file (format_<name>.c) and
 * one line in document_formats (format.c).
 *
 * A reader turns the bytes of a file into text with marks. It runs in a confined child (child.h) that has the document,
 * a pipe and nothing else: no file, no network, no other process; so it neither opens nor asks for anything, and may
 * take as much time and memory as its limits allow. Its bytes are hostile all the same: a crash costs the document.
 *
 * A document that is not read is refused with an error whose text is the reason kept for `why`: ERR_CORRUPT ("broken"),
 * ERR_UNSUPPORTED (encrypted, another format), ERR_LIMIT.
 */
#ifndef PYTHIA_INGEST_FORMAT_H
#define PYTHIA_INGEST_FORMAT_H

#include "ingest/flow.h"

#define FORMAT_SNIFF 4096 /* bytes at a file's start by which a format is told */

typedef enum {
    FORMAT_BYTES,   /* read from bytes by a function */
    FORMAT_PDF,     /* by programs: format_pdf.c */
    FORMAT_PICTURE, /* likewise, where OCR is asked for; else it is binary like any other */
} FormatKind;

typedef struct {
    const char *name;       /* as in reasons: "DOCX" */
    const char *lang;       /* of the Doc: "docx" */
    const char *extensions; /* " docx docm "; a file must have one of them (NULL: any)… */
    const char *magic;      /* …and begin so; NULL: anything */
    bool is_text;           /* small files of text, to which the limit of text files applies */
    FormatKind kind;
    Err (*read)(Flow *f, Str bytes); /* FORMAT_BYTES */
} DocumentFormat;

/* The format of a file by its name and first bytes; NULL when it is none of these. */
const DocumentFormat *format_of(Str path, Str head);
const DocumentFormat *format_named(Str name);

/* Readers; each is called with a Flow that flow_begin made. For children and tests. */
MUST_USE Err format_html(Flow *f, Str bytes);
MUST_USE Err format_docx(Flow *f, Str bytes);
MUST_USE Err format_pptx(Flow *f, Str bytes);
MUST_USE Err format_xlsx(Flow *f, Str bytes);
MUST_USE Err format_odf(Flow *f, Str bytes);
MUST_USE Err format_epub(Flow *f, Str bytes);
MUST_USE Err format_rtf(Flow *f, Str bytes);
MUST_USE Err format_mail(Flow *f, Str bytes);
MUST_USE Err format_jupyter(Flow *f, Str bytes);
MUST_USE Err format_csv(Flow *f, Str bytes);
MUST_USE Err format_jsonl(Flow *f, Str bytes);

#endif
