/*
 * Monte-Carlo dropout: a network of two layers runs 100 times with dropout on, and the spread of its outputs shows how
 * certain they are (Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016). csrc/README.md says how to
 * compile it.
 */
#include <math.h>
#include <stdio.h>

#include "fastdrop.h"

enum { ROWS = 4, INPUTS = 8, HIDDEN = 64, OUTPUTS = 3, PASSES = 100 };

static const double P = 0.2;

/* The key of fastdrop.Rng(0): fastdrop.mc_dropout(hidden, P, PASSES, rng=fastdrop.Rng(0)) gives the same samples. */
static const fd_key KEY = {0xDB2CD7E7B0F478BE, 0xABF4641A2C71BA49};

/* In place of a batch and of trained weights: small multiples of 1/16, whose products and sums are exact. */
static float input(int row, int i) { return (float)((5 * row + 3 * i) % 7 - 3) / 4; }
static float weight(int i, int j) { return (float)((31 * i + 17 * j) % 33 - 16) / 16; }

/* ReLU(x @ w1): the same in every pass, as no dropout comes before it. */
static void hidden_layer(float hidden[ROWS][HIDDEN]) {
    for (int row = 0; row < ROWS; row++)
        for (int j = 0; j < HIDDEN; j++) {
            float sum = 0;
            for (int i = 0; i < INPUTS; i++)
                sum += input(row, i) * weight(i, j);
            hidden[row][j] = sum > 0 ? sum : 0;
        }
}

/* One row of hidden @ w2, for one output. */
static float output_layer(const float hidden[HIDDEN], int output) {
    float sum = 0;
    for (int j = 0; j < HIDDEN; j++)
        sum += hidden[j] * weight(j, INPUTS + output);
    return sum;
}

int main(void) {
    const fd_run run = fd_run_default();
    static float hidden[ROWS][HIDDEN], thinned[PASSES][ROWS][HIDDEN];
    double mean[ROWS][OUTPUTS] = {{0}}, squares[ROWS][OUTPUTS] = {{0}};

    hidden_layer(hidden);
    fd_samples(&run, KEY, P, FD_F32, 0, ROWS * HIDDEN, PASSES, hidden, thinned);
    for (int t = 0; t < PASSES; t++)
        for (int row = 0; row < ROWS; row++)
            for (int k = 0; k < OUTPUTS; k++) { /* Welford's running mean and sum of squares */
                const double y = output_layer(thinned[t][row], k), delta = y - mean[row][k];
                mean[row][k] += delta / (t + 1);
                squares[row][k] += delta * (y - mean[row][k]);
            }

    printf("backend %s, %d passes, mean and standard deviation:\n", fd_backend_name(run.backend), PASSES);
    for (int row = 0; row < ROWS; row++) {
        printf("row %d:", row);
        for (int k = 0; k < OUTPUTS; k++)
            printf("  %.6f +- %.6f", mean[row][k], sqrt(squares[row][k] / PASSES));
        printf("\n");
    }
    return 0;
}
