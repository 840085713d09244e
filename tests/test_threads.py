"""Threads: any number of them, shared objects, settings that change under a call, signals, other OpenMP runtimes."""

import importlib.util
import itertools
import os
import pickle
import platform
import re
import signal
import sys
import threading

import numpy as np
import pytest
from children import LARGE, digest, python, threaded
from conftest import THREADS, assert_same, expected, kept, rng, values

import fastdrop as fd

pytestmark = pytest.mark.usefixtures("restored_threads")
X = np.ones(130, np.float32)


@pytest.fixture
def switching():
    """The interpreter changes threads as often as it can."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(old)


def at_once(*functions):
    """What the functions return, each run in a thread of its own, all let go together."""
    results, start = [None] * len(functions), threading.Barrier(len(functions))

    def work(i, function):
        start.wait()
        results[i] = function()

    threads = [threading.Thread(target=work, args=job) for job in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def flat(lists):
    return list(itertools.chain.from_iterable(lists))


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("n", [4096 * k + d for k in (1, 2, 33, 256) for d in (-1, 0, 1)])
def test_any_number_of_threads_gives_the_same_bytes(n, p):
    x, results = values(n, np.dtype("f4")), set()
    for threads in THREADS:
        fd.set_num_threads(threads)
        y, mask = fd.dropout(x, p, rng=rng(), offset=77)
        into, recipe = fd.dropout(x, p, rng=rng(), offset=77, out=x.copy(), store="recipe")
        dropped = fd.bernoulli(n, p, rng=rng())
        results.add(digest(y, mask.bits, fd.dropout_backward(x, mask), dropped))
        assert digest(y, y) == digest(into, fd.dropout_backward(x, recipe))
    assert len(results) == 1
    if n < 10**5:
        assert_same(y, expected(x, kept(p, n, offset=77), p))


# Objects and settings that threads share


def test_two_python_threads_at_once():
    fd.set_num_threads(3)
    alone = [threaded(seed) for seed in range(2)]
    together = at_once(*[lambda s=s: [threaded(s) for _ in range(8)] for s in range(2)])
    assert together == [[one] * 8 for one in alone]


DRAWS = {
    "dropout": lambda shared: fd.dropout(X, rng=shared)[1].bits.tobytes(),
    "bernoulli": lambda shared: fd.bernoulli(130, 0.5, rng=shared).tobytes(),
    "Dropout": lambda shared: fd.Dropout(rng=shared)(X).tobytes(),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_64_threads_share_an_rng(draw, switching):
    """Every stream is taken, and by one call."""
    shared, each = fd.Rng(9), 25
    drawn = at_once(*[lambda: [draw(shared) for _ in range(each)]] * 64)
    alone, n = fd.Rng(9), 64 * each
    assert shared.counter == n
    assert sorted(flat(drawn)) == sorted(draw(alone) for _ in range(n))


def test_64_threads_spawn_from_an_rng(switching):
    shared = fd.Rng(9)
    spawned = at_once(*[lambda: [child.key for _ in range(10) for child in shared.spawn(3)]] * 64)
    assert shared.state["spawned"] == 64 * 30
    assert sorted(flat(spawned)) == sorted(child.key for child in fd.Rng(9).spawn(64 * 30))


def test_a_state_is_of_one_moment(switching):
    """Whoever reads it while others set it gets one of those that were set, whole."""
    states = [fd.Rng.from_key(k, k, counter=k).state for k in range(2)]
    shared = fd.Rng.from_key(0, 0)

    def change():
        for i in range(2000):
            shared.state = states[i % 2]

    read = at_once(change, *[lambda: [shared.state for _ in range(1000)]] * 3, change)[1:-1]
    assert all(state in states for state in flat(read))


def test_spawned_children_are_of_one_state(switching):
    """Whoever spawns while others set the state gets children of one key, of its own numbers."""
    states = [{**fd.Rng.from_key(k, k).state, "spawned": 10**6 * k} for k in range(2)]
    numbers, shared = 2000, fd.Rng.from_key(0, 0)
    valid = set()
    for state in states:
        twin = fd.Rng.from_key(0, 0)
        twin.state = state
        valid |= {child.key for child in twin.spawn(numbers)}

    def change():
        for i in range(numbers):
            shared.state = states[i % 2]

    spawned = at_once(change, *[lambda: [shared.spawn(1)[0].key for _ in range(numbers // 3)]] * 3, change)[1:-1]
    assert set(flat(spawned)) <= valid


@pytest.mark.parametrize("store", ["bits", "recipe"])
def test_threads_share_a_mask(store):
    fd.set_num_threads(2)
    dy = values(LARGE, np.dtype("f4"))
    mask = fd.dropout(dy, 0.1, rng=4, store=store)[1]

    def use():
        read = mask.kept, mask.to_bool(), pickle.loads(pickle.dumps(mask)).bits
        return digest(fd.dropout_backward(dy, mask), mask.apply(dy), mask.bits, *read)

    assert set(at_once(*[use] * 6)) == {use()}


def test_settings_change_while_a_call_runs():
    backend, stop = fd.backend(), threading.Event()
    alone = [threaded(seed) for seed in range(3)]

    def change():
        while not stop.is_set():
            for n in (1, 3, 2, 7):
                fd.set_num_threads(n)
                fd._core.binding.set_backend(fd.backends()[n % len(fd.backends())])
                fd.get_num_threads(), fd.show_config(mode="dicts")

    changer = threading.Thread(target=change)
    changer.start()
    try:
        together = at_once(*[lambda s=s: [threaded(s) for _ in range(6)] for s in range(3)])
    finally:
        stop.set()
        changer.join()
        fd._core.binding.set_backend(backend)
    assert together == [[one] * 6 for one in alone]


def test_threads_that_import_numpys_modules_first():
    """numpy.ma and numpy.random are imported at their first use: another thread may meet them half made."""
    code = """if True:
        import importlib, threading, fastdrop as fd
        sys.setswitchinterval(1e-6)
        start, drawn = threading.Barrier(8), []
        def work(i):
            start.wait()
            if i == 0:
                importlib.import_module("numpy.ma")
            drawn.extend(fd.dropout([1.0] * 9, rng=1)[1].bits.tobytes() for _ in range(50))
        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        [thread.start() for thread in threads], [thread.join() for thread in threads]
        print(len(drawn), len(set(drawn)))"""
    assert python(code) == "400 1"


# Signals


@pytest.fixture
def alarms():
    """alarms(handler) calls it every millisecond from then on."""
    old = signal.getsignal(signal.SIGALRM)

    def start(handler):
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, old)


def test_signals_during_calls(alarms):
    fd.set_num_threads(2)
    mine, count = threaded(), []
    alarms(lambda *_: count.append(fd.dropout(X, rng=0)[0].sum()))
    while len(count) < 50:
        assert threaded() == mine
    assert len(set(count)) == 1


def test_an_interrupt_leaves_a_call_whole(alarms):
    """The handler's exception waits for the call's end: what was drawn is written, and the next stream is next."""
    fd.set_num_threads(2)
    shared, y = fd.Rng(2), np.ones(LARGE, np.float32)

    def interrupt(*_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt

    def draw():
        alarms(interrupt)
        fd.dropout(y, 0.1, rng=shared, out=y)
        while True:
            pass

    for _ in range(10):
        y[...], before = 1, shared.counter
        with pytest.raises(KeyboardInterrupt):
            draw()
        want = np.ones_like(y)
        if shared.counter > before:  # else the handler was quicker than the call
            want = fd.dropout(want, 0.1, rng=fd.Rng.from_key(*shared.key, counter=before))[0]
        assert shared.counter - before in (0, 1)
        np.testing.assert_array_equal(y, want)
    assert shared.counter > 0


# Whether they pay


@pytest.mark.parametrize(("pause", "says"), [(0.0, "yes, "), (0.314, "not at the moment: .* again in 0.31 s")])
def test_show_config_tells_whether_threads_pay(pause, says, monkeypatch):
    build = fd._core.binding.build()
    monkeypatch.setattr(fd._core.binding, "build", lambda: build | {"threads pause": pause})
    assert re.match(says, fd.show_config(mode="dicts")["threads"]["pay"])


def test_masks_do_not_depend_on_whether_threads_pay():
    fd.set_num_threads(2)
    always = [threaded(seed) for seed in range(3)]
    fd._core.binding.set_threads_always(False)
    try:
        assert [[threaded(seed) for seed in range(3)] for _ in range(12)] == [always] * 12
    finally:
        fd._core.binding.set_threads_always(True)


def test_show_config_tells_of_prefetching():
    """On for the processors that benchmarks/README.md names: AMD's family 25, models 0 to 15."""
    cpu = {}
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            cpu = dict(re.findall(r"^(vendor_id|cpu family|model)\s*: (\S+)$", file.read(), re.M))
    if platform.machine() == "x86_64" and not cpu:
        pytest.skip("nothing here says which processor it is")
    zen3 = (cpu.get("vendor_id"), cpu.get("cpu family")) == ("AuthenticAMD", "25") and int(cpu["model"]) < 16
    says = ("on: " if zen3 else "off: not ") + "measured to pay on this processor"
    assert fd.show_config(mode="dicts")["prefetch"] == says


