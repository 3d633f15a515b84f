/* walk.c - the walk itself: one loop over a stack of folders, no recursion. See walk.h; the rules are rules.c's.
 *
 * Each folder is read whole and sorted before its first entry is told, folders as if their names ended in '/', so that
 * the paths come out in bytewise order. Everything is opened relative to its folder's descriptor and never through a
 * link: a tree deeper than PATH_MAX is walked like any other, and a folder swapped for a link meanwhile is not
 * followed.
 *
 * Descriptors: of a deep stack only the WALK_OPEN_FOLDERS deepest folders stay open; an outer one is opened again
 * through ".." and must then be the same inode. Memory: the names of the folders on the stack. Cost: one fstatat a file
 * that is not left out, three open calls a folder.
 */
#include "ingest/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/rules.h"

enum { WALK_OPEN_FOLDERS = 64, DEADLINE_EVERY = 64 };

typedef struct {
    const char *name; /* NUL behind it; while the folder is being read: NULL */
    size_t name_at;   /* in Folder.names */
    size_t name_n;
    FileType type;
    mode_t mode; /* S_IFMT bits, for FILE_OTHER */
} Item;

typedef struct {
    DIR *dir; /* NULL while shut */
    dev_t device;
    ino_t inode;
    Buf names;   /* of all items, each with a NUL */
    Item *items; /* [n], sorted */
    size_t n, capacity, next;
    size_t path_n; /* of Walk.path: this folder's part, '/' at the end */
} Folder;

typedef struct {
    const WalkOpts *opts;
    WalkSink sink;
    void *ctx;
    Rules rules;
    Buf path; /* relative to the top of the work tree: prefix of the rules, then relative to the root */
    Buf reason;
    Folder *folders; /* [depth]; [capacity] keep their memory */
    size_t depth, capacity;
    size_t open_from; /* folders [open_from, depth) are open */
    size_t told;
} Walk;

static FileType type_of_mode(mode_t mode) {
    if (S_ISREG(mode)) return FILE_REGULAR;
    if (S_ISDIR(mode)) return FILE_DIR;
    return S_ISLNK(mode) ? FILE_LINK : FILE_OTHER;
}

static FileInfo info_of(const struct stat *st) {
    return (FileInfo){.type = type_of_mode(st->st_mode),
                      .size = st->st_size,
                      .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
                      .inode = st->st_ino,
                      .device = st->st_dev};
}

static const char *special_name(mode_t mode) {
    if (S_ISFIFO(mode)) return "fifo";
    if (S_ISSOCK(mode)) return "socket";
    return S_ISCHR(mode) || S_ISBLK(mode) ? "device" : "not a file";
}

/* "a" before "a.c" before "a/": each name as it stands in the paths, a folder's followed by '/'. */
static int item_cmp(const void *va, const void *vb) {
    const Item *a = va, *b = vb;
    const size_t n = a->name_n < b->name_n ? a->name_n : b->name_n;
    const int c = memcmp(a->name, b->name, n);
    if (c) return c;
    const int ca = n < a->name_n ? (unsigned char)a->name[n] : a->type == FILE_DIR ? '/' : -1;
    const int cb = n < b->name_n ? (unsigned char)b->name[n] : b->type == FILE_DIR ? '/' : -1;
    return ca - cb;
}

