/* path.c - names of files, as text. See file.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

const char *path_join(Arena *a, const char *dir, const char *name) {
    if (name[0] == '/' || dir[0] == 0) return arena_cstr(a, str_of(name));
    bool slash = dir[strlen(dir) - 1] == '/';
    return arena_printf(a, "%s%s%s", dir, slash || !name[0] ? "" : "/", name).p;
}

const char *path_absolute(Arena *a, const char *path) {
    char cwd[PATH_MAX];
    if (path[0] != '/') {
        if (!getcwd(cwd, sizeof cwd)) return NULL;
        path = path_join(a, cwd, path);
        if (!path) return NULL;
    }
    Str rest = str_of(path), part;
    char *out = arena_alloc(a, rest.n + 2);
    if (!out) return NULL;
    size_t n = 0;
    while (str_cut(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, ".")) continue;
        if (str_is(part, "..")) {
            while (n && out[--n] != '/') {}
            continue;
        }
        out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    if (n == 0) out[n++] = '/';
    out[n] = 0;
    return out;
}

Err path_real(Arena *a, const char *path, const char **out) {
    char real[PATH_MAX];
    *out = NULL;
    if (realpath(path, real)) {
        *out = arena_cstr(a, str_of(real));
        return *out ? ERR_OK : arena_error();
    }
    if (errno != ENOENT) return err_set(ERR_IO, "cannot resolve '%s': %s", path, strerror(errno));
    /* The last part may be missing: then the folder is resolved and the name put behind it. */
    const char *absolute = path_absolute(a, path);
    if (!absolute) return err_set(ERR_IO, "cannot resolve '%s'", path);
    Str dir = path_dir(str_of(absolute));
    const char *dir_z = dir.n ? arena_cstr(a, dir) : "/";
    if (!dir_z) return arena_error();
    if (!realpath(dir_z, real)) return err_set(ERR_IO, "cannot resolve '%s': %s", path, strerror(errno));
    *out = path_join(a, real, path_base(str_of(absolute)).p);
    return *out ? ERR_OK : arena_error();
}

Str path_base(Str path) {
    ptrdiff_t at = str_rfind_char(path, '/');
    return at < 0 ? path : str_from(path, (size_t)at + 1);
}

Str path_dir(Str path) {
    ptrdiff_t at = str_rfind_char(path, '/');
    return at < 0 ? (Str){path.p, 0} : str_upto(path, (size_t)at);
}

Str path_ext(Str path) {
    Str base = path_base(path);
    ptrdiff_t at = str_rfind_char(base, '.');
    return at <= 0 ? (Str){base.p, 0} : str_from(base, (size_t)at + 1);
}

bool path_within(Str path, Str dir) {
    if (str_is(dir, "/")) return path.n && path.p[0] == '/';
    if (!str_starts(path, dir)) return false;
    return path.n == dir.n || path.p[dir.n] == '/';
}
