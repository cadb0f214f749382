//! What a migration file may say, and what is refused.

use super::{Size, Spec};

#[test]
fn mistakes_are_named_with_their_place() {
    let base = "longshore: v1\nname: shop\nmoves:\n  - {from: 'sqlite:a', to: 'sqlite:b'}\n";
    assert!(Spec::parse(base, "m.yaml").is_ok());
    for (text, expected) in [
        (format!("{base}tabels: []\n"), "tabels"),
        (format!("{base}policies: {{nan: zero}}\n"), "nan cannot be zero"),
        (format!("{base}limits: {{memory: lots}}\n"), "lots"),
        (format!("{base}limits: {{workers: 0}}\n"), "workers"),
        (base.replace("v1", "v9"), "v9"),
        (base.replace("shop", "'a/b'"), "letters"),
        (format!("{base}references: [{{column: t, objects: 'sqlite:a'}}]\n"), "no column"),
        (format!("{base}references: [{{column: t.c, objects: 'file:x'}}]\n"), "no move brings"),
        ("longshore: v1\nname: x\nmoves: []\n".to_string(), "no move"),
        ("- a: [".to_string(), "not valid"),
    ] {
        let error = Spec::parse(&text, "m.yaml").expect_err(&text);
        let message = error.chain().join(": ");
        assert!(message.contains(expected) && message.contains("m.yaml"), "{message}");
    }
}

#[test]
fn values_of_addresses_and_conditions_are_never_shown() {
    let base = "longshore: v1\nname: shop\nmoves:\n  - from: sqlite:a\n    to: sqlite:b\n";
    let wrong =
        ["[hunter2]", "{a: hunter2}", "!!int hunter2", "!!binary hunter2", "\"hunter2\\q\""]
            .into_iter()
            .flat_map(|value| {
                [
                    base.replace("sqlite:a", value),
                    base.replace("sqlite:b", value),
                    format!("{base}    where: {value}\n"),
                    format!("{base}    where: {{orders: {value}}}\n"),
                ]
            })
            .chain([
                base.replace("sqlite:a", "*hunter2"),
                format!("{base}    where: hunter2\n"),
                "longshore: v1\nname: x\nmoves: hunter2\n".to_string(),
                "longshore: v1\nname: x\nmoves: [hunter2]\n".to_string(),
            ]);
    for text in wrong {
        // A mapping or a tagged text may be what `where` takes.
        if let Err(error) = Spec::parse(&text, "m.yaml") {
            let message = error.chain().join(": ");
            assert!(!message.contains("hunter2"), "{text}{message}");
            assert!(message.contains("line"), "{text}{message}");
        }
    }
}

#[test]
fn yaml_comes_back_the_same() {
    let spec = Spec::short("sqlite:a", "file:b?format=csv");
    let yaml = spec.to_yaml().expect("yaml");
    assert_eq!(Spec::parse(&yaml, "m.yaml").expect(&yaml), spec);
}

#[test]
fn sizes() {
    for (text, bytes) in [("512MiB", 512 << 20), ("1 GB", 1_000_000_000), ("7", 7)] {
        assert_eq!(text.parse(), Ok(Size(bytes)));
    }
    for text in ["", "MiB", "0", "-1", "1XB", "99999999999GiB"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
}
