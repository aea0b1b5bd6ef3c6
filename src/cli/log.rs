//! What a daemon says while it runs, on stderr: lines for people, or JSON for what collects logs.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// How a daemon speaks.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct LogArgs {
    /// Format of the log, which goes to stderr
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log: Format,
    /// How much to log; captured addresses appear at debug only
    #[arg(long, default_value = "info", value_name = "LEVEL", value_parser = levels())]
    log_level: LevelFilter,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Plain lines without a time, which journald and others add
    #[default]
    Text,
    /// One JSON object a line, with its time
    Json,
}

fn levels() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["error", "warn", "info", "debug"]).try_map(|level| level.parse::<LevelFilter>())
}

impl LogArgs {
    /// Sends what is said from now on to stderr.
    pub fn begin(self) {
        IS_DAEMON.store(true, Ordering::Relaxed);
        // who closed it does not want to know
        let log =
            tracing_subscriber::fmt().with_max_level(self.log_level).with_writer(|| Log).log_internal_errors(false);
        // there is one already where a test calls this twice
        let _ = match self.log {
            Format::Text => log.event_format(Line).try_init(),
            Format::Json => log.json().with_target(false).flatten_event(true).try_init(),
        };
    }
}

/// Stderr, for a program that must not stand still with it: what nobody takes is lost, and counted.
struct Log;

/// Whether this process is one that does not wait for who reads what it says.
static IS_DAEMON: AtomicBool = AtomicBool::new(false);

/// Lines that nobody took so far.
static LOST: Mutex<u64> = Mutex::new(0);

/// What a pipe has room for where it has any (`PIPE_BUF`); longer lines are cut.
const MOST_BYTES: usize = 4_096;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lost = LOST.lock().unwrap_or_else(PoisonError::into_inner);
        if *lost > 0 && has_room() {
            let told = format!("flowmap: log: {lost} lines were lost, for nobody took them\n");
            let _ = io::stderr().write_all(told.as_bytes());
            *lost = 0;
        }
        if has_room() {
            let short = line.get(..MOST_BYTES - 1);
            // who closed it does not want to know
            let _ = io::stderr()
                .write_all(short.unwrap_or(line))
                .and_then(|()| if short.is_some() { io::stderr().write_all(b"\n") } else { Ok(()) });
        } else {
            *lost += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether stderr takes something without waiting for its reader.
fn has_room() -> bool {
    let stderr = io::stderr();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Writes text as the log does, line by line. Commands that do their work and end wait for their reader.
pub(super) fn say(text: &str) {
    if !IS_DAEMON.load(Ordering::Relaxed) {
        let _ = io::stderr().write_all(text.as_bytes());
        return;
    }
    for line in text.split_inclusive('\n') {
        let _ = Log.write(line.as_bytes());
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
