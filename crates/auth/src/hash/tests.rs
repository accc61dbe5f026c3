//! Stored passwords, those of other programs above all.

use proptest::prelude::*;

use super::*;

const PASSWORD: &str = "pa55 wörd";

#[test]
fn hashes_made_by_others_are_understood() {
    for (maker, field, scheme) in [
        (
            "doveadm pw -s ARGON2ID",
            "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$EgT1RQifJDy6jdb5WBLB5Q$T93kCNRv0jEhNkc2qbPmqhQjelx/RSku1oQQj0H82fc",
            "ARGON2ID",
        ),
        (
            "doveadm pw -s ARGON2I",
            "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$ywKJKFuPT6fYhGi7JGogkw$OL0QCtecfkkKGTAYua0slxKB/ag6odm7mjp9sWRVZo8",
            "ARGON2I",
        ),
        (
            "doveadm pw -s BLF-CRYPT",
            "{BLF-CRYPT}$2y$05$T16kpY82tNd3nGAhYiJpTeVxAHzPB5lrkEx71FNNeHVEpMXb7yoLO",
            "BLF-CRYPT",
        ),
        (
            "doveadm pw -s SHA512-CRYPT",
            "{SHA512-CRYPT}$6$JJijSqkzx73RdQdN$uAGFyRQgUrETFh7EVWjBZk5ov6Q2jSnuugZRs4pP3wap4GsjSe2QOlXpx8drhDGacpvbXvAx.ZHmsEJeZZb8C0",
            "SHA512-CRYPT",
        ),
        (
            "doveadm pw -s SHA512-CRYPT -r 12000",
            "{SHA512-CRYPT}$6$rounds=12000$iP3jpusJDE5nzoWS$XdQv2D9XCm/5LXrnGFxk9iKEV25uE5SoKTmt0oY.prqa0Ankn6f7JgCvh.ohImBPGKuWmfopMxoNQcAhT.Lk90",
            "SHA512-CRYPT",
        ),
        (
            "doveadm pw -s SHA256-CRYPT",
            "{sha256-crypt}$5$paA9xbFEt9fLP/sG$Fxm7IYeB.Stq6P2l1G3oDxUT6hnBfUMrlntNiCh.wg5",
            "SHA256-CRYPT",
        ),
        (
            "doveadm pw -s CRYPT",
            "{CRYPT}$2y$05$.FTHtG56iGbljj391KlxW.dwb7XI4WvzZnwBRqzd1vZqDZHqyTF4W",
            "BLF-CRYPT",
        ),
        (
            "doveadm pw -s SCRAM-SHA-256",
            "{SCRAM-SHA-256}4096,H+chhqP5TuZU4PvKBO/Iwg==,QkvudEIozJNh2kJz+GUQzKUq04EbNVWattgfSbh81Bw=,O8rfxQziL91faRZD2glt082PLg7YCbdeeYunk83jW9Q=",
            "SCRAM-SHA-256",
        ),
        (
            "doveadm pw -s SCRAM-SHA-1",
            "{SCRAM-SHA-1}4096,ICJgJrIuws/QzZbk6WFVfA==,MTBnL84ejv5FdPY1MDc3/K4wbf4=,PBd2XF3FrCHFVIOJs9IOsf6EsFM=",
            "SCRAM-SHA-1",
        ),
        ("doveadm pw -s PLAIN", "{PLAIN}pa55 wörd", "PLAIN"),
        ("doveadm pw -s CLEARTEXT", "{CLEARTEXT}pa55 wörd", "CLEARTEXT"),
        (
            "htpasswd -nbB",
            "$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa",
            "BLF-CRYPT",
        ),
        (
            "openssl passwd -6",
            "$6$saltsalt$aLQIWH181LkCDYAP2xWlgVhfRFaS/sC8P1MvDzWD79iDbF/sHyMBo117srwCj7P0XpZG8.3RnH4MxLDiWF/bf/",
            "SHA512-CRYPT",
        ),
        (
            "openssl passwd -5",
            "$5$abcd1234$MhY8pGr6TtVeeDiXeIxicGRVrPO8fk/Q4tVTF7s1nC5",
            "SHA256-CRYPT",
        ),
        (
            "crypt(3)",
            "$5$rounds=1400$anotherlongsalts$LpIjC6DT57c.623m.oPMI3jkC0t8jY3.SXbXFgrQwX/",
            "SHA256-CRYPT",
        ),
        (
            "argon2id without a scheme",
            "$argon2id$v=19$m=65536,t=3,p=1$EgT1RQifJDy6jdb5WBLB5Q$T93kCNRv0jEhNkc2qbPmqhQjelx/RSku1oQQj0H82fc",
            "ARGON2ID",
        ),
    ] {
        let hash = Hash::parse(field).unwrap_or_else(|error| panic!("{maker}: {error}"));
        assert_eq!(hash.scheme(), scheme, "{maker}");
        assert!(hash.verify(PASSWORD.as_bytes()), "{maker}");
        for wrong in ["", "pa55 wörd ", "pa55 wörD", "pa55"] {
            assert!(!hash.verify(wrong.as_bytes()), "{maker}: {wrong:?}");
        }
    }
}

