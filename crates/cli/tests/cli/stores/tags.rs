//! Tags of objects.

use longshore_testkit::store_server::StoreKind;

use super::{Bucket, go, migration};
use crate::postgres::verified;
use crate::stage::Stage;

const TOLD: &str = "colour=dark+red&a%2Fb%3D%C3%A4=%2B%3D%40&empty=";

fn tags(bucket: &Bucket, key: &str) -> Vec<(String, String)> {
    let asks = if bucket.server.kind() == StoreKind::Azurite { "comp=tags" } else { "tagging=" };
    let got = bucket.server.request("GET", &format!("/{}/{key}?{asks}", bucket.name), &[], b"");
    assert_eq!(got.status, 200, "{key}: {got:?}");
    let text = got.text().to_string();
    let between = |part: &str, name: &str| {
        let (_, rest) = part.split_once(&format!("<{name}>")).unwrap_or_default();
        rest.split_once(&format!("</{name}>")).map_or("", |(text, _)| text).to_string()
    };
    let one = |part: &str| (between(part, "Key"), between(part, "Value"));
    let mut found: Vec<_> = text.split("<Tag>").skip(1).map(one).collect();
    found.sort();
    found
}

fn told() -> Vec<(String, String)> {
    [("a/b=ä", "+=@"), ("colour", "dark red"), ("empty", "")]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec()
}

fn tagged() -> (Stage, Bucket) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::Moto));
    bucket.put("p/tagged", &[("x-amz-tagging", TOLD)], b"bytes");
    bucket.put("p/large", &[("x-amz-tagging", "of=large")], &vec![7; 9 << 20]);
    bucket.put("p/plain", &[], b"plain");
    assert_eq!(tags(&bucket, "p/tagged"), told());
    (stage, bucket)
}

#[test]
fn tags_move_where_they_are_asked_for() {
    for more in ["&tags=true", "&tags=true&copy=server"] {
        let (stage, bucket) = tagged();
        let from = format!("{}{more}", bucket.address("p"));
        migration(&stage, &from, &bucket.address("q"));
        let plan = stage.done(&["plan", "m.yaml"]);
        assert!(!plan.out.contains("stay behind"), "{}", plan.out);
        verified(&go(&stage));
        assert_eq!(tags(&bucket, "q/tagged"), told(), "{more}");
        assert_eq!(tags(&bucket, "q/large"), [("of".to_string(), "large".to_string())]);
        assert_eq!(tags(&bucket, "q/plain"), []);
        verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
        // A tag that is another one is found and mended.
        bucket.put("q/tagged", &[("x-amz-tagging", "colour=blue")], b"bytes");
        let ran = stage.run(&["verify", "m.yaml", "--json"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));
        assert_eq!(tags(&bucket, "q/tagged"), told(), "{more}");
    }
}

#[test]
fn tags_that_nobody_asked_for_stay_behind_and_the_plan_says_so() {
    for more in ["", "&copy=server"] {
        let (stage, bucket) = tagged();
        let from = format!("{}{more}", bucket.address("p"));
        let plan = stage.done(&["plan", &from, &bucket.address("q")]);
        assert!(plan.out.contains("tags of objects stay behind"), "{}", plan.out);
        stage.done(&["copy", &from, &bucket.address("q")]);
        assert_eq!(tags(&bucket, "q/tagged"), [], "{more}");
    }
}

#[test]
fn a_mirror_of_tags_writes_what_differs() {
    let (stage, bucket) = tagged();
    let (from, to) = (format!("{}&tags=true", bucket.address("p")), bucket.address("q"));
    stage.done(&["copy", &from, &to]);
    bucket.put("p/plain", &[("x-amz-tagging", "new=1")], b"plain");
    stage.done(&["copy", &from, &to, "--existing", "mirror"]);
    assert_eq!(tags(&bucket, "q/plain"), [("new".to_string(), "1".to_string())]);
    assert_eq!(tags(&bucket, "q/tagged"), told());
}

#[test]
fn a_target_that_keeps_no_tags_is_refused() {
    let (stage, bucket) = tagged();
    let from = format!("{}&tags=true", bucket.address("p"));
    let google = Bucket::of(StoreKind::Gcs);
    for to in ["file:to?format=objects".to_string(), google.address("q")] {
        let ran = stage.run(&["plan", &from, &to]);
        assert_eq!(ran.code, Some(42), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("keeps no tags"), "{}", ran.err);
    }
    // A server that knows nothing of tags is not one whose objects have none.
    let other = Bucket::of(StoreKind::S3s);
    other.put("p/one", &[], b"one");
    let from = format!("{}&tags=true", other.address("p"));
    let ran = stage.run(&["copy", &from, &bucket.address("r")]);
    assert!(ran.code != Some(0) && ran.err.contains("tags"), "{}{}", ran.out, ran.err);
}

#[test]
fn tags_of_blobs_move_to_azure_and_to_s3() {
    let (stage, azure) = (Stage::empty(), Bucket::of(StoreKind::Azurite));
    azure.put("p/a%20b", &[("x-ms-tags", "colour=dark%20red&of=a%2Fb")], b"bytes");
    azure.put("p/large", &[("x-ms-tags", "of=large")], &vec![7; 9 << 20]);
    azure.put("p/plain", &[], b"plain");
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    let told = [pair("colour", "dark red"), pair("of", "a/b")];
    assert_eq!(tags(&azure, "p/a%20b"), told);
    let s3 = Bucket::of(StoreKind::Moto);
    for (more, to) in [("", &azure), ("&copy=server", &azure), ("", &s3)] {
        let from = format!("{}&tags=true{more}", azure.address("p"));
        let path = if more.is_empty() { "q" } else { "r" };
        migration(&stage, &from, &to.address(path));
        let plan = stage.done(&["plan", "m.yaml"]);
        assert!(!plan.out.contains("stay behind"), "{}", plan.out);
        verified(&go(&stage));
        assert_eq!(tags(to, &format!("{path}/a%20b")), told, "{more}");
        assert_eq!(tags(to, &format!("{path}/large")), [pair("of", "large")], "{more}");
        assert_eq!(tags(to, &format!("{path}/plain")), [], "{more}");
        verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    }
    let plan = stage.done(&["plan", &azure.address("p"), &azure.address("s")]);
    assert!(plan.out.contains("tags of objects stay behind"), "{}", plan.out);
}
