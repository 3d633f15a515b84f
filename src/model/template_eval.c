/* template_eval.c - the values of a chat template's expressions: Python's operators, Jinja's look-ups.
 *
 * What is missing is undefined: it prints as nothing, is false and empty, and any other use of it is an error that
 * names it, so that a template which asks for more than it was given fails instead of prompting nonsense.
 */
#include <math.h>

#include "model/template_run.h"

/* ---- look-ups ---- */

static const char *value_name(Val v) {
    switch (v.kind) {
    case VAL_UNDEFINED:
        return "an undefined value";
    case VAL_NONE:
        return "none";
    default:
        return val_type(v);
    }
}

static Err fail_undefined(const Render *r, Val v) {
    return run_fail(r, ERR_INPUT, "'%.*s' is undefined", STR_FMT(str_upto(v.str, 128)));
}

static Err loop_attr(const ValLoop *l, Str name, Val *out) {
    size_t i = l->at, n = l->n;
    if (str_is(name, "index")) *out = val_size(i + 1);
    if (str_is(name, "index0")) *out = val_size(i);
    if (str_is(name, "revindex")) *out = val_size(n - i);
    if (str_is(name, "revindex0")) *out = val_size(n - i - 1);
    if (str_is(name, "first")) *out = val_bool(i == 0);
    if (str_is(name, "last")) *out = val_bool(i + 1 == n);
    if (str_is(name, "length")) *out = val_size(n);
    /* of recursive loops */
    if (str_is(name, "depth")) *out = val_int(1);
    if (str_is(name, "depth0")) *out = val_int(0);
    if (str_is(name, "previtem") && i > 0) *out = l->items[i - 1];
    if (str_is(name, "nextitem") && i + 1 < n) *out = l->items[i + 1];
    return ERR_OK;
}

static Err bind_method(Render *r, Val self, Str name, Val *out) {
    ValMethod *m = arena_new(r->arena, ValMethod);
    if (!m) return arena_error();
    *m = (ValMethod){self, name};
    *out = (Val){.kind = VAL_METHOD, .method = m};
    return ERR_OK;
}

/* An entry of a dict or namespace. */
static Err entry_get(Render *r, const ValDict *d, Val key, Val *out, bool *found) {
    size_t cost = 0;
    const Val *value = val_dict_get(d, key, &cost);
    *found = value != NULL;
    if (value) *out = *value;
    return run_spend(r, cost / 8);
}

Err run_attr(Render *r, Val value, Str name, Val *out) {
    bool found = false;
    *out = val_undefined(name);
    if (val_is(value, VAL_UNDEFINED)) return fail_undefined(r, value);
    if (method_known(value, name)) return bind_method(r, value, name, out);
    if (val_is(value, VAL_LOOP)) return loop_attr(value.loop, name, out);
    if (val_is(value, VAL_DICT) || val_is(value, VAL_NAMESPACE))
        return entry_get(r, value.dict, val_str(name), out, &found);
    return ERR_OK;
}

/* i of n, counted from the end when negative. */
static bool place(int64_t i, size_t n, size_t *out) {
    if (i < 0) i += (int64_t)n;
    *out = (size_t)i;
    return i >= 0 && (size_t)i < n;
}

Err run_item(Render *r, Val value, Val key, Val *out) {
    bool found = false;
    size_t at = 0;
    *out = val_undefined(val_is(key, VAL_STR) ? key.str : STR("item"));
    if (val_is(value, VAL_UNDEFINED)) return fail_undefined(r, value);
    if (val_is(value, VAL_DICT)) {
        TRY(entry_get(r, value.dict, key, out, &found));
        if (found || !val_is(key, VAL_STR)) return ERR_OK;
        return method_known(value, key.str) ? bind_method(r, value, key.str, out) : ERR_OK;
    }
    if (val_is(key, VAL_STR)) return run_attr(r, value, key.str, out);
    if (!val_is_whole(key)) return ERR_OK;
    if (val_is(value, VAL_LIST) && place(val_whole(key), value.list->n, &at)) *out = value.list->items[at];
    if (val_is(value, VAL_STR)) {
        TRY(run_spend(r, value.str.n / 16));
        if (!place(val_whole(key), val_chars(value.str), &at)) return ERR_OK;
        Str from = str_from(value.str, val_char_at(value.str, at));
        *out = val_str(str_upto(from, val_char_at(from, 1)));
    }
    return ERR_OK;
}

