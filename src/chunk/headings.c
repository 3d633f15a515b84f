/* headings.c - the sections of Markdown (CommonMark's ATX and setext headings)
 * and of reStructuredText.
 *
 * Only lines are looked at, with as much context as it takes not to be fooled:
 * front matter, fenced and indented code, HTML comments and <pre>, lists,
 * quotes and tables. A heading inside a list or a quotation opens no section.
 */
#include "base/utf8.h"
#include "chunk/unit.h"

enum {
    LEVELS = 32,          /* of reStructuredText, which has as many as a document uses;
                      Markdown has 6 */
    TITLE_MAX = 200,      /* bytes of one title that are kept */
    SETEXT_LINES_MAX = 4, /* a longer paragraph above "---" is a paragraph above a rule */
};

typedef struct {
    Arena *arena;
    Str text;
    Units *units;
    Sections *out;
    Str titles[LEVELS]; /* of the headings above, by level */
} Scan;

static Str line_of(const Scan *s, size_t i) { return str_trim(unit_text(s->text, units_at(s->units, i))); }
static bool unit_is(const Scan *s, size_t i, uint32_t flags) { return (units_at(s->units, i)->flags & flags) != 0; }

static Err section_add(Scan *s, Str path) {
    buf_add_bytes(&s->out->buf, &path, sizeof path);
    s->out->n++;
    return buf_ok(&s->out->buf);
}

/* "Install > Linux" of the titles above and the one at level. */
static Err path_make(Scan *s, size_t level, Str *out) {
    Buf path = {0};
    for (size_t i = 0; i <= level; i++) {
        if (s->titles[i].n == 0) continue;
        if (path.n) buf_add_z(&path, " > ");
        buf_add(&path, s->titles[i]);
    }
    *out = arena_str(s->arena, buf_str(&path));
    const Err err = buf_ok(&path);
    buf_free(&path);
    return err ? err : out->p ? ERR_OK : arena_error();
}

/* Units [first, first + lines) are a heading of this level (0: the highest);
 * title is borrowed from the text. */
static Err section_open(Scan *s, size_t first, size_t lines, size_t level, Str title) {
    Str path;
    title = str_upto(title, utf8_floor(title, TITLE_MAX));
    for (size_t i = level; i < LEVELS; i++) s->titles[i] = (Str){0};
    s->titles[level] = title;
    TRY(path_make(s, level, &path));
    TRY(section_add(s, path));
    for (size_t i = first; i < first + lines; i++) {
        Unit *u = units_at(s->units, i);
        u->section = (uint32_t)(s->out->n - 1);
        u->flags |= UNIT_HEADING;
    }
    return ERR_OK;
}

static size_t run_length(Str s, char c) {
    size_t n = 0;
    while (n < s.n && s.p[n] == c) n++;
    return n;
}

/* -- Markdown
 * ------------------------------------------------------------------------------------------------------
 */

typedef struct {
    char fence; /* '`' or '~' while in a fenced block, else 0 */
    size_t fence_n;
    const char *html_end; /* what ends the HTML block that we are in, else NULL */
    size_t paragraph;     /* its first unit, SIZE_MAX when the line before is of none */
    bool fresh;           /* the next line of text begins one */
} MarkdownState;

/* The index behind YAML ("---") or TOML ("+++") front matter; 0 when there is
 * none. */
static size_t front_matter(const Scan *s) {
    if (s->units->n == 0 || units_at(s->units, 0)->line != 1) return 0;
    const Str mark = line_of(s, 0);
    if (!str_is(mark, "---") && !str_is(mark, "+++")) return 0;
    for (size_t i = 1; i < s->units->n; i++) {
        const Str line = line_of(s, i);
        if (str_eq(line, mark) || (str_is(mark, "---") && str_is(line, "..."))) return i + 1;
    }
    return 0;
}

/* True when the line belongs to a fenced block; opens and closes it. */
static bool fence_line(MarkdownState *m, Unit *u, Str line) {
    const char c = line.n ? line.p[0] : 0;
    const size_t n = c == '`' || c == '~' ? run_length(line, c) : 0;
    if (m->fence) {
        if (c == m->fence && n >= m->fence_n && n == line.n) m->fence = 0;
        u->flags |= UNIT_FENCED;
        return true;
    }
    if (n < 3 || (c == '`' && str_find_char(str_from(line, n), '`') >= 0)) return false;
    m->fence = c, m->fence_n = n;
    u->flags |= UNIT_FENCED | UNIT_FENCE;
    return true;
}