/* What readdir says of the type; one fstatat where the file system does not tell. */
static mode_t mode_of_entry(const Folder *f, const struct dirent *e) {
    struct stat st;
    switch (e->d_type) {
    case DT_REG:
        return S_IFREG;
    case DT_DIR:
        return S_IFDIR;
    case DT_LNK:
        return S_IFLNK;
    case DT_FIFO:
        return S_IFIFO;
    case DT_SOCK:
        return S_IFSOCK;
    case DT_CHR:
        return S_IFCHR;
    case DT_BLK:
        return S_IFBLK;
    default:
        return fstatat(dirfd(f->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & S_IFMT : 0;
    }
}

static Err folder_add(Folder *f, const struct dirent *e) {
    if (f->n == f->capacity) {
        const size_t capacity = f->capacity ? f->capacity * 2 : 32;
        Item *more = realloc(f->items, capacity * sizeof *more);
        if (!more) return err_set(ERR_NOMEM, "out of memory for %zu files of a folder", capacity);
        f->items = more, f->capacity = capacity;
    }
    const mode_t mode = mode_of_entry(f, e);
    const size_t n = strlen(e->d_name);
    f->items[f->n++] = (Item){.name_at = f->names.n, .name_n = n, .type = type_of_mode(mode), .mode = mode};
    buf_add_bytes(&f->names, e->d_name, n + 1);
    return ERR_OK;
}

static Err folder_list(Folder *f, const Deadline *deadline) {
    f->n = f->next = 0;
    buf_clear(&f->names);
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(f->dir);
        if (!e) break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        TRY(folder_add(f, e));
        if (f->n % 4096 == 0) TRY(deadline_check(deadline));
    }
    if (errno) return err_set(ERR_IO, "cannot read: %s", strerror(errno));
    TRY(buf_ok(&f->names));
    for (size_t i = 0; i < f->n; i++) f->items[i].name = f->names.p + f->items[i].name_at;
    if (f->n > 1) qsort(f->items, f->n, sizeof *f->items, item_cmp);
    return ERR_OK;
}

/* A free frame on the stack, with the memory of the last folder that stood there. */
static Err stack_grow(Walk *w) {
    if (w->depth < w->capacity) return ERR_OK;
    const size_t capacity = w->capacity ? w->capacity * 2 : 16;
    Folder *more = realloc(w->folders, capacity * sizeof *more);
    if (!more) return err_set(ERR_NOMEM, "out of memory for %zu folders", capacity);
    memset(more + w->capacity, 0, (capacity - w->capacity) * sizeof *more);
    w->folders = more, w->capacity = capacity;
    return ERR_OK;
}

static void folder_shut(Folder *f) {
    if (f->dir) (void)closedir(f->dir);
    f->dir = NULL;
}

static Str below_root(const Walk *w) { return str_from(buf_str(&w->path), w->rules.prefix.n); }

/* Puts the folder that fd is open on (taken over) on the stack; its path is w->path, '/' at the end. */
static Err folder_push(Walk *w, int fd) {
    Err err = stack_grow(w);
    Folder *f = w->folders + w->depth;
    struct stat st;
    if (!err && (fstat(fd, &st) != 0 || !(f->dir = fdopendir(fd))))
        err = err_set(ERR_IO, "cannot read: %s", strerror(errno));
    if (err) {
        (void)close(fd);
        return err;
    }
    f->device = st.st_dev, f->inode = st.st_ino;
    f->path_n = w->path.n;
    if (w->opts->entered && (err = w->opts->entered(w->opts->entered_ctx, below_root(w)))) {
        folder_shut(f);
        return err;
    }
    if ((err = folder_list(f, w->opts->deadline)) || (err = rules_enter(&w->rules, fd, buf_str(&w->path)))) {
        folder_shut(f);
        return err;
    }
    w->depth++;
    if (w->depth - w->open_from > WALK_OPEN_FOLDERS) folder_shut(&w->folders[w->open_from++]);
    return ERR_OK;
}

/* Takes the deepest folder off; the one above it is open afterwards. */
static Err folder_pop(Walk *w) {
    Folder *f = &w->folders[w->depth - 1];
    Err err = ERR_OK;
    if (w->depth > 1 && w->open_from == w->depth - 1) {
        Folder *above = f - 1;
        struct stat st;
        const int fd = openat(dirfd(f->dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        const bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == above->device && st.st_ino == above->inode;
        if (same) above->dir = fdopendir(fd);
        if (above->dir) {
            w->open_from--;
        } else {
            err = err_set(ERR_IO, "folder '%.*s' was moved while it was walked", (int)above->path_n, w->path.p);
            if (fd >= 0) (void)close(fd);
        }
    }
    folder_shut(f);
    rules_leave(&w->rules);
    w->depth--;
    return err;
}

static Err tell(Walk *w, const FileInfo *info, Str reason) {
    if (++w->told % DEADLINE_EVERY == 0) TRY(deadline_check(w->opts->deadline));
    TRY(buf_ok(&w->path));
    return w->sink(w->ctx, &(WalkEntry){.path = below_root(w), .info = *info, .reason = reason});
}

/* Where the link at w->path leads; info gets the target's where it is a file of this root. */
static Err link_judge(Walk *w, int folder_fd, const char *name, FileInfo *info, Str *reason) {
    struct stat st;
    *reason = STR("");
    if (fstatat(folder_fd, name, &st, 0) != 0) {
        *reason = errno == ELOOP    ? STR("link in a circle")
                  : errno == ENOENT ? STR("broken link")
                                    : STR("unreadable link");
        return ERR_OK;
    }
    if (S_ISDIR(st.st_mode)) *reason = STR("link to a folder");
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) *reason = STR("link to a special file");
    if (reason->n) return ERR_OK;
    Arena scratch = {0};
    const Str rel = below_root(w);
    const char *real = NULL;
    const char *path = arena_printf(&scratch, "%s/%.*s", w->rules.root_real, (int)rel.n, rel.p).p;
    Err err = path ? path_real(&scratch, path, &real) : arena_error();
    if (err == ERR_NOMEM) {
        arena_free(&scratch);
        return err;
    }
    const Str root = str_of(w->rules.root_real);
    if (err || !path_within(str_of(real), root)) {
        *reason = STR("link out of the root");
    } else {
        for (Str rest = str_from(str_of(real), root.n), part; str_cut(&rest, '/', &part);)
            if (rules_is_vcs(part)) *reason = STR("link to version control data");
        *info = info_of(&st);
    }
    arena_free(&scratch);
    return ERR_OK;
}

/* Judges what is no folder, fills info where it is a candidate. *gone: it vanished meanwhile. */
static Err file_judge(Walk *w, int folder_fd, const char *name, mode_t mode, FileInfo *info, Str *reason, bool *gone) {
    struct stat st;
    *gone = false;
    *info = (FileInfo){.type = type_of_mode(mode)};
    TRY(rules_judge(&w->rules, buf_str(&w->path), info->type, reason));
    if (reason->n) return ERR_OK;
    if (info->type == FILE_LINK) return link_judge(w, folder_fd, name, info, reason);
    if (info->type != FILE_REGULAR) {
        *reason = str_of(special_name(mode));
        return ERR_OK;
    }
    if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        *gone = errno == ENOENT;
        *reason = str_of(strerror(errno));
        return ERR_OK;
    }
    *info = info_of(&st);
    if (!S_ISREG(st.st_mode)) *reason = STR("changed while the folder was walked");
    return ERR_OK;
}

/* A folder that cannot be entered: told with the reason, and the walk goes on; other errors end it. */
static Err folder_refused(Walk *w, Err err) {
    if (err != ERR_IO && err != ERR_LIMIT) return err;
    const char *text = err_text();
    buf_clear(&w->reason);
    buf_add_z(&w->reason, text);
    TRY(buf_ok(&w->reason));
    return tell(w, &(FileInfo){.type = FILE_DIR}, buf_str(&w->reason));
}

/* w->path names a folder, without '/'. */
static Err folder_visit(Walk *w, int folder_fd, const char *name) {
    Str reason;
    TRY(rules_judge(&w->rules, buf_str(&w->path), FILE_DIR, &reason));
    buf_char(&w->path, '/');
    TRY(buf_ok(&w->path));
    if (reason.n) return tell(w, &(FileInfo){.type = FILE_DIR}, reason);
    const int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) return ERR_OK;
    if (fd < 0) return folder_refused(w, err_set(ERR_IO, "unreadable: %s", strerror(errno)));
    const Err err = folder_push(w, fd);
    return err ? folder_refused(w, err) : ERR_OK;
}

