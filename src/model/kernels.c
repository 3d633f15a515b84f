/* kernels.c - what the rooms above may know of the kernels: their name. */
#include "kern/kern.h"
#include "model/model.h"

Err model_kernels(const char **name, const char **possible) {
    TRY(kern_init());
    *name = kern_table()->name;
    *possible = kern_level_names();
    return ERR_OK;
}
