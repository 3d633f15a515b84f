/* outline_name.c - what a definition is called, and its head on one line. */
#include "base/utf8.h"
#include "chunk/outline.h"
#include "chunk/unit.h"

static bool type_is(TSNode node, Str type) { return str_eq(str_of(ts_node_type(node)), type); }

static bool type_in(TSNode node, Str types) {
    for (Str type; str_cut(&types, '|', &type);)
        if (type_is(node, type)) return true;
    return false;
}

static TSNode field_of(TSNode node, Str field) { return ts_node_child_by_field_name(node, field.p, (uint32_t)field.n); }

/* The first named child, of a type when one is given. Looked for among the first few: definitions have no more before
 * it. */
static TSNode child_of(TSNode node, Str type) {
    enum { CHILDREN_LOOKED_AT = 32 };
    const uint32_t n = ts_node_named_child_count(node);
    for (uint32_t i = 0; i < n && i < CHILDREN_LOOKED_AT; i++) {
        const TSNode child = ts_node_named_child(node, i);
        if (type.n ? type_is(child, type) : !strstr(ts_node_type(child), "comment")) return child;
    }
    return (TSNode){0};
}

/* "declarator*": one step further in, or a null node. A declarator in parentheses or behind "&" has no field in the
 * grammars of C and C++; an abstract one, behind the type of a conversion operator, names nothing. */
static TSNode declarator_in(TSNode node, Str field) {
    TSNode next = field_of(node, field);
    if (ts_node_is_null(next) && str_ends(str_of(ts_node_type(node)), field)) {
        const uint32_t n = ts_node_named_child_count(node);
        const bool open = str_starts(str_of(ts_node_type(node)), STR("parenthesized")) ||
                          str_starts(str_of(ts_node_type(node)), STR("reference")) ||
                          str_starts(str_of(ts_node_type(node)), STR("attributed"));
        if (open && n)
            next = ts_node_named_child(node, str_starts(str_of(ts_node_type(node)), STR("attributed")) ? 0 : n - 1);
    }
    if (!ts_node_is_null(next) && str_starts(str_of(ts_node_type(next)), STR("abstract"))) return (TSNode){0};
    return next;
}

enum { CHAIN_MAX = 64 }; /* declarators in each other */

static TSNode step(TSNode node, Str word) {
    if (word.n && word.p[0] == '@') return child_of(node, str_from(word, 1));
    if (word.n == 0 || word.p[word.n - 1] != '*') return field_of(node, word);
    word.n--;
    TSNode at = declarator_in(node, word), next = at;
    for (int i = 0; i < CHAIN_MAX && !ts_node_is_null(next); i++) at = next, next = declarator_in(at, word);
    return at;
}

TSNode grammar_follow(TSNode from, const char *path) {
    TSNode at = from;
    for (Str rest = str_of(path), word; str_cut(&rest, '.', &word);) {
        at = step(at, word);
        if (ts_node_is_null(at)) break;
    }
    return at;
}

bool grammar_holds(TSNode node, const char *when) {
    if (!when) return true;
    if (strcmp(when, "single") == 0) return ts_node_named_child_count(node) == 1;
    const char *types = strchr(when, '=');
    if (!types) return !ts_node_is_null(grammar_follow(node, when));
    const Str path = str_make(when, (size_t)(types - when));
    if (path.p[path.n - 1] == '*') {
        const Str field = str_upto(path, path.n - 1);
        TSNode at = declarator_in(node, field);
        for (int i = 0; i < CHAIN_MAX && !ts_node_is_null(at); i++, at = declarator_in(at, field))
            if (type_in(at, str_of(types + 1))) return true;
        return false;
    }
    TSNode at = node;
    for (Str rest = path, word; str_cut(&rest, '.', &word) && !ts_node_is_null(at);) at = step(at, word);
    return !ts_node_is_null(at) && type_in(at, str_of(types + 1));
}

static Str node_text(Str text, TSNode node) {
    const uint32_t start = ts_node_start_byte(node), end = ts_node_end_byte(node);
    return start <= end && end <= text.n ? str_make(text.p + start, end - start) : (Str){"", 0};
}

