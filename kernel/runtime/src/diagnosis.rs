//! What a boot that failed says about the stack below: the steps that it passed, the one that it
//! did not, and what is likely to be wrong there.

use alloc::format;
use alloc::string::String;

use plan::Diagnosis;
use realm::Error;

/// The steps of boot that depend on the RMM, in their order. What stops elsewhere tells nothing about
/// them: there may be no RMM.
const STEPS: [&str; 3] = ["RSI version", "realm configuration", "RIPAS changes"];

/// Where boot stopped: the step, and what is likely to be wrong.
struct Stop {
    step: &'static str,
    cause: &'static str,
}

/// Tells what boot found out before `error` ended it.
pub fn of_boot(error: &Error) -> Diagnosis {
    let Stop { step, cause } = stop(error);
    let mut diagnosis = Diagnosis::new();
    let passed = STEPS.iter().position(|name| *name == step).unwrap_or(0);
    for name in STEPS.into_iter().take(passed) {
        diagnosis.ok(name, String::from("passed"));
    }
    diagnosis.wrong(step, format!("{error}"), cause);
    diagnosis
}

fn stop(error: &Error) -> Stop {
    let (step, cause) = match error {
        Error::NoDeviceTree { .. } | Error::DeviceTree(_) => (
            "device tree",
            "the VMM passed no usable device tree in x0; dump it and read it with dtc",
        ),
        Error::Rsi(error) => return stop_of_rsi(error),
        Error::Width(_) => (
            "realm configuration",
            "the VMM asked the RMM for an IPA space that 4 KiB pages cannot map",
        ),
        Error::Map(_) | Error::Layout(_) | Error::Bounce(_) => (
            "memory layout",
            "too little RAM, or bounce=SIZE is larger than what is free; give more memory",
        ),
        Error::Argument { .. } | Error::Address(_) => {
            ("boot arguments", "a typing error in the VMM's command line")
        }
        Error::Late { .. } => (
            "RIPAS changes",
            "the host gives RAM page by page, and slowly; give less memory",
        ),
        Error::NoCounter => ("counter", "firmware did not set CNTFRQ_EL0"),
        _ => ("runtime", "see the message"),
    };
    Stop { step, cause }
}

fn stop_of_rsi(error: &rsi::Error) -> Stop {
    let (step, cause) = match error {
        rsi::Error::Incompatible { .. } | rsi::Error::NotARealm => (
            "RSI version",
            "this RMM has no RSI 1.0; use TF-RMM 0.6 to 0.9, or a newer Airlock",
        ),
        rsi::Error::Call {
            call: rsi::Call::RealmConfig,
            ..
        } => (
            "realm configuration",
            "the RMM refuses RSI_REALM_CONFIG: RMM and KVM do not fit together",
        ),
        rsi::Error::Rejected { .. } => (
            "RIPAS changes",
            "the VMM or KVM refuses to give or take back a page of guest RAM",
        ),
        _ => (
            "RIPAS changes",
            "the RMM or the host does not carry out changes of page state",
        ),
    };
    Stop { step, cause }
}
