"""A pytest plugin: PyTorch's own tests of dropout get fastdrop's modules, or run within fast_dropout().

--swap says which; the passes of fastdrop's own functions are counted, and none is an error.
"""

import torch

import fastdrop as fd
import fastdrop.torch

PASSES = [0]


def counted(f):
    def pass_over(*args, **kwargs):
        PASSES[0] += 1
        return f(*args, **kwargs)

    return pass_over


def pytest_addoption(parser):
    parser.addoption("--swap", choices=("modules", "operator"), required=True)


def pytest_configure(config):
    fd.dropout, fd.alpha_dropout = counted(fd.dropout), counted(fd.alpha_dropout)
    if config.option.swap == "operator":
        within = fastdrop.torch.fast_dropout()
        within.__enter__()
        config.add_cleanup(lambda: within.__exit__(None, None, None))
    else:
        for name in fastdrop.torch.__all__:
            if hasattr(torch.nn, name):
                setattr(torch.nn, name, getattr(fastdrop.torch, name))


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"{PASSES[0]} passes of fastdrop's")
    if PASSES[0] == 0:
        raise RuntimeError("fastdrop did nothing: was anything swapped?")
