# What the servers' own files share: a user, alice, with seven messages. Runs inside the overlay.
# A server's file defines: how (flags of `restante check`), install, version, prepare, start.
# shellcheck shell=sh disable=SC2034 # read by contrib/peers/inside
port=110
how=

packages() { # names
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

package_version() { # name
    dpkg-query -W -f '${Package} ${Version}\n' "$1"
}

message() { # number
    printf 'Message-ID: <%s@example.org>\nDate: Thu, 01 Jan 2026 00:00:0%s +0000\n' "$1" "$1"
    case $1 in
    1) printf 'From: a@example.org\nSubject: plain\n\nhello\n' ;;
    2) printf 'From: a@example.org\nSubject: dots\n\n.\n..\n.x\nend\n' ;;
    3) printf 'From: a@example.org\nSubject: lines\n\none\n.two\nthree\nfour\nfive\n' ;;
    4) printf 'From: a@example.org\nSubject: 8-bit\n\n\351\377 bare \r CR\n' ;;
    5) printf 'From: a@example.org\nSubject: long\n\n%03000d\n' 7 ;;
    6) printf 'From: a@example.org\nSubject: empty lines\n\n\n\nbetween\n\n' ;;
    7) printf 'From: a@example.org\nSubject: last\n\nlast\n' ;;
    esac
}

mail() { # into ~alice/Maildir and /var/mail/alice
    useradd --create-home --shell /bin/sh alice
    echo alice:battery | chpasswd
    mkdir -p ~alice/Maildir/new ~alice/Maildir/cur ~alice/Maildir/tmp
    for number in 1 2 3 4 5 6 7; do
        message "$number" >~alice/Maildir/new/100000000$number.M0P1Q$number.example
        printf 'From a@example.org Thu Jan  1 00:00:0%s 2026\n' "$number" >>/var/mail/alice
        message "$number" >>/var/mail/alice
        printf '\n' >>/var/mail/alice
    done
    chown -R alice:alice ~alice
    chown alice:mail /var/mail/alice
    chmod 660 /var/mail/alice
}

certificate() { # file for certificate and key
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost \
        -keyout "$1.key" -out "$1.crt"
    cat "$1.key" "$1.crt" >"$1"
}

listening() { # waits for the port
    tries=0
    until python3 -c "import socket; socket.create_connection(('127.0.0.1', $port)).close()" \
        2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || return 1
        sleep 0.2
    done
}
