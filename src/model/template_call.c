/* template_call.c - what a chat template can call: its own macros, and five functions; and how arguments find their
 * names.
 */
#include <time.h>

#include "model/template_run.h"

/* ---- arguments ---- */

/* The i-th word of "sep maxsplit". */
static bool spec_word(const char *spec, size_t i, Str *out) {
    Str rest = str_of(spec);
    for (size_t at = 0; str_cut(&rest, ' ', out); at++)
        if (at == i) return true;
    return false;
}

Err bind_args(const Render *r, Str what, const Args *args, const char *spec, size_t needed, Val out[ARGS_MAX]) {
    Str word;
    size_t names = 0;
    while (names < ARGS_MAX && spec_word(spec, names, &word)) out[names++] = val_undefined(word);
    if (args->n > names)
        return run_fail(r, ERR_INPUT, "'%.*s' takes %zu arguments, not %zu", STR_FMT(what), names, args->n);
    for (size_t i = 0; i < args->n; i++) out[i] = args->items[i];
    for (size_t k = 0; k < args->n_named; k++) {
        Str key = args->named[k].key.str;
        size_t i = 0;
        while (i < names && !(spec_word(spec, i, &word) && str_eq(word, key))) i++;
        if (i == names || i < args->n)
            return run_fail(r, ERR_INPUT, "'%.*s' takes no argument '%.*s'%s", STR_FMT(what), STR_FMT(key),
                            i == names ? "" : " twice");
        out[i] = args->named[k].value;
    }
    for (size_t i = 0; i < needed; i++)
        if (i >= args->n && val_is(out[i], VAL_UNDEFINED))
            return run_fail(r, ERR_INPUT, "'%.*s' needs '%.*s'", STR_FMT(what), STR_FMT(out[i].str));
    return ERR_OK;
}

Err bind_str(const Render *r, Str what, Val v, Str *out) {
    if (!val_is(v, VAL_STR)) return run_fail(r, ERR_INPUT, "'%.*s' wants text, not %s", STR_FMT(what), val_type(v));
    *out = v.str;
    return ERR_OK;
}

Err bind_whole(const Render *r, Str what, Val v, int64_t *out) {
    if (val_is(v, VAL_UNDEFINED)) return ERR_OK;
    if (!val_is_whole(v))
        return run_fail(r, ERR_INPUT, "'%.*s' wants a whole number, not %s", STR_FMT(what), val_type(v));
    *out = val_whole(v);
    return ERR_OK;
}

/* ---- functions ---- */

typedef Err (*FunctionFn)(Render *r, Str name, const Args *args, Val *out);

static Err call_namespace(Render *r, Str name, const Args *args, Val *out) {
    ValDict *dict = val_dict_new(r->arena);
    if (!dict) return arena_error();
    if (args->n > 1) return run_fail(r, ERR_INPUT, "'%.*s' takes one plain argument", STR_FMT(name));
    if (args->n == 1) {
        if (!val_is(args->items[0], VAL_DICT))
            return run_fail(r, ERR_INPUT, "'%.*s' wants a dict, not %s", STR_FMT(name), val_type(args->items[0]));
        const ValDict *from = args->items[0].dict;
        TRY(run_spend(r, from->n * from->n / 16));
        for (size_t i = 0; i < from->n; i++)
            TRY(val_dict_put(r->arena, dict, from->pairs[i].key, from->pairs[i].value));
    }
    for (size_t i = 0; i < args->n_named; i++)
        TRY(val_dict_put(r->arena, dict, args->named[i].key, args->named[i].value));
    *out = val_dict(dict);
    if (str_is(name, "namespace")) out->kind = VAL_NAMESPACE;
    return ERR_OK;
}

static Err call_range(Render *r, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    int64_t from = 0, to = 0, step = 1;
    TRY(bind_args(r, name, args, "start stop step", 1, v));
    TRY(bind_whole(r, name, v[0], args->n == 1 ? &to : &from));
    TRY(bind_whole(r, name, v[1], &to));
    TRY(bind_whole(r, name, v[2], &step));
    if (step == 0) return run_fail(r, ERR_INPUT, "'range' cannot have a step of 0");
    bool any = step > 0 ? from < to : from > to;
    uint64_t span = step > 0 ? (uint64_t)to - (uint64_t)from : (uint64_t)from - (uint64_t)to;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    uint64_t n = any ? (span - 1) / stride + 1 : 0;
    if (n > TEMPLATE_RANGE_MAX) return run_fail(r, ERR_LIMIT, "'range' has more than %d numbers", TEMPLATE_RANGE_MAX);
    TRY(run_spend(r, n));
    ValList *list = val_list_new(r->arena, n, LIST_PLAIN);
    if (!list) return arena_error();
    for (size_t i = 0; i < n; i++) list->items[i] = val_int((int64_t)((uint64_t)from + i * (uint64_t)step));
    *out = val_list(list);
    return ERR_OK;
}

static Err call_raise(Render *r, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str text;
    (void)out;
    TRY(bind_args(r, name, args, "message", 1, v));
    TRY(run_str(r, v[0], &text));
    return run_fail(r, ERR_INPUT, "%.*s", STR_FMT(text));
}

/* ---- strftime_now ---- */

static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};

