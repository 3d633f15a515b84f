/* peer.h - the other end of a line of messages: a connection of the socket, or stdin and stdout.
 *
 * Whoever reads the messages is one thread; answers come from any worker, in any order, whole. A peer lives until its
 * reader has let go and the last call that is under way for it has been answered.
 *
 * A peer's maker sets send and gone; the rest is peer_*'s.
 */
#ifndef PYTHIA_SERVE_PEER_H
#define PYTHIA_SERVE_PEER_H

#include <stdatomic.h>

#include "serve/desk.h"

enum { PEER_SESSION = 65 };

typedef struct Peer Peer;
struct Peer {
    Desk *desk;
    Role role;
    CallFrom from;
    void (*send)(Peer *p, Str message); /* one whole message, framed and written; any thread */
    /* The same of a message that is no answer, while a call is under way; NULL: by send. */
    void (*notify)(Peer *p, Str message);
    void (*gone)(Peer *p); /* nobody holds it any more: frees it */
    atomic_int holders;
    /* Whose calls it may take back besides its own: those of peers with the same session and from. "": none. */
    char session[PEER_SESSION];
};

void peer_hold(Peer *p);
void peer_drop(Peer *p); /* gone() when it was the last */

#endif
