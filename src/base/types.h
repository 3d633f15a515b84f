/* types.h - the nouns that flow through Pythia: Doc, Chunk, Filter. Plain values; the strings in them are borrowed
 * from the arena that the maker was handed. */
#ifndef PYTHIA_BASE_TYPES_H
#define PYTHIA_BASE_TYPES_H

#include "base/hash.h"
#include "base/str.h"

/* From this byte of an extracted text on, until the next mark: the page, and the headings above. */
typedef struct {
    int64_t start; /* a line's first byte */
    int32_t page;  /* 1-based; 0: the format has none */
    bool titled;   /* the line that begins here is the heading itself */
    Str heading;   /* "Install > Linux"; "" none */
} DocMark;

/* A document within another one (a PDF in a mail) that only a program of its own can read. */
typedef struct {
    int64_t start; /* where in the text around it its own belongs: a line's first byte, or the text's end */
    Str bytes;
} DocPart;

/* A document as ingest hands it on: bytes that are text, UTF-8 (repaired where it was not). */
typedef struct {
    Str uri;  /* "file:///abs/path", "upload://sha256:<hex>", "eval:<id>" */
    Str path; /* relative to the collection's root, '/' between parts; bytes as the file system has them */
    Str text;
    Str title;     /* may be empty */
    Str meta;      /* what it says of itself: lines of base/meta.h; may be empty */
    Str lang;      /* "c", "python", "markdown", "text"; "" unknown */
    Sha256 sha256; /* of the original bytes */
    int64_t size;  /* of the original, bytes */
    int64_t mtime_ns;
    float prior;    /* of a hit in it, beside one in other documents: 1, or less for what ranks lower; 0 counts as 1 */
    bool extracted; /* text was made from the file's bytes (PDF, office, another encoding): the store has to keep it */
    const DocMark *marks; /* ascending by start; a document that a reader understood has one at its start, text none */
    size_t n_marks;
    const DocPart *parts; /* by start; within ingest only: they are read before the document is handed on */
    size_t n_parts;
} Doc;

#define CHUNK_COARSE (-1) /* tokens of a chunk that was cut without a look at what the model takes: it gets no vector */

/* A span of a document's text. */
typedef struct {
    int64_t start, end;           /* bytes [start, end) of the text */
    int32_t start_line, end_line; /* 1-based, inclusive */
    int32_t page;                 /* 1-based; 0: the document has none */
    int32_t tokens;               /* by the collection's model, special tokens not counted; 0: unknown; CHUNK_COARSE */
    Str symbol;                   /* "backoff_next", "Backoff.next"; "" none */
    Str names;                    /* of all definitions that begin in it, a blank between; "" none */
    Str kind;                     /* "function"; "code" without a symbol; "section"; "lines" */
    Str heading;                  /* "Install > Linux"; "" none */
    ChunkHash hash;               /* of the text of the span */
} Chunk;

/* A text as a model's tokenizer gives it, special tokens among them. */
typedef struct {
    const int32_t *ids; /* [n] */
    size_t n;
} TokenIds;

/* A definition in a document. */
typedef struct {
    Str path;                     /* "Backoff.next": what it is in, and its name behind the last dot that parts them */
    Str name;                     /* "next", the end of path */
    Str kind;                     /* "function", "method", "class", "struct", "constant", "key" … */
    Str signature;                /* "def next(self, now: float) -> float", on one line; "" none */
    int64_t start, end;           /* bytes [start, end), with the comments and decorators that belong to it */
    int32_t line;                 /* 1-based: where its name stands */
    int32_t start_line, end_line; /* of [start, end) */
} Symbol;

/* "next" and "Backoff.next" name the path "net.Backoff.next". */
static inline bool symbol_is_named(Str wanted, Str path) {
    if (wanted.n >= path.n) return str_eq(wanted, path);
    const size_t at = path.n - wanted.n;
    return wanted.n && path.p[at - 1] == '.' && str_eq(wanted, str_from(path, at));
}

/* A place that names something, definitions not counted. */
typedef struct {
    Str name;
    int32_t line; /* 1-based */
} Reference;

/* Ids of chunks that follow each other: [first, end). */
typedef struct {
    int64_t first, end;
} ChunkRange;

/* What a search is narrowed to; applied before top-k. Empty lists narrow nothing. Within a list: any of, and none of
 * those with a '!' before it; between lists: all. */
typedef struct Filter Filter;
struct Filter {
    const Str *paths;
    size_t n_paths; /* folders or files, relative to the collection's root; no '!' here */
    const Str *globs;
    size_t n_globs; /* gitignore-like */
    const Str *langs;
    size_t n_langs;
    const Str *kinds;
    size_t n_kinds;
    const Str *symbols;
    size_t n_symbols; /* chunks that hold a part of this definition: its name, its path or the end of it */
    const Str *metas;
    size_t n_metas; /* "name=words" that the document says of itself (meta_fits); of one name any, of all names one */
    int64_t since_ms, until_ms; /* the document's last change as it says itself, else its file's; Unix ms, 0: open */
    const Filter *also;         /* another one that must let it pass too; NULL: none */
};

static inline bool filter_is_empty(const Filter *f) {
    for (; f; f = f->also)
        if (f->n_paths || f->n_globs || f->n_langs || f->n_kinds || f->n_symbols || f->n_metas || f->since_ms ||
            f->until_ms)
            return false;
    return true;
}

#endif
