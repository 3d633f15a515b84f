/* rules.c - which rule speaks first. See rules.h; the syntax of one file is ignore.c's.
 *
 * Order: version control's own folders; the caller's exclude globs; the ignore files, nearest folder first and within a
 * folder .pythiaignore before .gitignore; .git/info/exclude; core.excludesFile; then folders of installed packages
 * (noise.h) and hidden names, which only an explicit '!' in a .pythiaignore brings back (in a .gitignore '!' means
 * "commit it", not "show it to me"); then include globs.
 *
 * A walk that starts inside a git work tree obeys the ignore files above it up to the work tree's top, as git does.
 * Whether the root itself is ignored is not asked: it was named.
 *
 * An ignore file that is there but cannot be read is an error of its folder, not an empty file: indexing what somebody
 * asked to leave out cannot be taken back. As in git, a .gitignore that is a symbolic link is not read.
 */
#include "ingest/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/glob.h"
#include "ingest/noise.h"

enum { GIT_FILE_MAX = 4096 }; /* bytes of a ".git" file or of "commondir" */

bool rules_is_vcs(Str name) { return str_is(name, ".git") || str_is(name, ".hg") || str_is(name, ".svn"); }

static Err read_all(Arena *a, int fd, size_t size, Str *out) {
    char *bytes = arena_alloc(a, size + 1);
    if (!bytes) return arena_error();
    size_t n = 0;
    while (n < size) {
        const ssize_t got = read(fd, bytes + n, size - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_set(ERR_IO, "%s", strerror(errno));
        if (got == 0) break;
        n += (size_t)got;
    }
    *out = str_make(bytes, n);
    return ERR_OK;
}

/* Reads a small file below the folder; out->p is NULL when there is none (or, without follow, when it is a link). */
static Err read_small(Arena *a, int folder_fd, const char *name, bool follow, size_t max, Str *out) {
    *out = (Str){0};
    const int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO;
        return absent ? ERR_OK : err_set(ERR_IO, "cannot read '%s': %s", name, strerror(errno));
    }
    struct stat st;
    Err err = ERR_OK;
    if (fstat(fd, &st) != 0)
        err = err_set(ERR_IO, "cannot read '%s': %s", name, strerror(errno));
    else if (S_ISREG(st.st_mode) && (size_t)st.st_size > max)
        err = err_set(ERR_LIMIT, "'%s' has %lld bytes, at most %zu are read", name, (long long)st.st_size, max);
    else if (S_ISREG(st.st_mode) && (err = read_all(a, fd, (size_t)st.st_size, out)))
        err = err_prefix(err, "cannot read '%s'", name);
    (void)close(fd);
    return err;
}

static Err shared_add(Rules *r, const char *path, Str name) {
    Str text;
    TRY(read_small(&r->arena, AT_FDCWD, path, true, IGNORE_MAX_BYTES, &text));
    if (!text.p) return ERR_OK;
    TRY(ignore_parse(&r->arena, text, name, STR(""), &r->shared[r->n_shared]));
    r->n_shared++;
    return ERR_OK;
}

/* The folder behind a one-line file such as ".git" ("gitdir: ../.git/worktrees/x"); dir when there is no such file. */
static Err git_redirect(Arena *a, const char *dir, const char *file, Str key, const char **out) {
    Str text;
    const char *path = path_join(a, dir, file);
    if (!path) return arena_error();
    *out = dir;
    TRY(read_small(a, AT_FDCWD, path, true, GIT_FILE_MAX, &text));
    if (!text.p || !str_starts(text, key)) return ERR_OK;
    const char *target = arena_cstr(a, str_trim(str_from(text, key.n)));
    if (!target) return arena_error();
    *out = path_join(a, dir, target);
    return *out ? ERR_OK : arena_error();
}

/* True when folder is the top of a git work tree; *git_dir gets where the repository's own files lie. */
static Err is_work_tree(Arena *a, const char *folder, bool *yes, const char **git_dir) {
    FileInfo info;
    const char *dot_git = path_join(a, folder, ".git");
    if (!dot_git) return arena_error();
    *yes = false;
    TRY(file_info(dot_git, true, &info));
    if (info.type == FILE_REGULAR) {
        TRY(git_redirect(a, folder, ".git", STR("gitdir:"), git_dir));
        *yes = *git_dir != folder;
        if (!*yes) return ERR_OK;
        return git_redirect(a, *git_dir, "commondir", STR(""), git_dir);
    }
    if (info.type != FILE_DIR) return ERR_OK;
    const char *head = path_join(a, dot_git, "HEAD");
    if (!head) return arena_error();
    TRY(file_info(head, false, &info));
    *yes = info.type == FILE_REGULAR || info.type == FILE_LINK;
    *git_dir = dot_git;
    return ERR_OK;
}

