"""vectors.json: it covers what it says it covers, and a second reading of the specification answers alike."""

import json
import subprocess
import sys
from math import prod
from pathlib import Path

import make_vectors
import numpy as np
import pytest
import reference as ref
from known_answers import ints, words
from vector_cases import undecided_counts

VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))
SECTIONS = {title.split(":")[0]: (title, cases) for title, cases in VECTORS.items() if isinstance(cases, list)}
_, COVERS = SECTIONS.pop("covers")
SCRIPT = Path(__file__).with_name("verify_vectors.py")


# What is claimed


def columns(section, first, last):
    """The columns of these cases, by name."""
    title, cases = SECTIONS[section]
    names = title.split(": ")[1].split(", ")
    return {name: list(column) for name, *column in zip(names, *cases[first : last + 1], strict=True)}


def rates(of):
    return [float.fromhex(p) for p in of["p"]]


def thresholds(of):
    return [ref.threshold(p) for p in rates(of)]


def spans(of):
    """The index of each case's first element, and that past its last."""
    return [(start, start + n) for start, n in zip(ints(of["start"]), lengths(of), strict=True)]


def lengths(of):
    return of["n"] if "n" in of else [len(p) for p in of["p of each element"]]


def full(of):
    return [ints(shape) for shape in of["full_shape"]]


def unpacked(bits, n):
    return np.unpackbits(np.frombuffer(bytes.fromhex(bits), np.uint8), count=n, bitorder="little").tolist()


def keys_and_streams(of):
    """Each word of the key below 2^63 and not, the four streams, every key with every stream."""
    keys, streams = {words(key) for key in of["key"]}, set(ints(of["stream"]))
    pairs = {(words(key), int(stream)) for key, stream in zip(of["key"], of["stream"], strict=True)}
    sides = {(k0 >= 2**63, k1 >= 2**63) for k0, k1 in keys}
    return len(sides) == 4 and streams == {0, 1, 2**40, 2**64 - 1} and len(pairs) == len(keys) * len(streams)


def far(of):
    crossed = [any(start < 2**k < end for start, end in spans(of)) for k in (32, 53, 63)]
    return all(crossed) and max(end for _, end in spans(of)) == 2**64


