"""What `tables.py` says of each claim: one sentence of the results, and where dropout did not help."""

import numpy as np


def span(of, digits=1):
    """Return a mean and its interval in words."""
    mean = f"{of['mean']:.{digits}f}"
    return mean if of["low"] is None else f"{mean} ({of['low']:.{digits}f} to {of['high']:.{digits}f})"


def fewer(percent):
    """Return a change of the errors in words."""
    return f"{abs(percent):.0f} % {'fewer' if percent >= 0 else 'more'} errors"


def verdict(pair, lower_is_better=True):
    """Return what the paired test says."""
    if pair["p_value"] is None or pair["p_value"] >= 0.05:
        return "no difference seen"
    return "better" if (pair["mean"] < 0) == lower_is_better else "worse"


def rows_of(table, **wanted):
    """Return the rows that have these values."""
    return [row for row in table if all(row[key] == value for key, value in wanted.items())]


def overfitting(found):
    """Compare the better of the arms with dropout with the best without."""
    pair = min(rows_of(found["comparison"], size=2000), key=lambda of: of["mean"])
    ours, theirs = (rows_of(found["table"], size=2000, arm=pair[key])[0] for key in ("arm", "against"))
    apart = ours["test"]["high"] is not None and ours["test"]["high"] < theirs["test"]["low"]
    reached = "reached" if apart and pair["fewer_errors_percent"] >= 25 else "**not reached**"
    errors = f"{pair['arm']}: {span(ours['test'])} % errors; {pair['against']}: {span(theirs['test'])} %"
    said = f"{errors}; {fewer(pair['fewer_errors_percent'])}, intervals {'' if apart else 'not '}apart: {reached}"
    plain = rows_of(found["table"], size=2000, arm="plain")[0]["gap"]
    return said, f"gap of {span(plain)} points plain, {span(ours['gap'])} with {pair['arm']}"


def sizes(found):
    """Say what dropout (with no bound) does at each size."""
    pairs = rows_of(found["comparison"], arm="dropout")
    return "; ".join(f"{of['size']}: {fewer(of['fewer_errors_percent'])}, {verdict(of)}" for of in pairs)


def rate(found):
    """Name the best rate of each curve."""
    said = []
    for curve in dict.fromkeys(row["curve"] for row in found["table"]):
        best = min(rows_of(found["table"], curve=curve), key=lambda row: row["test"]["mean"])
        said.append(f"{curve}: least error at {best['p']}, {span(best['test'])} %; against the lesson's rate "
                    f"{verdict(best['against_lesson'])}")  # fmt: skip
    return "; ".join(said)


def ensemble(found):
    """Compare the whole network with samples of it and networks trained apart."""
    last = [row for row in found["table"] if row["predictor"].startswith("apart")][-1]["predictor"]
    errors = {row["predictor"]: row for row in found["table"]}
    said = [
        f"{name}: {span(errors[name]['error'])} %" for name in ("weight scaling", "Monte Carlo 100", "apart 1", last)
    ]
    return "; ".join(said) + f" (K networks trained apart: K = 1, {last.split()[1]})"


def features(found):
    """Say how many units are active, and how large the filters are."""
    rows = {row["measure"]: row for row in found["table"]}
    active, radius = rows["active_percent"], rows["filter_radius_pixels"]
    return (
        f"active units: {span(active['without'])} % without, {span(active['with'])} % with; "
        f"radius of a filter {span(radius['without'])} and {span(radius['with'])} pixels"
    )


def minibatch_mask(found):
    """Say which arms reach the target, and when."""
    said = []
    for row in found["table"]:
        seconds = row["seconds_to_target"]
        said.append(f"{row['arm']}: " + ("not reached" if seconds is None else f"{seconds:.2f} s"))
    rows = {row["arm"]: row["seconds_to_target"] for row in found["table"]}
    plain = rows[found["table"][0]["target_of"]]
    quicker = [arm for arm in ("mask a mini-batch", "thinned products") if (rows[arm] or np.inf) < plain]
    reached = f"reached with {' and '.join(quicker)}" if quicker else "**not reached**"
    return f"to {found['table'][0]['target']:.1f} % errors: {'; '.join(said)}: {reached}"


