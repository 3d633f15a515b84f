/* borders.c - how much it costs to end a chunk before a line.
 *
 * Judged by what every language shares: blank lines, indentation, closing brackets and words, comments that belong to
 * what follows. Costs are hundredths; plan.c weighs them against chunks that are too small or too large, whose cost
 * there is at most 600. So a chunk gives up about a third of its size to end between two functions rather than in one,
 * and never ends before a closing brace as long as any other line will do.
 *
 * Not understood without a syntax tree: text at the left margin within a string (a Python docstring's) looks like the
 * top level. It costs a border in an odd place, never a wrong span.
 */
#include "chunk/unit.h"

enum {
    TOP_LEVEL = 0,        /* blank line, then the left margin */
    TOP_LEVEL_TIGHT = 60, /* the left margin behind something deeper, without a blank line */
    PARAGRAPH = 30,       /* of prose */
    DEFINITION = 100,     /* blank line behind a closing line or deeper code: a method, a case */
    GROUP = 200,          /* blank line between two statements */
    DEEPER_GROUP = 350,   /* blank line, then deeper: the body of what stands before */
    PER_DEPTH = 30,       /* more for each level within, up to DEPTH_MAX */
    DEPTH_MAX = 5,
    LIST_ITEM = 220,
    COMMENT_START = 380,
    DEDENT = 400,
    SAME = 500,
    DEEPER = 700,
    AFTER_COLON = 150,   /* more behind "as follows:" */
    IN_FENCE = 200,      /* more within a fenced block */
    HEADING_ABOVE = 750, /* between a heading and what it is of */
    ATTACHED = 850,      /* between a comment or decorator and what it is of */
    CLOSING = 880,       /* before "}" or "end", "else", a lone "{" */
    WITHIN_LINE = 900,
};

/* What begins a comment or a decorator, by language. */
static const struct {
    const char *langs, *marks;
} comment_marks[] = {
    {" python ruby bash perl r yaml toml make cmake dockerfile elixir julia nim awk tcl powershell starlark fish just "
     "meson gdscript crystal cython hcl graphql coffeescript nix ",
     "# @ <#"},
    {" sql lua haskell ada vhdl elm ", "-- --[[ {-"},
    {" lisp clojure scheme elisp asm ini racket ", "; #|"},
    {" tex erlang matlab prolog ", "%"},
    {" html xml svelte vue astro markdown rst ", "<!-- .."},
    {" fortran ", "! c*"},
    {" vim ", "\""},
    {" vb ", "'"},
    {" ocaml fsharp pascal ", "(* // { "},
    {" csharp ", "// /* * [ @"},
    {" text org json csv jsonl ", ""},
};
static const char default_marks[] = "// /* * @ #[ ///";

static const char *marks_of(Str lang) {
    for (size_t i = 0; i < sizeof comment_marks / sizeof *comment_marks && lang.n; i++)
        for (Str rest = str_of(comment_marks[i].langs), word; str_cut(&rest, ' ', &word);)
            if (str_eq(word, lang)) return comment_marks[i].marks;
    return default_marks;
}

static bool is_comment(Str line, const char *marks) {
    for (Str rest = str_of(marks), mark; str_cut(&rest, ' ', &mark);)
        if (mark.n && str_starts(line, mark)) {
            /* "*" goes on a block comment; "*p = 0" does not */
            if (str_is(mark, "*") && line.n > 1 && line.p[1] != ' ' && line.p[1] != '/') continue;
            return true;
        }
    return false;
}

static Str first_word(Str line) {
    size_t n = 0;
    while (n < line.n && ((line.p[n] >= 'a' && line.p[n] <= 'z') || line.p[n] == '#')) n++;
    return str_upto(line, n);
}

/* Lines that end, or go on with, what stands before them. */
static bool is_closing(Str line) {
    static const char words[] =
        " end done fi esac else elif elsif except finally catch rescue ensure then #endif #else #elif ";
    if (line.n == 0) return false;
    if (strchr("})]", line.p[0]) || str_is(line, "{") || str_starts(line, STR("</"))) return true;
    const Str word = first_word(line);
    if (word.n < 2) return false;
    for (Str rest = STR(words), w; str_cut(&rest, ' ', &w);)
        if (str_eq(w, word)) return true;
    return false;
}

static bool is_list_item(Str line) {
    size_t n = 0;
    while (n < line.n && n < 4 && line.p[n] >= '0' && line.p[n] <= '9') n++;
    if (n && n + 1 < line.n) return (line.p[n] == '.' || line.p[n] == ')') && line.p[n + 1] == ' ';
    return line.n > 1 && strchr("-*+", line.p[0]) && line.p[1] == ' ';
}

typedef struct {
    const Unit *unit;
    Str line; /* trimmed */
    bool comment, closing;
} Side; /* of a border */

static int code_border(const Side *above, const Side *below) {
    const int up = above->unit->indent, down = below->unit->indent;
    const bool blank = (below->unit->flags & UNIT_AFTER_BLANK) != 0;
    if (!blank && above->comment && !below->comment && down <= up + 1) return ATTACHED;
    if (!blank && above->comment && below->comment) return ATTACHED - 100; /* within one comment */
    if (below->closing) return CLOSING;
    if (blank) {
        if (down == 0) return TOP_LEVEL;
        const int depth = PER_DEPTH * (down / 4 < DEPTH_MAX ? down / 4 : DEPTH_MAX);
        if (down > up) return DEEPER_GROUP + depth;
        return (down < up || above->closing ? DEFINITION : GROUP) + depth;
    }
    if (down == 0 && (up > 0 || above->closing)) return TOP_LEVEL_TIGHT;
    if (down > up) return DEEPER;
    if (below->comment) return COMMENT_START;
    return down < up ? DEDENT : SAME;
}

static int prose_border(const Side *above, const Side *below) {
    const uint32_t flags = below->unit->flags;
    const bool blank = (flags & UNIT_AFTER_BLANK) != 0, within = (flags & UNIT_FENCED) && !(flags & UNIT_FENCE);
    int cost = blank ? PARAGRAPH : is_list_item(below->line) ? LIST_ITEM : SAME;
    if (blank && below->unit->indent > above->unit->indent) cost = GROUP;
    if (within) cost = (blank ? GROUP : SAME) + IN_FENCE;
    if (above->line.n && above->line.p[above->line.n - 1] == ':') cost += AFTER_COLON;
    return cost;
}

void borders_mark(Str text, Str lang, BorderStyle style, Units *u) {
    const char *marks = marks_of(lang);
    Side above = {0};
    for (size_t i = 0; i < u->n; i++) {
        Unit *unit = units_at(u, i);
        Side below = {.unit = unit, .line = str_trim(unit_text(text, unit))};
        if (style == BORDERS_CODE) {
            below.comment = is_comment(below.line, marks);
            below.closing = is_closing(below.line);
        }
        int cost = i == 0 ? 0 : style == BORDERS_CODE ? code_border(&above, &below) : prose_border(&above, &below);
        if (i && (above.unit->flags & UNIT_HEADING)) cost = HEADING_ABOVE;
        if (unit->flags & UNIT_PIECE) cost = WITHIN_LINE;
        unit->border = (uint16_t)cost;
        above = below;
    }
}