/// One line each: who made it of [`PASSWORD`], what stands in the file, and its scheme.
const OTHERS: &[(&str, &str, &str)] = &[
    (
        "crypt(3)",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$4cT1XRLT6DySXCxUCKRWFonjJQoecjIoQys0VZwcGL.",
        "YESCRYPT",
    ),
    (
        "crypt(3)",
        "{CRYPT}$y$j75$saltsaltsaltsalt....$kqQCcRW2CTX7Uhj3JJR8NXZ8Vgs1r5Rvrbz8VGcLITA",
        "YESCRYPT",
    ),
    (
        "crypt(3)",
        "$7$BU..../....2Q9obwLhin8qvQl6sisAO/$PUSOqecvChgDcSP54t9F09Ne5y1isdeyNVrAGcMzgTC",
        "SCRYPT",
    ),
    ("crypt(3)", "$1$saltsalt$WLIl4oOuhokNRbREsKABJ1", "MD5-CRYPT"),
    ("openssl passwd -1", "{CRYPT}$1$abcd$LvrbxcuoulssMna1TlTl00", "MD5-CRYPT"),
    ("doveadm pw -s MD5-CRYPT", "{MD5-CRYPT}$1$p//tNeql$5b7EoXUWe9s0U1fTBUWyp/", "MD5-CRYPT"),
    ("doveadm pw -s MD5", "{MD5}$1$D6BhTFCh$3z1cfyshW9JChkHAiUAUd1", "MD5"),
    ("slappasswd -h {MD5}", "{MD5}vvDZMR7NAcUzHitrbfgA6g==", "MD5"),
    ("slappasswd -h {SMD5}", "{SMD5}3/78yj9hbs1P1dsJbGRdmM7VI8A=", "SMD5"),
    ("slappasswd -h {SSHA}", "{SSHA}iZpP4Jm/Xvwp1g32WwR59c4KpnBDCJpI", "SSHA"),
    ("doveadm pw -s SHA1", "{SHA1}00br2jWfWEQjpXcFuVoAVGH6lhk=", "SHA1"),
    ("the same without padding", "{SHA}00br2jWfWEQjpXcFuVoAVGH6lhk", "SHA"),
    (
        "doveadm pw -s SHA256.HEX",
        "{SHA256.HEX}da6aba33c9c446530d2928ad7296c39fa2afc975c6c56ae509481426a24a4809",
        "SHA256",
    ),
    (
        "the same, guessed",
        "{SHA256}da6aba33c9c446530d2928ad7296c39fa2afc975c6c56ae509481426a24a4809",
        "SHA256",
    ),
    (
        "doveadm pw -s SHA512.b64",
        "{SHA512.b64}uZxu0i5ZYsNvaR/wb0OQq5xaKh+hYnrlLWzp8c6DzKmr2LrCGIyquYi0PneOZ1WSN+iUBHLFmiEALm1n7RL/Dg==",
        "SHA512",
    ),
    (
        "doveadm pw -s SSHA.HEX",
        "{SSHA.HEX}49d211b68d204b82389fd3bfb994e2c05ccee5e364a93ede",
        "SSHA",
    ),
    (
        "doveadm pw -s SSHA256",
        "{SSHA256}HaoE/8C9fR7pXgFyuWho05qh2n3BTVin6KOBoqYxBZJVd5aV",
        "SSHA256",
    ),
    (
        "doveadm pw -s SSHA512",
        "{SSHA512}J8elp86w5u/LCETswY5uauwnxSmpsTzjZoJeVBmwmSPSRJnM/zeK6+IJJbxotOU/SV2MW7qPwtwRjoATaEqL1DZokUc=",
        "SSHA512",
    ),
    ("doveadm pw -s PLAIN-MD5", "{PLAIN-MD5}bef0d9311ecd01c5331e2b6b6df800ea", "PLAIN-MD5"),
    ("doveadm pw -s LDAP-MD5.HEX", "{LDAP-MD5.HEX}bef0d9311ecd01c5331e2b6b6df800ea", "LDAP-MD5"),
    ("doveadm pw -s PLAIN-MD4.B64", "{PLAIN-MD4.B64}QDQBDFKyA3JAgGgLh5I7LQ==", "PLAIN-MD4"),
    ("openssl dgst -md4 of UTF-16", "{NTLM}ac4e71f4e78c956fef0c7d711dc6ab8d", "NTLM"),
    (
        "doveadm pw -s CRAM-MD5",
        "{CRAM-MD5}27ad290c8467fd7037199a1181e6fa267ccfee2b02faff06bdde6176fc78905c",
        "CRAM-MD5",
    ),
    (
        "doveadm pw -s PBKDF2",
        "{PBKDF2}$1$EXyJ8tTRiS8XOmzH$5000$a0e351c228bcb2514989c5891f0dc6026de6b36d",
        "PBKDF2",
    ),
    (
        "OpenLDAP",
        "{PBKDF2-SHA256}1000$c2FsdHNhbHRzYWx0c2FsdA$lq.SRmilNOjk.pJ4ZRmKCxTEu72X3Ogc1qr0zKZWp6o",
        "PBKDF2-SHA256",
    ),
    (
        "passlib",
        "$pbkdf2-sha512$1000$c2FsdHNhbHRzYWx0c2FsdA$q18uwTsVda/l8SJo8j5JXqkJaCgNEtGLsIseKZHLGQdC0A3wEXDEU2wfnlDH4XCjbnxs0Jp.EG8ICm3SmBlN7w",
        "PBKDF2-SHA512",
    ),
    ("passlib", "$pbkdf2$1000$c2FsdHNhbHRzYWx0c2FsdA$Pt4Mmv05Tm3x3k3HkqRvFhiW5Eg", "PBKDF2-SHA1"),
    (
        "in PHC's form",
        "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0c2FsdA$lq+SRmilNOjk+pJ4ZRmKCxTEu72X3Ogc1qr0zKZWp6o",
        "PBKDF2-SHA256",
    ),
    (
        "OpenLDAP",
        "{ARGON2}$argon2id$v=19$m=65536,t=3,p=1$EgT1RQifJDy6jdb5WBLB5Q$T93kCNRv0jEhNkc2qbPmqhQjelx/RSku1oQQj0H82fc",
        "ARGON2ID",
    ),
    (
        "doveadm pw -s SHA256-CRYPT.HEX",
        "{SHA256-CRYPT.HEX}243524637145696b3341644d6b314c64786e51242e356851454f66626a6e6e47646e7556394a4d684a544c4f7444595a514e47373346342f2f552e77573538",
        "SHA256-CRYPT",
    ),
    ("doveadm pw -s PLAIN.B64", "{PLAIN.B64}cGE1NSB3w7ZyZA==", "PLAIN"),
];

