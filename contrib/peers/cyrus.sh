# shellcheck shell=sh disable=SC2034
how=--starttls
install() { packages cyrus-pop3d cyrus-imapd cyrus-admin sasl2-bin; }
version() { package_version cyrus-pop3d; }
prepare() {
    certificate /etc/cyrus.pem
    chown cyrus /etc/cyrus.pem /etc/cyrus.pem.key /etc/cyrus.pem.crt
    sed -i '/^popminpoll/d' /etc/imapd.conf
    printf '%s\n' 'tls_server_cert: /etc/cyrus.pem.crt' 'tls_server_key: /etc/cyrus.pem.key' \
        'autocreate_post: yes' 'admins: cyrus' >>/etc/imapd.conf
    printf 'battery' | saslpasswd2 -p -c alice
    chgrp sasl /etc/sasldb2
    chmod 640 /etc/sasldb2
    printf '%s\n' 'START {' ' recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r"' '}' 'SERVICES {' \
        ' pop3 cmd="pop3d" listen="127.0.0.1:110" prefork=0' \
        ' lmtpunix cmd="lmtpd" listen="/run/cyrus/socket/lmtp" prefork=0' '}' \
        'EVENTS {' '}' >/etc/cyrus.conf
    mkdir -p /run/cyrus/socket /run/cyrus/proc /run/cyrus/lock
    chown -R cyrus:mail /run/cyrus
}
start() {
    /usr/sbin/cyrmaster &
    listening
    # Its own delivery, which makes the maildrop.
    for number in 1 2 3 4 5 6 7; do
        message "$number" | runuser -u cyrus -- /usr/sbin/cyrus deliver alice
    done
}
