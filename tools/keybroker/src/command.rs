//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use clap::{ArgAction, Args, Parser, Subcommand};
use log::warn;
use token::verify::{PlatformKey, Policy, appraise};
use token::{CHALLENGE_SIZE, Token};

use crate::encoding::{from_base64url, from_hex};
use crate::policy::KeyPolicy;
use crate::{
    BrokerConfig, Form, KeyStore, Limits, Server, ServerConfig, read_endorsements,
    read_reference_values, show_token, show_verdicts, test_platform_key,
};

/// Releases keys to realms that prove what they are.
#[derive(Debug, Parser)]
#[command(name = "keybroker", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// What to do; without it, serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeOptions,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves keys over HTTP until it is ended.
    Serve(Box<ServeOptions>),
    /// Shows a token, and a verdict for each check. Ends with 0 if it is accepted, 1 if not.
    Verify(Box<VerifyOptions>),
    /// Shows a token and judges nothing.
    Inspect {
        /// The token: CBOR, or base64url text of it.
        token: PathBuf,
    },
    /// Prints the test monitor's platform for another verifier: its identifiers, its public key.
    TestPlatform {
        /// In which form.
        #[arg(long, value_enum, default_value_t)]
        form: Form,
    },
}

/// Whom to trust.
#[derive(Args, Debug, Default)]
pub struct TrustOptions {
    /// Initial measurements that are good: {"reference-values": ["base64", ...]}.
    #[arg(long, value_name = "FILE")]
    pub reference_values: Option<PathBuf>,
    /// Public keys that may sign platform tokens: a JSON Web Key, a set of them, or Veraison's
    /// trust-anchor store.
    #[arg(long, value_name = "FILE")]
    pub endorsements: Option<PathBuf>,
    /// Also trusts the test monitor, whose keys everybody knows.
    #[arg(long)]
    pub allow_test_platform: bool,
}

/// Options of `keybroker serve`.
#[derive(Args, Debug)]
pub struct ServeOptions {
    /// The address to listen on.
    #[arg(short, long, default_value = "127.0.0.1")]
    pub addr: IpAddr,
    /// The port to listen on; 0 takes any free one.
    #[arg(short, long, default_value_t = 8088)]
    pub port: u16,
    /// The URL that clients reach us by, if it is another one. The port is appended.
    #[arg(short, long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The keys: TOML, an array of tables "key" with name, secret and policy.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Whom to trust.
    #[command(flatten)]
    pub trust: TrustOptions,
    /// Gives every client the same, known challenge: to try recorded tokens, never in use.
    #[arg(short, long)]
    pub mock_challenge: bool,
    /// Keeps the evidence that clients send there: evidence-ID.cbor.
    #[arg(long, value_name = "DIR")]
    pub dump_evidence_cbor: Option<PathBuf>,
    /// Logs each request; twice, the claims of each token as well.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Logs warnings only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// Options of `keybroker verify`.
#[derive(Args, Debug)]
pub struct VerifyOptions {
    /// The token: CBOR, or base64url text of it.
    pub token: PathBuf,
    /// The challenge that it must answer: 128 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub challenge: Option<String>,
    /// Whom to trust.
    #[command(flatten)]
    pub trust: TrustOptions,
    /// A file of keys, for the policy of one of them.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub keys: Option<PathBuf>,
    /// The key whose policy must be met.
    #[arg(long, value_name = "NAME", requires = "keys")]
    pub key: Option<String>,
}

impl ServeOptions {
    /// Reads the files and starts the server.
    ///
    /// # Errors
    ///
    /// A file is not as it should be, or the address is taken.
    pub fn start(&self) -> Result<Server> {
        let keys = match &self.keys {
            Some(file) => read(file, KeyStore::read)?,
            None => {
                warn!("no --keys FILE: serving the key of the demonstration, 'skywalker'");
                KeyStore::demonstration()
            }
        };
        let broker = BrokerConfig {
            reference_values: self.trust.references()?.unwrap_or_default(),
            platform_keys: self.trust.platform_keys()?,
            mock_challenge: self.mock_challenge,
            evidence_folder: self.dump_evidence_cbor.clone(),
            ..BrokerConfig::new(keys)
        };
        self.warn(&broker);
        let address = SocketAddr::new(self.addr, self.port);
        let config = ServerConfig {
            address,
            endpoint: self.endpoint.clone(),
            broker,
            limits: Limits::default(),
        };
        Server::start(config).with_context(|| {
            format!("cannot listen on {address}; --port takes another, and 0 any free one")
        })
    }

