# shellcheck shell=sh disable=SC2034
how=--starttls
# It wants a mail transfer agent, which is never called.
install() { packages courier-pop msmtp-mta; }
version() { package_version courier-pop; }
prepare() {
    certificate /etc/courier/pop3d.pem
    chown courier /etc/courier/pop3d.pem
    sed -i 's/^MAXPERIP=.*/MAXPERIP=40/' /etc/courier/pop3d
    mkdir -p /run/courier/authdaemon
    chown -R courier:courier /run/courier
}
start() {
    authdaemond start
    pop3d start
}
