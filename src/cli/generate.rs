//! `flowmap gen`: documents made from the code, so that they cannot drift from it.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Done, common::Global, fault::printable, man, print};

/// Print the man page, shell completions, a systemd unit or a configuration file.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = false,
    after_help = "Examples:
  flowmap gen man > /usr/local/share/man/man1/flowmap.1
  flowmap gen completions bash > /etc/bash_completion.d/flowmap
  flowmap gen systemd eth0 eth1 > /etc/systemd/system/flowmap.service
  flowmap gen config > /etc/flowmap.yaml"
)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print the man page, in roff
    #[command(after_help = "Examples:
  flowmap gen man > /usr/local/share/man/man1/flowmap.1
  flowmap gen man | man -l -               # read it at once")]
    Man,
    /// Print completions for a shell
    #[command(after_help = "Examples:
  flowmap gen completions bash > /etc/bash_completion.d/flowmap
  flowmap gen completions zsh > ~/.zfunc/_flowmap
  flowmap gen completions fish > ~/.config/fish/completions/flowmap.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a file for `capture --config`, with the defaults and what each means
    #[command(after_help = "Examples:
  flowmap gen config > /etc/flowmap.yaml
  flowmap capture eth0 --config /etc/flowmap.yaml")]
    Config,
    /// Print a hardened systemd unit that captures as a user of its own
    #[command(after_help = "Examples:
  flowmap gen systemd > /etc/systemd/system/flowmap.service
  flowmap gen systemd eth0 eth1 --program /usr/bin/flowmap")]
    Systemd {
        /// Interfaces to watch
        #[arg(default_value = "any", value_name = "IFACE", value_parser = interface)]
        interfaces: Vec<String>,
        /// Where flowmap is installed
        #[arg(long, default_value = "/usr/local/bin/flowmap", value_name = "PATH", value_parser = program)]
        program: String,
    },
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<Done> {
    let mut command = Cli::command();
    let mut text = Vec::new();
    match &args.what {
        What::Man => text = man::page(command)?,
        What::Completions { shell } => clap_complete::generate(*shell, &mut command, "flowmap", &mut text),
        What::Config => text.extend(crate::daemon::commented_config().bytes()),
        What::Systemd { interfaces, program } => text.extend(unit(interfaces, program).bytes()),
    }
    print::text(&text)?;
    let other = global.db.as_ref().filter(|path| path.as_os_str() != UNIT_STORE);
    if let (What::Systemd { .. }, Some(path)) = (&args.what, other) {
        warnln!(
            "flowmap: {}: the unit has a store of its own, {UNIT_STORE}, in the folder that systemd makes for it",
            printable(&path.display().to_string())
        );
    }
    Ok(Done::Clean)
}

/// The name of an interface, as Linux allows it, but for what a unit would read as something else.
fn interface(name: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-@:+".contains(letter);
    let is_name = (1..=15).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with('-');
    if is_name { Ok(name.to_owned()) } else { Err(format!("`{name}` is no name of an interface")) }
}

fn program(path: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+".contains(letter);
    if path.starts_with('/') && path.chars().all(is_plain) {
        Ok(path.to_owned())
    } else {
        Err(format!("`{path}` is not an absolute path of letters, digits and ._-+"))
    }
}

/// Where the unit's user may write (`StateDirectory`).
const UNIT_STORE: &str = "/var/lib/flowmap/flowmap.db";

/// What the daemon needs and nothing else; it confines itself further once it runs.
fn unit(interfaces: &[String], program: &str) -> String {
    let interfaces = interfaces.join(" ");
    format!(
        "[Unit]
Description=flowmap: who talks to whom on {interfaces}
Documentation=man:flowmap(1)
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={program} --db {UNIT_STORE} capture --metrics 127.0.0.1:9464 {interfaces}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=60
Restart=on-failure
RestartSec=5
TimeoutStopSec=30

DynamicUser=yes
StateDirectory=flowmap
StateDirectoryMode=0700
UMask=0077
AmbientCapabilities=CAP_NET_RAW
CapabilityBoundingSet=CAP_NET_RAW
NoNewPrivileges=yes

LockPersonality=yes
MemoryDenyWriteExecute=yes
MemoryMax=1G
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_PACKET AF_NETLINK AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@resources
SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp setpriority
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_unit_would_read_as_more_than_a_name_is_refused() {
        for name in ["eth0", "any", "br-1a2b", "eth0.10", "veth1@if2"] {
            assert_eq!(interface(name).unwrap(), name);
        }
        for name in ["", "-x", "eth0 --db /x", "eth0\nExecStartPre=/x", "%i", "$HOME", "a-name-of-16-byte"] {
            assert!(interface(name).is_err(), "{name}");
        }
        assert!(program("/usr/bin/flowmap").is_ok() && program("flowmap").is_err() && program("/a b").is_err());
    }
}
