/* args.c - parsing the command line against the flag tables.
 *
 * Two walks over argv: the first only counts, so that every list is one piece of the arena of the right size.
 */
#include "cli/args.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum {
    NAME_MAX_EDITS = 64, /* words longer than this are not compared */
    FLAGS_MAX = 64,      /* of one command, the global ones too */
};

const char *flag_values(const Flag *f) {
    if (f->values) return f->values;
    if (f->key && f->type != FLAG_SWITCH && config_defs[f->key - 1].values[0]) return config_defs[f->key - 1].values;
    return NULL;
}

const char *flag_help(const Flag *f) {
    if (f->help) return f->help;
    assert(f->key);
    return config_defs[f->key - 1].help;
}

static size_t flags_count(const Flag *flags) {
    size_t n = 0;
    while (flags && flags[n].name) n++;
    return n;
}

/* Flag number i of command and global table together. */
static const Flag *flag_at(const Command *c, size_t i) {
    size_t own = flags_count(c->flags);
    return i < own ? &c->flags[i] : &global_flags[i - own];
}

static size_t flags_total(const Command *c) {
    size_t total = flags_count(c->flags) + flags_count(global_flags);
    assert(total <= FLAGS_MAX);
    return total;
}

/* Smallest number of insertions, deletions, changes and swaps of neighbours (optimal string alignment). */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb) {
    size_t rows[3][NAME_MAX_EDITS + 1];
    if (na > NAME_MAX_EDITS || nb > NAME_MAX_EDITS) return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++) rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *now = rows[i % 3], *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[na % 3][nb];
}

Str nearest_name(Str word, const Str *names, size_t n) {
    Str best = {NULL, 0};
    size_t best_edits = word.n < 4 ? 2 : 3 + word.n / 6; /* first distance too far */
    for (size_t i = 0; i < n; i++) {
        size_t edits = edit_distance(word.p, word.n, names[i].p, names[i].n);
        if (edits < best_edits) best_edits = edits, best = names[i];
    }
    return best;
}

void nearest_add(Buf *b, Str word, const char *before, const Str *names, size_t n) {
    Str near = nearest_name(word, names, n);
    if (near.n) buf_printf(b, ", did you mean '%s%.*s'", before, STR_FMT(near));
}

static Err flag_unknown(const Command *c, Str word) {
    Str names[FLAGS_MAX];
    Buf near = {0}, list = {0};
    size_t total = flags_total(c);
    for (size_t i = 0; i < total; i++) {
        const Flag *f = flag_at(c, i);
        names[i] = str_of(f->name);
        buf_printf(&list, "%s--%s", i ? ", " : "", f->name);
        if (f->letter) buf_printf(&list, "/-%c", f->letter);
    }
    if (word.n > 2) nearest_add(&near, str_from(word, str_starts(word, STR("--")) ? 2 : 1), "--", names, total);
    Err err = err_set(ERR_USAGE, "unknown flag '%.*s' of 'pythia %s'%s; valid flags: %s", STR_FMT(word), c->name,
                      near.p ? near.p : "", list.p ? list.p : "");
    buf_free(&near);
    buf_free(&list);
    return err_fix(err, "pythia help %s", c->name);
}

/* Index of the flag of this long name (or alias), flags_total when there is none. */
static size_t flag_by_name(const Command *c, Str name) {
    size_t total = flags_total(c), i = 0;
    for (; i < total; i++) {
        const Flag *f = flag_at(c, i);
        if (str_is(name, f->name) || (f->alias && str_is(name, f->alias))) break;
    }
    return i;
}

static size_t flag_by_letter(const Command *c, char letter) {
    size_t total = flags_total(c), i = 0;
    while (i < total && flag_at(c, i)->letter != letter) i++;
    return i;
}

Err choice_check(const char *what, Str value, const char *choices) {
    Str rest = str_of(choices), one;
    while (str_cut(&rest, '|', &one))
        if (str_eq(one, value)) return ERR_OK;
    Buf list = {0};
    rest = str_of(choices);
    for (bool first = true; str_cut(&rest, '|', &one); first = false) {
        if (!first) buf_add_z(&list, ", ");
        buf_add(&list, one);
    }
    Err err = err_set(ERR_USAGE, "%s cannot be '%.*s'; valid: %s", what, STR_FMT(value), list.p ? list.p : "");
    buf_free(&list);
    return err;
}

