//! What may change while the daemon runs: a file that SIGHUP has it read again.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    capture::live::LiveOptions,
    yaml::{self, YamlError},
};

/// How much to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every packet.
    #[default]
    Packets,
    /// Of TCP what opens and closes, and a sample.
    Connections,
}

/// The file: what it says overrides the flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    filter: Option<String>,
    snaplen: Option<u32>,
    promiscuous: Option<bool>,
    mode: Option<Mode>,
}

/// The file with the defaults, each line with what it means: what is printed is read again as it is.
#[must_use]
pub fn commented() -> String {
    let LiveOptions { filter, snaplen, promiscuous, is_light, buffer_bytes: _ } = LiveOptions::default();
    let mode = if is_light { Mode::Connections } else { Mode::Packets };
    // all fields by their names: one that is added is missed here by the compiler
    let Config { filter, snaplen, promiscuous, mode } =
        Config { filter, snaplen: Some(snaplen), promiscuous: Some(promiscuous), mode: Some(mode) };
    let lines = [
        (
            "filter",
            told(&filter),
            "Only packets that pass this filter, such as \"not port 22\", see pcap-filter(7). Where it is null, the flag holds.",
        ),
        (
            "snaplen",
            told(&snaplen),
            "Bytes to take of each packet, from 64 to 262144: enough for its headers, VLAN tags and a tunnel, and for names.",
        ),
        ("promiscuous", told(&promiscuous), "Whether to see packets for other hosts too, as on a mirror port."),
        (
            "mode",
            told(&mode),
            "\"packets\": every packet. \"connections\": of TCP only what opens and closes, and one in 32 of the rest.",
        ),
    ];
    let head = "# flowmap capture --config FILE: the values here override the flags, and are read again at SIGHUP.\n\
                # Where a line is taken out, its flag holds.\n";
    let line = |(name, value, means): (&str, String, &str)| format!("\n# {means}\n{name}: {value}\n");
    head.to_owned() + &lines.map(line).concat()
}

/// A value as it stands in YAML: JSON is a part of it.
fn told(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Why a file does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is a folder, a pipe or a device.
    #[error("is no file")]
    NoFile,
    /// It is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It says something that is not known.
    #[error(transparent)]
    Field(#[from] serde_json::Error),
    /// It is not one document.
    #[error("one document is wanted")]
    Documents,
    /// Fewer bytes than headers, or more than a packet has.
    #[error("`snaplen` ({0}) must be between 64 and 262144")]
    Snaplen(u32),
}

/// How interfaces are to be opened: as the flags say, but for what the file says.
pub(super) fn read(path: &Path, flags: &LiveOptions) -> Result<LiveOptions, ConfigError> {
    // what is no file may never end, or never begin: a pipe that nobody writes to
    if !fs::metadata(path)?.is_file() {
        return Err(ConfigError::NoFile);
    }
    let text = fs::read_to_string(path)?;
    let config = match &yaml::read_all(&text)?[..] {
        [] => Config::default(),
        [one] => Config::deserialize(one)?,
        _ => return Err(ConfigError::Documents),
    };
    let snaplen = config.snaplen.unwrap_or(flags.snaplen);
    if !(64..=262_144).contains(&snaplen) {
        return Err(ConfigError::Snaplen(snaplen));
    }
    Ok(LiveOptions {
        filter: config.filter.or_else(|| flags.filter.clone()),
        snaplen,
        promiscuous: config.promiscuous.unwrap_or(flags.promiscuous),
        is_light: config.mode.map_or(flags.is_light, |mode| mode == Mode::Connections),
        buffer_bytes: flags.buffer_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_says_overrides_the_flags_and_what_it_may_not_say_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let flags = LiveOptions {
            snaplen: 704,
            filter: Some("tcp".into()),
            promiscuous: false,
            is_light: false,
            buffer_bytes: 1,
        };
        let of = |text: &str| {
            fs::write(file.path(), text).unwrap();
            read(file.path(), &flags)
        };
        let read = of("filter: not port 22\nsnaplen: 128\nmode: connections\n").unwrap();
        assert_eq!((read.filter.as_deref(), read.snaplen, read.is_light), (Some("not port 22"), 128, true));
        assert_eq!(of("").unwrap().filter.as_deref(), Some("tcp"));
        assert_eq!(of("snaplen: 12\n").unwrap_err().to_string(), "`snaplen` (12) must be between 64 and 262144");
        assert!(of("filtr: x\n").unwrap_err().to_string().contains("filtr"));
        assert!(of("a: 1\n---\nb: 2\n").is_err() && of("mode: all\n").is_err());
        let pipe = tempfile::tempdir().unwrap();
        let pipe = pipe.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(super::read(&pipe, &flags).unwrap_err().to_string(), "is no file");
    }

    #[test]
    fn the_commented_file_is_read_back_and_says_every_default() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), commented()).unwrap();
        let defaults = LiveOptions::default();
        // what it says wins over flags that say something else
        let others = LiveOptions {
            snaplen: 99,
            filter: None,
            promiscuous: !defaults.promiscuous,
            is_light: !defaults.is_light,
            buffer_bytes: defaults.buffer_bytes,
        };
        assert_eq!(read(file.path(), &others).unwrap(), defaults);
        let text = commented();
        let (set, comments): (Vec<&str>, Vec<&str>) =
            text.lines().filter(|line| !line.is_empty()).partition(|line| !line.starts_with('#'));
        assert_eq!((set.len(), comments.len()), (4, 6), "{text}");
    }
}
