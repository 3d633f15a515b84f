/* template_lex.h - the tokens of a chat template. */
#ifndef PYTHIA_MODEL_TEMPLATE_LEX_H
#define PYTHIA_MODEL_TEMPLATE_LEX_H

#include "base/arena.h"

typedef enum {
    LEX_DATA,       /* text between tags, white space already stripped as the tags ask */
    LEX_OUTPUT,     /* "{{" */
    LEX_OUTPUT_END, /* "}}" */
    LEX_BLOCK,      /* "{%" */
    LEX_BLOCK_END,  /* "%}" */
    LEX_NAME,       /* names and keywords */
    LEX_STRING,     /* text: what it stands for, escapes resolved */
    LEX_INT,        /* text: digits as written */
    LEX_FLOAT,
    LEX_OP, /* one of + - * / // % ** ~ | . , : ( ) [ ] { } == != < <= > >= = */
    LEX_END
} LexKind;

typedef struct {
    LexKind kind;
    uint32_t line; /* 1-based */
    Str text;
} LexToken;

/* All tokens of source, LEX_END last; texts are borrowed from source or live in the arena. source has '\n' for ends of
 * line and is well-formed UTF-8. Errors: ERR_CORRUPT with the line. */
MUST_USE Err lex_template(Arena *a, Str source, const char *name, LexToken **out, size_t *n);

/* "chat template of 'x.gguf', line 12: " and the rest; returns code. */
Err template_error(Err code, const char *name, uint32_t line, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
