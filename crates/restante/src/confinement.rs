//! What `serve` gives up once its ports are open: root, the files it does not need, and what no
//! mail server does.
//!
//! In: the configuration. Out: a process that is the configured user and is confined as far as
//! the kernel can, and a line in the log that says how far. What fails: a user who cannot be
//! assumed or who cannot use the office's files, and a kernel that refuses what it knows.
//!
//! All of it is for a process with one thread. A helper that has to start programs, be root or
//! reach other files is started before [`assume_user`], with a socket to talk to it by: nothing
//! can be started afterwards, and nothing outside can be signalled.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use restante_sandbox::{
    CallsInForce, FilesInForce, Identity, Reach, restrict_calls, restrict_files, seal,
};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use tracing::{info, warn};

use crate::config::Config;
use crate::directory;
use crate::office::{Office, resolved};

/// How far a process is confined.
#[derive(Debug)]
pub(crate) struct InForce {
    /// Nothing when that is turned off.
    files: Option<FilesInForce>,
    calls: Option<CallsInForce>,
    /// Folders that should be within reach and are not there.
    missing: Vec<PathBuf>,
}

/// Whom the configuration names, if anybody.
pub(crate) fn identity(config: &Config) -> anyhow::Result<Option<Identity>> {
    let find = |user: &String| Identity::find(user, config.group.as_deref());
    config.user.as_ref().map(find).transpose().context("setting `user`")
}

/// Becomes the configured user, who must be able to use the office's files.
pub(crate) fn assume_user(config: &Config) -> anyhow::Result<()> {
    if let Some(identity) = identity(config)? {
        identity.assume()?;
    }
    Ok(())
}

/// Says now what would make every login fail later: files that the user cannot use.
pub(crate) fn check_access(office: &Office) -> anyhow::Result<()> {
    let config = &office.config;
    let layout = office.layout()?;
    let folder = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    let users = directory::passwd_files(office);
    let needed = [
        (config.data.as_path(), folder, "read and write the data folder"),
        (layout.root(), folder, "read and write the folder of the maildrops"),
    ];
    let databases =
        users.iter().map(|file| (file.path(), Access::READ_OK, "read the user database"));
    let (disabled, app_passwords) = (office.disabled(), office.app_passwords());
    let beside = [
        (disabled.path(), Access::READ_OK, "read who is turned off"),
        (app_passwords.path(), Access::READ_OK, "read the app passwords"),
    ];
    let needed = needed.into_iter().chain(databases).chain(beside);
    for (path, how, what) in needed {
        // What is not there yet is told where it is needed.
        if let Err(error @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) = access(path, how) {
            let user = config.user.as_deref().unwrap_or("this user");
            let problem = format!("{user} cannot {what}, {}", path.display());
            return Err(anyhow::Error::new(error).context(problem));
        }
    }
    Ok(())
}

/// Confines the process for good. `ready_file` is one more file it writes. What came of it is for
/// the log once the server is ready.
pub(crate) fn confine(office: &Office, ready_file: Option<&Path>) -> anyhow::Result<InForce> {
    let reach = reach(office, ready_file)?;
    let missing = reach.write.iter().filter(|folder| !folder.exists()).cloned().collect();
    Ok(InForce { missing, ..restrict(office, &reach)? })
}

impl InForce {
    /// Writes to the log as whom the server runs and how far it is confined.
    pub(crate) fn log(&self, config: &Config) {
        if let Some(user) = &config.user {
            info!(user, uid = rustix::process::geteuid().as_raw(), "root is given up");
        } else if rustix::process::geteuid().is_root() {
            warn!("running as root; name another user in the setting `user`");
        }
        let data = resolved(&config.data);
        for folder in self.missing.iter().filter(|folder| !folder.starts_with(&data)) {
            warn!(folder = %folder.display(), "not there, and out of reach until the next start");
        }
        let (files, calls) = (Files(self.files), Calls(self.calls));
        let whole = matches!(
            (self.files, self.calls),
            (Some(FilesInForce::Abi(_)), Some(CallsInForce::Refused(_)))
        );
        if whole {
            info!(%files, %calls, "confined");
        } else {
            warn!(%files, %calls, "not confined, or in part");
        }
    }
}

