//! A message of 200 MB goes through `restante deliver`, `restante serve` and `restante collect`
//! with little memory in each of them.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

use crate::support::maildir::{self, Print};
use crate::support::office::{self, Account, Office};
use crate::support::process;

#[test]
fn measured_memory_stays_flat_when_200_mb_go_the_whole_way() {
    let office = Office::new(&["alice"]);
    let folder = office.folder();
    let message = folder.join("message");
    let sent = write_message(&message);

    let mut deliver = office::restante();
    deliver.args(["deliver", "alice", "--data"]).arg(office.data());
    let peak_kib = run_measured(folder, &deliver, &message);
    assert!(peak_kib < MEMORY_KIB_MAX, "deliver had {peak_kib} KiB");
    fs::remove_file(&message).unwrap();

    let serving = office.serve();
    let inbox = folder.join("inbox");
    let account = Account {
        address: serving.pop3s,
        encryption: "tls",
        user: "alice",
        leave: "always",
        certificate: &serving.certificate,
        maildir: &inbox,
    };
    let peak_kib = run_measured(folder, &account.collect_command(folder), Path::new("/dev/null"));
    assert!(peak_kib < MEMORY_KIB_MAX, "collect had {peak_kib} KiB");
    let peak_kib = serving.process.memory_peak_kib();
    assert!(peak_kib < MEMORY_KIB_MAX, "serve had {peak_kib} KiB");

    for maildir in [office.maildir("alice"), inbox] {
        let [file] = maildir::files(&maildir).try_into().unwrap();
        assert!(maildir::print_stream(File::open(file).unwrap()) == sent, "{maildir:?} differs");
    }
}

const MEMORY_KIB_MAX: u64 = 64 * 1024;
const MESSAGE_OCTETS: usize = 200_000_000;

/// Lines of all lengths up to 999 octets, every seventh begins with a dot, all octets but LF.
fn write_message(path: &Path) -> (Print, u64) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(b"Subject: large\n\n").unwrap();
    let pattern: Vec<u8> = (0..2000_u32)
        .map(|n| u8::try_from(n * 7 % 251).unwrap())
        .map(|octet| if matches!(octet, b'\n' | b'\r') { b' ' } else { octet })
        .collect();
    let (mut written, mut number) = (0, 0);
    while written < MESSAGE_OCTETS {
        let octets = number * 37 % 1000;
        if number % 7 == 0 {
            file.write_all(b".").unwrap();
        }
        file.write_all(&pattern[number % 1000..][..octets]).unwrap();
        file.write_all(b"\n").unwrap();
        written += octets + 1;
        number += 1;
    }
    file.into_inner().unwrap().sync_data().unwrap();
    maildir::print_stream(File::open(path).unwrap())
}

/// Runs a command that must succeed and returns the most memory it had resident, in KiB. Only
/// who waits for a process learns that of a process that is gone, so a few lines of Python wait.
fn run_measured(folder: &Path, command: &Command, stdin: &Path) -> u64 {
    const WAIT: &str = "import os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
open(sys.argv[1], 'w').write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))";
    process::need("python3");
    let peak = folder.join("peak");
    let mut measured = Command::new("python3");
    measured.args(["-c", WAIT]).arg(&peak).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            measured.env(name, value);
        }
    }
    let stdin = File::open(stdin).unwrap();
    process::run_on("measured", folder, &mut measured, stdin).success("measured");
    fs::read_to_string(peak).unwrap().parse().unwrap()
}
