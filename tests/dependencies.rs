//! What the project depends on: argued for in `docs/dependencies.md`, within the bounds of `deny.toml`.
//!
//! `cargo deny` reads `deny.toml` too, where it is installed. These tests need nothing but cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn toml(path: &str) -> toml::Table {
    read(path).parse().unwrap()
}

/// The texts of a TOML list, each as it is or under `key`.
fn texts(list: &toml::Value, key: &str) -> BTreeSet<String> {
    let text = |item: &toml::Value| item.as_str().or_else(|| item.get(key)?.as_str()).unwrap().to_owned();
    list.as_array().unwrap().iter().map(text).collect()
}

#[test]
fn each_direct_dependency_has_its_argument() {
    let manifest = toml("Cargo.toml");
    let direct: BTreeSet<String> = ["dependencies", "dev-dependencies"]
        .iter()
        .flat_map(|table| manifest[*table].as_table().unwrap().keys().cloned())
        .collect();
    let argued = arguments(&read("docs/dependencies.md"));
    let names: BTreeSet<String> = argued.keys().cloned().collect();
    assert_eq!(names, direct, "left: docs/dependencies.md, right: Cargo.toml");
    for (name, argument) in argued {
        assert!(argument.len() > 20, "{name}: what is the argument?");
    }
}

/// The lines of the form ``* `name`: argument``.
fn arguments(page: &str) -> BTreeMap<String, String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("* `")?.split_once("`: "))
        .map(|(name, argument)| (name.to_owned(), argument.to_owned()))
        .collect()
}

/// The packages of our builds on one system: name, licence, source.
fn packages(target: &str) -> Vec<(String, String, Option<String>)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let built: BTreeSet<&str> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| built.contains(package["id"].as_str().unwrap()))
        .map(|package| {
            let licence = text(&package["license"]).unwrap_or_else(|| "none".to_owned());
            (text(&package["name"]).unwrap(), licence, text(&package["source"]))
        })
        .collect()
}

#[test]
fn everything_that_is_built_is_within_the_bounds_of_deny_toml() {
    let deny = toml("deny.toml");
    let allowed = texts(&deny["licenses"]["allow"], "");
    let banned = texts(&deny["bans"]["deny"], "crate");
    let target = deny["graph"]["targets"][0].as_str().unwrap();
    let packages = packages(target);
    assert!(packages.len() > 100, "only {} packages?", packages.len());
    let mut faults = Vec::new();
    let excepted = |name: &str, licence: &str| {
        let exceptions = deny["licenses"]["exceptions"].as_array().unwrap().iter();
        exceptions
            .filter(|one| one["crate"].as_str() == Some(name))
            .any(|one| texts(&one["allow"], "").contains(licence))
    };
    for (name, licence, source) in &packages {
        if !may_use(licence, &|one| allowed.contains(one) || excepted(name, one)) {
            faults.push(format!("{name}: the licence {licence} is not allowed"));
        }
        if banned.contains(name) {
            faults.push(format!("{name} is banned"));
        }
        if source.as_ref().is_some_and(|source| !source.starts_with("registry+")) {
            faults.push(format!("{name} comes from {source:?}, and not from the registry"));
        }
    }
    for licence in &allowed {
        let is_needed =
            packages.iter().any(|(_, text, _)| !may_use(text, &|one| one != licence && allowed.contains(one)));
        if !is_needed {
            faults.push(format!("deny.toml allows {licence}, which nothing needs"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether an SPDX expression is satisfied where `allowed` says which licences are.
///
/// `OR` binds weaker than `AND`, and both weaker than `WITH`; the old `/` is an `OR`.
fn may_use(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let holds = any_of(&mut rest, allowed);
    holds && rest.is_empty()
}

fn any_of(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = all_of(rest, allowed);
    while let ["OR", after @ ..] = rest {
        *rest = after;
        holds |= all_of(rest, allowed);
    }
    holds
}

fn all_of(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = one(rest, allowed);
    while let ["AND", after @ ..] = rest {
        *rest = after;
        holds &= one(rest, allowed);
    }
    holds
}

fn one(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let holds = any_of(rest, allowed);
            match *rest {
                [")", after @ ..] => *rest = after,
                _ => return false,
            }
            holds
        }
        [licence, "WITH", exception, after @ ..] => {
            *rest = after;
            allowed(&format!("{licence} WITH {exception}"))
        }
        [licence, after @ ..] => {
            *rest = after;
            allowed(licence)
        }
        [] => false,
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_says() {
    let check = |expression, expected| {
        assert_eq!(may_use(expression, &|one| ["MIT", "Zlib"].contains(&one)), expected, "{expression}");
    };
    check("MIT", true);
    check("GPL-3.0", false);
    check("GPL-3.0 OR MIT", true);
    check("GPL-3.0/MIT", true);
    check("GPL-3.0 AND MIT", false);
    check("Zlib AND MIT", true);
    check("(GPL-3.0 OR MIT) AND Zlib", true);
    check("(GPL-3.0 OR MIT) AND GPL-3.0", false);
    check("MIT OR GPL-3.0 AND GPL-2.0", true);
    check("GPL-3.0 AND GPL-2.0 OR MIT", true);
    check("MIT WITH exception", false);
    check("(MIT", false);
    check("MIT MIT", false);
    check("", false);
}
