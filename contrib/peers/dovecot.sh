# shellcheck shell=sh disable=SC2034
how=--starttls
install() { packages dovecot-pop3d; }
version() { package_version dovecot-pop3d; }
prepare() {
    certificate /etc/dovecot/peer.pem
    printf '%s\n' 'mail_location = maildir:~/Maildir' 'ssl = yes' \
        'ssl_cert = </etc/dovecot/peer.pem' 'ssl_key = </etc/dovecot/peer.pem' \
        'log_path = /var/log/dovecot' >/etc/dovecot/local.conf
}
start() { dovecot -F & }