/// What would be in force, in lines for people. Confines the calling thread's files and the whole
/// process's calls: there is no other way to know.
pub(crate) fn describe(office: &Office) -> anyhow::Result<String> {
    let config = &office.config;
    let user = identity(config)?.map_or_else(|| "whoever starts it".to_owned(), |i| i.to_string());
    let reach = reach(office, None)?;
    let in_force = restrict(office, &reach)?;
    let list = |paths: &[PathBuf]| {
        let paths =
            paths.iter().filter(|path| !SYSTEM.iter().any(|known| **path == Path::new(known)));
        paths.map(|path| format!("{}, ", path.display())).collect::<String>()
    };
    Ok(format!(
        "serve runs as {user}\n  files: {}\n    written: {}nothing else\n    read: {}the system's \
         certificates and names\n  system calls: {}\n",
        Files(in_force.files),
        list(&reach.write),
        list(&reach.read),
        Calls(in_force.calls),
    ))
}

fn restrict(office: &Office, reach: &Reach) -> anyhow::Result<InForce> {
    let sandbox = &office.config.sandbox;
    seal()?;
    let files = sandbox.files.then(|| restrict_files(reach)).transpose()?;
    let calls = sandbox.calls.then(restrict_calls).transpose()?;
    Ok(InForce { files, calls, missing: Vec::new() })
}

/// Every folder the server needs once it runs. Certificates and user databases are replaced by
/// new files of the same name, so it is their folders that are needed, and those the names lead
/// to by links.
fn reach(office: &Office, ready_file: Option<&Path>) -> anyhow::Result<Reach> {
    let config = &office.config;
    let folder_of = |file: &Path| match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut write = vec![config.data.clone(), office.layout()?.root().to_owned()];
    for table in config.users() {
        if let Some(layout) = table.layout(&config.data) {
            write.push(layout?.root().to_owned());
        }
    }
    write.extend(config.sandbox.paths.iter().cloned());
    write.extend(ready_file.map(folder_of));
    let users = directory::files(office);
    if config.login.rehash.is_some() {
        // Renewed passwords are written where the old ones stood, and recorded.
        write.extend(directory::passwd_files(office).iter().map(|file| folder_of(file.path())));
        write.push(folder_of(&resolved(&config.audit())));
    }
    let more = config.tls.certificates.iter().flat_map(|files| [&files.certificate, &files.key]);
    let tls = &config.tls;
    let clients = [&tls.client_ca, &tls.client_crl];
    let oauth = &config.oauth;
    let others = [&oauth.jwks, &oauth.ca, &oauth.client_secret_file, &config.acme.ca];
    let named = [&tls.certificate, &tls.key].into_iter().chain(clients).chain(others);
    let files: Vec<_> = named.flatten().chain(more).chain(&users).map(PathBuf::as_path).collect();
    let mut read: Vec<_> =
        files.iter().flat_map(|file| [folder_of(file), folder_of(&resolved(file))]).collect();
    for paths in [&mut read, &mut write] {
        for path in paths.iter_mut() {
            *path = resolved(path);
        }
        paths.sort_unstable();
        paths.dedup();
    }
    read.extend(SYSTEM.map(PathBuf::from));
    read.extend(of_environment());
    Ok(Reach { read, write, moves: config.trash.is_some() })
}

/// What looking up names and checking certificates reads that is elsewhere than usual: authorities
/// named in the environment, and the folder in which `/etc/resolv.conf` is really replaced.
fn of_environment() -> Vec<PathBuf> {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os);
    let mut paths: Vec<_> =
        named.flat_map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>()).collect();
    paths.retain(|path| !path.as_os_str().is_empty());
    let names = resolved(Path::new("/etc/resolv.conf"));
    if let Some(folder) = names.parent().filter(|folder| *folder != Path::new("/etc")) {
        paths.push(folder.to_owned());
    }
    paths
}

struct Files(Option<FilesInForce>);

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(FilesInForce::Abi(abi)) => write!(f, "Landlock {abi}"),
            Some(FilesInForce::Nothing) => f.write_str("any, the kernel has no Landlock"),
            Some(FilesInForce::NoMoves) => {
                f.write_str("any, the kernel's Landlock lets nothing be moved to policy.trash")
            }
            None => f.write_str("any, sandbox.files is false"),
        }
    }
}

struct Calls(Option<CallsInForce>);

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(CallsInForce::Refused(count)) => write!(f, "{count} refused"),
            Some(CallsInForce::Nothing) => f.write_str("any, the kernel has no filters for them"),
            None => f.write_str("any, sandbox.calls is false"),
        }
    }
}

/// What looking up a name and checking a certificate of somebody else reads.
const SYSTEM: [&str; 19] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/pki",
    // Where the folders above lead to with Fedora, Arch and SUSE.
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates/extracted",
    "/var/lib/ca-certificates",
    "/usr/lib",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
];
