//! Python for what should not be checked by flowmap's own code: its standard library, and the modules in `.venv`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::skipped;

/// The interpreter of `.venv`, else the system's.
pub fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if own.exists() { own } else { "python3".into() }
}

/// Whether these modules can be imported. Where one is missing the test is skipped, but fails under `CI=true`.
pub fn has_modules(names: &[&str]) -> bool {
    let import = format!("import {}", names.join(", "));
    let output = Command::new(python()).args(["-c", &import]).output();
    let is_there = output.is_ok_and(|output| output.status.success());
    if !is_there {
        let why = format!("python cannot import {}", names.join(", "));
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{why}");
        skipped(&why);
    }
    is_there
}

/// What a script of `tests/python` prints; it must exit with 0.
#[track_caller]
pub fn script(name: &str, args: &[&Path]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name);
    let output = Command::new(python()).arg(script).args(args).output().expect("python starts");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Changes a database past flowmap.
#[track_caller]
pub fn sql(store: &Path, sql: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()";
    assert!(Command::new(python()).args(["-c", script]).arg(store).arg(sql).status().expect("python starts").success());
}
