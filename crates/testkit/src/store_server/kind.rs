//! What the servers are, and how each is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::unprivileged;
use crate::server::give;

/// A server of an object store. No two fail alike, and none is the real thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// S3 by rclone, before a folder. It takes no notice of `If-None-Match` and `If-Match`, answers
    /// a range with the right bytes and status 200, and its lists have whole keys but no `a//b`, no
    /// key below another one and no `/` at the end. Metadata and the types of contents are
    /// forgotten when it stops.
    Rclone,
    /// S3 by SeaweedFS. It keeps to conditions, ranges, signatures and checksums, and survives a
    /// crash. `a//b` and `a\b` become `a/b`, and its lists have `a/b` before `a.b`.
    Seaweed,
    /// S3 by moto. Keys and the order of lists are exactly those of S3, and it keeps to conditions
    /// and ranges. Signatures and checksums are not looked at, and all is forgotten when it stops.
    Moto,
    /// Azure Blob Storage by Azurite. What was written in the last seconds is lost in a crash.
    Azurite,
}

/// The folder of the data, in that of the server.
pub(super) const DATA: &str = "data";
/// The file with the users of SeaweedFS.
const USERS: &str = "users.json";

impl StoreKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Rclone, Self::Seaweed, Self::Moto, Self::Azurite];
    /// Those that speak S3.
    pub const S3: [Self; 3] = [Self::Rclone, Self::Seaweed, Self::Moto];

    pub(super) fn program(self) -> PathBuf {
        match self {
            Self::Rclone => longshore_services::rclone(),
            Self::Seaweed => longshore_services::seaweed(),
            Self::Moto => longshore_services::moto().1.join("moto/server.py"),
            Self::Azurite => longshore_services::azurite().1,
        }
    }

    /// How many ports the server wants.
    pub(super) fn ports(self) -> usize {
        if self == Self::Seaweed { 8 } else { 1 }
    }

    /// What goes before the name of a bucket in a path.
    pub(super) fn base(self) -> &'static str {
        if self == Self::Azurite { "/devstoreaccount1" } else { "" }
    }

    pub(super) fn key(self) -> &'static str {
        if self == Self::Azurite { "devstoreaccount1" } else { "longshore" }
    }

    /// That of Azurite is the same everywhere, and no secret.
    pub(super) fn secret(self) -> &'static str {
        match self {
            Self::Azurite => {
                "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
            }
            _ => "longshore-secret",
        }
    }

    /// What makes a bucket of a path, in a request to put it.
    pub(super) fn bucket_query(self) -> &'static str {
        if self == Self::Azurite { "?restype=container" } else { "" }
    }

    /// Makes what the server finds in its folder.
    pub(super) fn prepare(self, folder: &Path) {
        let data = folder.join(DATA);
        fs::create_dir(&data).expect("a folder for the data");
        give(&data);
        if self == Self::Seaweed {
            let (key, secret) = (self.key(), self.secret());
            let users = serde_json::json!({"identities": [{
                "name": key,
                "credentials": [{"accessKey": key, "secretKey": secret}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            }]});
            fs::write(folder.join(USERS), users.to_string()).expect("its users are written");
            give(&folder.join(USERS));
        }
    }

    /// What starts the server, with as many ports as it wants.
    pub(super) fn command(self, folder: &Path, ports: &[u16]) -> Command {
        let data = folder.join(DATA);
        match self {
            Self::Rclone => {
                let mut command = unprivileged(longshore_services::rclone());
                command.args(["serve", "s3", "--config=", "--dir-cache-time=0"]);
                command.arg(format!("--addr=127.0.0.1:{}", ports[0]));
                command.arg(format!("--auth-key={},{}", self.key(), self.secret()));
                command.arg(format!("--cache-dir={}", folder.join("cache").display()));
                command.arg(data);
                command
            }
            Self::Seaweed => seaweed(folder, &data, ports),
            Self::Moto => {
                let (python, packages) = longshore_services::moto();
                let mut command = unprivileged(python);
                command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &ports[0].to_string()]);
                command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Self::Azurite => {
                let (node, script) = longshore_services::azurite();
                let mut command = unprivileged(node);
                command.arg(script).args(["--blobHost", "127.0.0.1", "--blobPort"]);
                command.arg(ports[0].to_string()).arg("--location").arg(data);
                command.args(["--silent", "--disableTelemetry", "--skipApiVersionCheck"]);
                command
            }
        }
    }

    /// Whether the server serves, by what `ask` gives as the status of a request.
    pub(super) fn is_ready(self, ask: impl Fn(&str, &str, &[u8]) -> u16) -> bool {
        match self {
            Self::Azurite => ask("GET", "?comp=list", b"") == 200,
            Self::Rclone | Self::Moto => ask("GET", "/", b"") == 200,
            // Its parts find each other one by one; the last is the one that takes the bytes.
            Self::Seaweed => {
                matches!(ask("PUT", "/ready", b""), 200 | 409)
                    && ask("PUT", "/ready/ready", b"ready") == 200
                    && ask("DELETE", "/ready/ready", b"") == 204
                    && ask("DELETE", "/ready", b"") == 204
            }
        }
    }
}

fn seaweed(folder: &Path, data: &Path, ports: &[u16]) -> Command {
    const PORTS: [&str; 8] = [
        "s3.port",
        "s3.port.grpc",
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
    ];
    let mut command = unprivileged(longshore_services::seaweed());
    command.args(["-logtostderr=true", "server", "-filer", "-s3"]);
    command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    command.args(PORTS.iter().zip(ports).map(|(name, port)| format!("-{name}={port}")));
    for (name, value) in [("dir", data), ("s3.config", &folder.join(USERS))] {
        command.arg(format!("-{name}={}", value.display()));
    }
    for part in ["filer", "s3"] {
        command.arg(format!("-{part}.localSocket={}/{part}.sock", folder.display()));
    }
    // A bucket takes a volume of its own, and a full disk is not what is tested.
    command.args(["-master.volumeSizeLimitMB=64", "-volume.max=1000", "-volume.minFreeSpace=1MiB"]);
    command.args(["-master.telemetry=false", "-volume.preStopSeconds=0"]);
    command.args(["-s3.autoCreateBucket=false"]);
    command
}
