//! Trees of files to, from and between object stores.

mod attributes;
mod breaks;
mod copies;
mod google;
mod large;
mod merge;
mod tables;
mod tags;

use std::fs;
use std::path::Path;

use longshore_testkit::Random;
use longshore_testkit::http_faults::HttpFaults;
use longshore_testkit::store_server::{StoreKind, StoreServer};

use crate::postgres::verified;
use crate::stage::{Ran, Stage};
use crate::trees::attributes::given;
use crate::trees::{picture, plant};

/// Names that are no keys.
const NO_KEYS: &str = "new%250Aline,%25FF%25FE";

/// A bucket of its own on a server that tests share.
pub(crate) struct Bucket {
    pub(crate) server: &'static StoreServer,
    pub(crate) name: String,
}

impl Bucket {
    pub(crate) fn of(kind: StoreKind) -> Self {
        let server = StoreServer::shared(kind);
        Self { server, name: server.create_bucket("longshore") }
    }

    /// The address of a path in it.
    pub(crate) fn address(&self, path: &str) -> String {
        self.address_by(self.server.port(), path)
    }

    /// The same by way of a proxy.
    pub(crate) fn address_by(&self, port: u16, path: &str) -> String {
        self.address_as(port, path, self.server.key(), self.server.secret())
    }

    fn address_as(&self, port: u16, path: &str, key: &str, secret: &str) -> String {
        let (name, endpoint) = (&self.name, self.server.endpoint_at(port));
        let secret = secret.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
        match self.server.kind() {
            StoreKind::Azurite => format!(
                "az://{name}/{path}?format=objects&account={key}&account-key={secret}&endpoint={endpoint}"
            ),
            StoreKind::Gcs => format!(
                "gs://{name}/{path}?format=objects&credentials={}&endpoint={endpoint}",
                self.server.account_file().display()
            ),
            _ => format!(
                "s3://{name}/{path}?format=objects&access-key-id={key}&secret-access-key={secret}&endpoint={endpoint}"
            ),
        }
    }

    /// Puts an object behind everybody's back.
    pub(crate) fn put(&self, key: &str, headers: &[(&str, &str)], bytes: &[u8]) {
        let blob = [("x-ms-blob-type", "BlockBlob")];
        let azure: &[_] = if self.server.kind() == StoreKind::Azurite { &blob } else { &[] };
        let target = format!("/{}/{key}", self.name);
        // Names of metadata are told as S3 has them.
        let is_google = self.server.kind() == StoreKind::Gcs;
        let own = |name: &str| {
            if is_google { name.replace("x-amz-", "x-goog-") } else { name.to_string() }
        };
        let headers: Vec<_> = headers.iter().map(|(name, value)| (own(name), *value)).collect();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), *value));
        let headers: Vec<_> = azure.iter().copied().chain(headers).collect();
        let put = self.server.request("PUT", &target, &headers, bytes);
        assert!(matches!(put.status, 200 | 201), "{key}: {put:?}");
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let got = self.server.request("GET", &format!("/{}/{key}", self.name), &[], b"");
        (got.status == 200).then_some(got.body)
    }

    /// Removes an object behind everybody's back.
    pub(crate) fn remove(&self, key: &str) {
        let removed = self.server.request("DELETE", &format!("/{}/{key}", self.name), &[], b"");
        assert!(matches!(removed.status, 200..=204), "{key}: {removed:?}");
    }
}

/// What of a planted tree a server cannot keep: one before a file system has no object for a folder
/// with something in it, and s3s none for any.
fn left_out(kind: StoreKind) -> String {
    let more = match kind {
        StoreKind::Rclone => ",closed",
        StoreKind::S3s => ",closed,no entries,many/deep",
        StoreKind::Moto | StoreKind::Gcs | StoreKind::Azurite => "",
    };
    format!("file:from?format=objects&exclude={NO_KEYS}{more}")
}