/* Python's slice.indices: where to begin, where to end, by what step. */
static Err slice_bounds(Render *r, const Node *n, size_t length, int64_t *from, int64_t *to, int64_t *step) {
    const Node *parts[] = {n->b, n->c, n->d};
    int64_t given[3], size = (int64_t)length;
    bool is_given[3];
    for (size_t i = 0; i < 3; i++) {
        Val v = val_none();
        if (parts[i]) TRY(run_eval(r, parts[i], &v));
        is_given[i] = !val_is(v, VAL_NONE);
        if (is_given[i] && !val_is_whole(v))
            return run_fail(r, ERR_INPUT, "a slice cannot begin or end at %s", value_name(v));
        given[i] = is_given[i] ? val_whole(v) : 0;
    }
    *step = is_given[2] ? given[2] : 1;
    if (*step == 0) return run_fail(r, ERR_INPUT, "a slice cannot have a step of 0");
    int64_t low = *step < 0 ? -1 : 0, high = *step < 0 ? size - 1 : size;
    int64_t *ends[] = {from, to};
    for (size_t i = 0; i < 2; i++) {
        int64_t v = given[i];
        if (v < 0) v = v < -size ? low : v + size;
        *ends[i] = v < low ? low : v > high ? high : v;
        if (!is_given[i]) *ends[i] = (i == 0) == (*step > 0) ? low : high;
    }
    return ERR_OK;
}

static Err eval_slice(Render *r, const Node *n, Val *out) {
    Val value, *items = NULL;
    size_t length = 0, count = 0;
    int64_t from = 0, to = 0, step = 1;
    TRY(run_eval(r, n->a, &value));
    if (val_is(value, VAL_UNDEFINED)) return fail_undefined(r, value);
    *out = val_undefined(STR("slice"));
    if (!val_is(value, VAL_LIST) && !val_is(value, VAL_STR)) return ERR_OK;
    TRY(run_spend(r, val_is(value, VAL_STR) ? value.str.n / 16 : 1));
    length = val_is(value, VAL_STR) ? val_chars(value.str) : value.list->n;
    TRY(slice_bounds(r, n, length, &from, &to, &step));
    if (val_is(value, VAL_STR) && step == 1) {
        if (from >= to) return (void)(*out = val_str(STR(""))), ERR_OK;
        size_t start = val_char_at(value.str, (size_t)from);
        Str rest = str_from(value.str, start);
        return (void)(*out = val_str(str_upto(rest, val_char_at(rest, (size_t)(to - from))))), ERR_OK;
    }
    TRY(run_items(r, value, &items, &length));
    ValList *list = val_list_new(r->arena, length, val_is(value, VAL_LIST) ? value.list->kind : LIST_PLAIN);
    if (!list) return arena_error();
    for (int64_t i = from; step > 0 ? i < to : i > to;) {
        list->items[count++] = items[i];
        if (step > 0 ? step >= to - i : step <= to - i) break; /* which would pass the end, and could wrap around */
        i += step;
    }
    list->n = count;
    *out = val_list(list);
    if (!val_is(value, VAL_STR)) return ERR_OK;
    Buf text = {0};
    for (size_t i = 0; i < count; i++) buf_add(&text, list->items[i].str);
    return run_take(r, &text, out);
}

/* Names of functions come last: a variable may be called `range`. */
static Err eval_name(Render *r, const Node *n, Val *out) {
    Val key = val_str(n->str);
    for (const Scope *s = r->scope; s; s = s->up) {
        bool found = false;
        TRY(entry_get(r, &s->vars, key, out, &found));
        if (found) return ERR_OK;
    }
    *out = val_undefined(n->str);
    if (run_is_function(n->str)) out->kind = VAL_FUNCTION;
    return ERR_OK;
}

/* ---- operators ---- */

static Err fail_operands(const Render *r, const char *op, Val a, Val b) {
    if (val_is(a, VAL_UNDEFINED)) return fail_undefined(r, a);
    if (val_is(b, VAL_UNDEFINED)) return fail_undefined(r, b);
    return run_fail(r, ERR_INPUT, "%s and %s cannot be %s", value_name(a), value_name(b), op);
}