static bool holds_nocase(Str s, Str needle) {
    for (; s.n >= needle.n; s = str_from(s, 1))
        if (str_eq_nocase(str_upto(s, needle.n), needle)) return true;
    return false;
}

/* True when the line belongs to a comment or an element whose text is not
 * Markdown. */
static bool html_line(MarkdownState *m, Str line) {
    static const struct {
        const char *start, *end;
    } blocks[] = {{"<!--", "-->"},        {"<pre", "</pre>"},           {"<script", "</script>"},
                  {"<style", "</style>"}, {"<textarea", "</textarea>"}, {"<![CDATA[", "]]>"}};
    if (!m->html_end && (line.n == 0 || line.p[0] != '<')) return false;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks && !m->html_end; i++) {
        const Str start = str_of(blocks[i].start), rest = str_from(line, start.n);
        const bool whole_name = start.p[1] == '!' || rest.n == 0 || strchr(" \t>", rest.p[0]);
        if (whole_name && str_eq_nocase(str_upto(line, start.n), start)) m->html_end = blocks[i].end;
    }
    const bool inside = m->html_end != NULL;
    if (inside && holds_nocase(line, str_of(m->html_end))) m->html_end = NULL;
    return inside;
}

/* The level (1-6) of "## Title ##" and its title; 0 when the line is none. */
static size_t atx_heading(Str line, Str *title) {
    const size_t level = run_length(line, '#');
    Str rest = str_from(line, level);
    if (level == 0 || level > 6 || (rest.n && rest.p[0] != ' ' && rest.p[0] != '\t')) return 0;
    rest = str_trim(rest);
    size_t end = rest.n;
    while (end && rest.p[end - 1] == '#') end--;
    if (end < rest.n && (end == 0 || rest.p[end - 1] == ' ' || rest.p[end - 1] == '\t')) rest = str_upto(rest, end);
    /* "{#anchor}" is an attribute, not a word. */
    const ptrdiff_t brace = str_find(rest, STR("{#"));
    if (brace > 0 && str_ends(rest, STR("}"))) rest = str_upto(rest, (size_t)brace);
    *title = str_trim(rest);
    return level;
}

/* Lines that begin a list, a quotation or a table: no setext underline makes
 * them, or what goes on in them, a heading. */
static bool is_container(Str line) {
    if (line.n == 0 || line.p[0] == '>' || line.p[0] == '|') return true;
    const bool marked = line.n == 1 || line.p[1] == ' ' || line.p[1] == '\t';
    if (strchr("-*+", line.p[0]) && marked) return true;
    size_t digits = 0;
    while (digits < line.n && digits < 10 && line.p[digits] >= '0' && line.p[digits] <= '9') digits++;
    const Str after = str_from(line, digits);
    if (digits && after.n && strchr(".)", after.p[0]) && (after.n == 1 || is_blank_byte(after.p[1]))) return true;
    return false;
}

/* "---", "* * *" */
static bool is_rule(Str line) {
    size_t marks = 0, others = 0;
    for (size_t i = 0; i < line.n; i++) {
        marks += line.p[i] == line.p[0];
        others += line.p[i] != line.p[0] && !is_blank_byte(line.p[i]);
    }
    return line.n && strchr("-*_", line.p[0]) && marks >= 3 && others == 0;
}

/* A paragraph's lines joined by blanks. */
static Str paragraph_text(Scan *s, size_t first, size_t end) {
    Buf all = {0};
    for (size_t i = first; i < end; i++) {
        if (all.n) buf_char(&all, ' ');
        buf_add(&all, line_of(s, i));
    }
    const Str joined = all.failed ? (Str){0} : arena_str(s->arena, buf_str(&all));
    buf_free(&all);
    return joined;
}