fn kept(stage: &Stage, kind: StoreKind) -> std::collections::BTreeMap<Vec<u8>, String> {
    let mut all = picture(&stage.join("from"));
    let closed = matches!(kind, StoreKind::Rclone | StoreKind::S3s);
    all.retain(|name, _| {
        !(name == b"new\nline"
            || name == b"\xff\xfe"
            || (closed && name.starts_with(b"closed"))
            || (kind == StoreKind::S3s
                && (name == b"no entries" || name.starts_with(b"many/deep"))))
    });
    all
}

fn migration(stage: &Stage, from: &str, to: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: tree\nlimits: {{chunk: 1MiB}}\nmoves: [{{from: '{from}', to: '{to}'}}]\n"
        ),
    );
}

fn go(stage: &Stage) -> Ran {
    stage.run(&["run", "m.yaml", "--json"])
}

/// There and back.
fn a_tree_comes_back(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    plant(&stage.join("from"));
    let there = bucket.address("a path/of two");
    migration(&stage, &left_out(kind), &there);
    let ran = go(&stage);
    verified(&ran);
    let chunks = ran.events().iter().filter(|event| event["event"] == "chunk-done").count();
    assert!(chunks > 4, "{chunks} chunks");
    // A second run of the same finds everything done; another is refused.
    verified(&go(&stage));
    let other = stage.run(&["copy", "file:from?format=objects", &there]);
    assert_eq!(other.code, Some(43), "{}", other.err);
    verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    stage.done(&["copy", &format!("{there}&owners=true"), "file:back?format=objects"]);
    assert_eq!(picture(&stage.join("back")), kept(&stage, kind));
    let shown = [ran.out, ran.err, other.err].concat();
    assert!(!shown.contains(bucket.server.secret()), "{shown}");
}

#[test]
fn a_tree_comes_back_from_rclone() {
    a_tree_comes_back(StoreKind::Rclone);
}

#[test]
fn a_tree_comes_back_from_s3s() {
    a_tree_comes_back(StoreKind::S3s);
}

#[test]
fn a_tree_comes_back_from_moto() {
    a_tree_comes_back(StoreKind::Moto);
}

#[test]
fn a_tree_comes_back_from_gcs() {
    a_tree_comes_back(StoreKind::Gcs);
}

#[test]
fn a_tree_comes_back_from_azurite() {
    a_tree_comes_back(StoreKind::Azurite);
}

/// What needs only names takes them from listings.
#[test]
fn objects_are_counted_without_a_look_at_each() {
    for kind in [StoreKind::Moto, StoreKind::Azurite] {
        objects_are_counted(kind);
    }
}

#[test]
fn objects_in_gcs_are_counted_without_a_look_at_each() {
    objects_are_counted(StoreKind::Gcs);
}