static Err walk_next(Walk *w) {
    Folder *f = &w->folders[w->depth - 1];
    if (f->next == f->n) return folder_pop(w);
    const Item *item = &f->items[f->next++];
    w->path.n = f->path_n;
    buf_add(&w->path, str_make(item->name, item->name_n));
    if (item->type == FILE_DIR) return folder_visit(w, dirfd(f->dir), item->name);
    FileInfo info;
    Str reason;
    bool gone;
    TRY(file_judge(w, dirfd(f->dir), item->name, item->mode, &info, &reason, &gone));
    return gone ? ERR_OK : tell(w, &info, reason);
}

static void walk_close(Walk *w) {
    for (size_t i = 0; i < w->capacity; i++) {
        folder_shut(&w->folders[i]);
        buf_free(&w->folders[i].names);
        free(w->folders[i].items);
    }
    free(w->folders);
    buf_free(&w->path);
    buf_free(&w->reason);
    rules_close(&w->rules);
}

static Err walk_open(Walk *w, const char *root, int *fd) {
    *fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) return err_set(ERR_IO, "cannot open folder '%s': %s", root, strerror(errno));
    TRY(rules_open(&w->rules, root, w->opts));
    buf_add(&w->path, w->rules.prefix);
    return buf_ok(&w->path);
}

