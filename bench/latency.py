#!/usr/bin/env python3
"""How long a thousand small messages take over a line with a long way, and how much memory.

    python3 bench/latency.py [BINARY] [MESSAGES] [ROUND_TRIP_MS] [PROGRAM...]

Serves a Maildir with `restante serve` on loopback, behind a proxy that holds every octet back for
half the round trip in each direction, and lets `restante collect`, mpop and getmail fetch all of
it without TLS into an empty Maildir and delete it there. Prints seconds, the peak of resident
memory and how the time compares with the first. As root, getmail stores as the user `mail`.
"""

import asyncio
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time

PASSWORD = "correct horse"
CHUNK = 1 << 16


async def pump(reader, writer, delay_s):
    """Passes octets on, each `delay_s` after it came; however many are under way at once."""
    loop = asyncio.get_running_loop()
    under_way = asyncio.Queue()

    async def send():
        while True:
            due, octets = await under_way.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if not octets:
                break
            writer.write(octets)
        writer.close()

    sending = asyncio.ensure_future(send())
    try:
        while octets := await reader.read(CHUNK):
            under_way.put_nowait((loop.time() + delay_s, octets))
    except OSError:
        pass
    under_way.put_nowait((loop.time() + delay_s, b""))
    try:
        await sending
    except OSError:
        pass


def proxy(port, delay_s):
    """Starts the proxy in a thread; its port."""
    started = threading.Event()
    found = []

    async def connected(reader, writer):
        # The handshake of TCP takes a round trip, too.
        await asyncio.sleep(2 * delay_s)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back, delay_s), pump(there, writer, delay_s))

    async def serve():
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        found.append(server.sockets[0].getsockname()[1])
        started.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    started.wait()
    return found[0]


def maildir(folder):
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)


def fill(folder, messages):
    shutil.rmtree(folder, ignore_errors=True)
    maildir(folder)
    for number in range(messages):
        text = f"From: a@example.org\nSubject: {number}\nMessage-ID: <{number}@example.org>\n\n"
        text += f"This is line {number}.\n" * 40
        (folder / "new" / f"{1_000_000_000 + number}.M0P1Q{number}.bench").write_text(text)


def restante(binary, folder, port):
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o600)
    (folder / "accounts.toml").write_text(
        f'state = "state"\n[[account]]\nname = "bench"\nserver = "127.0.0.1"\nport = {port}\n'
        'encryption = "none"\nuser = "alice"\npassword_file = "password"\nleave = "never"\n'
        'maildir = "inbox"\n')
    return [binary, "collect", "--quiet", "--config", str(folder / "accounts.toml")]


def mpop(folder, port):
    config = folder / "mpoprc"
    config.write_text(
        f"account bench\nhost 127.0.0.1\nport {port}\ntls off\nauth user\nuser alice\n"
        f'password "{PASSWORD}"\ndelivery maildir {folder}/inbox\nuidls_file {folder}/uidls\n'
        "keep off\nreceived_header off\npipelining auto\n")
    config.chmod(0o600)
    return ["mpop", "--quiet", "--file", str(config), "bench"]


def getmail(folder, port):
    user = ""
    if os.getuid() == 0:
        mail = pwd.getpwnam("mail")
        for path in (folder / "inbox", *(folder / "inbox").iterdir()):
            os.chown(path, mail.pw_uid, mail.pw_gid)
        user = "user = mail\n"
    (folder / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\n"
        f"username = alice\npassword = {PASSWORD}\n"
        f"[destination]\ntype = Maildir\npath = {folder}/inbox/\n{user}"
        "[options]\nread_all = true\ndelete = true\nverbose = 0\n")
    return ["getmail", "--getmaildir", str(folder)]


def measure(folder, command):
    """Seconds, peak in KiB and exit code."""
    environment = {**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    # What a process that has ended used includes what this one had when it was forked off.
    peak_kib = 0
    while process.poll() is None:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                peak_kib = int(line.split()[1])
        time.sleep(0.02)
    return time.perf_counter() - began, peak_kib, process.returncode


def main():
    arguments = sys.argv[1:]
    binary = os.path.abspath(arguments[0] if arguments else "target/release/restante")
    messages = int(arguments[1]) if len(arguments) > 1 else 1000
    round_trip_ms = float(arguments[2]) if len(arguments) > 2 else 100
    programs = arguments[3:] or ["restante", "mpop", "getmail"]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        data, ready = folder / "data", folder / "ready"
        data.mkdir()
        ready.mkdir()
        (data / "passwd").write_text(f"alice:{{PLAIN}}{PASSWORD}\n")
        (data / "passwd").chmod(0o600)
        drop = data / "mail/alice/Maildir"
        fill(drop, messages)
        serving = subprocess.Popen(
            [binary, "serve", "--data", str(data), "--listen", "pop3=127.0.0.1:0",
             "--allow-cleartext", "--ready-file", str(ready / "ready.json")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not (ready / "ready.json").exists():
                time.sleep(0.05)
            address = json.loads((ready / "ready.json").read_text())["pop3"]
            port = proxy(int(address.rsplit(":", 1)[1]), round_trip_ms / 2000)
            ours = None
            print("| | seconds | compared | peak memory |\n|---|---|---|---|")
            for name in programs:
                fill(drop, messages)
                home = folder / name
                maildir(home / "inbox")
                command = {
                    "restante": lambda: restante(binary, home, port),
                    "mpop": lambda: mpop(home, port),
                    "getmail": lambda: getmail(home, port),
                }[name]()
                seconds, peak_kib, code = measure(home, command)
                stored = len(list((home / "inbox/new").iterdir()))
                left = sum(len(list((drop / part).iterdir())) for part in ("new", "cur"))
                ours = ours or seconds
                print(f"| {name} | {seconds:.1f} | {seconds / ours:.1f} | {peak_kib / 1024:.1f} MiB |",
                      flush=True)
                if (stored, left, code) != (messages, 0, 0):
                    print(f"{name}: exit {code}, {stored} stored, {left} left", file=sys.stderr)
        finally:
            serving.terminate()
            serving.wait()


if __name__ == "__main__":
    main()
