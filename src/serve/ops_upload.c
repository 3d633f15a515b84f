/* ops_upload.c - files that come with a call, into a managed collection. */
#include "base/base64.h"
#include "base/file.h"
#include "serve/desk.h"
#include "serve/reply.h"

/* Where no file came beside the request: the one in it. */
static Err content_take(Call *c) {
    const DeskOpts *o = desk_opts(c->desk);
    const Str content = field_str(c->params, "content", NULL);
    if (!content.p && c->n_files) return ERR_OK;
    if (!content.p || c->n_files)
        return err_set(ERR_USAGE,
                       "give files as multipart/form-data, or one file as the body and ?name=, or 'name' and "
                       "'content' in base64");
    Buf bytes = {0};
    const char *dir = path_join(c->arena, o->home, "tmp");
    Err err = dir ? ERR_OK : arena_error();
    if (!err && !base64_decode(content, BASE64_STRICT, &bytes)) err = err_set(ERR_USAGE, "'content' is no base64");
    if (!err) err = buf_ok(&bytes);
    c->files = calloc(1, sizeof *c->files);
    c->n_files = c->files ? 1 : 0;
    if (!err && !c->files) err = err_set(ERR_NOMEM, "out of memory for an upload");
    if (!err) err = spool_open(&c->files[0].spool, dir, INT64_MAX);
    if (!err) err = spool_add(c->files[0].spool, buf_str(&bytes));
    if (!err) err = spool_end(c->files[0].spool);
    buf_free(&bytes);
    return err;
}

static Err files_list(Call *c, UploadFile **out) {
    const Str name = field_str(c->params, "name", ""), title = field_str(c->params, "title", "");
    UploadFile *files = arena_array(c->arena, UploadFile, c->n_files);
    if (!files) return arena_error();
    if (c->n_files > 1 && (name.n || title.n))
        return err_set(ERR_USAGE, "'name' and 'title' are of one file; %zu came", c->n_files);
    for (size_t i = 0; i < c->n_files; i++) {
        const CallFile *f = &c->files[i];
        files[i] = (UploadFile){.fd = spool_fd(f->spool),
                                .name = name.n ? name : buf_str(&f->name),
                                .title = title,
                                .sha256 = spool_sha256(f->spool)};
        if (!files[i].name.n) return err_set(ERR_USAGE, "a file needs a 'name', which tells its format");
    }
    *out = files;
    return ERR_OK;
}

Err op_upload(Call *c, JsonOut *j) {
    UploadFile *files = NULL;
    UploadReport report;
    const Str collection = field_str(c->params, "collection", "documents");
    TRY(content_take(c));
    TRY(files_list(c, &files));
    const UploadRequest rq = {
        .collection = collection, .files = files, .n = c->n_files, .replace = field_bool(c->params, "replace", false)};
    const Err err = pythia_upload(c->engine, c->arena, &rq, &report);
    if (err && err != ERR_PARTIAL) return err;
    reply_upload_members(j, collection, &report);
    return ERR_OK;
}
