//! What an address says: where the server is, how the way to it is protected.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use longshore_model::{Code, Endpoint, Error, Result};
use mysql_async::{Opts, OptsBuilder, SslOpts};

use crate::flavor::Flavor;

/// The options of an address: name and meaning.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    (
        "ssl-mode",
        "`verify-identity` encrypts and checks the server's certificate and name, the default for \
         other hosts; `verify-ca` does not check the name; `required` checks neither; `disabled` \
         does not encrypt, the default for this host",
    ),
    ("ssl-ca", "a file of PEM certificates to trust instead of the system's"),
    ("socket", "the server's Unix socket, when the address names no host"),
    ("connect-timeout", "seconds until an attempt to connect is given up; 15 by default"),
];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const PORT: u16 = 3306;

/// The largest packet that this side takes: the protocol's own bound.
const LARGEST_PACKET: usize = 1 << 30;

/// A database's address.
#[derive(Clone)]
pub(crate) struct Address {
    /// Where and as whom; holds the password.
    pub opts: Opts,
    /// Which system it must be.
    pub flavor: Flavor,
    /// The database.
    pub database: String,
    /// Until when a server must have answered.
    pub timeout: Duration,
    /// The address without secrets, for messages.
    pub shown: String,
}

impl Address {
    /// Reads an address.
    pub(crate) fn of(endpoint: &Endpoint, flavor: Flavor) -> Result<Self> {
        let known: Vec<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
        endpoint.allow_options(&known)?;
        let shown = endpoint.to_string();
        let wrong = |why: &str| {
            Error::new(Code::UrlInvalid, format!("an address {why}")).with("address", shown.clone())
        };
        let parts = Parts::of(endpoint.location()).map_err(wrong)?;
        let database = parts.database.filter(|name| !name.is_empty()).ok_or_else(|| {
            let hint = format!("Write {}://user@host:port/database.", flavor.dialect());
            wrong("names no database").hint(hint)
        })?;
        let options = endpoint.options();
        let socket = options.get("socket").cloned();
        if socket.is_some() != parts.host.is_none() {
            return Err(match socket {
                Some(_) => wrong("names a host and a socket"),
                None => {
                    wrong("names no server").hint("Name a host, or a socket with ?socket=FILE.")
                }
            });
        }
        let timeout = match options.get("connect-timeout").map(|text| text.parse()) {
            None => CONNECT_TIMEOUT,
            Some(Ok(seconds)) => Duration::from_secs(seconds),
            Some(Err(_)) => return Err(wrong("has a connect-timeout that is no number")),
        };
        let local = parts.host.as_deref().is_none_or(is_local);
        let root = options.get("ssl-ca").map(PathBuf::from);
        let mode = options.get("ssl-mode").map(|mode| mode.to_ascii_lowercase());
        let protection = match mode.as_deref() {
            None if local && root.is_none() => None,
            None | Some("verify-identity") => Some(verified(root, true)),
            Some("verify-ca") => Some(verified(root, false)),
            Some("required") if root.is_some() => Some(verified(root, false)),
            Some("required") => Some(SslOpts::default().with_danger_accept_invalid_certs(true)),
            Some("disabled") => None,
            Some(_) => {
                return Err(wrong("has an unknown ssl-mode")
                    .hint("ssl-mode is verify-identity, verify-ca, required or disabled."));
            }
        };
        let opts = OptsBuilder::default()
            .ip_or_hostname(parts.host.unwrap_or_else(|| "localhost".to_string()))
            .tcp_port(parts.port.unwrap_or(PORT))
            .user(parts.user)
            .pass(parts.password)
            .db_name(Some(database.clone()))
            .prefer_socket(false)
            .socket(socket)
            .ssl_opts(protection)
            .tcp_keepalive(Some(Duration::from_secs(60)))
            .max_allowed_packet(Some(LARGEST_PACKET))
            .wait_timeout(Some(28_800))
            .connect_attribute("program_name", "longshore");
        Ok(Self { opts: opts.into(), flavor, database, timeout, shown })
    }
}

/// Encrypted, with a check of the certificate against a file's or the system's.
fn verified(root: Option<PathBuf>, name: bool) -> SslOpts {
    let options = SslOpts::default().with_danger_skip_domain_validation(!name);
    let options = options.with_disable_built_in_roots(true);
    options.with_root_certs(match root {
        Some(file) => vec![file.into()],
        None => {
            let found = rustls_native_certs::load_native_certs();
            found.certs.iter().map(|one| one.to_vec().into()).collect()
        }
    })
}

