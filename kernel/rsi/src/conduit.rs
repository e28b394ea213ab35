//! The way to whoever answers: the RMM, the host's PSCI, or a fake.

use untrusted::Untrusted;

use crate::{Call, Status};

/// What goes in: `x0` to `x10`, the function identifier first.
pub type Arguments = [u64; 11];

/// What comes back: `x0` to `x8`, the status first.
pub type Results = [Untrusted<u64>; 9];

/// Something that answers SMC calls.
pub trait Conduit {
    /// Makes one call with `#0` as its immediate.
    ///
    /// Every register from `x0` to `x17` counts as changed, and so does all memory that the
    /// arguments name. Where nobody answers, because the instruction is undefined, `x0` is `-1`,
    /// as from somebody who does not know the function.
    ///
    /// Ref: DEN0028 (SMCCC) 1.2, section 2.
    fn call(&self, arguments: Arguments) -> Results;
}

impl<C: Conduit + ?Sized> Conduit for &C {
    fn call(&self, arguments: Arguments) -> Results {
        (**self).call(arguments)
    }
}

/// Makes `call` with `operands` in `x1` and up; registers without an operand are 0.
pub(crate) fn call(conduit: &impl Conduit, call: Call, operands: &[u64]) -> (Status, Results) {
    let mut arguments = Arguments::default();
    for (register, value) in arguments.iter_mut().skip(1).zip(operands) {
        *register = *value;
    }
    arguments[0] = call.function();
    let results = conduit.call(arguments);
    (Status::of(answer(&results, 0)), results)
}

/// Result register `n`; 0 for one that is not returned.
pub fn answer(results: &Results, n: usize) -> Untrusted<u64> {
    results.get(n).copied().unwrap_or_default()
}
