//! The targets of `tests/fuzz/` outside of the tests.
//!
//! - `flowmap-fuzz TARGET` runs inputs as AFL++ asks for it, or one from stdin.
//! - `flowmap-fuzz TARGET --seeds FOLDER` writes what to begin with.
//! - `flowmap-fuzz TARGET --runs COUNT SEED` runs inputs made by chance, as the tests do.

#[path = "../../tests/fuzz/corpus.rs"]
mod corpus;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/fuzz/mutate.rs"]
mod mutate;
#[path = "../../tests/common/random.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod random;
#[path = "../../tests/fuzz/targets.rs"]
mod targets;
#[path = "../../tests/fuzz/texts.rs"]
mod texts;

use std::{fs, io, path::Path, process::exit};

use random::Random;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let found = args.first().and_then(|name| targets::TARGETS.iter().find(|(known, _)| known == name));
    let Some((name, target)) = found else {
        eprintln!("targets: {}", targets::TARGETS.map(|(name, _)| name).join(" "));
        exit(2);
    };
    match args[1..] {
        [] => afl::fuzz!(|input: &[u8]| target(input)),
        ["--seeds", folder] => write_seeds(name, Path::new(folder)).expect("the seeds can be written"),
        ["--runs", runs, seed] => {
            by_chance(name, *target, runs.parse().expect("a count"), seed.parse().expect("a seed"))
        }
        _ => exit(2),
    }
}

fn write_seeds(name: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    (0..).zip(corpus::of(name)).try_for_each(|(n, input): (u32, _)| fs::write(folder.join(format!("{n:04}")), input))
}

/// Runs until one breaks the target; that one is written down.
fn by_chance(name: &str, target: fn(&[u8]), runs: u64, seed: u64) {
    let (seeds, mut random) = (corpus::of(name), Random::new(seed));
    for run in 0..runs {
        let input = mutate::changed(&seeds, &mut random);
        if std::panic::catch_unwind(|| target(&input)).is_err() {
            let path = format!("{name}-{seed}-{run}");
            fs::write(&path, &input).expect("the input can be written");
            eprintln!("{name} is broken by input {run} of seed {seed}: {path}");
            exit(1);
        }
        if (run + 1) % 100_000 == 0 || run + 1 == runs {
            println!("{name}: {} inputs of seed {seed}", run + 1);
        }
    }
}