def uncertainty(found):
    """Say how often samples find errors and strangers better than the plain network's entropy."""
    score = "entropy, samples"
    said = []
    for row in rows_of(found["table"], score=score):
        plain = rows_of(found["table"], score="entropy, no dropout", finds=row["finds"])[0]["area"]
        against = verdict(row["against_plain"], lower_is_better=False)
        said.append(f"{row['finds']}: {row['area']['mean']:.3f}, plain network {plain['mean']:.3f}, {against}")
    return "; ".join(said)


def calibration(found):
    """Compare the calibration errors."""
    rows = rows_of(found["qualities"], of="calibration_error")
    return "; ".join(f"{row['predictor']}: {span(row['value'])} %" for row in rows)


def band(found):
    """Compare what the bands cover."""
    rows = rows_of(found["table"], of="covered_percent")
    return "; ".join(f"{row['where']}, {row['arm']}: {span(row['value'])} %" for row in rows)


def family(found):
    """Count the kinds that are better than none, and than plain Dropout."""
    made = [row for row in found["table"] if row["kind"] not in ("none", "Dropout")]
    better = [
        [row["kind"] for row in made if verdict(row[key]) == "better"] for key in ("against_none", "against_dropout")
    ]
    names = [", ".join(kinds) or "none of them" for kinds in better]
    return f"of {len(made)} kinds better than no dropout: {names[0]}; better than plain Dropout: {names[1]}"


def all_claims(results):
    """Return (claim, goal, what was found) of each; `results` gives an experiment's results by its name."""
    errors, gap = overfitting(results("overfitting"))
    same = results("ensemble")["inverted_and_standard"]["largest_difference"]
    made_for = "each kind is better on its task than plain Dropout"
    return [
        ("Dropout makes fewer errors", "25 % fewer at 2,000 digits than the best arm without, intervals apart", errors),
        ("It closes the gap between training and test", "a smaller gap at 2,000 digits", gap),
        ("It helps with few digits too", "fewer errors at 100, 300 and 1,000 than the best arm without",
         sizes(results("overfitting"))),
        ("Drop .2 of the inputs and .5 of the hidden units", "least error there", rate(results("rate"))),
        ("It is an ensemble without its cost", "the errors of K networks trained apart", ensemble(results("ensemble"))),
        ("Inverted and standard dropout are one", "the same predictions", f"they differ by at most {same:.0e}"),
        ("Units learn features of their own, few are active", "sparser activations", features(results("features"))),
        ("A mask for the mini-batch saves time", "the accuracy without dropout in less time",
         minibatch_mask(results("minibatch_mask"))),
        ("Samples know what they do not know", "larger areas than the plain network's entropy (entropy of samples)",
         uncertainty(results("uncertainty"))),
        ("Samples are calibrated", "a smaller calibration error", calibration(results("uncertainty"))),
        ("A regression has an honest band", "95 % covered", band(results("band"))),
        ("What belongs together has to be dropped together", made_for, family(results("family"))),
    ]  # fmt: skip


def all_losses(results):
    """Return the comparisons in which dropout is not better, in words."""
    found = []
    for of in results("overfitting")["comparison"]:
        found.append((f"{of['size']} digits, {of['arm']} against {of['against']}", verdict(of)))
    for row in results("family")["table"]:
        for key, against in (("against_none", "none"), ("against_dropout", "plain Dropout")):
            if row["kind"] != "none" and (row["kind"], against) != ("Dropout", "plain Dropout"):
                found.append((f"{row['task']}, {row['kind']} against {against}", verdict(row[key])))
    for row in results("uncertainty")["table"]:
        if "samples" in row["score"]:
            said = verdict(row["against_plain"], lower_is_better=False)
            found.append((f"{row['score']}, finding {row['finds']}, against the plain network's entropy", said))
    for row in rows_of(results("band")["table"], arm="dropout", of="log_density"):
        said = verdict(row["against_plain"], lower_is_better=False)
        found.append((f"diamonds {row['where']}, log-density of the band, against no dropout", said))
    for row in rows_of(results("features")["table"], measure="squared_error"):
        found.append(("digits made again by the autoencoder, against no dropout", verdict(row["difference"])))
    for row in results("minibatch_mask")["table"]:
        if not row["arm"].startswith("no dropout"):
            found.append(
                (f"{row['arm']}, error at the end, against {row['target_of']}", verdict(row["against_best_without"]))
            )
    return [(what, said) for what, said in found if said != "better"]
