//! Pages in a real browser: Debian's Chromium, driven by the scripts of `tests/browser`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{Output, skipped};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

/// Whether there is a browser, and what drives it. Where not, the test is skipped, but fails under `CI=true`.
pub fn is_there() -> bool {
    let named = std::env::var_os("FLOWMAP_CHROMIUM").map(PathBuf::from);
    let places = named.into_iter().chain(["/usr/bin/chromium".into(), "/usr/bin/chromium-browser".into()]);
    let why = if !places.into_iter().any(|place| place.exists()) {
        "there is no Chromium: `make setup` installs it"
    } else if Command::new("node").arg("--version").output().is_err() {
        "there is no Node.js: `make setup` installs it"
    } else if !folder().join("node_modules/playwright-core").is_dir() {
        "what drives the browser is not installed: `make setup` does it"
    } else {
        return true;
    };
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{why}");
    skipped(why);
    false
}

/// Runs a script of `tests/browser` and gives what it printed: `answer`, `requests` and `dialogs`. It fails where a page
/// asks for anything outside its own origin, or something goes wrong on it.
#[track_caller]
pub fn run(script: &str, args: &[&str]) -> Value {
    let output = attempt(script, args);
    assert_eq!(output.code, 0, "{script} {}: {}", args.join(" "), output.stderr);
    serde_json::from_str(&output.stdout).expect("JSON of the script")
}

/// The same for a visit that may fail.
pub fn attempt(script: &str, args: &[&str]) -> Output {
    let output = Command::new("node").arg(folder().join(script)).args(args).output().expect("node starts");
    Output::of(&output)
}

/// The address of a file.
pub fn address(path: &Path) -> String {
    let path = path.canonicalize().expect("the file is there");
    format!("file://{}", path.to_str().expect("a path in UTF-8"))
}
