/* term.h - what stands behind stdout or stderr, and text made fit for it.
 *
 * Indexed files and file names are other people's bytes: printed raw they could move the cursor, retitle the window,
 * paste into the shell or (with bidirectional controls) show code that is not there. So everything of theirs goes
 * through safe_text or safe_path, on a terminal and in pipes of human formats alike.
 */
#ifndef PYTHIA_CLI_TERM_H
#define PYTHIA_CLI_TERM_H

#include "base/str.h"

typedef struct {
    bool tty;     /* a terminal */
    bool color;   /* colours may be used */
    bool links;   /* OSC 8 links may be used */
    size_t width; /* columns */
} Term;

/* color: "auto", "always" or "never". NO_COLOR and TERM=dumb turn auto off. */
Term term_of(int fd, const char *color);
size_t term_width(int fd); /* now; 80 when it cannot be told */

typedef enum {
    STYLE_PATH,
    STYLE_LINE,
    STYLE_SCORE,
    STYLE_DIM,
    STYLE_BOLD,
    STYLE_MATCH,
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_BAD
} Style;
void style_on(Buf *b, const Term *t, Style style);
void style_off(Buf *b, const Term *t);
/* z in a style. */
void style_add(Buf *b, const Term *t, Style style, const char *z);

/* Control characters become their pictures (ESC: "␛"), bidirectional and tag characters "<U+202E>", ill-formed bytes
 * U+FFFD. Tabs and line feeds stay. */
void safe_text(Buf *b, Str s);
/* As git quotes paths: as it is, or in double quotes with \n, \t, \\, \" and octal bytes when something in it is not
 * printable. */
void safe_path(Buf *b, Str path);

/* One line of a file: safe, tabs expanded to four columns, cut with "…" when it is wider than width (0: never cut).
 * match (may be NULL) tells how many bytes at a place are a matched word. */
typedef size_t (*MatchFn)(const void *ctx, Str line, size_t at);
void safe_line(Buf *b, const Term *t, Str line, size_t width, MatchFn match, const void *ctx);

/* A safe path; where links are on and uri is a file's (percent-encoded), as a link to it. */
void path_link(Buf *b, const Term *t, Str uri, Str shown);

/* "1,234,567" */
void number_add(Buf *b, int64_t v);
/* "3.2 MB" (powers of 1024) */
void bytes_add(Buf *b, int64_t v);
/* "0.8 ms", "2.1 s", "3 min 12 s" */
void seconds_add(Buf *b, double seconds);

#endif
