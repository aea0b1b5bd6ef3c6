//! Who to ask, and as whom: kubeconfig files as kubectl reads them, or the service account of a pod.

use std::path::{Path, PathBuf};

use kube::{
    Config,
    client::AuthError,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use super::{client::Cluster, error::innermost, proxy};

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
    /// The proxy on the way cannot be used.
    #[error("{0}")]
    Proxy(String),
    /// The credentials cannot be had.
    #[error("{0}")]
    Credentials(String),
}

/// How a pod's service account is called where a context would be named.
const IN_CLUSTER: &str = "in-cluster";

impl Access {
    /// Reads the configuration and gets the credentials; nothing is asked of the API server yet.
    pub async fn connect(&self) -> Result<Cluster, AccessError> {
        let (name, mut config, plugin) = match self.read()? {
            Some(kubeconfig) => self.of_context(kubeconfig).await?,
            None => (IN_CLUSTER.to_owned(), Config::incluster().map_err(|_| AccessError::Nowhere)?, None),
        };
        // what to try again, and when, is decided where it is known what for
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        let client = kube::Client::try_from(config).map_err(|error| no_client(&error, plugin.as_deref()))?;
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

    /// With its name, and the program that gets its credentials, if so.
    async fn of_context(&self, kubeconfig: Kubeconfig) -> Result<(String, Config, Option<String>), AccessError> {
        let current = kubeconfig.current_context.clone().filter(|name| !name.is_empty());
        let name = self.context.clone().or(current).ok_or(AccessError::NoCurrentContext)?;
        let mut known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        known.sort_unstable();
        if !known.contains(&name) {
            return Err(AccessError::NoContext { wanted: name, known });
        }
        let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
        let (proxy, plugin) = of_user_and_cluster(&kubeconfig, &name);
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| fault(&error))?;
        // kube asks NO_PROXY for the proxy, and not for the server
        let found = proxy::for_server(&config.cluster_url, proxy.as_deref(), |name| std::env::var(name).ok());
        config.proxy_url = found.map_err(|error| AccessError::Proxy(error.to_string()))?;
        if let Some(token) = trimmed_token(&config) {
            config.auth_info.token_file = None;
            config.auth_info.token = Some(token.into());
        }
        Ok((name, config, plugin))
    }
}

/// The token of a file that ends with a line end, as `kubectl create token > FILE` writes it: kubectl cuts it off, kube sends it and
/// fails. Who renews files writes none.
fn trimmed_token(config: &Config) -> Option<String> {
    let text = std::fs::read_to_string(config.auth_info.token_file.as_ref()?).ok()?;
    let token = text.trim();
    (token.len() < text.len()).then(|| token.to_owned())
}

/// What a context says of its proxy, and of the program that gets its credentials.
fn of_user_and_cluster(kubeconfig: &Kubeconfig, name: &str) -> (Option<String>, Option<String>) {
    let context = kubeconfig.contexts.iter().find(|it| it.name == name).and_then(|it| it.context.as_ref());
    let cluster = kubeconfig.clusters.iter().find(|it| context.is_some_and(|context| context.cluster == it.name));
    let user = context.and_then(|context| context.user.as_ref());
    let user = kubeconfig.auth_infos.iter().find(|it| user == Some(&it.name)).and_then(|it| it.auth_info.as_ref());
    let proxy = cluster.and_then(|it| it.cluster.as_ref()).and_then(|cluster| cluster.proxy_url.clone());
    (proxy, user.and_then(|user| user.exec.as_ref()).and_then(|exec| exec.command.clone()))
}

/// Why nobody can be asked, with the file or program that it is for.
fn no_client(error: &kube::Error, plugin: Option<&str>) -> AccessError {
    match (error, plugin) {
        (kube::Error::ProxyProtocolUnsupported { proxy_url }, _) => {
            AccessError::Proxy(format!("{proxy_url}: none of http, https and socks5"))
        }
        (kube::Error::Auth(AuthError::AuthExecStart(why)), Some(plugin)) => {
            AccessError::Credentials(format!("the program `{plugin}` cannot be run: {why}"))
        }
        (kube::Error::Auth(AuthError::ReadTokenFile(why, file)), _) => {
            AccessError::Credentials(format!("{}: {why}", file.display()))
        }
        _ => AccessError::Credentials(innermost(error)),
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
