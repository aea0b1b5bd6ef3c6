//! One question, one answer.

use std::time::Duration;

use http_body_util::BodyExt;
use kube::{client::Body, core::request};
use serde_json::Value;
use tokio::time::timeout;

use super::error::{ClusterError, innermost};

/// How long an API server may take to begin an answer, and between two parts of it. Its own limit is a minute.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(70);

/// What is taken of an answer that is no success: a Status is short.
const MAX_STATUS_BYTES: usize = 64 * 1024;

/// A cluster that can be asked.
pub struct Cluster {
    client: kube::Client,
    name: String,
    server: String,
}

impl Cluster {
    pub(super) fn new(client: kube::Client, name: String, server: String) -> Self {
        Self { client, name, server }
    }

    /// What it is called: the context.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of its API server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Asks; the answer's body is still to come.
    pub(super) async fn ask(
        &self,
        request: Result<http::Request<Vec<u8>>, request::Error>,
    ) -> Result<Answer, ClusterError> {
        let request = request.map_err(|error| ClusterError::Malformed(error.to_string()))?.map(Body::from);
        let response = timeout(ANSWER_TIMEOUT, self.client.send(request)).await.map_err(|_| silent())??;
        let code = response.status();
        let answer = Answer(response.into_body());
        if code.is_success() {
            return Ok(answer);
        }
        let text = answer.whole(MAX_STATUS_BYTES).await.unwrap_or_default();
        Err(ClusterError::status(code.as_u16(), message(&text)))
    }

    /// Asks for a JSON document of at most so many bytes.
    pub(super) async fn json<T: serde::de::DeserializeOwned>(
        &self,
        request: Result<http::Request<Vec<u8>>, request::Error>,
        max_bytes: usize,
    ) -> Result<T, ClusterError> {
        let text = self.ask(request).await?.whole(max_bytes).await?;
        serde_json::from_slice(&text).map_err(|error| ClusterError::Malformed(error.to_string()))
    }
}

/// What the server says of a failure: the message of its Status, else its first words.
fn message(text: &[u8]) -> String {
    let status: Option<Value> = serde_json::from_slice(text).ok();
    let told = status.as_ref().and_then(|status| status["message"].as_str()).map(str::to_owned);
    let plain = || String::from_utf8_lossy(text).lines().next().unwrap_or_default().chars().take(200).collect();
    told.unwrap_or_else(plain)
}

fn silent() -> ClusterError {
    ClusterError::Unreachable(format!("no answer within {} seconds", ANSWER_TIMEOUT.as_secs()))
}

/// An answer's body.
pub(super) struct Answer(Body);

impl Answer {
    /// The next part of it; none at its proper end. Nothing is lost where the wait for it is given up.
    pub async fn part(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, ClusterError> {
        while let Some(frame) = self.0.frame().await {
            let frame = frame.map_err(|error| ClusterError::Broken(innermost(&error)))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    async fn whole(mut self, max_bytes: usize) -> Result<Vec<u8>, ClusterError> {
        let mut text = Vec::new();
        while let Some(part) = timeout(ANSWER_TIMEOUT, self.part()).await.map_err(|_| silent())?? {
            if text.len() + part.as_ref().len() > max_bytes {
                return Err(ClusterError::Malformed(format!("it is longer than {max_bytes} bytes")));
            }
            text.extend_from_slice(part.as_ref());
        }
        Ok(text)
    }
}
