/* wire.h - how a child tells its parent what it read: a frame of numbers (little-endian) and bytes, one a document.
 *
 *   "PYD2"  kind (1 byte: 0 text, 1 refused)
 *   text:    title (u32 n, n bytes)  what it says of itself (likewise: base/meta.h)  text (likewise)
 *            marks (u32 n, each: u32 start, u32 page, u8 titled, u32 n, path)
 *            parts (u32 n, each: u32 start, u32 n, n bytes)
 *   refused: Err (u8)  reason (u32 n, n bytes)
 *
 * The child may have been taken over by its document, so the parent believes nothing: lengths are checked against what
 * is there, texts must be UTF-8 without NUL, metadata its lines, marks ascend and stand at line starts, and so do
 * parts.
 */
#ifndef PYTHIA_INGEST_WIRE_H
#define PYTHIA_INGEST_WIRE_H

#include "base/arena.h"
#include "base/types.h"

#define WIRE_MAX ((size_t)128 * 1024 * 1024) /* bytes of a frame */

void wire_put_text(Buf *out, const Doc *doc);
void wire_put_refused(Buf *out, Err code, Str reason);

/* Fills title, meta, text and marks of doc (in the arena, text and parts' bytes borrowed from frame), or *refused and
 * *reason. ERR_CORRUPT when the frame is none. */
MUST_USE Err wire_read(Arena *a, Str frame, Doc *doc, Err *refused, Str *reason);

#endif