fn objects_are_counted(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    let proxy = HttpFaults::before(bucket.server.port());
    plant(&stage.join("from"));
    let to = bucket.address_by(proxy.port(), "p");
    migration(&stage, &left_out(kind), &to);
    verified(&go(&stage));
    let of_objects = |seen: &&String| seen.starts_with("GET") && seen.contains("/p/many/");
    let before = proxy.seen().iter().filter(of_objects).count();
    assert!(before > 250, "{before}");
    stage.done(&["verify", "m.yaml", "--level", "count"]);
    // An object without bytes may stand for a folder: the listing does not tell.
    let asked = proxy.seen().iter().filter(of_objects).count() - before;
    assert!(asked < 20, "{asked}");
    bucket.remove("p/many/007.txt");
    let ran = stage.run(&["verify", "m.yaml", "--level", "count"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
}

/// The types of content and the metadata that tools gave.
#[test]
fn what_is_known_of_objects_moves_between_stores() {
    for kind in [StoreKind::Moto, StoreKind::S3s, StoreKind::Gcs] {
        let colour =
            if kind == StoreKind::Gcs { "x-goog-meta-colour" } else { "x-amz-meta-colour" };
        let (stage, one, other) =
            (Stage::empty(), Bucket::of(kind), Bucket::of(StoreKind::Azurite));
        let told = [("content-type", "image/png"), ("x-amz-meta-colour", "red")];
        one.put("shop/a.png", &told, b"picture");
        one.put("shop/deep/er/plain", &[], b"plain");
        one.put("elsewhere", &[], b"not in the path");
        let (from, there) = (one.address("shop"), other.address(""));
        stage.done(&["copy", &from, &there]);
        let got = other.server.request("GET", &format!("/{}/a.png", other.name), &[], b"");
        assert_eq!(got.header("content-type"), Some("image/png"));
        assert_eq!(got.header("x-ms-meta-colour"), Some("red"));
        assert_eq!(other.get("deep/er/plain").as_deref(), Some(&b"plain"[..]));
        assert_eq!(other.get("elsewhere"), None);
        // No object stands for a folder that is there anyway.
        assert_eq!(other.get("deep/"), None);
        let back = one.address("back");
        stage.done(&["copy", &there, &back]);
        let got = one.server.request("GET", &format!("/{}/back/a.png", one.name), &[], b"");
        assert_eq!(got.header("content-type"), Some("image/png"));
        assert_eq!(got.header(colour), Some("red"));
        // A folder keeps them as extended attributes.
        stage.done(&["copy", &from, "file:to?format=objects"]);
        assert_eq!(fs::read(stage.join("to/a.png")).expect("a file"), b"picture");
        let mime = (b"user.mime_type".to_vec(), b"image/png".to_vec());
        let red = (b"user.longshore.metadata:colour".to_vec(), b"red".to_vec());
        assert_eq!(given(&stage.join("to/a.png")), [mime, red].into());
        stage.done(&["verify", &from, "file:to?format=objects", "--independent"]);
        let again = one.address("again");
        stage.done(&["copy", "file:to?format=objects", &again]);
        let got = one.server.request("GET", &format!("/{}/again/a.png", one.name), &[], b"");
        assert_eq!(got.header("content-type"), Some("image/png"));
        assert_eq!(got.header(colour), Some("red"));
    }
}

#[test]
fn keys_that_are_files_and_folders_move_between_stores() {
    for kind in [StoreKind::Moto, StoreKind::Gcs] {
        keys_that_are_both_move(kind);
    }
}

fn keys_that_are_both_move(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    let keys = ["x/a", "x/a/b", "x/a!", "x/e", "x/e/", "x/e/f", "x/g/", "x/z", "x/z.txt", "x/z/"];
    for key in keys {
        bucket.put(key, &[], if key.ends_with('/') || key == "x/e" { b"" } else { b"bytes" });
    }
    let (from, to) = (bucket.address("x"), bucket.address("y"));
    stage.done(&["copy", &from, &to]);
    for key in keys {
        let copy = key.replacen('x', "y", 1);
        // One that says no more than the keys in it is left out.
        let wanted = bucket.get(key).filter(|_| key != "x/e/");
        assert_eq!(bucket.get(&copy), wanted, "{copy}");
    }
    stage.done(&["verify", &from, &to, "--independent"]);
    let ran = stage.run(&["copy", &from, "file:to?format=objects"]);
    assert_ne!(ran.code, Some(0), "a folder cannot hold a file and a folder of one name");
    assert!(ran.err.contains("taken") || ran.err.contains("write an entry"), "{}", ran.err);
}

#[test]
fn names_that_are_no_keys_are_refused_by_name() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::S3s));
    fs::create_dir(stage.join("from")).expect("a folder");
    for (name, shown) in [(&b"\xff\xfe"[..], "%FF%FE"), (b"a\nb", "a%0Ab")] {
        use std::os::unix::ffi::OsStrExt;
        let path = stage.join("from").join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, "x").expect("a file");
        let to = bucket.address(shown.trim_matches('%').get(..1).unwrap_or("x"));
        let ran = stage.run(&["copy", "file:from?format=objects", &to]);
        assert_eq!(ran.code, Some(42), "{}", ran.err);
        assert!(ran.err.contains(shown), "{}", ran.err);
        fs::remove_file(path).expect("a file");
    }
}

