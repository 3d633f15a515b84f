/* cmd_add.c - `pythia add FILE… | -` puts files into a managed collection, `pythia rm` takes documents out of one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/spool.h"
#include "cli/progress.h"

/* A file on its way in. What is no regular file (a pipe) is spooled first. */
typedef struct {
    int fd; /* -1: spool's */
    Spool *spool;
} Source;

static Str collection_named(const Cli *cli) {
    const Str name = args_str(&cli->args, "collection");
    return name.n ? name : STR("documents");
}

/* ---- what is given ---- */

/* All that comes out of fd, into a file of its own. */
static Err source_spool(Cli *cli, int fd, Str shown, Source *out) {
    const char *dir = path_join(&cli->arena, cli->home, "tmp");
    if (!dir) return arena_error();
    TRY(spool_open(&out->spool, dir, config_int(cli->config, CONF_DOCUMENTS_MAX_FILE_SIZE)));
    Err err = spool_drain(out->spool, fd, cli->cancel);
    if (!err) err = spool_end(out->spool);
    if (err == ERR_LIMIT)
        return err_fix(err_prefix(err, "'%.*s'", STR_FMT(shown)), "pythia add --max-file-size SIZE …");
    return err ? err_prefix(err, "'%.*s'", STR_FMT(shown)) : ERR_OK;
}

