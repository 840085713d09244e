/*
 * Checks every backend that runs here: `check_core VECTORS [ID]` prints a line for each, and exits with 1 on a
 * mismatch, whose id, given back, runs that case alone.
 *
 * Masks are compared with known answers. What else is checked is in a file a subject, against what oracle.c and
 * stream.c make element by element from the specification, at places kept by the portable backend's scalar masks.
 */
#include "check.h"

#include <signal.h>
#include <stdlib.h>

static void crashed(int number) {
    fail("signal", (size_t)number);
    _Exit(1);
}

int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    long all_failures = 0;
    const char *wanted = argc > 2 ? argv[2] : NULL; /* a backend; then a case */
    only = argc > 3 ? argv[3] : NULL;
    for (int i = 0; fd_backend_at(i); i++)
        portable = fd_backend_at(i); /* the last */
    signal(SIGSEGV, crashed);
    signal(SIGILL, crashed);
    fd_threads_always(1);
    make_oracle();
    make_fences();
    printf("%s, %s\n", fd_compiler(), fd_has_openmp() ? "OpenMP" : "serial");
    for (int i = 0; fd_backend_at(i); i++) {
        backend = fd_backend_at(i);
        if (!fd_backend_supported(backend) || (wanted && strcmp(wanted, fd_backend_name(backend)) != 0))
            continue;
        cases = failures = 0;
        if (!file || !check_vectors(file)) {
            printf("no vectors, or not as expected\n");
            return 2;
        }
        check_draw();
        check_dropout();
        check_p_array();
        check_apply();
        check_residual();
        check_samples();
        check_packed();
        check_rows();
        check_threads();
        printf("backend %s %ld %s\n", fd_backend_name(backend), cases, failures ? "FAILED" : "ok");
        all_failures += failures;
    }
    fclose(file);
    return all_failures > 0;
}
