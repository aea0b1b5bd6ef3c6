//! Flow logs into the store.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
};

use anyhow::Context;
use foldhash::HashMap;

use super::{
    Fault,
    import::{self, Explained, Options, unreadable},
    input,
};
use crate::{
    application,
    model::{ApplicationSighting, Note, Observation, ObservationKey, Span, Timestamp, TraceSet},
    names::Gatherer,
    records::{self, Answers, FlowRecord, Format, Line, Reader, RecordsError},
    store::{Learnt, Loss, Run, RunId, RunKind, RunWriter, Store, Written, content_id},
};

/// Rows that are held in memory before they are written: some 80 MB.
const MAX_WAITING: usize = 262_144;
/// Damaged records that are told one by one.
const MAX_TOLD: u64 = 5;

/// Imports one flow log.
pub(super) async fn file(
    store: &Store,
    path: &Path,
    options: &Options,
    (format, input): (Format, Box<dyn Read + Send>),
) -> anyhow::Result<(Run, Written)> {
    let name = path.display().to_string();
    let mut reader = Reader::new(format, input).map_err(|error| unreadable(&name, &error))?;
    if let Some(start) = options.log_start {
        reader = reader.with_log_start(start);
    }
    let mut writer = store.begin_run().await?;
    let mut log = Log::default();
    while let Some(line) = next_line(&mut reader, &mut log.tally.broken).map_err(|error| unreadable(&name, &error))? {
        match line {
            Line::Flow(record) => log.take_flow(&record),
            Line::Packet { time, answers, application } => {
                log.take_packet(time, answers.as_ref(), application.as_ref());
                log.rows.extend(reader.observations());
            }
            Line::NotUsed { line, fault } if options.strict && fault.is_damage() => {
                let hint = "without --strict damaged records are counted and the others used";
                return Err(Fault::new(&name, format_args!("line {line}: {fault}")).hint(hint).into());
            }
            Line::NotUsed { line, fault } => log.tally.leave_out(&name, line, &fault),
        }
        if log.rows.0.len() >= MAX_WAITING {
            writer.write(&log.rows.take()).await?;
        }
    }
    if let Some(broken) = log.tally.broken.as_ref().filter(|_| options.strict) {
        return Err(Fault::new(&name, broken).hint("without --strict what is whole is used").into());
    }
    log.rows.extend(reader.end());
    let Log { rows, tally, mut names, mut applications } = log;
    let id = RunId(content_id(&[options.site.as_bytes(), b"records", &reader.digest().to_le_bytes()]));
    let kind = if format.tells_drops_alone() { RunKind::Drops } else { RunKind::Records };
    let mut run = tally.run((id, kind), path, options);
    run.loss.notes = reader.notes();
    run.loss
        .notes
        .extend(Note::counted([(Note::ApplicationsLeftOut, applications.missed()), (Note::Unread, tally.damaged)]));
    let learnt = Learnt { names: names.changed(), applications: applications.changed(), links: Vec::new() };
    writer.learn(learnt).await?;
    run.loss.names = names.missed();
    let written = finish(writer, &mut run, rows).await.with_context(|| name.clone())?;
    tally.tell(&run, &written);
    Ok((run, written))
}

/// The next line; none where the file ends, or its compression is damaged.
fn next_line<R: Read>(reader: &mut Reader<R>, broken: &mut Option<String>) -> io::Result<Option<Line>> {
    match reader.next_line() {
        Err(error) if input::is_damage(&error) => {
            *broken = Some(format!("its compression is damaged ({error})"));
            Ok(None)
        }
        other => other,
    }
}

async fn finish(writer: RunWriter, run: &mut Run, mut rows: Rows) -> anyhow::Result<Written> {
    Ok(writer.finish(run, &rows.take()).await?)
}

/// What a log has told so far.
#[derive(Default)]
struct Log {
    rows: Rows,
    tally: Tally,
    names: Gatherer,
    applications: application::Gatherer,
}

impl Log {
    fn take_flow(&mut self, record: &FlowRecord) {
        self.tally.use_one(record.span);
        record.applications().for_each(|told| self.applications.hear(&told));
        self.rows.extend(record.observations());
    }

    /// All but the observations that come of it.
    fn take_packet(&mut self, time: Timestamp, answers: Option<&Answers>, spoken: Option<&ApplicationSighting>) {
        self.tally.use_one(Some(Span::at(time)));
        if let Some(answers) = answers {
            for address in &answers.addresses {
                self.names.hear(time, answers.name.as_bytes(), *address, answers.ttl_s, answers.asked_by);
            }
        }
        if let Some(told) = spoken {
            self.applications.hear(told);
        }
    }
}

/// Observations that wait to be written, each key once.
#[derive(Default)]
struct Rows(HashMap<ObservationKey, TraceSet>);

impl Rows {
    fn extend(&mut self, observations: impl IntoIterator<Item = Observation>) {
        for Observation { key, traces } in observations {
            self.0.entry(key).or_default().extend(traces);
        }
    }

    /// All of them, in order.
    fn take(&mut self) -> Vec<Observation> {
        let mut rows: Vec<Observation> = self.0.drain().map(|(key, traces)| Observation { key, traces }).collect();
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        rows
    }
}

/// What became of the records.
#[derive(Default)]
struct Tally {
    used: u64,
    not_used: BTreeMap<String, u64>,
    /// Those among them that are damaged.
    damaged: u64,
    span: Option<Span>,
    /// The first that were damaged, as they are told.
    told: Vec<String>,
    /// Why the file ends before its end.
    broken: Option<String>,
}

impl Tally {
    fn use_one(&mut self, span: Option<Span>) {
        self.used += 1;
        self.span = Span::over(self.span.into_iter().chain(span));
    }

    fn leave_out(&mut self, name: &str, line: u64, fault: &records::Fault) {
        *self.not_used.entry(fault.kind()).or_default() += 1;
        if !fault.is_damage() {
            return;
        }
        self.damaged += 1;
        if self.told.len() as u64 <= MAX_TOLD {
            self.told.push(format!("{name}: line {line}: {fault}"));
        }
    }

    fn run(&self, (id, kind): (RunId, RunKind), path: &Path, options: &Options) -> Run {
        let (source, sensor) = import::origin(path, options);
        Run {
            id,
            site: options.site.clone(),
            sensor,
            source,
            kind,
            packets: self.used + self.not_used.values().sum::<u64>(),
            decoded: self.used,
            kinds: BTreeMap::new(),
            loss: Loss { not_decoded: self.not_used.clone(), damage: self.broken.clone(), ..Loss::default() },
            first_packet: self.span.map(|span| span.first),
            last_packet: self.span.map(|span| span.last),
            sweeps: Vec::new(),
        }
    }

    /// Says which records could not be used, the first of them by their lines.
    fn tell(&self, run: &Run, written: &Written) {
        if *written != Written::Added {
            return;
        }
        let damaged = self.damaged;
        for line in self.told.iter().take(usize::try_from(MAX_TOLD).unwrap_or_default()) {
            warnln!("{}", super::fault::one_line(line));
        }
        if damaged > MAX_TOLD {
            warnln!("{}: {} more damaged records", super::fault::one_line(&run.source), damaged - MAX_TOLD);
        }
    }
}

impl Explained for RecordsError {
    fn why(&self) -> String {
        match self {
            Self::Io(error) => error.why(),
            other => other.to_string(),
        }
    }

    fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Io(error) => error.cure(),
            _ => Some("the first line of a flow CSV names its columns: client, server, protocol, port, and more"),
        }
    }
}
