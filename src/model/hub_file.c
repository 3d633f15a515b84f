/* hub_file.c - one file: what the hub says of it, the download, the checks, its place in the cache. See hub.h.
 *
 * Resuming is safe because of the last step, not the first: a server may have changed its mind about the bytes, so what
 * was resumed is hashed whole, and when it is wrong it is thrown away and fetched once more from the beginning.
 */
#include "model/hub_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum { ATTEMPTS_DEFAULT = 5, ATTEMPTS_ALL = 200, REDIRECTS = 5, LOCK_STEP_MS = 100, SMALL_MAX = 32 << 20 };
/* So much must come for a cut download to count as getting on. */
static const int64_t PROGRESS_MIN = 64 << 10;
static const int64_t FILE_MAX_BYTES = (int64_t)1 << 40;

bool hub_is_hex(Str s, size_t n) {
    uint8_t bytes[32];
    return s.n == n && n % 2 == 0 && n / 2 <= sizeof bytes && hex_read(s, bytes, n / 2);
}

/* ---- what the hub says of a file ---- */

typedef struct {
    const char *etag;     /* without quotes: the blob's name */
    int64_t size;         /* -1: not told */
    const char *if_range; /* the ETag as sent, where it is that of the bytes; NULL: they come from elsewhere */
} HubMeta;

HttpRetry hub_retry(const HubPull *p) {
    const HubOpts *o = p->o;
    return (HttpRetry){.attempts_max = o->attempts ? o->attempts : ATTEMPTS_DEFAULT,
                       .base_ms = o->pause_ms ? o->pause_ms : 500,
                       .max_ms = o->pause_max_ms ? o->pause_max_ms : 60000,
                       .seed = o->seed};
}

HttpRequest hub_request(const HubPull *p, const char *method, const char *url) {
    static const HttpHeader plain = {"Accept-Encoding",
                                     "identity"}; /* lengths and hashes are of the bytes themselves */
    return (HttpRequest){.method = method,
                         .url = url,
                         .bearer = p->o->token,
                         .headers = &plain,
                         .n_headers = 1,
                         .connect_ms = p->o->connect_ms,
                         .stall_ms = p->o->stall_ms,
                         .max_redirects = REDIRECTS,
                         .deadline = p->o->deadline};
}

Err hub_refusal(const HubPull *p, const HttpReply *reply, Str file) {
    Str code = http_header(reply, "X-Error-Code"), repo = p->ref->repo;
    const char *asked = p->o->token ? "" : " (without a token a private one looks the same)";
    if (str_is(code, "RepoNotFound") || (reply->status == 404 && !code.p && !file.n))
        return err_set(ERR_NO_MODEL, "there is no repository '%.*s' at '%s'%s", STR_FMT(repo), p->o->endpoint, asked);
    if (str_is(code, "RevisionNotFound"))
        return err_set(ERR_NO_MODEL, "repository '%.*s' has no revision '%.*s'", STR_FMT(repo),
                       STR_FMT(p->ref->revision));
    if (str_is(code, "EntryNotFound") || (reply->status == 404 && !code.p))
        return err_fix(err_set(ERR_NO_MODEL, "there is no file '%.*s' in repository '%.*s' at '%.*s'", STR_FMT(file),
                               STR_FMT(repo), STR_FMT(p->ref->revision)),
                       "pythia model pull %.*s", STR_FMT(repo));
    Err err = http_status_error(reply, p->o->token);
    if (reply->status != 401 && reply->status != 403) return err;
    if (p->o->token && str_is(code, "GatedRepo"))
        return err_fix(err, "accept its terms at %s/%.*s", p->o->endpoint, STR_FMT(repo));
    return err_fix(err, "HF_TOKEN=… pythia model pull %.*s", STR_FMT(repo));
}

/* A name that is one part of a path and cannot lead anywhere else. */
static bool etag_is_name(Str s) {
    if (s.n == 0 || s.n > 128 || s.p[0] == '.') return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
              c == '.'))
            return false;
    }
    return true;
}

