/* tokens.c - see tokens.h. */
#include "serve/tokens.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

enum { FILE_MAX = 1 << 20, TOKENS_MAX = 4096, NAME_MAX_BYTES = 100, RANDOM_BYTES = 32 };

/* ---- the file ---- */

static Err token_read(Arena *a, Str line, int number, const char *file, Token *out) {
    json_t *v = NULL;
    Str id = {"", 0}, name = {"", 0}, role = {"", 0}, sha = {"", 0}, created = {"", 0};
    Err err = json_read(line, file, &v);
    if (!err) err = json_get_str(v, "id", &id);
    if (!err) err = json_get_str(v, "name", &name);
    if (!err) err = json_get_str(v, "role", &role);
    if (!err) err = json_get_str(v, "sha256", &sha);
    if (!err) err = json_get_str(v, "created", &created);
    *out = (Token){0};
    if (!err && (id.n == 0 || id.n >= sizeof out->id || sha.n != 64 || !role_parse(role, &out->role)))
        err = err_set(ERR_CORRUPT, "'%s', line %d, is no token", file, number);
    if (!err) {
        memcpy(out->id, id.p, id.n);
        memcpy(out->sha256, sha.p, sha.n);
        out->name = arena_str(a, name);
        out->created = arena_str(a, created);
        if (!out->name.p || !out->created.p) err = arena_error();
    }
    json_decref(v);
    return err;
}

Err tokens_list(Arena *a, const char *file, Token **out, size_t *n) {
    FileInfo info;
    Str text, line;
    int number = 0;
    *out = NULL;
    *n = 0;
    TRY(file_info(file, true, &info));
    if (info.type == FILE_NONE) return ERR_OK;
    TRY(file_read(a, file, FILE_MAX, &text));
    *out = arena_array(a, Token, TOKENS_MAX);
    if (!*out) return arena_error();
    while (str_line(&text, &line)) {
        number++;
        if (!str_trim(line).n) continue;
        if (*n == TOKENS_MAX) return err_set(ERR_LIMIT, "'%s' has more than %d tokens", file, TOKENS_MAX);
        TRY(token_read(a, line, number, file, &(*out)[*n]));
        ++*n;
    }
    return ERR_OK;
}

static Err tokens_write(const char *file, const Token *list, size_t n) {
    Buf b = {0};
    for (size_t i = 0; i < n; i++) {
        JsonOut j = jout_to(&b);
        jout_begin(&j, '{');
        jout_kv_z(&j, "id", list[i].id);
        jout_kv_str(&j, "name", list[i].name);
        jout_kv_z(&j, "role", role_name(list[i].role));
        jout_kv_z(&j, "sha256", list[i].sha256);
        jout_kv_str(&j, "created", list[i].created);
        jout_end(&j, '}');
        buf_char(&b, '\n');
    }
    Arena a = {0};
    const char *dir = arena_cstr(&a, path_dir(str_of(file)));
    Err err = dir ? buf_ok(&b) : arena_error();
    if (!err && *dir) err = file_make_dirs(dir, 0755);
    if (!err) err = file_write_atomic(file, buf_str(&b), 0600);
    arena_free(&a);
    buf_free(&b);
    return err;
}

static void token_hash(Str token, char out[65]) {
    Sha256 sha = sha256_of(token);
    hex_write(sha.bytes, sizeof sha.bytes, out);
}

static Err token_make(char text[TOKEN_TEXT], char id[TOKEN_ID]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[RANDOM_BYTES + 4];
    ssize_t got;
    do got = getrandom(bytes, sizeof bytes, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof bytes) return err_set(ERR_IO, "no random numbers to make a token of");
    size_t at = 4;
    memcpy(text, "pyt_", 4);
    for (size_t bit = 0; bit < 8 * RANDOM_BYTES; bit += 6) {
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < RANDOM_BYTES ? bytes[bit / 8 + 1] : 0u);
        text[at++] = letters[pair >> (10 - bit % 8) & 63];
    }
    text[at] = 0;
    char hex[9];
    hex_write(bytes + RANDOM_BYTES, 4, hex);
    memcpy(id, "t-", 2);
    memcpy(id + 2, hex, 9);
    return ERR_OK;
}

