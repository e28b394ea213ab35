//! Work on a range of granules that the host may split into many calls.

use ipa::GranuleRange;

use crate::Error;

/// Calls in a row that may change nothing before we give up. One is normal: the host was
/// interrupted. The number is ours; the specification has none.
pub(crate) const MAX_STALLS: u32 = 16;

pub(crate) const ACCEPT: u64 = 0;
pub(crate) const REJECT: u64 = 1;
pub(crate) const INSIDE: &str = "what lies outside of the range is refused";

/// Repeats `call`, which is given what is left of `range` and says what is left after it (`None` is nothing), until all is
/// done. Each call has to move, but for a few: so there are at most 16 for each granule.
///
/// # Errors
///
/// [`Error::NoProgress`], and those of `call`.
pub(crate) fn stepwise(
    range: GranuleRange,
    mut call: impl FnMut(GranuleRange) -> Result<Option<GranuleRange>, Error>,
) -> Result<(), Error> {
    let (mut rest, mut stalls) = (range, 0);
    while let Some(next) = call(rest)? {
        stalls = if next == rest { stalls + 1 } else { 0 };
        if stalls == MAX_STALLS {
            let (at, calls) = (rest.base().get(), MAX_STALLS);
            return Err(Error::NoProgress { at, calls });
        }
        rest = next;
    }
    Ok(())
}
