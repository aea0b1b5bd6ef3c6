//! Files that are read: through their compression, with a bar, and stdin once.

use std::{
    fs::File,
    io::{self, BufReader, IsTerminal, Read},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::Fault;
use crate::model::{decoded, words::grouped};

/// A file's name without its folder, for the store and for messages: folders differ from machine to machine.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

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

/// The most that is held of a file that must be held whole, unpacked: a listing of 100,000 pods is half as much. A device, or a
/// file that unpacks without end, must not take the machine's memory.
const MAX_WHOLE_BYTES: u64 = 2 << 30;

/// A file that must be held whole: an inventory, policies.
pub(super) fn whole(path: &Path) -> io::Result<Vec<u8>> {
    whole_within(open(path, &Progress::hidden())?, MAX_WHOLE_BYTES)
}

fn whole_within(file: Box<dyn Read + Send>, most: u64) -> io::Result<Vec<u8>> {
    // no text begins with a zero byte: more of it says nothing more
    let (head, all) = peeked(file, 1)?;
    if head == [0] {
        return Ok(head);
    }
    let mut bytes = Vec::new();
    if all.take(most + 1).read_to_end(&mut bytes)? as u64 > most {
        let why = format!("is larger than {} bytes unpacked, the most that is read", grouped(most));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The whole of a file as text, from UTF-8 or UTF-16.
pub(super) fn text(path: &Path) -> Result<String, Fault> {
    let name = path.display().to_string();
    let bytes = whole(path).map_err(|error| unread(&name, &error))?;
    let text = decoded(&bytes).map_err(|error| Fault::new(&name, format!("no text: {error}")))?;
    Ok(text.into_owned())
}

/// Why a file could not be read.
pub(super) fn unread(name: &str, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::new(name, "no such file"),
        io::ErrorKind::IsADirectory => Fault::new(name, "is a directory").hint("name the files in it"),
        io::ErrorKind::PermissionDenied => Fault::new(name, "permission denied"),
        io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput => Fault::new(name, error),
        _ if is_damage(error) => Fault::new(name, format_args!("damaged: {error}")),
        _ => Fault::new(name, error),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_held_whole_has_a_bound() {
        let read = |bytes: &'static [u8], most| whole_within(Box::new(bytes), most).map_err(|error| error.to_string());
        assert_eq!(read(b"abc", 3).unwrap(), b"abc");
        let error = read(b"abcd", 3).unwrap_err();
        assert!(error.starts_with("is larger than 3 bytes unpacked"), "{error}");
        let endless = whole_within(Box::new(io::repeat(0)), u64::MAX - 1).unwrap();
        assert_eq!(endless, [0]);
    }
}