static Str etag_bare(Str s) {
    if (str_starts(s, STR("W/"))) s = str_from(s, 2);
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') s = str_make(s.p + 1, s.n - 2);
    return s;
}

static Err no_hub(const HttpReply *r, const char *what) {
    char shown[320];
    http_url_shown(r->url, shown);
    return err_fix(err_set(ERR_NETWORK, "'%s' does not answer as a model hub: %s", shown, what), "check HF_ENDPOINT");
}

static Err meta_read(HubPull *p, const HttpReply *r, HubMeta *out) {
    Str commit = http_header(r, "X-Repo-Commit"), linked = http_header(r, "X-Linked-Etag"), etag = linked, size;
    if (!etag.p) etag = http_header(r, "ETag");
    if (!hub_is_hex(commit, 40)) return no_hub(r, "it names no commit (X-Repo-Commit)");
    if (p->commit && !str_is(commit, p->commit)) return no_hub(r, "it names another commit than the one asked for");
    etag = etag_bare(etag);
    if (!etag_is_name(etag)) return no_hub(r, "it gives no usable ETag");
    p->commit = arena_cstr(p->a, commit);
    out->etag = arena_cstr(p->a, etag);
    if (!p->commit || !out->etag) return arena_error();
    out->size = r->status < 300 ? r->length : -1; /* of a redirect it is that of its own text */
    size = http_header(r, "X-Linked-Size");
    if (size.p && (!str_to_i64(size, &out->size) || out->size < 0)) return no_hub(r, "X-Linked-Size is no number");
    if (out->size > FILE_MAX_BYTES) return no_hub(r, "the file would have more than a terabyte");
    if (!linked.p && r->status < 300) out->if_range = arena_cstr(p->a, http_header(r, "ETag"));
    return ERR_OK;
}

/* The hub answers for a large file with a redirect to where its bytes are; what it says of them stands in that
 * redirect, and not at its end. Only a mirror's redirect that says nothing is followed. */
static Err meta_ask(HubPull *p, Str file, HubMeta *out) {
    const char *url = NULL;
    HttpReply r;
    Str revision = p->commit ? str_of(p->commit) : p->ref->revision;
    TRY(hub_url(p, "/", "/resolve/", revision, file, &url));
    HttpRequest rq = hub_request(p, "HEAD", url);
    HttpRetry retry = hub_retry(p);
    rq.redirect_at_home = true;
    TRY(http_send_retry(p->http, p->a, &rq, &retry, &r));
    if (r.status >= 300 && r.status < 400 && !http_header(&r, "X-Repo-Commit").p) {
        rq.redirect_at_home = false;
        TRY(http_send_retry(p->http, p->a, &rq, &retry, &r));
    }
    if (r.status >= 400) return hub_refusal(p, &r, file);
    return meta_read(p, &r, out);
}

/* ---- the download ---- */

typedef struct {
    HubPull *p;
    Str file;
    const HubMeta *meta;
    FileAppend part; /* <blob>.incomplete; part.size is what is there */
    Sha256Stream *hash;
    bool resumed; /* some of it came in an earlier attempt or process */
} Fetch;

static void progress_tell(const HubPull *p, Str file, int64_t here, bool waiting) {
    if (!p->o->progress) return;
    char name[256];
    (void)snprintf(name, sizeof name, "%.*s", STR_FMT(file));
    HubProgress now = {.file = name, .done = p->done + here, .total = p->total, .waiting = waiting};
    p->o->progress(p->o->progress_ctx, &now);
}

static Err hash_again(Fetch *f) {
    FileMap map;
    sha256_abort(f->hash);
    TRY(sha256_begin(&f->hash));
    if (f->part.size == 0) return ERR_OK;
    TRY(file_map(f->part.path, &map)); /* ours by the lock: nobody cuts it */
    sha256_add(f->hash, map.bytes);
    file_unmap(&map);
    return ERR_OK;
}

static Err fetch_restart(Fetch *f) {
    TRY(file_append_truncate(&f->part, 0));
    f->resumed = false;
    return hash_again(f);
}

