//! What the guest may do with a function that would go round the SMMU.

use super::Unsafe;
use super::function::{BAR_COUNT, Function};
use crate::machine::Machine;
use crate::regions::Region;
use crate::syndrome::Width;

/// How many such functions can be watched.
pub const MOST: usize = 8;

/// What happens with an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out.
    Pass,
    /// A load gives all ones, a store does nothing.
    Nothing,
    /// The value is stored without the bit that starts the device: the guest wanted to start it.
    Defuse(u32),
}

/// DRIVER_OK, in the device status.
pub(crate) const DRIVER_OK: u64 = 4;

/// The functions behind the fence.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    functions: heapless::Vec<Unsafe, MOST>,
    hidden: bool,
}

impl Fence {
    /// Fences `functions` in; `hidden` ones are not even seen.
    #[must_use]
    pub const fn new(functions: heapless::Vec<Unsafe, MOST>, hidden: bool) -> Self {
        Self { functions, hidden }
    }

    /// Whether there is nothing to watch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Judges an access of `width` at `offset` of `region`; `config` is where configuration space is.
    pub fn judge<M: Machine>(
        &self,
        machine: &M,
        config: u64,
        (region, offset): (Region, u64),
        width: Width,
        write: bool,
    ) -> Verdict {
        if region == Region::PciConfig {
            return self.judge_config(offset, write);
        }
        if !write {
            return Verdict::Pass;
        }
        let (base, ports) = match region {
            Region::PciPorts => (0, true),
            Region::PciMemory | Region::PciMemory64 => (region.place(config >> 32 != 0).0, false),
            _ => return Verdict::Pass,
        };
        for function in &self.functions {
            let live = Function::new(machine, config, function.stream);
            if let Some((bar, at)) = find(&live, function, base + offset, ports) {
                return judge_register(function, bar, at, width);
            }
        }
        Verdict::Pass
    }

    /// COMMAND and the BARs may be written. Other doors to the registers, like the capability that
    /// leads to them through configuration space, stay closed.
    fn judge_config(&self, offset: u64, write: bool) -> Verdict {
        let stream = u32::try_from(offset >> 12).unwrap_or(u32::MAX);
        if !self
            .functions
            .iter()
            .any(|function| function.stream == stream)
        {
            return Verdict::Pass;
        }
        let harmless = matches!(offset & 0xfff, 4..6 | 0x10..0x28);
        if self.hidden || write && !harmless {
            Verdict::Nothing
        } else {
            Verdict::Pass
        }
    }
}

/// The BAR of `function` that `address` lies in, and where.
fn find<M: Machine>(
    live: &Function<'_, M>,
    function: &Unsafe,
    address: u64,
    ports: bool,
) -> Option<(usize, u64)> {
    (0..BAR_COUNT)
        .zip(function.sizes)
        .find_map(|(number, size)| {
            let bar = live.bar(number).filter(|bar| bar.ports == ports)?;
            let at = address.checked_sub(bar.address)?;
            (at < size).then_some((number, at))
        })
}

/// Features can be asked for and chosen; no queue is ever set up, and nothing is started.
fn judge_register(function: &Unsafe, bar: usize, at: u64, width: Width) -> Verdict {
    let Some(common) = function.common.filter(|common| common.bar == bar) else {
        return Verdict::Nothing;
    };
    let register = at.checked_sub(common.offset);
    match (register, width) {
        // device_feature_select, driver_feature_select, driver_feature; queue_select.
        (Some(0 | 8 | 12), Width::Word) | (Some(22), Width::Half) => Verdict::Pass,
        (Some(20), Width::Byte) => Verdict::Defuse(function.stream),
        _ => Verdict::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Common;
    use super::*;

    const FUNCTION: Unsafe = Unsafe {
        stream: 8,
        common: Some(Common { bar: 4, offset: 0 }),
        sizes: [0, 0x1000, 0, 0, 0x4000, 0],
    };

    #[test]
    fn a_queue_is_never_set_up() {
        let judge = |at, width| judge_register(&FUNCTION, 4, at, width);
        assert_eq!(judge(8, Width::Word), Verdict::Pass);
        assert_eq!(judge(20, Width::Byte), Verdict::Defuse(8));
        for at in [28, 32, 36, 40, 44, 48, 52, 0x1000, 0x3000] {
            for width in [Width::Byte, Width::Half, Width::Word, Width::Double] {
                assert_eq!(judge(at, width), Verdict::Nothing, "{at}");
            }
        }
        // A wider store would take the status along.
        assert_eq!(judge(16, Width::Double), Verdict::Nothing);
        assert_eq!(judge(20, Width::Word), Verdict::Nothing);
    }

    #[test]
    fn a_legacy_function_takes_no_store_at_all() {
        let legacy = Unsafe {
            common: None,
            ..FUNCTION
        };
        assert_eq!(judge_register(&legacy, 0, 8, Width::Word), Verdict::Nothing);
        assert_eq!(
            judge_register(&legacy, 0, 18, Width::Byte),
            Verdict::Nothing
        );
    }

    #[test]
    fn configuration_space_shows_the_function_and_leads_nowhere_else() {
        let list: heapless::Vec<_, MOST> = [FUNCTION].into_iter().collect();
        let shown = Fence::new(list.clone(), false);
        assert_eq!(shown.judge_config(0x8000, false), Verdict::Pass);
        assert_eq!(shown.judge_config(0x8004, true), Verdict::Pass);
        assert_eq!(shown.judge_config(0x8020, true), Verdict::Pass);
        assert_eq!(shown.judge_config(0x8070, true), Verdict::Nothing);
        assert_eq!(shown.judge_config(0x9070, true), Verdict::Pass);
        let hidden = Fence::new(list, true);
        assert_eq!(hidden.judge_config(0x8000, false), Verdict::Nothing);
        assert_eq!(hidden.judge_config(0x8004, true), Verdict::Nothing);
    }
}