def near(of):
    """Calls that begin and end one before, at and one behind each border, and calls that cross it."""
    firsts, lasts = zip(*spans(of), strict=True)
    return all(
        any(start % size == 0 for start in firsts)
        and any(start % size == size - 1 for start in firsts)
        and any(end % size == 0 for end in lasts)
        and any(end % size == 1 for end in lasts)
        and any(start // size < (end - 1) // size for start, end in spans(of))
        and any(start % size and end % size for start, end in spans(of))
        for size in (64, 512, 4096)
    )


def undecided(many):
    """Calls of a lane's 64 that the planes leave so many undecided of, each before the call of its next 64."""

    def holds(of):
        cases = list(zip(of["key"], of["stream"], rates(of), spans(of), strict=True))
        for (key, stream, p, (start, end)), (*_, (following, _)) in zip(cases[::2], cases[1::2], strict=True):
            block, group, lane = start // 4096, start % 4096 // 512, start % 512 // 64
            counts = undecided_counts(words(key), int(stream), p, [block])
            if (end - start, following - start) != (64, 512) or counts[0, group, lane] != many:
                return False
        return True

    return holds


def pieces(of):
    (whole, *parts), (n, *lengths) = of["bits"], of["n"]
    joined = [bit for bits, length in zip(parts, lengths, strict=True) for bit in unpacked(bits, length)]
    same_call = len({json.dumps(case) for case in zip(of["key"], of["stream"], of["p"], strict=True)}) == 1
    return joined == unpacked(whole, n) and same_call and len(parts) > 3


def windows(axes):
    def holds(of):
        last = [prod(shape) - prod(shape[1:]) for shape in full(of)]
        return {len(shape) for shape in full(of)} == {axes} and max(last) > 2**32

    return holds


def other_than_the_number(of):
    for key, stream, p, (start, end), bits in zip(
        of["key"], of["stream"], of["p of each element"], spans(of), of["bits"], strict=True
    ):
        number = ref.kept(words(key), int(stream), float.fromhex(p[0]), start, end - start)
        if len(set(p)) > 1 or ref.pack(number).tobytes().hex() == bits:
            return False
    return True


def entries(of):
    return {float.fromhex(q) for p in of["p of each element"] for q in p}


def seeds(of):
    keys = {json.dumps(seed): key for seed, key in zip(of["seed"], of["key"], strict=True)}
    return keys["5"] == keys["[5]"] == keys["[5, 0]"] and max(s for s in of["seed"] if isinstance(s, int)) > 2**64


def is_plain(t):
    """Whether planes alone decide."""
    return t % 2**56 == 0


def number_of_planes(t):
    return len(f"{t:064b}".rstrip("0"))


CLAIMS = {
    ("mix", "0, powers of two, the ends and the constants"): lambda of: (
        {0, 1, 2**32, 2**64 - 1, ref.G, ref.H} <= set(words(of["z"]))
    ),
    ("key_from_seed", "ints past 2^32 and 2^64, and sequences; [5] and [5, 0] are 5"): seeds,
    ("fold_in", "one value, up to the users' last"): lambda of: (
        [0] in of["values"] and [2**63 - 1] in of["values"] and {len(v) for v in of["values"]} == {1}
    ),
    ("fold_in", "several values, one after the other"): lambda of: min(len(v) for v in of["values"]) > 1,
    ("fold_in", "spawn's own values: 2^64 - 1, then the child's number"): lambda of: (
        [v[1] for v in of["values"]] == [0, 1, 7] and {v[0] for v in of["values"]} == {2**64 - 1}
    ),
    ("fold_in", "an array p's own value, 2^64 - 2"): lambda of: {tuple(v) for v in of["values"]} == {(2**64 - 2,)},
    ("call_key", "keys on either side of 2^63, at each stream"): keys_and_streams,
    ("threshold", "T = 0: 0, -0, a denormal, and half of 2^-64 to even"): lambda of: (
        set(words(of["T"])) == {0} and {"0x0.0p+0", "-0x0.0p+0"} < set(of["p"]) and {5e-324, 2**-65} < set(rates(of))
    ),
    ("threshold", "8 bits and less"): lambda of: all(map(is_plain, words(of["T"]))) and 0 not in words(of["T"]),
    ("threshold", "more than 8 bits, from 1 on"): lambda of: (
        not any(map(is_plain, words(of["T"]))) and 1 in words(of["T"]) and max(rates(of)) == 1 - 2**-53
    ),
    ("threshold", "rounded, half to even"): lambda of: (
        {p * 2.0**64 % 2 for p in rates(of)} >= {0.5, 1.5}
        and all(t % 2 == 0 for p, t in zip(rates(of), words(of["T"]), strict=True) if p * 2.0**64 % 1 == 0.5)
    ),
    ("mask", "T = 0 drops nothing, p = 1 everything"): lambda of: (
        {p for p in rates(of) if p == 1 or ref.threshold(p)} == {1} and {0, 5e-324, 2**-65} < set(rates(of))
    ),
    ("mask", "1 to 8 planes and no round"): lambda of: (
        all(map(is_plain, thresholds(of))) and {number_of_planes(t) for t in thresholds(of)} == {*range(1, 9)}
    ),
    ("mask", "8 planes and rounds, of a p near 0, near 1 and between"): lambda of: (
        not any(map(is_plain, thresholds(of)))
        and {2.0**-64, 0.5 + 1 / 512, 1 - 2.0**-53} < set(rates(of))
        and any(t >= 2**56 for t in thresholds(of))
    ),
    **{
        ("mask", f"a lane with {many} undecided after the planes, then its next group"): undecided(many)
        for many in range(6)
    },
    ("mask", "calls that begin and end at, before and behind borders of lanes, groups and blocks"): near,
    ("mask", "offsets past 2^32, 2^53 and 2^63, to the last index"): far,
    ("mask", "one call, and the same in pieces"): pieces,
    ("mask", "keys on either side of 2^63, at each stream"): keys_and_streams,
    ("long mask", "25 blocks, for several threads"): lambda of: min(of["n"]) > 24 * 4096,
    ("window", "windows of one axis"): windows(1),
    ("window", "windows of two axes"): windows(2),
    ("window", "windows of three axes"): windows(3),
    ("noise window", "a window's part where the noise shape has None, all where it has 1"): lambda of: (
        {tuple(shape) for shape in of["noise_shape"]} >= {(None, 1), (1, None)}
    ),
    ("array p", "entries 0 and 1 and tiny ones among others"): lambda of: {0, 1, 2**-66, 5e-324, 0.5} <= entries(of),
    ("array p", "equal entries, which give another mask than the number"): other_than_the_number,
    ("array p", "one entry alone"): lambda of: set(lengths(of)) == {1},
    ("array p", "starts inside a block, and calls over the borders of steps and blocks"): lambda of: (
        all(start % 4096 for start, _ in spans(of))
        and all(any(start // size < (end - 1) // size for start, end in spans(of)) for size in (8, 512, 4096))
    ),
    ("array p", "offsets past 2^32, 2^53 and 2^63, to the last index"): far,
    ("array p", "keys on either side of 2^63, at each stream"): keys_and_streams,
    ("array p window", "p is that of the part, the index that of the whole"): lambda of: all(
        len(p) == prod(shape) for p, shape in zip(of["p of each element"], of["shape"], strict=True)
    ),
}


@pytest.mark.parametrize(("section", "first", "last", "rule"), COVERS, ids=[f"{row[0]}-{row[1]}" for row in COVERS])
def test_what_the_vectors_claim_is_so(section, first, last, rule):
    assert CLAIMS[section, rule](columns(section, first, last))


def test_every_case_is_there_for_one_rule():
    for name, (_, cases) in SECTIONS.items():
        covered = [i for section, first, last, _ in COVERS if section == name for i in range(first, last + 1)]
        assert covered == list(range(len(cases)))
    assert {(section, rule) for section, _, _, rule in COVERS} == set(CLAIMS)


def test_the_file_stays_small():
    assert make_vectors.PATH.stat().st_size < 100_000


# The second reading


def verify(*paths):
    return subprocess.run([sys.executable, SCRIPT, *paths], capture_output=True, encoding="utf-8")


def test_the_script_verifies_both_files():
    done = verify(make_vectors.PATH, make_vectors.PATH.with_name("stream-check.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    assert [name for name, *_, said in lines[: len(SECTIONS)] if said == "ok"] == list(SECTIONS)
    assert [name for name, *_, said in lines if said != "ok"] == ["gaussian z, float64"]


def spoilt(*names):
    """The file's text with a hex digit of the first answer of these sections changed."""
    vectors = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))
    for name in names:
        case = vectors[SECTIONS[name][0]][0]
        answer = json.dumps(case[-1])
        end = answer[-4:].translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
        case[-1] = json.loads(answer[:-4] + end)
    return json.dumps(vectors)


def test_the_script_finds_a_wrong_answer_in_every_section(tmp_path):
    path = tmp_path / "vectors.json"
    path.write_text(spoilt(*SECTIONS), encoding="utf-8")
    done = verify(path)
    assert done.returncode == 1
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    assert {name: said for name, *_, said in lines} == dict.fromkeys(SECTIONS, "WRONG: cases 0")
