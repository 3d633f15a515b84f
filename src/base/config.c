/* config.c - reading, layering and asking the configuration. See config.h.
 *
 * A value is kept with its layer; a stronger layer overwrites a weaker one, whatever the order of reading. Text stays
 * text: it is checked against the key's type when it is set, so asking never fails.
 */
#include "base/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"

const ConfigDef config_defs[CONF_COUNT] = {
#define CONFIG_ROW(id, section, key, type, def, values, flags, help)                                                   \
    [CONF_##id] = {section, key, CONFIG_##type, def, values, flags, help},
    CONFIG_LIST(CONFIG_ROW)
#undef CONFIG_ROW
};

enum { LAYER_DEFAULT, LAYER_USER, LAYER_PROJECT, LAYER_ENVIRONMENT, LAYER_FLAG };
enum { CONFIG_FILE_MAX = 1 << 20 };

struct Config {
    Arena arena;
    struct {
        Str text;
        const char *origin;
        int layer;
    } values[CONF_COUNT];
    ConfigCollection *collections;
    size_t n_collections, cap_collections;
};

/* ---- names ---- */

/* Levenshtein, for "did you mean": names are short, so the full table of one row is enough. */
static size_t name_distance(Str a, Str b) {
    size_t row[64];
    if (a.n >= 64 || b.n >= 64) return 99;
    for (size_t j = 0; j <= b.n; j++) row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.n];
}

static void key_name(int key, char out[64]) {
    (void)snprintf(out, 64, "%s.%s", config_defs[key].section, config_defs[key].key);
}

Err config_find(Str name, ConfigKey *out) {
    char full[64];
    size_t best = 99;
    int nearest = 0;
    Buf list = {0};
    for (int k = 0; k < CONF_COUNT; k++) {
        key_name(k, full);
        if (str_is(name, full)) {
            *out = (ConfigKey)k;
            buf_free(&list);
            return ERR_OK;
        }
        size_t d = name_distance(name, str_of(full));
        if (d < best) best = d, nearest = k;
        buf_printf(&list, "%s%s", k ? ", " : "", full);
    }
    key_name(nearest, full);
    Err err = best <= 4 ? err_set(ERR_USAGE, "unknown key '%.*s'; did you mean '%s'?", STR_FMT(name), full)
                        : err_set(ERR_USAGE, "unknown key '%.*s'; valid are %s", STR_FMT(name), list.p ? list.p : "");
    buf_free(&list);
    return err_fix(err, "pythia config list");
}

/* ---- values ---- */

static bool enum_position(const char *values, Str value, int64_t *out) {
    Str rest = str_of(values), one;
    for (int64_t i = 0; str_cut(&rest, '|', &one); i++)
        if (str_eq(one, value)) return *out = i, true;
    return false;
}

static bool bool_of(Str s, bool *out) {
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (str_eq_nocase(s, str_of(yes[i]))) return *out = true, true;
        if (str_eq_nocase(s, str_of(no[i]))) return *out = false, true;
    }
    return false;
}

/* "0..1", also when nothing is said. */
static void range_of(const ConfigDef *d, Str *least, Str *most) {
    const Str range = d->values[0] ? str_of(d->values) : STR("0..1");
    const ptrdiff_t dots = str_find(range, STR(".."));
    *least = str_upto(range, (size_t)dots);
    *most = str_from(range, (size_t)dots + 2);
}

static const char *float_problem(const ConfigDef *d, Str text, char room[64]) {
    Str least, most;
    double f, from = 0, to = 0;
    range_of(d, &least, &most);
    (void)str_to_f64(least, &from);
    (void)str_to_f64(most, &to);
    if (str_to_f64(text, &f) && f >= from && f <= to) return NULL;
    (void)snprintf(room, 64, "a number from %.*s to %.*s", STR_FMT(least), STR_FMT(most));
    return room;
}

