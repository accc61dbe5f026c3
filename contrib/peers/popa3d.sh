# shellcheck shell=sh disable=SC2034
# It has no TLS.
install() { packages popa3d; }
version() { package_version popa3d; }
prepare() { :; }
start() { popa3d -D; }
