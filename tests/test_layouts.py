"""dropout of arrays in any layout, part of a larger array or not, with and without a noise shape.

The right answer is always the reference's for the C-order copy, and the bytes between a view's elements stay.
"""

import tracemalloc
from itertools import accumulate, product

import numpy as np
import pytest
import reference
from conftest import DTYPES, KEY, STORES, assert_mask, assert_same, expected, kept, rng, values
from numpy.lib.stride_tricks import sliding_window_view

import fastdrop as fd

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_store = pytest.mark.parametrize("store", STORES)

VIEWS = {  # name: (shape of the base, view of it)
    "C": ((33, 130), lambda b: b),
    "F-517x300": ((300, 517), lambda b: b.T),
    "F-130x1000": ((1000, 130), lambda b: b.T),
    "C-1000x130[::2]": ((2000, 130), lambda b: b[::2]),
    "x[:,::2]": ((65, 131), lambda b: b[:, ::2]),
    "x[:,5:70]": ((70, 129), lambda b: b[:, 5:70]),
    "x[::-1]": ((8200,), lambda b: b[::-1]),
    "x[1::7]": ((30000,), lambda b: b[1::7]),
    "x[::-1,::-3]": ((40, 400), lambda b: b[::-1, ::-3]),
    "x.T[::2,::-1]": ((400, 90), lambda b: b.T[::2, ::-1]),
    "channels-last": ((2, 3, 6, 3), lambda b: b.transpose(0, 3, 1, 2)[..., ::2]),
    "channels-last-large": ((2, 40, 66, 5), lambda b: b.transpose(0, 3, 1, 2)[..., ::2]),
    "newaxis": ((40, 90), lambda b: b[:, None, ::3, None]),
    "0-d": ((5,), lambda b: b[3, ...]),
    "one-element": ((3, 3), lambda b: b[1:2, 1:2]),
    "0x3": ((0, 3), lambda b: b),
    "3x0x2-F": ((2, 0, 3), lambda b: b.T),
}
OVERLAPPING = {  # views whose elements share memory: input only
    "rows": ((1, 70), lambda b: np.broadcast_to(b, (61, 70))),
    "columns": ((70, 1), lambda b: np.broadcast_to(b, (70, 61))),
    "middle": ((4, 70), lambda b: np.broadcast_to(b[:, None, :], (4, 15, 70))),
    "scalar": ((), lambda b: np.broadcast_to(b, (4099,))),
    "sliding": ((500,), lambda b: sliding_window_view(b, 9)),
}


def random_view(seed):
    """A base of 1 to 5 axes and a view of it with the axes permuted, and steps and starts of their own."""
    g = np.random.default_rng(seed)
    axes = 1 + seed % 5
    steps, starts = g.choice([1, 1, 2, 3, -1, -2], axes), g.integers(0, 2, axes)
    sizes = g.integers(1, max(2, round(9000 ** (1 / axes))), axes)
    slices = tuple(slice(s if step > 0 else -1 - s, None, step) for s, step in zip(starts, steps, strict=True))
    order = g.permutation(axes)
    return tuple((sizes * abs(steps) + starts).tolist()), lambda b: b[slices].transpose(order)


VIEWS |= {f"random-{seed}": random_view(seed) for seed in range(15)}
TURNED = {  # bits that are neighbours across the rows of memory: of a few channels, of many, and of long columns
    f"{c}-channels": ((2, 10, 72, c), lambda b: b[:, 1:, :71].transpose(0, 3, 1, 2)) for c in (2, 3, 5, 16, 17, 64, 65)
}
TURNED |= {f"{c}-channels-whole": ((3, 67, 9, c), lambda b: b[1:].transpose(0, 3, 1, 2)) for c in (1, 3, 16, 17, 100)}
TURNED |= {f"F-{n}x{m}": ((m + 1, n), lambda b: b[1:].T) for n, m in [(1921, 65), (3000, 35), (5003, 30), (7700, 31)]}
OUTS = {  # name: (base shape for a shape, view of the base), another layout for the result
    "F": (lambda shape: shape[::-1], lambda b: b.T),
    "every-other": (lambda shape: (*shape, 2), lambda b: b[..., 1]),
    "reversed": (lambda shape: shape, lambda b: b[(slice(None, None, -1),) * b.ndim + (...,)]),
}


def make(view, dtype, seed=0):
    """(base, the view of it, the C-order copy of the view)."""
    shape, f = view
    base = values(int(np.prod(shape)), dtype, seed).reshape(shape)
    return base, f(base), np.array(f(base), order="C")


