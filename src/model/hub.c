/* hub.c - what of a repository is wanted, and in which order; see hub.h. One file's way is in hub_file.c. */
#include "model/hub.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "model/hub_file.h"

enum { FILES_MAX = 20000, FOLDER_MAX = 320, NAME_MAX_BYTES = 96, PATH_MAX_BYTES = 512, LISTED_MAX = 12 };

/* ---- the reference ---- */

static bool letter_is_plain(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.';
}

/* Names as the hub has them: letters, digits, "-_.", not at the ends a "-" or ".", nowhere "--" or "..". */
static bool name_is_good(Str s) {
    if (s.n == 0 || s.n > NAME_MAX_BYTES) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!letter_is_plain(s.p[i])) return false;
    char first = s.p[0], last = s.p[s.n - 1];
    return first != '.' && first != '-' && last != '.' && last != '-' && str_find(s, STR("..")) < 0 &&
           str_find(s, STR("--")) < 0;
}

/* A path that stays below where it is joined to. */
static bool path_is_good(Str s) {
    Str part;
    if (s.n == 0 || s.n > PATH_MAX_BYTES || s.p[s.n - 1] == '/') return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f || s.p[i] == '\\') return false;
    while (str_cut(&s, '/', &part))
        if (part.n == 0 || str_is(part, ".") || str_is(part, "..")) return false;
    return true;
}

