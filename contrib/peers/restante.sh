# shellcheck shell=sh disable=SC2034
how=--starttls
install() { :; }
version() { /peer/restante --version; }
prepare() {
    mkdir -p /srv/data/mail/alice
    cp -r ~alice/Maildir /srv/data/mail/alice
    printf 'alice:{PLAIN}battery\n' >/srv/data/passwd
    chmod 600 /srv/data/passwd
}
start() { /peer/restante serve --data /srv/data --listen pop3=127.0.0.1:110 & }