    fn warn(&self, broker: &BrokerConfig) {
        if broker.reference_values.is_empty() {
            warn!("no reference value: every realm will be refused");
        }
        if broker.platform_keys.is_empty() {
            warn!("no endorsed platform: every realm will be refused");
        }
        if self.mock_challenge {
            warn!("every client gets the same challenge: recorded tokens can be replayed");
        }
    }
}

impl TrustOptions {
    fn references(&self) -> Result<Option<Vec<Vec<u8>>>> {
        let file = self.reference_values.as_deref();
        file.map(|file| read(file, read_reference_values))
            .transpose()
    }

    fn platform_keys(&self) -> Result<Vec<PlatformKey>> {
        let file = self.endorsements.as_deref();
        let keys = file.map(|file| read(file, read_endorsements)).transpose()?;
        let mut keys = keys.unwrap_or_default();
        if self.allow_test_platform {
            warn!(
                "the test platform is trusted: everybody can make its tokens (--allow-test-platform)"
            );
            keys.push(test_platform_key());
        }
        Ok(keys)
    }
}

impl VerifyOptions {
    /// Shows the token and the verdicts; tells whether it is accepted.
    ///
    /// # Errors
    ///
    /// A file is not as it should be, or the token is none.
    pub fn verify(&self) -> Result<bool> {
        let bytes = read_token(&self.token)?;
        let token = decode(&self.token, &bytes)?;
        let challenge = self.challenge.as_deref().map(challenge).transpose()?;
        let (references, keys) = (self.trust.references()?, self.trust.platform_keys()?);
        let key_policy = self.key_policy()?;
        let policy = Policy {
            platform_keys: &keys,
            challenge: challenge.as_ref(),
            rims: references.as_deref(),
            ..key_policy.verifier()
        };
        let appraisal = appraise(&token, &policy);
        print!("{}{}", show_token(&token), show_verdicts(&appraisal));
        Ok(appraisal.refusal().is_none())
    }

    fn key_policy(&self) -> Result<KeyPolicy> {
        let (Some(file), Some(name)) = (&self.keys, &self.key) else {
            return Ok(KeyPolicy::default());
        };
        let keys = read(file, KeyStore::read)?;
        let key = keys.get(name).with_context(|| format!("no key {name}"))?;
        Ok(key.policy.clone())
    }
}

/// Shows a token.
///
/// # Errors
///
/// The file cannot be read, or is not a token.
pub fn inspect(file: &Path) -> Result<()> {
    let bytes = read_token(file)?;
    print!("{}", show_token(&decode(file, &bytes)?));
    Ok(())
}

fn decode<'a>(file: &Path, bytes: &'a [u8]) -> Result<Token<'a>> {
    Token::decode(bytes).with_context(|| format!("{} is no CCA token", file.display()))
}

/// Reads a token, as CBOR or as the text that goes over the wire.
fn read_token(file: &Path) -> Result<Vec<u8>> {
    const FIRST_BYTE_OF_A_TAG: u8 = 0xd9;
    let name = || file.display().to_string();
    let size = std::fs::metadata(file).with_context(name)?.len();
    ensure!(size <= crate::MAX_EVIDENCE as u64, "{}: too long", name());
    let bytes = std::fs::read(file).with_context(name)?;
    if bytes.first() == Some(&FIRST_BYTE_OF_A_TAG) {
        return Ok(bytes);
    }
    let text = std::str::from_utf8(&bytes).ok().map(str::trim);
    let decoded = text.and_then(|text| from_base64url(text).ok());
    // What is neither goes on as it is: its decoding says what is wrong with it.
    Ok(decoded.unwrap_or(bytes))
}

fn challenge(digits: &str) -> Result<[u8; CHALLENGE_SIZE]> {
    let bytes = from_hex(digits).unwrap_or_default();
    let bytes = bytes.try_into();
    bytes.map_err(|_| anyhow!("a challenge is 128 hexadecimal digits"))
}

fn read<T>(file: &Path, parse: impl Fn(&str) -> Result<T>) -> Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    parse(&text).with_context(|| file.display().to_string())
}
