/* What comes in by the socket: frames, and the messages in them (rpc.h). The last byte chooses the dialect. */
#include "serve_desk.h"

#include "serve/rpc.h"
#include "serve/socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Peer p = {.desk = fuzz_desk(), .role = ROLE_ADMIN, .send = fuzz_send, .gone = fuzz_gone};
    Str in = str_make((const char *)data, size), message;
    size_t used = 0;
    bool jsonrpc = size && data[size - 1] & 1;
    atomic_init(&p.holders, 1);
    while (socket_frame(in, &message, &used) == FRAME_WHOLE) {
        if (used > in.n || used != message.n + 4) abort();
        rpc_message(&p, jsonrpc, message);
        in = str_from(in, used);
    }
    fuzz_drop(&p);
    return 0;
}
