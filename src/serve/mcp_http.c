/* mcp_http.c - MCP's streamable HTTP at /mcp: one POST, one message, one answer: JSON, or, where progress was asked for
 * and there is some, events of which it is the last. No sessions are kept, so none is asked for; nothing is sent
 * unasked, so GET (a stream of such) is refused, as the protocol allows. */
#include <stddef.h>
#include <stdlib.h>

#include "serve/http_impl.h"

/* The other end, as MCP sees it: its answer is the response's body. */
typedef struct {
    Peer peer;       /* first: a Peer is its HttpPeer */
    Watched watched; /* a client that leaves takes its call back, if its revision of the protocol has it so */
    Request *request;
} HttpPeer;

static void http_notify(Peer *p, Str message) {
    Request *r = ((HttpPeer *)(void *)p)->request;
    Buf event = {0};
    buf_add_z(&event, "event: message\ndata: ");
    buf_add(&event, message);
    buf_add_z(&event, "\n\n");
    r->call.status = 200;
    if (!event.failed) (void)request_stream(&r->call, buf_str(&event)); /* whoever has left hears nothing */
    buf_free(&event);
}

static void http_send_answer(Peer *p, Str message) {
    Request *r = ((HttpPeer *)(void *)p)->request;
    if (r->stream) {
        http_notify(p, message);
        return;
    }
    memcpy(r->session, p->session, sizeof r->session);
    r->call.status = 200;
    r->call.err = ERR_OK;
    buf_clear(&r->call.body);
    buf_add(&r->call.body, message);
}

/* The last holder is the call that was answered, or the dispatch itself. */
static void http_gone(Peer *p) {
    HttpPeer *h = (HttpPeer *)(void *)p;
    Request *r = h->request;
    lookout_remove(r->door->lookout, &h->watched);
    if (!request_stream_end(r)) {
        r->mcp = NULL;
        r->state = REQUEST_ANSWERED;
        r->door->mhd->resume_connection(r->connection);
    }
    free(h); /* only now: until the stream has ended its client may leave */
}

static void http_left(Watched *x) {
    HttpPeer *h = (HttpPeer *)(void *)((char *)x - offsetof(HttpPeer, watched));
    mcp_left(h->request->door->opts.mcp, &h->peer);
}

static bool accepts_both(Str accept) {
    Str rest = accept, one;
    bool json = false, stream = false;
    while (str_cut(&rest, ',', &one)) {
        ptrdiff_t end = str_find_char(one, ';');
        Str type = str_trim(end < 0 ? one : str_upto(one, (size_t)end));
        bool all = str_is(type, "*/*");
        json |= all || str_eq_nocase(type, STR("application/json")) || str_is(type, "application/*");
        stream |= all || str_eq_nocase(type, STR("text/event-stream")) || str_is(type, "text/*");
    }
    return json && stream;
}

static bool post_check(Request *r) {
    Str accept = request_header(r, "Accept");
    if (strcmp(r->method, "POST") != 0) {
        (void)snprintf(r->allow, sizeof r->allow, "POST");
        if (strcmp(r->method, "OPTIONS") == 0)
            r->call.status = 204;
        else
            request_refuse(r, 405, "method_not_allowed", "messages are sent with POST", NULL);
        return false;
    }
    if (!request_may(r, ROLE_READ)) return false;
    if (r->too_large) return request_too_large(r);
    if (!request_is_json(r)) {
        request_refuse(r, 415, "unsupported_media_type", "the body must be application/json", NULL);
        return false;
    }
    if (accept.p && accepts_both(accept)) return true;
    request_refuse(r, 406, "not_acceptable", "Accept must hold application/json and text/event-stream", NULL);
    return false;
}

static int connection_fd(const Request *r) {
    const union MHD_ConnectionInfo *info =
        r->door->mhd->get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

bool request_mcp(Request *r) {
    Buf answer = {0};
    if (!post_check(r)) return true;
    HttpPeer *p = calloc(1, sizeof *p);
    if (!p) {
        request_refuse(r, 503, "out_of_memory", "out of memory for a message", NULL);
        return true;
    }
    McpHeaders headers = {request_header(r, "MCP-Protocol-Version"), request_header(r, "Mcp-Method"),
                          request_header(r, "Mcp-Name"), request_header(r, "Mcp-Session-Id")};
    p->request = r;
    p->peer = (Peer){.desk = r->door->opts.desk,
                     .role = r->call.role,
                     .send = http_send_answer,
                     .notify = http_notify,
                     .gone = http_gone};
    p->peer.from.door = "mcp";
    memcpy(p->peer.from.who, r->who, sizeof r->who);
    atomic_init(&p->peer.holders, 1);
    /* Suspended first: the answer may come before mcp_post returns. */
    r->state = REQUEST_WAITING;
    r->call.status = 202; /* unless something is answered */
    r->door->mhd->suspend_connection(r->connection);
    r->mcp = &p->peer;
    p->watched = (Watched){.fd = connection_fd(r), .left = http_left};
    lookout_add(r->door->lookout, &p->watched);
    int status = mcp_post(r->door->opts.mcp, &p->peer, buf_str(&r->body), &headers, &answer);
    if (status) {
        r->call.status = status;
        r->call.body = answer;
    }
    peer_drop(&p->peer);
    return false;
}
