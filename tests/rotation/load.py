"""Twenty clients in a process of their own, each calling without pause, each reading its files when they are new.

    python -m tests.rotation.load FOLDER PORT RATE NAME...

A client keeps its connection while its certificate is the newest, and opens another when the `..data` link points
to another generation. It prints one JSON line at the end (SIGTERM): requests, what was refused or failed, and which
issuers' certificates were used.
"""

import http.client
import json
import signal
import ssl
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

_TIMEOUT = 15


@dataclass
class Client:
    """One caller, `FOLDER/NAME` its files."""

    name: str
    folder: Path
    port: int
    pause: float
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    generations: int = 0

    def run(self, stop: threading.Event) -> None:
        generation: Path | None = None
        connection: http.client.HTTPSConnection | None = None
        stopping = False
        while not stopping:
            # Once more after it was told to stop: with what is newest by then.
            stopping = stop.wait(self.pause)
            newest = self.folder / (self.folder / "..data").readlink()
            if connection is None or newest != generation:
                if connection is not None:
                    connection.close()
                generation, connection = newest, self._connect(newest)
                self.generations += 1
            self._ask(connection)
        if connection is not None:
            connection.close()

    def _connect(self, files: Path) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=files / "ca.pem")
        context.load_cert_chain(files / "fullchain.pem", files / "client.key")
        return http.client.HTTPSConnection("localhost", self.port, context=context, timeout=_TIMEOUT)

    def _ask(self, connection: http.client.HTTPSConnection) -> None:
        try:
            connection.request("GET", "/orders/1")
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.answers["failed"] += 1
            self.failures.append(f"{time.time():.3f} {self.name}: {type(error).__name__}: {error}")
            connection.close()
            return
        self.answers[str(answer.status)] += 1
        if answer.status != http.client.OK:
            self.failures.append(f"{time.time():.3f} {self.name}: {answer.status} {body[:80]!r}")


def main(folder: str, port: str, rate: str, *names: str) -> None:
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        # Not set() here: the main thread may be inside wait() and hold its lock.
        threading.Thread(target=stop.set).start()

    signal.signal(signal.SIGTERM, on_signal)
    pause = len(names) / float(rate)
    clients = [Client(name, Path(folder) / name, int(port), pause) for name in names]
    threads = [threading.Thread(target=client.run, args=(stop,)) for client in clients]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    print("calling", flush=True)  # noqa: T201 - who started it waits for this
    for thread in threads:
        thread.join()
    answers = sum((client.answers for client in clients), Counter())
    report = {
        "seconds": time.monotonic() - begun,
        "answers": answers,
        "failures": [failure for client in clients for failure in client.failures][:20],
        "generations": {client.name: client.generations for client in clients},
    }
    print(json.dumps(report), flush=True)  # noqa: T201 - its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
