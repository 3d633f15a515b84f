/* meta.h - what a document says of itself besides its text: who wrote it, when, what it is about.
 *
 * One Str of lines "name<tab>value<newline>", so that it goes as it is through a reader's pipe, a column of the store
 * and a reply; "" says nothing. A name may stand in several lines (two authors). Names are of a-z, 0-9, '_', '-' and
 * '.', META_NAME_MAX bytes at most; values are one line of UTF-8 without control characters, META_VALUE_MAX at most;
 * lines META_LINES_MAX.
 *
 * All names are kept; readers of documents use "author", "created", "modified", "subject", "keywords" and "to". created
 * and modified are dates, ISO 8601 in UTC and as exact as they were told: "2024", "2024-05", "2024-05-01",
 * "2024-05-01T08:00:00Z"; there is at most one of each.
 *
 * Threads: any.
 */
#ifndef PYTHIA_BASE_META_H
#define PYTHIA_BASE_META_H

#include "base/str.h"

#define META_NAME_MAX  40
#define META_VALUE_MAX 500
#define META_LINES_MAX 40
#define META_BYTES_MAX ((size_t)META_LINES_MAX * (META_NAME_MAX + META_VALUE_MAX + 2))

/* Appends a line to out, which holds such lines alone: the name in lower case, with '_' for what no name has; of the
 * value (UTF-8) blanks and control characters as one blank each, cut to its limit. Nothing is added when the value is
 * blank, was said before, or there is no room. False: the name is that of a date, and the value is none; nothing is
 * added then. */
bool meta_add(Buf *out, Str name, Str value);

/* The next line; *rest is the whole at first. False at the end. */
bool meta_next(Str *rest, Str *name, Str *value);
/* Whether text is what meta_add makes, within all limits: for what came from elsewhere. */
bool meta_valid(Str text);

/* The first value of that name; "" none. */
Str meta_get(Str meta, const char *name);
/* Unix ms of the document's last change as it says itself (modified, else created); 0: it does not. */
int64_t meta_changed_ms(Str meta);
/* wanted is "name=words": a value of that name holds these words one behind the other, whatever the case of ASCII
 * letters. */
bool meta_fits(Str wanted, Str meta);
/* The two parts of "name=words"; false: it has no '=', or one of them is blank. */
bool meta_wanted(Str wanted, Str *name, Str *words);

/* A date as documents write them into out: ISO 8601 ("2024-05-01 10:00:00 +02:00", "2024/5/1", "20240501T100000Z"),
 * PDF's ("D:20240501100000+02'00'"), mail's ("Wed, 1 May 2024 10:00:00 +0200"), asctime's, "May 1, 2024". False: it is
 * none of these. */
bool meta_date(Str text, char out[32]);

#endif
