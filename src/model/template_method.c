/* template_method.c - methods of texts, lists, dicts and loops, as Python has them.
 *
 * Those that would change their object are refused, as in the reference's sandbox.
 */
#include <utf8proc.h>

#include "model/template_run.h"

typedef Err (*MethodFn)(Render *r, Val self, Str name, const Args *args, Val *out);

typedef struct {
    ValKind kind;
    const char *name;
    MethodFn fn;
} Method;

/* ---- text ---- */

static Err str_case(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Buf text = {0};
    TRY(bind_args(r, name, args, "", 0, v));
    if (str_is(name, "upper")) text_case(&text, self.str, utf8proc_toupper);
    if (str_is(name, "lower")) text_case(&text, self.str, utf8proc_tolower);
    if (str_is(name, "title")) text_title(&text, self.str, false);
    if (str_is(name, "capitalize")) text_capitalize(&text, self.str);
    return run_take(r, &text, out);
}

static Err str_strip(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str chars = {NULL, 0};
    TRY(bind_args(r, name, args, "chars", 0, v));
    if (!val_is(v[0], VAL_UNDEFINED) && !val_is(v[0], VAL_NONE)) TRY(bind_str(r, name, v[0], &chars));
    TRY(run_spend(r, (self.str.n / 16 + 1) * (chars.n + 1)));
    *out = val_str(text_trim(self.str, chars, !str_is(name, "rstrip"), !str_is(name, "lstrip")));
    return ERR_OK;
}

static bool edge_is(Str s, Str part, bool start) { return start ? str_starts(s, part) : str_ends(s, part); }

static Err str_edge(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str part = {NULL, 0};
    bool start = str_is(name, "startswith"), holds = false;
    TRY(bind_args(r, name, args, "prefix", 1, v));
    if (!val_is(v[0], VAL_LIST) || v[0].list->kind != LIST_TUPLE) {
        TRY(bind_str(r, name, v[0], &part));
        *out = val_bool(edge_is(self.str, part, start));
        return ERR_OK;
    }
    for (size_t i = 0; i < v[0].list->n && !holds; i++) {
        TRY(bind_str(r, name, v[0].list->items[i], &part));
        holds = edge_is(self.str, part, start);
    }
    *out = val_bool(holds);
    return run_spend(r, v[0].list->n);
}

static Err str_remove(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str part = {NULL, 0}, s = self.str;
    TRY(bind_args(r, name, args, "part", 1, v));
    TRY(bind_str(r, name, v[0], &part));
    if (str_is(name, "removeprefix") && str_starts(s, part)) s = str_from(s, part.n);
    if (str_is(name, "removesuffix") && str_ends(s, part)) s.n -= part.n;
    *out = val_str(s);
    return ERR_OK;
}

/* The last place of part in s, or -1. */
static ptrdiff_t find_last(Str s, Str part) {
    if (part.n > s.n) return -1;
    for (size_t at = s.n - part.n + 1; at-- > 0;)
        if (part.n == 0 || memcmp(s.p + at, part.p, part.n) == 0) return (ptrdiff_t)at;
    return -1;
}

static Err str_where(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str part = {NULL, 0};
    TRY(bind_args(r, name, args, "part", 1, v));
    TRY(bind_str(r, name, v[0], &part));
    TRY(run_spend(r, self.str.n / 4));
    ptrdiff_t at = str_is(name, "rfind") ? find_last(self.str, part) : str_find(self.str, part);
    if (at < 0 && str_is(name, "index")) return run_fail(r, ERR_INPUT, "'index' does not find its text");
    *out = val_int(at < 0 ? -1 : (int64_t)val_chars(str_upto(self.str, (size_t)at)));
    return ERR_OK;
}

static Err str_count(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str part = {NULL, 0}, rest = self.str;
    int64_t n = 0;
    TRY(bind_args(r, name, args, "part", 1, v));
    TRY(bind_str(r, name, v[0], &part));
    TRY(run_spend(r, self.str.n / 4));
    if (part.n == 0) n = (int64_t)val_chars(rest) + 1;
    for (ptrdiff_t at; part.n && (at = str_find(rest, part)) >= 0; n++) rest = str_from(rest, (size_t)at + part.n);
    *out = val_int(n);
    return ERR_OK;
}

/* Adds a part to a list that may be too short: *list is made anew, twice as long. */
static Err parts_add(Render *r, ValList **list, Str part) {
    ValList *l = *list;
    TRY(run_spend(r, 1));
    if ((l->n & (l->n - 1)) == 0 && l->n >= 4) { /* full at 4, 8, 16, … */
        Val *items = arena_array(r->arena, Val, l->n * 2);
        if (!items) return arena_error();
        memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
    }
    l->items[l->n++] = val_str(part);
    return ERR_OK;
}

