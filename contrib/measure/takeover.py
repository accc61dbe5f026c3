#!/usr/bin/env python3
"""How long a user is kept out by a holder that is silent, or whose server was killed.

Usage: takeover.py RESTANTE [ROUNDS]

Starts the binary RESTANTE on a data folder of its own with limits.takeover_s = 2, logs in, falls
silent as a client does whose cable was pulled, and logs in anew every 20 ms until that works. Then
the same with two servers on the folder, of which the holder's is killed with SIGKILL. Prints the
seconds beyond the two that were set, and beyond the kill.
"""

import json, os, poplib, signal, subprocess, sys, tempfile, time

TAKEOVER_S = 2


def serve(restante, folder, name):
    ready = os.path.join(folder, name)
    command = [restante, "serve", "--config", os.path.join(folder, "serve.toml"), "--data", folder]
    command += ["--listen", "pop3=127.0.0.1:0", "--allow-cleartext", "--ready-file", ready]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not os.path.exists(ready):
        time.sleep(0.01)
    return server, int(json.load(open(ready))["pop3"].rsplit(":", 1)[1])


def log_in(port):
    client = poplib.POP3("127.0.0.1", port)
    client.user("fred")
    client.pass_("secret")
    return client


def insist(port):
    while True:
        try:
            return log_in(port)
        except poplib.error_proto:
            time.sleep(0.02)


def main():
    restante, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    silent, killed = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            open(os.path.join(folder, "passwd"), "w").write("fred:{PLAIN}secret\n")
            for part in ("tmp", "new", "cur"):
                os.makedirs(os.path.join(folder, "mail/fred/Maildir", part))
            config = f"[limits]\ntakeover_s = {TAKEOVER_S}\n"
            open(os.path.join(folder, "serve.toml"), "w").write(config)
            one, port = serve(restante, folder, "one")
            other, other_port = serve(restante, folder, "other")
            holder = log_in(port)
            began = time.monotonic()
            heir = insist(port)
            silent.append(time.monotonic() - began - TAKEOVER_S)
            os.kill(one.pid, signal.SIGKILL)
            began = time.monotonic()
            insist(other_port)
            killed.append(time.monotonic() - began)
            one.wait()
            other.terminate()
            other.wait()
    for what, seconds in (("silent holder", silent), ("killed server", killed)):
        seconds.sort()
        middle = seconds[len(seconds) // 2]
        print(f"{what}: median {middle:.3f} s, longest {seconds[-1]:.3f} s, {rounds} rounds")


main()
