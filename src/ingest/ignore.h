/* ignore.h - one ignore file (.gitignore, .pythiaignore, .git/info/exclude, core.excludesFile) and what it says of a
 * path.
 *
 * Exactly git's reading of it: see ignore.c. Immutable once parsed; everything lives in the arena and in the text
 * handed in. Threads: any number of readers.
 */
#ifndef PYTHIA_INGEST_IGNORE_H
#define PYTHIA_INGEST_IGNORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define IGNORE_MAX_BYTES (4 * 1024 * 1024) /* of one ignore file */

typedef struct {
    Str shown;   /* the line as it stands in the file, for messages */
    Str pattern; /* what is matched: without '!', without the slash at either end */
    uint32_t line;
    uint32_t literal;  /* bytes of pattern before its first special character */
    bool negated;      /* "!": re-includes */
    bool folders_only; /* "/" at the end */
    bool by_name;      /* no other slash: matched against the base name at any depth */
    bool by_suffix;    /* "*literal" */
} IgnoreRule;

typedef struct {
    Str name;          /* for messages: "src/.gitignore" */
    Str base;          /* folder to which the rules are relative, relative to the top: "" or "src/lib/" */
    IgnoreRule *rules; /* [n], in the order of the file */
    size_t n;
} IgnoreFile;

/* Reads the rules of an ignore file. text, name and base are borrowed and must outlive out. Never refuses a line: what
 * git cannot match, matches nothing. ERR_NOMEM, ERR_LIMIT (text over IGNORE_MAX_BYTES). Cost: linear in the text. */
MUST_USE Err ignore_parse(Arena *a, Str text, Str name, Str base, IgnoreFile *out);

/* The last rule that matches path (relative to the top, no slash at the end), or NULL. The folders above path are not
 * asked: a walk does not go into an ignored one. Cost: a comparison a rule; |pattern| * |path| for a rule with
 * stars. */
const IgnoreRule *ignore_match(const IgnoreFile *f, Str path, bool is_folder);

#endif
