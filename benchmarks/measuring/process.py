"""A process with one measured system in it, that does one thing at a time when told to; in any Python environment."""

import importlib
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DIED = "the process died, of too little memory maybe"


class RemoteWorker:
    """The handle of a worker in another process.

    Args:
        name: in messages.
        factory: ``package.module:function`` that makes the worker, imported in the other process.
        settings: keyword arguments of the factory.
        threads: that it uses.
        python: interpreter of the worker's environment; this one's by default. The other one needs torch, and the
            same version of Python.
    """

    def __init__(
        self, name: str, factory: str, settings: Mapping[str, Any], threads: int, python: str | Path = sys.executable
    ) -> None:
        self.name = name
        self._connection, theirs = Pipe()
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "passive",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "TRANSFORMERS_VERBOSITY": "error",
            "PYTHONPATH": str(ROOT),
        }
        command = [str(python), "-m", "benchmarks.measuring.process", str(theirs.fileno())]
        self._process = subprocess.Popen(command, env=environment, cwd=ROOT, pass_fds=[theirs.fileno()])
        theirs.close()
        self._connection.send((factory, dict(settings), threads))
        self._receive()

    def call(self, name: str, *arguments: Any) -> Any:
        """Have the worker run a method.

        Raises:
            RuntimeError: it failed, with its traceback, or has died.
        """
        try:
            self._connection.send((name, *arguments))
        except ConnectionError:
            raise RuntimeError(f"{self.name}: {DIED}") from None
        return self._receive()

    def close(self) -> None:
        """End the process and free its memory."""
        self._connection.send(None)
        self._process.wait()

    def _receive(self) -> Any:
        try:
            state, value = self._connection.recv()
        except (EOFError, ConnectionError):
            raise RuntimeError(f"{self.name}: {DIED}") from None
        if state == "failed":
            raise RuntimeError(f"{self.name}: {value}")
        return value


def serve(connection: Connection) -> None:
    """Make the worker that the other side names, and run the methods that it calls, until it says the end."""
    import torch

    try:
        factory, settings, threads = connection.recv()
        torch.set_num_threads(threads)
        module, _, function = factory.partition(":")
        worker = getattr(importlib.import_module(module), function)(**settings)
        connection.send(("done", None))
        while (call := connection.recv()) is not None:
            connection.send(("done", getattr(worker, call[0])(*call[1:])))
    except EOFError:
        return  # the other side is gone
    except Exception as error:
        connection.send(("failed", f"{error!r}\n{traceback.format_exc()}"))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