static Err fail_overflow(const Render *r) { return run_fail(r, ERR_LIMIT, "a number has more than 64 bits"); }

static Err list_join(Render *r, const ValList *a, const ValList *b, Val *out) {
    if (a->n > SIZE_MAX / sizeof(Val) - b->n) return fail_overflow(r);
    ValList *list = val_list_new(r->arena, a->n + b->n, a->kind);
    if (!list) return arena_error();
    if (a->n) memcpy(list->items, a->items, a->n * sizeof(Val));
    if (b->n) memcpy(list->items + a->n, b->items, b->n * sizeof(Val));
    *out = val_list(list);
    return run_spend(r, list->n / 4);
}

Err run_add(Render *r, Val a, Val b, Val *out) {
    int64_t sum;
    if (val_is_whole(a) && val_is_whole(b)) {
        if (__builtin_add_overflow(val_whole(a), val_whole(b), &sum)) return fail_overflow(r);
        *out = val_int(sum);
        return ERR_OK;
    }
    if (val_is_number(a) && val_is_number(b)) {
        *out = val_float(val_real(a) + val_real(b));
        return ERR_OK;
    }
    if (val_is(a, VAL_LIST) && val_is(b, VAL_LIST) && a.list->kind == b.list->kind && a.list->kind != LIST_LAZY)
        return list_join(r, a.list, b.list, out);
    if (!val_is(a, VAL_STR) || !val_is(b, VAL_STR)) return fail_operands(r, "added", a, b);
    Buf text = {0};
    buf_add(&text, a.str);
    buf_add(&text, b.str);
    return run_take(r, &text, out);
}

/* "ab" * 3, [1] * 2 */
static Err repeat(Render *r, Val a, Val times, Val *out) {
    size_t size = val_is(a, VAL_STR) ? a.str.n : a.list->n, n = val_whole(times) > 0 ? (size_t)val_whole(times) : 0;
    if (size && n > TEMPLATE_MEMORY_MAX / size) return run_fail(r, ERR_LIMIT, "%zu repetitions are too many", n);
    if (size == 0) n = 0;
    TRY(run_spend(r, size * n / 8));
    if (val_is(a, VAL_STR)) {
        Buf text = {0};
        for (size_t i = 0; i < n; i++) buf_add(&text, a.str);
        return run_take(r, &text, out);
    }
    ValList *list = val_list_new(r->arena, size * n, a.list->kind);
    if (!list) return arena_error();
    for (size_t i = 0; i < n; i++) memcpy(list->items + i * size, a.list->items, size * sizeof(Val));
    *out = val_list(list);
    return ERR_OK;
}

static Err multiply(Render *r, Val a, Val b, Val *out) {
    int64_t product;
    bool a_many = val_is(a, VAL_STR) || val_is(a, VAL_LIST), b_many = val_is(b, VAL_STR) || val_is(b, VAL_LIST);
    if (a_many && val_is_whole(b)) return repeat(r, a, b, out);
    if (b_many && val_is_whole(a)) return repeat(r, b, a, out);
    if (!val_is_number(a) || !val_is_number(b)) return fail_operands(r, "multiplied", a, b);
    *out = val_float(val_real(a) * val_real(b));
    if (!val_is_whole(a) || !val_is_whole(b)) return ERR_OK;
    if (__builtin_mul_overflow(val_whole(a), val_whole(b), &product)) return fail_overflow(r);
    *out = val_int(product);
    return ERR_OK;
}

/* The quotient of whole numbers is rounded down, and the remainder has the divisor's sign. */
static Err divide_whole(Render *r, NodeOp op, int64_t a, int64_t b, Val *out) {
    if (a == INT64_MIN && b == -1) return fail_overflow(r);
    int64_t quotient = a / b, rest = a % b;
    if (rest && (rest < 0) != (b < 0)) {
        quotient--;
        rest += b;
    }
    *out = val_int(op == OP_FLOOR_DIVIDE ? quotient : rest);
    return ERR_OK;
}

