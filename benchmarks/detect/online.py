"""How often the online detectors are wrong, and how soon they are right, on generated streams.

Run with ``.venv/bin/python -m benchmarks.detect.online`` (about three minutes on one core);
``--replicates 200`` for more streams per line, ``--seed`` for others, ``--only`` for some lines.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.detect import online_streams as streams
from benchmarks.detect.online_rivals import cusum, z_rule
from benchmarks.detect.online_streams import LENGTH, Floats, Rng
from benchmarks.detect.plateau_streams import TOLERANCE, stream
from nucleate.detect.online import ARL, SHORT_ARL, Alarm, OnlineDetector, PlateauDetector

STEPS = np.arange(1.0, LENGTH + 1)
LATE = 150
"""Readings after its onset within which a shift must be found."""


def main() -> None:
    """Print one line per kind of stream."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="comma-separated parts: null, events, ...")
    asked = parser.parse_args()
    parts: dict[str, Callable[[int, int], Iterator[str]]] = {
        "null": _null,
        "events": _events,
        "shifts": _shifts,
        "probes": _probes,
        "plateaus": _plateaus,
    }
    for name, part in parts.items():
        if not asked.only or name in asked.only.split(","):
            for line in part(asked.replicates, asked.seed):
                print(line, flush=True)


def _rng(seed: int, name: str, replicate: int) -> Rng:
    return np.random.default_rng([seed, zlib.crc32(name.encode()), replicate])


def _watch(
    steps: Floats, values: Floats, stderr: float | None = None, arl: float = ARL
) -> list[Alarm]:
    detector = OnlineDetector(arl)
    found = (detector.update(t, y, stderr) for t, y in zip(steps, values, strict=True))
    return [alarm for alarm in found if alarm]


def _null(replicates: int, seed: int) -> Iterator[str]:
    """Streams without any step."""
    total, alarms, naive, used = 0, 0, 0, 0.0
    for name, trend in {**streams.TUNED, **streams.HELD_OUT}.items():
        counts = np.zeros(3, dtype=int)
        for replicate in range(replicates):
            rng = _rng(seed, name, replicate)
            values = trend(STEPS, rng) + streams.noise(LENGTH, rng)[0]
            begin = time.process_time()
            found = _watch(STEPS, values)
            used += time.process_time() - begin
            alarms += len(found)
            counts += [bool(found), z_rule(values).size > 0, cusum(values).size > 0]
        total, naive = total + replicates, naive + counts[0]
        held = " (held out)" if name in streams.HELD_OUT else ""
        yield (
            f"{name + held:34s} streams with an alarm {counts[0]:3d}/{replicates}; "
            f"z rule {counts[1]}, CUSUM {counts[2]}"
        )
    arl = f"{total * LENGTH / alarms:,.0f}" if alarms else f"above {total * LENGTH:,}"
    yield (
        f"all without a step: {naive}/{total} streams ({naive / total:.2%}), {alarms} alarms, "
        f"readings per false alarm {arl}; {used / total / LENGTH * 1e6:.0f} microseconds a reading"
    )


def _events(replicates: int, seed: int) -> Iterator[str]:
    """Excursions that recover."""
    for name, event in (("spikes", streams.spikes), ("restarts", streams.restart)):
        counts = np.zeros(3, dtype=int)
        for replicate in range(replicates):
            rng = _rng(seed, name, replicate)
            wiggle, sd = streams.noise(LENGTH, rng)
            values = streams.power_law(STEPS, rng) + wiggle + event(LENGTH, sd, rng)
            found = bool(_watch(STEPS, values))
            counts += [found, z_rule(values).size > 0, cusum(values).size > 0]
        yield (
            f"{name:34s} streams with an alarm {counts[0]:3d}/{replicates}; "
            f"z rule {counts[1]}, CUSUM {counts[2]}"
        )