static Err wrong_length(const Fetch *f, int64_t got) {
    return err_set(ERR_CORRUPT, "'%.*s' would have %lld bytes, the hub says %lld", STR_FMT(f->file), (long long)got,
                   (long long)f->meta->size);
}

/* "bytes 10-99/100": from must be where we are, and the whole what was promised. */
static Err range_check(const Fetch *f, Str range) {
    Str from, to, unit;
    int64_t first = -1, last = -1, whole = -1;
    bool good = str_cut(&range, ' ', &unit) && str_is(unit, "bytes") && str_cut(&range, '-', &from) &&
                str_cut(&range, '/', &to) && str_to_i64(from, &first) && str_to_i64(to, &last) &&
                (str_is(range, "*") || str_to_i64(range, &whole));
    if (!good || first != f->part.size || last < first)
        return err_set(ERR_NETWORK, "the server of '%.*s' sends another part than the one asked for", STR_FMT(f->file));
    if (whole >= 0 && f->meta->size >= 0 && whole != f->meta->size) return wrong_length(f, whole);
    return ERR_OK;
}

static Err fetch_head(void *ctx, const HttpReply *r) {
    Fetch *f = ctx;
    Str type = http_header(r, "Content-Type");
    if (str_starts(type, STR("text/html")) && !str_ends(f->file, STR(".html")))
        return no_hub(r, "a web page came instead of the file (a login or a proxy?)");
    if (r->status == 206)
        TRY(range_check(f, http_header(r, "Content-Range")));
    else if (f->part.size)
        TRY(fetch_restart(f)); /* the server cannot resume, or the file is another one now */
    if (r->length >= 0 && f->meta->size >= 0 && r->length != f->meta->size - f->part.size)
        return wrong_length(f, r->length + f->part.size);
    return ERR_OK;
}

static Err fetch_bytes(void *ctx, Str bytes) {
    Fetch *f = ctx;
    int64_t most = f->meta->size >= 0 ? f->meta->size : FILE_MAX_BYTES;
    if ((int64_t)bytes.n > most - f->part.size) return wrong_length(f, f->part.size + (int64_t)bytes.n);
    TRY(file_append(&f->part, bytes.p, bytes.n));
    sha256_add(f->hash, bytes);
    f->p->out->fetched += (int64_t)bytes.n;
    progress_tell(f->p, f->file, f->part.size, false);
    return ERR_OK;
}

/* One attempt, from where the file ends. */
static Err fetch_once(Fetch *f, const char *url, HttpReply *r) {
    char range[64];
    (void)snprintf(range, sizeof range, "bytes=%lld-", (long long)f->part.size);
    HttpHeader headers[3] = {{"Accept-Encoding", "identity"}, {"Range", range}, {"If-Range", f->meta->if_range}};
    HttpRequest rq = hub_request(f->p, "GET", url);
    rq.headers = headers;
    rq.n_headers = f->part.size == 0 ? 1 : f->meta->if_range ? 3 : 2;
    rq.max_bytes = (uint64_t)FILE_MAX_BYTES;
    rq.head = fetch_head;
    rq.sink = fetch_bytes;
    rq.ctx = f;
    TRY(http_send(f->p->http, f->p->a, &rq, r));
    if (r->status == 416) { /* our part is longer than the file: not a part of it */
        r->transient = true;
        TRY(fetch_restart(f));
        return err_set(ERR_NETWORK, "the server of '%.*s' cannot resume", STR_FMT(f->file));
    }
    if (r->status >= 300) return hub_refusal(f->p, r, f->file);
    if (f->meta->size < 0 || f->part.size == f->meta->size) return ERR_OK;
    r->transient = true; /* a reply without a length ends where the connection does */
    return err_set(ERR_NETWORK, "'%.*s' was cut at byte %lld of %lld", STR_FMT(f->file), (long long)f->part.size,
                   (long long)f->meta->size);
}