static Err divide(Render *r, NodeOp op, Val a, Val b, Val *out) {
    if (!val_is_number(a) || !val_is_number(b)) return fail_operands(r, "divided", a, b);
    double x = val_real(a), y = val_real(b);
    if (y == 0) return run_fail(r, ERR_INPUT, "a division by 0");
    if (op != OP_DIVIDE && val_is_whole(a) && val_is_whole(b))
        return divide_whole(r, op, val_whole(a), val_whole(b), out);
    double quotient = op == OP_DIVIDE ? x / y : floor(x / y);
    *out = val_float(op == OP_REMAINDER ? x - quotient * y : quotient);
    return ERR_OK;
}

static Err power(Render *r, Val a, Val b, Val *out) {
    if (!val_is_number(a) || !val_is_number(b)) return fail_operands(r, "raised", a, b);
    *out = val_float(pow(val_real(a), val_real(b)));
    if (!val_is_whole(a) || !val_is_whole(b) || val_whole(b) < 0) return ERR_OK;
    int64_t result = 1, base = val_whole(a), exponent = val_whole(b);
    bool small = base >= -1 && base <= 1;
    for (int64_t i = small && exponent > 2 ? exponent - 2 - exponent % 2 : 0; i < exponent; i++)
        if (__builtin_mul_overflow(result, base, &result)) return fail_overflow(r);
    *out = val_int(result);
    return ERR_OK;
}

static Err eval_binary(Render *r, const Node *n, Val *out) {
    Val a, b;
    int64_t difference;
    TRY(run_eval(r, n->a, &a));
    TRY(run_eval(r, n->b, &b));
    r->line = n->line;
    switch (n->op) {
    case OP_ADD:
        return run_add(r, a, b, out);
    case OP_MULTIPLY:
        return multiply(r, a, b, out);
    case OP_POWER:
        return power(r, a, b, out);
    case OP_SUBTRACT:
        if (!val_is_number(a) || !val_is_number(b)) return fail_operands(r, "subtracted", a, b);
        *out = val_float(val_real(a) - val_real(b));
        if (!val_is_whole(a) || !val_is_whole(b)) return ERR_OK;
        if (__builtin_sub_overflow(val_whole(a), val_whole(b), &difference)) return fail_overflow(r);
        *out = val_int(difference);
        return ERR_OK;
    default:
        return divide(r, n->op, a, b, out);
    }
}

/* ---- comparing ---- */

Err run_equal(Render *r, Val a, Val b, bool *out) {
    size_t cost = 0;
    *out = val_equal(a, b, TEMPLATE_DEPTH_MAX, &cost);
    return run_spend(r, cost);
}

static Err list_order(Render *r, const ValList *a, const ValList *b, int *out) {
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        bool equal;
        TRY(run_equal(r, a->items[i], b->items[i], &equal));
        if (!equal) return run_order(r, a->items[i], b->items[i], out);
    }
    *out = (a->n > b->n) - (a->n < b->n);
    return ERR_OK;
}

Err run_order(Render *r, Val a, Val b, int *out) {
    TRY(run_enter(r));
    r->depth--;
    if (val_is_whole(a) && val_is_whole(b))
        *out = (val_whole(a) > val_whole(b)) - (val_whole(a) < val_whole(b));
    else if (val_is_number(a) && val_is_number(b))
        *out = (val_real(a) > val_real(b)) - (val_real(a) < val_real(b));
    else if (val_is(a, VAL_STR) && val_is(b, VAL_STR))
        *out = str_cmp(a.str, b.str); /* UTF-8's order is that of code points */
    else if (val_is(a, VAL_LIST) && val_is(b, VAL_LIST) && a.list->kind == b.list->kind)
        return list_order(r, a.list, b.list, out);
    else
        return fail_operands(r, "compared", a, b);
    return ERR_OK;
}

Err run_contains(Render *r, Val container, Val item, bool *out) {
    *out = false;
    switch (container.kind) {
    case VAL_STR:
        if (!val_is(item, VAL_STR)) return fail_operands(r, "searched", item, container);
        *out = str_find(container.str, item.str) >= 0;
        return run_spend(r, container.str.n / 16);
    case VAL_LIST:
        for (size_t i = 0; i < container.list->n && !*out; i++) TRY(run_equal(r, container.list->items[i], item, out));
        return ERR_OK;
    case VAL_DICT: {
        Val found;
        return entry_get(r, container.dict, item, &found, out);
    }
    case VAL_UNDEFINED:
        return ERR_OK;
    default:
        return run_fail(r, ERR_INPUT, "%s has nothing in it", value_name(container));
    }
}

