//! An RMM in small: it keeps the state of each granule, measures, hands out a token, and records
//! each call. [`Behaviour`] says how far it moves at a time, and where it answers badly.

mod measure;
mod memory;
mod token;
mod vdev;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use ipa::{GRANULE_SIZE, IpaSpace, ProtectedIpa};
use rsi::{Arguments, Call, Conduit, Results, Version};
use untrusted::Untrusted;

pub use memory::FakeMemory;
pub use vdev::SharedRun;

const SUCCESS: u64 = 0;
const ERROR_INPUT: u64 = 1;
const ERROR_STATE: u64 = 2;
const INCOMPLETE: u64 = 3;
const NOT_SUPPORTED: u64 = u64::MAX;

const EMPTY: u64 = 0;
const RAM: u64 = 1;
const DESTROYED: u64 = 2;

/// How a [`FakeRmm`] is made, and how it answers.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The versions it has, ascending; none of them: this is not a realm.
    pub versions: Vec<Version>,
    /// Width of the IPA space in bits, as it is reported.
    pub ipa_width: u64,
    /// The hash algorithm as it is reported: 0 is SHA-256, 1 is SHA-512.
    pub hash_algorithm: u8,
    /// The personalization value.
    pub personalization_value: [u8; 64],
    /// Most bytes that one change of state covers; 0 stands still.
    pub progress: u64,
    /// Bytes after which one query of state stops at the latest.
    pub query: u64,
    /// Calls in a row that change nothing before each one that does.
    pub stalls: u32,
    /// The host rejects a change of any granule from here on.
    pub reject_from: Option<u64>,
    /// The token. Its bytes mean nothing here.
    pub token: Vec<u8>,
    /// Most bytes of the token in one call.
    pub token_piece: usize,
    /// Calls that write nothing before each one that writes some of the token.
    pub token_stalls: u32,
    /// The layout of what is said of a device.
    pub layout: ::vdev::Layout,
    /// What digests of a device are made with: 0 is SHA-256, 1 is SHA-512, 2 is SHA-384.
    pub device_hash: u8,
    /// Calls for a device that are not done yet before each one that is.
    pub device_stalls: u32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            versions: vec![Version::new(1, 0)],
            ipa_width: 33,
            hash_algorithm: 0,
            personalization_value: [0; 64],
            progress: u64::MAX,
            query: u64::MAX,
            stalls: 0,
            reject_from: None,
            token: Vec::new(),
            token_piece: usize::MAX,
            token_stalls: 0,
            layout: ::vdev::Layout::WithFormat,
            device_hash: 0,
            device_stalls: 0,
        }
    }
}

/// What comes back of a call: `x0` to `x8`.
pub type Answer = [u64; 9];

/// What changes while it runs.
#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    memory: FakeMemory,
    ram: BTreeSet<u64>,
    destroyed: BTreeSet<u64>,
    stalled: u32,
    measurements: [[u8; 64]; 5],
    token: Option<token::Sent>,
    device: Option<vdev::Assigned>,
    calls: Vec<Arguments>,
    lies: BTreeMap<u64, Answer>,
}

/// An RMM in small.
#[derive(Debug)]
pub struct FakeRmm(RefCell<State>);

impl FakeRmm {
    /// An RMM that behaves so; every granule is EMPTY.
    pub fn new(behaviour: Behaviour) -> Self {
        Self(RefCell::new(State {
            behaviour,
            memory: FakeMemory::default(),
            ram: BTreeSet::new(),
            destroyed: BTreeSet::new(),
            stalled: 0,
            measurements: [[0; 64]; 5],
            token: None,
            device: None,
            calls: Vec::new(),
            lies: BTreeMap::new(),
        }))
    }

    /// Makes `bytes` at `base` RAM, as the maker of the realm does before it runs.
    pub fn populate(&self, base: u64, bytes: u64) {
        let granules = (base..base + bytes).step_by(GRANULE_SIZE as usize);
        self.0.borrow_mut().ram.extend(granules);
    }

    /// Has the host take the granule at `address` away.
    pub fn destroy(&self, address: u64) {
        let mut state = self.0.borrow_mut();
        state.ram.remove(&address);
        state.destroyed.insert(address);
    }

