/* file.c - files; paths are in path.c. See file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- faults: tests make the n-th call fail ---- */

static atomic_long fault_nth;
static atomic_long fault_calls;
static atomic_int fault_errno;

void fault_arm(long nth, int err_no) {
    atomic_store(&fault_calls, 0);
    atomic_store(&fault_errno, err_no);
    atomic_store(&fault_nth, nth);
}

long fault_count(void) { return atomic_load(&fault_calls); }

/* True when this call is to fail; errno is set then. */
static bool fault_here(void) {
    long nth = atomic_load_explicit(&fault_nth, memory_order_relaxed);
    if (nth == 0) return false;
    if (atomic_fetch_add(&fault_calls, 1) + 1 != nth) return false;
    errno = atomic_load(&fault_errno);
    return true;
}

static int sys_open(const char *path, int flags, mode_t mode) {
    return fault_here() ? -1 : open(path, flags | O_CLOEXEC, mode);
}

/* A fault in write leaves half of the bytes behind, as a full disk does. */
static ssize_t sys_write(int fd, const void *p, size_t n) {
    if (!fault_here()) return write(fd, p, n);
    int keep = errno;
    if (n > 1) (void)!write(fd, p, n / 2);
    errno = keep;
    return -1;
}

static int sys_fsync(int fd) { return fault_here() ? -1 : fdatasync(fd); }
static int sys_rename(const char *from, const char *to) { return fault_here() ? -1 : rename(from, to); }
static int sys_ftruncate(int fd, off_t n) { return fault_here() ? -1 : ftruncate(fd, n); }

static Err io_error(const char *what, const char *path) {
    int e = errno;
    Err err = err_set(ERR_IO, "cannot %s '%s': %s", what, path, strerror(e));
    if (e == ENOSPC || e == EDQUOT) return err_fix(err, "df -h '%s'", path);
    return err;
}

/* ---- whole files ---- */

Err file_info(const char *path, bool follow, FileInfo *out) {
    struct stat st;
    *out = (FileInfo){FILE_NONE, 0, 0, 0, 0};
    if ((follow ? stat(path, &st) : lstat(path, &st)) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return ERR_OK;
        return io_error("look at", path);
    }
    out->type = S_ISREG(st.st_mode)   ? FILE_REGULAR
                : S_ISDIR(st.st_mode) ? FILE_DIR
                : S_ISLNK(st.st_mode) ? FILE_LINK
                                      : FILE_OTHER;
    out->size = st.st_size;
    out->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    out->inode = st.st_ino;
    out->device = st.st_dev;
    return ERR_OK;
}