static Err compare(Render *r, NodeOp op, Val a, Val b, bool *out) {
    int order = 0;
    switch (op) {
    case OP_EQUAL:
        return run_equal(r, a, b, out);
    case OP_UNEQUAL:
        TRY(run_equal(r, a, b, out));
        *out = !*out;
        return ERR_OK;
    case OP_IN:
        return run_contains(r, b, a, out);
    case OP_NOT_IN:
        TRY(run_contains(r, b, a, out));
        *out = !*out;
        return ERR_OK;
    default:
        TRY(run_order(r, a, b, &order));
        *out = op == OP_LESS ? order < 0 : op == OP_LESS_EQUAL ? order <= 0 : op == OP_GREATER ? order > 0 : order >= 0;
        return ERR_OK;
    }
}

/* a < b < c is a < b and b < c. */
static Err eval_compare(Render *r, const Node *n, Val *out) {
    Val left, right;
    bool holds = true;
    TRY(run_eval(r, n->a, &left));
    for (const Node *to = n->b; to && holds; to = to->next, left = right) {
        TRY(run_eval(r, to->a, &right));
        r->line = n->line;
        TRY(compare(r, to->op, left, right, &holds));
    }
    *out = val_bool(holds);
    return ERR_OK;
}

/* ---- collections, calls ---- */

static Err eval_list(Render *r, const Node *n, Val *out) {
    size_t count = 0;
    for (const Node *item = n->a; item; item = item->next) count++;
    ValList *list = val_list_new(r->arena, count, n->kind == NODE_TUPLE ? LIST_TUPLE : LIST_PLAIN);
    if (!list) return arena_error();
    count = 0;
    for (const Node *item = n->a; item; item = item->next) TRY(run_eval(r, item, &list->items[count++]));
    *out = val_list(list);
    return ERR_OK;
}

static Err eval_dict(Render *r, const Node *n, Val *out) {
    ValDict *dict = val_dict_new(r->arena);
    if (!dict) return arena_error();
    for (const Node *pair = n->a; pair; pair = pair->next) {
        Val key, value;
        TRY(run_eval(r, pair->a, &key));
        TRY(run_eval(r, pair->b, &value));
        if (val_is(key, VAL_LIST) || val_is(key, VAL_DICT))
            return run_fail(r, ERR_INPUT, "%s cannot be a key", value_name(key));
        TRY(run_spend(r, dict->n / 8));
        TRY(val_dict_put(r->arena, dict, key, value));
    }
    *out = val_dict(dict);
    return ERR_OK;
}

static Err eval_concat(Render *r, const Node *n, Val *out) {
    Buf text = {0};
    Err err = ERR_OK;
    for (const Node *part = n->a; part && !err; part = part->next) {
        Val value;
        Str s;
        err = run_eval(r, part, &value);
        if (!err) err = run_str(r, value, &s);
        if (!err) buf_add(&text, s);
    }
    if (!err) return run_take(r, &text, out);
    buf_free(&text);
    return err;
}

/* "*list": its items go to the arguments there are, with room for `more` behind. */
static Err args_spread(Render *r, const Node *arg, size_t more, Val **items, size_t *n) {
    Val list, *given = NULL;
    size_t count = 0;
    TRY(run_eval(r, arg->a, &list));
    TRY(run_items(r, list, &given, &count));
    TRY(run_spend(r, *n + count));
    Val *all = arena_array(r->arena, Val, *n + count + more);
    if (!all) return arena_error();
    if (*n) memcpy(all, *items, *n * sizeof *all);
    if (count) memcpy(all + *n, given, count * sizeof *all);
    *items = all;
    *n += count;
    return ERR_OK;
}

