//! A certificate for a server, and the authority that signed it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

pub(crate) const AUTHORITY: &str = "authority.pem";
pub(crate) const CERTIFICATE: &str = "server.pem";
pub(crate) const KEY: &str = "server.key";

/// Writes authority, certificate and key into a folder.
pub(crate) fn write(folder: &Path) {
    let key = || KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Of one name with the authority, the certificate is a self-signed one to OpenSSL.
    authority.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("an authority");
    let names = vec!["localhost".to_string(), "127.0.0.1".to_string()];
    let key = key();
    let mut certificate = CertificateParams::new(names).expect("parameters");
    certificate.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
    for (name, text) in
        [(AUTHORITY, authority.pem()), (CERTIFICATE, certificate.pem()), (KEY, key.serialize_pem())]
    {
        let file = folder.join(name);
        fs::write(&file, text).expect("a certificate is written");
        super::give(&file);
    }
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(folder.join(KEY), private).expect("the key is kept private");
}
