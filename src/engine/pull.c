/* pull.c - a model from a hub: settings out of the environment, the pull, and its place among the models.
 *
 * The environment means what it means to the hub's own programs, so that one cache and one token serve all of them.
 * Only where nothing says where the cache is, and PYTHIA_HOME keeps everything in one folder, is it there.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/engine.h"
#include "model/hub.h"

static const char *const ENDPOINT = "https://huggingface.co";
static const int64_t TELL_NS = 100000000; /* progress at most 10 a second */
enum { TOKEN_FILE_MAX = 4096 };

/* ---- the environment ---- */

static const char *env_any(const Pythia *p, const char *first, const char *second) {
    const char *v = engine_env(p, first);
    return v ? v : engine_env(p, second);
}

/* $HF_HOME, or where it is when unset; NULL when there is no home at all. */
static const char *hub_home(const Pythia *p, Arena *a) {
    const char *home = engine_env(p, "HF_HOME"), *cache = engine_env(p, "XDG_CACHE_HOME");
    const char *user = engine_env(p, "HOME");
    if (home) return home[0] == '~' && home[1] == '/' && user ? path_join(a, user, home + 2) : path_absolute(a, home);
    if (cache) return path_join(a, cache, "huggingface");
    return user ? path_join(a, user, ".cache/huggingface") : NULL;
}

static const char *hub_cache(const Pythia *p, Arena *a) {
    const char *cache = env_any(p, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE");
    if (cache) return path_absolute(a, cache);
    if (!engine_env(p, "HF_HOME") && engine_env(p, "PYTHIA_HOME")) return path_join(a, p->opts.home, "hub");
    const char *home = hub_home(p, a);
    return home ? path_join(a, home, "hub") : path_join(a, p->opts.home, "hub");
}

/* HF_TOKEN, else the file that `hf auth login` writes. */
static Err hub_token(const Pythia *p, Arena *a, const char **out) {
    const char *token = env_any(p, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), *path = engine_env(p, "HF_TOKEN_PATH");
    FileInfo info;
    Str text;
    *out = NULL;
    if (!token) {
        const char *home = hub_home(p, a);
        if (!path && home) path = path_join(a, home, "token");
        if (!path) return ERR_OK;
        TRY(file_info(path, true, &info));
        if (info.type != FILE_REGULAR) return ERR_OK;
        TRY(file_read(a, path, TOKEN_FILE_MAX, &text));
    } else
        text = str_of(token);
    text = str_trim(text);
    if (!text.n) return ERR_OK;
    *out = arena_cstr(a, text);
    return *out ? ERR_OK : arena_error();
}

static bool env_is_on(const Pythia *p, const char *name) {
    static const char *const on[] = {"1", "on", "yes", "true"};
    Str v = str_of(engine_env(p, name));
    for (size_t i = 0; i < sizeof on / sizeof *on; i++)
        if (str_eq_nocase(v, str_of(on[i]))) return true;
    return false;
}

/* ---- progress ---- */

typedef struct {
    const PullRequest *rq;
    int64_t start_ns, told_ns;
    bool waited;
} PullProgress;

static void pull_tell(void *ctx, const HubProgress *now) {
    PullProgress *t = ctx;
    int64_t now_ns = clock_mono_ns();
    if (now->waiting && !t->waited) LOG(LOG_WARN, "model", "another process downloads it; waiting file=%s", now->file);
    t->waited |= now->waiting;
    if (!t->rq->progress || now_ns - t->told_ns < TELL_NS) return;
    t->told_ns = now_ns;
    IndexProgress out = {.stage = now->waiting ? "wait" : "download",
                         .done = now->done,
                         .total = now->total,
                         .bytes = now->done,
                         .seconds = (double)(now_ns - t->start_ns) * 1e-9};
    t->rq->progress(t->rq->progress_ctx, &out);
}

/* ---- among the models ---- */

/* What a file may be called, made of what it is called. */
static Err name_make(Arena *a, const PullRequest *rq, const HubRef *ref, const HubPulled *pulled, Str *out) {
    Str name = rq->name;
    if (!name.n && pulled->folder) name = path_base(ref->repo);
    if (!name.n) {
        name = path_base(str_of(pulled->path));
        name = str_upto(name, name.n - strlen(".gguf"));
        char *plain = arena_array(a, char, name.n + 1);
        if (!plain) return arena_error();
        for (size_t i = 0; i < name.n; i++) {
            char c = name.p[i];
            bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                        c == '-' || (c == '.' && i > 0);
            plain[i] = fine ? c : '_';
        }
        name.p = plain;
    }
    *out = name;
    return engine_model_name_check(name);
}

/* A link of ours may be led elsewhere; a file of somebody's is not replaced. */
static Err name_is_free(Arena *a, const char *dir, Str name, bool folder, const char **path) {
    FileInfo info;
    *path = arena_printf(a, "%s/%.*s.gguf", dir, STR_FMT(name)).p;
    if (!*path) return arena_error();
    TRY(file_info(*path, false, &info));
    if (info.type == FILE_NONE || info.type == FILE_LINK || folder) return ERR_OK;
    return err_fix(
        err_set(ERR_USAGE, "there is a model '%.*s' already, which is no link into the hub's cache", STR_FMT(name)),
        "pythia model pull … --name OTHER");
}

static Err link_gguf(Arena *a, const HubPulled *pulled, const char *path) {
    const char *beside = arena_printf(a, "%s.link.%ld", path, (long)getpid()).p;
    const char *to = path_absolute(a, pulled->path);
    if (!beside || !to) return arena_error();
    TRY(file_remove(beside));
    if (symlink(to, beside) != 0) return err_set(ERR_IO, "cannot make the link '%s'", path);
    Err err = file_rename(beside, path);
    if (err) (void)unlink(beside);
    TRY(err);
    return pulled->has_sha256 ? model_file_id_keep(path, &pulled->sha256) : ERR_OK;
}

static Err entry_find(Pythia *p, Arena *a, Str name, PythiaModel *out) {
    PythiaModel *all = NULL;
    size_t n = 0;
    TRY(pythia_models(p, a, &all, &n));
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i].name, name)) {
            *out = all[i];
            return ERR_OK;
        }
    return err_set(ERR_INTERNAL, "model '%.*s' is not where it was put", STR_FMT(name));
}