/* What is valid, in words (perhaps in room), when text is not. NULL when it is. */
static const char *value_problem(const ConfigDef *d, Str text, char room[64]) {
    int64_t i;
    uint64_t u;
    bool b;
    switch (d->type) {
    case CONFIG_STR:
        return NULL;
    case CONFIG_INT:
        return str_to_i64(text, &i) && i >= 0 ? NULL : "a whole number, 0 or more";
    case CONFIG_FLOAT:
        return float_problem(d, text, room);
    case CONFIG_BOOL:
        return bool_of(text, &b) ? NULL : "true or false";
    case CONFIG_BYTES:
        return str_to_bytes(text, &u) && u < INT64_MAX ? NULL : "a size such as 64K, 1M or 2G";
    case CONFIG_DURATION:
        return clock_parse_duration(text, &i) == ERR_OK ? NULL : "a duration such as 150ms or 2s";
    case CONFIG_ENUM:
        return enum_position(d->values, text, &i) ? NULL : d->values;
    }
    return NULL;
}

static Err config_put(Config *c, ConfigKey key, Str text, const char *origin, int layer) {
    const ConfigDef *d = &config_defs[key];
    char room[64];
    const char *problem = value_problem(d, text, room);
    if (problem)
        return err_set(ERR_USAGE, "%s: '%.*s' is no value for %s.%s; valid: %s", origin, STR_FMT(text), d->section,
                       d->key, problem);
    if (layer < c->values[key].layer) return ERR_OK;
    Str kept = arena_str(&c->arena, text);
    const char *from = arena_cstr(&c->arena, str_of(origin));
    if (!kept.p || !from) return arena_error();
    c->values[key].text = kept;
    c->values[key].origin = from;
    c->values[key].layer = layer;
    return ERR_OK;
}

Err config_set(Config *c, ConfigKey key, Str value, const char *origin) {
    return config_put(c, key, value, origin, LAYER_FLAG);
}

/* ---- files ---- */

typedef struct {
    Config *c;
    const char *path;
    int layer;
    bool restricted; /* a project's own file without trust */
    Err err;
} FileRead;

static Err collection_put(FileRead *r, Str name, const char *key, const char *value, const char *origin) {
    Config *c = r->c;
    ConfigCollection *at = NULL;
    for (size_t i = 0; i < c->n_collections; i++)
        if (str_eq(c->collections[i].name, name)) at = &c->collections[i];
    if (!at) {
        if (c->n_collections == c->cap_collections) {
            size_t cap = c->cap_collections ? c->cap_collections * 2 : 8;
            ConfigCollection *more = arena_array(&c->arena, ConfigCollection, cap);
            if (!more) return arena_error();
            if (c->n_collections) memcpy(more, c->collections, c->n_collections * sizeof *more);
            c->collections = more;
            c->cap_collections = cap;
        }
        at = &c->collections[c->n_collections++];
        at->name = arena_str(&c->arena, name);
        at->origin = arena_str(&c->arena, str_of(origin));
    }
    const struct {
        const char *key;
        Str *to;
    } fields[] = {{"path", &at->path},         {"include", &at->include}, {"exclude", &at->exclude},
                  {"describe", &at->describe}, {"model", &at->model},     {"store", &at->store},
                  {"index", &at->index}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].key, key) != 0) continue;
        *fields[i].to = arena_str(&c->arena, str_of(value));
        return fields[i].to->p ? ERR_OK : arena_error();
    }
    return err_set(
        ERR_USAGE,
        "%s: unknown key '%s' of a collection; valid are path, include, exclude, describe, model, store, index", origin,
        key);
}

static Err file_line(FileRead *r, const char *section, const char *key, const char *value, int line) {
    char origin[1200], full[192];
    ConfigKey k;
    (void)snprintf(origin, sizeof origin, "%s:%d", r->path, line);
    Str s = str_of(section);
    if (str_starts(s, STR("collection "))) {
        if (r->restricted)
            return err_fix(err_set(ERR_USAGE, "%s: a project's own file may not set collections", origin),
                           "pythia config trust '%s'", r->path);
        return collection_put(r, str_trim(str_from(s, 11)), key, value, origin);
    }
    (void)snprintf(full, sizeof full, "%s.%s", section, key);
    Err err = config_find(str_of(full), &k);
    if (err) return err_prefix(err, "%s", origin);
    if (r->restricted && !(config_defs[k].flags & CONFIG_PROJECT))
        return err_fix(err_set(ERR_USAGE, "%s: a project's own file may not set %s", origin, full),
                       "pythia config trust '%s'", r->path);
    return config_put(r->c, k, str_of(value), origin, r->layer);
}

/* Debian's inih is built without line numbers for the handler, so the reader of lines counts them. */
typedef struct {
    FileRead *r;
    Str rest; /* text not yet handed to inih */
    int line;
} IniState;