def answer(copy, p=0.1, **place):
    """(mask, values) of the C-order copy."""
    keep = kept(p, copy.size, **place).reshape(copy.shape)
    return keep, expected(copy, keep, p)


def assert_only_view_written(base, view, before, want):
    """base is as before, but for the view, which is want."""
    after = before.copy()
    view[1](after)[...] = want
    assert base.tobytes() == after.tobytes()


@every_store
@every_dtype
@pytest.mark.parametrize("name", VIEWS | OVERLAPPING)
def test_out_of_place(backend, name, dtype, store):
    base, x, copy = make((VIEWS | OVERLAPPING)[name], dtype)
    keep, want = answer(copy)
    y, mask = fd.dropout(x, 0.1, rng=rng(), store=store)
    assert_mask(mask, keep)
    for got in (y, fd.dropout_backward(x, mask), mask.apply(x)):
        assert_same(got, want)
        assert got.strides == np.empty_like(x).strides
        assert not np.may_share_memory(got, base)
    assert_same(np.array(x), copy)


@every_store
@every_dtype
@pytest.mark.parametrize("name", VIEWS)
def test_in_place(backend, name, dtype, store):
    base, x, copy = make(VIEWS[name], dtype)
    before = base.copy()
    keep, want = answer(copy)
    y, mask = fd.dropout(x, 0.1, rng=rng(), out=x, store=store)
    assert y is x
    assert_mask(mask, keep)
    assert_only_view_written(base, VIEWS[name], before, want)
    base[...] = before
    assert fd.dropout_backward(x, mask, out=x) is x
    assert_only_view_written(base, VIEWS[name], before, want)


@pytest.mark.parametrize("dtype", DTYPES[::3] + DTYPES[2:3], ids=str)
@pytest.mark.parametrize("offset", [0, 5])
@pytest.mark.parametrize("name", TURNED)
def test_turned_in_place(backend, name, offset, dtype):
    base, x, copy = make(TURNED[name], dtype)
    before = base.copy()
    _, want = answer(copy, offset=offset)
    _, mask = fd.dropout(x, 0.1, rng=rng(), out=x, offset=offset)
    assert_only_view_written(base, TURNED[name], before, want)
    assert_same(fd.dropout_backward(np.array(copy, order="C"), mask), want)
    base[...] = before
    fd.dropout_backward(x, mask, out=x)
    assert_only_view_written(base, TURNED[name], before, want)


@every_dtype
@pytest.mark.parametrize("p", [0, 1])
@pytest.mark.parametrize("name", VIEWS)
def test_all_or_nothing_in_place(backend, name, p, dtype):
    base, x, copy = make(VIEWS[name], dtype)
    before, want = base.copy(), copy if p == 0 else np.zeros_like(copy)
    _, mask = fd.dropout(x, p, rng=rng(), out=x)
    assert_only_view_written(base, VIEWS[name], before, want)
    base[...] = before
    fd.dropout_backward(x, mask, out=x)
    assert_only_view_written(base, VIEWS[name], before, want)


@every_dtype
@pytest.mark.parametrize("out_name", OUTS)
@pytest.mark.parametrize("name", ["C", "F-517x300", "x[:,::2]", "channels-last-large", "0-d", "0x3", "sliding", "rows"])
def test_into_another_layout(backend, name, out_name, dtype):
    _, x, copy = make((VIEWS | OVERLAPPING)[name], dtype)
    _, want = answer(copy)
    out_view = (OUTS[out_name][0](copy.shape), OUTS[out_name][1])
    for store in STORES:
        out_base, out, _ = make(out_view, dtype, seed=1)
        before = out_base.copy()
        y, mask = fd.dropout(x, 0.1, rng=rng(), out=out, store=store)
        assert y is out
        assert_only_view_written(out_base, out_view, before, want)
        assert fd.dropout_backward(x, mask, out=out) is out
        assert_only_view_written(out_base, out_view, before, want)
    assert_same(np.array(x), copy)


SPLITS = {  # disjoint parts of one array: (shape, dtype, x, out)
    "a[::2]": (9000, "f4", lambda a: a[::2], lambda a: a[1::2]),
    "a[:,:n]": ((70, 130), "f4", lambda a: a[:, :65], lambda a: a[:, 65:]),
    "neighbours": (9000, "f4", lambda a: a[:4500], lambda a: a[4500:]),
    "real-imag": (5000, "c16", lambda a: a.real, lambda a: a.imag),
    "fields": (900, [("x", "f8"), ("out", "f8")], lambda a: a["x"], lambda a: a["out"]),
}


