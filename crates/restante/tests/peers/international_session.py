"""Reads a maildrop with Python's poplib, with UTF8 or without.

Arguments: "utf8" or "ascii", port, certificate, user, password, folder. In the folder: one file
per message, named by its number, as RETR gave it with CRLF line ends; number.json with what
Python's email package makes of it (subject, names and addresses of From, names of attached
files, and whether there is anything but ASCII in a header); and language with a refusal in
Spanish.
"""

import email
import email.policy
import json
import pathlib
import poplib
import ssl
import sys

CRLF = b"\r\n"


def headers(message):
    """All headers of a message and of its parts, as they came."""
    return "".join(str(field) for part in message.walk() for field in part._headers)


def read(octets):
    """What a mail program that knows no UTF-8 mode would show."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    plain = email.message_from_bytes(octets)
    return {
        "subject": str(message["Subject"]),
        "names": [address.display_name for address in message["From"].addresses],
        "addresses": [address.addr_spec for address in message["From"].addresses],
        "files": [part.get_filename() for part in message.walk() if part.get_filename()],
        "ascii": headers(plain).isascii(),
        "defects": [str(defect) for defect in message.defects],
    }


def main(mode, port, certificate, user, password, folder):
    """The whole session."""
    folder = pathlib.Path(folder)
    context = ssl.create_default_context(cafile=certificate)
    server = poplib.POP3_SSL("localhost", int(port), context=context, timeout=60)
    capabilities = server.capa()
    assert capabilities["UTF8"] == ["USER"], capabilities
    assert capabilities["LANG"] == [], capabilities
    if mode == "utf8":
        assert server.utf8().startswith(b"+OK")
    server.user(user)
    server.pass_(password)
    assert server.capa() == capabilities
    count, octets = server.stat()
    _, listing, _ = server.list()
    for number in range(1, count + 1):
        _, lines, _ = server.retr(number)
        message = b"".join(line + CRLF for line in lines)
        assert listing[number - 1] == b"%d %d" % (number, len(message)), listing
        octets -= len(message)
        (folder / str(number)).write_bytes(message)
        (folder / f"{number}.json").write_text(json.dumps(read(message)), "utf-8")
        _, top, _ = server.top(number, 0)
        head = b"".join(line + CRLF for line in top)
        assert message.startswith(head) and head.endswith(CRLF + CRLF), head
    assert octets == 0, octets
    _, languages, _ = server._longcmd("LANG")
    assert b"es Espa\xc3\xb1ol" in languages, languages
    assert server._shortcmd("LANG es") == b"+OK es Idioma cambiado"
    try:
        server.retr(count + 1)
    except poplib.error_proto as refusal:
        (folder / "language").write_bytes(refusal.args[0])
    server.quit()


main(*sys.argv[1:])
