/* http_upload.c - the body of an upload on its way to disk: multipart/form-data (RFC 7578), which the library takes
 * apart, or a file as it is. Nothing of it is held in memory; each file is hashed as it comes (base/spool.h). What goes
 * wrong is kept until the body has been read, so that the client hears it.
 */
#include <stdlib.h>

#include "base/file.h"
#include "serve/http_impl.h"

enum { PARSER_BYTES = 32 << 10, VALUE_BYTES_MAX = 8 << 10 };

struct HttpUpload {
    Request *r;
    struct MHD_PostProcessor *parser; /* NULL: the body is one file */
    Spool *open;                      /* of the last of r->call.files: bytes go there; NULL: into value */
    Buf key, value;                   /* a part that is no file */
    bool in_value;
    ErrInfo failed; /* code 0: nothing yet */
};

/* This body is streamed, and not read as JSON. */
static const Op *upload_op(const Request *r) {
    const Str target = str_of(r->target);
    const ptrdiff_t mark = str_find_char(target, '?');
    const Str path = mark < 0 ? target : str_upto(target, (size_t)mark);
    for (const Op *op = ops; op->name; op++)
        if (op->flags & OP_FILES && str_is(path, op->path) && strcmp(r->method, op->method) == 0) return op;
    return NULL;
}

static bool is_multipart(const Request *r) {
    return str_eq_nocase(str_upto(request_header(r, "Content-Type"), 20), STR("multipart/form-data;"));
}

static void fail(HttpUpload *u, Err err) {
    if (!u->failed.code) err_save(&u->failed, err);
}

/* ---- parts ---- */

static Err file_open(HttpUpload *u, Str name) {
    Call *c = &u->r->call;
    Arena a = {0};
    if (c->n_files == CALL_FILES_MAX) return err_set(ERR_LIMIT, "more than %d files in one upload", CALL_FILES_MAX);
    if (!c->files) c->files = calloc(CALL_FILES_MAX, sizeof *c->files);
    const char *dir = path_join(&a, desk_opts(u->r->door->opts.desk)->home, "tmp");
    if (!c->files || !dir) {
        arena_free(&a);
        return err_set(ERR_NOMEM, "out of memory for an upload");
    }
    CallFile *f = &c->files[c->n_files++];
    buf_add(&f->name, name);
    Err err = spool_open(&f->spool, dir, (int64_t)u->r->body_max);
    arena_free(&a);
    TRY(err);
    u->open = f->spool;
    return buf_ok(&f->name);
}

static Err value_close(HttpUpload *u) {
    if (!u->in_value) return ERR_OK;
    u->in_value = false;
    TRY(buf_ok(&u->value));
    return fields_set(upload_op(u->r)->fields, u->r->call.params, buf_str(&u->key), buf_str(&u->value));
}

static Err value_open(HttpUpload *u, Str key) {
    u->open = NULL;
    u->in_value = true;
    buf_clear(&u->key);
    buf_clear(&u->value);
    buf_add(&u->key, key);
    return buf_ok(&u->key);
}

/* The library may tell of a part before its first byte, and then again with it. */
static bool is_begun(const HttpUpload *u, Str key, Str name, bool is_file) {
    const Call *c = &u->r->call;
    if (!is_file) return u->in_value && u->value.n == 0 && str_eq(buf_str(&u->key), key);
    return u->open && spool_size(u->open) == 0 && str_eq(buf_str(&c->files[c->n_files - 1].name), name);
}

static Err part_take(HttpUpload *u, Str key, const char *filename, Str data, bool first) {
    if (first && !is_begun(u, key, str_of(filename), filename != NULL)) {
        TRY(value_close(u));
        TRY(filename ? file_open(u, str_of(filename)) : value_open(u, key));
    }
    if (u->open) return spool_add(u->open, data);
    if (u->value.n + data.n > VALUE_BYTES_MAX)
        return err_set(ERR_LIMIT, "'%.*s' has more than %d bytes", STR_FMT(str_upto(key, 100)), VALUE_BYTES_MAX);
    buf_add(&u->value, data);
    return ERR_OK;
}

static enum MHD_Result on_part(void *ctx, enum MHD_ValueKind kind, const char *key, const char *filename,
                               const char *type, const char *encoding, const char *data, uint64_t at, size_t n) {
    HttpUpload *u = ctx;
    (void)kind, (void)type, (void)encoding;
    if (u->failed.code) return MHD_YES; /* the rest is read and dropped */
    const Err err = part_take(u, str_of(key ? key : ""), filename, str_make(data ? data : "", n), at == 0);
    if (err) fail(u, err);
    return MHD_YES;
}

/* ---- the body ---- */

bool upload_begin(Request *r) {
    const Op *op = upload_op(r);
    if (!op || request_is_json(r)) return true;
    if (!request_may(r, op->role)) return false; /* before a byte of it is kept */
    HttpUpload *u = calloc(1, sizeof *u);
    r->call.params = json_object();
    r->upload = u;
    if (!u || !r->call.params) {
        call_fail(&r->call, err_set(ERR_NOMEM, "out of memory for an upload"));
        return false;
    }
    u->r = r;
    if (!is_multipart(r)) {
        const Err err = file_open(u, STR(""));
        if (err) call_fail(&r->call, err);
        return !err;
    }
    u->parser = r->door->mhd->create_post_processor(r->connection, PARSER_BYTES, on_part, u);
    if (u->parser) return true;
    request_refuse(r, 400, "bad_request", "the multipart body has no boundary", NULL);
    return false;
}

void upload_add(Request *r, const char *data, size_t n) {
    HttpUpload *u = r->upload;
    r->bytes_in += n;
    r->too_large |= r->bytes_in > r->body_max;
    if (r->too_large || u->failed.code) return;
    if (u->parser) {
        if (r->door->mhd->post_process(u->parser, data, n) != MHD_YES)
            fail(u, err_set(ERR_USAGE, "the multipart body is not well-formed"));
        return;
    }
    const Err err = spool_add(u->open, str_make(data, n));
    if (err) fail(u, err);
}

/* A form's file field that nothing was chosen for. */
static void drop_empty(Call *c) {
    size_t kept = 0;
    for (size_t i = 0; i < c->n_files; i++) {
        CallFile f = c->files[i];
        if (f.name.n == 0 && spool_size(f.spool) == 0) {
            spool_close(f.spool);
            buf_free(&f.name);
        } else
            c->files[kept++] = f;
    }
    c->n_files = kept;
}

static Err settle(HttpUpload *u) {
    Call *c = &u->r->call;
    bool whole = true;
    if (u->parser) whole = u->r->door->mhd->destroy_post_processor(u->parser) == MHD_YES;
    u->parser = NULL;
    if (u->failed.code) return err_restore(&u->failed);
    if (!whole) return err_set(ERR_USAGE, "the multipart body is not well-formed");
    TRY(value_close(u));
    drop_empty(c);
    for (size_t i = 0; i < c->n_files; i++) TRY(spool_end(c->files[i].spool));
    return ERR_OK;
}

bool upload_end(Request *r) {
    if (r->too_large) return request_too_large(r);
    const Err err = settle(r->upload);
    if (err) call_fail(&r->call, err);
    return !err;
}

void upload_free(Request *r) {
    HttpUpload *u = r->upload;
    if (!u) return;
    if (u->parser) (void)r->door->mhd->destroy_post_processor(u->parser);
    buf_free(&u->key);
    buf_free(&u->value);
    free(u);
    r->upload = NULL;
}