@pytest.mark.parametrize("name", SPLITS)
def test_interleaved_out_is_disjoint(backend, name):
    shape, dtype, x_of, out_of = SPLITS[name]
    a = np.ones(shape, dtype)
    copy = values(x_of(a).size, x_of(a).dtype).reshape(x_of(a).shape)
    x_of(a)[...] = copy
    out = out_of(a)
    _, want = answer(copy)
    y, _ = fd.dropout(x_of(a), 0.1, rng=rng(), out=out)
    assert y is out
    assert_same(np.array(out_of(a)), want)
    assert_same(np.array(x_of(a)), copy)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_stride_that_is_no_multiple_of_the_item(backend, dtype):
    """Aligned, for complex numbers, and not, for the packed record."""
    for align in (True, False):
        record = np.dtype([("x", dtype), ("t", f"f{np.dtype(dtype).alignment}")], align=align)
        a = np.zeros(999, record)
        a["x"] = values(999, np.dtype(dtype))
        a["t"] = 7
        _, want = answer(np.array(a["x"]))
        assert_same(fd.dropout(a["x"], 0.1, rng=rng())[0], want)
        x = a["x"]
        fd.dropout(x, 0.1, rng=rng(), out=x)
        assert_same(np.array(a["x"]), want)
        assert (a["t"] == 7).all()


# Input that NumPy users have


def byte_swapped(a, path):
    return a.astype(a.dtype.newbyteorder())


def unaligned(a, path):
    raw = np.zeros(a.nbytes + 1, np.uint8)
    x = raw[1:].view(a.dtype).reshape(a.shape)
    x[...] = a
    return x


def frombuffer(a, path):
    return np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape)


def memory_map(a, path):
    a.tofile(path)
    return np.memmap(path, a.dtype, "r", shape=a.shape)


def subclass(a, path):
    return a.view(type("Sub", (np.ndarray,), {}))


@every_store
@every_dtype
@pytest.mark.parametrize("shape", [(), (3,), (61, 70)], ids=str)
@pytest.mark.parametrize("wrap", [byte_swapped, unaligned, frombuffer, memory_map, subclass])
def test_foreign_input(backend, tmp_path, wrap, shape, dtype, store):
    if wrap is byte_swapped and dtype.kind == "V":
        pytest.skip("there is no byte-swapped bfloat16")
    copy = values(int(np.prod(shape)), dtype).reshape(shape)
    x = wrap(copy, tmp_path / "x")
    keep, want = answer(copy)
    y, mask = fd.dropout(x, 0.1, rng=rng(), store=store)
    assert_mask(mask, keep)
    for got in (y, fd.dropout_backward(x, mask), mask.apply(x)):
        assert_same(got, want)
    out = np.empty(shape, dtype)
    assert fd.dropout(x, 0.1, rng=rng(), out=out)[0] is out
    assert_same(out, want)


@pytest.mark.parametrize("x", [1.5, [1.0, 2.0, 3.0], [[1j], [2]], np.float32(3), (np.ones(2, "f2"),) * 2], ids=repr)
def test_what_asarray_takes(x):
    copy = np.asarray(x)
    y, mask = fd.dropout(x, 0.1, rng=rng())
    assert_same(y, answer(copy)[1])
    assert_same(fd.dropout_backward(x, mask), y)


@pytest.mark.parametrize("p", [0, 0.5])
def test_plain_0d_array_and_never_x_itself(p):
    x = np.array(2.0)
    y, mask = fd.dropout(x, p, rng=rng())
    assert type(y) is np.ndarray
    assert y.shape == mask.shape == ()
    assert not np.shares_memory(x, y)


@every_store
@pytest.mark.parametrize("name", ["a[::2]", "F", "a[:,::2]"])
def test_strided_data_is_not_copied(backend, name, store):
    n = 2**22
    views = {"a[::2]": lambda a: a[::2], "F": lambda a: a[:n].reshape(2048, -1).T}
    views["a[:,::2]"] = lambda a: a.reshape(2048, -1)[:, ::2]
    x = views[name](np.ones(2 * n, np.float32))
    fd.dropout(x[:1], 0.5, rng=rng(), out=x[:1])
    tracemalloc.start()
    try:
        _, mask = fd.dropout(x, 0.5, rng=rng(), out=x, store=store)
        forward = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        fd.dropout_backward(x, mask, out=x)
        backward = tracemalloc.get_traced_memory()[1] - held
    finally:
        tracemalloc.stop()
    assert max(forward, backward) < n // 8 + 2**16


