/* mhd.c - see mhd.h. */
#include "serve/mhd.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static Mhd lib; /* written once, under lib_once */
static bool lib_ready;
static char lib_problem[256];
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

/* Through memcpy: ISO C has no cast from an object pointer to a function's. */
static bool lib_symbol(void *from, const char *name, void *to, size_t size) {
    void *p = dlsym(from, name);
    if (!p) (void)snprintf(lib_problem, sizeof lib_problem, "it has no '%s'", name);
    if (p) memcpy(to, (const void *)&p, size);
    return p != NULL;
}

static void lib_load(void) {
    void *from = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    if (!from) {
        (void)snprintf(lib_problem, sizeof lib_problem, "%s", dlerror());
        return;
    }
    lib_ready = lib_symbol(from, "MHD_start_daemon", &lib.start_daemon, sizeof lib.start_daemon);
#define MHD_LOAD(name) lib_ready = lib_ready && lib_symbol(from, "MHD_" #name, &lib.name, sizeof lib.name);
    MHD_LIST(MHD_LOAD)
#undef MHD_LOAD
}

Err mhd_load(const Mhd **out) {
    *out = &lib;
    (void)pthread_once(&lib_once, lib_load);
    if (lib_ready) return ERR_OK;
    return err_fix(err_set(ERR_UNSUPPORTED, "libmicrohttpd cannot be loaded: %s", lib_problem),
                   "apt-get install libmicrohttpd12");
}