#[test]
fn hashes_of_older_schemes_and_other_servers_are_understood() {
    for (maker, field, scheme) in OTHERS {
        let hash = Hash::parse(field).unwrap_or_else(|error| panic!("{maker}: {error}"));
        assert_eq!(hash.scheme(), *scheme, "{maker}");
        assert!(hash.verify(PASSWORD.as_bytes()), "{maker} {scheme}");
        for wrong in ["", "pa55 wörd ", "pa55 wörD", "pa55"] {
            assert!(!hash.verify(wrong.as_bytes()), "{maker} {scheme}: {wrong:?}");
        }
        assert!(!hash.verify(b"pa55 w\xf6rd"), "{maker} {scheme}: Latin-1");
        let again = Hash::parse(hash.to_field().expose()).unwrap();
        assert_eq!(again.to_field(), hash.to_field(), "{maker}");
        assert!(again.verify(PASSWORD.as_bytes()), "{maker} {scheme}");
    }
}

#[test]
fn a_key_longer_than_a_block_is_hashed_first() {
    let hash =
        Hash::parse("{CRAM-MD5}8103bb3a2a4b96a9ca9cce4efecc8d22ebe7163dff7401afb5aa16d4edcf9f1f");
    let hash = hash.unwrap();
    assert!(hash.verify(&[b'x'; 70]) && !hash.verify(&[b'x'; 71]));
}