Err run_args(Render *r, const Node *list, Args *out) {
    size_t plain = 0, named = 0;
    *out = (Args){0};
    for (const Node *arg = list; arg; arg = arg->next) *(arg->kind == NODE_KEYWORD ? &named : &plain) += 1;
    if (plain + named == 0) return ERR_OK;
    Val *items = arena_array(r->arena, Val, plain);
    ValPair *pairs = arena_array(r->arena, ValPair, named);
    if (!items || !pairs) return arena_error();
    for (const Node *arg = list; arg; arg = arg->next) {
        plain -= arg->kind != NODE_KEYWORD; /* still to come */
        if (arg->kind == NODE_SPREAD) {
            TRY(args_spread(r, arg, plain, &items, &out->n));
        } else if (arg->kind == NODE_KEYWORD) {
            pairs[out->n_named].key = val_str(arg->str);
            TRY(run_eval(r, arg->a, &pairs[out->n_named++].value));
        } else {
            TRY(run_eval(r, arg, &items[out->n++]));
        }
    }
    out->items = items;
    out->named = pairs;
    return ERR_OK;
}

static Err eval_call(Render *r, const Node *n, Val *out) {
    Val self;
    Args args;
    bool test = false;
    TRY(run_eval(r, n->a, &self));
    TRY(run_args(r, n->b, &args));
    r->line = n->line;
    if (n->kind == NODE_CALL) return run_call(r, self, &args, out);
    if (n->kind == NODE_FILTER) return run_filter(r, n->str, self, &args, out);
    TRY(run_test(r, n->str, self, &args, &test));
    *out = val_bool(test);
    return ERR_OK;
}

static Err eval_signed(Render *r, const Node *n, Val *out) {
    Val v;
    TRY(run_eval(r, n->a, &v));
    if (!val_is_number(v)) return run_fail(r, ERR_INPUT, "%s has no sign", value_name(v));
    if (val_is_whole(v) && val_whole(v) == INT64_MIN) return fail_overflow(r);
    *out = val_is_whole(v) ? val_int(n->kind == NODE_NEGATIVE ? -val_whole(v) : val_whole(v))
                           : val_float(n->kind == NODE_NEGATIVE ? -v.real : v.real);
    return ERR_OK;
}

static Err eval_choice(Render *r, const Node *n, Val *out) {
    Val test;
    TRY(run_eval(r, n->a, &test));
    if (val_truth(test)) return run_eval(r, n->b, out);
    *out = val_undefined(STR("else"));
    return n->c ? run_eval(r, n->c, out) : ERR_OK;
}

static Err eval_logic(Render *r, const Node *n, Val *out) {
    TRY(run_eval(r, n->a, out));
    if (n->kind == NODE_NOT) *out = val_bool(!val_truth(*out));
    if (n->kind == NODE_NOT || val_truth(*out) == (n->kind == NODE_OR)) return ERR_OK;
    return run_eval(r, n->b, out);
}

static Err eval_node(Render *r, const Node *n, Val *out) {
    Val a, b;
    switch (n->kind) {
    case NODE_CONST:
        *out = n->value;
        return ERR_OK;
    case NODE_NAME:
        return eval_name(r, n, out);
    case NODE_LIST:
    case NODE_TUPLE:
        return eval_list(r, n, out);
    case NODE_DICT:
        return eval_dict(r, n, out);
    case NODE_ATTR:
        TRY(run_eval(r, n->a, &a));
        return run_attr(r, a, n->str, out);
    case NODE_ITEM:
        TRY(run_eval(r, n->a, &a));
        TRY(run_eval(r, n->b, &b));
        return run_item(r, a, b, out);
    case NODE_SLICE:
        return eval_slice(r, n, out);
    case NODE_CALL:
    case NODE_FILTER:
    case NODE_TEST:
        return eval_call(r, n, out);
    case NODE_NOT:
    case NODE_AND:
    case NODE_OR:
        return eval_logic(r, n, out);
    case NODE_NEGATIVE:
    case NODE_POSITIVE:
        return eval_signed(r, n, out);
    case NODE_COMPARE:
        return eval_compare(r, n, out);
    case NODE_BINARY:
        return eval_binary(r, n, out);
    case NODE_CONCAT:
        return eval_concat(r, n, out);
    case NODE_CHOICE:
        return eval_choice(r, n, out);
    default: /* NODE_CAPTURED */
        *out = r->captured;
        return ERR_OK;
    }
}

Err run_eval(Render *r, const Node *n, Val *out) {
    uint32_t around = r->line;
    TRY(run_enter(r));
    r->line = n->line;
    TRY(eval_node(r, n, out));
    r->line = around;
    r->depth--;
    return ERR_OK;
}