static Str address_strip(Str s) {
    static const char *const hosts[] = {"https://", "http://", "huggingface.co/", "hf.co/"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (str_starts(s, str_of(hosts[i]))) s = str_from(s, strlen(hosts[i]));
    return s;
}

static Err ref_bad(Str text, const char *why) {
    return err_set(ERR_USAGE, "'%.*s' names no model on a hub: %s; valid is ORG/NAME[/FILE][@REVISION]", STR_FMT(text),
                   why);
}

Err hub_ref_parse(Arena *a, Str text, HubRef *out) {
    Str rest = address_strip(str_trim(text)), org, name, how;
    *out = (HubRef){.revision = STR("main"), .file = STR("")};
    ptrdiff_t at = str_find_char(rest, '@');
    if (at >= 0) {
        out->revision = str_from(rest, (size_t)at + 1);
        rest = str_upto(rest, (size_t)at);
    }
    if (!str_cut(&rest, '/', &org)) return ref_bad(text, "nothing is named");
    bool owned = str_cut(&rest, '/', &name);
    if (!name_is_good(org) || (owned && !name_is_good(name)))
        return ref_bad(text, "a name has letters, digits, '-', '_' and '.'");
    Str address = rest; /* ORG/NAME/resolve/REVISION/FILE: copied from a browser */
    if (at < 0 && str_cut(&address, '/', &how) &&
        (str_is(how, "resolve") || str_is(how, "blob") || str_is(how, "tree"))) {
        if (!str_cut(&address, '/', &out->revision)) return ref_bad(text, "the revision is missing");
        rest = address;
    }
    if (rest.n && !path_is_good(rest)) return ref_bad(text, "the file's path is no path inside the repository");
    if (!path_is_good(out->revision) || out->revision.n > 200) return ref_bad(text, "the revision is no name of one");
    out->repo = owned ? arena_printf(a, "%.*s/%.*s", STR_FMT(org), STR_FMT(name)) : arena_str(a, org);
    out->file = arena_str(a, rest);
    out->revision = arena_str(a, out->revision);
    return out->repo.p && out->file.p && out->revision.p ? ERR_OK : arena_error();
}

/* ---- addresses and places ---- */

static void escape_add(Buf *b, Str s, bool slashes) {
    for (size_t i = 0; i < s.n; i++) {
        if (letter_is_plain(s.p[i]) || s.p[i] == '~' || (slashes && s.p[i] == '/'))
            buf_char(b, s.p[i]);
        else
            buf_printf(b, "%%%02X", (unsigned)(unsigned char)s.p[i]);
    }
}

Err hub_url(HubPull *p, const char *prefix, const char *middle, Str revision, Str file, const char **out) {
    Buf b = {0};
    Str endpoint = str_of(p->o->endpoint);
    while (endpoint.n && endpoint.p[endpoint.n - 1] == '/') endpoint.n--;
    buf_add(&b, endpoint);
    buf_add_z(&b, prefix);
    escape_add(&b, p->ref->repo, true);
    buf_add_z(&b, middle);
    escape_add(&b, revision, false);
    if (file.n) buf_char(&b, '/');
    escape_add(&b, file, true);
    Err err = buf_ok(&b);
    if (!err && !(*out = arena_cstr(p->a, buf_str(&b)))) err = arena_error();
    buf_free(&b);
    return err;
}

/* "models--org--name" in the cache and among its locks. */
static Err places_set(HubPull *p) {
    Buf b = {0};
    buf_add_z(&b, "models--");
    for (size_t i = 0; i < p->ref->repo.n; i++) {
        if (p->ref->repo.p[i] == '/')
            buf_add_z(&b, "--");
        else
            buf_char(&b, p->ref->repo.p[i]);
    }
    Err err = buf_ok(&b);
    if (!err) {
        p->repo_dir = arena_printf(p->a, "%s/%s", p->o->cache, b.p).p;
        p->lock_dir = arena_printf(p->a, "%s/.locks/%s", p->o->cache, b.p).p;
        if (!p->repo_dir || !p->lock_dir) err = arena_error();
    }
    buf_free(&b);
    return err;
}

/* What a branch or tag meant, for those who come offline. */
static Err ref_write(HubPull *p) {
    if (str_is(p->ref->revision, p->commit)) return ERR_OK;
    const char *path = arena_printf(p->a, "%s/refs/%.*s", p->repo_dir, STR_FMT(p->ref->revision)).p;
    const char *dir = path ? arena_cstr(p->a, path_dir(str_of(path))) : NULL;
    if (!dir) return arena_error();
    TRY(file_make_dirs(dir, 0755));
    return file_write_atomic(path, str_of(p->commit), 0644);
}

/* ---- what there is ---- */

typedef struct {
    Str path;
    int64_t size; /* -1: not told */
} HubEntry;

typedef struct {
    HubEntry *list;
    size_t n;
} HubListing;

static Err listing_parse(HubPull *p, const HttpReply *r, json_t *root, HubListing *out) {
    char shown[320];
    Str sha = {NULL, 0};
    const json_t *files = json_object_get(root, "siblings");
    http_url_shown(r->url, shown);
    TRY(json_get_str(root, "sha", &sha));
    if (!hub_is_hex(sha, 40) || !json_is_array(files) || json_array_size(files) > FILES_MAX)
        return err_fix(
            err_set(ERR_NETWORK, "'%s' does not answer as a model hub: no commit or no list of files", shown),
            "check HF_ENDPOINT");
    p->commit = arena_cstr(p->a, sha);
    out->list = arena_array(p->a, HubEntry, json_array_size(files));
    if (!p->commit || !out->list) return arena_error();
    for (size_t i = 0; i < json_array_size(files); i++) {
        HubEntry e = {.size = -1};
        const json_t *file = json_array_get(files, i);
        TRY(json_get_str(file, "rfilename", &e.path));
        TRY(json_get_i64(file, "size", &e.size));
        if (!path_is_good(e.path)) continue; /* it could leave the folder: it is not for us */
        e.path = arena_str(p->a, e.path);
        if (!e.path.p) return arena_error();
        out->list[out->n++] = e;
    }
    return ERR_OK;
}

static Err listing_ask(HubPull *p, HubListing *out) {
    const char *url = NULL;
    json_t *root = NULL;
    HttpReply r;
    TRY(hub_url(p, "/api/models/", "/revision/", p->ref->revision, STR(""), &url));
    const char *with_sizes = arena_printf(p->a, "%s?blobs=true", url).p;
    if (!with_sizes) return arena_error();
    HttpRequest rq = hub_request(p, "GET", with_sizes);
    HttpRetry retry = hub_retry(p);
    TRY(http_send_retry(p->http, p->a, &rq, &retry, &r));
    if (r.status >= 300) return hub_refusal(p, &r, STR(""));
    if (json_read(r.body, "reply", &root) || !json_is_object(root)) {
        json_decref(root);
        char shown[320];
        http_url_shown(url, shown);
        return err_fix(err_set(ERR_NETWORK, "'%s' does not answer as a model hub: no JSON object came", shown),
                       "check HF_ENDPOINT");
    }
    Err err = listing_parse(p, &r, root, out);
    json_decref(root);
    return err;
}

/* A snapshot's files, two levels deep: that is what a model's folder has. */
static Err snapshot_read(HubPull *p, const char *dir, const char *under, HubListing *out) {
    DIR *d = opendir(dir);
    if (!d) return ERR_OK;
    Err err = ERR_OK;
    for (const struct dirent *entry; !err && (entry = readdir(d));) {
        FileInfo info;
        if (entry->d_name[0] == '.' || out->n == FILES_MAX) continue;
        const char *path = path_join(p->a, dir, entry->d_name);
        Str name = arena_printf(p->a, "%s%s", under, entry->d_name);
        if (!path || !name.p)
            err = arena_error();
        else if (!(err = file_info(path, true, &info)) && info.type == FILE_REGULAR)
            out->list[out->n++] = (HubEntry){name, info.size};
        else if (!err && info.type == FILE_DIR && !under[0])
            err = snapshot_read(p, path, arena_printf(p->a, "%.*s/", STR_FMT(name)).p, out);
    }
    (void)closedir(d);
    return err;
}

static Err offline_missing(const HubPull *p) {
    return err_fix(err_set(ERR_NO_MODEL,
                           "'%.*s' at '%.*s' is not in the cache '%s', and this is offline (HF_HUB_OFFLINE)",
                           STR_FMT(p->ref->repo), STR_FMT(p->ref->revision), p->o->cache),
                   "HF_HUB_OFFLINE=0 pythia model pull %.*s", STR_FMT(p->ref->repo));
}

/* The commit that the revision meant when it was last asked for. */
static Err offline_commit(HubPull *p) {
    FileInfo info;
    Str commit = p->ref->revision;
    if (!hub_is_hex(commit, 40)) {
        const char *path = arena_printf(p->a, "%s/refs/%.*s", p->repo_dir, STR_FMT(commit)).p;
        if (!path) return arena_error();
        TRY(file_info(path, true, &info));
        if (info.type != FILE_REGULAR) return offline_missing(p);
        TRY(file_read(p->a, path, 128, &commit));
        commit = str_trim(commit);
        if (!hub_is_hex(commit, 40)) return err_set(ERR_CORRUPT, "'%s' holds no commit", path);
    }
    p->commit = arena_cstr(p->a, commit);
    return p->commit ? ERR_OK : arena_error();
}

/* ---- what is wanted ---- */

static bool is_gguf(Str path) { return str_ends(path, STR(".gguf")); }

/* "x-00001-of-00003.gguf" */
static bool is_part(Str path) {
    ptrdiff_t of = str_find(path, STR("-of-"));
    return of >= 5 && path.n - (size_t)of == 4 + 5 + 5;
}

static bool is_weights(Str path) { return str_is(path, "model.safetensors"); }
static bool is_index(Str path) { return str_is(path, "model.safetensors.index.json"); }

/* "model-00001-of-00003.safetensors" */
static bool is_weights_part(Str path) {
    return str_starts(path, STR("model-")) && str_ends(path, STR(".safetensors")) && str_find_char(path, '/') < 0;
}

/* What model_import reads: configuration, tokenizer and weights, and those of the numbered modules ("1_Pooling/").
 * whole: the weights are there in one file, so that parts are not wanted. */
static bool is_folder_file(Str path, bool whole) {
    static const char *const names[] = {"config.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "tokenizer.model",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "vocab.txt",
                                        "vocab.json",
                                        "merges.txt",
                                        "sentencepiece.bpe.model",
                                        "modules.json",
                                        "sentence_bert_config.json",
                                        "config_sentence_transformers.json",
                                        "generation_config.json",
                                        "chat_template.jinja"};
    if (is_weights(path) || (!whole && (is_index(path) || is_weights_part(path)))) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(path, names[i])) return true;
    Str dir = path_dir(path), base = path_base(path);
    return dir.n > 2 && dir.p[0] >= '0' && dir.p[0] <= '9' && str_find_char(dir, '_') > 0 &&
           str_find_char(dir, '/') < 0 && (str_is(base, "config.json") || is_weights(base));
}

