//! Where a registry is, and which addresses it may lead to.

use std::net::{Ipv4Addr, Ipv6Addr};

use longshore_model::{Code, Error, Result};
use reqwest::Url;

use crate::DOCKER_HUB;

/// Where Docker Hub's registry is in truth.
const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";

/// Whether a host is this machine, whatever a name server says.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost"
        || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || name.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

/// The address of a registry, without a path.
pub(super) fn base(host: &str, scheme: &str) -> Result<Url> {
    let host = if host == DOCKER_HUB { DOCKER_HUB_REGISTRY } else { host };
    Url::parse(&format!("{scheme}://{host}/")).map_err(|error| {
        Error::new(Code::ImageName, "the host of a registry is not understood")
            .with("host", host)
            .because(error)
    })
}

/// Whether an address may be asked: by TLS, or on this machine, or where plain HTTP is allowed.
pub(super) fn is_safe(url: &Url, plain_http: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => plain_http || url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

/// Where a registry says that something is, seen from the address that was asked.
pub(super) fn lead(from: &Url, to: &str, plain_http: bool) -> Result<Url> {
    let wrong = |why: &str| {
        Error::new(Code::Registry, format!("the registry leads to {why}"))
            .with("registry", from.host_str().unwrap_or_default())
    };
    let url = from.join(to).map_err(|error| wrong("what is no address").because(error))?;
    let is_downgrade = from.scheme() == "https" && url.scheme() == "http";
    if is_downgrade || !is_safe(&url, plain_http) {
        return Err(wrong("an address without TLS")
            .with("host", url.host_str().unwrap_or_default())
            .hint("Ask who runs the registry: what is sent there could be read and changed."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("an address with a password in it"));
    }
    Ok(url)
}

/// Whether two addresses are of one host, port and scheme.
pub(super) fn is_same(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::{base, is_loopback, lead};

    #[test]
    fn hosts_of_this_machine_are_known_by_their_names() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.9.1", true),
            ("[::1]:5000", true),
            ("[::1]", true),
            ("0.0.0.0:5000", false),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com:5000", false),
            ("10.0.0.1", false),
            ("[2001:db8::1]:5000", false),
            ("docker.io", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
        let hub = base("docker.io", "https").expect("an address");
        assert_eq!(hub.as_str(), "https://registry-1.docker.io/");
    }

    #[test]
    fn a_registry_leads_nowhere_without_tls() {
        let url = |text: &str| Url::parse(text).expect(text);
        for (from, to, plain, expected) in [
            ("https://a.example/v2/", "/v2/b", false, Some("https://a.example/v2/b")),
            ("https://a.example/v2/", "https://b.example/c", false, Some("https://b.example/c")),
            ("https://a.example/v2/", "http://b.example/c", false, None),
            ("https://a.example/v2/", "http://b.example/c", true, None),
            ("https://a.example/v2/", "http://127.0.0.1/c", false, None),
            ("http://127.0.0.1/v2/", "http://localhost:1/c", false, Some("http://localhost:1/c")),
            ("http://127.0.0.1/v2/", "http://b.example/c", false, None),
            ("http://b.example/v2/", "http://b.example/c", true, Some("http://b.example/c")),
            ("https://a.example/v2/", "file:///etc/passwd", false, None),
            ("https://a.example/v2/", "https://me:pw@b.example/", false, None),
        ] {
            let found = lead(&url(from), to, plain).ok().map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{from} → {to}");
        }
    }
}