static Err source_file(Cli *cli, Str path, Source *out) {
    struct stat st;
    const char *z = arena_cstr(&cli->arena, path);
    if (!z) return arena_error();
    out->fd = open(z, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (out->fd < 0 || fstat(out->fd, &st) != 0)
        return err_set(ERR_IO, "cannot open '%.*s': %s", STR_FMT(path), strerror(errno));
    if (S_ISDIR(st.st_mode))
        return err_fix(err_set(ERR_USAGE, "'%.*s' is a folder", STR_FMT(path)), "pythia index '%.*s'", STR_FMT(path));
    return S_ISREG(st.st_mode) ? ERR_OK : source_spool(cli, out->fd, path, out);
}

static Err source_open(Cli *cli, Str word, Str name, Source *source, UploadFile *file) {
    const bool is_stdin = str_is(word, "-");
    if (is_stdin && !name.n)
        return err_fix(err_set(ERR_USAGE, "what comes from stdin has no name, which tells its format"),
                       "pythia add --name notes.md -");
    TRY(is_stdin ? source_spool(cli, STDIN_FILENO, STR("stdin"), source) : source_file(cli, word, source));
    *file = (UploadFile){.fd = source->spool ? spool_fd(source->spool) : source->fd,
                         .name = name.n ? name : word,
                         .title = args_str(&cli->args, "title"),
                         .sha256 = source->spool ? spool_sha256(source->spool) : NULL};
    if (!file->title.p) file->title = STR("");
    return ERR_OK;
}

static void sources_close(Source *sources, size_t n) {
    for (size_t i = 0; i < n; i++) {
        spool_close(sources[i].spool);
        if (sources[i].fd >= 0) (void)close(sources[i].fd);
    }
}

/* ---- what is told ---- */

static void uploaded_text(Buf *b, const Uploaded *u) {
    buf_add_z(b, "  ");
    safe_path(b, u->outcome == UPLOAD_REFUSED ? u->name : u->document.path);
    buf_printf(b, "  %s", upload_outcome_names[u->outcome]);
    if (u->outcome == UPLOAD_REFUSED) {
        buf_add_z(b, ": ");
        safe_path(b, u->reason);
    } else if (!str_eq(path_base(u->name), u->document.path)) {
        buf_add_z(b, u->outcome == UPLOAD_KNOWN ? ": the same bytes as " : ": another document is called ");
        safe_path(b, path_base(u->name));
    }
    if (u->outcome == UPLOAD_ADDED || u->outcome == UPLOAD_REPLACED)
        buf_printf(b, ", %lld chunk%s", (long long)u->document.chunks, u->document.chunks == 1 ? "" : "s");
    buf_char(b, '\n');
}

static void report_text(Cli *cli, Str collection, const UploadReport *r) {
    const int64_t counts[UPLOAD_OUTCOMES] = {r->added, r->replaced, r->known, r->refused};
    Buf *b = &cli->out;
    bool first = true;
    style_on(b, &cli->out_term, STYLE_BOLD);
    safe_path(b, collection);
    style_off(b, &cli->out_term);
    for (size_t i = 0; i < UPLOAD_OUTCOMES; i++) {
        if (!counts[i]) continue;
        buf_add_z(b, first ? ": " : ", ");
        number_add(b, counts[i]);
        buf_printf(b, " %s", upload_outcome_names[i]);
        first = false;
    }
    buf_add_z(b, " in ");
    seconds_add(b, r->seconds);
    buf_char(b, '\n');
    for (size_t i = 0; i < r->n; i++) uploaded_text(b, &r->files[i]);
}

static void report_json(Cli *cli, Err outcome, Str collection, const UploadReport *r) {
    JsonOut j = cli_json_begin_after(cli, outcome);
    reply_upload_members(&j, collection, r);
    cli_json_end(cli, &j);
    cli->answered = true;
}

/* ---- the commands ---- */

static Err upload(Cli *cli, const UploadFile *files, size_t n) {
    Pythia *p = NULL;
    UploadReport report = {0};
    Progress progress;
    ErrInfo told;
    const Str collection = collection_named(cli);
    TRY(cli_engine(cli, &p));
    progress_open(&progress, cli);
    const UploadRequest rq = {.collection = collection,
                              .files = files,
                              .n = n,
                              .replace = args_has(&cli->args, "replace"),
                              .progress = progress_show,
                              .progress_ctx = &progress};
    const Err err = pythia_upload(p, &cli->arena, &rq, &report);
    progress_close(&progress);
    if (err && err != ERR_PARTIAL && report.refused == 0) return err;
    err_save(&told, err);
    if (cli->json)
        report_json(cli, err, collection, &report);
    else if (!err || n > 1)
        report_text(cli, collection, &report);
    if (!err && !cli->json && cli->err_term.tty)
        cli_say(cli, "next: pythia search \"a question\" --in %.*s", STR_FMT(collection));
    return err ? err_restore(&told) : ERR_OK;
}

Err cmd_add(Cli *cli) {
    const Args *args = &cli->args;
    const size_t n = args->n_words;
    const Str name = args_str(args, "name");
    cli->json = args_has(args, "json");
    if ((name.n || args_has(args, "title")) && n > 1)
        return err_set(ERR_USAGE, "'--name' and '--title' are of one file; %zu are given", n);
    Source *sources = arena_array(&cli->arena, Source, n);
    UploadFile *files = arena_array(&cli->arena, UploadFile, n);
    if (!sources || !files) return arena_error();
    for (size_t i = 0; i < n; i++) sources[i].fd = -1;
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) err = source_open(cli, args->words[i], name, &sources[i], &files[i]);
    if (!err) err = upload(cli, files, n);
    sources_close(sources, n);
    return err;
}

Err cmd_rm(Cli *cli) {
    const Str collection = collection_named(cli);
    Pythia *p = NULL;
    cli->json = args_has(&cli->args, "json");
    TRY(cli_engine(cli, &p));
    for (size_t i = 0; i < cli->args.n_words; i++)
        TRY(pythia_document_remove(p, &cli->arena, collection, cli->args.words[i]));
    if (!cli->json) {
        cli_say(cli, "%zu document%s removed from '%.*s'", cli->args.n_words, cli->args.n_words == 1 ? "" : "s",
                STR_FMT(collection));
        return ERR_OK;
    }
    JsonOut j = cli_json_begin(cli);
    jout_kv_str(&j, "collection", collection);
    jout_kv_i64(&j, "removed", (int64_t)cli->args.n_words);
    cli_json_end(cli, &j);
    return ERR_OK;
}
