"""The page of compression from a checkpoint: what it shows, what it counts, and what bad input says."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile

pytest.importorskip("fairseq", reason="the models stand on the host")

from fairseq_samu.cli.main import main
from fairseq_samu.cli.report_compression import name_adapters
from fairseq_samu.data.manifest import Row
from fairseq_samu.inference.compressor_view import CompressorView
from fairseq_samu.inference.translator_building import MODELS
from tests.unit.parsed_page import EVIL, Page
from tests.unit.tiny_compressor import save_compressing_model

SECONDS = (1.0, 0.5, 0.75)


@pytest.fixture
def inputs(tmp_path):
    random = np.random.default_rng(0)
    lines = ["id\taudio\tn_frames\tsrc_text\n"]
    for number, seconds in enumerate(SECONDS):
        samples = 0.1 * random.normal(size=int(16000 * seconds))
        soundfile.write(tmp_path / f"{number}.wav", samples, 16000)
        lines.append(f"row{number}\t{number}.wav\t{len(samples)}\t{EVIL}\n")
    (tmp_path / "test.tsv").write_text("".join(lines))
    return tmp_path


def report(folder, checkpoint, *more):
    options = ["--checkpoint", str(checkpoint), "--manifest", str(folder / "test.tsv")]
    return main(["report", "compression", *options, "--output", str(folder / "page.html"), *map(str, more)])


def page_of(folder):
    return Page((folder / "page.html").read_text("utf-8"))


@pytest.mark.parametrize("architecture", MODELS)
def test_the_whole_page(inputs, capsys, architecture):
    checkpoint = save_compressing_model(inputs, architecture)
    assert report(inputs, checkpoint, "--row", 2, 0, "--ratio", "--svg-folder", inputs / "plots") == 0
    page = page_of(inputs)
    seen = {one.recording: one for one in CompressorView.load(checkpoint).look([f"{i}.wav" for i in range(3)], inputs)}
    labels = [x["aria-label"] for x in page.find("svg", "compression")]
    expected = [
        f"row{i}: {len(seen[i].labels)} frames of {SECONDS[i]:.2f} s become {len(seen[i].starts)} segments"
        for i in (2, 0)
    ]
    assert [label.partition(";")[0] for label in labels] == expected
    frames, segments = (sum(len(getattr(one, name)) for one in seen.values()) for name in ("labels", "starts"))
    assert f"Frames in{frames}Segments out{segments}" in page.text
    assert page.text.count(EVIL) == 2 and "script" not in page.tags
    assert all(address.startswith("data:audio/wav") for address in page.addresses)
    assert checkpoint.name in page.text and "/nowhere" not in page.text
    assert sorted(path.name for path in (inputs / "plots").iterdir()) == [
        "blanks.svg",
        "ratios.svg",
        "row_1.svg",
        "row_2.svg",
    ]
    assert "2 rows shown, 3 counted, 4 plots" in capsys.readouterr().out


def test_the_recording_can_be_heard(inputs):
    assert report(inputs, save_compressing_model(inputs, "multitask_st"), "--row", 1) == 0
    (address,) = page_of(inputs).addresses
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(address.partition("base64,")[2])))
    original, _ = soundfile.read(inputs / "1.wav")
    assert rate == 16000 and np.abs(samples - original).max() < 2e-4


@pytest.mark.parametrize("scope", ["segment", "global", "none"])
@pytest.mark.parametrize("kind", ["first", "avg"])
def test_every_kind_of_compressor_is_drawn(inputs, kind, scope):
    checkpoint = save_compressing_model(inputs, "multitask_st", compressor=kind, compressor_lookback=scope)
    assert report(inputs, checkpoint, "--row", 0) == 0
    page = page_of(inputs)
    assert bool(page.find("circle", "kept")) is (kind == "first")
    assert scope in page.text and kind in page.text
    # drawn steps of attention: whoever looks everywhere draws beyond the outlines of the segments
    cells = [
        int(count)
        for x in page.find("path")
        if (x.get("class") or "").startswith("q")
        for count in re.findall(r"h(\d+)v", x["d"])
    ]
    outlines = [int(m[1]) for x in page.find("path", "axis") if (m := re.search(r"h(\d+)v", x["d"]))]
    assert sum(outlines) == 12 * 49
    assert (sum(cells) > sum(outlines)) is (scope == "global")


def test_rows_that_are_not_there_are_named(inputs, capsys):
    assert report(inputs, inputs / "none.pt", "--row", 1, 3, -1) == 1
    assert "`--row` must be from 0 to 2, as" in (error := capsys.readouterr().err) and "'3, -1'" in error
    assert not (inputs / "page.html").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compressor": "off"}, "in the model, but is 'off'"),
        ({"compressor_start_update": 9}, "not yet, after 0 updates"),
    ],
)
def test_a_model_that_does_not_compress_is_refused(inputs, capsys, options, message):
    assert report(inputs, save_compressing_model(inputs, "multitask_st", **options), "--row", 0) == 1
    assert message in capsys.readouterr().err


def test_what_is_missing_is_named(inputs, capsys):
    assert report(inputs, inputs / "none.pt", "--row", 0) == 1
    assert "none.pt" in capsys.readouterr().err
    checkpoint = save_compressing_model(inputs, "multitask_st")
    (inputs / "1.wav").unlink()
    assert report(inputs, checkpoint, "--row", 0, "--ratio") == 1
    assert "1.wav" in capsys.readouterr().err
    assert not (inputs / "page.html").exists()


def test_rows_of_a_model_with_named_adapters_are_routed(inputs, capsys):
    checkpoint = save_compressing_model(inputs, "multitask_st", adapter_names="en,fr", adapter_dim=8)
    assert report(inputs, checkpoint, "--row", 1) == 1
    assert "`adapter` must be of languages or domains with an adapter (en, fr)" in capsys.readouterr().err
    assert report(inputs, checkpoint, "--row", 1, "--missing-adapter", "base", "--ratio") == 0
    assert name_adapters([Row(2, adapter="law", src_lang="fr"), Row(3, adapter="", src_lang="fr"), Row(4)]) == [
        "law",
        "fr",
        "",
    ]