def _shifts(replicates: int, seed: int) -> Iterator[str]:
    """Lasting shifts on every trend in turn."""
    trends = list({**streams.TUNED, **streams.HELD_OUT}.values())
    for low, high in ((3.0, 3.0), (3.0, 6.0), (6.0, 12.0)):
        delays, before, rivals = [], 0, np.zeros(2, dtype=int)
        for replicate in range(replicates):
            rng = _rng(seed, f"shift {low} {high}", replicate)
            wiggle, sd = streams.noise(LENGTH, rng)
            jump, at = streams.shift(LENGTH, sd, rng, low, high)
            values = (trends[replicate % len(trends)](STEPS, rng) + wiggle + jump)[: at + LATE]
            found = _watch(STEPS[: at + LATE], values)
            ends = [a.position - 1 - at for a in found if a.direction == np.sign(jump[-1])]
            late = [end for end in ends if end >= 0]
            before += any(a.position - 1 < at for a in found)
            delays.append(late[0] if late else np.inf)
            rivals += [_clean_hit(rule(values), at) for rule in (z_rule, cusum)]
        yield (
            f"shifts of {low:g}-{high:g} sd: found {_share(delays)}; delay quantiles "
            f".1 .5 .9 {_quantiles(delays)} readings; an alarm before the shift {before}; found "
            f"without an alarm before it: z rule {rivals[0]}, CUSUM {rivals[1]}"
        )


def _clean_hit(alarms: np.ndarray, at: int) -> bool:
    return bool(alarms.size and alarms[0] >= at)


def _probes(replicates: int, seed: int) -> Iterator[str]:
    """Short streams of log-spaced readings."""
    for jump in (0.0, 6.0, 10.0, 20.0):
        for told in (True, False):
            delays, false = [], 0
            for replicate in range(replicates):
                t, values, sd, at = streams.probes(_rng(seed, f"probes {jump}", replicate), jump)
                found = _watch(t, values, sd if told else None, SHORT_ARL)
                false += any(at is None or a.position < at for a in found)
                late = [
                    np.sum((t >= at) & (t <= a.position)) - 1
                    for a in found
                    if at and a.position >= at
                ]
                delays.append(float(late[0]) if late else np.inf)
            hits = f"found {_share(delays)}, delay {_quantiles(delays)}; " if jump else ""
            yield (
                f"24-60 log-spaced readings, jump {jump:g} sd, "
                f"stderr {'told' if told else 'not told'}: {hits}false alarms {false}/{replicates}"
            )


def _plateaus(replicates: int, seed: int) -> Iterator[str]:
    """Plateaus, and progress at 2 to 10 times the tolerance."""
    for low, high in ((1 / 30, 1 / 12), (1 / 12, 1 / 6), (1 / 6, 1 / 3), (1 / 3, 1.0)):
        false, early, lags, used, count = 0, 0, [], 0.0, 0
        for replicate in range(replicates):
            for plateau in (False, True):
                rng = _rng(seed, f"plateau {plateau} {low:.3f}", replicate)
                s = stream(rng, plateau, low, high)
                detector = PlateauDetector("up" if s.direction > 0 else "down", TOLERANCE)
                begin = time.process_time()
                said = next(
                    (
                        t
                        for t, y in zip(s.positions, s.values, strict=True)
                        if detector.update(t, y, s.stderr)
                    ),
                    None,
                )
                used, count = used + time.process_time() - begin, count + s.positions.size
                false += said is not None and s.begins is None
                if s.begins is not None:
                    lag = np.inf if said is None else np.log10(said) - s.begins
                    lags.append(lag)
                    early += lag < 0
        within = np.mean(np.array(lags) <= 0.3)
        yield (
            f"slope known to {low:.2f}-{high:.2f} tolerances over .2 decades: plateaus found "
            f"within .3 decades {within:.3f}, ever {_share(lags)}, lag {_quantiles(lags, 2)} "
            f"decades, before they began {early}; progress called a plateau {false}/{replicates}; "
            f"{used / count * 1e6:.0f} microseconds a reading"
        )


def _share(delays: list[float]) -> str:
    found = int(np.isfinite(delays).sum())
    return f"{found}/{len(delays)} ({found / len(delays):.1%})"


def _quantiles(delays: list[float], digits: int = 0) -> str:
    finite = np.array([delay for delay in delays if np.isfinite(delay)])
    if not finite.size:
        return "none"
    return " ".join(f"{q:.{digits}f}" for q in np.quantile(finite, (0.1, 0.5, 0.9)))


if __name__ == "__main__":
    sys.exit(main())