/* The nearest work tree at or above the root, on the same file system; *top is NULL when there is none. */
static Err find_work_tree(Arena *a, const char *root, const char **top, const char **git_dir) {
    FileInfo info;
    TRY(file_info(root, true, &info));
    const uint64_t device = info.device;
    *top = NULL;
    for (Str folder = str_of(root);;) {
        const char *z = folder.n ? arena_cstr(a, folder) : "/";
        if (!z) return arena_error();
        TRY(file_info(z, true, &info));
        if (info.device != device) break;
        bool yes = false;
        TRY(is_work_tree(a, z, &yes, git_dir));
        if (yes) *top = z;
        if (yes || folder.n <= 1) break;
        folder = path_dir(folder);
    }
    return ERR_OK;
}

Err git_dir_of(Arena *a, const char *root, const char **out) {
    const char *top = NULL, *shared = NULL, *dir = NULL;
    *out = NULL;
    TRY(find_work_tree(a, root, &top, &shared));
    if (!top) return ERR_OK;
    TRY(git_redirect(a, top, ".git", STR("gitdir:"), &dir));
    *out = dir == top ? shared : dir;
    return ERR_OK;
}

/* Enters the folders between the work tree's top and the root: their rules bind the root's files too. */
static Err enter_parents(Rules *r, const char *top) {
    for (size_t at = 0; at < r->prefix.n;) {
        const Str folder = str_upto(r->prefix, at);
        const char *path = arena_printf(&r->arena, "%s/%.*s", top, (int)folder.n, folder.p).p;
        if (!path) return arena_error();
        const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return err_set(ERR_IO, "cannot open folder '%s': %s", path, strerror(errno));
        const Err err = rules_enter(r, fd, folder);
        (void)close(fd);
        if (err) return err_prefix(err, "in '%s'", path);
        at += (size_t)str_find_char(str_from(r->prefix, at), '/') + 1;
    }
    return ERR_OK;
}

Err rules_open(Rules *r, const char *root, const WalkOpts *opts) {
    *r = (Rules){.opts = opts, .prefix = STR("")};
    TRY(path_real(&r->arena, root, &r->root_real));
    if (opts->no_ignore) return ERR_OK;
    const char *top = NULL, *git_dir = NULL;
    TRY(find_work_tree(&r->arena, r->root_real, &top, &git_dir));
    if (top) {
        const Str below = str_from(str_of(r->root_real), strcmp(top, "/") == 0 ? 1 : strlen(top) + 1);
        if (below.n) r->prefix = arena_printf(&r->arena, "%s/", below.p);
        if (!r->prefix.p) return arena_error();
        const char *exclude = path_join(&r->arena, git_dir, "info/exclude");
        if (!exclude) return arena_error();
        TRY(shared_add(r, exclude, STR(".git/info/exclude")));
    }
    if (opts->global_ignore) TRY(shared_add(r, opts->global_ignore, str_of(opts->global_ignore)));
    return top ? enter_parents(r, top) : ERR_OK;
}

void rules_close(Rules *r) {
    for (size_t i = 0; i < r->capacity; i++) arena_free(&r->folders[i].arena);
    free(r->folders);
    buf_free(&r->reason);
    arena_free(&r->arena);
    *r = (Rules){0};
}

/* An ignore file's name as the user would type it from the root: "src/.gitignore", "../.gitignore". */
static Str shown_name(const Rules *r, Arena *a, Str folder, const char *name) {
    if (folder.n >= r->prefix.n)
        return arena_printf(a, "%.*s%s", (int)(folder.n - r->prefix.n), folder.p + r->prefix.n, name);
    Buf up = {0};
    for (Str rest = str_from(r->prefix, folder.n), part; str_cut(&rest, '/', &part);)
        if (part.n) buf_add(&up, STR("../"));
    buf_add_z(&up, name);
    const Str shown = buf_ok(&up) ? (Str){0} : arena_str(a, buf_str(&up));
    buf_free(&up);
    return shown;
}

