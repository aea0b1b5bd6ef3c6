//! Writes docs/accuracy.md: how often flowmap is right where it has to judge, measured on captures that lie beside the
//! repository (`$FLOWMAP_DATA`, else `../shared/data`). One section a judgement. `make accuracy` runs it.

mod direction;
#[path = "../../tests/common/directions.rs"]
mod directions;
mod partitions;
mod roles;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accuracy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> io::Result<()> {
    let data = data()?;
    let sections = [direction::section(&data.join("pcaps"))?, roles::section(&data, &program()?)?];
    let page = format!("{}\n{}", head(), sections.join("\n"));
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/accuracy.md"), page)
}

/// The program itself, for what is judged through its command line: it is built beside this one.
fn program() -> io::Result<PathBuf> {
    let folder = std::env::current_exe()?;
    let program = folder.ancestors().nth(2).map(|target| target.join("flowmap")).unwrap_or_default();
    let missing = || io::Error::new(io::ErrorKind::NotFound, "flowmap is not built: `cargo build` does it");
    if program.is_file() { Ok(program) } else { Err(missing()) }
}

fn data() -> io::Result<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("FLOWMAP_DATA").map_or_else(beside, PathBuf::from);
    let missing = || format!("{} is not there: the captures are not part of this repository", folder.display());
    if folder.is_dir() { Ok(folder) } else { Err(io::Error::new(io::ErrorKind::NotFound, missing())) }
}

fn head() -> String {
    format!(
        "# Accuracy

How often flowmap is right where it has to judge. This page is written by `make accuracy`; do not edit it. The captures are
of other projects and of labs, and not part of this repository; without them the page stays as it is.

Measured on {}. The figures do not depend on the machine.
",
        machine()
    )
}

/// The machine in general words.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = match release.split_once('.') {
        Some((major, _)) => format!("Linux {major}.x"),
        None => std::env::consts::OS.to_owned(),
    };
    format!("{cores} cores, {system}")
}
