/* mhd.h - libmicrohttpd, loaded when a server starts and not with the program: it brings GnuTLS and nine libraries
 * more, and `pythia search` must not pay for them. LGPL 2.1, linked dynamically.
 *
 * mhd->start_daemon(…) is MHD_start_daemon(…), and so on. Threads: mhd_load any, once; the table is constant then.
 */
#ifndef PYTHIA_SERVE_MHD_H
#define PYTHIA_SERVE_MHD_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/err.h"

/* X(function): what we use, by the types of the library's own header. */
#define MHD_LIST(X)                                                                                                    \
    X(quiesce_daemon)                                                                                                  \
    X(stop_daemon)                                                                                                     \
    X(get_connection_info)                                                                                             \
    X(get_connection_values)                                                                                           \
    X(lookup_connection_value)                                                                                         \
    X(suspend_connection)                                                                                              \
    X(resume_connection)                                                                                               \
    X(queue_response)                                                                                                  \
    X(create_response_from_buffer)                                                                                     \
    X(create_response_from_callback)                                                                                   \
    X(add_response_header)                                                                                             \
    X(destroy_response)                                                                                                \
    X(create_post_processor)                                                                                           \
    X(post_process)                                                                                                    \
    X(destroy_post_processor)                                                                                          \
    X(is_feature_supported)

typedef struct {
    struct MHD_Daemon *(*start_daemon)(unsigned int, uint16_t, MHD_AcceptPolicyCallback, void *,
                                       MHD_AccessHandlerCallback, void *, ...);
#define MHD_MEMBER(name) __typeof__(&(MHD_##name)) name;
    MHD_LIST(MHD_MEMBER)
#undef MHD_MEMBER
} Mhd;

/* ERR_UNSUPPORTED with the package's name when it is not there. */
MUST_USE Err mhd_load(const Mhd **out);

#endif
