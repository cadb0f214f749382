use super::Policies;
use crate::store::Repository;

fn parse(text: &str) -> Result<Policies, String> {
    Policies::parse(text, "policy.yaml").map_err(|error| format!("{:?}", error.chain()))
}

fn at(name: &str) -> Repository {
    name.parse().expect("a name")
}

#[test]
fn all_policies_that_match_apply() {
    let policies = parse(
        "policies:\n\
         - repositories: ['team/*']\n  immutable: ['v*']\n  quota: 2GiB\n\
         - repositories: ['team/shop', 'live/*']\n  immutable: ['stable']\n  quota: 1GiB\n  \
           retain:\n  - last: 3\n  - {name: releases, tags: ['release-*'], younger-than: 30d}\n",
    )
    .expect("policies");
    let (shop, other, third) = (at("team/shop"), at("team/other"), at("third"));
    for (repository, tag, expected) in [
        (&shop, "v1", Some("team/*")),
        (&shop, "stable", Some("team/shop, live/*")),
        (&shop, "latest", None),
        (&other, "stable", None),
        (&third, "v1", None),
    ] {
        assert_eq!(policies.immutable(repository, tag).as_deref(), expected, "{repository}:{tag}");
    }
    let quota = |repository| policies.quota(repository).map(|quota| quota.limit);
    assert_eq!((quota(&shop), quota(&other), quota(&third)), (Some(1 << 30), Some(2 << 30), None));
    let titles = |repository| {
        let rules = policies.retain(repository)?;
        Some(rules.iter().map(super::Retain::title).collect::<Vec<_>>().join("; "))
    };
    assert_eq!(titles(&shop).as_deref(), Some("last 3; releases"));
    assert_eq!(titles(&other), None);
}

#[test]
fn mistakes_are_named_with_their_line_and_what_to_write() {
    for (text, words) in [
        (
            "policies:\n- repositories: ['*']\n  imutable: [v1]\n",
            vec!["line 3", "imutable", "repositories, immutable"],
        ),
        (
            "policies:\n- repositories: ['*']\n  retain:\n  - lst: 3\n",
            vec!["line 4", "lst", "last"],
        ),
        ("policy: []\n", vec!["line 1", "policies"]),
        ("policies:\n- repositories: ['*']\n  quota: 10 bananas\n", vec!["line 3", "512MiB"]),
        (
            "policies:\n- repositories: ['*']\n  retain:\n  - younger-than: soon\n",
            vec!["line 4", "30d"],
        ),
        ("policies:\n- immutable: [v1]\n", vec!["repositories"]),
        ("policies:\n- repositories: []\n", vec!["policy 1", "[\\\"*\\\"]"]),
        ("policies:\n- repositories: ['*']\n  retain: []\n", vec!["would keep no tag"]),
        ("policies:\n- repositories: ['*']\n  retain: [{}]\n", vec!["says nothing"]),
        ("policies:\n- repositories: ['*']\n  retain: [{last: 0}]\n", vec!["would keep nothing"]),
        ("policies:\n- repositories: ['*']\n  retain: [{last: -1}]\n", vec!["line 3"]),
    ] {
        let error = parse(text).expect_err(text);
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}
