//! Who gives tokens for a registry, as Docker Hub and others have one: JSON web tokens for what is asked,
//! which the registry proves by a certificate.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::{PASSWORD, USER};

/// The certificate by which tokens are proved.
pub(super) const CERTIFICATE: &str = "realm.pem";
pub(super) const SERVICE: &str = "a registry";
pub(super) const ISSUER: &str = "a realm";
/// How long a token serves, in seconds.
const LIFE: u64 = 300;

/// A giver of tokens on a port of this machine. Who names himself may push and pull, others pull.
#[derive(Debug)]
pub(super) struct Realm {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

struct Signer {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
}

impl Realm {
    /// Starts one, and writes its certificate into a folder.
    pub(super) fn start(folder: &Path) -> Self {
        let pair = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, ISSUER);
        let certificate = parameters.self_signed(&pair).expect("a certificate");
        std::fs::write(folder.join(CERTIFICATE), certificate.pem()).expect("a file");
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            pair.serialized_der(),
            &SystemRandom::new(),
        );
        let signer =
            Arc::new(Signer { key: key.expect("a key"), certificate: certificate.der().to_vec() });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (signer, seen) = (signer.clone(), seen.clone());
                thread::spawn(move || {
                    let _client_gone = serve(&client, &signer, &seen);
                });
            }
        });
        Self { port, asked }
    }

    /// The queries so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread fails with it").clone()
    }
}

fn serve(
    mut client: &TcpStream,
    signer: &Signer,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(client).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let target = first.split(' ').nth(1).unwrap_or_default().to_string();
    asked.lock().expect("no thread fails with it").push(target.clone());
    let mut right = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            right = Some(value.to_string());
        }
    }
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let (status, body) = match right {
        Some(right) if right != expected => (401, json!({ "errors": [{ "code": "DENIED" }] })),
        right => (200, json!({ "token": signer.token(&target, right.is_some()) })),
    };
    let body = body.to_string();
    let length = body.len();
    let head = "Connection: close\r\nContent-Type: application/json";
    write!(client, "HTTP/1.1 {status} Told\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}")
}

impl Signer {
    /// A token for what a query asks, as far as it is allowed.
    fn token(&self, target: &str, is_known: bool) -> String {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let scopes = query.split('&').filter_map(|pair| pair.strip_prefix("scope="));
        let access: Vec<Value> = scopes.filter_map(|scope| allowed(scope, is_known)).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let header =
            json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(&self.certificate)] });
        let claims = json!({
            "iss": ISSUER, "sub": USER, "aud": SERVICE, "jti": now.to_string(), "access": access,
            "iat": now, "nbf": now.saturating_sub(10), "exp": now + LIFE,
        });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature =
            self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// `repository:a/b:pull,push`, without what is not allowed.
fn allowed(scope: &str, is_known: bool) -> Option<Value> {
    let scope = scope.replace("%2C", ",").replace("%3A", ":").replace("%2F", "/");
    let mut parts = scope.splitn(3, ':');
    let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
    let actions: Vec<&str> =
        actions.split(',').filter(|action| is_known || *action == "pull").collect();
    Some(json!({ "type": kind, "name": name, "actions": actions }))
}