/* Attempts until the file is whole; one that brings something gives the others back. */
static Err fetch_all(Fetch *f) {
    const char *url = NULL;
    HubPull *p = f->p;
    HttpRetry retry = hub_retry(p);
    TRY(hub_url(p, "/", "/resolve/", str_of(p->commit), f->file, &url));
    for (int n = 0; f->part.size != f->meta->size; n++) {
        HttpReply r = {.retry_after_ms = -1};
        ErrInfo told;
        Err waited = ERR_OK;
        int64_t before = f->part.size;
        Err err = fetch_once(f, url, &r);
        if (!err) return ERR_OK;
        err_save(&told, err);
        if (f->part.size - before >= PROGRESS_MIN) retry.attempt = 0;
        if (f->part.size) f->resumed = true;
        if (n == ATTEMPTS_ALL || !http_retry_wait(&retry, &r, p->o->deadline, &waited))
            return waited ? waited : err_restore(&told);
        LOG(LOG_INFO, "model", "pull again file=%.*s at=%lld why=%s", STR_FMT(f->file), (long long)f->part.size,
            told.text);
    }
    return ERR_OK;
}

/* Large files are named by their SHA-256, small ones by git's id of a blob; another hub may name them as it likes. */
static Err fetch_check(Fetch *f) {
    char got[65] = "";
    Str etag = str_of(f->meta->etag);
    if (f->meta->size >= 0 && f->part.size != f->meta->size) return wrong_length(f, f->part.size);
    if (hub_is_hex(etag, 64)) {
        Sha256 sum = sha256_end(f->hash);
        f->hash = NULL;
        hex_write(sum.bytes, sizeof sum.bytes, got);
    } else if (hub_is_hex(etag, 40) && f->part.size <= SMALL_MAX) {
        FileMap map;
        uint8_t id[20];
        TRY(file_map(f->part.path, &map));
        git_blob_id(map.bytes, id);
        file_unmap(&map);
        hex_write(id, sizeof id, got);
    } else {
        LOG(LOG_WARN, "model", "only the length can be checked file=%.*s", STR_FMT(f->file));
        return ERR_OK;
    }
    if (str_eq_nocase(str_of(got), etag)) return ERR_OK;
    return err_fix(
        err_set(ERR_CORRUPT, "'%.*s' came with the hash %s, the hub says %s", STR_FMT(f->file), got, f->meta->etag),
        "pythia model pull %.*s", STR_FMT(f->p->ref->repo));
}

static Err room_check(const Fetch *f) {
    struct statvfs fs;
    int64_t left = f->meta->size - f->part.size;
    if (f->meta->size < 0 || statvfs(f->p->repo_dir, &fs) != 0) return ERR_OK;
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (left <= 0 || (uint64_t)left <= room) return ERR_OK;
    return err_fix(err_set(ERR_IO, "'%.*s' needs %lld MB more, '%s' has room for %llu", STR_FMT(f->file),
                           (long long)(left >> 20), f->p->repo_dir, (unsigned long long)(room >> 20)),
                   "df -h '%s'", f->p->repo_dir);
}

/* The caller holds the lock. */
static Err fetch_blob(Fetch *f, const char *part, const char *blob) {
    Err err = ERR_OK;
    if ((err = file_append_open(part, &f->part))) goto done;
    if (f->meta->size >= 0 && f->part.size > f->meta->size && (err = file_append_truncate(&f->part, 0))) goto done;
    f->resumed = f->part.size > 0;
    f->p->out->resumed += f->part.size;
    if ((err = room_check(f)) || (err = hash_again(f))) goto done;
    for (bool again = true; again;) {
        if ((err = fetch_all(f))) goto done;
        again = f->resumed;
        if (!(err = fetch_check(f))) break;
        if (err != ERR_CORRUPT) goto done;
        ErrInfo told;
        err_save(&told, err);
        if ((err = fetch_restart(f))) goto done; /* wrong bytes are never kept */
        err = err_restore(&told);
        LOG(LOG_WARN, "model", "%s%s", told.text, again ? "; once more from the beginning" : "");
    }
    if (err) {
        Err gone = file_remove(part);
        (void)gone;
        goto done;
    }
    if ((err = file_append_sync(&f->part))) goto done;
    err = file_rename(part, blob);
done:
    file_append_close(&f->part);
    sha256_abort(f->hash);
    f->hash = NULL;
    return err;
}

