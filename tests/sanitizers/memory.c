#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* The bytes of the pages that hold a buffer: at least one. */
static size_t room(size_t bytes) { return bytes / page_size() * page_size() + page_size(); }

static void must(int done, const char *what) {
    if (!done) {
        perror(what);
        exit(2);
    }
}

uint8_t *take(place where, size_t bytes) {
    if (where == HEAP) {
        uint8_t *buffer = malloc(bytes);
        must(buffer != NULL || bytes == 0, "malloc");
        return buffer;
    }
    const size_t page = page_size(), inside = room(bytes);
    uint8_t *base = mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(base != MAP_FAILED, "mmap");
    must(mprotect(base + page, inside, PROT_READ | PROT_WRITE) == 0, "mprotect");
    return base + page + (where == HIGH ? inside - bytes : 0);
}

void give(place where, uint8_t *buffer, size_t bytes) {
    const size_t page = page_size(), inside = room(bytes);
    if (where == HEAP)
        free(buffer);
    else
        munmap(buffer - page - (where == HIGH ? inside - bytes : 0), inside + 2 * page);
}
