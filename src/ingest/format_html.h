/* format_html.h - reading HTML, for pages, chapters of books and mails. */
#ifndef PYTHIA_INGEST_FORMAT_HTML_H
#define PYTHIA_INGEST_FORMAT_HTML_H

#include "ingest/format.h"

/* Adds to f what is read on the page: of a part of something that has a title of its own. */
MUST_USE Err html_read(Flow *f, Str utf8);

/* What the page says of its encoding (a name at the start of the result, more behind it); "" nothing. */
Str html_declared(Str bytes);

#endif
