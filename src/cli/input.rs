//! Files that are read: through their compression, with a bar, and stdin once.

use std::{
    fs::File,
    io::{self, BufReader, IsTerminal, Read},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::world::file_name;

/// Opens a file, through its compression where it has one.
pub(super) fn open(path: &Path, progress: &Progress) -> io::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return decompressed(Box::new(stdin()?));
    }
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
    }
    decompressed(Box::new(progress.wrap(File::open(path)?)))
}

/// What is piped in, for the one that reads it: whoever comes after would find it empty.
pub(super) fn stdin() -> io::Result<io::Stdin> {
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    if IS_TAKEN.swap(true, Ordering::Relaxed) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "stdin can be read once"));
    }
    Ok(io::stdin())
}

/// Bytes that fill the buffer of a decompressor.
const COMPRESSED_BUFFER_BYTES: usize = 256 << 10;

fn decompressed(inner: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let (magic, all) = peeked(inner, 4)?;
    Ok(match magic[..] {
        [0x1f, 0x8b, ..] => {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, all)))
        }
        // a frame, or one that is skipped, as tools write that compress in parallel (RFC 8878, section 3.1)
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, all))?)
        }
        _ => all,
    })
}

/// The first bytes, and the whole with them. Fewer only where the file is shorter, or its compression is damaged.
pub(super) fn peeked(mut inner: Box<dyn Read + Send>, count: usize) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    let rest: Box<dyn Read + Send> = match inner.by_ref().take(count as u64).read_to_end(&mut head) {
        Ok(_) => inner,
        Err(error) if is_damage(&error) && !head.is_empty() => Box::new(Broken(Some(error))),
        Err(error) => return Err(error),
    };
    let all = io::Cursor::new(head.clone()).chain(rest);
    Ok((head, Box::new(all)))
}

/// Whether it is not the system's word but a decompressor's: what came out before is whole.
pub(super) fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}

/// The place at which a compressed file is damaged.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// A bar on stderr while a file is read, where stderr is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub fn new(path: &Path) -> Self {
        let length = std::fs::metadata(path).map_or(0, |data| data.len());
        if !io::stderr().is_terminal() || length == 0 {
            return Self::hidden();
        }
        let template = "{msg} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(length).with_style(style.progress_chars("=> ")).with_message(file_name(path)))
    }

    pub fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// So many bytes more are done.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn wrap<R: Read>(&self, inner: R) -> impl Read + use<R> {
        self.0.wrap_read(inner)
    }

    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}
