//! What the integration tests share: a flowmap with a store of its own, the sample, and what lies outside the repository.

#![allow(dead_code, reason = "every test binary uses a part of it")]

pub mod browser;
pub mod case;
pub mod cluster;
pub mod frames;
pub mod lab;
pub mod links;
pub mod packets;
pub mod pcap;
pub mod proposal;
pub mod python;
pub mod random;
pub mod review;
pub mod rows;
pub mod spoken;
pub mod zeek;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The program with a store and a working folder that nobody else uses.
pub struct Flowmap {
    folder: TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub struct Output {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Flowmap {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A store that holds the sample.
    pub fn with_sample() -> Self {
        let flowmap = Self::new();
        flowmap.ok(&["import", &sample("node-1.pcap"), &sample("node-2.pcap"), &sample("pod-api.pcap")]);
        flowmap.ok(&["inventory", "import", &sample("cluster.json")]);
        flowmap
    }

    /// A path in the working folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the working folder.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    /// Writes a file into the working folder, with the folders that lead to it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        fs::write(path, content).expect("the file can be written");
    }

    /// The command, ready to be started.
    pub fn command(&self, args: &[&str]) -> Command {
        self.configured(Command::new(env!("CARGO_BIN_EXE_flowmap")), args)
    }

    /// The command without what root may beyond other users. Needs `setpriv` where root runs the tests.
    pub fn as_a_mere_user(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowmap"));
        if is_root() {
            command = Command::new("setpriv");
            command.args(["--bounding-set=-dac_override,-dac_read_search", env!("CARGO_BIN_EXE_flowmap")]);
        }
        finish(self.configured(command, args), b"")
    }

    fn configured(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).current_dir(self.folder.path()).env("FLOWMAP_DB", self.path("flowmap.db"));
        command
    }

    /// Runs a command.
    pub fn run(&self, args: &[&str]) -> Output {
        self.feed(args, b"")
    }

    /// Runs a command with this on its stdin.
    pub fn feed(&self, args: &[&str], stdin: &[u8]) -> Output {
        finish(self.command(args), stdin)
    }

    /// Runs a command that must exit with 0.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert_eq!(output.code, 0, "flowmap {}: {}", args.join(" "), output.stderr);
        output
    }

    /// What a command prints as JSON; it must exit with 0.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.ok(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&output.stdout).expect("JSON on stdout")
    }

    /// The store as its commands tell it, byte for byte.
    #[track_caller]
    pub fn told(&self) -> [String; 4] {
        let lists = [&["flows"][..], &["flows", "--by", "address"], &["runs"], &["inventory", "list"]];
        lists.map(|args| self.ok(&[args, &["-o", "json"]].concat()).stdout)
    }
}

/// Starts a command, feeds it and waits for it.
fn finish(mut command: Command, stdin: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("flowmap starts");
    // a command that does not read its stdin closes it: no fault
    let _ = child.stdin.take().expect("a pipe").write_all(stdin);
    Output::of(&child.wait_with_output().expect("flowmap ends"))
}

impl Output {
    pub fn of(output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// An error as people are to see it: exit code 2, one line `flowmap: what: why`, at most one `hint:` line after
    /// it, nothing on stdout; with these words in it.
    #[track_caller]
    pub fn is_an_error(&self, words: &[&str]) {
        let Self { code, stdout, stderr } = self;
        assert_eq!(*code, 2, "{self:?}");
        assert_eq!(stdout, "", "{stderr}");
        let lines: Vec<&str> = stderr.lines().collect();
        let [error, hint @ ..] = &lines[..] else { panic!("nothing is said") };
        assert!(error.starts_with("flowmap: ") && hint.len() <= 1, "{stderr}");
        assert!(hint.iter().all(|line| line.starts_with("hint: ")), "{stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("(code: "), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "no `{word}` in: {stderr}");
        }
    }
}

/// A file of the sample.
pub fn sample(name: &str) -> String {
    text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/production").join(name))
}

/// A path as an argument.
pub fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Captures and applications from other projects, which are not part of this one: `$FLOWMAP_DATA`, else beside the
/// repository. Says so where they are not there.
pub fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    present(std::env::var_os("FLOWMAP_DATA").map_or_else(beside, PathBuf::from))
}

/// The generator of traffic and the judge of policies, which lie beside the data.
pub fn tools() -> Option<PathBuf> {
    present(data()?.join("../tools"))
}

fn present(folder: PathBuf) -> Option<PathBuf> {
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(&format!("{} is not there", folder.display()));
    None
}

/// Says that a test is skipped: past the harness, which hides what passing tests print, and in a file, of which `make test` tells
/// at its end.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let line = format!("skipped: {test}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
    // in one piece: tests run side by side
    let written = fs::OpenOptions::new().create(true).append(true).open(list);
    let _ = written.and_then(|mut file| file.write_all(line.as_bytes()));
}

/// Whether root runs the tests.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// All files below a folder by their path in it, hidden ones too; folders end in a slash.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let name = text(Path::new(path.file_name().expect("a name")));
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
            found.insert(format!("{name}/"), Vec::new());
        } else {
            found.insert(name, fs::read(&path).expect("a readable file"));
        }
    }
    found
}