/* ---- places ---- */

static Err lock_wait(HubPull *p, Str file, const char *path, int *fd) {
    for (;;) {
        Err err = file_lock(path, fd);
        if (err != ERR_BUSY) return err;
        TRY(deadline_check(p->o->deadline));
        progress_tell(p, file, 0, true);
        struct timespec pause = {0, LOCK_STEP_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
}

static Err make_dir_of(Arena *a, const char *path) {
    const char *dir = arena_cstr(a, path_dir(str_of(path)));
    return dir ? file_make_dirs(dir, 0755) : arena_error();
}

static Err is_there(const char *path, bool *out) {
    FileInfo info;
    TRY(file_info(path, true, &info));
    *out = info.type == FILE_REGULAR;
    return ERR_OK;
}

/* snapshots/<commit>/a/b -> ../../../blobs/<etag>, made beside and renamed, so that it is never half there. */
static Err link_place(HubPull *p, Str file, const char *etag, const char *path) {
    Buf to = {0};
    buf_add_z(&to, "../../");
    for (size_t i = 0; i < file.n; i++)
        if (file.p[i] == '/') buf_add_z(&to, "../");
    buf_printf(&to, "blobs/%s", etag);
    Err err = buf_ok(&to);
    const char *beside = arena_printf(p->a, "%s.link.%ld", path, (long)getpid()).p;
    if (!err && !beside) err = arena_error();
    if (!err) err = make_dir_of(p->a, path);
    if (!err) err = file_remove(beside);
    if (!err && symlink(to.p, beside) != 0)
        err = err_set(ERR_IO, "cannot make the link '%s': %s", path, strerror(errno));
    if (!err && (err = file_rename(beside, path))) (void)unlink(beside);
    buf_free(&to);
    return err;
}

Err hub_snapshot_path(const HubPull *p, Str file, const char **out) {
    *out = arena_printf(p->a, "%s/snapshots/%s/%.*s", p->repo_dir, p->commit, STR_FMT(file)).p;
    return *out ? ERR_OK : arena_error();
}

static Err blob_get(HubPull *p, Str file, const HubMeta *meta) {
    Arena *a = p->a;
    bool there = false;
    int lock = -1;
    const char *blob = arena_printf(a, "%s/blobs/%s", p->repo_dir, meta->etag).p;
    const char *part = arena_printf(a, "%s/blobs/%s.incomplete", p->repo_dir, meta->etag).p;
    const char *lock_path = arena_printf(a, "%s/%s.lock", p->lock_dir, meta->etag).p;
    if (!blob || !part || !lock_path) return arena_error();
    TRY(is_there(blob, &there));
    if (there) return ERR_OK;
    TRY(make_dir_of(a, blob));
    TRY(make_dir_of(a, lock_path));
    TRY(lock_wait(p, file, lock_path, &lock));
    Fetch f = {.p = p, .file = file, .meta = meta, .part = {.fd = -1}};
    Err err = is_there(blob, &there); /* while we waited */
    if (!err && !there) err = fetch_blob(&f, part, blob);
    file_unlock(&lock);
    return err;
}

Err hub_file_get(HubPull *p, Str file, const char **path) {
    bool there = false;
    HubMeta meta = {0};
    FileInfo info;
    if (p->commit) { /* a commit's files do not change */
        TRY(hub_snapshot_path(p, file, path));
        TRY(is_there(*path, &there));
    }
    if (!there) {
        TRY(meta_ask(p, file, &meta));
        TRY(hub_snapshot_path(p, file, path));
        if (!p->total && meta.size > 0) p->total = meta.size;
        TRY(blob_get(p, file, &meta));
        TRY(link_place(p, file, meta.etag, *path));
    }
    TRY(file_info(*path, true, &info));
    p->done += info.size;
    progress_tell(p, file, 0, false);
    return ERR_OK;
}
