//! What the reading process takes from itself before it looks at a workbook: memory, time, size of files, all files but those of its
//! folder (where the kernel knows Landlock), and every system call that reading one does not need. There is no way back from it.
//!
//! A file that takes over a reader finds no network, no other program, no other process and no file of anybody else; what it says is
//! checked like what a stranger says.

use std::{fs, io, path::Path};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter,
};

/// How much the process may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of address space, beside those that the process has already: its program and libraries.
    pub memory: u64,
    /// Seconds of all its threads on the processor.
    pub cpu_seconds: u64,
    /// Bytes of each file that it writes.
    pub file: u64,
}

/// Files that it may have open at once: its input, its output, three standard streams, and what a library looks at.
const OPEN_FILES: u64 = 64;
/// Others first: a reader has the better part of a minute.
const NICE: i32 = 5;

/// Why a process can't be confined; then nothing is read.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A limit is not taken.
    #[error("a limit of the process can't be set")]
    Limit(#[source] io::Error),
    /// Its folder can't be opened.
    #[error("the folder that it works in can't be opened")]
    Folder(#[source] PathFdError),
    /// The kernel knows Landlock and does not take the rules.
    #[error("the process can't be shut into its folder")]
    ShutIn(#[from] RulesetError),
    /// The filter can't be made.
    #[error("the filter of system calls can't be made")]
    Filter(#[source] BackendError),
    /// The kernel does not take it.
    #[error("the filter of system calls can't be put in place")]
    Install(#[source] seccompiler::Error),
}

/// Closes all files but the three standard streams: what the worker was started with may have been left open to it, and so to this process.
///
/// Only for a process that has opened nothing of its own yet.
pub fn close_others() {
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The one that listed them is closed already.
        let _ = nix::unistd::close(number);
    }
}

/// Bounds memory, time and files.
///
/// # Errors
/// [`ConfineError::Limit`].
pub fn bound(bounds: &Bounds) -> Result<(), ConfineError> {
    let limits = [
        (Resource::As, bounds.memory.saturating_add(address_space()), 0),
        // A second for the signal that says so.
        (Resource::Cpu, bounds.cpu_seconds, 1),
        (Resource::Fsize, bounds.file, 0),
        (Resource::Nofile, OPEN_FILES, 0),
        (Resource::Core, 0, 0),
    ];
    for (resource, soft, more) in limits {
        // What the system has bounded already stays bounded.
        let most = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Rlimit { current: Some(soft.min(most)), maximum: Some(soft.saturating_add(more).min(most)) };
        rustix::process::setrlimit(resource, limit).map_err(|error| ConfineError::Limit(error.into()))?;
    }
    // Neither is a lock: where the machine runs out of memory this process goes first, and it waits for the others.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let _ = rustix::process::nice(NICE);
    Ok(())
}

/// Bytes of address space that this process has now. None of what the limit is for may be spent before it begins, and a program has more
/// or less of it by how it was built.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or_default().saturating_mul(1024)
}

/// The newest rules of Landlock that are made use of; a kernel that knows fewer keeps those.
const RULES: ABI = ABI::V6;

/// Leaves this thread, and those that it starts, no files but those below this folder. False: the kernel does not know how.
///
/// # Errors
/// [`ConfineError::Folder`] and [`ConfineError::ShutIn`].
pub fn shut_in(folder: &Path) -> Result<bool, ConfineError> {
    let folder = PathFd::new(folder).map_err(ConfineError::Folder)?;
    let within =
        AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::ReadDir;
    let shut = Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rule(PathBeneath::new(folder, within))?
        .restrict_self()?;
    Ok(shut.ruleset != RulesetStatus::NotEnforced)
}

/// Whether the kernel knows how to shut a process into its folder.
#[must_use]
pub fn can_shut_in() -> bool {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(ABI::V1));
    rules.and_then(Ruleset::create).is_ok()
}

/// Refuses all system calls but those that reading a file and writing one take, for this thread and those that it starts. Others fail
/// with EPERM.
///
/// # Errors
/// [`ConfineError::Filter`] and [`ConfineError::Install`].
pub fn lock() -> Result<(), ConfineError> {
    // `clone3` has its flags in memory, where no filter sees them: "not there" makes the C library use `clone`.
    let absent = SeccompAction::Errno(errno(libc::ENOSYS));
    let no_clone3 = program([(libc::SYS_clone3, Vec::new())], SeccompAction::Allow, absent)?;
    let mut rules: Vec<(i64, Vec<SeccompRule>)> = ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    rules.extend(restricted().map_err(ConfineError::Filter)?);
    let few = program(rules, SeccompAction::Errno(errno(libc::EPERM)), SeccompAction::Allow)?;
    // The first one still needs the call that puts the second one in place.
    apply_filter(&no_clone3).map_err(ConfineError::Install)?;
    apply_filter(&few).map_err(ConfineError::Install)
}

fn errno(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(1)
}

fn program(
    rules: impl IntoIterator<Item = (i64, Vec<SeccompRule>)>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, ConfineError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(ConfineError::Filter)?;
    let filter = SeccompFilter::new(rules.into_iter().collect(), otherwise, matched, arch).map_err(ConfineError::Filter)?;
    BpfProgram::try_from(filter).map_err(ConfineError::Filter)
}

/// Calls that are allowed with some arguments only.
fn restricted() -> Result<Vec<(i64, Vec<SeccompRule>)>, BackendError> {
    let word = |index, op, value| SeccompRule::new(vec![SeccompCondition::new(index, SeccompCmpArgLen::Dword, op, value)?]);
    let long = |index, op, value| SeccompRule::new(vec![SeccompCondition::new(index, SeccompCmpArgLen::Qword, op, value)?]);
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let itself = u64::from(std::process::id());
    let name = u64::from(libc::PR_SET_NAME.unsigned_abs());
    Ok(vec![
        // Threads, no processes.
        (libc::SYS_clone, vec![long(0, SeccompCmpOp::MaskedEq(thread), thread)?]),
        // Signals to itself: how it ends when it must.
        (libc::SYS_kill, vec![word(0, SeccompCmpOp::Eq, itself)?]),
        (libc::SYS_tgkill, vec![word(0, SeccompCmpOp::Eq, itself)?]),
        // Limits are read, not set.
        (libc::SYS_prlimit64, vec![long(2, SeccompCmpOp::Eq, 0)?]),
        // A thread's name.
        (libc::SYS_prctl, vec![word(0, SeccompCmpOp::Eq, name)?]),
    ])
}

/// Calls that are allowed.
const ALLOWED: &[i64] = &[
    // Files.
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_fcntl,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_unlinkat,
    libc::SYS_ppoll,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // Threads.
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    // Signals, as the language and the C library handle them.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time, chance, and who it is.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    // The end.
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Older names of some of them, which only this architecture has.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
];

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream, UdpSocket},
        os::unix::net::UnixDatagram,
        process::Command,
        thread,
    };

    use super::*;

    /// Runs something behind the filter, in a thread of its own: a filter is for the thread that puts it in place.
    fn locked<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
        let confined = thread::spawn(move || {
            lock().expect("the kernel takes the filter");
            body()
        });
        confined.join().expect("it went through")
    }

    fn is_refused<T>(result: io::Result<T>) -> bool {
        result.err().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }

    #[test]
    fn nothing_reaches_the_network_another_program_or_another_process() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("here it is allowed");
        let address = listener.local_addr().expect("it has an address");
        let folder = std::env::temp_dir().join(format!("datagenie-confine-{}", std::process::id()));
        fs::write(&folder, "x").expect("the temporary folder can be written");
        let link = folder.with_extension("link");
        let refused = locked(move || {
            [
                is_refused(TcpListener::bind(("127.0.0.1", 0))),
                is_refused(TcpStream::connect(address)),
                is_refused(UdpSocket::bind(("127.0.0.1", 0))),
                is_refused(UnixDatagram::unbound()),
                is_refused(Command::new("/bin/true").spawn()),
                is_refused(std::os::unix::fs::symlink(&folder, &link)),
                is_refused(fs::hard_link(&folder, &link)),
                is_refused(fs::rename(&folder, &link)),
                rustix::process::test_kill_process(rustix::process::Pid::INIT).is_err_and(|error| error == rustix::io::Errno::PERM),
                rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(9), maximum: Some(9) }).is_err(),
            ]
        });
        let _ = fs::remove_file(std::env::temp_dir().join(format!("datagenie-confine-{}", std::process::id())));
        assert_eq!(refused, [true; 10]);
    }

    #[test]
    fn no_file_is_opened_but_those_of_its_folder() {
        let folder = std::env::temp_dir().join(format!("datagenie-shut-in-{}", std::process::id()));
        fs::create_dir_all(folder.join("own")).expect("the temporary folder can be written");
        fs::write(folder.join("other"), "x").expect("the temporary folder can be written");
        fs::write(folder.join("own/input"), "x").expect("the temporary folder can be written");
        let place = folder.clone();
        let shut = thread::spawn(move || {
            let is_shut = shut_in(&place.join("own")).expect("the folder is there");
            let own = [
                fs::read(place.join("own/input")).is_ok(),
                fs::write(place.join("own/output"), "x").is_ok(),
                fs::remove_file(place.join("own/output")).is_ok(),
            ];
            let others = [
                is_refused(fs::read(place.join("other"))),
                is_refused(fs::read(place.join("own/../other"))),
                is_refused(fs::write(place.join("new"), "x")),
                is_refused(fs::remove_file(place.join("other"))),
                is_refused(fs::read("/proc/self/environ")),
                is_refused(fs::read_dir("/")),
                is_refused(fs::read("/etc/passwd")),
            ];
            (is_shut, own, others)
        });
        let (is_shut, own, others) = shut.join().expect("it went through");
        let _ = fs::remove_dir_all(&folder);
        assert_eq!(own, [true; 3]);
        assert_eq!(is_shut, can_shut_in());
        // A kernel without Landlock refuses nothing.
        assert_eq!(others, [is_shut; 7]);
    }

    #[test]
    fn what_reading_takes_is_allowed() {
        let path = std::env::temp_dir().join(format!("datagenie-confine-{}.sqlite", std::process::id()));
        let beside = path.clone();
        let (rows, threads) = locked(move || {
            let connection = rusqlite::Connection::open(&beside).expect("a SQLite file is made");
            connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)").expect("it is written");
            let rows: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("it is read");
            let threads: Vec<i32> = (0..3).map(|n| thread::spawn(move || n).join().expect("a thread runs")).collect();
            fs::remove_file(&beside).expect("it is removed");
            (rows, threads)
        });
        assert_eq!((rows, threads), (2, vec![0, 1, 2]));
        assert!(!path.exists());
    }

    #[test]
    fn what_reaches_out_is_not_on_the_list() {
        let calls: std::collections::BTreeSet<i64> = ALLOWED.iter().copied().collect();
        assert_eq!(calls.len(), ALLOWED.len(), "each call is listed once");
        for never in
            [libc::SYS_socket, libc::SYS_connect, libc::SYS_execve, libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_io_uring_setup]
        {
            assert!(!calls.contains(&never));
        }
    }
}
