/* pythia.c - libpythia: pythia.h over the desk (serve/desk.h), as every other door.
 *
 * Names are apart from the engine's own: both stand in the static library, where everything but pythia.h's is made
 * local.
 */
#include "lib/pythia.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/desk.h"

struct pythia_engine {
    Arena arena;
    Config *config;
    Desk *desk;
};

const char *pythia_version(void) { return PYTHIA_VERSION; }

void pythia_free(void *memory) { free(memory); }

static int told(pythia_error *error, const ErrInfo *why) {
    if (!error) return -1;
    (void)snprintf(error->code, sizeof error->code, "%s", err_name(why->code));
    (void)snprintf(error->message, sizeof error->message, "%s", why->text);
    (void)snprintf(error->fix, sizeof error->fix, "%s", why->fix);
    return -1;
}

/* 0 for ERR_OK; else this thread's error. */
static int outcome(pythia_error *error, Err err) {
    ErrInfo why;
    if (!err) return 0;
    err_save(&why, err);
    return told(error, &why);
}

static Err no_memory(void) { return err_set(ERR_NOMEM, "out of memory"); }

/* ---- its life ---- */

static Err settings_take(Config *c, const char *const *settings) {
    for (; settings && *settings; settings++) {
        Str value = str_of(*settings), key;
        ConfigKey found;
        if (!str_cut(&value, '=', &key) || key.n == strlen(*settings))
            return err_set(ERR_USAGE, "a setting is KEY=VALUE, not '%s'", *settings);
        TRY(config_find(key, &found));
        TRY(config_set(c, found, value, "settings"));
    }
    return ERR_OK;
}

static Err folder_of(Arena *a, const char *given, const char **out) {
    *out = path_absolute(a, given ? given : ".");
    return *out ? ERR_OK : err_set(ERR_IO, "cannot tell the working folder");
}

static Err engine_start(pythia_engine *e, const pythia_options *o) {
    const char *home = NULL, *folder = NULL;
    TRY(config_load(&e->config, &(ConfigSources){.environ = environ}));
    /* The caller may have indexed what it can read; a setting narrows that again. */
    TRY(config_set(e->config, CONF_SERVE_ALLOWED_ROOTS, STR("/"), "library"));
    TRY(settings_take(e->config, o->settings));
    if (o->home)
        TRY(folder_of(&e->arena, o->home, &home));
    else
        TRY(pythia_home(&e->arena, environ, &home));
    TRY(folder_of(&e->arena, o->folder, &folder));
    const DeskOpts desk = {.config = e->config,
                           .home = home,
                           .cwd = folder,
                           .environ = environ,
                           .reader = o->program,
                           .workers = (size_t)config_int(e->config, CONF_SERVE_WORKERS),
                           .ingest_workers = (size_t)config_int(e->config, CONF_SERVE_INGEST_WORKERS),
                           .queue_max = (size_t)config_int(e->config, CONF_SERVE_MAX_QUEUE),
                           .callers_work = true,
                           .own_folder = true};
    return desk_open(&e->desk, &desk);
}

int pythia_start(pythia_engine **out, const pythia_options *options, pythia_error *error) {
    static const pythia_options none;
    *out = NULL;
    pythia_engine *e = calloc(1, sizeof *e);
    const int result = outcome(error, e ? engine_start(e, options ? options : &none) : no_memory());
    if (result == 0)
        *out = e;
    else
        pythia_stop(e);
    return result;
}

void pythia_stop(pythia_engine *e) {
    if (!e) return;
    desk_close(e->desk, 0);
    config_free(e->config);
    arena_free(&e->arena);
    free(e);
}

/* ---- calls ---- */

/* Takes params over. The call is to be cleared by call_clear also when it failed. */
static int run(pythia_engine *e, const char *method, json_t *params, Call *c, pythia_error *error) {
    *c = (Call){.op = op_named(str_of(method)), .params = params, .role = ROLE_ADMIN};
    if (!params) return outcome(error, no_memory());
    if (!c->op || c->op->flags & OP_INNER) return outcome(error, err_set(ERR_USAGE, "unknown method '%s'", method));
    desk_run(e->desk, c);
    return c->err ? told(error, &c->error) : 0;
}

static Err object_read(const char *text, const char *what, json_t **out) {
    if (!text) return (*out = json_object()) ? ERR_OK : no_memory();
    TRY(json_read(str_of(text), what, out));
    if (json_is_object(*out)) return ERR_OK;
    json_decref(*out);
    *out = NULL;
    return err_set(ERR_INPUT, "'%s' must be a JSON object", what);
}

int pythia_call(pythia_engine *e, const char *method, const char *params, char **reply, pythia_error *error) {
    json_t *object = NULL;
    Call c;
    *reply = NULL;
    if (outcome(error, object_read(params, "params", &object))) return -1;
    int result = run(e, method, object, &c, error);
    if (result == 0) {
        *reply = c.body.p; /* ends with a NUL; from malloc */
        c.body = (Buf){0};
    }
    call_clear(&c);
    return result;
}

/* ---- putting ---- */

