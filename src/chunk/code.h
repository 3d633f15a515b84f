/* code.h - private to the room: what an outline means for chunks. */
#ifndef PYTHIA_CHUNK_CODE_H
#define PYTHIA_CHUNK_CODE_H

#include "chunk/outline.h"
#include "chunk/unit.h"

/* Corrects the borders that borders_mark gave to the units of the same text. */
void code_borders(const Outline *o, Units *u);

/* Sets symbol, names and kind of the chunks of the same text. */
MUST_USE Err code_name(Arena *a, const Outline *o, Chunk *chunks, size_t n);

#endif
