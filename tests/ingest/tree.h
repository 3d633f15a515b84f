/* tree.h - trees of files for the tests of this room. */
#ifndef PYTHIA_TESTS_INGEST_TREE_H
#define PYTHIA_TESTS_INGEST_TREE_H

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "check.h"

/* root/path with this content; folders are made. */
static inline void tree_file_bytes(const char *root, const char *path, Str content) {
    char full[2048];
    (void)snprintf(full, sizeof full, "%s/%s", root, path);
    char *slash = strrchr(full, '/');
    *slash = 0;
    CHECK_OK(file_make_dirs(full, 0755));
    *slash = '/';
    const int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, content.p, content.n), content.n);
    CHECK_INT(close(fd), 0);
}

static inline void tree_file(const char *root, const char *path, const char *content) {
    tree_file_bytes(root, path, str_of(content));
}

static inline void tree_link(const char *root, const char *path, const char *target) {
    char full[2048];
    (void)snprintf(full, sizeof full, "%s/%s", root, path);
    CHECK_INT(symlink(target, full), 0);
}

#endif
