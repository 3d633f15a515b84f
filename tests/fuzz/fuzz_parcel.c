/* Structs from another process: what is read and written again reads as the same. The first byte chooses the shape. */
#include <stdint.h>
#include <stdlib.h>

#include "engine/pythia.h"
#include "serve/shared.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ParcelShape *const shapes[] = {&parcel_search,  &parcel_reply, &shared_caller, &shared_texts,
                                            &shared_vectors, &parcel_ask,   &parcel_answer};
enum { SHAPES = sizeof shapes / sizeof *shapes };
typedef union {
    PythiaSearch search;
    PythiaReply reply;
    SharedCaller caller;
    SharedTexts texts;
    SharedVectors vectors;
    PythiaAsk ask;
    PythiaAnswer answer;
} Any;

static bool parcel_of(Arena *a, const ParcelShape *shape, Str text, Any *out) {
    json_t *v = NULL;
    if (json_read(text, "parcel", &v)) return false;
    const Err err = parcel_read(a, shape, v, out);
    json_decref(v);
    return !err;
}

static void text_of(Buf *b, const ParcelShape *shape, const Any *from) {
    JsonOut j = jout_to(b);
    parcel_write(&j, shape, from);
    if (buf_ok(b)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a = {0};
    Buf once = {0}, twice = {0};
    Any read, again;
    if (size < 1) return 0;
    const ParcelShape *shape = shapes[data[0] % SHAPES];
    if (parcel_of(&a, shape, str_make((const char *)data + 1, size - 1), &read)) {
        text_of(&once, shape, &read);
        if (!parcel_of(&a, shape, buf_str(&once), &again)) abort();
        text_of(&twice, shape, &again);
        if (!str_eq(buf_str(&once), buf_str(&twice))) abort();
    }
    buf_free(&once);
    buf_free(&twice);
    arena_free(&a);
    return 0;
}
