//! The man page: the program, then each command and those below it, with their options and examples.

use std::io;

use clap::Command;
use clap_mangen::Man;

/// Options of every command, which are told once.
const EVERYWHERE: [&str; 2] = ["help", "db"];

/// The page, in roff.
pub(super) fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    text.extend(after(&command, ".SH").bytes());
    text.extend(b".SH COMMANDS\n");
    for below in command.get_subcommands() {
        list(below, &mut text);
    }
    for below in command.get_subcommands() {
        section(below, &mut text)?;
    }
    page.render_version_section(&mut text)?;
    Ok(text)
}

/// A command in the list of all, and those below it.
fn list(command: &Command, text: &mut Vec<u8>) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    text.extend(format!(".TP\n\\fB{}\\fR\n{}\n", escaped(name(command)), escaped(&about)).bytes());
    for below in command.get_subcommands() {
        list(below, text);
    }
}

/// A command by itself, then those below it.
fn section(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    let is_everywhere = |name: &str| EVERYWHERE.contains(&name);
    let page = Man::new(command.clone().mut_args(|arg| {
        let is_hidden = arg.is_hide_set() || is_everywhere(arg.get_id().as_str());
        arg.hide(is_hidden)
    }));
    text.extend(format!(".SH \"{}\"\n", escaped(&name(command).to_uppercase())).bytes());
    let mut part = Vec::new();
    page.render_synopsis_section(&mut part)?;
    page.render_description_section(&mut part)?;
    page.render_options_section(&mut part)?;
    let part = String::from_utf8_lossy(&part);
    for line in part.lines() {
        match line {
            ".SH SYNOPSIS" => {}
            ".SH DESCRIPTION" => text.extend(b".PP\n"),
            ".SH OPTIONS" => text.extend(b".SS Options\n"),
            line => text.extend(format!("{line}\n").bytes()),
        }
    }
    text.extend(after(command, ".SS").bytes());
    command.get_subcommands().try_for_each(|below| section(below, text))
}

/// What stands below the options of a command's help: examples line by line, all else as paragraphs.
fn after(command: &Command, heading: &str) -> String {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    // what comes first would else be part of the last option
    let mut text = if help.is_empty() { String::new() } else { ".PP\n".to_owned() };
    let mut is_literal = false;
    for line in help.lines() {
        let is_now = line.starts_with(' ');
        if is_now != is_literal {
            text += if is_now { ".nf\n" } else { ".fi\n" };
            is_literal = is_now;
        }
        match line {
            "" => text += ".PP",
            "Examples:" if heading == ".SH" => text += ".SH EXAMPLES",
            "Examples:" => text += ".SS Examples",
            line => text += &escaped(line),
        }
        text.push('\n');
    }
    if is_literal { text + ".fi\n" } else { text }
}

/// `flowmap inventory import`.
fn name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

/// Text that roff prints as it is, with hyphens that can be pasted.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