#[test]
fn what_is_wrong_missing_or_too_much_is_named_and_mended() {
    for kind in StoreKind::ALL {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        plant(&stage.join("from"));
        let to = bucket.address("p");
        migration(&stage, &left_out(kind), &to);
        verified(&go(&stage));
        let mut bytes = bucket.get("p/large.bin").expect("an object");
        bytes[3_000_000] ^= 1;
        bucket.put("p/large.bin", &[], &bytes);
        bucket.remove("p/many/007.txt");
        bucket.put("p/many/007.txt.extra", &[], b"x");
        let ran = stage.run(&["verify", "m.yaml", "--json"]);
        assert_eq!(ran.code, Some(3), "{kind:?}: {}", ran.err);
        let report = ran.event("result")["report"].as_str().expect("a path").to_string();
        let report = fs::read_to_string(stage.join(&report)).expect("a report");
        for named in ["large.bin", "many/007.txt", "many/007.txt.extra"] {
            assert!(report.contains(&format!("name='{named}'")), "{kind:?} {named}: {report}");
        }
        verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));
        assert_eq!(bucket.get("p/many/007.txt.extra"), None);
        verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    }
}

#[test]
fn a_store_that_holds_something_is_left_alone_unless_told() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::S3s));
    fs::create_dir(stage.join("from")).expect("a folder");
    fs::write(stage.join("from/new"), "new").expect("a file");
    bucket.put("p/mine", &[], b"x");
    bucket.put("pine", &[], b"not in the path");
    let args = ["copy", "file:from?format=objects", &bucket.address("p")];
    let ran = stage.run(&args);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert!(bucket.get("p/mine").is_some() && bucket.get("p/new").is_none());
    stage.done(&[&args[..], &["--existing", "replace"]].concat());
    assert!(bucket.get("p/mine").is_none() && bucket.get("p/new").is_some());
    assert!(bucket.get("pine").is_some());
}

#[test]
fn credentials_come_from_the_environment_and_wrong_ones_are_told() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::S3s));
    fs::create_dir(stage.join("from")).expect("a folder");
    fs::write(stage.join("from/one"), "x").expect("a file");
    let (name, server) = (&bucket.name, bucket.server);
    let plain = format!("s3://{name}/p?format=objects");
    let told = |secret: &str| {
        let mut command = stage.command(&["copy", "file:from?format=objects", &plain]);
        command.env("AWS_ACCESS_KEY_ID", server.key()).env("AWS_SECRET_ACCESS_KEY", secret);
        command.env("AWS_ENDPOINT_URL_S3", server.endpoint());
        Ran::from(command.output().expect("it runs"))
    };
    let ran = told("hunter2hunter2");
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(ran.err.contains("LS0502") && !ran.err.contains("hunter2"), "{}", ran.err);
    assert_eq!(told(server.secret()).code, Some(0));
    let missing = bucket.address("p").replace(name.as_str(), "no-such-bucket");
    let ran = stage.run(&["copy", "file:from?format=objects", &missing]);
    assert!(ran.err.contains("LS0101") && ran.err.contains("Make the bucket"), "{}", ran.err);
}

#[test]
fn what_is_excluded_stays_behind() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::Moto));
    for key in ["keep", "logs", "logs/a", "logs/b/c", "tmp/x.tmp", "tmp/y"] {
        bucket.put(&format!("p/{key}"), &[], b"bytes");
    }
    bucket.remove("p/logs");
    let from = format!("{}&exclude=logs,*.tmp", bucket.address("p"));
    stage.done(&["copy", &from, "file:to?format=objects"]);
    let names: Vec<Vec<u8>> = picture(&stage.join("to")).into_keys().collect();
    assert_eq!(names, [&b"keep"[..], b"tmp", b"tmp/y"]);
    // What changes there is none of a run's business.
    bucket.put("p/logs/new", &[], b"bytes");
    stage.done(&["verify", &from, "file:to?format=objects", "--independent"]);
}

fn write_random(path: &Path, size: usize) {
    let mut random = Random::new(7);
    let mut bytes = vec![0; size];
    for part in bytes.chunks_mut(8) {
        let next = random.bits().to_le_bytes();
        part.copy_from_slice(&next[..part.len()]);
    }
    fs::write(path, bytes).expect("a file");
}