static Str blanks_cut(Str s, bool left) { return text_trim(s, (Str){NULL, 0}, left, !left); }

/* Words between white space. */
static Err split_blanks(Render *r, Str s, int64_t max, bool right, ValList **list) {
    for (s = blanks_cut(s, !right); s.n && max != 0; max -= max > 0) {
        size_t n = 0;
        if (right) {
            Str head = s;
            while (head.n && blanks_cut(head, false).n == head.n) {
                head.n--;
                while (head.n && ((uint8_t)head.p[head.n] & 0xC0) == 0x80) head.n--;
            }
            TRY(parts_add(r, list, str_from(s, head.n)));
            s = blanks_cut(head, false);
            continue;
        }
        while (n < s.n && blanks_cut(str_from(s, n), true).n == s.n - n) n += val_char_at(str_from(s, n), 1);
        TRY(parts_add(r, list, str_upto(s, n)));
        s = blanks_cut(str_from(s, n), true);
    }
    s = right ? blanks_cut(s, false) : s; /* what is left keeps its blanks on the other side */
    return s.n ? parts_add(r, list, s) : ERR_OK;
}

static Err split_at(Render *r, Str s, Str at, int64_t max, bool right, ValList **list) {
    for (; max != 0; max -= max > 0) {
        ptrdiff_t found = right ? find_last(s, at) : str_find(s, at);
        if (found < 0) break;
        TRY(parts_add(r, list, right ? str_from(s, (size_t)found + at.n) : str_upto(s, (size_t)found)));
        s = right ? str_upto(s, (size_t)found) : str_from(s, (size_t)found + at.n);
    }
    return parts_add(r, list, s);
}

static Err str_split(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str at = {NULL, 0};
    int64_t max = -1;
    bool right = str_is(name, "rsplit");
    TRY(bind_args(r, name, args, "sep maxsplit", 0, v));
    bool blanks = val_is(v[0], VAL_UNDEFINED) || val_is(v[0], VAL_NONE);
    if (!blanks) TRY(bind_str(r, name, v[0], &at));
    TRY(bind_whole(r, name, v[1], &max));
    if (!blanks && at.n == 0) return run_fail(r, ERR_INPUT, "'%.*s' wants a separator", STR_FMT(name));
    TRY(run_spend(r, self.str.n / 4));
    ValList *list = val_list_new(r->arena, 4, LIST_PLAIN);
    if (!list) return arena_error();
    list->n = 0;
    TRY(blanks ? split_blanks(r, self.str, max, right, &list) : split_at(r, self.str, at, max, right, &list));
    for (size_t i = 0; right && i < list->n / 2; i++) {
        Val swap = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = swap;
    }
    *out = val_list(list);
    return ERR_OK;
}

static Err str_lines(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str rest = self.str, line;
    TRY(bind_args(r, name, args, "keepends", 0, v));
    ValList *list = val_list_new(r->arena, 4, LIST_PLAIN);
    if (!list) return arena_error();
    list->n = 0;
    while (rest.n) {
        const char *start = rest.p;
        if (!str_line(&rest, &line)) break;
        if (val_truth(v[0])) line = str_make(start, (size_t)(rest.p - start));
        TRY(parts_add(r, &list, line));
    }
    *out = val_list(list);
    return run_spend(r, self.str.n / 16);
}

static Err str_replace(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str old = {NULL, 0}, new = {NULL, 0};
    int64_t count = -1;
    Buf text = {0};
    TRY(bind_args(r, name, args, "old new count", 2, v));
    TRY(bind_str(r, name, v[0], &old));
    TRY(bind_str(r, name, v[1], &new));
    TRY(bind_whole(r, name, v[2], &count));
    /* at most so many bytes: a hostile template may not take all memory before it is noticed */
    if (new.n > 1 && self.str.n / (old.n ? old.n : 1) + 1 > TEMPLATE_MEMORY_MAX / new.n)
        return run_fail(r, ERR_LIMIT, "'%.*s' would make too much text", STR_FMT(name));
    TRY(run_spend(r, self.str.n / 4));
    text_replace(&text, self.str, old, new, count);
    return run_take(r, &text, out);
}

