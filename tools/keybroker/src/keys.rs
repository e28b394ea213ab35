//! The keys that can be had, and on which conditions.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::policy::{KeyPolicy, PolicyFile};

/// The longest name of a key, in bytes.
const MAX_NAME: usize = 64;

/// A key that can be had.
pub struct Key {
    /// The name that it is asked for by.
    pub name: String,
    /// What is given out.
    pub secret: Zeroizing<String>,
    /// On which conditions.
    pub policy: KeyPolicy,
}

impl std::fmt::Debug for Key {
    /// Leaves out the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// All keys that can be had.
#[derive(Debug)]
pub struct KeyStore(Vec<Key>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    key: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    secret: Zeroizing<String>,
    #[serde(default)]
    policy: PolicyFile,
}

/// The one key of the demonstration: its name, and the key.
pub const DEMONSTRATION: [&str; 2] = ["skywalker", "May the force be with you."];

impl KeyStore {
    /// The one key of the demonstration, for secured platforms.
    pub fn demonstration() -> Self {
        let [name, secret] = DEMONSTRATION;
        Self(vec![Key {
            name: name.into(),
            secret: Zeroizing::new(secret.into()),
            policy: KeyPolicy::default(),
        }])
    }

    /// Reads a TOML file: `[[key]]` tables with `name`, `secret` and, if wanted, `policy`.
    ///
    /// # Errors
    ///
    /// Says what is not as it should be; never what a secret is.
    pub fn read(toml: &str) -> Result<Self> {
        // The error of the parser quotes the line, and a line may hold a secret.
        let file: File = toml::from_str(toml).map_err(|error: toml::de::Error| {
            let line = line_of(toml, error.span().map_or(0, |span| span.start));
            anyhow::anyhow!("line {line}: {}", in_words(error.message()))
        })?;
        let mut keys = Vec::new();
        for entry in file.key {
            let key = entry.check()?;
            if keys.iter().any(|other: &Key| other.name == key.name) {
                bail!("the key {} is there twice", key.name);
            }
            keys.push(key);
        }
        ensure!(!keys.is_empty(), "there is no key in it");
        Ok(Self(keys))
    }

    /// Gives every key to realms whose REM 1 is `value` only: under Airlock, to those that were
    /// started with certain boot arguments.
    pub fn require_rem1(&mut self, value: &[u8]) {
        for key in &mut self.0 {
            key.policy.rems[0] = Some(value.to_vec());
        }
    }

    /// Whether a key can have that name: 1 to 64 letters, digits, and `-._~`.
    pub fn can_name(name: &str) -> bool {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(good)
    }

    /// The key with a name.
    pub fn get(&self, name: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.name == name)
    }
}

impl Entry {
    fn check(self) -> Result<Key> {
        ensure!(
            KeyStore::can_name(&self.name),
            "the name of a key has 1 to {MAX_NAME} letters, digits, and -._~"
        );
        ensure!(!self.secret.is_empty(), "the key {} is empty", self.name);
        let policy = self.policy.check();
        Ok(Key {
            policy: policy.with_context(|| format!("policy of the key {}", self.name))?,
            name: self.name,
            secret: self.secret,
        })
    }
}

/// What the parser says, for people who write the file and not its parser.
fn in_words(message: &str) -> String {
    let form = "a file of keys has [[key]] tables with name, secret and, if wanted, [key.policy]";
    let quoted = |prefix: &str| message.strip_prefix(prefix)?.split('`').nth(1);
    if let Some(field) = quoted("missing field ") {
        format!("there is no {field}; {form}")
    } else if let Some(field) = quoted("unknown field ") {
        format!("there is nothing called {field}; {form}")
    } else if message.starts_with("invalid type") {
        format!("a value has the wrong type; {form}")
    } else {
        message.to_owned()
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use token::LifecycleState;

    #[test]
    fn a_file_gives_keys_with_their_policies() {
        let keys = KeyStore::read(
            r#"
            [[key]]
            name = "skywalker"
            secret = "May the force be with you."
            [key.policy]
            lifecycle = ["secured", "non-cca-debug"]
            rem1 = "365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370"
            [[key]]
            name = "other"
            secret = "x"
            "#,
        )
        .unwrap();
        let policy = &keys.get("skywalker").unwrap().policy;
        assert_eq!(
            policy.lifecycles,
            [LifecycleState::Secured, LifecycleState::NonCcaDebug]
        );
        assert_eq!(policy.rems[0].as_ref().unwrap()[..2], [0x36, 0x5a]);
        assert_eq!(keys.get("other").unwrap().policy, KeyPolicy::default());
        assert!(keys.get("vader").is_none());
    }

    #[test]
    fn a_broken_file_is_refused_without_its_secrets() {
        for (file, why) in [
            ("", "there is no key; a file of keys has"),
            ("[[key]]\nname = \"a\"", "there is no secret"),
            (
                "[[key]]\nname = 7\nsecret = \"hush\"",
                "line 2: a value has the wrong type",
            ),
            ("[[key]]\nname = \"a b\"\nsecret = \"hush\"", "letters"),
            ("[[key]]\nname = \"a\"\nsecret = \"\"", "empty"),
            (
                "[[key]]\nname = \"a\"\nsecret = \"hush\" \"hush\"",
                "line 3",
            ),
            (
                "[[key]]\nname = \"a\"\nsecret = \"hush\"\nrem1 = \"\"",
                "there is nothing called rem1",
            ),
            (
                "[[key]]\nname=\"a\"\nsecret=\"hush\"\n[[key]]\nname=\"a\"\nsecret=\"hush\"",
                "twice",
            ),
            (
                "[[key]]\nname=\"a\"\nsecret=\"hush\"\n[key.policy]\nrem2=\"zz\"",
                "rem2",
            ),
            (
                "[[key]]\nname=\"a\"\nsecret=\"hush\"\n[key.policy]\nlifecycle=[\"x\"]",
                "lifecycle",
            ),
        ] {
            let error = format!("{:#}", KeyStore::read(file).unwrap_err());
            assert!(error.contains(why), "{error}");
            assert!(
                !error.contains("hush") && !error.contains("field"),
                "{error}"
            );
        }
    }

    #[test]
    fn debug_output_has_no_secret() {
        let text = format!("{:?}", KeyStore::demonstration());
        assert!(
            text.contains("skywalker") && !text.contains("force"),
            "{text}"
        );
    }
}