/// Whether the way to the server stays on this machine.
fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What stands between the scheme and the options.
struct Parts {
    user: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    database: Option<String>,
}

impl Parts {
    fn of(location: &str) -> Result<Self, &'static str> {
        let rest = location.strip_prefix("//").ok_or("names no server")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (who, place) = match authority.rsplit_once('@') {
            Some((who, place)) => (Some(who), place),
            None => (None, authority),
        };
        let (user, password) = match who {
            None => (None, None),
            Some(who) => match who.split_once(':') {
                Some((user, password)) => (Some(plain(user)?), Some(plain(password)?)),
                None => (Some(plain(who)?), None),
            },
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(inner) => {
                let (host, rest) = inner.split_once(']').ok_or("is not understood")?;
                let port = rest.strip_prefix(':');
                if port.is_none() && !rest.is_empty() {
                    return Err("is not understood");
                }
                (host, port)
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = port.map(|port| port.parse().map_err(|_| "has a port that is no number"));
        if host.contains(',') || path.contains('/') {
            return Err("is not understood");
        }
        Ok(Self {
            user,
            password,
            host: Some(plain(host)?).filter(|host| !host.is_empty()),
            port: port.transpose()?,
            database: Some(plain(path)?),
        })
    }
}

/// A text without its % escapes.
fn plain(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digit = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (high, low) = digit(0).zip(digit(1)).ok_or("has a wrong % escape")?;
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| "has a wrong % escape")
}

#[cfg(test)]
mod tests {
    use super::Address;
    use crate::flavor::Flavor;
    use longshore_model::{Endpoint, Result};

    fn read(text: &str) -> Result<Address> {
        Address::of(&Endpoint::parse(text).expect("an endpoint"), Flavor::MySql)
    }

    #[test]
    fn protection_is_the_default_where_others_could_listen() {
        for (text, protected, named) in [
            ("mysql://me@localhost/shop", false, false),
            ("mysql://me@127.0.0.1:3307/shop", false, false),
            ("mysql://me@[::1]:3307/shop", false, false),
            ("mysql://me@/shop?socket=/run/mysqld.sock", false, false),
            ("mysql://me@db/shop", true, true),
            ("mysql://me@db/shop?ssl-mode=VERIFY-CA", true, false),
            ("mysql://me@db/shop?ssl-mode=disabled", false, false),
            ("mysql://me@localhost/shop?ssl-ca=/ca.pem", true, true),
        ] {
            let opts = read(text).expect(text).opts;
            let ssl = opts.ssl_opts();
            assert_eq!(ssl.is_some(), protected, "{text}");
            assert!(ssl.is_none_or(|ssl| !ssl.accept_invalid_certs()), "{text}");
            assert_eq!(ssl.is_some_and(|ssl| !ssl.skip_domain_validation()), named, "{text}");
        }
    }

    #[test]
    fn every_part_is_read() {
        let address = read("mysql://m%40e:p%3Aw%2f@db:3307/sh%20op?ssl-mode=disabled");
        let address = address.expect("an address");
        let opts = &address.opts;
        assert_eq!((opts.user(), opts.pass()), (Some("m@e"), Some("p:w/")));
        assert_eq!((opts.ip_or_hostname(), opts.tcp_port()), ("db", 3307));
        assert_eq!((opts.db_name(), opts.socket()), (Some("sh op"), None));
        assert!(!address.shown.contains("p%3Aw"), "{}", address.shown);
    }

    #[test]
    fn wrong_addresses_are_refused_without_the_password() {
        for wrong in [
            "mysql:shop",
            "mysql://me:hunter2@db",
            "mysql://me:hunter2@db/",
            "mysql://me:hunter2@/shop",
            "mysql://me:hunter2@db/shop?ssl-mode=preferred",
            "mysql://me:hunter2@db:port/shop",
            "mysql://me:hunter2@a,b/shop",
            "mysql://me:hunter2@db/shop/other",
            "mysql://me:hunter2@db/shop?connect-timeout=x",
            "mysql://me:hunter2@db/shop?option=1",
            "mysql://me:hunter2%zz@db/shop",
            "mysql://me:hunter2@db/shop?socket=/run/mysqld.sock",
        ] {
            let error = read(wrong).err().expect(wrong);
            let text = format!("{:?} {}", error.chain(), error.advice());
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
