//! What was typed wrongly, in the form of all errors: `flowmap: what: why`, then a hint where one helps.

use std::{error::Error as _, process::ExitCode};

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, Error, ErrorKind},
};

use super::{Cli, Fault, fault};

/// Flags that take several values.
const SEVERAL: [&str; 3] = ["--from", "--inventory", "--versus"];

/// What a usage says of the store that a flag or a variable names: it says nothing of what is missing.
const STORE: &str = " --db <PATH>";

/// What the standard library says of a number that is none.
const NO_NUMBER: &str = "invalid digit found in string";

/// Prints what the parser says, and tells the exit code: 0 for help and version that were asked for, 2 for all else.
pub(super) fn tell(error: &Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // whoever closed the pipe does not want to know
            let _ = error.print();
        }
        _ => fault::print(&fault_of(error).into()),
    }
    if error.kind() == ErrorKind::MissingSubcommand {
        warn_text!("\n{}", help(&text(error, ContextKind::InvalidSubcommand).unwrap_or_default()));
    }
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// The help of a command by its path, such as `flowmap inventory`.
fn help(path: &str) -> String {
    let mut program = Cli::command();
    program.build();
    let command = path.split(' ').skip(1).try_fold(&program, |above, name| above.find_subcommand(name));
    command.unwrap_or(&program).clone().render_help().to_string()
}

fn fault_of(error: &Error) -> Fault {
    let (what, why) = words(error);
    let fault = Fault::new(what, why);
    match hint(error) {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// What is wrong, and why.
fn words(error: &Error) -> (String, String) {
    let argument = flag(&text(error, ContextKind::InvalidArg).unwrap_or_default());
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    let valid = text(error, ContextKind::ValidValue);
    match error.kind() {
        ErrorKind::UnknownArgument => (argument, "unexpected argument".into()),
        ErrorKind::InvalidSubcommand => {
            (text(error, ContextKind::InvalidSubcommand).unwrap_or_default(), "no such command".into())
        }
        ErrorKind::InvalidValue if value.is_empty() => match valid {
            Some(valid) => (argument, format!("a value is missing, one of {valid}")),
            None => (argument, "a value is missing".into()),
        },
        ErrorKind::InvalidValue => (format!("{argument} {value}"), format!("not one of {}", valid.unwrap_or_default())),
        ErrorKind::ValueValidation => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            let why = if why == NO_NUMBER { "not a whole number".to_owned() } else { within(&why).unwrap_or(why) };
            // most parsers repeat the value, those of the standard library do not
            let is_told = why.contains(&format!("`{value}`")) || why.starts_with(&format!("{value} "));
            if is_told { (argument, why) } else { (format!("{argument} {value}"), why) }
        }
        ErrorKind::ArgumentConflict => match text(error, ContextKind::PriorArg).map(|prior| flag(&prior)) {
            Some(prior) if prior == argument => (argument, "given twice".into()),
            Some(prior) => (argument, format!("cannot be used with {prior}")),
            None => (argument, "cannot be used with what else was given".into()),
        },
        ErrorKind::MissingRequiredArgument => {
            (text(error, ContextKind::InvalidArg).unwrap_or_default(), "missing".into())
        }
        ErrorKind::MissingSubcommand => ("<COMMAND>".into(), "missing".into()),
        ErrorKind::TooManyValues => (format!("{argument} {value}"), "a value too many".into()),
        _ => ("usage".into(), first_line(error)),
    }
}

/// The flag alone: `--snaplen` of `--snaplen <BYTES>`. What has no flag stays as it is.
fn flag(argument: &str) -> String {
    match argument.split_once([' ', '=']) {
        Some((flag, _)) if flag.starts_with('-') => flag.to_owned(),
        _ => argument.to_owned(),
    }
}

/// `12 is not within 64 to 262144` of the parser's `12 is not in 64..=262144`.
fn within(why: &str) -> Option<String> {
    let (value, range) = why.split_once(" is not in ")?;
    let (low, high) = range.split_once("..")?;
    let high: i64 = match high.strip_prefix('=') {
        Some(high) => high.parse().ok()?,
        None => high.parse::<i64>().ok()?.checked_sub(1)?,
    };
    Some(format!("{value} is not within {low} to {high}"))
}

/// The parser's own words, without what it puts before and after them.
fn first_line(error: &Error) -> String {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// What was meant, else how the command is used.
fn hint(error: &Error) -> Option<String> {
    let similar = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    if let Some(similar) = similar.into_iter().find_map(|kind| text(error, kind)) {
        return Some(format!("did you mean {similar}?"));
    }
    if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested)
        && let Some(tip) = tips.first()
    {
        return Some(one_line(&tip.to_string()));
    }
    let is_policies = |word: &String| word == "--policies";
    if error.kind() == ErrorKind::MissingRequiredArgument && std::env::args().any(|word| is_policies(&word)) {
        return Some("name it before --policies, which takes all that follows".into());
    }
    let takes_several = |word: &String| SEVERAL.contains(&word.as_str());
    if error.kind() == ErrorKind::MissingRequiredArgument && std::env::args().any(|word| takes_several(&word)) {
        return Some("name it before --from, --inventory and --versus: they take all that follows".into());
    }
    // what two flags that exclude each other have in common says nothing
    let is_told = matches!(error.kind(), ErrorKind::ArgumentConflict | ErrorKind::MissingSubcommand);
    let usage = error.get(ContextKind::Usage).filter(|_| !is_told).map(ToString::to_string)?;
    let usage = one_line(&usage).replace(STORE, "");
    Some(format!("usage: {}", usage.strip_prefix("Usage: ").unwrap_or(&usage)))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an error says of something; `None` where it says nothing.
fn text(error: &Error, kind: ContextKind) -> Option<String> {
    error.get(kind).map(|value| one_line(&value.to_string())).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn ranges_are_told_in_words_with_both_ends_in_them() {
        assert_eq!(within("12 is not in 64..=262144").unwrap(), "12 is not within 64 to 262144");
        assert_eq!(within("0 is not in 1..65536").unwrap(), "0 is not within 1 to 65535");
        assert_eq!(within("`x` is not a duration"), None);
    }
}