Err rules_enter(Rules *r, int fd, Str folder) {
    static const char *const names[] = {".pythiaignore", ".gitignore"};
    if (r->depth == r->capacity) {
        const size_t capacity = r->capacity ? r->capacity * 2 : 16;
        RulesFolder *more = realloc(r->folders, capacity * sizeof *more);
        if (!more) return err_set(ERR_NOMEM, "out of memory for the rules of %zu folders", capacity);
        memset(more + r->capacity, 0, (capacity - r->capacity) * sizeof *more);
        r->folders = more, r->capacity = capacity;
    }
    RulesFolder *f = &r->folders[r->depth++];
    f->n_files = 0;
    if (f->arena.used) arena_reset(&f->arena);
    if (r->opts->no_ignore) return ERR_OK;
    Err err = ERR_OK;
    for (size_t i = 0; i < 2 && !err; i++) {
        Str text, base, name;
        if ((err = read_small(&f->arena, fd, names[i], false, IGNORE_MAX_BYTES, &text)) || !text.p) continue;
        base = arena_str(&f->arena, folder);
        name = shown_name(r, &f->arena, folder, names[i]);
        err = base.p && name.p ? ignore_parse(&f->arena, text, name, base, &f->files[f->n_files]) : arena_error();
        if (!err) f->n_files++;
    }
    if (err) r->depth--;
    return err;
}

void rules_leave(Rules *r) { r->depth--; }

/* The strongest rule that speaks of the path, and the file it stands in. */
static const IgnoreRule *rules_match(const Rules *r, Str path, bool is_folder, const IgnoreFile **file) {
    const IgnoreRule *rule = NULL;
    for (size_t d = r->depth; d-- > 0 && !rule;)
        for (size_t i = 0; i < r->folders[d].n_files && !rule; i++) {
            *file = &r->folders[d].files[i];
            rule = ignore_match(*file, path, is_folder);
        }
    for (size_t i = 0; i < r->n_shared && !rule; i++) {
        *file = &r->shared[i];
        rule = ignore_match(*file, path, is_folder);
    }
    return rule;
}

/* The first of the globs that matches path, or NULL. A folder's name stands for everything in it. */
static const Str *glob_among(const Str *globs, size_t n, Str path, bool is_folder) {
    for (size_t i = 0; i < n; i++) {
        const bool for_folder = is_folder && str_ends(globs[i], STR("/"));
        if (glob_match_path(for_folder ? str_upto(globs[i], globs[i].n - 1) : globs[i], path)) return &globs[i];
    }
    return NULL;
}

static Err say(Rules *r, Str *reason) {
    *reason = buf_str(&r->reason);
    return buf_ok(&r->reason);
}

Err rules_judge(Rules *r, Str path, FileType type, Str *reason) {
    const WalkOpts *o = r->opts;
    const Str name = path_base(path), below_root = str_from(path, r->prefix.n);
    const bool is_folder = type == FILE_DIR;
    *reason = STR("");
    buf_clear(&r->reason);
    if (rules_is_vcs(name)) {
        *reason = STR("version control data");
        return ERR_OK;
    }
    const Str *glob = glob_among(o->exclude, o->n_exclude, below_root, is_folder);
    if (glob) {
        buf_printf(&r->reason, "excluded by '%.*s'", STR_FMT(*glob));
        return say(r, reason);
    }
    const IgnoreFile *file = NULL;
    const IgnoreRule *rule = rules_match(r, path, is_folder, &file);
    if (rule && !rule->negated) {
        buf_printf(&r->reason, "ignored by %.*s:%u: %.*s", STR_FMT(file->name), rule->line, STR_FMT(rule->shown));
        return say(r, reason);
    }
    const bool wanted = rule && str_ends(file->name, STR(".pythiaignore"));
    const char *noise = is_folder && !wanted && !o->keep_noise ? noise_of_folder(name) : NULL;
    if (noise)
        *reason = str_of(noise);
    else if (name.n && name.p[0] == '.' && !o->hidden && !wanted)
        *reason = STR("hidden");
    else if (!is_folder && o->n_include && !glob_among(o->include, o->n_include, below_root, false))
        *reason = STR("not among the included globs");
    return ERR_OK;
}
