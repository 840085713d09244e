"""The words of PyTorch, Keras and JAX: an error that names ours, and no other error changes."""

import re

import numpy as np
import pytest

import fastdrop as fd


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Dropout1d", "SpatialDropout"),
        ("Dropout2d", "SpatialDropout"),
        ("Dropout3d", "SpatialDropout"),
        ("dropout2d", "SpatialDropout"),
        ("SpatialDropout1D", "SpatialDropout(p, channel_axis=-1)"),
        ("SpatialDropout2D", "SpatialDropout(p, channel_axis=-1)"),
        ("DropBlock2d", "DropBlock(p, block_size)"),
        ("StochasticDepth", "DropPath"),
        ("feature_alpha_dropout", "FeatureAlphaDropout"),
        ("VariationalDropout", "LockedDropout"),
        ("WeightDrop", "DropConnect"),
    ],
)
def test_names(name, ours):
    message = f"module 'fastdrop' has no attribute '{name}': it is fastdrop.{ours}"
    with pytest.raises(AttributeError, match=rf"\A{re.escape(message)}"):
        getattr(fd, name)
    assert not hasattr(fd, name)
    assert hasattr(fd, re.match(r"\w+", ours)[0])


def test_every_name_it_gives_is_there():
    from fastdrop._foreign_words import NAMES

    for name, ours in NAMES.items():
        assert name not in fd.__all__
        assert re.match(r"\w+", ours)[0] in fd.__all__


def test_another_name():
    with pytest.raises(AttributeError, match=r"\Amodule 'fastdrop' has no attribute 'nothing'\Z"):
        fd.nothing  # noqa: B018


LAYERS = [
    fd.Dropout,
    fd.StandardDropout,
    fd.SpatialDropout,
    fd.UnitDropout,
    fd.LockedDropout,
    fd.DropPath,
    fd.DropConnect,
    fd.AlphaDropout,
    fd.FeatureAlphaDropout,
    fd.GaussianDropout,
    fd.DropBlock,
    fd.EmbeddingDropout,
]


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("rate", "p"),
        ("drop_prob", "p"),
        ("keep_prob", "p = 1 - keep_prob"),
        ("training", "train() or eval() of the layer"),
        ("deterministic", "train() or eval() of the layer"),
        ("seed", "rng"),
    ],
)
def test_keywords(cls, word, ours):
    message = rf"\A{re.escape(f'{cls.__name__} has no keyword {word}: it is {ours} here')}\Z"
    with pytest.raises(TypeError, match=message):
        cls(**{word: 0.5})
    layer = cls(p=0.5)
    for _ in range(2):
        with pytest.raises(TypeError, match=message):
            layer(np.ones((2, 3, 4, 5)), **{word: True})
        with pytest.raises(TypeError):
            layer.forward(np.ones((2, 3, 4, 5)), nonsense=True)


def test_other_keywords():
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        fd.Dropout(nonsense=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        fd.Dropout()(np.ones(3), nonsense=1)


def test_a_subclass_has_words_of_its_own():
    class Mine(fd.Dropout):
        def __init__(self, rate=0.5, **options):
            super().__init__(rate, **options)

    assert Mine(rate=0.25, inplace=True).p == 0.25
    with pytest.raises(TypeError, match=re.escape("Mine has no keyword seed: it is rng here")):
        Mine(seed=1)
