//! Captures into the store.

use std::{
    io::{self, Read},
    path::Path,
};

use anyhow::Context;
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{
    Fault,
    import::{Options, origin, unreadable},
};
use crate::{
    capture::{
        Batch, Drops,
        file::{CaptureReader, Damage, ReadError},
    },
    connection::Limits,
    intake::{Counts, Intake},
    model::{Note, Observation},
    store::{Learnt, Loss, Run, RunId, RunKind, Store, StoreError, Written, content_id},
};

/// Traces of ended connections that are held in memory before they are written: some 60 MB, and as much while that is done. What is
/// written before the end is brought together then, which writes all of it once more: a capture of an hour or two should not need it.
const MAX_WAITING: usize = 262_144;

/// How often some of the connections end while what was learnt or ended before is written: at the end there is nothing else to do
/// beside writing. Each takes some 5 MB.
const ENDED_AHEAD: usize = 6;

/// Imports one capture.
pub(super) async fn file(
    store: &Store,
    path: &Path,
    options: &Options,
    input: Box<dyn Read + Send>,
) -> anyhow::Result<(Run, Written)> {
    let name = path.display().to_string();
    let reader = CaptureReader::new(input).map_err(|error| unreadable(&name, &error))?;
    let mut reading = Reading { reader, damage: None };
    let mut intake = Intake::of_batches(Limits::default()).with_options(options.decode.clone());
    let mut writer = store.begin_run().await?;
    let mut rows: Vec<Observation> = Vec::new();
    loop {
        let read_on = move || {
            let more = intake.take_batches(MAX_WAITING, |batch| reading.fill(batch));
            (more, intake, reading)
        };
        let more;
        (more, intake, reading) = beside(read_on, writer.write(&rows)).await?;
        if !more.map_err(|error| unreadable(&name, &error))? {
            break;
        }
        rows = intake.drain();
    }
    if options.strict {
        reading.refuse_damage(&name, &intake.counts())?;
    }
    let mut run = reading.run(path, options, &intake);
    if let Some(known) = writer.identify(&run).await? {
        return Ok((run, Written::Known(Box::new(known))));
    }
    let learnt = Learnt { names: intake.names(), applications: intake.applications(), links: intake.links() };
    let (sender, mut ended) = mpsc::channel(ENDED_AHEAD);
    let ending = spawn_blocking(move || end_all(intake, &sender));
    writer.learn(learnt).await?;
    while let Some(rows) = ended.recv().await {
        writer.write(&rows).await?;
    }
    run.sweeps = ending.await?.sweeps();
    let written = writer.finish(&mut run, &[]).await.with_context(|| name)?;
    Ok((run, written))
}

/// Ends all connections and sends their observations, some at a time, as long as somebody takes them.
fn end_all(mut intake: Intake, to: &mpsc::Sender<Vec<Observation>>) -> Intake {
    loop {
        let rows = intake.end_some();
        if rows.is_empty() || to.blocking_send(rows).is_err() {
            return intake;
        }
    }
}

/// Works in another thread while something is written.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    writing: impl Future<Output = Result<(), StoreError>>,
) -> anyhow::Result<T> {
    let (done, written) = tokio::join!(spawn_blocking(work), writing);
    written?;
    Ok(done?)
}

/// A capture that is read as far as it can be.
struct Reading<R> {
    reader: CaptureReader<R>,
    damage: Option<Damage>,
}

impl<R: Read> Reading<R> {
    /// Reads a batch, unless the file ended before.
    fn fill(&mut self, batch: &mut Batch) -> io::Result<()> {
        if self.damage.is_some() {
            return Ok(());
        }
        match self.reader.fill(batch) {
            Err(ReadError::Io(error)) => return Err(error),
            Err(ReadError::Damage(found)) => self.damage = Some(found),
            Ok(()) => {}
        }
        Ok(())
    }

    /// For `--strict`: the file, or a packet in it.
    fn refuse_damage(&self, name: &str, counts: &Counts) -> Result<(), Fault> {
        if let Some(damage) = &self.damage {
            return Err(Fault::new(name, damage).hint("without --strict what is whole is used"));
        }
        match counts.not_decoded.iter().find(|(reason, _)| reason.is_damage()) {
            None => Ok(()),
            Some((reason, count)) => {
                let hint = "without --strict they are counted and the others used";
                Err(Fault::new(name, format_args!("{count} damaged packets ({reason})")).hint(hint))
            }
        }
    }

    fn run(&self, path: &Path, options: &Options, intake: &Intake) -> Run {
        let (source, sensor) = origin(path, options);
        let counts = intake.counts();
        let Drops { by_kernel, by_interface } = self.reader.drops();
        let mut loss = loss(&counts);
        if self.reader.is_filtered() {
            loss.notes.insert(Note::Filtered, 1);
        }
        Run {
            id: RunId(content_id(&[options.site.as_bytes(), &intake.digest().to_le_bytes()])),
            site: options.site.clone(),
            sensor,
            source,
            kind: RunKind::File,
            loss: Loss {
                damage: self.damage.as_ref().map(ToString::to_string),
                dropped_by_kernel: by_kernel,
                dropped_by_interface: by_interface,
                ..loss
            },
            packets: counts.packets,
            decoded: counts.decoded,
            kinds: counts.kinds.named(),
            first_packet: counts.span.map(|span| span.first),
            last_packet: counts.span.map(|span| span.last),
            sweeps: Vec::new(),
        }
    }
}

/// What the decoder and the table could not use.
fn loss(counts: &Counts) -> Loss {
    Loss {
        not_decoded: counts.not_decoded_by_name(),
        notes: counts.notes(),
        names: counts.missed_names,
        ..Loss::default()
    }
}