static char *ini_read_line(char *out, int size, void *stream) {
    IniState *s = stream;
    if (s->rest.n == 0 || size < 2) return NULL;
    ptrdiff_t at = str_find_char(s->rest, '\n');
    size_t n = at < 0 ? s->rest.n : (size_t)at + 1;
    s->line++;
    if (n > (size_t)size - 1) { /* inih reads into 200 bytes; a longer line would be torn in silence */
        if (!s->r->err)
            s->r->err = err_set(ERR_LIMIT, "%s:%d: a line of more than %d bytes", s->r->path, s->line, size - 2);
        return NULL;
    }
    memcpy(out, s->rest.p, n);
    out[n] = 0;
    s->rest = str_from(s->rest, n);
    return out;
}

static int ini_take(void *user, const char *section, const char *name, const char *value) {
    IniState *s = user;
    if (s->r->err) return 1; /* the first error is the one told */
    if (!value)
        s->r->err = err_set(ERR_USAGE, "%s:%d: '%s' has no value", s->r->path, s->line, name);
    else
        s->r->err = file_line(s->r, section, name, value, s->line);
    return 1;
}

static Err config_read_file(Config *c, const char *path, int layer, bool restricted) {
    FileInfo info;
    Str text;
    if (!path) return ERR_OK;
    TRY(file_info(path, true, &info));
    if (info.type == FILE_NONE) return ERR_OK;
    TRY(file_read(&c->arena, path, CONFIG_FILE_MAX, &text));
    FileRead r = {.c = c, .path = path, .layer = layer, .restricted = restricted};
    IniState s = {.r = &r, .rest = text};
    int bad = ini_parse_stream(ini_read_line, &s, ini_take, &s);
    if (r.err) return r.err;
    if (bad != 0)
        return err_set(ERR_USAGE, "%s:%d: neither '[section]' nor 'key = value'", path, bad > 0 ? bad : s.line);
    return ERR_OK;
}

/* ---- environment ---- */