static json_t *document_object(const pythia_doc *d) {
    json_t *o = json_object();
    int bad = json_object_set_new(o, "text", json_string(d->text ? d->text : ""));
    if (d->id) bad |= json_object_set_new(o, "id", json_string(d->id));
    if (d->title) bad |= json_object_set_new(o, "title", json_string(d->title));
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

int pythia_put(pythia_engine *e, const char *collection, const pythia_doc *documents, size_t n, pythia_error *error) {
    json_t *params = json_object(), *list = json_array();
    int bad = !params || !list;
    for (size_t i = 0; !bad && i < n; i++) bad = json_array_append_new(list, document_object(&documents[i]));
    if (bad)
        json_decref(list);
    else
        bad = json_object_set_new(params, "documents", list);
    if (!bad && collection) bad = json_object_set_new(params, "collection", json_string(collection));
    if (bad) {
        json_decref(params);
        return outcome(error, err_set(ERR_INPUT, "a document is no UTF-8, or memory is out"));
    }
    Call c;
    const int result = run(e, "index", params, &c, error);
    call_clear(&c);
    return result;
}

/* ---- finding ---- */

typedef struct {
    pythia_found found; /* first: it is what the caller has */
    json_t *whole;      /* the strings of hits are its */
    pythia_hit hits[];
} Found;

static void hit_fill(const json_t *v, pythia_hit *h) {
    const struct {
        const char *name, **to;
    } texts[] = {{"id", &h->id},
                 {"uri", &h->uri},
                 {"path", &h->path},
                 {"collection", &h->collection},
                 {"symbol", &h->symbol},
                 {"kind", &h->kind},
                 {"lang", &h->lang},
                 {"heading", &h->heading},
                 {"freshness", &h->freshness},
                 {"content", &h->content}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i].to = json_string_value(json_object_get(v, texts[i].name));
    h->start_line = (int)field_i64(v, "start_line", 0);
    h->end_line = (int)field_i64(v, "end_line", 0);
    h->page = (int)field_i64(v, "page", 0);
    h->score = field_f64(v, "score", 0);
}

static Err found_make(Str body, pythia_found **out) {
    json_t *whole = NULL;
    TRY(json_read(body, "reply", &whole));
    const json_t *results = json_object_get(whole, "results");
    const size_t n = json_array_size(results);
    Found *f = calloc(1, sizeof *f + n * sizeof *f->hits); /* n: at most 1,000 (ops.c) */
    if (!f) {
        json_decref(whole);
        return no_memory();
    }
    f->whole = whole;
    for (size_t i = 0; i < n; i++) hit_fill(json_array_get(results, i), &f->hits[i]);
    f->found = (pythia_found){
        .hits = f->hits, .n = n, .total = field_i64(whole, "total", 0), .took_ms = field_f64(whole, "took_ms", 0)};
    *out = &f->found;
    return ERR_OK;
}

int pythia_find(pythia_engine *e, const char *query, size_t limit, const char *fields, pythia_found **out,
                pythia_error *error) {
    json_t *params = NULL;
    Call c;
    *out = NULL;
    if (outcome(error, object_read(fields, "fields", &params))) return -1;
    int bad = json_object_set_new(params, "query", json_string(query ? query : ""));
    if (!bad && limit) bad = json_object_set_new(params, "limit", json_integer((json_int_t)limit));
    if (bad) {
        json_decref(params);
        return outcome(error, err_set(ERR_INPUT, "the query is no UTF-8, or memory is out"));
    }
    int result = run(e, "search", params, &c, error);
    if (result == 0) result = outcome(error, found_make(buf_str(&c.body), out));
    call_clear(&c);
    return result;
}

void pythia_found_free(pythia_found *found) {
    if (!found) return;
    Found *f = (Found *)(void *)found;
    json_decref(f->whole);
    free(f);
}

/* ---- vectors ---- */

static Err vectors_make(Str body, size_t n, float **out, size_t *dim) {
    json_t *whole = NULL;
    TRY(json_read(body, "reply", &whole));
    const json_t *list = json_object_get(whole, "embeddings");
    *dim = (size_t)field_i64(whole, "dimension", 0);
    *out = calloc(n * *dim + 1, sizeof **out); /* both limited: FIELD_ITEMS_MAX texts, a model's width */
    for (size_t i = 0; *out && i < n; i++)
        for (size_t d = 0; d < *dim; d++)
            (*out)[i * *dim + d] = (float)json_number_value(json_array_get(json_array_get(list, i), d));
    json_decref(whole);
    return *out ? ERR_OK : no_memory();
}

int pythia_vectors(pythia_engine *e, const char *const *texts, size_t n, int query, float **out, size_t *dim,
                   pythia_error *error) {
    json_t *params = json_object(), *list = json_array();
    Call c;
    *out = NULL;
    *dim = 0;
    int bad = !params || !list;
    for (size_t i = 0; !bad && i < n; i++) bad = json_array_append_new(list, json_string(texts[i] ? texts[i] : ""));
    if (bad)
        json_decref(list);
    else
        bad = json_object_set_new(params, "texts", list);
    if (!bad) bad = json_object_set_new(params, "kind", json_string(query ? "query" : "document"));
    if (bad) {
        json_decref(params);
        return outcome(error, err_set(ERR_INPUT, "a text is no UTF-8, or memory is out"));
    }
    int result = run(e, "embed", params, &c, error);
    if (result == 0) result = outcome(error, vectors_make(buf_str(&c.body), n, out, dim));
    call_clear(&c);
    return result;
}