Err walk(const char *root, const WalkOpts *opts, WalkSink sink, void *ctx) {
    static const WalkOpts defaults = {0};
    Walk w = {.opts = opts ? opts : &defaults, .sink = sink, .ctx = ctx};
    int fd;
    Err err = walk_open(&w, root, &fd);
    if (err) {
        if (fd >= 0) (void)close(fd);
        goto done;
    }
    if ((err = folder_push(&w, fd))) {
        err = err_prefix(err, "folder '%s'", root);
        goto done;
    }
    while (w.depth && !(err = walk_next(&w))) {}
done:
    walk_close(&w);
    return err;
}

/* One part of the path to explain: judged, and entered when it is a folder. *fd moves down. *done: nothing below it
 * needs to be asked. */
static Err explain_part(Walk *w, int *fd, const char *name, bool last, WalkEntry *out, bool *done) {
    struct stat st;
    *done = true;
    if (fstatat(*fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_set(ERR_IO, "cannot find '%.*s': %s", STR_FMT(below_root(w)), strerror(errno));
    out->info = info_of(&st);
    bool gone;
    if (!S_ISDIR(st.st_mode)) {
        TRY(file_judge(w, *fd, name, st.st_mode & S_IFMT, &out->info, &out->reason, &gone));
        if (!last && !out->reason.n) return err_set(ERR_IO, "'%.*s' is not a folder", STR_FMT(below_root(w)));
        return ERR_OK;
    }
    TRY(rules_judge(&w->rules, buf_str(&w->path), FILE_DIR, &out->reason));
    if (out->reason.n || last) return ERR_OK;
    const int next = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (next < 0) {
        out->reason = str_of(strerror(errno));
        return ERR_OK;
    }
    (void)close(*fd);
    *fd = next;
    *done = false;
    buf_char(&w->path, '/');
    return rules_enter(&w->rules, *fd, buf_str(&w->path));
}

static Err explain(Walk *w, Arena *a, int *fd, Str path, WalkEntry *out) {
    bool done = false;
    TRY(rules_enter(&w->rules, *fd, buf_str(&w->path)));
    for (Str rest = path, part; !done && str_cut(&rest, '/', &part);) {
        if (part.n == 0 && rest.n == 0) break;
        if (part.n == 0 || str_is(part, ".") || str_is(part, "..") || str_find_char(part, 0) >= 0)
            return err_set(ERR_INPUT, "'%.*s' is not a path below the root", STR_FMT(path));
        const char *name = arena_cstr(a, part);
        if (!name) return arena_error();
        buf_add(&w->path, part);
        TRY(buf_ok(&w->path));
        TRY(explain_part(w, fd, name, rest.n == 0, out, &done));
    }
    if (!out->reason.n) return ERR_OK;
    /* Say which folder it is that keeps the file out. */
    const Str at = below_root(w);
    if (at.n + 1 < path.n)
        out->reason = arena_printf(a, "in %.*s/: %.*s", STR_FMT(at), STR_FMT(out->reason));
    else
        out->reason = arena_str(a, out->reason);
    return out->reason.p ? ERR_OK : arena_error();
}

Err walk_explain(Arena *a, const char *root, Str path, const WalkOpts *opts, WalkEntry *out) {
    static const WalkOpts defaults = {0};
    Walk w = {.opts = opts ? opts : &defaults};
    int fd;
    *out = (WalkEntry){.path = arena_str(a, path), .reason = STR("")};
    Err err = out->path.p ? walk_open(&w, root, &fd) : arena_error();
    if (!out->path.p) return err;
    if (!err) err = explain(&w, a, &fd, path, out);
    if (fd >= 0) (void)close(fd);
    walk_close(&w);
    return err;
}
