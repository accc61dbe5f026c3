#!/usr/bin/env python3
"""How much a hundred guessers slow a user's login down.

    python3 bench/guessing.py [BINARY]

Starts a server on loopback, where every 127.0.N.1 is an address in a network of its own, and
logs one user in again and again, each time with a connection of its own: with nobody else there,
and beside 100 connections that guess without a pause. The user's logins cost a hash each
(`login.cache_s = 0`) unless told otherwise. Prints the median and the 95th of a hundred, in ms.
"""

import asyncio
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

LOGINS = 60
GUESSERS = 100
PASSWORD = "correct horse"
UNCOUNTED = "tries_per_user = 1000000\ntries_per_address = 1000000\nban_tries = 0\n"


async def login(port, source, user, password):
    """The seconds from the connection to the answer, and the answer; none if it was closed."""
    began = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=(source, 0))
        try:
            writer.write(f"USER {user}\r\nPASS {password}\r\nQUIT\r\n".encode())
            await reader.readline()
            await reader.readline()
            answer = await reader.readline()
            took = time.perf_counter() - began
            await reader.read()
            return took, answer
        finally:
            writer.close()
    except OSError:
        return time.perf_counter() - began, b""


async def guess(port, number, at_one, counts):
    source = f"127.0.{number + 1}.1"
    while True:
        user = "owner" if at_one else f"user{random.randrange(10_000)}"
        _, answer = await login(port, source, user, str(random.random()))
        counts[answer[:10].decode() or "closed"] = counts.get(answer[:10].decode() or "closed", 0) + 1
        if not answer:
            # Banned or turned away: no faster than a real one that has to connect anew.
            await asyncio.sleep(0.05)


async def measure(port, guessers, at_one):
    source = "127.200.0.1"
    # The owner has logged in before, as everybody who polls has.
    await login(port, source, "owner", PASSWORD)
    counts = {}
    tasks = [asyncio.create_task(guess(port, n, at_one, counts)) for n in range(guessers)]
    await asyncio.sleep(1 if guessers else 0)
    began, times, failed = time.perf_counter(), [], 0
    for _ in range(LOGINS):
        took, answer = await login(port, source, "owner", PASSWORD)
        times.append(took * 1000)
        failed += not answer.startswith(b"+OK")
    seconds = time.perf_counter() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.95)], failed, counts, seconds


def serve(binary, folder, login_settings):
    config = folder / "restante.toml"
    config.write_text(f"[login]\nexempt = []\n{login_settings}")
    ready = folder / "ready" / "file"
    ready.parent.mkdir(exist_ok=True)
    ready.unlink(missing_ok=True)
    process = subprocess.Popen(
        [binary, "serve", "--config", config, "--data", folder / "data", "--listen",
         "pop3=127.0.0.1:0", "--allow-cleartext", "--ready-file", ready],
        stderr=subprocess.DEVNULL)
    while not ready.exists():
        assert process.poll() is None, "the server ended"
        time.sleep(0.01)
    return process, int(json.loads(ready.read_text())["pop3"].rsplit(":", 1)[1])


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    binary = sys.argv[1] if len(sys.argv) > 1 else root / "target" / "debug" / "restante"
    print(f"{os.cpu_count()} processors, {LOGINS} logins each")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([binary, "user", "add", "owner", "--data", folder / "data",
                        "--password-stdin"], input=PASSWORD.encode(), check=True,
                       stdout=subprocess.DEVNULL)
        (folder / "data/mail/owner/Maildir").mkdir(parents=True, exist_ok=True)
        for what, settings, at_one in [
            ("as it comes", "", False),
            ("a hash for each login", "cache_s = 0\n", False),
            ("a hash for each login, all guess at the same user", "cache_s = 0\n", True),
            ("the same without delays and bans", "cache_s = 0\n" + UNCOUNTED, False),
            ("the same at the same user", "cache_s = 0\n" + UNCOUNTED, True),
        ]:
            print(what)
            quiet = None
            for guessers in (0, GUESSERS):
                process, port = serve(binary, folder, settings)
                try:
                    median, tail, failed, counts, seconds = asyncio.run(
                        measure(port, guessers, at_one))
                finally:
                    process.terminate()
                    process.wait()
                quiet = quiet or median
                print(f"  {guessers:3} guessers: median {median:7.1f}, 95th {tail:7.1f}, "
                      f"factor {median / quiet:.2f}, failed {failed}; "
                      f"guesses in {seconds:.1f} s: {counts}")


main()