static Err place(Pythia *p, Arena *a, const PullRequest *rq, const HubRef *ref, const HubPulled *pulled,
                 PullReport *out) {
    const char *dir = engine_models_dir(p, a), *path = NULL;
    Str name;
    if (!dir) return arena_error();
    TRY(name_make(a, rq, ref, pulled, &name));
    TRY(file_make_dirs(dir, 0755));
    TRY(name_is_free(a, dir, name, pulled->folder, &path));
    if (pulled->folder) return pythia_model_import(p, a, str_of(pulled->path), name, &out->model);
    TRY(link_gguf(a, pulled, path));
    TRY(entry_find(p, a, name, &out->model));
    if (!out->model.problem.n) return ERR_OK;
    return err_set(ERR_CORRUPT, "'%.*s' was pulled, but cannot be read: %.*s", STR_FMT(name),
                   STR_FMT(out->model.problem));
}

Err pythia_model_pull(Pythia *p, Arena *a, const PullRequest *rq, PullReport *out) {
    const Config *c = p->opts.config;
    HubRef ref;
    HubPulled pulled;
    *out = (PullReport){0};
    if (rq->name.n) TRY(engine_model_name_check(rq->name));
    TRY(hub_ref_parse(a, rq->what, &ref));
    Deadline stop = engine_deadline(p, 0);
    PullProgress tell = {.rq = rq, .start_ns = clock_mono_ns()};
    HubOpts o = {.endpoint = engine_env(p, "HF_ENDPOINT"),
                 .cache = hub_cache(p, a),
                 .offline = env_is_on(p, "HF_HUB_OFFLINE"),
                 .connect_ms = config_int(c, CONF_NETWORK_CONNECT),
                 .stall_ms = config_int(c, CONF_NETWORK_STALL),
                 .attempts = engine_attempts(p),
                 .seed = (uint64_t)clock_mono_ns(), /* so that machines cut off together do not come back together */
                 .deadline = &stop,
                 .progress = pull_tell,
                 .progress_ctx = &tell};
    if (!o.endpoint) o.endpoint = ENDPOINT;
    if (!o.cache) return arena_error();
    TRY(hub_token(p, a, &o.token));
    TRY(hub_pull(a, &o, &ref, &pulled));
    out->folder = pulled.folder;
    out->fetched = pulled.fetched;
    out->resumed = pulled.resumed;
    out->commit = str_of(pulled.commit);
    out->source = arena_str(a, str_of(pulled.path));
    if (!out->source.p) return arena_error();
    return place(p, a, rq, &ref, &pulled, out);
}
