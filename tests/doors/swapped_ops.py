"""A plugin of pytest: Thinc's own tests with `FastdropOps` for `NumpyOps`, named as that one is."""

import numpy as np
import thinc.api
import thinc.backends
from thinc import registry

from fastdrop.thinc import FastdropOps

drawn = []


class SwappedOps(FastdropOps):
    """FastdropOps where the tests ask for "numpy"; counts the masks that were drawn."""

    name = "numpy"

    def get_dropout_mask(self, shape, drop):
        mask = super().get_dropout_mask(shape, drop)
        drawn.append(np.shape(mask))
        return mask


registry.ops.register("NumpyOps", func=SwappedOps)
thinc.api.NumpyOps = thinc.backends.NumpyOps = SwappedOps
thinc.backends.MPSOps.__bases__ = (SwappedOps,)  # which a test asks for
thinc.api.set_current_ops(SwappedOps())


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"{len(drawn)} masks by fastdrop")


def pytest_sessionfinish(session):
    if not drawn:
        session.exitstatus = 1
