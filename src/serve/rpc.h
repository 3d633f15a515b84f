/* rpc.h - calls as messages: {"id","method","params"} in, {"id","result"} or {"id","error"} out, over the table of
 * operations (ops.h). Two dialects with the same methods:
 *
 *   the socket's   an error is {"code":"usage","message","fix"}, the codes of the command line
 *   JSON-RPC 2.0   "jsonrpc":"2.0" in both directions, numbers for errors (jsonrpc.org/specification), the above in "data";
 *                  a request without an id is not answered; arrays are batches
 *
 * Answers come as they are ready, not in the order of the requests.
 */
#ifndef PYTHIA_SERVE_RPC_H
#define PYTHIA_SERVE_RPC_H

#include "serve/peer.h"

enum { RPC_BATCH_MAX = 256 };

/* One message as it came. Answers go to p->send, perhaps before this returns. Never fails: what cannot be understood is
 * answered as JSON-RPC wants it. */
void rpc_message(Peer *p, bool jsonrpc, Str text);

/* ---- for other protocols on JSON-RPC (mcp.c) ---- */
enum {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_NO_METHOD = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL = -32603
};
/* {"jsonrpc":"2.0","id":ID,"error":{"code","message"[,"data":DATA]}}; id NULL: null. */
void rpc_error_write(Buf *out, const json_t *id, int code, const char *message, Str data);
/* {"jsonrpc":"2.0","id":ID,"result":RESULT} */
void rpc_result_write(Buf *out, const json_t *id, Str result);

/* Answers of one batch, gathered; sent as one array when the last has come. */
typedef struct RpcBatch RpcBatch;
RpcBatch *rpc_batch_new(Peer *p, size_t n); /* NULL: no memory. n: members, answered or not */
/* answer "": a member that wants none. */
void rpc_batch_add(RpcBatch *b, Str answer);

#endif
