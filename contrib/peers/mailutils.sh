# shellcheck shell=sh disable=SC2034
install() { packages mailutils-pop3d; }
version() { package_version mailutils-pop3d; }
prepare() { :; }
start() { pop3d --daemon; }
