//! The proxy between here and an API server: that of the kubeconfig, else that of the environment where `NO_PROXY` does not
//! except the server. As kubectl has it.

use std::net::IpAddr;

use http::{Uri, uri::InvalidUri};
use ipnet::IpNet;

/// The proxy for a server, where there is one. `configured` is what the kubeconfig says of it, `variable` tells the environment's
/// variables.
pub(super) fn for_server(
    server: &Uri,
    configured: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, InvalidUri> {
    let said = |name: &str| {
        [name.to_owned(), name.to_lowercase()].iter().find_map(|name| variable(name).filter(|text| !text.is_empty()))
    };
    if let Some(proxy) = configured.filter(|proxy| !proxy.is_empty()) {
        return parse(proxy).map(Some);
    }
    // HTTPS_PROXY is for servers that speak TLS
    let Some(proxy) = said("HTTPS_PROXY").filter(|_| server.scheme_str() == Some("https")) else { return Ok(None) };
    let is_excepted = excepts(&said("NO_PROXY").unwrap_or_default(), server);
    if is_excepted { Ok(None) } else { parse(&proxy).map(Some) }
}

/// A proxy is one of HTTP where it does not say what it is.
fn parse(proxy: &str) -> Result<Uri, InvalidUri> {
    if proxy.contains("://") { proxy.parse() } else { format!("http://{proxy}").parse() }
}

/// Whether a server is asked without a proxy: this host itself, and what is listed by address, range or name, with a port or
/// without. A name stands for those below it, too; `.name` for these alone, `*` for all.
fn excepts(list: &str, server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
    let port = server.port_u16().unwrap_or(443);
    let address: Option<IpAddr> = host.parse().ok();
    let is_this_host = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    let is_meant = |entry: &str| {
        let (name, of_port) = match entry.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse::<u16>().ok()),
            _ => (entry, None),
        };
        let name = name.trim_matches(['[', ']']);
        let name = name.strip_prefix('*').unwrap_or(name).to_lowercase();
        if of_port.is_some_and(|of_port| of_port != port) {
            return false;
        }
        if let Some(address) = address {
            let is_it = name.parse::<IpAddr>().is_ok_and(|other| other == address);
            return is_it || name.parse::<IpNet>().is_ok_and(|range| range.contains(&address));
        }
        match name.strip_prefix('.') {
            Some(_) => host.ends_with(&name),
            None => host == name || host.ends_with(&format!(".{name}")),
        }
    };
    let mut entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
    is_this_host || entries.any(|entry| entry == "*" || is_meant(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_asked_by_proxy(server: &str, no_proxy: &str) -> bool {
        let variable = |name: &str| match name {
            "https_proxy" => Some("proxy.example:3128".to_owned()),
            "NO_PROXY" => Some(no_proxy.to_owned()),
            _ => None,
        };
        let proxy = for_server(&server.parse().unwrap(), None, variable).unwrap();
        assert!(proxy.as_ref().is_none_or(|proxy| *proxy == "http://proxy.example:3128"), "{proxy:?}");
        proxy.is_some()
    }

    #[test]
    fn a_server_that_is_excepted_is_asked_without_the_proxy_of_the_environment() {
        let none = [
            ("https://127.0.0.1:6443", ""),
            ("https://localhost", ""),
            ("https://10.1.2.3:6443", "*"),
            ("https://10.1.2.3:6443", "example.com, 10.1.2.3"),
            ("https://10.1.2.3:6443", "10.0.0.0/8"),
            ("https://[2001:db8::1]:6443", "2001:db8::/32"),
            ("https://[2001:db8::1]:6443", "[2001:db8::1]:6443"),
            ("https://api.Example.com", "example.com"),
            ("https://example.com", "EXAMPLE.com:443"),
            ("https://api.example.com", ".example.com"),
            ("https://api.example.com", "*.example.com"),
            ("http://10.1.2.3", ""),
        ];
        for (server, no_proxy) in none {
            assert!(!is_asked_by_proxy(server, no_proxy), "{server} {no_proxy}");
        }
        let by_proxy = [
            ("https://10.1.2.3:6443", ""),
            ("https://10.1.2.3:6443", "10.1.2.3:443,10.2.0.0/16"),
            ("https://example.com", ".example.com"),
            ("https://notexample.com", "example.com"),
        ];
        for (server, no_proxy) in by_proxy {
            assert!(is_asked_by_proxy(server, no_proxy), "{server} {no_proxy}");
        }
    }

    #[test]
    fn the_proxy_of_the_kubeconfig_goes_before_the_environment() {
        let all = |_: &str| Some("*".to_owned());
        let proxy = for_server(&"https://10.1.2.3".parse().unwrap(), Some("socks5://proxy:1080"), all).unwrap();
        assert_eq!(proxy.unwrap(), "socks5://proxy:1080");
    }
}
