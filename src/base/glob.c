/* glob.c - git's wildmatch (its WM_PATHNAME flavour) as one loop that remembers two places.
 *
 * Why two are enough. A "*" stays inside its part between slashes, a "**" slash pair swallows whole parts. When a later
 * star is reached, the earlier ones of the same part may be forgotten: whatever they could still leave for the rest,
 * the later one can reach from its earliest place. When a slash of the text is matched, the stars before it may be
 * forgotten: the slash is the same whichever way they were stretched. When a later "**" is reached, the earlier one may
 * be forgotten for the first reason. So at any time one star and one "**" may be stretched, never a product of them.
 *
 * Cost: "**" restarts only behind slashes and its rest walks each part once for each star in it; together at most
 * |pattern| * |text| steps. The recursive form of the same matcher takes exponential time on patterns of many
 * stars, which anybody may put into a repository.
 *
 * Odd corners kept because git has them: "**" not fenced by slashes is "*"; "[^x]" is "[!x]"; an unknown class name, an
 * unfinished set and a backslash at the end match nothing; classes know ASCII only and \v, \f are not [:space:].
 */
#include "base/glob.h"

#include "base/file.h"

typedef enum { SET_MISS, SET_HIT, SET_BROKEN } SetMatch;

static bool in_range(unsigned char c, unsigned char low, unsigned char high) { return c >= low && c <= high; }
static bool is_lower(unsigned char c) { return in_range(c, 'a', 'z'); }
static bool is_upper(unsigned char c) { return in_range(c, 'A', 'Z'); }
static bool is_digit(unsigned char c) { return in_range(c, '0', '9'); }
static bool is_alpha(unsigned char c) { return is_lower(c) || is_upper(c); }
static bool is_alnum(unsigned char c) { return is_alpha(c) || is_digit(c); }
static bool is_blank(unsigned char c) { return c == ' ' || c == '\t'; }
static bool is_space(unsigned char c) { return is_blank(c) || c == '\n' || c == '\r'; }
static bool is_cntrl(unsigned char c) { return c < 0x20 || c == 0x7f; }
static bool is_print(unsigned char c) { return in_range(c, 0x20, 0x7e); }
static bool is_graph(unsigned char c) { return in_range(c, 0x21, 0x7e); }
static bool is_punct(unsigned char c) { return is_graph(c) && !is_alnum(c); }
static bool is_xdigit(unsigned char c) { return is_digit(c) || in_range(c, 'a', 'f') || in_range(c, 'A', 'F'); }

static const struct {
    const char *name;
    bool (*holds)(unsigned char c);
} char_classes[] = {
    {"alnum", is_alnum}, {"alpha", is_alpha}, {"blank", is_blank}, {"cntrl", is_cntrl},
    {"digit", is_digit}, {"graph", is_graph}, {"lower", is_lower}, {"print", is_print},
    {"punct", is_punct}, {"space", is_space}, {"upper", is_upper}, {"xdigit", is_xdigit},
};

static SetMatch class_match(Str name, unsigned char c) {
    for (size_t i = 0; i < sizeof char_classes / sizeof *char_classes; i++)
        if (str_is(name, char_classes[i].name)) return char_classes[i].holds(c) ? SET_HIT : SET_MISS;
    return SET_BROKEN;
}

/* What one "[...]" says to c. *at stands behind the '[' and is moved behind the ']'. */
static SetMatch set_match(Str pattern, size_t *at, unsigned char c) {
    const unsigned char *p = (const unsigned char *)pattern.p;
    const size_t n = pattern.n;
    size_t i = *at;
    const bool negated = i < n && (p[i] == '!' || p[i] == '^');
    if (negated) i++;
    bool hit = false;
    int low = -1; /* the character before a possible '-'; -1: no range may start there */
    for (bool first = true;; first = false) {
        if (i >= n) return SET_BROKEN;
        if (p[i] == ']' && !first) break;
        if (p[i] == '-' && low >= 0 && i + 1 < n && p[i + 1] != ']') {
            i++;
            if (p[i] == '\\' && ++i >= n) return SET_BROKEN;
            hit |= in_range(c, (unsigned char)low, p[i]);
            low = -1;
            i++;
            continue;
        }
        if (p[i] == '[' && i + 1 < n && p[i + 1] == ':') {
            const ptrdiff_t close = str_find_char(str_from(pattern, i + 2), ']');
            if (close < 0) return SET_BROKEN;
            if (close > 0 && p[i + 2 + (size_t)close - 1] == ':') {
                const SetMatch m = class_match(str_make(pattern.p + i + 2, (size_t)close - 1), c);
                if (m == SET_BROKEN) return SET_BROKEN;
                hit |= m == SET_HIT;
                low = -1;
                i += 3 + (size_t)close;
                continue;
            } /* "[:" without ":]" is an ordinary '[' */
        }
        if (p[i] == '\\' && ++i >= n) return SET_BROKEN;
        hit |= c == p[i];
        low = p[i++];
    }
    *at = i + 1;
    return hit != negated && c != '/' ? SET_HIT : SET_MISS;
}

