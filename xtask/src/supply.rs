//! What the product is built of, against `deny.toml`: licences, sources, bans. It needs no tool but Cargo; known
//! vulnerabilities are looked up by `cargo deny`, where that is installed and reaches its database.

mod licence;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

use serde_json::Value;

/// What was looked at, and what is wrong with it.
pub struct Found {
    pub packages: usize,
    pub faults: Vec<String>,
}

/// What `deny.toml` says.
struct Rules {
    licences: BTreeSet<String>,
    banned: BTreeSet<String>,
}

/// Looks at all packages that the lock file names, those of other platforms included.
pub fn check(root: &Path) -> Result<Found, String> {
    let rules = fs::read_to_string(root.join("deny.toml")).map_err(|error| format!("deny.toml: {error}"))?;
    let rules = Rules::parse(&rules)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !metadata.status.success() {
        return Err(String::from_utf8_lossy(&metadata.stderr).trim().to_owned());
    }
    let metadata: Value = serde_json::from_slice(&metadata.stdout).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    Ok(Found { packages: packages.len(), faults: faults(&rules, packages) })
}

impl Rules {
    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let list = |section: &str, key: &str| {
            let entries = table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
            entries.ok_or_else(|| format!("deny.toml: {section}.{key} is missing"))
        };
        let name = |entry: &toml::Value| {
            let name = entry.get("name").unwrap_or(entry).as_str();
            name.map(str::to_owned).ok_or_else(|| "deny.toml: an entry has no name".to_owned())
        };
        Ok(Self {
            licences: list("licenses", "allow")?.iter().map(name).collect::<Result<_, _>>()?,
            banned: list("bans", "deny")?.iter().map(name).collect::<Result<_, _>>()?,
        })
    }
}

fn faults(rules: &Rules, packages: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut registries = BTreeSet::new();
    for package in packages {
        let name = format!("{} {}", text(package, "name"), text(package, "version"));
        let licence = text(package, "license");
        match licence::allows(licence, &rules.licences) {
            Ok(true) => {}
            Ok(false) if licence.is_empty() => faults.push(format!("{name} names no licence")),
            Ok(false) => faults.push(format!("{name} is licensed under `{licence}`, which deny.toml does not allow")),
            Err(error) => faults.push(format!("{name}: the licence `{licence}` is not understood: {error}")),
        }
        if rules.banned.contains(text(package, "name")) {
            faults.push(format!("{name} is banned by deny.toml"));
        }
        match text(package, "source") {
            "" => faults.extend(wildcards(&name, package)),
            source if source.starts_with("registry+") => {
                registries.insert(source.to_owned());
            }
            source => faults.push(format!("{name} comes from `{source}`, which is no registry")),
        }
    }
    if registries.len() > 1 {
        faults.push(format!("packages come from more than one registry: {registries:?}"));
    }
    faults
}

/// Dependencies of one of our own packages that take any version.
fn wildcards(name: &str, package: &Value) -> Vec<String> {
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let any = dependencies.iter().filter(|one| text(one, "req") == "*" && text(one, "path").is_empty());
    any.map(|one| format!("{name} takes any version of {}", text(one, "name"))).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