static Err markdown_line(Scan *s, MarkdownState *m, size_t i) {
    Unit *u = units_at(s->units, i);
    const Str line = line_of(s, i);
    const bool fresh = m->fresh || unit_is(s, i, UNIT_AFTER_BLANK);
    if (unit_is(s, i, UNIT_PIECE)) return ERR_OK;
    m->fresh = false;
    if (fresh) m->paragraph = SIZE_MAX;
    const bool indented = u->indent >= 4 && m->paragraph == SIZE_MAX;
    const bool opaque = m->html_end ? html_line(m, line) : fence_line(m, u, line) || (!indented && html_line(m, line));
    if (opaque || indented) {
        m->paragraph = SIZE_MAX;
        m->fresh = true;
        return ERR_OK;
    }
    Str title;
    const size_t level = u->indent < 4 ? atx_heading(line, &title) : 0;
    if (level) {
        m->fresh = true;
        return section_open(s, i, 1, level - 1, title);
    }
    const size_t first = m->paragraph;
    const bool underline =
        u->indent < 4 && line.n && (line.p[0] == '=' || line.p[0] == '-') && run_length(line, line.p[0]) == line.n;
    if (underline && first != SIZE_MAX && i - first <= SETEXT_LINES_MAX) {
        m->fresh = true;
        title = paragraph_text(s, first, i);
        if (!title.p) return err_set(ERR_NOMEM, "out of memory for a heading");
        return section_open(s, first, i + 1 - first, line.p[0] == '=' ? 0 : 1, title);
    }
    if (u->indent < 4 && is_rule(line))
        m->fresh = true;
    else if (is_container(line))
        m->paragraph = SIZE_MAX;
    else if (fresh)
        m->paragraph = i;
    return ERR_OK;
}

Err headings_markdown(Arena *a, Str text, Units *u, Sections *out) {
    Scan s = {.arena = a, .text = text, .units = u, .out = out};
    MarkdownState m = {.paragraph = SIZE_MAX, .fresh = true};
    TRY(section_add(&s, STR("")));
    for (size_t i = front_matter(&s); i < u->n; i++) {
        units_at(u, i)->section = (uint32_t)(out->n - 1);
        TRY(markdown_line(&s, &m, i));
    }
    return ERR_OK;
}

/* -- reStructuredText
 * ----------------------------------------------------------------------------------------------
 */

/* The character of which the whole line consists, when it may underline a
 * title; else 0. */
static char adornment(const Scan *s, size_t i) {
    const Str line = line_of(s, i);
    if (line.n < 2 || units_at(s->units, i)->indent || unit_is(s, i, UNIT_PIECE)) return 0;
    return strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", line.p[0]) && run_length(line, line.p[0]) == line.n ? line.p[0]
                                                                                                            : 0;
}

/* Units [*first, i] are a title with its underline at i, and an overline if
 * *first is i - 2. */
static bool rst_title(const Scan *s, size_t i, size_t *first) {
    const char mark = i ? adornment(s, i) : 0;
    if (!mark || unit_is(s, i, UNIT_AFTER_BLANK) || unit_is(s, i - 1, UNIT_PIECE | UNIT_HEADING)) return false;
    const Unit *title = units_at(s->units, i - 1);
    const Str line = line_of(s, i);
    if (adornment(s, i - 1)) return false;
    if (title->flags & UNIT_AFTER_BLANK) {
        *first = i - 1;
        /* docutils takes a short underline, with a warning, from four characters on
     */
        return title->indent == 0 && (line.n >= 4 || line.n >= utf8_width(line_of(s, i - 1)));
    }
    if (i < 2 || adornment(s, i - 2) != mark || !unit_is(s, i - 2, UNIT_AFTER_BLANK) || line_of(s, i - 2).n != line.n)
        return false;
    *first = i - 2;
    return true;
}

Err headings_rst(Arena *a, Str text, Units *u, Sections *out) {
    Scan s = {.arena = a, .text = text, .units = u, .out = out};
    int styles[LEVELS]; /* adornment, and 256 for an overline; levels are numbered
                         as they first appear */
    size_t n_styles = 0, first = 0;
    TRY(section_add(&s, STR("")));
    for (size_t i = 0; i < u->n; i++) {
        units_at(u, i)->section = (uint32_t)(out->n - 1);
        if (!rst_title(&s, i, &first)) continue;
        const int style = (unsigned char)line_of(&s, i).p[0] + (first == i - 2 ? 256 : 0);
        size_t level = 0;
        while (level < n_styles && styles[level] != style) level++;
        if (level == LEVELS) continue;
        if (level == n_styles) styles[n_styles++] = style;
        TRY(section_open(&s, first, i + 1 - first, level, line_of(&s, i - 1)));
    }
    return ERR_OK;
}