# How many threads


def test_num_threads():
    for n in (1, np.int64(3), 7):
        assert fd.set_num_threads(n) is None
        assert fd.get_num_threads() == n
        assert type(fd.get_num_threads()) is int


@pytest.mark.parametrize(
    ("fastdrop", "omp", "threads"), [("3", None, 3), (None, "4", 4), ("3", "5", 3), ("3", "1", 3), (None, "4,2", 4)]
)
def test_threads_from_the_environment(fastdrop, omp, threads):
    code = "import fastdrop as fd; print(fd.get_num_threads()); fd.set_num_threads(2); print(fd.get_num_threads())"
    assert python(code, FASTDROP_NUM_THREADS=fastdrop, OMP_NUM_THREADS=omp).split() == [str(threads), "2"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
@pytest.mark.parametrize("n", [1, 2])
def test_threads_from_the_affinity(n):
    cpus = sorted(os.sched_getaffinity(0))[:n]
    code = f"os.sched_setaffinity(0, {cpus}); import fastdrop as fd; print(fd.get_num_threads())"
    assert 1 <= int(python(code)) <= len(cpus)  # less where a cgroup allows less


@pytest.mark.parametrize("omp", ["99999999999", "9" * 5000, "abc", "-3", "0", "", " ", ",", "1e3", "\u0664"])
def test_what_is_no_number_of_threads_for_openmp_is_as_if_unset(omp):
    done = python("import fastdrop as fd; print(fd.get_num_threads())", check=False, OMP_NUM_THREADS=omp)
    assert (done.returncode, done.stdout) == (0, python("import fastdrop as fd; print(fd.get_num_threads())") + "\n")


@pytest.mark.parametrize(("text", "threads"), [(" 4 ", 4), ("007", 7), ("4,2", 4), ("100000", 2**16)])
def test_numbers_of_threads_for_openmp(text, threads):
    done = python("import fastdrop as fd; print(fd.get_num_threads())", check=False, OMP_NUM_THREADS=text)
    assert (done.returncode, done.stdout) == (0, f"{threads}\n")


@pytest.mark.parametrize("text", ["0", "-1", "abc", "4,2", "1.5", "00", "\u0664"])
def test_what_is_no_number_of_threads_for_fastdrop_is_an_error(text):
    done = python("import fastdrop", check=False, FASTDROP_NUM_THREADS=text, PYTHONUTF8="1")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == f"ImportError: FASTDROP_NUM_THREADS must be an int of at least 1, got {text!r}"


@pytest.mark.parametrize(("text", "threads"), [(" 4 ", 4), ("99999999999", 2**16), ("9" * 5000, 2**16)])
def test_numbers_of_threads_for_fastdrop(text, threads):
    assert python("import fastdrop as fd; print(fd.get_num_threads())", FASTDROP_NUM_THREADS=text) == str(threads)


ROOT_V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
CPU_V1 = "31 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"
OTHER_V1 = "32 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n35 1 8:1 / / rw - ext4 /dev/sda rw"


def v1(quota, period="100000"):
    return {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": period}


def v2(limit):
    return {"cpu.max": limit}


QUOTAS = {  # /proc/self/cgroup, /proc/self/mountinfo, the groups below /sys/fs/cgroup, the CPUs
    "v2-none": ("0::/", ROOT_V2, {"": v2("max 100000")}, None),
    "v2-two": ("0::/", ROOT_V2, {"": v2("200000 100000")}, 2),
    "v2-rounds-up": ("0::/", ROOT_V2, {"": v2("250000 100000")}, 3),
    "v2-part-of-one": ("0::/", ROOT_V2, {"": v2("10000 100000")}, 1),
    "v2-own": ("0::/a/b", ROOT_V2, {"a": v2("max 100000"), "a/b": v2("100000 100000")}, 1),
    "v2-parent": ("0::/a/b", ROOT_V2, {"a": v2("200000 100000"), "a/b": v2("max 100000")}, 2),
    "v2-the-least-is-the-parent": ("0::/a/b", ROOT_V2, {"a": v2("100000 100000"), "a/b": v2("300000 100000")}, 1),
    "v2-the-least-is-the-child": ("0::/a/b", ROOT_V2, {"a": v2("400000 100000"), "a/b": v2("300000 100000")}, 3),
    "v2-a-neighbour": ("0::/a/b", ROOT_V2, {"a/c": v2("100000 100000"), "b": v2("100000 100000")}, None),
    "v2-systemd": (
        "0::/system.slice/app@1.service",
        ROOT_V2,
        {"system.slice": {}, "system.slice/app@1.service": v2("150000 100000")},
        2,
    ),
    "v2-in-a-container": ("0::/box/1", ROOT_V2.replace("/ /sys", "/box/1 /sys"), {"": v2("100000 100000")}, 1),
    "v2-outside-the-namespace": ("0::/../x", ROOT_V2.replace("/ /sys", "/box /sys"), {"": v2("100000 100000")}, 1),
    "v2-beside-the-mount": (
        "0::/x",
        ROOT_V2.replace("/ /sys", "/box /sys"),
        {"": v2("200000 100000"), "../x": v2("100000 100000")},
        2,
    ),
    "v2-of-another-form": ("0::/", ROOT_V2, {"": v2("max")}, None),
    "v2-junk": ("0::/", ROOT_V2, {"": v2("100000 0")}, None),
    "v1-none": ("4:cpu,cpuacct:/", CPU_V1, {"cpu,cpuacct": v1("-1")}, None),
    "v1-rounds-up": ("4:cpu,cpuacct:/", CPU_V1, {"cpu,cpuacct": v1("150000")}, 2),
    "v1-own": ("4:cpu,cpuacct:/a", CPU_V1, {"cpu,cpuacct": v1("-1"), "cpu,cpuacct/a": v1("150000", "50000")}, 3),
    "v1-parent": ("4:cpu,cpuacct:/a/b", CPU_V1, {"cpu,cpuacct/a": v1("50000"), "cpu,cpuacct/a/b": v1("200000")}, 1),
    "v1-in-a-container": (
        "4:cpu,cpuacct:/docker/1",
        CPU_V1.replace("/ /sys", "/docker/1 /sys"),
        {"cpu,cpuacct": v1("200000")},
        2,
    ),
    "v1-without-a-period": ("4:cpu,cpuacct:/", CPU_V1, {"cpu,cpuacct": {"cpu.cfs_quota_us": "150000"}}, None),
    "v1-another-controller": ("5:memory:/\n4:cpu,cpuacct:/", OTHER_V1, {"memory": v1("100000")}, None),
    "both": (
        "4:cpu,cpuacct:/a\n0::/b",
        f"{CPU_V1}\n{OTHER_V1}\n{ROOT_V2}",
        {"cpu,cpuacct/a": v1("300000"), "b": v2("200000 100000")},
        2,
    ),
    "a-name-with-colons": ("0::/a:b", ROOT_V2, {"a:b": v2("100000 100000")}, 1),
    "no-mount": ("0::/", "", {"": v2("100000 100000")}, None),
    "junk": ("x\n::\n", "y\n - cgroup2\n", {}, None),
}


def tree(folder, cgroup, mountinfo, groups):
    """A system's /proc and /sys, as far as control groups go."""
    files = {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo}
    files |= {f"sys/fs/cgroup/{group}/{name}": text for group, of in groups.items() for name, text in of.items()}
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text + "\n", encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(("cgroup", "mountinfo", "groups", "cpus"), QUOTAS.values(), ids=QUOTAS)
def test_what_the_control_groups_grant(cgroup, mountinfo, groups, cpus, tmp_path):
    assert fd._core.cpus.quota(tree(tmp_path, cgroup, mountinfo, groups)) == cpus


def test_no_control_groups(tmp_path):
    assert fd._core.cpus.quota(str(tmp_path)) is None


@pytest.mark.parametrize(("granted", "threads"), [(3, 3), (64, 8), (None, 8)])
def test_threads_from_the_control_group(granted, threads, monkeypatch):
    monkeypatch.setattr(fd._core.cpus, "quota", lambda: granted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    for name in ("FASTDROP_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert fd._core.cpus.default_threads() == (threads, "the CPUs this process may use")


def test_an_openmp_limit_caps_the_calling_thread():
    pytest.importorskip("threadpoolctl")
    code = """if True:
        import threading, threadpoolctl, fastdrop as fd
        fd.set_num_threads(3)
        x = np.ones(2**20, np.float32)
        seen, y = [fd.get_num_threads()], fd.dropout(x, rng=1)[0]
        for limit in (2, 1, 4):
            with threadpoolctl.threadpool_limits(limit):
                seen.append(fd.get_num_threads())
                assert (fd.dropout(x, rng=1)[0] == y).all()
                other = threading.Thread(target=lambda: seen.append(fd.get_num_threads()))
                other.start()
                other.join()
        print(*seen, fd.get_num_threads())"""
    assert python(code, OMP_NUM_THREADS="4") == "3 2 3 1 3 3 3 3"


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="no /proc here")
def test_one_cpu_is_one_thread():
    code = """if True:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        import fastdrop as fd
        before = len(os.listdir("/proc/self/task"))
        fd.dropout(np.ones(2**22, np.float32))
        print(len(os.listdir("/proc/self/task")) - before)"""
    assert python(code) == "0"


OPENMP = {
    "limit": {"OMP_THREAD_LIMIT": "2", "KMP_WARNINGS": "0"},  # LLVM's runtime would say that it gives fewer
    "no-levels": {"OMP_MAX_ACTIVE_LEVELS": "0"},
    "dynamic": {"OMP_DYNAMIC": "true"},
    "bound": {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"},
    "small-stack": {"OMP_STACKSIZE": "128k"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
}


@pytest.mark.parametrize("environment", OPENMP.values(), ids=OPENMP)
def test_openmp_settings_change_no_byte(environment):
    """Also where the team is smaller than the one asked for."""
    code = """if True:
        import hashlib, fastdrop as fd
        x = np.ones(2**20 + 4097, np.float32)
        y, mask = fd.dropout(x.reshape(3, -1).T, 0.1, rng=5)
        rates = fd.dropout(x, np.linspace(0, 1, x.size), rng=5)[0]
        dx = fd.dropout_backward(np.ones_like(y), mask)
        print(hashlib.sha256(y.tobytes() + mask.bits.tobytes() + rates.tobytes() + dx.tobytes()).hexdigest())"""
    assert python(code, FASTDROP_NUM_THREADS="5", **environment) == python(code, FASTDROP_NUM_THREADS="1")


# Other OpenMP runtimes in the process: each wakes its team in turn, under limits, and in a forked child

OTHERS = {
    "sklearn": "from sklearn.cluster import k_means\ndef work(): return k_means(data, 3, n_init=1, random_state=0)[1]",
    "torch": "import torch\ndef work(): return (torch.from_numpy(data) @ torch.ones(4)).numpy()",
}


@pytest.mark.parametrize("first", ["fastdrop", "other"])
@pytest.mark.parametrize("other", OTHERS)
def test_another_openmp_runtime(other, first):
    for module in (other, "threadpoolctl"):
        if not importlib.util.find_spec(module):  # not imported here: it would stay for all other tests
            pytest.skip(f"no {module}")
    imports = ["import fastdrop as fd", OTHERS[other]]
    code = """
import threading, threadpoolctl, warnings
data = np.random.default_rng(0).standard_normal((5000, 4)).astype(np.float32)
x = np.ones(2**20 + 4097, np.float32)
fd.set_num_threads(2)
def both():
    return work().tobytes(), fd.dropout(x, rng=1)[0].tobytes()
before = both()
for _ in range(3):
    assert both() == before
for limit in (1, 2):
    with threadpoolctl.threadpool_limits(limit):
        assert both()[1] == before[1]
seen = []
threads = [threading.Thread(target=lambda: seen.append(both()[1])) for _ in range(3)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: that is what is tested
child = os.fork()
if child == 0:
    os._exit(fd.dropout(x, rng=1)[0].tobytes() != before[1])
print(os.waitpid(child, 0)[1], seen == [before[1]] * 3)"""
    lines = imports if first == "fastdrop" else imports[::-1]
    assert python("\n".join(lines) + code) == "0 True"


# with num_threads(n)


def count():
    return fd.get_num_threads(), fd.show_config(mode="dicts")["threads"]["count"]


needs_openmp = pytest.mark.skipif(not fd.show_config(mode="dicts")["openmp"]["enabled"], reason="one thread only")


@needs_openmp
def test_num_threads_holds_for_the_block_and_the_thread():
    fd.set_num_threads(3)
    source = fd.show_config(mode="dicts")["threads"]["source"]
    with fd.num_threads(2):
        assert count() == (2, 2)
        assert fd.show_config(mode="dicts")["threads"]["source"] == "num_threads in this thread"
        with fd.num_threads(1):
            assert count() == (1, 1)
            assert at_once(count) == [(3, 3)]
        fd.set_num_threads(7)
        assert count() == (2, 2)
        assert at_once(count) == [(7, 7)]
    assert count() == (7, 7)
    assert fd.show_config(mode="dicts")["threads"]["source"] == source


@needs_openmp
def test_num_threads_ends_with_an_exception():
    fd.set_num_threads(3)
    with pytest.raises(KeyError), fd.num_threads(2):
        raise KeyError
    assert count() == (3, 3)

    @fd.num_threads(1)
    def decorated():
        return count()

    assert [decorated(), count(), decorated()] == [(1, 1), (3, 3), (1, 1)]


@needs_openmp
def test_num_threads_of_threads_at_once(switching):
    def nested(n):
        for _ in range(200):
            with fd.num_threads(n):
                assert fd.get_num_threads() == n
                with fd.num_threads(n + 9):
                    assert fd.get_num_threads() == n + 9
                assert fd.get_num_threads() == n
        return n

    assert at_once(*[lambda n=n: nested(n) for n in range(1, 9)]) == list(range(1, 9))


def test_num_threads_changes_no_mask():
    x = values(2**18 + 77, np.dtype("f4"))
    want = [digest(fd.dropout(x, 0.1, rng=0)[0]), digest(fd.mc_dropout(x, 0.1, 2, rng=0))]
    for n in THREADS:
        with fd.num_threads(n):
            assert [digest(fd.dropout(x, 0.1, rng=0)[0]), digest(fd.mc_dropout(x, 0.1, 2, rng=0))] == want


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-1, ValueError), (1.0, TypeError), ("2", TypeError)])
def test_num_threads_is_checked_at_once(n, error):
    with pytest.raises(error, match="n must be"):
        fd.num_threads(n)


# Signals in a long call


class Interrupted(Exception):
    pass


LONG = 2**24 + 4099  # doubles: a part and a bit
HALVES = 2**26 + 4099  # float16: likewise, and a part takes portable C far longer than the time to the signal


def interrupted(call):
    """Run a call whose signal comes after 10 ms of this process's own time, however busy the machine."""

    def stop(*_):
        raise Interrupted

    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)
        with pytest.raises(Interrupted):
            call()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.fixture(scope="module")
def long():
    return np.ones(LONG)


LONG_CALLS = {
    "dropout": lambda x, r, out: fd.dropout(x, 0.1, rng=r, out=out, store="recipe"),
    "bits": lambda x, r, out: fd.dropout(x, 0.1, rng=r, out=out),
    "strided": lambda x, r, out: fd.dropout(x[::-1], 0.1, rng=r, out=out[::-1], store="recipe"),
    "array p": lambda x, r, out: fd.dropout(x.reshape(-1, 1), [0.1], rng=r, out=out.reshape(-1, 1), store="recipe"),
    "fused": lambda x, r, out: fd.bias_dropout_residual(x, None, x, 0.1, rng=r, out=out, store="recipe"),
    "alpha": lambda x, r, out: fd.alpha_dropout(x, 0.1, rng=r, out=out, store="recipe"),
    "mc": lambda x, r, out: fd.mc_dropout(x[: x.size // 7], 0.1, 7, rng=r, out=out[: x.size // 7 * 7].reshape(7, -1)),
}


@pytest.mark.parametrize("name", LONG_CALLS)
def test_a_signal_ends_a_long_call_between_its_parts(name):
    """What comes last has not been written; the stream is taken."""
    r, x, out = fd.Rng(5), np.ones(HALVES, np.float16), np.full(HALVES, 7, np.float16)
    fd.set_num_threads(1)
    old = fd.backend()
    fd._core.binding.set_backend("portable")
    try:
        interrupted(lambda: LONG_CALLS[name](x, r, out))
    finally:
        fd._core.binding.set_backend(old)
    assert (out[:9] if name == "strided" else out[-9:]).tolist() == [7] * 9
    assert r.counter == (0 if name == "mc" else 1)


@pytest.mark.parametrize("name", ["dropout", "bits", "strided", "array p", "fused", "alpha", "mc"])
def test_a_long_call_in_parts_is_one_call(name, long):
    """Places in every part, against the same call of that place alone."""
    out = np.empty(LONG)
    LONG_CALLS[name](long, fd.Rng(5), out)
    part = 2**24
    for at in (0, part - 130, LONG - 260):
        x, here = long[at : at + 260], out[at : at + 260]
        if name == "mc":
            n = LONG // 7
            t, i = divmod(at, n)
            want = fd.dropout(x, 0.1, rng=fd.Rng(5).fold_in(t), offset=i)[0][: n - i]
            here = here[: len(want)] if at + 260 <= 7 * n else here[:0]
            want = want[: len(here)]
        elif name == "array p":
            want = fd.dropout(x, np.full(260, 0.1), rng=5, offset=at)[0]
        elif name == "alpha":
            want = fd.alpha_dropout(x, 0.1, rng=5, offset=at)[0]
        elif name == "strided":
            at = LONG - at - 260
            want = fd.dropout(x, 0.1, rng=5, offset=at)[0][::-1]
        else:
            want = fd.dropout(x, 0.1, rng=5, offset=at)[0] + (name == "fused")
        np.testing.assert_array_equal(here, want)


@pytest.mark.parametrize("p", [0.1, [0.1]], ids=["p", "array p"])
def test_a_long_mask_in_parts_is_one_mask(p):
    """The end of a bare mask of two parts is dropout's of that place."""
    n = 2**27 + 130
    tail = fd.bernoulli(n, p, rng=5)[-260:]
    np.testing.assert_array_equal(tail, fd.dropout(np.ones(260), p, rng=5, offset=n - 260)[0] == 0)