static Err str_join(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX], *items = NULL;
    size_t n = 0;
    Str part = {NULL, 0};
    Buf text = {0};
    Err err = ERR_OK;
    TRY(bind_args(r, name, args, "iterable", 1, v));
    TRY(run_items(r, v[0], &items, &n));
    for (size_t i = 0; i < n && !err && text.n <= TEMPLATE_OUTPUT_MAX; i++) {
        if (i) buf_add(&text, self.str);
        err = bind_str(r, name, items[i], &part);
        if (!err) buf_add(&text, part);
    }
    if (!err) return run_take(r, &text, out);
    buf_free(&text);
    return err;
}

static Err str_all(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    TRY(bind_args(r, name, args, "", 0, v));
    bool all = self.str.n > 0, digit = str_is(name, "isdigit"), space = str_is(name, "isspace");
    if (space) all = all && blanks_cut(self.str, true).n == 0;
    for (size_t i = 0; i < self.str.n && !space; i++) {
        char c = self.str.p[i];
        bool is_digit = c >= '0' && c <= '9',
             is_letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (uint8_t)c >= 0x80;
        all &= digit ? is_digit : str_is(name, "isalnum") ? is_digit || is_letter : is_letter;
    }
    *out = val_bool(all);
    return ERR_OK;
}

/* The value that "{}", "{0}" or "{name}" of a format means. */
static Err format_field(Render *r, Str field, const Args *args, size_t *next, Val *out) {
    int64_t place = 0;
    if (field.n == 0) place = (int64_t)(*next)++;
    if (field.n == 0 || str_to_i64(field, &place)) {
        if (place < 0 || (size_t)place >= args->n) return run_fail(r, ERR_INPUT, "'format' has too few arguments");
        *out = args->items[place];
        return ERR_OK;
    }
    for (size_t k = 0; k < args->n_named; k++)
        if (str_eq(args->named[k].key.str, field)) {
            *out = args->named[k].value;
            return ERR_OK;
        }
    return run_fail(r, ERR_UNSUPPORTED, "'format' does not know the field '%.*s'", STR_FMT(str_upto(field, 64)));
}

static Err format_add(Render *r, Buf *text, Str s, const Args *args) {
    size_t next = 0;
    for (size_t at = 0; at < s.n; at++) {
        bool brace = s.p[at] == '{' || s.p[at] == '}', twice = at + 1 < s.n && s.p[at + 1] == s.p[at];
        if (!brace || twice) {
            buf_char(text, s.p[at]);
            at += brace;
            continue;
        }
        ptrdiff_t end = str_find_char(str_from(s, at), '}');
        if (s.p[at] == '}' || end < 0) return run_fail(r, ERR_INPUT, "'format' has a lonely brace");
        Val value;
        Str part;
        TRY(format_field(r, str_make(s.p + at + 1, (size_t)end - 1), args, &next, &value));
        TRY(run_str(r, value, &part));
        buf_add(text, part);
        if (text->n > TEMPLATE_OUTPUT_MAX) return run_fail(r, ERR_LIMIT, "'format' would make too much text");
        at += (size_t)end;
    }
    return ERR_OK;
}

static Err str_format(Render *r, Val self, Str name, const Args *args, Val *out) {
    Buf text = {0};
    (void)name;
    Err err = format_add(r, &text, self.str, args);
    if (!err) return run_take(r, &text, out);
    buf_free(&text);
    return err;
}

/* ---- lists, dicts, loops ---- */

static Err list_where(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    int64_t count = 0;
    TRY(bind_args(r, name, args, "value", 1, v));
    for (size_t i = 0; i < self.list->n; i++) {
        bool equal;
        TRY(run_equal(r, self.list->items[i], v[0], &equal));
        count += equal;
        if (!equal || !str_is(name, "index")) continue;
        *out = val_size(i);
        return ERR_OK;
    }
    if (str_is(name, "index")) return run_fail(r, ERR_INPUT, "'index' does not find its value");
    *out = val_int(count);
    return ERR_OK;
}

Err dict_items(Render *r, const ValDict *d, ListKind kind, Val *out) {
    ValList *list = val_list_new(r->arena, d->n, kind);
    if (!list) return arena_error();
    for (size_t i = 0; i < d->n; i++) {
        ValList *pair = val_list_new(r->arena, 2, LIST_TUPLE);
        if (!pair) return arena_error();
        pair->items[0] = d->pairs[i].key;
        pair->items[1] = d->pairs[i].value;
        list->items[i] = val_list(pair);
    }
    *out = val_list(list);
    return run_spend(r, d->n);
}

static Err dict_walk(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    TRY(bind_args(r, name, args, "", 0, v));
    if (str_is(name, "copy")) {
        *out = self; /* nothing changes it */
        return ERR_OK;
    }
    if (str_is(name, "items")) return dict_items(r, self.dict, LIST_PLAIN, out);
    ValList *list = val_list_new(r->arena, self.dict->n, LIST_PLAIN);
    if (!list) return arena_error();
    for (size_t i = 0; i < list->n; i++)
        list->items[i] = str_is(name, "keys") ? self.dict->pairs[i].key : self.dict->pairs[i].value;
    *out = val_list(list);
    return run_spend(r, list->n / 8);
}

