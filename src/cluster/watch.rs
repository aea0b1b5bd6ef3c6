//! What is new of a kind: one JSON document a line, for as long as the connection lasts.

use std::time::Duration;

use kube::core::{Request, params::WatchParams};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    client::{Answer, Cluster},
    error::ClusterError,
    kind::Target,
    object::{Taken, take},
};

/// For how long a watch is asked: the API server ends it then, and it goes on with another.
const WATCH_SECONDS: u32 = 290;

/// A connection over which nothing comes for longer than the watch lasts is dead, whatever TCP believes.
pub(super) const WATCH_TIMEOUT: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 20);

/// An object is limited by etcd to 1.5 MB.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// A line of a watch.
pub(super) enum Event {
    /// An object came or changed.
    Present(Taken),
    /// An object went; as it was last.
    Gone(Taken),
    /// Nothing happened up to here.
    Bookmark,
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    #[serde(default)]
    object: Value,
}

/// A watch that goes on.
pub(super) struct Watching<'a> {
    source: &'a str,
    target: &'a Target,
    answer: Answer,
    /// What came of the next line.
    rest: Vec<u8>,
    /// Up to where the rest was searched for its end.
    searched: usize,
    is_ended: bool,
}

impl Cluster {
    /// Begins to watch from a version on.
    pub(super) async fn watch<'a>(&'a self, target: &'a Target, version: &str) -> Result<Watching<'a>, ClusterError> {
        let params = WatchParams { timeout: Some(WATCH_SECONDS), bookmarks: true, ..WatchParams::default() };
        let answer = self.ask(Request::new(target.path()).watch(&params, version)).await?;
        Ok(Watching { source: self.name(), target, answer, rest: Vec::new(), searched: 0, is_ended: false })
    }
}

impl Watching<'_> {
    /// The next event with the version it leads to; none where the server has ended the watch. Nothing is lost where
    /// the wait for it is given up.
    pub async fn next(&mut self) -> Result<Option<(Event, Option<String>)>, ClusterError> {
        while !self.is_ended {
            if let Some(end) = self.rest.iter().skip(self.searched).position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=self.searched + end).collect();
                self.searched = 0;
                if !line.trim_ascii().is_empty() {
                    return self.event(&line).map(Some);
                }
                continue;
            }
            self.searched = self.rest.len();
            if self.searched > MAX_LINE_BYTES {
                return Err(ClusterError::Malformed(format!("a line is longer than {MAX_LINE_BYTES} bytes")));
            }
            match self.answer.part().await? {
                Some(part) => self.rest.extend_from_slice(part.as_ref()),
                None => self.is_ended = true,
            }
        }
        self.last()
    }

    /// Whether a line has begun to come whose end is on its way.
    pub fn is_within_line(&self) -> bool {
        !self.rest.trim_ascii().is_empty()
    }

    /// What was left without the end of a line.
    fn last(&mut self) -> Result<Option<(Event, Option<String>)>, ClusterError> {
        let line = std::mem::take(&mut self.rest);
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        if serde_json::from_slice::<IgnoredAny>(&line).is_err_and(|error| error.is_eof()) {
            return Err(ClusterError::Broken("in the middle of a line".into()));
        }
        self.event(&line).map(Some)
    }

    fn event(&self, line: &[u8]) -> Result<(Event, Option<String>), ClusterError> {
        let malformed = |why: String| ClusterError::Malformed(why);
        let Line { r#type, object } = serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
        let version = object["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        let event = match r#type.as_str() {
            "ADDED" | "MODIFIED" => Event::Present(take(self.source, self.target, object)),
            "DELETED" => Event::Gone(take(self.source, self.target, object)),
            "BOOKMARK" => Event::Bookmark,
            "ERROR" => {
                let code = object["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(0);
                let message = object["message"].as_str().unwrap_or_default().to_owned();
                return Err(ClusterError::status(code, message));
            }
            other => return Err(malformed(format!("an event of the type `{other}`"))),
        };
        Ok((event, version))
    }
}
