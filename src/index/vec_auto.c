/* vec_auto.c - which kind serves so many rows best. */
#include "index/vec.h"

/* Rows. Below FEW the flat kind makes no partitions, by itself. From MANY on a graph asks for less of memory than codes
 * do: a search of flat grows with the square root of the rows, one of hnsw with their logarithm, and at a million codes
 * no longer lie in the cache (TAKEN_BACK: what was once many stays so while rows come and go). */
enum { FEW = 20000, MANY = 1000000, TAKEN_BACK = 750000 };

const char *vec_kind_auto(size_t n, const char *current, const char **why) {
    bool graph = n >= MANY || (n >= TAKEN_BACK && current && str_is(str_of(current), "hnsw"));
    *why = graph     ? "a graph, as there are a million vectors and more"
           : n < FEW ? "codes, all looked at, as there are fewer than 20,000 vectors"
                     : "codes in partitions, as there are fewer than a million vectors";
    return graph ? "hnsw" : "flat";
}