/* Parts "A::B::f", "M.f", "M:f" or "A\B" before the last separator. */
static void split_qualified(Str *name, Str *qualifier) {
    for (size_t i = name->n; i-- > 1;) {
        const char c = name->p[i - 1];
        if (c != ':' && c != '.' && c != '\\') continue;
        size_t end = i - 1;
        while (end && name->p[end - 1] == c) end--;
        *qualifier = str_trim(str_upto(*name, end));
        *name = str_trim(str_from(*name, i));
        return;
    }
}

static Str unquoted(Str s) {
    const bool quoted = s.n >= 2 && s.p[0] == s.p[s.n - 1] && strchr("\"'`", s.p[0]);
    return quoted ? str_make(s.p + 1, s.n - 2) : s;
}

/* Without type arguments and what stands behind the name of a conversion operator. */
static Str plain(Str s) {
    const bool is_operator = str_starts(s, STR("operator"));
    for (size_t i = 1; i < s.n; i++)
        if (is_operator ? s.p[i] == '(' && i > 8 : s.p[i] == '<') return str_trim(str_upto(s, i));
    return s;
}

bool outline_name(Str text, TSNode node, const GrammarRule *rule, DefName *out) {
    const TSNode named = grammar_follow(node, rule->name);
    *out = (DefName){.qualifier = {"", 0}};
    if (ts_node_is_null(named)) return false;
    out->at = ts_node_start_byte(named);
    out->row = ts_node_start_point(named).row;
    out->name = str_trim(unquoted(node_text(text, named)));
    if (ts_node_named_child_count(named)) {
        out->name = plain(out->name);
        const bool is_operator = str_find(out->name, STR("operator")) >= 0; /* "A::operator()" */
        if (rule->role != RULE_KEY && strcmp(rule->kind, "selector") != 0 && !is_operator)
            split_qualified(&out->name, &out->qualifier);
        /* The name's own line, where a qualifier goes over several. */
        if (out->name.p >= text.p) out->at = (uint32_t)(out->name.p - text.p);
    }
    return out->name.n && out->name.n <= OUTLINE_NAME_MAX && str_find_char(out->name, '\n') < 0;
}

/* The byte where the body of a definition starts; its end when it has none. */
static uint32_t body_start(TSNode node) {
    static const char *const values[] = {"", "value", "right", "definition", "declaration"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const TSNode in = *values[i] ? field_of(node, str_of(values[i])) : node;
        const TSNode body = ts_node_is_null(in) ? in : field_of(in, STR("body"));
        if (!ts_node_is_null(body)) return ts_node_start_byte(body);
    }
    const uint32_t n = ts_node_named_child_count(node);
    const TSNode last = n ? ts_node_named_child(node, n - 1) : (TSNode){0};
    if (n && strstr(ts_node_type(last), "body")) return ts_node_start_byte(last);
    return ts_node_end_byte(node);
}

Str outline_signature(Arena *a, Str text, TSNode node) {
    const uint32_t start = ts_node_start_byte(node), body = body_start(node);
    if (body < start || body > text.n) return STR("");
    const Str head = str_make(text.p + start, body - start);
    const bool bodyless = body == ts_node_end_byte(node);
    char line[OUTLINE_SIGNATURE_MAX + 1];
    size_t n = 0;
    int open = 0;
    for (size_t i = 0; i < head.n && n < OUTLINE_SIGNATURE_MAX; i++) {
        const char c = head.p[i];
        open += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
        if (bodyless && c == '\n' && open <= 0) break; /* of a table or a constant the first line */
        const bool blank = is_blank_byte(c);
        if (blank && (n == 0 || line[n - 1] == ' ')) continue;
        line[n++] = blank ? ' ' : c;
    }
    if (n == OUTLINE_SIGNATURE_MAX) n = utf8_floor(str_make(line, n), n - 1);
    while (n && strchr(" {:;,=", line[n - 1])) n--;
    return arena_str(a, str_make(line, n));
}
