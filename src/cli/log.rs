//! What a daemon says while it runs, on stderr: lines for people, or JSON for what collects logs.

use std::{fmt, io};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// How a daemon speaks.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct LogArgs {
    /// How to write what there is to say
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log: Format,
    /// How much to say; addresses that were captured are in debug alone
    #[arg(long, default_value = "info", value_name = "LEVEL", value_parser = levels())]
    log_level: LevelFilter,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Lines; the time is left to who collects them
    #[default]
    Text,
    /// An object a line, with its time
    Json,
}

fn levels() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["error", "warn", "info", "debug"]).try_map(|level| level.parse::<LevelFilter>())
}

impl LogArgs {
    /// Sends what is said from now on to stderr.
    pub fn begin(self) {
        // who closed it does not want to know
        let log =
            tracing_subscriber::fmt().with_max_level(self.log_level).with_writer(io::stderr).log_internal_errors(false);
        // there is one already where a test calls this twice
        let _ = match self.log {
            Format::Text => log.event_format(Line).try_init(),
            Format::Json => log.json().with_target(false).flatten_event(true).try_init(),
        };
    }
}

/// A line as the other commands write it.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if *event.metadata().level() <= Level::WARN {
            line.write_str("flowmap: ")?;
        }
        context.format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
}
