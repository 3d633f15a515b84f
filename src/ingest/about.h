/* about.h - what documents call the things that they say of themselves, and the head of text files that say some.
 *
 * Web pages, notebooks and the heads of Markdown have no one word for a thing: "byline", "dc.creator" and
 * "article:author" are an author. Threads: any.
 */
#ifndef PYTHIA_INGEST_ABOUT_H
#define PYTHIA_INGEST_ABOUT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/types.h"

/* The name that base/meta.h has for it, or "title"; NULL: none of these. Case does not matter. */
const char *about_name(Str given);

/* Fills title and meta of a text that begins with a head of data: YAML between "---" or TOML between "+++" (Markdown),
 * fields such as ":Author: Anna" (reStructuredText, AsciiDoc), "#+AUTHOR: Anna" (Org), by doc->lang. Names that
 * about_name does not know are kept as they are; of what is nested only an author's name is. Without a head nothing
 * changes. */
MUST_USE Err about_read_head(Arena *a, Doc *doc);

#endif