static Err read_all(int fd, const char *path, char *bytes, size_t size, size_t *got) {
    *got = 0;
    while (*got < size) {
        ssize_t n = read(fd, bytes + *got, size - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error("read", path);
        if (n == 0) break;
        *got += (size_t)n;
    }
    return ERR_OK;
}

Err file_read(Arena *a, const char *path, size_t max_size, Str *out) {
    Err err = ERR_OK;
    struct stat st;
    size_t got = 0;
    char *bytes = NULL;
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return io_error("open", path);
    if (fstat(fd, &st) != 0) {
        err = io_error("look at", path);
        goto done;
    }
    if (!S_ISREG(st.st_mode)) {
        err = err_set(ERR_IO, "cannot read '%s': not a regular file", path);
        goto done;
    }
    if ((uint64_t)st.st_size > max_size) {
        err = err_set(ERR_LIMIT, "'%s' has %lld bytes, more than the limit of %zu", path, (long long)st.st_size,
                      max_size);
        goto done;
    }
    bytes = arena_alloc(a, (size_t)st.st_size + 1);
    if (!bytes) {
        err = arena_error();
        goto done;
    }
    if ((err = read_all(fd, path, bytes, (size_t)st.st_size, &got))) goto done;
    *out = str_make(bytes, got);
done:
    (void)close(fd);
    return err;
}

static Err write_all(int fd, const char *path, Str s) {
    while (s.n) {
        ssize_t n = sys_write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error("write", path);
        s = str_from(s, (size_t)n);
    }
    return ERR_OK;
}

/* A rename is durable only when its folder is. */
Err file_sync_dir_of(const char *path) {
    Arena a = {0};
    Str dir = path_dir(str_of(path));
    const char *name = dir.n ? arena_cstr(&a, dir) : path[0] == '/' ? "/" : ".";
    int fd = name ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    Err err = ERR_OK;
    /* Some file systems cannot sync a folder (EINVAL): then the rename is as durable as they make it. */
    if (fd >= 0 && sys_fsync(fd) != 0 && errno != EINVAL) err = io_error("sync the folder of", path);
    if (fd >= 0) (void)close(fd);
    arena_free(&a);
    return err;
}

Err file_write_atomic(const char *path, Str content, unsigned mode) {
    Arena a = {0};
    Err err = ERR_OK;
    Str beside = arena_printf(&a, "%s.tmp.%ld", path, (long)getpid());
    if (!beside.p) return arena_error();
    int fd = sys_open(beside.p, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) {
        err = io_error("create", beside.p);
        goto done;
    }
    err = write_all(fd, beside.p, content);
    if (!err && sys_fsync(fd) != 0) err = io_error("sync", beside.p);
    if (close(fd) != 0 && !err) err = io_error("close", beside.p);
    if (!err && sys_rename(beside.p, path) != 0) err = io_error("rename a new file over", path);
    if (err)
        (void)unlink(beside.p);
    else
        err = file_sync_dir_of(path);
done:
    arena_free(&a);
    return err;
}

Err file_map(const char *path, FileMap *out) {
    struct stat st;
    Err err = ERR_OK;
    *out = (FileMap){{"", 0}, NULL};
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return io_error("open", path);
    if (fstat(fd, &st) != 0)
        err = io_error("look at", path);
    else if (!S_ISREG(st.st_mode))
        err = err_set(ERR_IO, "cannot map '%s': not a regular file", path);
    else if (st.st_size > 0) {
        void *p = fault_here() ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            err = io_error("map", path);
        else
            *out = (FileMap){str_make(p, (size_t)st.st_size), p};
    }
    (void)close(fd);
    return err;
}

void file_unmap(FileMap *m) {
    if (m->map_) (void)munmap(m->map_, m->bytes.n);
    *m = (FileMap){{"", 0}, NULL};
}

void file_map_forget(const FileMap *m, Str part) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)part.p + page - 1) / page * page, to = ((uintptr_t)part.p + part.n) / page * page;
    /* Read-only and private: the pages are clean, nothing can be lost. */
    if (m->map_ && from < to) (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

/* ---- appending ---- */

Err file_append_open(const char *path, FileAppend *out) {
    struct stat st;
    out->fd = -1;
    out->size = 0;
    if (strlen(path) >= sizeof out->path) return err_set(ERR_LIMIT, "the path '%s' is too long", path);
    memcpy(out->path, path, strlen(path) + 1);
    out->fd = sys_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
    if (out->fd < 0) return io_error("open", path);
    if (fstat(out->fd, &st) != 0) {
        Err err = io_error("look at", path);
        file_append_close(out);
        return err;
    }
    out->size = st.st_size;
    return ERR_OK;
}

Err file_append(FileAppend *f, const void *bytes, size_t n) {
    if (lseek(f->fd, f->size, SEEK_SET) < 0) return io_error("seek in", f->path);
    TRY(write_all(f->fd, f->path, str_make(bytes, n)));
    f->size += (int64_t)n; /* only whole pieces count: a torn one is overwritten by the next append */
    return ERR_OK;
}

Err file_append_truncate(FileAppend *f, int64_t size) {
    if (sys_ftruncate(f->fd, size) != 0) return io_error("truncate", f->path);
    f->size = size;
    return ERR_OK;
}

Err file_append_sync(FileAppend *f) { return sys_fsync(f->fd) == 0 ? ERR_OK : io_error("sync", f->path); }

void file_append_close(FileAppend *f) {
    if (f->fd >= 0) (void)close(f->fd);
    f->fd = -1;
}

/* ---- folders, locks ---- */

Err file_move(const char *from, const char *to) {
    return sys_rename(from, to) == 0 ? ERR_OK : io_error("rename a new file over", to);
}

Err file_rename(const char *from, const char *to) {
    TRY(file_move(from, to));
    return file_sync_dir_of(to);
}

Err file_make_dirs(const char *path, unsigned mode) {
    Arena a = {0};
    Err err = ERR_OK;
    char *p = (char *)arena_alloc(&a, strlen(path) + 1);
    if (!p) return arena_error();
    memcpy(p, path, strlen(path) + 1);
    for (char *slash = p + 1; !err && *p; slash++) {
        if (*slash != '/' && *slash != 0) continue;
        char keep = *slash;
        *slash = 0;
        struct stat st;
        if (mkdir(p, (mode_t)mode) == 0)
            err = file_sync_dir_of(p); /* what is synced in it would be lost with it */
        else if (errno != EEXIST || stat(p, &st) != 0 || !S_ISDIR(st.st_mode))
            err = io_error("make the folder", p);
        *slash = keep;
        if (!keep) break;
    }
    arena_free(&a);
    return err;
}

Err file_remove(const char *path) {
    if (unlink(path) == 0 || errno == ENOENT) return ERR_OK;
    return io_error("remove", path);
}

static Err remove_entries(int dir_fd, const char *path, int depth);

static Err remove_one(int dir_fd, const char *name, const char *path, int depth) {
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) return ERR_OK;
    if (errno != EISDIR && errno != EPERM) return io_error("remove", path);
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return io_error("open", path);
    TRY(remove_entries(fd, path, depth)); /* closes fd */
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT) return io_error("remove", path);
    return ERR_OK;
}

static Err remove_entries(int fd, const char *path, int depth) {
    if (depth > 100) {
        (void)close(fd);
        return err_set(ERR_LIMIT, "'%s' is too deep to be removed", path);
    }
    DIR *dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return io_error("open", path);
    }
    Err err = ERR_OK;
    struct dirent *entry;
    while (!err && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = remove_one(dirfd(dir), entry->d_name, path, depth + 1);
    (void)closedir(dir);
    return err;
}

Err file_remove_tree(const char *path) { return remove_one(AT_FDCWD, path, path, 0); }

Err file_lock(const char *path, int *fd) {
    *fd = sys_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
    if (*fd < 0) return io_error("open", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) return ERR_OK;
    int e = errno;
    (void)close(*fd);
    *fd = -1;
    errno = e;
    if (e == EWOULDBLOCK) return err_set(ERR_BUSY, "'%s' is held by another process", path);
    return io_error("lock", path);
}

void file_unlock(int *fd) {
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}
