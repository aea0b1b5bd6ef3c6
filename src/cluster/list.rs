//! All objects of a kind, page by page.

use std::time::Duration;

use kube::core::{Request, params::ListParams};
use serde::Deserialize;
use serde_json::Value;

use super::{
    client::Cluster,
    error::ClusterError,
    kind::Target,
    object::{Object, take},
};
use crate::{clock, inventory::Problem, model::Timestamp};

/// A list that was read to its end.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// When its first page had come. All pages show the cluster as it was for the first: what is listed was there
    /// shortly before.
    pub answered: Timestamp,
    /// From where news go on.
    pub version: String,
    /// The objects.
    pub objects: Vec<Object>,
    /// What could not be used.
    pub problems: Vec<Problem>,
}

/// A page of objects that are all as large as etcd takes them would be larger; nothing comes near it.
const MAX_PAGE_BYTES: usize = 256 * 1024 * 1024;

/// More pages than a cluster has: a server that never comes to an end is not one.
const MAX_PAGES: usize = 20_000;

/// How often a list is begun that breaks off or goes stale, and the wait before the second time.
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(200);

#[derive(Default, Deserialize)]
struct Page {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: PageMetadata,
    /// Null where there are none: Go writes an empty slice so.
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    r#continue: String,
}

impl Page {
    /// Whatever else answers on the way (a portal, a proxy) writes JSON too: taken for a list without objects, it would empty the
    /// inventory.
    fn whole(self) -> Result<Self, ClusterError> {
        if !self.kind.ends_with("List") {
            let kind = if self.kind.is_empty() { "no kind" } else { &self.kind };
            return Err(ClusterError::Malformed(format!("a list was asked for, and {kind} came")));
        }
        if self.metadata.resource_version.is_empty() {
            return Err(ClusterError::Malformed("the list has no resourceVersion".into()));
        }
        Ok(self)
    }
}

impl Cluster {
    /// Lists all objects of a target. A list that breaks off, or takes so long that the API server no longer has it,
    /// is begun again a few times.
    pub async fn list(&self, target: &Target) -> Result<Listed, ClusterError> {
        let mut wait = FIRST_WAIT;
        for _ in 1..ATTEMPTS {
            match self.list_once(target).await {
                Err(error) if error.is_passing() => tokio::time::sleep(wait).await,
                result => return result,
            }
            wait *= 2;
        }
        self.list_once(target).await
    }

    /// The version of now.
    pub(super) async fn latest_version(&self, target: &Target) -> Result<String, ClusterError> {
        let params = ListParams { limit: Some(1), ..ListParams::default() };
        let answer: Page = self.json(Request::new(target.path()).list(&params), MAX_PAGE_BYTES).await?;
        Ok(answer.whole()?.metadata.resource_version)
    }

    pub(super) async fn list_once(&self, target: &Target) -> Result<Listed, ClusterError> {
        let request = Request::new(target.path());
        let mut params = ListParams { limit: Some(target.kind.page_objects()), ..ListParams::default() };
        let mut listed = Listed::default();
        for page in 0..MAX_PAGES {
            let answer: Page = self.json(request.list(&params), MAX_PAGE_BYTES).await?;
            let Page { metadata, items, .. } = answer.whole()?;
            if page == 0 {
                listed.answered = clock::now();
            }
            for item in items.unwrap_or_default() {
                let taken = take(self.name(), target, item);
                listed.objects.extend(taken.object);
                listed.problems.extend(taken.problems);
            }
            if metadata.r#continue.is_empty() {
                listed.version = metadata.resource_version;
                return Ok(listed);
            }
            params.continue_token = Some(metadata.r#continue);
        }
        Err(ClusterError::Malformed("the list has no end".into()))
    }
}
