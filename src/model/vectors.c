/* vectors.c - what is done with vectors that a model has made (model.h), without the model. */
#include "kern/kern.h"
#include "model/model.h"

float vectors_dot(const float *a, const float *b, size_t dim) { return kern_table()->dot(a, b, dim); }