static Err several_gguf(const HubPull *p, const HubListing *all, size_t n) {
    Buf list = {0};
    size_t shown = 0;
    Str first = {NULL, 0};
    for (size_t i = 0; i < all->n; i++) {
        const HubEntry *e = &all->list[i];
        if (!is_gguf(e->path)) continue;
        if (!first.p) first = e->path;
        if (shown++ == LISTED_MAX) break;
        buf_printf(&list, "%s%.*s", shown > 1 ? ", " : "", STR_FMT(e->path));
        if (e->size >= 0) buf_printf(&list, " (%lld MB)", (long long)((e->size + (1 << 19)) >> 20));
    }
    Err err = err_set(ERR_USAGE, "repository '%.*s' has %zu GGUF files, name one: %s%s", STR_FMT(p->ref->repo), n,
                      list.p ? list.p : "", n > LISTED_MAX ? ", …" : "");
    buf_free(&list);
    return err_fix(err, "pythia model pull %.*s/%.*s", STR_FMT(p->ref->repo), STR_FMT(first));
}

/* The only GGUF, or the folder (file stays ""). Nothing is guessed where there are several. */
static Err choose(HubPull *p, const HubListing *all, Str *file) {
    size_t n_gguf = 0;
    bool config = false, weights = false, parts = false;
    for (size_t i = 0; i < all->n; i++) {
        Str path = all->list[i].path;
        if (is_gguf(path) && n_gguf++ == 0) *file = path;
        config |= str_is(path, "config.json");
        weights |= is_weights(path);
        parts |= is_index(path);
    }
    if (n_gguf == 1) return ERR_OK;
    *file = STR("");
    p->out->folder = true;
    if (config && (weights || parts)) return ERR_OK;
    if (n_gguf) return several_gguf(p, all, n_gguf);
    return err_set(ERR_UNSUPPORTED, "repository '%.*s' has no GGUF file and %s", STR_FMT(p->ref->repo),
                   config ? "no model.safetensors" : "no config.json with model.safetensors");
}

