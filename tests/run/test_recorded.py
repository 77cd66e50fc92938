"""Journals from strangers and from other releases: replayed to the same bits, or refused in one line.

tests/golden/arithmetic_1 holds a run of a release whose journals named no arithmetic; its files change with
their formats, what they say never does.
"""

import re
import struct
import zlib
from pathlib import Path

import pytest
import stripes
from plain import PLAIN

from stepforward import __version__
from stepforward import journal as journals
from stepforward.arithmetic.version import ARITHMETIC
from stepforward.errors import StepforwardError
from stepforward.verbs.adapt import adapt
from stepforward.verbs.replay import replay

GOLDEN = Path(__file__).parent.parent / "golden" / "arithmetic_1"
BASE = GOLDEN / "base.onnx"
ADAPTED = "a43b67ef8573c4d682be0b192f75b19984a12e0bb9e7441fbc2b17b0aadd65d7"
OPTIONS = {"steps": 120, "momentum": 0.9, "directions": 3, "lr": 6e-3, "rounding": "stochastic", "warmup": 10}
OPTIONS |= {"seed": 2**40 + 5, "evaluate_every": 30, "epsilon": 3e-3, "temperature": 2.0, "share_batch": True}
OPTIONS = PLAIN | OPTIONS
DATA = tuple(stripes.arrays(range(8)).values())
SETTINGS = journals.read(GOLDEN / "journal").settings