/* What the two walks share. In the first one `fill` is false and only counts are made. */
typedef struct {
    Arena *arena;
    const Command *command;
    char **words;
    size_t n, at;
    bool fill;
    Args *args;
} Parse;

static Err parse_value_check(const Flag *f, Str value) {
    const char *choices = f->key ? NULL : flag_values(f); /* keys check themselves: config_set */
    if (!choices) return ERR_OK;
    char what[64];
    (void)snprintf(what, sizeof what, "'--%s'", f->name);
    return choice_check(what, value, choices);
}

static Err parse_add_one(Parse *p, size_t index, Str value) {
    const Flag *f = flag_at(p->command, index);
    FlagValue *slot = &p->args->values[index];
    if (p->fill && f->type != FLAG_SWITCH) {
        TRY(parse_value_check(f, value));
        slot->items[slot->n] = value;
    }
    slot->n++;
    return ERR_OK;
}

static Err parse_add(Parse *p, size_t index, Str value) {
    const Flag *f = flag_at(p->command, index);
    if (f->type != FLAG_COMMAS) return parse_add_one(p, index, value);
    Str rest = value, one;
    if (value.n == 0) return err_set(ERR_USAGE, "flag '--%s' needs a value %s", f->name, f->arg);
    while (str_cut(&rest, ',', &one)) {
        if (one.n == 0) return err_set(ERR_USAGE, "empty item in '--%s %.*s'", f->name, STR_FMT(value));
        TRY(parse_add_one(p, index, one));
    }
    return ERR_OK;
}

static Err parse_next_value(Parse *p, const Flag *f, const char *spelling, Str *out) {
    if (p->at >= p->n)
        return err_fix(err_set(ERR_USAGE, "flag '%s' needs a value %s", spelling, f->arg), "pythia help %s",
                       p->command->name);
    *out = str_of(p->words[p->at++]);
    return ERR_OK;
}

static Err parse_long(Parse *p, Str word) {
    Str name = str_from(word, 2), value = {NULL, 0};
    ptrdiff_t equals = str_find_char(name, '=');
    if (equals >= 0) {
        value = str_from(name, (size_t)equals + 1);
        name = str_upto(name, (size_t)equals);
    }
    size_t index = flag_by_name(p->command, name);
    if (index == flags_total(p->command)) return flag_unknown(p->command, str_upto(word, name.n + 2));
    const Flag *f = flag_at(p->command, index);
    if (f->type == FLAG_SWITCH) {
        if (equals >= 0) return err_set(ERR_USAGE, "flag '--%s' takes no value, not '%.*s'", f->name, STR_FMT(value));
    } else if (equals < 0) {
        TRY(parse_next_value(p, f, p->words[p->at - 1], &value));
    }
    return parse_add(p, index, value);
}

/* "-l", "-l0", "-m5", "-m", "5" */
static Err parse_letters(Parse *p, Str word) {
    for (size_t i = 1; i < word.n; i++) {
        size_t index = flag_by_letter(p->command, word.p[i]);
        if (index == flags_total(p->command)) {
            char spelling[3] = {'-', word.p[i], 0};
            return flag_unknown(p->command, i == 1 ? word : str_of(spelling));
        }
        const Flag *f = flag_at(p->command, index);
        if (f->type == FLAG_SWITCH) {
            TRY(parse_add(p, index, (Str){NULL, 0}));
            continue;
        }
        Str value = str_from(word, i + 1);
        if (value.n && value.p[0] == '=') value = str_from(value, 1);
        char spelling[3] = {'-', f->letter, 0};
        if (i + 1 == word.n) TRY(parse_next_value(p, f, spelling, &value));
        return parse_add(p, index, value);
    }
    return ERR_OK;
}

static Err parse_walk(Parse *p) {
    bool flags_ended = false;
    p->at = 0;
    p->args->n_words = 0;
    while (p->at < p->n) {
        Str word = str_of(p->words[p->at++]);
        if (!flags_ended && str_is(word, "--")) {
            flags_ended = true;
        } else if (!flags_ended && str_starts(word, STR("--"))) {
            TRY(parse_long(p, word));
        } else if (!flags_ended && word.n > 1 && word.p[0] == '-') {
            TRY(parse_letters(p, word));
        } else {
            if (p->fill) p->args->words[p->args->n_words] = word;
            p->args->n_words++;
        }
    }
    return ERR_OK;
}