static Err dict_get(Render *r, Val self, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    size_t cost = 0;
    TRY(bind_args(r, name, args, "key default", 1, v));
    const Val *value = val_dict_get(self.dict, v[0], &cost);
    *out = value ? *value : args->n + args->n_named > 1 ? v[1] : val_none();
    return run_spend(r, cost / 8);
}

static Err refuse(Render *r, Val self, Str name, const Args *args, Val *out) {
    (void)args;
    (void)out;
    return run_fail(r, ERR_UNSUPPORTED, "'%.*s' would change a %s, which a template may not", STR_FMT(name),
                    val_type(self));
}

static Err loop_cycle(Render *r, Val self, Str name, const Args *args, Val *out) {
    if (args->n == 0) return run_fail(r, ERR_INPUT, "'%.*s' needs something to choose from", STR_FMT(name));
    *out = args->items[self.loop->at % args->n];
    return ERR_OK;
}

static Err loop_changed(Render *r, Val self, Str name, const Args *args, Val *out) {
    (void)name;
    bool same = false;
    ValList *now = val_list_new(r->arena, args->n, LIST_TUPLE);
    if (!now) return arena_error();
    for (size_t i = 0; i < args->n; i++) now->items[i] = args->items[i];
    if (self.loop->old) {
        Val old = {.kind = VAL_LIST, .list = (ValList *)(uintptr_t)self.loop->old};
        TRY(run_equal(r, old, val_list(now), &same));
    }
    self.loop->old = now;
    *out = val_bool(!same);
    return ERR_OK;
}

static const Method methods[] = {
    {VAL_STR, "strip", str_strip},
    {VAL_STR, "lstrip", str_strip},
    {VAL_STR, "rstrip", str_strip},
    {VAL_STR, "split", str_split},
    {VAL_STR, "rsplit", str_split},
    {VAL_STR, "splitlines", str_lines},
    {VAL_STR, "startswith", str_edge},
    {VAL_STR, "endswith", str_edge},
    {VAL_STR, "removeprefix", str_remove},
    {VAL_STR, "removesuffix", str_remove},
    {VAL_STR, "upper", str_case},
    {VAL_STR, "lower", str_case},
    {VAL_STR, "title", str_case},
    {VAL_STR, "capitalize", str_case},
    {VAL_STR, "replace", str_replace},
    {VAL_STR, "join", str_join},
    {VAL_STR, "find", str_where},
    {VAL_STR, "rfind", str_where},
    {VAL_STR, "index", str_where},
    {VAL_STR, "count", str_count},
    {VAL_STR, "isdigit", str_all},
    {VAL_STR, "isalpha", str_all},
    {VAL_STR, "isalnum", str_all},
    {VAL_STR, "isspace", str_all},
    {VAL_STR, "format", str_format},
    {VAL_LIST, "index", list_where},
    {VAL_LIST, "count", list_where},
    {VAL_LIST, "append", refuse},
    {VAL_LIST, "extend", refuse},
    {VAL_LIST, "insert", refuse},
    {VAL_LIST, "pop", refuse},
    {VAL_LIST, "remove", refuse},
    {VAL_LIST, "reverse", refuse},
    {VAL_LIST, "sort", refuse},
    {VAL_LIST, "clear", refuse},
    {VAL_DICT, "items", dict_walk},
    {VAL_DICT, "keys", dict_walk},
    {VAL_DICT, "values", dict_walk},
    {VAL_DICT, "copy", dict_walk},
    {VAL_DICT, "get", dict_get},
    {VAL_DICT, "pop", refuse},
    {VAL_DICT, "update", refuse},
    {VAL_DICT, "setdefault", refuse},
    {VAL_DICT, "clear", refuse},
    {VAL_DICT, "popitem", refuse},
    {VAL_LOOP, "cycle", loop_cycle},
    {VAL_LOOP, "changed", loop_changed},
};

static const Method *method_find(Val self, Str name) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].kind == self.kind && str_is(name, methods[i].name)) return &methods[i];
    return NULL;
}

bool method_known(Val self, Str name) { return method_find(self, name) != NULL; }

Err method_call(Render *r, const ValMethod *m, const Args *args, Val *out) {
    const Method *method = method_find(m->self, m->name);
    return method->fn(r, m->self, m->name, args, out);
}
