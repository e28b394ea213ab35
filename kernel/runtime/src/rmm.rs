//! What the RMM says about the realm, if there is one.
// UNSAFETY: the RMM writes to memory of ours.
#![expect(unsafe_code, reason = "the RMM writes to memory of ours")]

use alloc::boxed::Box;

use arch::Smc;
use ipa::{IpaSpace, ProtectedIpa};
use realm::Error;
use rsi::{Arguments, CONFIG_SIZE, Call, Conduit, RealmConfig, Rsi, Status};

/// The RMM of this realm.
pub struct Rmm {
    /// Its calls.
    pub rsi: Rsi<Smc>,
    /// What it says.
    pub config: RealmConfig,
}

/// Asks whether there is an RMM. `None` is an ordinary machine.
///
/// # Errors
///
/// [`Error::Rsi`] for an RMM that cannot be used.
pub fn find() -> Result<Option<Rmm>, Error> {
    let rsi = match Rsi::negotiate(Smc) {
        Ok(rsi) => rsi,
        Err(rsi::Error::NotARealm) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let config = realm_config(|page| rsi.realm_config(page))?;
    Ok(Some(Rmm { rsi, config }))
}

/// The address space, if an RMM whose version is not ours tells it. The width of the space has
/// never moved in the configuration, and without it there is no way to print why we stop.
pub fn space_of_stranger() -> Option<IpaSpace> {
    let ask = |page: ProtectedIpa| {
        let call = Call::RealmConfig;
        let mut arguments = Arguments::default();
        (arguments[0], arguments[1]) = (call.function(), page.get());
        let code = rsi::answer(&Smc.call(arguments), 0);
        match Status::from_code(code.any_value("each has a name")) {
            Status::Success => Ok(()),
            status => Err(rsi::Error::Call { call, status }),
        }
    };
    realm_config(ask).ok()?.space().ok()
}

/// One granule, for the RMM to write to.
#[repr(C, align(4096))]
struct Granule([u8; CONFIG_SIZE]);

/// Has `ask` make the RMM write the configuration. The granule comes from the arena, so it lies in
/// the image, which is RAM before anything is claimed.
fn realm_config(
    ask: impl FnOnce(ProtectedIpa) -> Result<(), rsi::Error>,
) -> Result<RealmConfig, Error> {
    let page = Box::into_raw(Box::new(Granule([0; CONFIG_SIZE])));
    let address = page.expose_provenance() as u64;
    let unreachable = ipa::PagingError::OutOfReach { address };
    let asked = IpaSpace::plain().protected(address).map(ask);
    // SAFETY: it was made by `Box::into_raw` above. The RMM wrote bytes, of which any are valid.
    let page = unsafe { Box::from_raw(page) };
    asked.ok_or(Error::Map(unreachable))??;
    Ok(RealmConfig::parse(&page.0))
}