/* One step of the pattern that is not a star against one byte; moves *at behind the step when it matches. */
static SetMatch step_match(Str pattern, size_t *at, unsigned char c) {
    size_t i = *at;
    if (i >= pattern.n) return SET_MISS;
    switch (pattern.p[i]) {
    case '?':
        if (c == '/') return SET_MISS;
        *at = i + 1;
        return SET_HIT;
    case '[': {
        i++;
        const SetMatch m = set_match(pattern, &i, c);
        if (m == SET_HIT) *at = i;
        return m;
    }
    case '\\':
        if (++i >= pattern.n) return SET_BROKEN;
        /* fall through */
    default:
        if ((unsigned char)pattern.p[i] != c) return SET_MISS;
        *at = i + 1;
        return SET_HIT;
    }
}

/* True when the stars [start, end) of the pattern stand alone between slashes and so cross slashes. */
static bool stars_are_deep(Str pattern, size_t start, size_t end) {
    if (end - start < 2 || (start > 0 && pattern.p[start - 1] != '/')) return false;
    const Str rest = str_from(pattern, end);
    return rest.n == 0 || rest.p[0] == '/' || str_starts(rest, STR("\\/"));
}

/* A star that may be stretched: where the pattern goes on behind it, and where in the text that was last tried. */
typedef struct {
    bool open;
    size_t p, t;
} Star;

/* Takes the next way that is left: stretches the star by one byte, else the "**" to behind the next slash. */
static bool retry(Str text, Star *star, Star *deep, size_t *p, size_t *t) {
    if (star->open && star->t < text.n && text.p[star->t] != '/') {
        *t = ++star->t, *p = star->p;
        return true;
    }
    star->open = false;
    const ptrdiff_t slash = deep->open ? str_find_char(str_from(text, deep->t), '/') : -1;
    if (slash < 0) return false;
    deep->t += (size_t)slash + 1;
    *t = deep->t, *p = deep->p;
    return true;
}

bool glob_match(Str pattern, Str text) {
    size_t p = 0, t = 0;
    Star star = {0}, deep = {0};
    for (;;) {
        if (p < pattern.n && pattern.p[p] == '*') {
            const size_t start = p;
            while (p < pattern.n && pattern.p[p] == '*') p++;
            if (!stars_are_deep(pattern, start, p)) {
                star = (Star){true, p, t};
                continue;
            }
            if (p == pattern.n) return true;
            /* "**" and a bare '/' may stand for nothing at all, "**" and an escaped one may not. */
            const bool may_be_nothing = pattern.p[p] == '/';
            p += may_be_nothing ? 1 : 2;
            star.open = false;
            deep = (Star){true, p, t};
            if (may_be_nothing) continue;
        } else if (t == text.n) {
            return p == pattern.n; /* stretching a star further would leave even less text */
        } else {
            const SetMatch m = step_match(pattern, &p, (unsigned char)text.p[t]);
            if (m == SET_BROKEN) return false;
            if (m == SET_HIT) {
                if (text.p[t++] == '/') star.open = false;
                continue;
            }
        }
        if (!retry(text, &star, &deep, &p, &t)) return false;
    }
}

bool glob_match_path(Str pattern, Str path) {
    const bool folders_only = str_ends(pattern, STR("/"));
    if (folders_only) pattern.n--;
    const bool by_name = str_find_char(pattern, '/') < 0;
    if (str_starts(pattern, STR("/"))) pattern = str_from(pattern, 1);
    if (by_name && !folders_only) return glob_match(pattern, path_base(path));
    for (size_t end = 0; end <= path.n; end++) {
        const bool whole = end == path.n;
        if (whole ? folders_only : path.p[end] != '/') continue;
        const Str lead = str_upto(path, end);
        if (glob_match(pattern, by_name ? path_base(lead) : lead)) return true;
    }
    return false;
}