/* One letter of a strftime format, English as in the C locale. False: an unknown one. */
static bool time_letter(Buf *b, char letter, const struct tm *t, bool bare) {
    const char *two = bare ? "%d" : "%02d";
    int hour12 = t->tm_hour % 12 ? t->tm_hour % 12 : 12;
    switch (letter) {
    case 'a':
        buf_printf(b, "%.3s", days[t->tm_wday]);
        break;
    case 'A':
        buf_add_z(b, days[t->tm_wday]);
        break;
    case 'b':
    case 'h':
        buf_printf(b, "%.3s", months[t->tm_mon]);
        break;
    case 'B':
        buf_add_z(b, months[t->tm_mon]);
        break;
    case 'd':
        buf_printf(b, two, t->tm_mday);
        break;
    case 'e':
        buf_printf(b, "%2d", t->tm_mday);
        break;
    case 'm':
        buf_printf(b, two, t->tm_mon + 1);
        break;
    case 'y':
        buf_printf(b, two, t->tm_year % 100);
        break;
    case 'Y':
        buf_printf(b, "%d", t->tm_year + 1900);
        break;
    case 'H':
        buf_printf(b, two, t->tm_hour);
        break;
    case 'I':
        buf_printf(b, two, hour12);
        break;
    case 'M':
        buf_printf(b, two, t->tm_min);
        break;
    case 'S':
        buf_printf(b, two, t->tm_sec);
        break;
    case 'p':
        buf_add_z(b, t->tm_hour < 12 ? "AM" : "PM");
        break;
    case 'j':
        buf_printf(b, bare ? "%d" : "%03d", t->tm_yday + 1);
        break;
    case '%':
        buf_char(b, '%');
        break;
    default:
        return false;
    }
    return true;
}

static Err call_strftime(Render *r, Str name, const Args *args, Val *out) {
    Val v[ARGS_MAX];
    Str format = {NULL, 0};
    Buf text = {0};
    struct tm t;
    TRY(bind_args(r, name, args, "format", 1, v));
    TRY(bind_str(r, name, v[0], &format));
    time_t seconds = (time_t)(r->now_ms / 1000);
    if (!gmtime_r(&seconds, &t)) return run_fail(r, ERR_INPUT, "the time is out of range");
    for (size_t i = 0; i < format.n; i++) {
        if (format.p[i] != '%' || i + 1 == format.n) {
            buf_char(&text, format.p[i]);
            continue;
        }
        bool bare = format.p[i + 1] == '-' && i + 2 < format.n;
        i += 1u + bare;
        if (time_letter(&text, format.p[i], &t, bare)) continue;
        buf_free(&text);
        return run_fail(r, ERR_UNSUPPORTED, "'strftime_now' does not know '%%%c'", format.p[i]);
    }
    return run_take(r, &text, out);
}

static const struct {
    const char *name;
    FunctionFn fn;
} functions[] = {{"namespace", call_namespace},
                 {"dict", call_namespace},
                 {"range", call_range},
                 {"raise_exception", call_raise},
                 {"strftime_now", call_strftime}};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

bool run_is_function(Str name) {
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (str_is(name, functions[i].name)) return true;
    return false;
}

/* ---- macros ---- */

static Err bind_params(Render *r, const ValMacro *m, const Args *args) {
    size_t at = 0;
    for (const Node *p = m->params; p; p = p->next, at++) {
        const Val *given = at < args->n ? &args->items[at] : NULL;
        for (size_t k = 0; k < args->n_named; k++)
            if (str_eq(args->named[k].key.str, p->str)) {
                if (given)
                    return run_fail(r, ERR_INPUT, "macro '%.*s' is given '%.*s' twice", STR_FMT(m->name),
                                    STR_FMT(p->str));
                given = &args->named[k].value;
            }
        Val value = val_undefined(p->str);
        if (given)
            value = *given;
        else if (p->a)
            TRY(run_eval(r, p->a, &value));
        TRY(run_set(r, r->scope, p->str, value));
    }
    if (args->n > at)
        return run_fail(r, ERR_INPUT, "macro '%.*s' takes %zu arguments, not %zu", STR_FMT(m->name), at, args->n);
    for (size_t k = 0; k < args->n_named; k++) {
        const Node *p = m->params;
        while (p && !str_eq(p->str, args->named[k].key.str)) p = p->next;
        if (!p)
            return run_fail(r, ERR_INPUT, "macro '%.*s' takes no argument '%.*s'", STR_FMT(m->name),
                            STR_FMT(args->named[k].key.str));
    }
    return ERR_OK;
}

static Err call_macro(Render *r, const ValMacro *m, const Args *args, Val *out) {
    Scope *around = r->scope;
    uint32_t line = r->line;
    const ValMacro *caller = r->caller;
    r->caller = NULL;
    TRY(run_scope(r, m->scope, &r->scope));
    if (caller) TRY(run_set(r, r->scope, STR("caller"), (Val){.kind = VAL_MACRO, .macro = caller}));
    TRY(bind_params(r, m, args));
    TRY(run_captured(r, m->body, out));
    r->scope = around;
    r->line = line;
    return ERR_OK;
}

Err run_call(Render *r, Val callee, const Args *args, Val *out) {
    switch (callee.kind) {
    case VAL_MACRO:
        return call_macro(r, callee.macro, args, out);
    case VAL_METHOD:
        return method_call(r, callee.method, args, out);
    case VAL_FUNCTION:
        for (size_t i = 0; i < FUNCTIONS; i++)
            if (str_is(callee.str, functions[i].name)) return functions[i].fn(r, callee.str, args, out);
        break;
    case VAL_UNDEFINED:
        return run_fail(r, ERR_UNSUPPORTED, "'%.*s' is no function that is known", STR_FMT(str_upto(callee.str, 128)));
    default:
        break;
    }
    return run_fail(r, ERR_INPUT, "%s cannot be called", val_type(callee));
}
