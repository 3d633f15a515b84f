/* What an editor sends: heads with lengths, and the messages behind them. */
#include "serve_desk.h"

#include "serve/lsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Peer p = {.desk = fuzz_desk(), .role = ROLE_ADMIN, .send = fuzz_send, .gone = fuzz_gone};
    Str in = str_make((const char *)data, size), message;
    size_t used = 0;
    Lsp *l = NULL;
    if (lsp_open(&l, p.desk)) return 0;
    atomic_init(&p.holders, 1);
    while (lsp_frame(in, &message, &used) == FRAME_WHOLE) {
        if (used > in.n || message.n > used) abort();
        lsp_message(l, &p, message);
        in = str_from(in, used);
    }
    fuzz_drop(&p);
    lsp_close(l);
    return 0;
}
