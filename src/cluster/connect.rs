//! Who to ask, and as whom: kubeconfig files as kubectl reads them, or the service account of a pod.

use std::path::{Path, PathBuf};

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use super::{client::Cluster, error::innermost};

/// Which cluster is meant.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A kubeconfig file; else `KUBECONFIG`, else `~/.kube/config`, else the service account.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; else its current one.
    pub context: Option<String>,
}

/// Why there is nobody to ask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Neither a kubeconfig nor a service account.
    #[error("no cluster is configured")]
    Nowhere,
    /// A kubeconfig that cannot be used.
    #[error("{0}")]
    Kubeconfig(String),
    /// It has no such context; it has these.
    #[error("no such context")]
    NoContext {
        /// The one asked for.
        wanted: String,
        /// Those there are, in order.
        known: Vec<String>,
    },
    /// No context is asked for, and none is current.
    #[error("no context is current")]
    NoCurrentContext,
    /// The credentials cannot be had.
    #[error("{0}")]
    Credentials(String),
}

/// How a pod's service account is called where a context would be named.
const IN_CLUSTER: &str = "in-cluster";

impl Access {
    /// Reads the configuration and gets the credentials; nothing is asked of the API server yet.
    pub async fn connect(&self) -> Result<Cluster, AccessError> {
        let (name, mut config) = match self.read()? {
            Some(kubeconfig) => self.of_context(kubeconfig).await?,
            None => (IN_CLUSTER.to_owned(), Config::incluster().map_err(|_| AccessError::Nowhere)?),
        };
        // what to try again, and when, is decided where it is known what for
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        let client = kube::Client::try_from(config).map_err(|error| AccessError::Credentials(innermost(&error)))?;
        Ok(Cluster::new(client, name, server.trim_end_matches('/').to_owned()))
    }

    fn read(&self) -> Result<Option<Kubeconfig>, AccessError> {
        let read = |path: &Path| Kubeconfig::read_from(path).map(Some).map_err(|error| fault(&error));
        if let Some(path) = &self.kubeconfig {
            return read(path);
        }
        if let Some(config) = Kubeconfig::from_env().map_err(|error| fault(&error))? {
            return Ok(Some(config));
        }
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        let usual = home.map(|home| Path::new(&home).join(".kube/config")).filter(|path| path.exists());
        match usual {
            Some(path) => read(&path),
            None if self.context.is_some() => Err(AccessError::Nowhere),
            None => Ok(None),
        }
    }

    async fn of_context(&self, kubeconfig: Kubeconfig) -> Result<(String, Config), AccessError> {
        let current = kubeconfig.current_context.clone().filter(|name| !name.is_empty());
        let name = self.context.clone().or(current).ok_or(AccessError::NoCurrentContext)?;
        let mut known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        known.sort_unstable();
        if !known.contains(&name) {
            return Err(AccessError::NoContext { wanted: name, known });
        }
        let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| fault(&error))?;
        Ok((name, config))
    }
}

fn fault(error: &KubeconfigError) -> AccessError {
    AccessError::Kubeconfig(match error {
        KubeconfigError::ReadConfig(why, path) if why.kind() == std::io::ErrorKind::NotFound => {
            format!("{}: no such file", path.display())
        }
        KubeconfigError::ReadConfig(why, path) => format!("{}: {why}", path.display()),
        // its first line says what and where; the others draw the place
        KubeconfigError::Parse(why) => {
            format!("not readable as YAML: {}", why.to_string().lines().next().unwrap_or_default())
        }
        other => other.to_string(),
    })
}