const char *env_get(char **environ_, const char *name) {
    const size_t n = strlen(name);
    for (char **e = environ_; e && *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=' && (*e)[n + 1]) return *e + n + 1;
    return NULL;
}

static void env_name(int key, char out[96]) {
    (void)snprintf(out, 96, "PYTHIA_%s_%s", config_defs[key].section, config_defs[key].key);
    for (char *p = out; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
}

static Err config_read_environ(Config *c, char **environ_) {
    for (char **e = environ_; e && *e; e++) {
        if (strncmp(*e, "PYTHIA_", 7) != 0) continue;
        Str entry = str_of(*e);
        ptrdiff_t eq = str_find_char(entry, '=');
        if (eq < 0) continue;
        for (int k = 0; k < CONF_COUNT; k++) {
            char name[96], origin[120];
            env_name(k, name);
            if (!str_is(str_upto(entry, (size_t)eq), name)) continue;
            (void)snprintf(origin, sizeof origin, "environment %s", name);
            TRY(config_put(c, (ConfigKey)k, str_from(entry, (size_t)eq + 1), origin, LAYER_ENVIRONMENT));
        }
    }
    return ERR_OK;
}

Err config_load(Config **out, const ConfigSources *sources) {
    Err err = ERR_OK;
    *out = NULL;
    Config *c = calloc(1, sizeof *c);
    if (!c) return err_set(ERR_NOMEM, "out of memory: the configuration");
    for (int k = 0; k < CONF_COUNT; k++) {
        c->values[k].text = str_of(config_defs[k].default_value);
        c->values[k].origin = "default";
    }
    if ((err = config_read_file(c, sources->user_file, LAYER_USER, false))) goto done;
    if ((err = config_read_file(c, sources->project_file, LAYER_PROJECT, !sources->project_trusted))) goto done;
    if ((err = config_read_environ(c, sources->environ))) goto done;
    *out = c;
    c = NULL;
done:
    config_free(c);
    return err;
}

void config_free(Config *c) {
    if (!c) return;
    arena_free(&c->arena);
    free(c);
}

/* ---- asking ---- */

Str config_text(const Config *c, ConfigKey key) { return c->values[key].text; }
const char *config_origin(const Config *c, ConfigKey key) { return c->values[key].origin; }

int64_t config_int(const Config *c, ConfigKey key) {
    Str s = c->values[key].text;
    int64_t i = 0;
    uint64_t u = 0;
    bool b = false;
    switch (config_defs[key].type) {
    case CONFIG_INT:
        (void)str_to_i64(s, &i);
        break;
    case CONFIG_BYTES:
        (void)str_to_bytes(s, &u), i = (int64_t)u;
        break;
    case CONFIG_DURATION:
        (void)!clock_parse_duration(s, &i);
        break;
    case CONFIG_BOOL:
        (void)bool_of(s, &b), i = b;
        break;
    case CONFIG_ENUM:
        (void)enum_position(config_defs[key].values, s, &i);
        break;
    case CONFIG_STR:
    case CONFIG_FLOAT:
        break;
    }
    return i;
}

double config_float(const Config *c, ConfigKey key) {
    double f = 0;
    (void)str_to_f64(c->values[key].text, &f);
    return f;
}

bool config_bool(const Config *c, ConfigKey key) { return config_int(c, key) != 0; }

size_t config_collections(const Config *c, const ConfigCollection **out) {
    *out = c->collections;
    return c->n_collections;
}

/* ---- writing ---- */

static bool line_is_section(Str line, Str section) {
    Str t = str_trim(line);
    return t.n >= 2 && t.p[0] == '[' && t.p[t.n - 1] == ']' && str_eq(str_trim(str_make(t.p + 1, t.n - 2)), section);
}

static bool line_is_key(Str line, Str key) {
    ptrdiff_t eq = str_find_char(line, '=');
    if (eq < 0) eq = str_find_char(line, ':');
    return eq > 0 && str_eq(str_trim(str_upto(line, (size_t)eq)), key);
}

/* Copies text to out with the key's line replaced, removed (empty value) or added at the end of its section. */
static void config_rewrite(Buf *out, Str text, const ConfigDef *d, Str value) {
    Str rest = text, line, section = str_of(d->section), key = str_of(d->key);
    bool inside = false, written = value.n == 0;
    size_t blank_from = 0; /* where the blank lines at the end of out begin */
    while (str_line(&rest, &line)) {
        bool is_header = str_trim(line).n && str_trim(line).p[0] == '[';
        if (is_header && inside && !written) {
            Buf tail = {0};
            buf_add_bytes(&tail, out->p + blank_from, out->n - blank_from);
            out->n = blank_from;
            buf_printf(out, "%s = %.*s\n", d->key, STR_FMT(value));
            buf_add(out, buf_str(&tail));
            buf_free(&tail);
            written = true;
        }
        if (is_header) inside = line_is_section(line, section);
        if (inside && line_is_key(line, key)) {
            if (!written) buf_printf(out, "%s = %.*s\n", d->key, STR_FMT(value));
            written = true;
            blank_from = out->n;
            continue;
        }
        buf_add(out, line);
        buf_char(out, '\n');
        if (str_trim(line).n) blank_from = out->n;
    }
    if (written) return;
    if (!inside) buf_printf(out, "%s[%s]\n", out->n ? "\n" : "", d->section);
    buf_printf(out, "%s = %.*s\n", d->key, STR_FMT(value));
}

Err config_write(const char *file, ConfigKey key, Str value) {
    const ConfigDef *d = &config_defs[key];
    Arena a = {0};
    Buf out = {0};
    FileInfo info;
    Str text = {"", 0};
    Err err = ERR_OK;
    char room[64];
    const char *problem = value.n ? value_problem(d, value, room) : NULL;
    if (problem)
        return err_set(ERR_USAGE, "'%.*s' is no value for %s.%s; valid: %s", STR_FMT(value), d->section, d->key,
                       problem);
    if (memchr(value.n ? value.p : "", '\n', value.n)) return err_set(ERR_USAGE, "a value cannot hold a line break");
    if ((err = file_info(file, true, &info))) goto done;
    if (info.type != FILE_NONE && (err = file_read(&a, file, CONFIG_FILE_MAX, &text))) goto done;
    config_rewrite(&out, text, d, value);
    if ((err = buf_ok(&out))) goto done;
    const char *dir = arena_cstr(&a, path_dir(str_of(file)));
    if (!dir) {
        err = arena_error();
        goto done;
    }
    if (*dir && (err = file_make_dirs(dir, 0755))) goto done;
    err = file_write_atomic(file, buf_str(&out), 0644);
done:
    buf_free(&out);
    arena_free(&a);
    return err;
}
