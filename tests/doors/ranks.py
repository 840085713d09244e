"""What one rank of a data-parallel program does, for test_mpi.py: `ranks.py mpi`, or `ranks.py gloo RANK SIZE FILE`.

An assertion that fails on a rank ends it, and the launcher with it.
"""

import sys
from functools import partial

import numpy as np

import fastdrop as fd
from fastdrop.network import SGD, Network, softmax_cross_entropy

BATCH, STEPS, SEED = 50, 40, 7


def mpi():
    """This rank, their number, and sums and lists over all ranks."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    return comm.rank, comm.size, lambda a: comm.Allreduce(MPI.IN_PLACE, a), comm.allgather


def gloo(rank, size, file):
    """Likewise, of torch.distributed on CPUs."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{file}", rank=int(rank), world_size=int(size))

    def gathered(value):
        values = [None] * int(size)
        dist.all_gather_object(values, value)
        return values

    return int(rank), int(size), lambda a: dist.all_reduce(torch.from_numpy(a)), gathered


def part(n, rank, size):
    """The rows of rank `rank`: of other numbers where size does not divide n."""
    return n * rank // size, n * (rank + 1) // size


def check_masks(rank, size, gathered):
    """Shards by at_row and by window are the whole; what fold_in(rank) draws is not, and another one on each rank."""
    x = np.random.default_rng(0).standard_normal((37, 29))
    whole = fd.dropout(x, 0.3, rng=fd.Rng(SEED))[0]
    first, last = part(37, rank, size)
    rows = fd.dropout(x[first:last], 0.3, rng=fd.Rng(SEED).at_row(first))[0]
    assert np.concatenate(gathered(rows)).tobytes() == whole.tobytes()

    first, last = part(29, rank, size)
    columns = fd.dropout(x[:, first:last], 0.3, rng=fd.Rng(SEED), window=(x.shape, (0, first)))[0]
    assert np.concatenate(gathered(columns), axis=1).tobytes() == whole.tobytes()

    own = gathered(fd.dropout(x, 0.3, rng=fd.Rng(SEED).fold_in(rank))[1].bits.tobytes())
    assert len({*own, fd.dropout(x, 0.3, rng=fd.Rng(SEED))[1].bits.tobytes()}) == size + 1


def train(rank, size, add, rng_of):
    """Train on this rank's rows of every mini-batch; return all weights. `rng_of` has the step and the first row."""
    generator = np.random.default_rng(SEED)
    x = generator.standard_normal((200, 8))
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)
    network = Network([8, 32, 32, 2], seed=SEED, dtype=np.float64)
    optimizer = SGD(network, learning_rate=0.05)
    for step in range(STEPS):
        batch = generator.permutation(len(x))[:BATCH]
        first, last = part(BATCH, rank, size)
        rows = batch[first:last]
        _, dlogits = softmax_cross_entropy(network.forward(x[rows], rng=rng_of(step, first)), labels[rows])
        network.backward(dlogits * (len(rows) / BATCH))  # the mean of the mini-batch, not of the shard
        for _, gradient in network.parameters():
            add(gradient)
        optimizer.step()
    return np.concatenate([w.ravel() for w, _ in network.parameters()])


def check_training(rank, size, add):
    """Data-parallel training gives the weights of one process, to the rounding of the sums over a mini-batch.

    A gradient is a sum over 50 rows, of which ranks change the order: an error of 50 * 2^-53 of its terms' size. With a
    learning rate of .05, a momentum of .9 and terms of at most about 1, 40 steps add up to
    40 * .05 / (1 - .9) * 50 * 2^-53 = 1.1e-13. A wrong mask moves weights by more than 1e-2.
    """
    alone = train(0, 1, lambda a: None, lambda step, first: fd.Rng(SEED).fold_in(step))
    together = train(rank, size, add, lambda step, first: fd.Rng(SEED).fold_in(step).at_row(first))
    difference = np.abs(together - alone).max()
    assert difference < 1.1e-13, difference
    if size > 1:  # the bound tells them apart: every rank with the masks of the first rows
        wrong = train(rank, size, add, lambda step, first: fd.Rng(SEED).fold_in(step))
        assert np.abs(wrong - alone).max() > 1e-2
    return difference


def main(kind, *arguments):
    """Check all of it, and say so."""
    rank, size, add, gathered = {"mpi": mpi, "gloo": partial(gloo, *arguments)}[kind]()
    check_masks(rank, size, gathered)
    differences = gathered(check_training(rank, size, add))
    if rank == 0:
        print(f"{size} ranks agree; weights differ from one process by {max(differences):.1e} at most")


if __name__ == "__main__":
    main(*sys.argv[1:])
