/* vectors.h - files of vectors as others write them: NumPy's .npy and the .fvecs of the benchmark sets.
 *
 *   .npy    versions 1 to 3: two dimensions, little-endian f4 (read in place), f2 or f8 (turned into f4), C order
 *   .fvecs  each row: int32 dim, then dim f4; all rows of one dim
 *
 * The bytes are foreign: shape, length and order are checked before anything is read (ERR_INPUT, naming the file), and
 * numbers that are not finite are found by whoever takes the rows.
 */
#ifndef PYTHIA_INDEX_VECTORS_H
#define PYTHIA_INDEX_VECTORS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"

typedef struct {
    const float *rows; /* [n, dim] */
    size_t n, dim;
    FileMap map;  /* of the file, while rows lie in it */
    float *owned; /* where they were copied; NULL else */
} VectorFile;

MUST_USE Err vectors_open(VectorFile *out, const char *path);
void vectors_close(VectorFile *v);

/* The same of bytes in memory, for .npy when npy, else .fvecs. out->map is left empty: bytes must outlive out. */
MUST_USE Err vectors_read(VectorFile *out, Str bytes, bool npy, const char *path);

#endif