    /// Whether the granule that holds `address` is RAM.
    pub fn is_ram(&self, address: u64) -> bool {
        self.0.borrow().is_ram(address)
    }

    /// Answers each further `call` with `results`, whatever it asks.
    pub fn lie(&self, call: Call, results: Answer) {
        self.0.borrow_mut().lies.insert(call.function(), results);
    }

    /// Sets the initial measurement.
    pub fn set_rim(&self, rim: [u8; 64]) {
        self.0.borrow_mut().measurements[0] = rim;
    }

    /// Sets the token that the next `RSI_ATTESTATION_TOKEN_INIT` begins.
    pub fn set_token(&self, token: Vec<u8>) {
        self.0.borrow_mut().behaviour.token = token;
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Arguments> {
        self.0.borrow().calls.clone()
    }

    /// How often `call` was made.
    pub fn count(&self, call: Call) -> usize {
        let state = self.0.borrow();
        let of_call = |arguments: &&Arguments| arguments[0] == call.function();
        state.calls.iter().filter(of_call).count()
    }

    /// The `N` bytes of the realm's memory at `address`.
    pub fn read<const N: usize>(&self, address: u64) -> [u8; N] {
        self.0.borrow().memory.read(address)
    }

    /// Writes to the realm's memory.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        self.0.borrow_mut().memory.write(address, bytes);
    }
}

impl Conduit for FakeRmm {
    fn call(&self, arguments: Arguments) -> Results {
        self.0
            .borrow_mut()
            .answer_any(arguments)
            .map(Untrusted::from_host)
    }
}

/// Results with nothing but a status.
fn status(code: u64) -> Answer {
    returning(code, &[])
}

/// Results with a status, and values from `x1` on.
fn returning(code: u64, values: &[u64]) -> Answer {
    let mut results = Answer::default();
    results[0] = code;
    results[1..=values.len()].copy_from_slice(values);
    results
}

impl State {
    fn answer_any(&mut self, arguments: Arguments) -> Answer {
        self.calls.push(arguments);
        if self.behaviour.versions.is_empty() {
            return status(NOT_SUPPORTED);
        }
        if let Some(lie) = self.lies.get(&arguments[0]) {
            return *lie;
        }
        let call = Call::ALL
            .into_iter()
            .find(|call| call.function() == arguments[0]);
        call.map_or(status(NOT_SUPPORTED), |call| self.answer(call, &arguments))
    }

    fn answer(&mut self, call: Call, arguments: &Arguments) -> Answer {
        match call {
            Call::Version => self.version(arguments[1]),
            Call::Features => returning(SUCCESS, &[u64::from(self.device.is_some())]),
            Call::MeasurementRead => self.measurement_read(arguments),
            Call::MeasurementExtend => self.measurement_extend(arguments),
            Call::AttestationTokenInit => self.token_init(arguments),
            Call::AttestationTokenContinue => self.token_continue(arguments),
            Call::RealmConfig => self.realm_config(arguments[1]),
            Call::IpaStateSet => self.ipa_state_set(arguments),
            Call::IpaStateGet => self.ipa_state_get(arguments),
            Call::HostCall => self.host_call(arguments[1]),
            Call::VdevGetInfo
            | Call::VdevValidateMapping
            | Call::VdevDmaEnable
            | Call::VdevDmaDisable => self.device_call(call, arguments),
        }
    }

    fn version(&self, asked: u64) -> Answer {
        let asked = Version::from_raw(asked);
        let versions = &self.behaviour.versions;
        let highest = *versions.last().expect("checked before any answer");
        let compatible = |v: &&Version| v.major() == asked.major() && **v >= asked;
        if versions.iter().any(|v| compatible(&v)) {
            return returning(SUCCESS, &[asked.raw(), highest.raw()]);
        }
        let below = versions.iter().rev().find(|v| **v < asked);
        let lower = below.unwrap_or(&highest);
        returning(ERROR_INPUT, &[lower.raw(), highest.raw()])
    }

