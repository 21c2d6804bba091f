"""What holds for every test: one thread a process, no network, the same settings however pytest was started."""

import os
import socket
from typing import Any

import pytest

# Set before torch and numpy are imported. Test processes share the cores, and sums come out the same on every machine.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="Agg")

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")


@pytest.fixture(autouse=True, scope="session")
def refuse_network():
    """Fail where a test would reach out: the suite must pass on a machine without a network."""
    with pytest.MonkeyPatch.context() as patch:
        connect = socket.socket.connect

        def connect_locally(self: socket.socket, address: Any) -> None:
            # two workers of a test find each other on this machine, by its own name too
            if isinstance(address, tuple) and not str(address[0]).startswith((*LOCAL, socket.gethostname())):
                raise OSError(f"a test tried to connect to {address}; tests run offline")
            connect(self, address)

        patch.setattr(socket.socket, "connect", connect_locally)
        yield
