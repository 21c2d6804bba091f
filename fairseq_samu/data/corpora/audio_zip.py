"""An archive without compression, out of which recordings are read by their place in bytes."""

import zipfile
from pathlib import Path
from types import TracebackType

_LOCAL_HEADER = 30  # bytes before the name in a local file header (APPNOTE 4.3.7)
_SAME_DATE = (1980, 1, 1, 0, 0, 0)  # equal recordings make an equal archive on any day


class AudioZip:
    """A stored zip that grows by whole recordings.

    Args:
        path: file to write; the name without folders is what manifests hold.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)

    def add(self, name: str, content: bytes) -> str:
        """Append a recording.

        Args:
            name: path inside the archive, for people who unpack it.
            content: encoded recording.

        Returns:
            ``archive.zip:offset:length``, as manifests name it.
        """
        info = zipfile.ZipInfo(name, _SAME_DATE)
        info.external_attr = 0o644 << 16
        self._archive.writestr(info, content)
        # Below 2 GiB a recording the local header has no extra field: only the name precedes the data.
        start = info.header_offset + _LOCAL_HEADER + len(name.encode()) + len(info.extra)
        return f"{self._name}:{start}:{len(content)}"

    def __enter__(self) -> "AudioZip":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()
