/* metadata.h - what documents say of themselves (base/meta.h), as JSON: {"author": "Anna Berg", "created":
 * "2024-05-01"}.
 *
 * Values are texts, numbers, true and false, or arrays of them; in replies texts alone, several of one name with "; "
 * between. Threads: any.
 */
#ifndef PYTHIA_SERVE_METADATA_H
#define PYTHIA_SERVE_METADATA_H

#include "base/arena.h"
#include "base/json.h"

/* "title" and "metadata" of an open object, each only where there is something to tell: most hits are in files of code,
 * which say nothing of themselves. */
void jout_kv_about(JsonOut *j, Str title, Str meta);

/* The object as lines of base/meta.h, in the arena; NULL: "". ERR_USAGE for another value, and for a date that is none;
 * ERR_LIMIT for more than fits. */
MUST_USE Err metadata_lines(Arena *a, const json_t *object, Str *out);

/* The object as a filter has it: "author=berg" each. ERR_USAGE for another value, or a blank one. where: the field, for
 * messages. */
MUST_USE Err metadata_filter(Arena *a, const json_t *object, const char *where, const Str **out, size_t *n);

#endif
