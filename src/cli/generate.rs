//! `flowmap gen`: documents made from the code, so that they cannot drift from it.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Done, print};

/// Print the man page or shell completions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap gen man > /usr/local/share/man/man1/flowmap.1
  flowmap gen completions bash > /etc/bash_completion.d/flowmap")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The man page, in roff
    Man,
    /// Completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

pub(super) fn run(args: &Args) -> anyhow::Result<Done> {
    let mut command = Cli::command();
    let mut text = Vec::new();
    match args.what {
        What::Man => man(&command, &mut text)?,
        What::Completions { shell } => clap_complete::generate(shell, &mut command, "flowmap", &mut text),
    }
    print::text(&text)?;
    Ok(Done::Clean)
}

/// One page: the program, then each command with its options.
fn man(command: &clap::Command, text: &mut Vec<u8>) -> std::io::Result<()> {
    let page = clap_mangen::Man::new(command.clone());
    page.render(text)?;
    for subcommand in command.get_subcommands() {
        let name = format!("flowmap {}", subcommand.get_name());
        let page = clap_mangen::Man::new(subcommand.clone());
        text.extend(format!(".SH {}\n", name.to_uppercase()).bytes());
        page.render_description_section(text)?;
        page.render_options_section(text)?;
    }
    Ok(())
}
