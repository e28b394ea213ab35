//! Tokens and verdicts for people.

use std::fmt::Write;

use token::verify::{Appraisal, Check, Verdict};
use token::{Component, Form, PlatformClaims, RealmClaims, Token};

use crate::encoding::{to_base64, to_hex};

/// A table of two columns.
#[derive(Default)]
struct Table(Vec<(String, String)>);

impl Table {
    fn row(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    fn bytes(&mut self, name: impl Into<String>, value: &[u8]) {
        self.row(name, to_hex(value));
    }

    /// A text of a stranger: control characters must not reach a terminal.
    fn text(&mut self, name: impl Into<String>, value: &str) {
        self.row(name, value.escape_debug().to_string());
    }

    fn print(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in &self.0 {
            writeln!(text, "{name:width$}  {value}").expect("a string takes everything");
        }
        text
    }
}

/// The token as a table. Judges nothing.
pub fn show_token(token: &Token<'_>) -> String {
    let mut table = Table::default();
    let form = match token.form {
        Form::Cca => "tag 399",
        Form::Cmw => "tag 907, CMW records",
    };
    table.row("envelope", form);
    platform(&mut table, token);
    realm(&mut table, token);
    table.print()
}

fn platform(table: &mut Table, token: &Token<'_>) {
    let claims: &PlatformClaims<'_> = &token.platform_claims;
    table.row("platform.algorithm", token.platform.algorithm.to_string());
    table.row("platform.profile", claims.profile.name());
    table.bytes("platform.challenge", claims.challenge);
    table.bytes("platform.implementation-id", claims.implementation_id);
    table.bytes("platform.instance-id", claims.instance_id);
    table.bytes("platform.config", claims.config);
    table.row("platform.lifecycle", claims.lifecycle.to_string());
    table.text("platform.hash-algorithm", claims.hash_algorithm);
    if let Some(service) = claims.verification_service {
        table.text("platform.verification-service", service);
    }
    for (at, part) in claims.components.iter().enumerate() {
        component(table, at, part);
    }
    unknown(table, "platform.unknown-claims", &claims.unknown);
}

fn component(table: &mut Table, at: usize, component: &Component<'_>) {
    let name = |field: &str| format!("platform.component[{at}].{field}");
    let texts = [
        ("type", component.kind),
        ("version", component.version),
        ("hash-algorithm", component.hash_algorithm),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            table.text(name(field), text);
        }
    }
    table.bytes(name("measurement"), component.measurement);
    table.bytes(name("signer-id"), component.signer);
}

fn realm(table: &mut Table, token: &Token<'_>) {
    let claims: &RealmClaims<'_> = &token.realm_claims;
    table.row("realm.algorithm", token.realm.algorithm.to_string());
    let profile = claims.profile.name();
    table.row("realm.profile", profile.unwrap_or("none (legacy)"));
    table.bytes("realm.challenge", claims.challenge);
    table.bytes("realm.personalization-value", claims.personalization);
    table.text("realm.hash-algorithm", claims.hash_algorithm);
    table.bytes("realm.public-key.x", &token.realm_key.x);
    table.bytes("realm.public-key.y", &token.realm_key.y);
    let algorithm = claims.public_key_hash_algorithm;
    table.text("realm.public-key-hash-algorithm", algorithm);
    table.bytes("realm.rim", claims.rim);
    table.row("realm.rim (base64)", to_base64(claims.rim));
    for (index, rem) in (1..).zip(claims.rems) {
        table.bytes(format!("realm.rem[{index}]"), rem);
    }
    if let Some(policy) = claims.mec_policy {
        table.row("realm.mec-policy", format!("{policy:?}").to_lowercase());
    }
    if let Some(id) = claims.instance_id {
        table.bytes("realm.instance-id", id);
    }
    unknown(table, "realm.unknown-claims", &claims.unknown);
}

fn unknown(table: &mut Table, name: &str, keys: &[i64]) {
    if !keys.is_empty() {
        let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
        table.row(name, keys.join(", "));
    }
}

/// A verdict for each check, and the one that follows from them.
pub fn show_verdicts(appraisal: &Appraisal) -> String {
    let mut table = Table::default();
    for (check, verdict) in appraisal.verdicts() {
        table.row(
            format!("check {check}"),
            match verdict {
                Verdict::Passed => "passed".to_owned(),
                Verdict::Failed(reason) => format!("FAILED: {reason}"),
                Verdict::NotAsked => "not asked".to_owned(),
            },
        );
    }
    table.row("verdict", verdict(appraisal));
    table.print()
}

/// Tells an acceptance that rests on every check that matters to everybody from one that does not.
fn verdict(appraisal: &Appraisal) -> String {
    let asked = |wanted| {
        let mut verdicts = appraisal.verdicts();
        verdicts.any(|(check, verdict)| check == wanted && verdict != Verdict::NotAsked)
    };
    match (asked(Check::Challenge), asked(Check::Rim)) {
        _ if appraisal.refusal().is_some() => format!("refused: {appraisal}"),
        (true, true) => "accepted".to_owned(),
        (true, false) => "accepted, for any RIM (--reference-values names good ones)".to_owned(),
        (false, true) => "accepted, for any challenge (--challenge names the one asked)".to_owned(),
        (false, false) => "accepted, for any challenge (--challenge) and any RIM \
             (--reference-values)"
            .to_owned(),
    }
}
