/* Buffers whose ends are watched: by pages that may not be touched, or by what watches the heap. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>
#include <stdint.h>

/*
 * HEAP: of malloc, for memcheck and the sanitizers. LOW and HIGH: between two pages without access, so that the first
 * byte before, or the first after, faults; together they watch both ends of a buffer of any size.
 */
typedef enum { HEAP, LOW, HIGH, PLACES } place;

static const char *const place_names[PLACES] = {"heap", "low", "high"};

uint8_t *take(place where, size_t bytes);
void give(place where, uint8_t *buffer, size_t bytes);

#endif