    fn realm_config(&mut self, page: u64) -> Answer {
        if !self.is_granule_of_ram(page) {
            return status(ERROR_INPUT);
        }
        let mut config = [0; GRANULE_SIZE as usize];
        config[..8].copy_from_slice(&self.behaviour.ipa_width.to_le_bytes());
        config[8] = self.behaviour.hash_algorithm;
        config[0x200..0x240].copy_from_slice(&self.behaviour.personalization_value);
        self.memory.write(page, &config);
        status(SUCCESS)
    }

    fn ipa_state_set(&mut self, arguments: &Arguments) -> Answer {
        let [_, base, top, to, flags, ..] = *arguments;
        if !self.is_range(base, top) || to > RAM || flags > 1 {
            return status(ERROR_INPUT);
        }
        if self.stalled < self.behaviour.stalls {
            self.stalled += 1;
            return returning(SUCCESS, &[base, 0]);
        }
        self.stalled = 0;
        let end = base.saturating_add(self.behaviour.progress).min(top);
        for granule in (base..end).step_by(GRANULE_SIZE as usize) {
            if self.behaviour.reject_from.is_some_and(|at| granule >= at) {
                return returning(SUCCESS, &[granule, 1]);
            }
            if flags == 0 && self.destroyed.contains(&granule) {
                return returning(SUCCESS, &[granule, 0]);
            }
            if let Some(device) = &mut self.device {
                device.tdi.release(granule, granule + GRANULE_SIZE);
            }
            self.change(granule, to);
        }
        returning(SUCCESS, &[end, 0])
    }

    /// Changes the state of a granule; one that changes loses its content.
    fn change(&mut self, granule: u64, to: u64) {
        if self.state_of(granule) == to {
            return;
        }
        self.destroyed.remove(&granule);
        if to == RAM {
            self.ram.insert(granule);
        } else {
            self.ram.remove(&granule);
        }
        self.memory.poison(granule);
    }

    fn ipa_state_get(&self, arguments: &Arguments) -> Answer {
        let [_, base, top, ..] = *arguments;
        if !self.is_range(base, top) {
            return status(ERROR_INPUT);
        }
        let state = self.state_of(base);
        let end = base.saturating_add(self.behaviour.query).min(top);
        let stop = (base..end)
            .step_by(GRANULE_SIZE as usize)
            .find(|granule| self.state_of(*granule) != state);
        returning(SUCCESS, &[stop.unwrap_or(end), state])
    }

    /// Hands the registers to a host, which knows no service at all but those for its device.
    fn host_call(&mut self, at: u64) -> Answer {
        if !at.is_multiple_of(256) || !self.is_ram(at) {
            return status(ERROR_INPUT);
        }
        if self.device.is_some() {
            self.device_host_call(at);
            return status(SUCCESS);
        }
        self.memory.write(at + 8, &u64::MAX.to_le_bytes());
        self.memory.write(at + 16, &[0; 24]);
        status(SUCCESS)
    }

    fn space(&self) -> IpaSpace {
        IpaSpace::realm(self.behaviour.ipa_width).unwrap_or(IpaSpace::plain())
    }

    fn is_range(&self, base: u64, top: u64) -> bool {
        let whole = base.is_multiple_of(GRANULE_SIZE) && top.is_multiple_of(GRANULE_SIZE);
        whole && base < top && top <= self.space().protected_limit()
    }

    fn is_granule_of_ram(&self, address: u64) -> bool {
        let protected = self.space().protected(address).map(ProtectedIpa::get);
        protected.is_some_and(|a| a.is_multiple_of(GRANULE_SIZE)) && self.is_ram(address)
    }

    fn is_ram(&self, address: u64) -> bool {
        self.state_of(address - address % GRANULE_SIZE) == RAM
    }

    fn state_of(&self, granule: u64) -> u64 {
        let device = self.device.as_ref();
        if let Some(state) = device.and_then(|device| device.tdi.ripas(granule)) {
            state
        } else if self.destroyed.contains(&granule) {
            DESTROYED
        } else if self.ram.contains(&granule) {
            RAM
        } else {
            EMPTY
        }
    }
}
