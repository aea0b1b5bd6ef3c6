//! Gives up what the daemon does not need, once its sockets are open and before any thread starts: threads inherit it.

use std::{collections::BTreeMap, fs, path::Path};

use caps::{CapSet, Capability, CapsHashSet};
use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// What opening a socket again needs, when an interface has come back. Promiscuous mode takes no other.
const KEPT: Capability = Capability::CAP_NET_RAW;

/// What is asked of landlock: files, and since its fourth version TCP.
const LANDLOCK: ABI = ABI::V5;

/// What may be read beside the store: interfaces, their counters, and the names that filters may use.
const READABLE: [&str; 8] = [
    "/sys/class/net",
    "/sys/devices",
    "/proc",
    "/etc/protocols",
    "/etc/services",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/dev/urandom",
];

/// System calls that it never makes: other programs, other processes, mounts, modules, keys, clocks, tracing. With
/// `execve` refused no shell can be started, whatever else goes wrong.
const REFUSED: [i64; 38] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_open_by_handle_at,
    libc::SYS_personality,
];

/// Confines this thread and those that it starts; tells what the system could not do.
pub(super) fn confine(folder: &Path, config: Option<&Path>) -> Vec<String> {
    let mut lacking = Vec::new();
    let mut note = |what: &str, done: Result<(), String>| {
        if let Err(why) = done {
            lacking.push(format!("{what}: {why}"));
        }
    };
    note("capabilities", drop_capabilities());
    note("landlock", restrict_files(folder, config));
    note("seccomp", refuse_calls());
    note("no_new_privs", check_no_new_privileges());
    lacking
}

/// Drops all capabilities but one, also those that could be had again.
fn drop_capabilities() -> Result<(), String> {
    let fail = |error: caps::errors::CapsError| error.to_string();
    let permitted = caps::read(None, CapSet::Permitted).map_err(fail)?;
    let kept: CapsHashSet = permitted.iter().copied().filter(|it| *it == KEPT).collect();
    // the bounding set is only for who may set it, and without new privileges it bounds nothing more
    if permitted.contains(&Capability::CAP_SETPCAP) {
        for capability in caps::all().into_iter().filter(|it| *it != KEPT) {
            // not known to this kernel
            let _ = caps::drop(None, CapSet::Bounding, capability);
        }
    }
    // kernels from before 4.3 have no ambient set
    let _ = caps::clear(None, CapSet::Ambient);
    caps::clear(None, CapSet::Inheritable).map_err(fail)?;
    caps::set(None, CapSet::Effective, &kept).map_err(fail)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(fail)
}

/// Files: the store's folder, and reading what interfaces and filters need. TCP: nothing but the listener that is open.
fn restrict_files(folder: &Path, config: Option<&Path>) -> Result<(), String> {
    // its folder, for editors put a new file in the place of the old
    let of_config = config.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    let of_config = of_config.or(config.map(|_| Path::new(".")));
    let rules = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(LANDLOCK))?
            .handle_access(AccessNet::from_all(LANDLOCK))?
            .create()?
            .add_rules(path_beneath_rules([folder], AccessFs::from_all(LANDLOCK)))?
            .add_rules(path_beneath_rules(READABLE, AccessFs::from_read(LANDLOCK)))?
            .add_rules(path_beneath_rules(of_config, AccessFs::from_read(LANDLOCK)))?
            .restrict_self()
    };
    let status = rules().map_err(|error: landlock::RulesetError| error.to_string())?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => Err("this kernel confines in part".into()),
        RulesetStatus::NotEnforced => Err("this kernel has none".into()),
    }
}

fn refuse_calls() -> Result<(), String> {
    let refused = u32::try_from(libc::EPERM).unwrap_or(1);
    let rules: BTreeMap<i64, Vec<_>> = REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let program = || -> Result<BpfProgram, seccompiler::BackendError> {
        let arch = std::env::consts::ARCH.try_into()?;
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(refused), arch)?.try_into()
    };
    let program = program().map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

/// Both of the above set it; a kernel that has neither may not have it.
fn check_no_new_privileges() -> Result<(), String> {
    let status = fs::read_to_string("/proc/thread-self/status").map_err(|error| error.to_string())?;
    let is_set = status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"]));
    if is_set { Ok(()) } else { Err("not set".into()) }
}

#[cfg(test)]
mod tests {
    use std::{
        env,
        fs::File,
        io::{self, ErrorKind},
        net::{TcpListener, TcpStream},
        process::Command,
    };

    use super::*;

    /// Where a confined process is to write; it is the child then.
    const FOLDER: &str = "FLOWMAP_TEST_CONFINED_TO";
    /// A file and an address that it may not reach.
    const FORBIDDEN: &str = "FLOWMAP_TEST_FORBIDDEN";

    fn is_refused<T>(done: io::Result<T>) -> bool {
        done.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    }

    /// What the child can still do, which it should not.
    fn try_all(folder: &Path, forbidden: &str) -> Vec<String> {
        let (file, address) = forbidden.split_once(' ').unwrap();
        let lacking = confine(folder, None);
        let is_lacking = |what: &str| lacking.iter().any(|it| it.starts_with(what));
        let mut wrong = Vec::new();
        let mut check = |what: &str, holds: bool| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        check("write the store", fs::write(folder.join("store"), "x").is_ok());
        check("read interfaces", fs::read_dir("/sys/class/net").is_ok() && File::open("/proc/net/dev").is_ok());
        if !is_lacking("landlock") {
            check("refuse to read another file", is_refused(File::open(file)));
            check("refuse to write another file", is_refused(fs::write(file, "y")));
            check("refuse to remove another file", is_refused(fs::remove_file(file)));
            check("refuse to connect", is_refused(TcpStream::connect(address)));
            check("refuse to listen", is_refused(TcpListener::bind("127.0.0.1:0")));
        }
        if !is_lacking("seccomp") {
            check("refuse to run a program", is_refused(Command::new("/bin/true").status()));
            check("refuse to run a shell", is_refused(Command::new("/bin/sh").args(["-c", "true"]).status()));
        }
        if !is_lacking("capabilities") {
            let effective = caps::read(None, CapSet::Effective).unwrap();
            check("have no other capability", effective.iter().all(|it| *it == KEPT));
            let regained = caps::raise(None, CapSet::Effective, Capability::CAP_SYS_ADMIN);
            check("get no other capability", regained.is_err());
        }
        for lack in &lacking {
            eprintln!("skipped: not confined by {lack}");
        }
        wrong
    }

    /// In a process of its own, for nothing gives back what is given up.
    #[test]
    fn a_confined_process_opens_no_other_file_connects_to_nobody_and_runs_no_program() {
        if let (Ok(folder), Ok(forbidden)) = (env::var(FOLDER), env::var(FORBIDDEN)) {
            assert_eq!(try_all(Path::new(&folder), &forbidden), [""; 0]);
            return;
        }
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let file = outside.path().join("secret");
        fs::write(&file, "secret").unwrap();
        let output = Command::new(env::current_exe().unwrap())
            .args(["a_confined_process_opens_no_other_file", "--nocapture", "--test-threads=1"])
            .env(FOLDER, inside.path())
            .env(FORBIDDEN, format!("{} {}", file.display(), listener.local_addr().unwrap()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        eprint!("{said}");
        assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(fs::read_to_string(&file).unwrap(), "secret");
        assert_eq!(fs::read_to_string(inside.path().join("store")).unwrap(), "x");
    }
}