def records() -> list[bytes]:
    """The golden journal's records, without their checksums."""
    content, found = (GOLDEN / "journal").read_bytes(), []
    position = 16 + len(journals.settings_text(SETTINGS))
    while position < len(content):
        kind, count = content[position], content[position + 1]
        sizes = {1: (3 * count + 7) // 8, 2: (6 * count + 7) // 8, 3: 3 * count, 4: 12, 5: 5}
        found.append(content[position : position + 2 + sizes[kind]])
        position += 2 + sizes[kind] + 4
    return found


def sealed(text, parts, directions=3) -> bytes:
    """A journal of any settings text and records, every checksum right."""
    head = struct.pack("<4sHHI", b"SFJ2", 2, directions, len(text)) + text
    check = zlib.crc32(head)
    content = [head, struct.pack("<I", check)]
    for part in parts:
        check = zlib.crc32(part, check)
        content += [part, struct.pack("<I", check)]
    return b"".join(content)


def resume(folder, content):
    folder.mkdir(exist_ok=True)
    (folder / "journal").write_bytes(content)
    return adapt(BASE, DATA, out=folder, resume=True, **OPTIONS)


def test_an_old_journal_replays_to_its_bits():
    assert replay(BASE, GOLDEN / "journal")["weights_sha256"] == ADAPTED


def test_the_same_run_today_takes_the_same_steps(tmp_path):
    result = adapt(BASE, DATA, out=tmp_path / "run", **OPTIONS)
    assert result["weights_sha256"] == ADAPTED
    old, new = journals.read(GOLDEN / "journal"), journals.read(tmp_path / "run" / "journal")
    assert old.votes.tolist() == new.votes.tolist()
    assert old.evaluations == new.evaluations
    assert new.settings == SETTINGS | {
        "arithmetic": ARITHMETIC,
        "balance": False,
        "package": __version__,
    }


@pytest.mark.parametrize("kept", [0, 1, 4, 7])
def test_an_old_run_can_be_resumed(tmp_path, kept):
    assert resume(tmp_path / "run", sealed(settings_with(), records()[:kept]))["weights_sha256"] == ADAPTED


def test_another_release_of_the_same_arithmetic_can_resume(tmp_path):
    text = settings_with(arithmetic=1, package="0.0.9")
    assert resume(tmp_path / "run", sealed(text, records()[:5]))["weights_sha256"] == ADAPTED


def test_a_journal_of_a_device_says_less(tmp_path):
    less = {
        k: v for k, v in SETTINGS.items() if k not in ("data_sha256", "batch", "evaluate_every", "patience")
    }
    (tmp_path / "journal").write_bytes(sealed(journals.settings_text(less), records()))
    assert replay(BASE, tmp_path / "journal")["weights_sha256"] == ADAPTED


@pytest.mark.parametrize(
    "package, named", [("0.4.1", "pip install stepforward==0.4.1"), ("x; rm", "the release")]
)
def test_another_arithmetic_is_refused_with_the_release_to_install(tmp_path, package, named):
    content = sealed(settings_with(arithmetic=ARITHMETIC + 1, package=package, new_setting=1), records())
    (tmp_path / "journal").write_bytes(content)
    wanted = re.escape(
        f"arithmetic version {ARITHMETIC + 1}, this release computes with version {ARITHMETIC}"
    )
    for call in (lambda: replay(BASE, tmp_path / "journal"), lambda: resume(tmp_path / "run", content)):
        with pytest.raises(StepforwardError, match=wanted) as refused:
            call()
        assert named in refused.value.remedy


# ---- hostile journals


def settings_with(**changes) -> bytes:
    return journals.settings_text(SETTINGS | changes)


def settings_without(name) -> bytes:
    return journals.settings_text({key: value for key, value in SETTINGS.items() if key != name})


def texts() -> dict[str, bytes]:
    """Settings that are not those of a run."""
    good, found = settings_with(), {}
    for name in sorted(
        SETTINGS.keys()
        - {
            "share_batch",
            "temperature",
            "data_sha256",
            "batch",
            "evaluate_every",
            "patience",
        }
    ):
        found[f"no {name}"] = settings_without(name)
    for name in SETTINGS:
        wrong = 7 if isinstance(SETTINGS[name], str | list) else "x"
        found[f"{name} of a wrong type"] = settings_with(**{name: wrong})
    for name, value in {
        "steps": 0,
        "directions": 4,
        "seed": 2**64,
        "warmup": 121,
        "momentum": 1,
        "epsilon": 0,
        "lr": -1,
        "temperature": 1e9,
        "rounding": "up",
        "distribution": "",
        "perturbation": "x" * 10**6,
        "schedule": None,
        "batch": -1,
        "evaluate_every": True,
        "patience": 0.5,
        "share_batch": 1,
        "balance": 1,
        "base_sha256": "0",
        "arithmetic": 0,
        "package": 1,
        "unknown": [1],
    }.items():
        found[f"{name} = {str(value)[:9]}"] = settings_with(**{name: value})
    names = SETTINGS["trainable"]
    for title, value in {
        "doubled": [*names, names[-1]], "reversed": names[::-1], "unknown": ["x"], "empty": [], "numbers": [1, 2],
        "nested": [names],
    }.items():  # fmt: skip
        found[f"{title} trainables"] = settings_with(trainable=value)
    return found | {
        "steps true": good.replace(b'"steps":120', b'"steps":true'),
        "NaN": good.replace(b"0.006", b"NaN"),
        "Infinity": good.replace(b"0.006", b"Infinity"),
        "1e999": good.replace(b"0.006", b"1e999"),
        "5,000 digits": good.replace(b"0.006", b"1" * 5000),
        "a key twice": good.replace(b'"batch":128', b'"batch":128,"batch":128'),
        "nesting": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "a little nesting": b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
        "not UTF-8": b'{"a":"\xff"}',
        "UTF-16": good.decode().encode("utf-16"),
        "half a surrogate pair": good.replace(b'"normal"', b'"\\ud800"'),
        "a list": b"[1]",
        "nothing": b"",
        "half": good[: len(good) // 2],
        "more": good + b"}",
    }


def changed(index, make) -> list[bytes]:
    parts = records()
    parts[index] = make(parts[index])
    return parts


VOTES_AT = next(i for i, part in enumerate(records()) if part[0] in (1, 2))
RECORDS = {
    "a code of 2": [bytes([2, 1, 0b100010]), *records()],
    "no steps": [bytes([1, 0]), *records()],
    "a bit too much": [bytes([1, 1, 0xFF]), *records()],
    "an evaluation of steps": changed(0, lambda part: bytes([4, 9]) + part[2:]),
    "an end of steps": changed(-1, lambda part: bytes([5, 9]) + part[2:]),
    "kept beyond the end": changed(-1, lambda part: struct.pack("<BBIB", 5, 0, 121, 0)),
    "a reason of 9": changed(-1, lambda part: struct.pack("<BBIB", 5, 0, 30, 9)),
    "more steps than the run": [bytes([3, 255]) + bytes([1] * 765), *records()],
    "a kind of 0": [bytes([0, 0]), *records()],
    "a kind of 6": [bytes([6, 0]), *records()],
    "something after the end": [*records(), records()[VOTES_AT]],
}

JOURNALS = {name: sealed(text, records()) for name, text in texts().items()} | {
    **{name: sealed(settings_with(), parts) for name, parts in RECORDS.items()},
    "m = 0": sealed(settings_with(directions=0), [], 0),
    "m = 256": sealed(settings_with(directions=256), [], 256),
    "settings of 4 GB": b"SFJ2" + struct.pack("<HHI", 2, 3, 2**32 - 1) + bytes(100),
}


@pytest.mark.parametrize("name", JOURNALS)
def test_a_hostile_journal_is_refused_in_one_line(name, tmp_path):
    (tmp_path / "journal").write_bytes(JOURNALS[name])
    for call in (
        lambda: replay(BASE, tmp_path / "journal"),
        lambda: resume(tmp_path / "run", JOURNALS[name]),
    ):
        with pytest.raises(StepforwardError) as refused:
            call()
        assert "journal" in refused.value.what or "base model" in refused.value.what
        assert len(refused.value.what) < 500 and refused.value.what.isprintable()
        assert refused.value.remedy
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["journal"]
    assert (tmp_path / "run" / "journal").read_bytes() == JOURNALS[name]


def test_more_correct_samples_than_there_are(tmp_path):
    parts = changed(0, lambda part: part[:2] + struct.pack("<Iq", 99, 5))[:1]
    with pytest.raises(StepforwardError, match="at step 0 99 of 6 validation samples are correct"):
        resume(tmp_path / "run", sealed(settings_with(), parts))


def test_a_long_journal_takes_little_memory(tmp_path):
    resource = pytest.importorskip("resource")
    record = bytes([1, 255]) + bytes((3 * 255 + 7) // 8)
    text = settings_with(steps=2**32 - 1)
    content = sealed(text, [record] * 20_000)  # 15 million votes in 2 MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert journals.parse(content).votes.shape == (20_000 * 255, 3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
