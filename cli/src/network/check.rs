//! `keyward network check`.

use std::path::{Path, PathBuf};

use keyward_consortium::{is_network, Checked, Finding, Network, Plan, Severity};
use serde::Serialize;

use super::{
    directory::{CONSORTIUM, NETWORK},
    errors, read_text, Check, NetworkFailed,
};
use crate::{chain::Context, output::list};

mod certificates;
mod files;
mod specification;

#[derive(Serialize)]
struct Shown {
    checked: PathBuf,
    kind: &'static str,
    errors: usize,
    warnings: usize,
    findings: Vec<Finding>,
}

pub fn run(arguments: &Check, context: &Context) -> Result<(), NetworkFailed> {
    let path = &arguments.target;
    let (kind, findings) = match path.is_dir() {
        true => ("directory", directory(path, arguments.node.as_deref())?),
        false => file(path)?,
    };
    let shown = Shown {
        checked: path.clone(),
        kind,
        errors: errors(&findings),
        warnings: findings.len().saturating_sub(errors(&findings)),
        findings,
    };
    context.output.show(&shown, text);
    match shown.errors {
        0 => Ok(()),
        errors => Err(NetworkFailed::NotRight {
            path: path.clone(),
            errors,
        }),
    }
}

fn text(shown: &Shown) -> String {
    if shown.findings.is_empty() {
        return format!("{} ({}) is right", shown.checked.display(), shown.kind);
    }
    let findings: Vec<_> = shown.findings.iter().map(Finding::to_string).collect();
    let counts = [(shown.errors, "error(s)"), (shown.warnings, "warning(s)")];
    let counts = counts.iter().filter(|(count, _)| *count != 0);
    format!(
        "{}\n\n{} ({}): {}",
        findings.join("\n"),
        shown.checked.display(),
        shown.kind,
        list(counts.map(|(count, what)| format!("{count} {what}")))
    )
}

/// A file of either form says itself which it is.
fn file(path: &Path) -> Result<(&'static str, Vec<Finding>), NetworkFailed> {
    let text = read_text(path)?;
    Ok(match is_network(&text) {
        true => ("network.toml", Network::parse(&text).findings),
        false => ("consortium.toml", Plan::parse(&text).findings),
    })
}

/// The directory and everything in it.
fn directory(root: &Path, node: Option<&Path>) -> Result<Vec<Finding>, NetworkFailed> {
    let text = read_text(&root.join(NETWORK))?;
    let Checked {
        value,
        mut findings,
    } = Network::parse(&text);
    let Some(network) = value else {
        return Ok(findings);
    };
    findings.retain(|it| it.severity == Severity::Warning);
    let written = written(root, &mut findings);
    if let Some(plan) = &written {
        plan_is_the_networks(plan, &network, &mut findings);
    }
    files::check(root, &network, written.as_ref(), &mut findings);
    specification::check(root, &network, node, &mut findings);
    Ok(findings)
}

/// What the founders wrote, if it is still there.
fn written(root: &Path, findings: &mut Vec<Finding>) -> Option<Plan> {
    match read_text(&root.join(CONSORTIUM)) {
        Ok(text) => match Plan::parse(&text).into_result() {
            Ok(plan) => Some(plan),
            Err(errors) => {
                let remedy = "take it from whoever ran 'keyward network new'";
                findings.push(Finding::error(CONSORTIUM, errors, remedy));
                None
            }
        },
        Err(error) => {
            let remedy =
                "nothing that runs needs it; take it from whoever ran 'keyward network new'";
            findings.push(Finding::warning(CONSORTIUM, error.to_string(), remedy));
            None
        }
    }
}

/// What the founders wrote is what was made. An account that was not written was made.
fn plan_is_the_networks(written: &Plan, network: &Network, findings: &mut Vec<Finding>) {
    let (mut written, made) = (written.clone(), &network.plan);
    let bodies = [
        (&mut written.council, &made.council),
        (&mut written.committee, &made.committee),
    ];
    for (members, made) in bodies {
        for (member, made) in members.iter_mut().zip(made) {
            member.account = member.account.or(made.account);
        }
    }
    if written != *made {
        let problem =
            "does not say what network.toml says: one was changed after the network was made";
        let remedy = "change a running network with motions of the council, or make a new one";
        findings.push(Finding::error(CONSORTIUM, problem, remedy));
    }
}
