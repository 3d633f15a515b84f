/* socket.h - the door of a Unix socket: 4 bytes of length (big-endian), then so many of JSON, both ways (rpc.h).
 *
 * One thread reads all connections; a worker writes its answer itself, and leaves to the thread what the other end does
 * not take at once. Any number of requests may be under way on one connection. The socket is its owner's alone (mode
 * 0600, and the other end's user is looked at).
 *
 * Limits: SOCKET_FRAME_MAX a message, SOCKET_CONNECTIONS_MAX connections, SOCKET_UNREAD_MAX bytes that the other end
 * has not read; beyond, the connection is closed.
 */
#ifndef PYTHIA_SERVE_SOCKET_H
#define PYTHIA_SERVE_SOCKET_H

#include "serve/peer.h"

#define SOCKET_FRAME_MAX  ((size_t)64 << 20)
#define SOCKET_UNREAD_MAX ((size_t)64 << 20)
enum { SOCKET_CONNECTIONS_MAX = 512 };

typedef enum { FRAME_WHOLE, FRAME_PART, FRAME_BAD } FrameState;
/* The first frame of in: its message, and how many bytes it took; FRAME_PART: more is to come; FRAME_BAD: over the
 * limit. */
FrameState socket_frame(Str in, Str *message, size_t *used);

typedef struct SocketDoor SocketDoor;

/* Listens when it returns. A socket file that nobody listens on any more is replaced. ERR_BUSY: somebody listens there;
 * ERR_USAGE: the path is too long for a socket. */
MUST_USE Err socket_door_open(SocketDoor **out, Desk *desk, const char *path);
/* No new connections and requests from here on. */
void socket_door_stop(SocketDoor *d);
/* Waits up to ms until the answers are sent, then closes and removes the file. After desk_close. NULL is fine. */
void socket_door_close(SocketDoor *d, int64_t ms);

#endif