#[test]
fn a_scheme_that_is_known_and_left_out_says_why() {
    for (field, says) in [
        ("{DES-CRYPT}abhYZRPaQ/HNg", "DES-CRYPT passwords cannot be checked"),
        ("{CRYPT}abhYZRPaQ/HNg", "DES-CRYPT passwords cannot be checked"),
        ("abhYZRPaQ/HNg", "eight letters"),
        ("{digest-md5}3067216964d26ae14af01967c94e8509", "a name and a realm"),
        ("{OTP}sha1 1024 1d4ccb933adadd90 b0ac490f181aeb4b", "one login"),
        ("{PLAIN-TRUNC}pa55", "PLAIN-TRUNC"),
        ("$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$GCfNys.05CWqzR7tfqlJ3Wwr48EVKzQjQlL0H/jsPb5", "GOST"),
    ] {
        let error = Hash::parse(field).unwrap_err().to_string();
        assert!(error.contains(says), "{field}: {error}");
    }
}

#[test]
fn a_hash_that_costs_too_much_memory_is_refused_in_the_newer_schemes_too() {
    let y = "saltsaltsaltsalt....$kqQCcRW2CTX7Uhj3JJR8NXZ8Vgs1r5Rvrbz8VGcLITA";
    let seven = "2Q9obwLhin8qvQl6sisAO/$PUSOqecvChgDcSP54t9F09Ne5y1isdeyNVrAGcMzgTC";
    let pbkdf2 = "c2FsdHNhbHRzYWx0c2FsdA$Pt4Mmv05Tm3x3k3HkqRvFhiW5Eg";
    for (good, bad) in [
        // N from 2^12 to 2^25 with r = 32.
        (format!("$y$j9T${y}"), format!("$y$jMT${y}")),
        // With t = 1.
        (format!("$y$j9T${y}"), format!("$y$j9T/.${y}")),
        (format!("$7$BU..../....{seven}"), format!("$7$LU..../....{seven}")),
        (format!("$pbkdf2$10000000${pbkdf2}"), format!("$pbkdf2$10000001${pbkdf2}")),
    ] {
        Hash::parse(&good).unwrap();
        assert!(matches!(Hash::parse(&bad), Err(BadHash::TooCostly(_))), "{bad}");
    }
}

#[test]
fn what_serves_as_a_scheme_is_not_stored_anew() {
    let argon2 = |costs: &str| {
        format!(
            "$argon2id$v=19${costs}$EgT1RQifJDy6jdb5WBLB5Q$T93kCNRv0jEhNkc2qbPmqhQjelx/RSku1oQQj0H82fc"
        )
    };
    let scram =
        "QkvudEIozJNh2kJz+GUQzKUq04EbNVWattgfSbh81Bw=,O8rfxQziL91faRZD2glt082PLg7YCbdeeYunk83jW9Q=";
    let scram = |count| format!("{{SCRAM-SHA-256}}{count},H+chhqP5TuZU4PvKBO/Iwg==,{scram}");
    let sha_1 = "{SCRAM-SHA-1}4096,ICJgJrIuws/QzZbk6WFVfA==,MTBnL84ejv5FdPY1MDc3/K4wbf4=,PBd2XF3FrCHFVIOJs9IOsf6EsFM=";
    for (field, as_argon2id, as_scram) in [
        (argon2("m=19456,t=2,p=1"), true, false),
        (argon2("m=7168,t=5,p=1"), true, false),
        (argon2("m=65536,t=3,p=4"), true, false),
        (argon2("m=19456,t=1,p=1"), false, false),
        (argon2("m=65536,t=3,p=1").replace("argon2id", "argon2i"), false, false),
        (scram(4096), true, true),
        (scram(4095), true, false),
        (sha_1.to_owned(), true, false),
        ("{PLAIN}x".to_owned(), false, false),
        ("$1$saltsalt$WLIl4oOuhokNRbREsKABJ1".to_owned(), false, false),
    ] {
        let hash = Hash::parse(&field).unwrap();
        assert_eq!(hash.serves_as(NewScheme::Argon2id), as_argon2id, "{field}");
        assert_eq!(hash.serves_as(NewScheme::ScramSha256), as_scram, "{field}");
    }
}

