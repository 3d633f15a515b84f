/* parcel.h - requests and replies of the engine, struct for struct, between two processes of one build (shared.h).
 *
 * A shape lists the members of a struct; writer and reader go by the same list, so that what is read is what was
 * written: floats bit for bit, strings byte for byte. JSON, because the socket speaks it; strings that no JSON holds
 * (paths are bytes) are an array of their hex digits. A member that is missing here would be lost on the way:
 * tests/serve/test_parcel.c looks for bytes of the structs that no member covers.
 *
 * Threads: shapes are constant; any. Memory: what is read lives in the arena.
 */
#ifndef PYTHIA_SERVE_PARCEL_H
#define PYTHIA_SERVE_PARCEL_H

#include "base/arena.h"
#include "base/json.h"

typedef enum {
    PARCEL_STR,  /* Str */
    PARCEL_TEXT, /* const char *, UTF-8; may be NULL */
    PARCEL_I64,
    PARCEL_I32,
    PARCEL_SIZE,
    PARCEL_F64,
    PARCEL_F32,
    PARCEL_BOOL,
    PARCEL_STRS, /* const Str *, and how many */
    PARCEL_PART, /* a struct within the struct */
    PARCEL_PARTS /* a pointer to structs, and how many */
} ParcelKind;

typedef struct ParcelShape ParcelShape;
typedef struct {
    const char *name; /* NULL: end of the list */
    ParcelKind kind;
    size_t at, n_at;          /* offsets of the member, and of the size_t that counts it (STRS, PARTS) */
    const ParcelShape *shape; /* of PART and PARTS */
} ParcelMember;
struct ParcelShape {
    size_t size;
    const ParcelMember *members;
};

extern const ParcelShape parcel_search; /* PythiaSearch */
extern const ParcelShape parcel_reply;  /* PythiaReply */
extern const ParcelShape
    parcel_ask; /* PythiaAsk, without session, owner, turns and tell: such questions do not travel */
extern const ParcelShape parcel_answer; /* PythiaAnswer */

/* One JSON object. */
void parcel_write(JsonOut *j, const ParcelShape *shape, const void *from);

/* Fills *to. ERR_INPUT names the member that is missing or of a wrong type; members without a place here are passed
 * over. */
MUST_USE Err parcel_read(Arena *a, const ParcelShape *shape, const json_t *object, void *to);

#endif
