/* fault_vfs.h - a file system for SQLite whose n-th change fails: what tests of the store and above put under it.
 *
 * cmocka_unit_test_setup_teardown(test, fault_vfs_start, fault_vfs_stop), then fault_set(n, code); from the n-th change
 * on each fails, as on a disk that is gone. fault_synced, when it is set, is told each file that SQLite asks to be
 * durable: what it holds at that moment is all that a power cut is sure to leave of it. */
#ifndef PYTHIA_TESTS_FAULT_VFS_H
#define PYTHIA_TESTS_FAULT_VFS_H

#include <sqlite3.h>
#include <stdbool.h>

typedef struct {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    const char *name;   /* SQLite's, until the file is closed; NULL: a temporary one */
} FaultFile;

static long fault_at, fault_calls; /* fault_at 0: none */
static int fault_code;
static void (*fault_synced)(const char *name);

static sqlite3_file *real_of(sqlite3_file *f) { return ((FaultFile *)(void *)f)->real; }

/* True when this call is to fail; from then on each does, as on a disk that is gone. */
static bool fault_now(void) { return fault_at && ++fault_calls >= fault_at; }

static int fault_close(sqlite3_file *f) { return real_of(f)->pMethods->xClose(real_of(f)); }
static int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
    return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}
static int fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
    if (!fault_now()) return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
    /* Half of it may have reached the disk. */
    (void)real_of(f)->pMethods->xWrite(real_of(f), p, n / 2, at);
    return fault_code;
}
static int fault_truncate(sqlite3_file *f, sqlite3_int64 n) {
    return fault_now() ? SQLITE_IOERR_TRUNCATE : real_of(f)->pMethods->xTruncate(real_of(f), n);
}
/* Never a true sync: nobody cuts the power here, and they are most of the time. */
static int fault_sync(sqlite3_file *f, int flags) {
    const char *name = ((FaultFile *)(void *)f)->name;
    (void)flags;
    if (fault_now()) return SQLITE_IOERR_FSYNC;
    if (fault_synced && name) fault_synced(name);
    return SQLITE_OK;
}
static int fault_size(sqlite3_file *f, sqlite3_int64 *n) { return real_of(f)->pMethods->xFileSize(real_of(f), n); }
static int fault_lock(sqlite3_file *f, int level) { return real_of(f)->pMethods->xLock(real_of(f), level); }
static int fault_unlock(sqlite3_file *f, int level) { return real_of(f)->pMethods->xUnlock(real_of(f), level); }
static int fault_reserved(sqlite3_file *f, int *out) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}
static int fault_control(sqlite3_file *f, int op, void *arg) {
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int fault_sector(sqlite3_file *f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
static int fault_traits(sqlite3_file *f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); }
static int fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p) {
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, p);
}
static int fault_shm_lock(sqlite3_file *f, int at, int n, int flags) {
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}
static void fault_shm_barrier(sqlite3_file *f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); }
static int fault_shm_unmap(sqlite3_file *f, int gone) { return real_of(f)->pMethods->xShmUnmap(real_of(f), gone); }

static const sqlite3_io_methods fault_methods = {
    2,
    fault_close,
    fault_read,
    fault_write,
    fault_truncate,
    fault_sync,
    fault_size,
    fault_lock,
    fault_unlock,
    fault_reserved,
    fault_control,
    fault_sector,
    fault_traits,
    fault_shm_map,
    fault_shm_lock,
    fault_shm_barrier,
    fault_shm_unmap,
    NULL,
    NULL,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags) {
    sqlite3_vfs *real = vfs->pAppData;
    FaultFile *file = (FaultFile *)(void *)f;
    file->real = (sqlite3_file *)(void *)(file + 1);
    file->name = name;
    const int rc = real->xOpen(real, name, file->real, flags, out_flags);
    file->base.pMethods = file->real->pMethods ? &fault_methods : NULL;
    return rc;
}

static sqlite3_vfs fault_vfs;

static int fault_vfs_start(void **state) {
    (void)state;
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    fault_vfs = *real;
    fault_vfs.zName = "fault";
    fault_vfs.pAppData = real;
    fault_vfs.szOsFile = real->szOsFile + (int)sizeof(FaultFile);
    fault_vfs.xOpen = fault_open;
    return sqlite3_vfs_register(&fault_vfs, 1);
}

static int fault_vfs_stop(void **state) {
    (void)state;
    return sqlite3_vfs_unregister(&fault_vfs);
}

static inline void fault_set(long nth, int code) {
    fault_at = nth;
    fault_calls = 0;
    fault_code = code;
}

#endif
