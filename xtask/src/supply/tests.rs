//! Licences are understood, and what breaks a rule is found.

use serde_json::json;

use super::*;

const DENY: &str = r#"
[licenses]
allow = ["MIT", "Apache-2.0", "ISC"]
[bans]
deny = [{ name = "openssl", reason = "one TLS stack" }]
"#;

fn allows(expression: &str) -> Result<bool, String> {
    licence::allows(expression, &Rules::parse(DENY).unwrap().licences)
}

#[test]
fn a_choice_needs_one_and_a_sum_all() {
    for enough in
        ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "Apache-2.0 AND ISC", "(GPL-3.0 OR MIT) AND ISC", "X WITH Y OR MIT"]
    {
        assert_eq!(allows(enough), Ok(true), "{enough}");
    }
    for little in ["", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR X) AND MIT", "Apache-2.0 WITH LLVM-exception"] {
        assert_eq!(allows(little), Ok(false), "{little}");
    }
    for wrong in ["MIT OR", "(MIT", "MIT Apache-2.0", "OR", ")", "MIT WITH", &"(".repeat(100)] {
        assert!(allows(wrong).is_err(), "{wrong}");
    }
}

/// proves: sec:B1, sec:B3
#[test]
fn what_breaks_a_rule_is_found() {
    let registry = "registry+https://registry.example/index";
    let package = |name: &str, licence: Option<&str>, source: Option<&str>| {
        json!({ "name": name, "version": "1.0.0", "license": licence, "source": source, "dependencies": [
            { "name": "any", "req": "*", "path": null }, { "name": "ours", "req": "*", "path": "../ours" },
            { "name": "good", "req": "^1", "path": null },
        ] })
    };
    let packages = [
        package("good", Some("MIT"), Some(registry)),
        package("closed", None, Some(registry)),
        package("copyleft", Some("GPL-3.0"), Some(registry)),
        package("odd", Some("MIT MIT"), Some(registry)),
        package("openssl", Some("MIT"), Some(registry)),
        package("forked", Some("MIT"), Some("git+https://git.example/forked")),
        package("stranger", Some("MIT"), Some("registry+https://other.example/index")),
        package("ours", Some("MIT"), None),
    ];
    let found = faults(&Rules::parse(DENY).unwrap(), &packages);
    let starts: Vec<&str> = found.iter().map(|fault| fault.split(" 1.0.0").next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "closed",
            "copyleft",
            "odd",
            "openssl",
            "forked",
            "ours",
            r#"packages come from more than one registry: {"registry+https://other.example/index", "registry+https://registry.example/index"}"#
        ]
    );
}

/// proves: sec:B1, sec:B3
#[test]
fn this_project_is_built_of_what_it_may_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let found = check(root).unwrap();
    assert!(found.packages > 100, "{}", found.packages);
    assert_eq!(found.faults, Vec::<String>::new());
}

/// Every package of ours takes over the workspace's lints, and these forbid unsafe code.
///
/// proves: sec:B2
#[test]
fn no_package_of_ours_may_be_unsafe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let table = |path: &Path| -> toml::Table { fs::read_to_string(path).unwrap().parse().unwrap() };
    let workspace = table(&root.join("Cargo.toml"));
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    let mut seen = 0;
    for folder in fs::read_dir(root.join("crates")).unwrap() {
        let manifest = folder.unwrap().path().join("Cargo.toml");
        if manifest.exists() {
            assert_eq!(table(&manifest)["lints"]["workspace"].as_bool(), Some(true), "{}", manifest.display());
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}
