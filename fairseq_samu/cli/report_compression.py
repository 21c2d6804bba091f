"""Make the page of compression: what the length compressor of a trained model makes of utterances."""

import argparse
import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairseq_samu.cli.retrieve import write_whole
from fairseq_samu.data.adapter_routes import POLICIES
from fairseq_samu.data.manifest import Manifest, Row, read_manifest
from fairseq_samu.errors import ConfigError, explain

if TYPE_CHECKING:
    from fairseq_samu.inference.compressor_view import CompressorView, SeenCompression
    from fairseq_samu.reports.compressed_row import CompressedRow, Compression

DESCRIPTION = "frames that the length compressor keeps"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `report compression`."""
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, metavar="FILE", help="of fairseq-train, with --compressor")
    add("--manifest", type=Path, required=True, metavar="TSV", help="where the utterances are")
    rows = "rows to show, counted from 0 without the header; repeatable"
    add("--row", type=int, nargs="+", action="extend", required=True, metavar="N", help=rows)
    add("--ratio", action="store_true", help="compress every row of the manifest, and show how much shorter it becomes")
    add("--audio-root", type=Path, metavar="DIR", help="folder of relative audio paths [that of the manifest]")
    policy = "what rows of a language without adapter get, where adapters have names [%(default)s]"
    add("--missing-adapter", choices=POLICIES, default=POLICIES[0], help=policy)
    add("--device", default="cpu", help="where the model runs, such as cuda [%(default)s]")
    add("--svg-folder", type=Path, metavar="DIR", help="write every plot there too, as an SVG file of its own")
    add("--output", type=Path, required=True, metavar="HTML", help="the file to write")


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Args:
        args: as the parser of :func:`add_options` gives them.

    Returns:
        0.

    Raises:
        SamuError: the checkpoint has no compressor in use, or manifest, rows or recordings are at fault.
    """
    manifest = read_manifest(args.manifest)
    chosen = choose_rows(manifest, args.row)
    from fairseq_samu.inference.compressor_view import CompressorView
    from fairseq_samu.reports.compression_page import build_page, draw_images, list_files

    view = CompressorView.load(args.checkpoint, args.device, args.missing_adapter)
    root = args.audio_root or args.manifest.parent
    recordings = view.look([row.audio for row in chosen], root, adapters=name_adapters(chosen))
    seen = {one.recording: one for one in recordings}
    rows = [_describe(view, row, seen[place]) for place, row in enumerate(chosen)]
    counts = count_all(view, list(manifest), root) if args.ratio else []
    images = draw_images(rows, counts)
    sounds = [_encode(row.wave) for row in rows]
    signature = {"checkpoint": args.checkpoint.name, "manifest": args.manifest.name, **view.describe()}
    write_whole(args.output, build_page(rows, counts, images, sounds, view.compressor.scope, signature))
    if args.svg_folder:
        for name, text in list_files(images).items():
            write_whole(args.svg_folder / name, text)
    print(f"{args.output}: {len(rows)} rows shown, {len(counts)} counted, {len(images)} plots")
    return 0


def choose_rows(manifest: Manifest, numbers: Sequence[int]) -> list[Row]:
    """Take rows out of a manifest.

    Args:
        manifest: where they are.
        numbers: counted from 0; one that is repeated is taken once.

    Raises:
        ConfigError: with every row that is not there.
    """
    beyond = [str(number) for number in numbers if not 0 <= number < len(manifest)]
    if beyond:
        rule = f"from 0 to {len(manifest) - 1}, as {manifest.path} has them"
        raise ConfigError(explain("", "--row", rule, ", ".join(beyond), "Count the rows without the header from 0."))
    return [manifest[number] for number in dict.fromkeys(numbers)]


def name_adapters(rows: Sequence[Row]) -> list[str]:
    """Name the adapter that each row asks for: its own, or that of its language."""
    return [row.adapter or row.src_lang or "" for row in rows]


def count_all(view: "CompressorView", rows: Sequence[Row], root: Path) -> "list[Compression]":
    """Compress all rows of a manifest, and count frames and segments.

    Args:
        view: the model.
        rows: of the manifest.
        root: folder that audio paths start from.

    Returns:
        Counts in the order of the rows.
    """
    from tqdm import tqdm

    audio = [row.audio for row in rows]
    recordings = view.look(audio, root, with_attention=False, adapters=name_adapters(rows))
    seen = tqdm(recordings, total=len(rows), desc="compress", disable=None)
    counts = {one.recording: _describe(view, rows[one.recording], one).counts() for one in seen}
    return [counts[place] for place in range(len(rows))]


def _describe(view: "CompressorView", row: Row, seen: "SeenCompression") -> "CompressedRow":
    import numpy as np

    from fairseq_samu.reports.compressed_row import CompressedRow

    attention: Any = np.zeros((len(seen.starts), 0)) if seen.attention is None else seen.attention.numpy()
    return CompressedRow(
        id=row.id,
        text=row.src_text or "",
        wave=seen.wave.numpy(),
        labels=[view.label_of(number) for number in seen.labels.tolist()],
        of_frame=seen.of_frame.numpy(),
        starts=seen.starts.numpy(),
        attention=attention,
        keeps_first=view.compressor.representative == "first",
    )


def _encode(samples: Any) -> bytes:
    """Samples (N,) at 16 kHz as a WAV file of 16 bits."""
    import numpy as np

    from fairseq_samu.data.audio import SAMPLE_RATE

    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return stream.getvalue()
