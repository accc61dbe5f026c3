//! The system calls a process can still make (seccomp filters).
//!
//! In: nothing. Out: calls that no mail server makes fail with `EPERM`, for all threads: starting
//! programs and processes, changing users, mounting, looking into other processes, loading code
//! into the kernel, its rings and keys, its clock and name, sockets of rare families.
//!
//! It is a list of what is refused, not of what is allowed: a complete list of what libc, the
//! allocator and the cryptography need changes with their versions, and a server that dies of an
//! update is one that is run without a filter afterwards. A refused call fails rather than kills:
//! for injected code that is the same, and a mistake in this list costs an error in the log and
//! no session.

use std::collections::BTreeMap;

use libc::{AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, CLONE_THREAD, ENOSYS, EPERM};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::ConfineError;

/// How much of it the kernel can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallsInForce {
    /// So many system calls are refused.
    Refused(usize),
    /// The kernel has no seccomp filters, or not for this kind of processor.
    Nothing,
}

/// Refuses, for all threads and for good, what no mail server does.
///
/// # Errors
/// [`ConfineError::Calls`] when the kernel refuses the filter.
pub fn restrict_calls() -> Result<CallsInForce, ConfineError> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(CallsInForce::Nothing);
    };
    let refused = refused().map_err(failed)?;
    let count = refused.len();
    // A C library that finds no clone3 starts its threads by clone, whose flags can be looked at.
    let absent = on_every_abi([(libc::SYS_clone3, Vec::new())]);
    for (rules, errno) in [(refused, EPERM), (absent, ENOSYS)] {
        let action = SeccompAction::Errno(errno.unsigned_abs());
        let filter = SeccompFilter::new(on_every_abi(rules), SeccompAction::Allow, action, arch);
        let program = filter.and_then(BpfProgram::try_from).map_err(failed)?;
        match seccompiler::apply_filter_all_threads(&program) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error)) if error.raw_os_error() == Some(ENOSYS) => {
                return Ok(CallsInForce::Nothing);
            }
            Err(error) => return Err(ConfineError::Calls(error)),
        }
    }
    Ok(CallsInForce::Refused(count))
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Each call that is refused, with the arguments it is refused for; none is always.
fn refused() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = NEVER.iter().map(|&call| (call, Vec::new())).collect();
    // Threads are started, processes are not.
    let flag = u64::from(CLONE_THREAD.unsigned_abs());
    let thread = SeccompCmpOp::MaskedEq(flag);
    let process = SeccompCondition::new(0, SeccompCmpArgLen::Qword, thread, 0)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![process])?]);
    let family = |family: i32| {
        let value = u64::from(family.unsigned_abs());
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
    };
    // Netlink is how the resolver learns of the machine's addresses.
    let others = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK].map(family);
    let others = others.into_iter().collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(others)?]);
    Ok(rules)
}

/// The x32 calls of an x86-64 kernel have numbers of their own, with one bit more.
#[cfg(target_arch = "x86_64")]
fn on_every_abi(rules: impl IntoIterator<Item = (i64, Vec<SeccompRule>)>) -> Rules {
    const X32: i64 = 0x4000_0000;
    /// execve, ptrace, kexec_load, process_vm_readv, process_vm_writev, execveat.
    const X32_ALONE: [i64; 6] = [520, 521, 528, 539, 540, 545];
    let alone = X32_ALONE.map(|call| (call | X32, Vec::new()));
    let both =
        rules.into_iter().flat_map(|(call, rule)| [(call, rule.clone()), (call | X32, rule)]);
    both.chain(alone).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn on_every_abi(rules: impl IntoIterator<Item = (i64, Vec<SeccompRule>)>) -> Rules {
    rules.into_iter().collect()
}

fn failed(error: impl Into<seccompiler::Error>) -> ConfineError {
    ConfineError::Calls(error.into())
}

/// What is refused whatever its arguments.
#[rustfmt::skip]
const NEVER: &[i64] = &[
    // Programs and processes.
    libc::SYS_execve, libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")] libc::SYS_fork,
    #[cfg(target_arch = "x86_64")] libc::SYS_vfork,
    // Other processes.
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev,
    libc::SYS_process_madvise, libc::SYS_pidfd_getfd, libc::SYS_kcmp,
    // Other users.
    libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setreuid, libc::SYS_setregid,
    libc::SYS_setresuid, libc::SYS_setresgid, libc::SYS_setfsuid, libc::SYS_setfsgid,
    libc::SYS_setgroups, libc::SYS_capset,
    // Other views of the file system.
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_move_mount, libc::SYS_open_tree,
    libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick,
    libc::SYS_mount_setattr, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_setns,
    libc::SYS_unshare, libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at,
    libc::SYS_swapon, libc::SYS_swapoff, libc::SYS_quotactl, libc::SYS_mknodat,
    #[cfg(target_arch = "x86_64")] libc::SYS_mknod,
    // Code in the kernel, and its rarer doors.
    libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module,
    libc::SYS_kexec_load, #[cfg(target_arch = "x86_64")] libc::SYS_kexec_file_load,
    libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register,
    libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_request_key, libc::SYS_personality,
    libc::SYS_syslog, libc::SYS_acct, libc::SYS_lookup_dcookie, libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")] libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")] libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")] libc::SYS_modify_ldt,
    // The machine.
    libc::SYS_reboot, libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_clock_adjtime,
    libc::SYS_adjtimex, libc::SYS_sethostname, libc::SYS_setdomainname,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the list as it stands becomes a program that the kernel takes in one piece.
    #[test]
    fn no_call_stands_twice_and_the_filter_is_within_its_size() {
        let rules = refused().unwrap();
        assert_eq!(rules.len(), NEVER.len() + 2);
        let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let (go_on, stop) = (SeccompAction::Allow, SeccompAction::Errno(1));
        let filter = SeccompFilter::new(on_every_abi(rules), go_on, stop, arch).unwrap();
        assert!(BpfProgram::try_from(filter).unwrap().len() < 4096);
    }
}