# Noise shapes, windows, offsets, rows

NOISE = [((4, 6, 5), n) for n in [(None, 1, None), (4, 1, 5), (1, 1, 1), (5,), (1, 5), (6, 1), (None,), (None, 1), ()]]
NOISE += [((10, 2), (2,)), ((), ()), ((4099,), (1,)), ((3, 5000), (5000,)), ((5000, 3), (None, 1)), ((7, 70), (7, 70))]
NOISE += [((3, 0, 2), (3, 1, 1)), ((3, 0, 2), (None,) * 3), ((0, 3), (1, 3)), ((0, 3), (None, 1)), ((0,), (1,))]
NOISE += [((8, 64, 6, 7), (8, 64, 1, 1)), ((8, 6, 7, 64), (8, 1, 1, 64)), ((2, 700, 3, 5), (1, None, 1, None))]
LAYOUTS = {
    "C": lambda a: a,
    "F": lambda a: np.array(a, order="F"),
    "strided": lambda a: np.repeat(a[..., None], 3, -1)[..., 1],
}


@every_store
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("offset", [0, 4090, 2**44 + 1])
@pytest.mark.parametrize(("shape", "noise_shape"), NOISE, ids=str)
def test_noise_shape(backend, shape, noise_shape, offset, layout, store):
    copy = values(int(np.prod(shape)), DTYPES[(offset + len(noise_shape)) % len(DTYPES)]).reshape(shape)
    drawn = shape[len(shape) - len(noise_shape) :]
    drawn = tuple(size if entry is None else entry for size, entry in zip(drawn, noise_shape, strict=True))
    keep = kept(0.3, int(np.prod(drawn)), offset).reshape(drawn)
    want = expected(copy, keep, 0.3)
    x = LAYOUTS[layout](copy.copy())
    for out in (None, x):
        y, mask = fd.dropout(x, 0.3, rng=rng(), noise_shape=noise_shape, offset=offset, store=store, out=out)
        assert_same(np.array(y), want)
        assert_mask(mask, keep, shape)
    assert_same(fd.dropout_backward(LAYOUTS[layout](copy), mask), want)
    assert_same(mask.apply(copy), want)


WINDOWS = [  # (full_shape, start, shape, noise_shape)
    ((9000,), (4000,), (300,), None),
    ((9000,), (4000,), (300,), (1,)),
    ((2**64,), (2**64 - 70,), (70,), (None,)),
    ((100, 130), (30, 61), (40, 66), None),
    ((100, 130), (30, 61), (40, 66), (None, 1)),
    ((100, 130), (30, 61), (40, 66), (1, None)),
    ((100, 130), (30, 61), (40, 66), (None,)),
    ((2**31, 2**33), (2**31 - 3, 2**33 - 70), (3, 70), (1, None)),
    ((100, 130), (100, 0), (0, 130), None),
    ((20, 30, 40), (3, 4, 5), (17, 9, 31), None),
    ((20, 30, 40), (3, 4, 5), (17, 9, 31), (None, 1, None)),
    ((20, 30, 40), (3, 4, 5), (17, 9, 31), (1, None)),
    ((), (), (), None),
]


def test_contiguous_x_into_columns_of_a_wider_array(backend):
    x, wide = values(600, np.dtype("f4")).reshape(20, 30), np.zeros((20, 40), np.float32)
    fd.dropout(x, 0.1, rng=rng(), out=wide[:, :30])
    assert_same(wide[:, :30].copy(), expected(x, kept(0.1, 600).reshape(20, 30), 0.1))
    assert not wide[:, 30:].any()


def test_many_short_rows_with_a_bit_each(backend):
    """More than the core applies at a time."""
    x, keep = values(90_000, np.dtype("f4")).reshape(30_000, 3), kept(0.1, 30_000)[:, None]
    assert_same(fd.dropout(x, 0.1, rng=rng(), noise_shape=(None, 1))[0], expected(x, keep, 0.1))