#[test]
fn a_field_that_no_scheme_understands_is_refused_when_it_is_read() {
    for (field, error) in [
        ("", BadHash::Unknown),
        ("*", BadHash::Unknown),
        ("secret", BadHash::Unknown),
        ("{MD5}x", BadHash::Malformed("MD5")),
        ("{NONE}x", BadHash::Unknown),
        ("{SHA.ROT13}x", BadHash::Unknown),
        ("{PLAIN", BadHash::Unknown),
        ("{SHA.HEX}00br2jWfWEQjpXcFuVoAVGH6lhk=", BadHash::Malformed("SHA")),
        ("{SSHA}00br2jWfWEQjpXcFuVoAVGH6lhk=", BadHash::Malformed("SSHA")),
        ("{CRAM-MD5}27ad290c8467fd7037199a1181e6fa26", BadHash::Malformed("CRAM-MD5")),
        (
            "{PBKDF2}$1$salt$0$a0e351c228bcb2514989c5891f0dc6026de6b36d",
            BadHash::Malformed("PBKDF2"),
        ),
        ("{PBKDF2}$1$salt$5000$a0", BadHash::Malformed("PBKDF2")),
        ("{PLAIN.B64}x", BadHash::Malformed("PLAIN")),
        ("$1$saltsalts$WLIl4oOuhokNRbREsKABJ1", BadHash::Malformed("MD5-CRYPT")),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$4cT1XRLT", BadHash::Malformed("YESCRYPT")),
        (
            "$7$BU..../....$PUSOqecvChgDcSP54t9F09Ne5y1isdeyNVrAGcMzgTC",
            BadHash::Malformed("SCRYPT"),
        ),
        ("{PLAIN}", BadHash::Malformed("PLAIN")),
        ("{SCRAM-SHA-256}4096,AA==,AA==,AA==", BadHash::Malformed("SCRAM-SHA-256")),
        ("{ARGON2ID}", BadHash::Malformed("ARGON2ID")),
        ("{ARGON2ID}secret", BadHash::Malformed("ARGON2ID")),
        ("$argon2id$v=19$m=65536,t=3,p=1$EgT1RQifJDy6jdb5WBLB5Q", BadHash::Malformed("ARGON2ID")),
        ("$2y$05$tooshort", BadHash::Malformed("BLF-CRYPT")),
        ("$6$saltsalt$aLQIWH181", BadHash::Malformed("SHA512-CRYPT")),
        (
            "$6$rounds=1$saltsalt$aLQIWH181LkCDYAP2xWlgVhfRFaS/sC8P1MvDzWD79iDbF/sHyMBo117srwCj7P0XpZG8.3RnH4MxLDiWF/bf/",
            BadHash::Malformed("SHA512-CRYPT"),
        ),
        (
            "{SHA256-CRYPT}$5$$MhY8pGr6TtVeeDiXeIxicGRVrPO8fk/Q4tVTF7s1nC5",
            BadHash::Malformed("SHA256-CRYPT"),
        ),
    ] {
        assert_eq!(Hash::parse(field).unwrap_err(), error, "{field}");
    }
}

#[test]
fn a_hash_that_no_server_can_bear_is_refused_when_it_is_read() {
    let argon2 = |costs: &str| {
        format!(
            "$argon2id$v=19${costs}$EgT1RQifJDy6jdb5WBLB5Q$T93kCNRv0jEhNkc2qbPmqhQjelx/RSku1oQQj0H82fc"
        )
    };
    let sha = "saltsalt$aLQIWH181LkCDYAP2xWlgVhfRFaS/sC8P1MvDzWD79iDbF/sHyMBo117srwCj7P0XpZG8.3RnH4MxLDiWF/bf/";
    let scram = |iterations| {
        format!(
            "{{SCRAM-SHA-1}}{iterations},AAAA,MTBnL84ejv5FdPY1MDc3/K4wbf4=,PBd2XF3FrCHFVIOJs9IOsf6EsFM="
        )
    };
    let bcrypt = "ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa";
    for (good, bad) in [
        (argon2("m=1048576,t=5,p=1"), argon2("m=1048577,t=5,p=1")),
        (argon2("m=65536,t=64,p=4"), argon2("m=65536,t=65,p=4")),
        (argon2("m=65536,t=1,p=64"), argon2("m=65536,t=1,p=65")),
        (scram(10_000_000), scram(10_000_001)),
        (format!("$2y$18${bcrypt}"), format!("$2y$19${bcrypt}")),
        (format!("$6$rounds=10000000${sha}"), format!("$6$rounds=10000001${sha}")),
    ] {
        Hash::parse(&good).unwrap();
        assert!(matches!(Hash::parse(&bad), Err(BadHash::TooCostly(_))), "{bad}");
    }
}

