//! What an address says: where the server is, how the way to it is protected.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use longshore_model::{Code, Endpoint, Error, Result};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The options of an address: name and meaning.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    (
        "sslmode",
        "`verify-full` encrypts and checks the server's certificate and name, the default for other \
         hosts; `require` encrypts, and checks the certificate only when sslrootcert is given; \
         `disable` does neither, the default for this host",
    ),
    ("sslrootcert", "a file of PEM certificates to trust instead of the system's"),
    ("host", "the folder of the server's Unix socket, when the address names no host"),
    ("connect_timeout", "seconds until an attempt to connect is given up; 15 by default"),
    ("schema", "the schema of tables that come without one; `public` by default"),
];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A PostgreSQL database's address.
#[derive(Clone)]
pub(crate) struct Address {
    /// Where and as whom; holds the password.
    pub config: Config,
    /// How the connection is protected.
    pub protection: Protection,
    /// The schema of tables that come without one.
    pub schema: String,
    /// The address without secrets, for messages.
    pub shown: String,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Not at all.
    None,
    /// Encrypted; the certificate is checked against this file's, where one is given.
    Encrypted(Option<PathBuf>),
    /// Encrypted; certificate and name are checked, against this file's certificates or the system's.
    Verified(Option<PathBuf>),
}

impl Address {
    /// Reads an address.
    pub(crate) fn of(endpoint: &Endpoint) -> Result<Self> {
        let known: Vec<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
        endpoint.allow_options(&known)?;
        let shown = endpoint.to_string();
        let wrong = |why: &str| {
            Error::new(Code::UrlInvalid, format!("an address {why}")).with("address", shown.clone())
        };
        let url = endpoint.location();
        let url = url.strip_prefix("//").map(|rest| format!("postgres://{rest}"));
        let url = url.ok_or_else(|| wrong("names no server"))?;
        let options = endpoint.options();
        let url = match options.get("host") {
            Some(folder) => at_socket(&url, folder).ok_or_else(|| wrong("names two hosts"))?,
            None => url,
        };
        // The library's message may quote the password, so it is not passed on.
        let mut config = Config::from_str(&url).map_err(|_| wrong("is not understood"))?;
        if config.get_hosts().len() != 1 {
            return Err(wrong("must name one host"));
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(
                wrong("names no database").hint("Write postgres://user@host:port/database.")
            );
        }
        let timeout = match options.get("connect_timeout").map(|text| text.parse()) {
            None => CONNECT_TIMEOUT,
            Some(Ok(seconds)) => Duration::from_secs(seconds),
            Some(Err(_)) => return Err(wrong("has a connect_timeout that is no number")),
        };
        config.connect_timeout(timeout).application_name("longshore");
        config.keepalives_idle(Duration::from_secs(60));
        let root = options.get("sslrootcert").map(PathBuf::from);
        let protection = match options.get("sslmode").map(String::as_str) {
            None if is_local(&config) && root.is_none() => Protection::None,
            None | Some("verify-full") => Protection::Verified(root),
            Some("require") => Protection::Encrypted(root),
            Some("disable") => Protection::None,
            Some(_) => {
                return Err(wrong("has an unknown sslmode")
                    .hint("sslmode is verify-full, require or disable."));
            }
        };
        let schema = options.get("schema").cloned().unwrap_or_else(|| "public".to_string());
        Ok(Self { config, protection, schema, shown })
    }

    /// The Unix socket, where the address names one.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        match self.config.get_hosts().first() {
            Some(Host::Unix(folder)) => Some(folder.join(format!(".s.PGSQL.{port}"))),
            _ => None,
        }
    }
}

/// An address without a host, with the folder of a Unix socket for one; `None` when it has a host.
fn at_socket(url: &str, folder: &str) -> Option<String> {
    let rest = url.strip_prefix("postgres://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, port) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    if !port.is_empty() && !port.starts_with(':') {
        return None;
    }
    let host: String = folder.bytes().map(|byte| format!("%{byte:02x}")).collect();
    Some(format!("postgres://{user}{host}{port}{path}"))
}

/// Whether the way to the server stays on this machine.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Address, Protection};
    use longshore_model::Endpoint;

    fn read(text: &str) -> longshore_model::Result<Address> {
        Address::of(&Endpoint::parse(text).expect("an endpoint"))
    }

    #[test]
    fn protection_is_the_default_where_others_could_listen() {
        let protection = |text: &str| read(text).expect(text).protection;
        assert_eq!(protection("postgres://me@localhost/shop"), Protection::None);
        assert_eq!(protection("postgres://me@127.0.0.1:5433/shop"), Protection::None);
        assert_eq!(protection("postgres:///shop?host=/run/postgresql"), Protection::None);
        assert_eq!(protection("postgres://me@db/shop"), Protection::Verified(None));
        assert_eq!(
            protection("postgres://me@db/shop?sslmode=require"),
            Protection::Encrypted(None)
        );
        assert_eq!(
            protection("postgres://me@localhost/shop?sslrootcert=/ca.pem"),
            Protection::Verified(Some("/ca.pem".into()))
        );
    }

    #[test]
    fn sockets_are_named_in_two_ways() {
        for (text, expected) in [
            ("postgres:///shop?host=/run/postgresql", "/run/postgresql/.s.PGSQL.5432"),
            ("postgres://me@/shop?host=/run/a b", "/run/a b/.s.PGSQL.5432"),
            ("postgres://me:pass@:5433/shop?host=/run/é", "/run/é/.s.PGSQL.5433"),
            ("postgres://me@%2Frun%2Fpg:5433/shop", "/run/pg/.s.PGSQL.5433"),
        ] {
            assert_eq!(read(text).expect(text).socket(), Some(expected.into()), "{text}");
        }
        assert_eq!(read("postgres://me@db/shop").expect("an address").socket(), None);
    }

    #[test]
    fn wrong_addresses_are_refused_without_the_password() {
        for wrong in [
            "postgres:shop",
            "postgres://me:hunter2@db",
            "postgres://me:hunter2@db/",
            "postgres://me:hunter2@db/shop?sslmode=prefer",
            "postgres://me:hunter2@db:port/shop",
            "postgres://me:hunter2@a,b/shop",
            "postgres://me:hunter2@db/shop?connect_timeout=x",
            "postgres://me:hunter2@db/shop?option=1",
            "postgres://me:hunter2@db/shop?host=/run/postgresql",
        ] {
            let error = read(wrong).err().expect(wrong);
            let text = format!("{:?} {}", error.chain(), error.advice());
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
