/* template_seq.c - filters that walk lists, texts and dicts, as Jinja has them.
 *
 * The reference gives generators for some (map, select, …): they are true even when empty and have no length, which
 * LIST_LAZY keeps; `list` makes plain ones of them.
 */
#include "model/template_run.h"

Err run_items(Render *r, Val v, Val **items, size_t *n) {
    ValList *list = NULL;
    *items = NULL;
    *n = 0;
    switch (v.kind) {
    case VAL_UNDEFINED:
        return ERR_OK;
    case VAL_LIST:
        *items = v.list->items;
        *n = v.list->n;
        return ERR_OK;
    case VAL_DICT:
        *n = v.dict->n;
        break;
    case VAL_STR:
        *n = val_chars(v.str);
        break;
    default:
        return run_fail(r, ERR_INPUT, "%s cannot be walked through", val_type(v));
    }
    TRY(run_spend(r, *n / 8));
    list = val_list_new(r->arena, *n, LIST_PLAIN);
    if (!list) return arena_error();
    *items = list->items;
    for (size_t i = 0; i < *n && val_is(v, VAL_DICT); i++) list->items[i] = v.dict->pairs[i].key;
    if (val_is(v, VAL_DICT)) return ERR_OK;
    Str rest = v.str;
    for (size_t i = 0; i < *n; i++) {
        size_t length = val_char_at(rest, 1);
        list->items[i] = val_str(str_upto(rest, length));
        rest = str_from(rest, length);
    }
    return ERR_OK;
}

/* none has no items here: the reference's filters look whether there is anything first. */
static Err items_copy(Render *r, Val v, ListKind kind, ValList **out) {
    Val *items = NULL;
    size_t n = 0;
    if (!val_is(v, VAL_NONE) || kind != LIST_LAZY) TRY(run_items(r, v, &items, &n));
    TRY(run_spend(r, n / 4));
    *out = val_list_new(r->arena, n, kind);
    if (!*out) return arena_error();
    if (n) memcpy((*out)->items, items, n * sizeof *items);
    return ERR_OK;
}

/* "a.b.0" of an item, or its index for a number; the item itself where path is undefined or none. */
static Err item_attribute(Render *r, Val item, Val path, Val *out) {
    Str rest, part;
    *out = item;
    if (val_is(path, VAL_UNDEFINED) || val_is(path, VAL_NONE)) return ERR_OK;
    if (!val_is(path, VAL_STR)) return run_item(r, item, path, out);
    for (rest = path.str; str_cut(&rest, '.', &part);) {
        int64_t index = 0;
        Val key = str_to_i64(part, &index) ? val_int(index) : val_str(part);
        TRY(run_item(r, *out, key, out));
    }
    return ERR_OK;
}

static Err filter_length(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    TRY(bind_args(r, name, args, "", 0, v));
    switch (self.kind) {
    case VAL_UNDEFINED:
        *out = val_int(0);
        return ERR_OK;
    case VAL_STR:
        *out = val_size(val_chars(self.str));
        return run_spend(r, self.str.n / 16);
    case VAL_DICT:
        *out = val_size(self.dict->n);
        return ERR_OK;
    case VAL_LIST:
        *out = val_size(self.list->n);
        if (self.list->kind != LIST_LAZY) return ERR_OK;
        return run_fail(r, ERR_INPUT, "a generator has no length; put '|list' before");
    default:
        return run_fail(r, ERR_INPUT, "%s has no length", val_type(self));
    }
}

static Err filter_list(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    ValList *list = NULL;
    TRY(bind_args(r, name, args, "", 0, v));
    TRY(items_copy(r, self, LIST_PLAIN, &list));
    *out = val_list(list);
    return ERR_OK;
}

static Err filter_edge(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX], *items = NULL;
    size_t n = 0;
    TRY(bind_args(r, name, args, "", 0, v));
    TRY(run_items(r, self, &items, &n));
    *out = n == 0 ? val_undefined(name) : str_is(name, "first") ? items[0] : items[n - 1];
    return ERR_OK;
}

static Err filter_join(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX], *items = NULL, item;
    size_t n = 0;
    Str between = {"", 0}, part;
    Buf text = {0};
    Err err = ERR_OK;
    TRY(bind_args(r, name, args, "d attribute", 0, v));
    if (!val_is(v[0], VAL_UNDEFINED)) TRY(run_str(r, v[0], &between));
    TRY(run_items(r, self, &items, &n));
    for (size_t i = 0; i < n && !err && text.n <= TEMPLATE_OUTPUT_MAX; i++) {
        if (i) buf_add(&text, between);
        err = item_attribute(r, items[i], v[1], &item);
        if (!err) err = run_str(r, item, &part);
        if (!err) buf_add(&text, part);
    }
    if (!err) return run_take(r, &text, out);
    buf_free(&text);
    return err;
}