Err args_parse(Arena *a, const Command *command, char **words, size_t n, Args *out) {
    size_t total = flags_total(command);
    *out = (Args){.command = command, .values = arena_array(a, FlagValue, total)};
    if (!out->values) return arena_error();
    Parse p = {.arena = a, .command = command, .words = words, .n = n, .args = out};
    TRY(parse_walk(&p));
    out->words = arena_array(a, Str, out->n_words);
    if (!out->words) return arena_error();
    for (size_t i = 0; i < total; i++) {
        FlagValue *slot = &out->values[i];
        if (flag_at(command, i)->type == FLAG_SWITCH) {
            slot->n = 0;
            continue;
        }
        slot->items = arena_array(a, Str, slot->n);
        if (!slot->items) return arena_error();
        slot->n = 0;
    }
    p.fill = true;
    return parse_walk(&p);
}

static const FlagValue *args_slot(const Args *args, const char *name) {
    size_t index = flag_by_name(args->command, str_of(name));
    assert(index < flags_total(args->command));
    return &args->values[index];
}

bool args_has(const Args *args, const char *name) { return args_slot(args, name)->n > 0; }

Str args_str(const Args *args, const char *name) {
    const FlagValue *v = args_slot(args, name);
    return v->n ? v->items[v->n - 1] : (Str){NULL, 0};
}

const Str *args_list(const Args *args, const char *name, size_t *n) {
    const FlagValue *v = args_slot(args, name);
    *n = v->n;
    return v->items;
}

Err args_i64(const Args *args, const char *name, int64_t min, int64_t max, int64_t *out) {
    if (!args_has(args, name)) return ERR_OK;
    Str text = args_str(args, name);
    int64_t value = 0;
    if (!str_to_i64(text, &value) || value < min || value > max)
        return err_set(ERR_USAGE, "'--%s' cannot be '%.*s'; valid: a whole number from %lld to %lld", name,
                       STR_FMT(text), (long long)min, (long long)max);
    *out = value;
    return ERR_OK;
}

Err args_f64(const Args *args, const char *name, double min, double max, double *out) {
    if (!args_has(args, name)) return ERR_OK;
    Str text = args_str(args, name);
    double value = 0;
    if (!str_to_f64(text, &value) || value < min || value > max)
        return err_set(ERR_USAGE, "'--%s' cannot be '%.*s'; valid: a number from %g to %g", name, STR_FMT(text), min,
                       max);
    *out = value;
    return ERR_OK;
}

/* `--config section.key=value`, for the keys that have no flag of their own. */
static Err configure_pairs(const Args *args, Config *config) {
    size_t n = 0;
    const Str *pairs = args_list(args, "config", &n);
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t equals = str_find_char(pairs[i], '=');
        if (equals <= 0)
            return err_fix(
                err_set(ERR_USAGE, "'--config' cannot be '%.*s'; valid: section.key=value", STR_FMT(pairs[i])),
                "pythia config list");
        ConfigKey key;
        TRY(config_find(str_upto(pairs[i], (size_t)equals), &key));
        TRY(config_set(config, key, str_from(pairs[i], (size_t)equals + 1), "flag --config"));
    }
    return ERR_OK;
}

Err args_configure(Arena *a, const Args *args, Config *config) {
    TRY(configure_pairs(args, config));
    size_t total = flags_total(args->command);
    for (size_t i = 0; i < total; i++) {
        const Flag *f = flag_at(args->command, i);
        const FlagValue *v = &args->values[i];
        if (!f->key || !v->n) continue;
        Str origin = arena_printf(a, "flag --%s", f->name);
        if (!origin.p) return arena_error();
        Str value = f->type == FLAG_SWITCH ? str_of(f->sets) : v->items[v->n - 1];
        Err err = config_set(config, (ConfigKey)(f->key - 1), value, origin.p);
        if (err) return err_fix(err, "pythia help %s", args->command->name);
    }
    return ERR_OK;
}
