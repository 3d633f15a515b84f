/* outline.h - private to the room: a text parsed by its language's grammar, as the two things that are made of it: what
 * each line is to the syntax tree (where a chunk may end, code.c), and the definitions and names in it.
 *
 * Hostile input: the parse is given a budget of steps and of bytes looked at, both a multiple of the text's length;
 * nothing is recursive; what lies deeper than OUTLINE_DEPTH_MAX is not looked at. The same text gives the same outline,
 * but for one that takes OUTLINE_CPU_MS within its budget of steps: 100 KB of <b><b><b>, whose scanner copies all open
 * tags at each of them.
 */
#ifndef PYTHIA_CHUNK_OUTLINE_H
#define PYTHIA_CHUNK_OUTLINE_H

#include "base/arena.h"
#include "base/types.h"
#include "chunk/grammar.h"

enum {
    OUTLINE_TEXT_MAX = 8 << 20,       /* bytes; a tree takes some 15 times as much */
    OUTLINE_CPU_MS = 5000,            /* of one parse */
    OUTLINE_DEPTH_MAX = 2000,         /* nested nodes */
    OUTLINE_SYMBOLS_MAX = 50000,      /* of one text; further ones are left out */
    OUTLINE_REFERENCES_MAX = 1000000, /* likewise */
    OUTLINE_SIGNATURE_MAX = 240,      /* bytes */
    OUTLINE_NAME_MAX = 200,           /* bytes; a longer name is no name */
    OUTLINE_NONE = -1,
};

typedef enum {
    LINE_ITEM = 1,      /* something begins at its first character: a statement, a declaration, a token */
    LINE_TOKEN = 2,     /* what begins is a mere token: a closing bracket, else */
    LINE_BRACKET = 4,   /* within ( or [ of an expression */
    LINE_DEF = 8,       /* a definition begins, its comments and decorators counted */
    LINE_ATTACHED = 16, /* between comments or decorators and what they belong to */
    LINE_STRING = 32,   /* within a token of several lines */
    LINE_COMMENT = 64,  /* within a comment */
    LINE_BROKEN = 128,  /* within what the grammar could not make out */
} LineFlags;

typedef struct {
    uint8_t flags;
    uint8_t depth;  /* definitions around what begins here */
    uint8_t nested; /* items of several lines around it, at most 255 */
    bool after;     /* an item of several lines ends right before it */
} OutlineLine;

typedef struct {
    Symbol *symbols; /* [n_symbols] by start, outer ones first */
    size_t n_symbols;
    Reference *references; /* [n_references] by name, then line; each line once */
    size_t n_references;
    OutlineLine *lines; /* [n_lines] of the text */
    size_t n_lines;
    size_t errors; /* places that the grammar could not make out */
    bool parsed;   /* false: the budget was used up, nothing else holds */
} Outline;

/* Everything in the arena; names are borrowed from the text. Cost: some 3 MB/s, nearly all of it tree-sitter's parse.
 * ERR_LIMIT: text over OUTLINE_TEXT_MAX. */
MUST_USE Err outline_read(Arena *a, const Grammar *g, Str text, Outline *out);

/* ---- outline_name.c: what a definition is called ---- */

/* Follows a path of a rule; a null node when it leads nowhere. */
TSNode grammar_follow(TSNode from, const char *path);
/* True when a rule's condition holds. */
bool grammar_holds(TSNode node, const char *when);

typedef struct {
    Str name;      /* in the text */
    Str qualifier; /* "A::B" of "A::B::f", in the text; "" none */
    uint32_t at;   /* byte where the name's node starts */
    uint32_t row;  /* 0-based */
} DefName;

/* False: it has none that could be looked up. */
bool outline_name(Str text, TSNode node, const GrammarRule *rule, DefName *out);
/* The head of a definition without its body, on one line, in the arena; {NULL, 0} when memory is out. */
Str outline_signature(Arena *a, Str text, TSNode node);

#endif