static Err filter_items(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    TRY(bind_args(r, name, args, "", 0, v));
    if (val_is(self, VAL_DICT)) return dict_items(r, self.dict, LIST_LAZY, out);
    if (!val_is(self, VAL_UNDEFINED)) return run_fail(r, ERR_INPUT, "%s has no items", val_type(self));
    ValList *none = val_list_new(r->arena, 0, LIST_LAZY);
    if (!none) return arena_error();
    *out = val_list(none);
    return ERR_OK;
}

static Err filter_reverse(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    ValList *list = NULL;
    TRY(bind_args(r, name, args, "", 0, v));
    TRY(items_copy(r, self, LIST_LAZY, &list));
    for (size_t i = 0; i < list->n / 2; i++) {
        Val swap = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = swap;
    }
    *out = val_list(list);
    if (!val_is(self, VAL_STR)) return ERR_OK;
    Buf text = {0};
    for (size_t i = 0; i < list->n; i++) buf_add(&text, list->items[i].str);
    return run_take(r, &text, out);
}

/* ---- map, select, reject ---- */

/* The arguments behind the first `skip`. */
static Args args_behind(const Args *args, size_t skip) {
    return (Args){args->items + skip, args->n - skip, args->named, args->n_named};
}

static Err map_attribute(Render *r, const Args *args, Val item, Val *out) {
    Val path = val_none(), fallback = val_undefined(STR("default"));
    for (size_t k = 0; k < args->n_named; k++) {
        Str key = args->named[k].key.str;
        if (str_is(key, "attribute")) path = args->named[k].value;
        if (str_is(key, "default")) fallback = args->named[k].value;
    }
    TRY(item_attribute(r, item, path, out));
    if (val_is(*out, VAL_UNDEFINED) && !val_is(fallback, VAL_UNDEFINED)) *out = fallback;
    return ERR_OK;
}

static Err filter_map(Render *r, Str name, Val self, const Args *args, Val *out) {
    ValList *list = NULL;
    Str filter = {NULL, 0};
    if (args->n) TRY(bind_str(r, name, args->items[0], &filter));
    if (!args->n && !args->n_named) return run_fail(r, ERR_INPUT, "'map' needs a filter or an attribute");
    TRY(items_copy(r, self, LIST_LAZY, &list));
    for (size_t i = 0; i < list->n; i++) {
        Val item = list->items[i];
        TRY(run_enter(r));
        if (filter.p) {
            Args rest = args_behind(args, 1);
            TRY(run_filter(r, filter, item, &rest, &list->items[i]));
        } else {
            TRY(map_attribute(r, args, item, &list->items[i]));
        }
        r->depth--;
    }
    *out = val_list(list);
    return ERR_OK;
}

/* select(test, …), selectattr(attribute, test, …), and their opposites; without a test: what is true. */
static Err filter_select(Render *r, Str name, Val self, const Args *args, Val *out) {
    ValList *list = NULL;
    bool by_attribute = str_ends(name, STR("attr")), wanted = str_starts(name, STR("select"));
    Str test = {NULL, 0};
    if (args->n < by_attribute) return run_fail(r, ERR_INPUT, "'%.*s' needs an attribute", STR_FMT(name));
    if (args->n > by_attribute) TRY(bind_str(r, name, args->items[by_attribute], &test));
    TRY(items_copy(r, self, LIST_LAZY, &list));
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++) {
        Val subject = list->items[i];
        TRY(run_enter(r));
        if (by_attribute) TRY(item_attribute(r, list->items[i], args->items[0], &subject));
        bool holds = val_truth(subject);
        if (test.p) {
            Args rest = args_behind(args, 1u + by_attribute);
            TRY(run_test(r, test, subject, &rest, &holds));
        }
        r->depth--;
        if (holds == wanted) list->items[kept++] = list->items[i];
    }
    list->n = kept;
    *out = val_list(list);
    return ERR_OK;
}

/* ---- order ---- */

typedef struct {
    bool reverse, case_sensitive;
    Val attribute;
} SortOpts;

/* What an item is sorted by: its attribute, texts in lower case. */
static Err sort_key(Render *r, const SortOpts *o, Val item, Val *out) {
    TRY(item_attribute(r, item, o->attribute, out));
    if (o->case_sensitive || !val_is(*out, VAL_STR)) return ERR_OK;
    Args none = {0};
    return run_filter(r, STR("lower"), *out, &none, out);
}

/* A stable merge of keys[from, middle) and keys[middle, to), the items in step. */
static Err merge(Render *r, ValPair *pairs, ValPair *spare, size_t from, size_t middle, size_t to, bool reverse) {
    size_t left = from, right = middle, n = 0;
    while (left < middle && right < to) {
        int order = 0;
        TRY(run_order(r, pairs[right].key, pairs[left].key, &order));
        bool take_right = reverse ? order > 0 : order < 0;
        spare[n++] = take_right ? pairs[right++] : pairs[left++];
    }
    while (left < middle) spare[n++] = pairs[left++];
    while (right < to) spare[n++] = pairs[right++];
    memcpy(pairs + from, spare, n * sizeof *spare);
    return ERR_OK;
}

