/* ignore.c - gitignore files as git reads them (gitignore(5), and git's own behaviour where the page is silent).
 *
 * A line is a rule unless it is empty or begins with '#'. One "\r" before the line's end is dropped, a byte order mark
 * at the file's start too; a NUL ends the line. Blanks (not tabs) at the end go, unless escaped by '\'. Then '!'
 * negates, a '/' at the end asks for a folder, and any other '/' ties the pattern to the file's folder; without one it
 * is matched against the base name. The last rule that matches wins.
 *
 * The part of a tied pattern before its first special character is compared first and cut off from both sides; only the
 * rest goes to the matcher. That is not only quick: git does the same, and so "foo**" "/bar" in an ignore file crosses
 * folders although a "**" that touches a name should not. Kept, since the rules must be exactly git's; test_ignore
 * compares thousands of random trees with `git ls-files`.
 */
#include "ingest/ignore.h"

#include "base/file.h"
#include "base/glob.h"

static bool is_special(char c) { return c == '*' || c == '?' || c == '[' || c == '\\'; }

static size_t literal_length(Str s) {
    size_t n = 0;
    while (n < s.n && !is_special(s.p[n])) n++;
    return n;
}

/* Without the blanks at the end; "\ " is kept, with its backslash, for the matcher. */
static Str without_trailing_blanks(Str s) {
    size_t keep = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\') {
            if (++i >= s.n) return s;
        } else if (s.p[i] == ' ') {
            continue;
        }
        keep = i + 1;
    }
    return str_upto(s, keep);
}

static IgnoreRule rule_parse(Str shown, uint32_t line) {
    IgnoreRule r = {.shown = shown, .pattern = shown, .line = line};
    if (str_starts(r.pattern, STR("!"))) {
        r.negated = true;
        r.pattern = str_from(r.pattern, 1);
    }
    if (str_ends(r.pattern, STR("/"))) {
        r.folders_only = true;
        r.pattern.n--;
    }
    r.by_name = str_find_char(r.pattern, '/') < 0;
    if (str_starts(r.pattern, STR("/"))) r.pattern = str_from(r.pattern, 1);
    r.literal = (uint32_t)literal_length(r.pattern);
    r.by_suffix =
        r.by_name && str_starts(r.pattern, STR("*")) && literal_length(str_from(r.pattern, 1)) == r.pattern.n - 1;
    return r;
}

/* The next line that holds a rule; false at the end. *rest, *line move on. */
static bool rule_next(Str *rest, uint32_t *line, Str *out) {
    while (rest->n) {
        const ptrdiff_t newline = str_find_char(*rest, '\n');
        Str s = newline < 0 ? *rest : str_upto(*rest, (size_t)newline);
        *rest = str_from(*rest, s.n + (newline >= 0));
        ++*line;
        if (s.n == 0 || s.p[0] == '#') continue;
        if (s.p[s.n - 1] == '\r') s.n--;
        const ptrdiff_t nul = str_find_char(s, 0);
        if (nul >= 0) s.n = (size_t)nul;
        s = without_trailing_blanks(s);
        if (s.n == 0) continue;
        *out = s;
        return true;
    }
    return false;
}

Err ignore_parse(Arena *a, Str text, Str name, Str base, IgnoreFile *out) {
    *out = (IgnoreFile){.name = name, .base = base};
    if (text.n > IGNORE_MAX_BYTES)
        return err_set(ERR_LIMIT, "ignore file '%.*s' has %zu bytes, at most %d are read", STR_FMT(name), text.n,
                       IGNORE_MAX_BYTES);
    if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_from(text, 3);
    size_t n = 0;
    Str rest = text, rule;
    for (uint32_t line = 0; rule_next(&rest, &line, &rule);) n++;
    out->rules = arena_array(a, IgnoreRule, n);
    if (!out->rules) return arena_error();
    rest = text;
    for (uint32_t line = 0; rule_next(&rest, &line, &rule);) out->rules[out->n++] = rule_parse(rule, line);
    return ERR_OK;
}

static bool name_matches(const IgnoreRule *r, Str name) {
    if (r->literal == r->pattern.n) return str_eq(r->pattern, name);
    if (r->by_suffix) return str_ends(name, str_from(r->pattern, 1));
    if (!str_starts(name, str_upto(r->pattern, r->literal))) return false;
    return glob_match(r->pattern, name);
}

static bool path_matches(const IgnoreRule *r, Str path) {
    if (!str_starts(path, str_upto(r->pattern, r->literal))) return false;
    return glob_match(str_from(r->pattern, r->literal), str_from(path, r->literal));
}

const IgnoreRule *ignore_match(const IgnoreFile *f, Str path, bool is_folder) {
    if (!str_starts(path, f->base)) return NULL;
    const Str below = str_from(path, f->base.n), name = path_base(path);
    for (size_t i = f->n; i-- > 0;) {
        const IgnoreRule *r = &f->rules[i];
        if (r->folders_only && !is_folder) continue;
        if (r->by_name ? name_matches(r, name) : path_matches(r, below)) return r;
    }
    return NULL;
}
