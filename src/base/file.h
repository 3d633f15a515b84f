/* file.h - files and paths. Every failure names the path and the system's reason.
 *
 * All I/O that must survive a crash goes through here, so that tests can make the n-th call fail (fault_arm).
 */
#ifndef PYTHIA_BASE_FILE_H
#define PYTHIA_BASE_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

typedef enum { FILE_NONE, FILE_REGULAR, FILE_DIR, FILE_LINK, FILE_OTHER } FileType;

typedef struct {
    FileType type;
    int64_t size;     /* bytes */
    int64_t mtime_ns; /* Unix time in ns */
    uint64_t inode;
    uint64_t device;
} FileInfo;

/* Of the link itself (follow false) or of what it points to. A missing file is ERR_OK with FILE_NONE. */
MUST_USE Err file_info(const char *path, bool follow, FileInfo *out);

/* Whole content into the arena, NUL behind it. ERR_LIMIT above max_size; ERR_IO for anything but a regular file
 * (opened with O_NONBLOCK, so that a FIFO cannot hang it). */
MUST_USE Err file_read(Arena *a, const char *path, size_t max_size, Str *out);

/* Writes beside and renames over path; fsyncs file and folder. On failure the old file is untouched and nothing is
 * left behind. mode e.g. 0644. */
MUST_USE Err file_write_atomic(const char *path, Str content, unsigned mode);

/* A read-only map. Empty files give {"",0}. SIGBUS on later truncation is the caller's risk: map only files that are
 * replaced by rename. */
typedef struct {
    Str bytes;
    void *map_; /* private */
} FileMap;
MUST_USE Err file_map(const char *path, FileMap *out);
void file_unmap(FileMap *m); /* back to {0}; {0} is fine */
/* Whole pages inside part (of m->bytes) leave this process's memory and are read from the file again when touched: for
 * bytes that were used once. A hint; {0} is fine. */
void file_map_forget(const FileMap *m, Str part);

/* A file that is appended to. */
typedef struct {
    int fd;
    int64_t size; /* bytes */
    char path[1024];
} FileAppend;
MUST_USE Err file_append_open(const char *path, FileAppend *out); /* creates; {-1} on failure */
MUST_USE Err file_append(FileAppend *f, const void *bytes, size_t n);
MUST_USE Err file_append_truncate(FileAppend *f, int64_t size);
MUST_USE Err file_append_sync(FileAppend *f);
void file_append_close(FileAppend *f);

/* Puts from in the place of to, and syncs the folder. from must be synced already. */
MUST_USE Err file_rename(const char *from, const char *to);
/* The same in two steps, for many files of one folder: the names last once the folder that `path` lies in is synced. */
MUST_USE Err file_move(const char *from, const char *to);
MUST_USE Err file_sync_dir_of(const char *path);
MUST_USE Err file_make_dirs(const char *path, unsigned mode); /* as mkdir -p; new ones are synced into theirs */
MUST_USE Err file_remove(const char *path);                   /* missing is fine */
MUST_USE Err file_remove_tree(const char *path);              /* never follows links; missing is fine */

/* Joins with one slash; b absolute gives b. */
const char *path_join(Arena *a, const char *dir, const char *name);
/* Absolute, links resolved; the last part need not exist. */
MUST_USE Err path_real(Arena *a, const char *path, const char **out);
/* Absolute and without ".", ".." and "//", links kept. */
const char *path_absolute(Arena *a, const char *path);
Str path_base(Str path); /* "a/b.c" -> "b.c" */
Str path_dir(Str path);  /* "a/b.c" -> "a"; "b.c" -> "" */
Str path_ext(Str path);  /* "a/b.tar.gz" -> "gz"; none -> "" */
/* True when path equals dir or lies below it (both absolute, normal). */
bool path_within(Str path, Str dir);

/* Advisory lock of a file, released by close or by the process's end. ERR_BUSY when another process holds it. */
MUST_USE Err file_lock(const char *path, int *fd);
void file_unlock(int *fd);

/* Tests: from now on the nth call (1-based) of open, write, fsync, rename, truncate or mmap in this room fails with
 * err_no; 0 disarms. fault_count tells how many calls were made since arming. Always compiled in: one relaxed load. */
void fault_arm(long nth, int err_no);
long fault_count(void);

#endif