static Err items_sort(Render *r, Val *items, size_t n, const SortOpts *o) {
    ValPair *pairs = arena_array(r->arena, ValPair, n), *spare = arena_array(r->arena, ValPair, n);
    if (!pairs || !spare) return arena_error();
    for (size_t i = 0; i < n; i++) {
        pairs[i].value = items[i];
        TRY(sort_key(r, o, items[i], &pairs[i].key));
    }
    for (size_t width = 1; width < n; width *= 2)
        for (size_t from = 0; from + width < n; from += 2 * width) {
            size_t to = n - from < 2 * width ? n : from + 2 * width;
            TRY(merge(r, pairs, spare, from, from + width, to, o->reverse));
        }
    for (size_t i = 0; i < n; i++) items[i] = pairs[i].value;
    return ERR_OK;
}

static Err filter_sort(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    ValList *list = NULL;
    TRY(bind_args(r, name, args, "reverse case_sensitive attribute", 0, v));
    TRY(items_copy(r, self, LIST_PLAIN, &list));
    TRY(items_sort(r, list->items, list->n, &(SortOpts){val_truth(v[0]), val_truth(v[1]), v[2]}));
    *out = val_list(list);
    return ERR_OK;
}

static Err filter_dictsort(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX], pairs;
    TRY(bind_args(r, name, args, "case_sensitive by reverse", 0, v));
    if (!val_is(self, VAL_DICT)) return run_fail(r, ERR_INPUT, "%s is no dict", val_type(self));
    bool by_value = val_is(v[1], VAL_STR) && str_is(v[1].str, "value");
    TRY(dict_items(r, self.dict, LIST_PLAIN, &pairs));
    SortOpts o = {val_truth(v[2]), val_truth(v[0]), val_int(by_value)};
    TRY(items_sort(r, pairs.list->items, pairs.list->n, &o));
    *out = pairs;
    return ERR_OK;
}

static Err filter_unique(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    ValList *list = NULL;
    TRY(bind_args(r, name, args, "case_sensitive attribute", 0, v));
    TRY(items_copy(r, self, LIST_LAZY, &list));
    SortOpts o = {false, val_truth(v[0]), v[1]};
    Val *keys = arena_array(r->arena, Val, list->n);
    size_t kept = 0;
    if (!keys) return arena_error();
    for (size_t i = 0; i < list->n; i++) {
        bool seen = false;
        TRY(sort_key(r, &o, list->items[i], &keys[kept]));
        for (size_t k = 0; k < kept && !seen; k++) TRY(run_equal(r, keys[k], keys[kept], &seen));
        if (!seen) list->items[kept++] = list->items[i];
    }
    list->n = kept;
    *out = val_list(list);
    return ERR_OK;
}

static Err filter_extreme(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX], *items = NULL, best_key = val_none();
    size_t n = 0;
    TRY(bind_args(r, name, args, "case_sensitive attribute", 0, v));
    TRY(run_items(r, self, &items, &n));
    SortOpts o = {false, val_truth(v[0]), v[1]};
    *out = val_undefined(name);
    for (size_t i = 0; i < n; i++) {
        Val key;
        int order = 0;
        TRY(sort_key(r, &o, items[i], &key));
        if (i) TRY(run_order(r, key, best_key, &order));
        if (i && (str_is(name, "max") ? order <= 0 : order >= 0)) continue;
        best_key = key;
        *out = items[i];
    }
    return ERR_OK;
}

static Err filter_sum(Render *r, Str name, Val self, const Args *args, Val *out) {
    Val v[ARGS_MAX], *items = NULL;
    size_t n = 0;
    TRY(bind_args(r, name, args, "attribute start", 0, v));
    TRY(run_items(r, self, &items, &n));
    *out = val_is(v[1], VAL_UNDEFINED) ? val_int(0) : v[1];
    for (size_t i = 0; i < n; i++) {
        Val item;
        TRY(item_attribute(r, items[i], v[0], &item));
        TRY(run_add(r, *out, item, out));
    }
    return ERR_OK;
}

const Filter filter_seq_table[] = {
    {"length", filter_length},     {"count", filter_length},
    {"list", filter_list},         {"first", filter_edge},
    {"last", filter_edge},         {"join", filter_join},
    {"items", filter_items},       {"reverse", filter_reverse},
    {"map", filter_map},           {"select", filter_select},
    {"reject", filter_select},     {"selectattr", filter_select},
    {"rejectattr", filter_select}, {"sort", filter_sort},
    {"dictsort", filter_dictsort}, {"unique", filter_unique},
    {"min", filter_extreme},       {"max", filter_extreme},
    {"sum", filter_sum},           {NULL, NULL},
};
