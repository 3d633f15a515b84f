/* headings.c - sections of Markdown and reStructuredText. See lines.h. */
#include "chunk/lines.h"

enum { LEVELS_MAX = 16, TITLE_MAX = 200 };

/* The titles that enclose the present place, by level. */
typedef struct {
    Arena *arena;
    Str titles[LEVELS_MAX]; /* [level]; {NULL,0} none */
} Outline;

static Err outline_enter(Outline *o, size_t level, Str title, Line *line) {
    Buf path = {0};
    title = str_upto(title, TITLE_MAX);
    o->titles[level] = title;
    for (size_t l = level + 1; l < LEVELS_MAX; l++) o->titles[l] = (Str){NULL, 0};
    for (size_t l = 0; l <= level; l++) {
        if (!o->titles[l].p) continue;
        if (path.n) buf_add_z(&path, " > ");
        buf_add(&path, o->titles[l]);
    }
    Err err = buf_ok(&path);
    line->heading = true;
    line->path = err ? (Str){NULL, 0} : arena_str(o->arena, buf_str(&path));
    buf_free(&path);
    if (err) return err;
    return line->path.p ? ERR_OK : arena_error();
}

/* ---- Markdown ---- */

typedef struct {
    char mark; /* '`' or '~'; 0: no fence open */
    size_t length;
} Fence;

static size_t run_of(Str s, char c) {
    size_t n = 0;
    while (n < s.n && s.p[n] == c) n++;
    return n;
}

/* Opens or closes a fence; true when the line belongs to fenced code (its fences counted in). */
static bool fence_step(Fence *f, Str line, int32_t indent) {
    Str s = str_trim(line);
    if (s.n == 0 || indent > 3) return f->mark != 0;
    size_t ticks = run_of(s, '`'), tildes = run_of(s, '~'), n = ticks > tildes ? ticks : tildes;
    char mark = ticks ? '`' : '~';
    if (f->mark) {
        if (mark == f->mark && n >= f->length && n == s.n) *f = (Fence){0, 0};
        return true;
    }
    bool opens = n >= 3 && !(mark == '`' && str_find_char(str_from(s, n), '`') >= 0);
    if (opens) *f = (Fence){mark, n};
    return opens;
}

/* "## Title ##" -> level 1, "Title". */
static bool atx_heading(Str line, int32_t indent, size_t *level, Str *title) {
    Str s = str_trim(line);
    size_t n = run_of(s, '#');
    if (indent > 3 || n < 1 || n > 6) return false;
    if (s.n > n && s.p[n] != ' ' && s.p[n] != '\t') return false;
    Str t = str_trim(str_from(s, n));
    size_t end = t.n;
    while (end && t.p[end - 1] == '#') end--;
    if (end == 0 || t.p[end - 1] == ' ' || t.p[end - 1] == '\t') t = str_trim(str_upto(t, end));
    *level = n - 1;
    *title = t;
    return true;
}

static bool is_only(Str s, char c) {
    s = str_trim(s);
    return s.n > 0 && run_of(s, c) == s.n;
}

/* Lines of YAML front matter at the top: "---" up to the next "---" or "...". */
static size_t front_matter(Str text, const Line *lines, size_t n) {
    if (n == 0 || !str_is(str_trim(line_text(text, &lines[0])), "---")) return 0;
    for (size_t i = 1; i < n; i++) {
        Str s = str_trim(line_text(text, &lines[i]));
        if (str_is(s, "---") || str_is(s, "...")) return i + 1;
    }
    return 0;
}

Err headings_mark_markdown(Arena *a, Str text, Line *lines, size_t n) {
    Outline o = {.arena = a};
    Fence fence = {0, 0};
    for (size_t i = front_matter(text, lines, n); i < n; i++) {
        Str line = line_text(text, &lines[i]), title;
        size_t level;
        if (fence_step(&fence, line, lines[i].indent)) continue;
        if (atx_heading(line, lines[i].indent, &level, &title)) {
            TRY(outline_enter(&o, level, title, &lines[i]));
            continue;
        }
        /* Setext: a line of text, underlined; not a list item, quote or table row. */
        if (i + 1 >= n || lines[i].indent < 0 || lines[i].indent > 3 || lines[i + 1].indent < 0 ||
            lines[i + 1].indent > 3)
            continue;
        Str under = line_text(text, &lines[i + 1]), s = str_trim(line);
        bool first = is_only(under, '='), second = is_only(under, '-') && str_trim(under).n >= 2;
        bool starts_paragraph = i == 0 || lines[i - 1].indent < 0 || lines[i - 1].heading;
        if ((!first && !second) || !starts_paragraph || strchr("-*+>|", s.p[0])) continue;
        TRY(outline_enter(&o, first ? 0 : 1, s, &lines[i]));
        i++;
    }
    return ERR_OK;
}

/* ---- reStructuredText ---- */

static bool is_adornment(Str s, char *mark) {
    s = str_trim(s);
    if (s.n < 2 || !strchr("=-`:.'\"~^_*+#!$%&(),/;<>?@[\\]{|}", s.p[0])) return false;
    *mark = s.p[0];
    return run_of(s, s.p[0]) == s.n;
}

/* A style's level is the order in which styles first appear. */
typedef struct {
    char mark[LEVELS_MAX];
    bool over[LEVELS_MAX];
    size_t n;
} Styles;

static size_t style_level(Styles *s, char mark, bool over) {
    for (size_t i = 0; i < s->n; i++)
        if (s->mark[i] == mark && s->over[i] == over) return i;
    if (s->n == LEVELS_MAX) return LEVELS_MAX - 1;
    s->mark[s->n] = mark;
    s->over[s->n] = over;
    return s->n++;
}

Err headings_mark_rst(Arena *a, Str text, Line *lines, size_t n) {
    Outline o = {.arena = a};
    Styles styles = {.n = 0};
    for (size_t i = 0; i + 1 < n; i++) {
        char under = 0, over = 0;
        if (lines[i].indent < 0) continue;
        Str title = str_trim(line_text(text, &lines[i]));
        bool blank_before = i == 0 || lines[i - 1].indent < 0 || lines[i - 1].heading;
        /* overline, title, underline */
        if (blank_before && i + 2 < n && is_adornment(title, &over) && lines[i + 1].indent >= 0 &&
            lines[i + 2].indent == 0) {
            Str middle = str_trim(line_text(text, &lines[i + 1]));
            if (!is_adornment(middle, &under) && is_adornment(line_text(text, &lines[i + 2]), &under) &&
                under == over && title.n >= middle.n) {
                TRY(outline_enter(&o, style_level(&styles, over, true), middle, &lines[i]));
                i += 2;
                continue;
            }
        }
        /* title, underline */
        if (lines[i].indent != 0 || !blank_before || lines[i + 1].indent != 0 || is_adornment(title, &over)) continue;
        Str line = line_text(text, &lines[i + 1]);
        if (!is_adornment(line, &under) || str_trim(line).n < title.n) continue;
        TRY(outline_enter(&o, style_level(&styles, under, false), title, &lines[i]));
        i++;
    }
    return ERR_OK;
}
