"""Fetches a maildrop with Python's poplib and writes what it got as files.

Arguments: encryption ("tls" or "stls"), port, certificate, user, password, folder, and how many
of the last messages to delete. In the folder: one file per message, named by its number, as RETR
gave it with CRLF line ends; TOP.number with the header and one line; list and uidl.
"""

import pathlib
import poplib
import ssl
import sys

# Its own bound on a line is 2,048 octets, and real mail has longer ones.
poplib._MAXLINE = 1 << 24

CRLF = b"\r\n"


def main(encryption, port, certificate, user, password, folder, deletions):
    """The whole session."""
    folder = pathlib.Path(folder)
    context = ssl.create_default_context(cafile=certificate)
    if encryption == "tls":
        server = poplib.POP3_SSL("localhost", int(port), context=context, timeout=60)
    else:
        server = poplib.POP3("localhost", int(port), timeout=60)
        assert "STLS" in server.capa(), server.capa()
        server.stls(context=context)
    server.user(user)
    server.pass_(password)

    count, octets = server.stat()
    _, listing, _ = server.list()
    _, ids, _ = server.uidl()
    assert len(listing) == len(ids) == count
    assert sum(int(line.split()[1]) for line in listing) == octets
    (folder / "list").write_bytes(b"\n".join(listing))
    (folder / "uidl").write_bytes(b"\n".join(ids))
    for number in range(1, count + 1):
        _, lines, _ = server.retr(number)
        (folder / str(number)).write_bytes(b"".join(line + CRLF for line in lines))
    for number in range(1, min(count, 20) + 1):
        assert server.list(number).split()[1:] == listing[number - 1].split()
        assert server.uidl(number).split()[1:] == ids[number - 1].split()
        _, lines, _ = server.top(number, 1)
        (folder / f"TOP.{number}").write_bytes(b"".join(line + CRLF for line in lines))
    for number in range(count - int(deletions) + 1, count + 1):
        server.dele(number)
    server.rset()
    for number in range(count - int(deletions) + 1, count + 1):
        server.dele(number)
    assert server.noop().startswith(b"+OK")
    server.quit()


main(*sys.argv[1:])