@every_store
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("full_shape", "start", "shape", "noise_shape"), WINDOWS, ids=str)
def test_window(backend, full_shape, start, shape, noise_shape, layout, store):
    copy = values(int(np.prod(shape)), DTYPES[len(full_shape)]).reshape(shape)
    axes = list(zip(full_shape, start, shape, strict=True))
    if noise_shape is not None:
        axes = axes[len(shape) - len(noise_shape) :]
        axes = [(1, 0, 1) if entry == 1 else axis for axis, entry in zip(axes, noise_shape, strict=True)]
    keep = reference.kept_at(KEY, 0, 0.3, reference.window_indices(*zip(*axes, strict=True) if axes else ((),) * 3))
    x = LAYOUTS[layout](copy.copy())
    kwargs = {"rng": rng(), "window": (full_shape, start), "noise_shape": noise_shape, "store": store}
    y, mask = fd.dropout(x, 0.3, out=x, **kwargs)
    assert_same(np.array(y), expected(copy, keep, 0.3))
    assert_mask(mask, keep, shape)
    assert_same(fd.dropout_backward(copy, mask), expected(copy, keep, 0.3))


def parts(shape, seed):
    """Slices that cut every axis at random places."""
    g = np.random.default_rng(seed)
    cuts = [np.sort(g.integers(0, size + 1, g.integers(0, 4))).tolist() for size in shape]
    return product(*(map(slice, [0, *c], [*c, size]) for c, size in zip(cuts, shape, strict=True)))


def assert_parts_make_whole(shape, split, p, noise_shape=None):
    """Dropout of every part in place, and of its gradient, makes dropout of the whole.

    split yields (slices, rng, keywords) of the parts.
    """
    x = values(int(np.prod(shape)), np.dtype("f4")).reshape(shape)
    whole, mask = fd.dropout(x, p, rng=rng(), noise_shape=noise_shape)
    for store in STORES:
        y, dx, bits = x.copy(), x.copy(), np.zeros(shape, bool)
        for at, r, place in split():
            _, m = fd.dropout(y[at], p, rng=r, out=y[at], noise_shape=noise_shape, store=store, **place)
            bits[at] = m.to_bool()
            fd.dropout_backward(dx[at], m, out=dx[at])
        np.testing.assert_array_equal(bits, mask.to_bool())
        assert_same(y, whole)
        assert_same(dx, whole)


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_offsets_split_the_whole(backend, seed, p):
    shape = (20011,)
    assert_parts_make_whole(shape, lambda: ((at, rng(), {"offset": at[0].start}) for at in parts(shape, seed)), p)


@pytest.mark.parametrize("shape", [(9001,), (37, 300), (7, 40, 45)], ids=str)
@pytest.mark.parametrize("noise", ["none", "first", "last"])
@pytest.mark.parametrize("seed", range(3))
def test_windows_split_the_whole(backend, shape, noise, seed):
    noise_shape = {"none": None, "first": (None,) + (1,) * (len(shape) - 1), "last": (None,)}[noise]

    def split():
        for at in parts(shape, seed):
            yield at, rng(), {"window": (shape, [s.start for s in at])}

    assert_parts_make_whole(shape, split, 0.1, noise_shape)


@pytest.mark.parametrize("shape", [(9001,), (37, 300), (7, 40, 45)], ids=str)
@pytest.mark.parametrize("noise", ["none", "first", "last"])
def test_rows_split_the_whole(backend, shape, noise):
    noise_shape = {"none": None, "first": (None,) + (1,) * (len(shape) - 1), "last": (None,)}[noise]
    starts = [0, *accumulate([1, 3, 2])]
    rows = [slice(a, b) for a, b in zip(starts, [*starts[1:], shape[0]], strict=True)]

    def split():
        return ((s, rng().at_row(s.start // 2).at_row(s.start - s.start // 2), {}) for s in rows)

    assert_parts_make_whole(shape, split, 0.3, noise_shape)
    whole = fd.bernoulli(shape, 0.3, rng=rng())
    np.testing.assert_array_equal(fd.bernoulli(whole[4:].shape, 0.3, rng=rng().at_row(4)), whole[4:])


@every_store
@pytest.mark.parametrize("residual", [False, True], ids=["dropout", "residual"])
def test_the_step_of_a_single_element_does_not_matter(store, residual):
    """A batch of one from every other row, and the same memory seen with another step, are the same elements."""
    base = values(2 * 130, np.dtype("f4")).reshape(2, 130)
    x, out = base[::2], base[:1]
    copy = x.copy()
    assert x.strides != out.strides
    _, want = answer(copy)
    if residual:
        fd.bias_dropout_residual(copy, None, x, 0.1, rng=rng(), out=out, store=store)
        want = want + copy
    else:
        fd.dropout(x, 0.1, rng=rng(), out=out, store=store)
    assert_same(np.array(out), want)
