#!/usr/bin/env python3
"""Whether the time of a refusal tells which users there are.

    python3 bench/timing.py [BINARY] [LOGINS]

Starts a server whose users have hashes of the same cost, and tries wrong passwords of one that
exists and of one that does not, in turn, so that whatever else the machine does meets both. Prints
both medians and the p-value of Mann and Whitney's test: a small one (below 0.01) says that they
can be told apart.
"""

import json
import math
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PASSWORD = "correct horse"
SETTINGS = """[login]
tries_per_user = 1000000
tries_per_address = 1000000
ban_tries = 0
"""


def refusal(port, user, number):
    """The seconds from the password to the answer."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = line.makefile("rb")
        reader.readline()
        line.sendall(f"USER {user}\r\n".encode())
        reader.readline()
        began = time.perf_counter()
        line.sendall(f"PASS wrong {number}\r\n".encode())
        answer = reader.readline()
        took = time.perf_counter() - began
        assert answer.startswith(b"-ERR [AUTH]"), answer
        return took


def p_value(first, second):
    """Mann and Whitney's, two-sided, by the normal approximation; ties do not happen here."""
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    n, m = len(first), len(second)
    u = ranks - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    binary = sys.argv[1] if len(sys.argv) > 1 else root / "target" / "debug" / "restante"
    logins = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for user in ("alice", "carol"):
            subprocess.run([binary, "user", "add", user, "--data", folder / "data",
                            "--password-stdin"], input=PASSWORD.encode(), check=True,
                           stdout=subprocess.DEVNULL)
        (folder / "restante.toml").write_text(SETTINGS)
        ready = folder / "ready" / "file"
        ready.parent.mkdir()
        server = subprocess.Popen(
            [binary, "serve", "--config", folder / "restante.toml", "--data", folder / "data",
             "--listen", "pop3=127.0.0.1:0", "--allow-cleartext", "--ready-file", ready],
            stderr=subprocess.DEVNULL)
        try:
            while not ready.exists():
                assert server.poll() is None, "the server ended"
                time.sleep(0.01)
            port = int(json.loads(ready.read_text())["pop3"].rsplit(":", 1)[1])
            times = {"alice": [], "nobody": []}
            for number in range(logins):
                # Who goes first changes, too.
                for user in sorted(times, reverse=number % 2 == 0):
                    times[user].append(refusal(port, user, number) * 1000)
        finally:
            server.terminate()
            server.wait()
    for user, measured in times.items():
        print(f"{user:7} median {statistics.median(measured):8.3f} ms of {len(measured)}")
    print(f"p = {p_value(times['alice'], times['nobody']):.3f}")


main()
