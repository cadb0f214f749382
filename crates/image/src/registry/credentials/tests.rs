//! Files as docker and podman write them.

use super::{Credential, CredentialFile, Credentials, keys};

fn find(text: &str, host: &str, repository: &str) -> longshore_model::Result<Option<Credential>> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    std::fs::write(&file, text).expect("a file");
    let missing = CredentialFile::optional(folder.path().join("none"));
    let files = vec![missing, CredentialFile::named(file)];
    Credentials::from_files(files).find(host, repository)
}

fn password(user: &str, password: &str) -> Option<Credential> {
    Some(Credential::Password { user: user.to_string(), password: password.to_string() })
}

#[test]
fn entries_are_found_by_every_key_that_tools_write() {
    // me:pw, of the team, of Docker Hub.
    let text = r#"{"auths": {
        "r.example:5000": {"auth": "bWU6cHc="},
        "https://old.example/v1/": {"auth": "bWU6cHc"},
        "p.example": {"auth": "bWU6cHc="},
        "p.example/team": {"auth": "dGVhbTp4Onk="},
        "https://index.docker.io/v1/": {"auth": "aHViOnRvazo="},
        "i.example": {"auth": "", "identitytoken": "it"},
        "t.example": {"registrytoken": "rt"},
        "u.example": {"username": "u", "password": "p"},
        "e.example": {}
    }, "HttpHeaders": {"a": "b"}, "unknown": 7}"#;
    for (host, repository, expected) in [
        ("r.example:5000", "a/b", password("me", "pw")),
        ("r.example", "a/b", None),
        ("old.example", "a", password("me", "pw")),
        ("p.example", "team/shop", password("team", "x:y")),
        ("p.example", "teams/shop", password("me", "pw")),
        ("docker.io", "library/x", password("hub", "tok:")),
        ("i.example", "a", Some(Credential::Identity("it".to_string()))),
        ("t.example", "a", Some(Credential::Registry("rt".to_string()))),
        ("u.example", "a", password("u", "p")),
        ("e.example", "a", None),
    ] {
        assert!(find(text, host, repository).expect(host) == expected, "{host}/{repository}");
    }
}

#[test]
fn files_that_are_not_understood_are_named_without_their_content() {
    for text in [
        "not json hunter2",
        r#"{"auths": ["hunter2"]}"#,
        r#"{"auths": {"r.example": {"auth": "hunter2-no-base64"}}}"#,
        r#"{"auths": {"r.example": {"auth": "aHVudGVyMg=="}}}"#,
        r#"{"auths": {"r.example": "hunter2"}}"#,
        r#"{"credsStore": "hunter2/../x"}"#,
        r#"{"credHelpers": {"r.example": ""}}"#,
    ] {
        let error = find(text, "r.example", "a").expect_err(text);
        let said = format!("{error:?}");
        assert!(!said.contains("hunter2") || text.contains("credsStore"), "{said}");
    }
    let credential = Credential::Identity("hunter2".to_string());
    assert_eq!(format!("{credential:?}"), "Credential(***)");
}

#[test]
fn the_most_exact_key_comes_first() {
    let keys = keys("p.example", "a/b/c");
    assert_eq!(keys[..4], ["p.example/a/b/c", "p.example/a/b", "p.example/a", "p.example"]);
}