Err tokens_create(const char *file, Str name, Role role, char text[TOKEN_TEXT], char id[TOKEN_ID]) {
    Arena a = {0};
    Token *list = NULL;
    size_t n = 0;
    char when[32];
    Err err = ERR_OK;
    if (name.n == 0 || name.n > NAME_MAX_BYTES)
        return err_set(ERR_USAGE, "a token's name has 1 to %d bytes", NAME_MAX_BYTES);
    if ((err = tokens_list(&a, file, &list, &n))) goto done;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(list[i].name, name)) continue;
        err = err_fix(err_set(ERR_INPUT, "there is a token called '%.*s'", STR_FMT(name)), "pythia token revoke '%.*s'",
                      STR_FMT(name));
        goto done;
    }
    if (n == TOKENS_MAX) {
        err = err_set(ERR_LIMIT, "'%s' has %d tokens already", file, TOKENS_MAX);
        goto done;
    }
    if (!list) list = arena_new(&a, Token);
    if (!list) {
        err = arena_error();
        goto done;
    }
    if ((err = token_make(text, id))) goto done;
    clock_iso(clock_wall_ms(), when);
    list[n] = (Token){.name = name, .role = role, .created = str_of(when)};
    memcpy(list[n].id, id, TOKEN_ID);
    token_hash(str_of(text), list[n].sha256);
    err = tokens_write(file, list, n + 1);
done:
    arena_free(&a);
    return err;
}

Err tokens_revoke(const char *file, Str id_or_name) {
    Arena a = {0};
    Token *list = NULL;
    size_t n = 0, at = 0;
    Err err = tokens_list(&a, file, &list, &n);
    while (!err && at < n && !str_is(id_or_name, list[at].id) && !str_eq(id_or_name, list[at].name)) at++;
    if (!err && at == n)
        err = err_fix(err_set(ERR_NO_DOCUMENT, "there is no token '%.*s'", STR_FMT(id_or_name)), "pythia token list");
    if (!err) {
        memmove(list + at, list + at + 1, (n - at - 1) * sizeof *list);
        err = tokens_write(file, list, n - 1);
    }
    arena_free(&a);
    return err;
}

/* ---- in a server ---- */

struct Tokens {
    char *file;
    bool has_internal;
    char internal[65];    /* hash */
    pthread_mutex_t lock; /* guards all below */
    Arena arena;
    Token *list;
    size_t n;
    int64_t mtime_ns, size;
    uint64_t inode;
};

/* Reads the file again when it is another one. One that cannot be read leaves no token valid but the internal one. */
static void tokens_look(Tokens *t) {
    FileInfo info = {0};
    if (file_info(t->file, true, &info)) info = (FileInfo){0};
    if (info.mtime_ns == t->mtime_ns && info.size == t->size && info.inode == t->inode) return;
    arena_reset(&t->arena);
    t->mtime_ns = info.mtime_ns;
    t->size = info.size;
    t->inode = info.inode;
    if (!tokens_list(&t->arena, t->file, &t->list, &t->n)) return;
    LOG(LOG_ERROR, "serve", "tokens cannot be read: %s", err_text());
    t->n = 0;
}

Err tokens_open(Tokens **out, const char *file, Str internal) {
    *out = NULL;
    Tokens *t = calloc(1, sizeof *t);
    if (t) t->file = strdup(file);
    if (!t || !t->file) {
        free(t);
        return err_set(ERR_NOMEM, "out of memory for tokens");
    }
    (void)pthread_mutex_init(&t->lock, NULL);
    t->has_internal = internal.n > 0;
    if (internal.n) token_hash(internal, t->internal);
    /* A file that is damaged must not open the door: it is told at the start. */
    Err err = tokens_list(&t->arena, file, &t->list, &t->n);
    if (err) {
        tokens_close(t);
        return err;
    }
    tokens_look(t);
    *out = t;
    return ERR_OK;
}

void tokens_close(Tokens *t) {
    if (!t) return;
    (void)pthread_mutex_destroy(&t->lock);
    arena_free(&t->arena);
    free(t->file);
    free(t);
}

bool tokens_wanted(Tokens *t) {
    (void)pthread_mutex_lock(&t->lock);
    tokens_look(t);
    /* A file that is there but empty, or unreadable: somebody revoked the last one, and did not mean "open to all". */
    bool wanted = t->has_internal || t->n > 0 || t->inode != 0;
    (void)pthread_mutex_unlock(&t->lock);
    return wanted;
}

static bool hash_eq(const char a[65], const char b[65]) {
    unsigned differ = 0;
    for (size_t i = 0; i < 64; i++) differ |= (unsigned)(a[i] ^ b[i]);
    return differ == 0;
}

bool tokens_check(Tokens *t, Str token, Role *role, char id[TOKEN_ID]) {
    char hash[65];
    bool found = false;
    token_hash(token, hash);
    if (t->has_internal && hash_eq(hash, t->internal)) {
        *role = ROLE_ADMIN;
        memcpy(id, "internal", sizeof "internal");
        found = true;
    }
    (void)pthread_mutex_lock(&t->lock);
    tokens_look(t);
    for (size_t i = 0; i < t->n; i++) {
        if (!hash_eq(hash, t->list[i].sha256)) continue;
        *role = t->list[i].role;
        memcpy(id, t->list[i].id, TOKEN_ID);
        found = true;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return found;
}
