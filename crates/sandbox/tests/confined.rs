//! What code that an attacker runs inside a confined process comes to. The test starts itself
//! once more as that process, because none of it can be taken back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(clippy::print_stdout, reason = "the process inside tells the test outside")]

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Pid, Uid};
use restante_sandbox::{CallsInForce, FilesInForce, Reach, restrict_calls, restrict_files, seal};

/// Goal: a confined process reads and writes its folders and reaches nothing else, starts nothing
/// and becomes nobody. Method: it tries, and tells what came of each try.
#[test]
fn r20_code_inside_reaches_no_file_and_no_program_outside() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        inside(Path::new(&folder));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["data/mail", "data/trash", "shown", "outside"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("shown/file"), "shown").unwrap();
    fs::write(folder.path().join("outside/secret"), "secret").unwrap();
    symlink(folder.path().join("outside"), folder.path().join("data/link")).unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "r20_code_inside_reaches_no_file_and_no_program_outside"]);
    let output = child.arg("--nocapture").env(INSIDE, folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let outcome = |what: &str| {
        let mut lines = said.lines().filter_map(|line| line.split_once(" => "));
        lines.find(|(name, _)| name.ends_with(what)).unwrap_or_else(|| panic!("{what}: {said}")).1
    };
    for (what, expected) in EXPECTED {
        assert_eq!(outcome(what), *expected, "{what}: {said}");
    }
    assert!(!folder.path().join("outside/new").exists());
    assert_eq!(fs::read(folder.path().join("data/mail/new")).unwrap(), b"mail");
}

const INSIDE: &str = "RESTANTE_TEST_INSIDE";

#[rustfmt::skip]
const EXPECTED: &[(&str, &str)] = &[
    ("write mail", "done"), ("rename mail", "done"), ("move mail", "done"), ("move mail back", "done"),
    ("read what is shown", "done"),
    ("start a thread", "done"), ("connect", "done"),
    ("write what is shown", "EACCES"), ("read outside", "EACCES"), ("list outside", "EACCES"),
    ("write outside", "EACCES"), ("read through a link", "EACCES"),
    ("read by a path with dots", "EACCES"), ("read /etc/passwd", "EACCES"),
    ("read the environment of another process", "EACCES"),
    ("move mail out", "EACCES"), ("link mail out", "EACCES"), ("make a link", "EACCES"),
    ("start a process", "EPERM"), ("become a program", "EPERM"), ("unshare", "EPERM"), ("mount", "EPERM"),
    ("chroot", "EPERM"), ("be traced", "EPERM"), ("become root", "EPERM"),
    ("open a port", "EACCES"), ("signal another process", "EPERM"),
    ("open a raw link", "EPERM"), ("open a crypto socket", "EPERM"),
    ("gain by set-user-id", "no"), ("leave a core", "no"),
];

fn inside(folder: &Path) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let (read, write) = (vec![folder.join("shown")], vec![folder.join("data")]);
    let reach = Reach { read, write, moves: true };
    seal().unwrap();
    let files = restrict_files(&reach).unwrap();
    let calls = restrict_calls().unwrap();
    assert!(matches!(files, FilesInForce::Abi(6..)), "this kernel has {files:?}");
    assert!(matches!(calls, CallsInForce::Refused(60..)), "{calls:?}");

    let at = |name: &str| folder.join(name);
    tell("write mail", fs::write(at("data/mail/tmp"), "mail"));
    #[expect(clippy::disallowed_methods, reason = "the call itself is what is tried")]
    {
        tell("rename mail", fs::rename(at("data/mail/tmp"), at("data/mail/new")));
        tell("move mail", fs::rename(at("data/mail/new"), at("data/trash/new")));
        tell("move mail back", fs::rename(at("data/trash/new"), at("data/mail/new")));
        tell("move mail out", fs::rename(at("data/mail/new"), at("outside/new")));
    }
    tell("link mail out", fs::hard_link(at("data/mail/new"), at("outside/new")));
    tell("make a link", symlink("/etc/passwd", at("data/mail/passwd")));
    tell("read what is shown", File::open(at("shown/file")));
    tell("write what is shown", File::create(at("shown/file")));
    tell("read outside", File::open(at("outside/secret")));
    tell("list outside", fs::read_dir(at("outside")));
    tell("write outside", File::create(at("outside/new")));
    tell("read through a link", File::open(at("data/link/secret")));
    tell("read by a path with dots", File::open(at("data/mail/../../outside/secret")));
    tell("read /etc/passwd", File::open("/etc/passwd"));
    let parent = std::os::unix::process::parent_id();
    let environment = File::open(format!("/proc/{parent}/environ"));
    tell("read the environment of another process", environment);
    tell("start a thread", std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join()));
    tell("connect", TcpStream::connect(port.local_addr().unwrap()));
    tell("open a port", TcpListener::bind("127.0.0.1:0"));
    tell("start a process", Command::new("/bin/true").spawn().map(|_| ()));
    let name = c"/bin/true";
    tell("become a program", nix::unistd::execv(name, &[name]).map(|_| ()));
    let flags = nix::sched::CloneFlags::CLONE_NEWNS;
    tell("unshare", nix::sched::unshare(flags));
    let none = None::<&str>;
    tell("mount", nix::mount::mount(none, "/", none, nix::mount::MsFlags::MS_REMOUNT, none));
    tell("chroot", nix::unistd::chroot("/"));
    tell("be traced", nix::sys::ptrace::traceme());
    tell("become root", nix::unistd::setuid(Uid::from_raw(0)));
    let pid = Pid::from_raw(i32::try_from(parent).unwrap());
    tell("signal another process", nix::sys::signal::kill(pid, None));
    let open = |family| socket(family, SockType::Raw, SockFlag::empty(), None);
    tell("open a raw link", open(AddressFamily::Packet));
    tell("open a crypto socket", open(AddressFamily::Alg));
    let gains = !rustix::thread::no_new_privs().unwrap();
    println!("gain by set-user-id => {}", if gains { "yes" } else { "no" });
    let dumps = nix::sys::prctl::get_dumpable().unwrap();
    println!("leave a core => {}", if dumps { "yes" } else { "no" });
}

fn tell<T, E: Into<io::Error>>(what: &str, outcome: Result<T, E>) {
    match outcome.map_err(Into::into) {
        Ok(_) => println!("{what} => done"),
        Err(error) => {
            println!("{what} => {:?}", Errno::from_raw(error.raw_os_error().unwrap_or_default()));
        }
    }
}