proptest! {
    #[test]
    fn whatever_the_field_is_it_is_read_as_it_is_written_or_refused(
        field in r"(\{(ARGON2ID|BLF-CRYPT|SHA512-CRYPT|PBKDF2|SSHA|MD5|PLAIN|CRYPT)\})?(\$(2y|5|6|1|7|y|j9T|pbkdf2|1000|argon2id|v=19|m=8,t=1,p=1|rounds=1000|[a-zA-Z0-9./]{0,43}))*.{0,5}",
    ) {
        if let Ok(hash) = Hash::parse(&field) {
            let written = hash.to_field();
            let text = field.rsplit('}').next().unwrap();
            prop_assert!(written.expose().ends_with(text));
            prop_assert_eq!(Hash::parse(written.expose()).unwrap().to_field(), written);
        }
    }
}

#[test]
fn a_new_hash_is_salted_and_costs_what_owasp_asks_for() {
    let rng = restante_host::HostRng;
    let one = Hash::create(&rng, b"secret").unwrap();
    let two = Hash::create(&rng, b"secret").unwrap();
    assert_ne!(one.to_field(), two.to_field());
    assert_eq!(one.cost(), "$argon2id$v=19$m=19456,t=2,p=1");
    let read = Hash::parse(one.to_field().expose()).unwrap();
    assert!(read.verify(b"secret") && !read.verify(b"Secret"));
    assert_eq!(format!("{read:?}"), "{ARGON2ID}<redacted>");
    let stand_in = Hash::stand_in();
    assert_eq!(stand_in.cost(), one.cost());
    Hash::parse(stand_in.to_field().expose()).unwrap();
}

#[test]
fn new_scram_keys_are_salted_and_read_back() {
    let rng = restante_host::HostRng;
    let one = Hash::create_scram(&rng, b"secret").unwrap();
    let two = Hash::create_scram(&rng, b"secret").unwrap();
    assert_ne!(one.to_field(), two.to_field());
    let read = Hash::parse(one.to_field().expose()).unwrap();
    assert_eq!((read.scheme(), read.cost()), ("SCRAM-SHA-256", "4096"));
    assert!(read.verify(b"secret") && !read.verify(b"Secret"));
    assert!(read.scram_material(ScramHash::Sha256).is_some());
    assert!(read.scram_material(ScramHash::Sha1).is_none() && read.in_clear().is_none());
}

#[test]
fn the_cost_of_a_hash_is_all_but_salt_and_digest() {
    for (field, cost) in [
        ("$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa", "$2y$05"),
        ("$5$abcd1234$MhY8pGr6TtVeeDiXeIxicGRVrPO8fk/Q4tVTF7s1nC5", "$5"),
        (
            "$5$rounds=1400$anotherlongsalts$LpIjC6DT57c.623m.oPMI3jkC0t8jY3.SXbXFgrQwX/",
            "$5$rounds=1400",
        ),
        (
            "{SCRAM-SHA-1}4096,ICJg,MTBnL84ejv5FdPY1MDc3/K4wbf4=,PBd2XF3FrCHFVIOJs9IOsf6EsFM=",
            "4096",
        ),
        ("{PLAIN}a$b$c$d", "PLAIN"),
    ] {
        assert_eq!(Hash::parse(field).unwrap().cost(), cost);
    }
}

#[test]
fn passwords_that_no_client_can_send_are_refused() {
    let hyphen = "\u{ad}".as_bytes();
    for bad in [&b""[..], b"a\0b", b"a\rb", b"a\nb", &[b'x'; 201], b"\xff", b"\x07", hyphen] {
        assert!(BadPassword::check(bad).is_err(), "{bad:?}");
    }
    for good in [&b" "[..], b"a:b", "\u{e9}\u{1f600}".as_bytes(), &[b'x'; 200]] {
        assert!(BadPassword::check(good).is_ok(), "{good:?}");
    }
    assert!(!Hash::parse("{PLAIN}x").unwrap().verify(&[b'x'; 1025]));
}