static Err pull_gguf(HubPull *p, Str file) {
    char real[4096];
    if (is_part(file))
        return err_set(ERR_UNSUPPORTED, "'%.*s' is one part of a model; parts are not read", STR_FMT(file));
    if (!is_gguf(file)) return err_set(ERR_USAGE, "'%.*s' is no GGUF file", STR_FMT(file));
    TRY(hub_file_get(p, file, &p->out->path));
    if (!realpath(p->out->path, real)) return err_set(ERR_IO, "the link '%s' leads nowhere", p->out->path);
    Str blob = path_base(str_of(real));
    p->out->has_sha256 = blob.n == 64 && hex_read(blob, p->out->sha256.bytes, 32);
    return ERR_OK;
}

/* Weights last: what is wrong shows in the small files. */
static Err pull_folder(HubPull *p, const HubListing *all) {
    size_t n = 0;
    bool whole = false;
    for (size_t i = 0; i < all->n; i++) whole |= is_weights(all->list[i].path);
    for (size_t i = 0; i < all->n; i++)
        if (is_folder_file(all->list[i].path, whole)) {
            n++;
            if (all->list[i].size > 0) p->total += all->list[i].size;
        }
    if (n > FOLDER_MAX)
        return err_set(ERR_LIMIT, "repository '%.*s' has %zu files of a model, more than %d", STR_FMT(p->ref->repo), n,
                       FOLDER_MAX);
    for (int weights = 0; weights < 2; weights++)
        for (size_t i = 0; i < all->n; i++) {
            const char *path = NULL;
            Str file = all->list[i].path;
            bool heavy = is_weights(path_base(file)) || is_weights_part(file);
            if (is_folder_file(file, whole) && heavy == (weights != 0)) TRY(hub_file_get(p, file, &path));
        }
    p->out->path = arena_printf(p->a, "%s/snapshots/%s", p->repo_dir, p->commit).p;
    return p->out->path ? ERR_OK : arena_error();
}

/* Only what lies there; nothing is asked. */
static Err pull_offline(HubPull *p) {
    HubListing all = {0};
    Str file = p->ref->file;
    FileInfo info;
    TRY(offline_commit(p));
    if (!file.n) {
        const char *dir = arena_printf(p->a, "%s/snapshots/%s", p->repo_dir, p->commit).p;
        all.list = arena_array(p->a, HubEntry, FILES_MAX);
        if (!dir || !all.list) return arena_error();
        TRY(snapshot_read(p, dir, "", &all));
        if (all.n == 0) return offline_missing(p);
        TRY(choose(p, &all, &file));
        if (!file.n) {
            p->out->path = dir;
            return ERR_OK;
        }
    }
    const char *path = NULL;
    TRY(hub_snapshot_path(p, file, &path));
    TRY(file_info(path, true, &info));
    return info.type == FILE_REGULAR ? pull_gguf(p, file) : offline_missing(p);
}

static Err pull_online(HubPull *p) {
    HubListing all = {0};
    Str file = p->ref->file;
    TRY(http_open(&p->http));
    if (hub_is_hex(p->ref->revision, 40)) p->commit = arena_cstr(p->a, p->ref->revision);
    if (!file.n) {
        TRY(listing_ask(p, &all));
        TRY(choose(p, &all, &file));
    }
    for (size_t i = 0; file.n && i < all.n; i++)
        if (str_eq(all.list[i].path, file) && all.list[i].size > 0) p->total = all.list[i].size;
    TRY(file.n ? pull_gguf(p, file) : pull_folder(p, &all));
    return ref_write(p);
}

Err hub_pull(Arena *a, const HubOpts *o, const HubRef *ref, HubPulled *out) {
    HubPull p = {.o = o, .ref = ref, .a = a, .out = out};
    *out = (HubPulled){0};
    TRY(places_set(&p));
    Err err = o->offline ? pull_offline(&p) : pull_online(&p);
    http_close(p.http);
    out->commit = p.commit;
    return err;
}
