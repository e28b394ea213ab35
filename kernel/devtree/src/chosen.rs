//! What the tree has chosen for us: boot arguments, and an initial RAM disk.

use heapless::String;
use ipa::IpaSpace;

use crate::error::Failed;
use crate::{AddressRange, Error, Tree};

/// Most bytes of boot arguments.
pub const MAX_BOOT_ARGUMENTS: usize = 2048;

/// The boot arguments, empty if there are none. Whoever started us wrote them.
pub(crate) fn boot_arguments(tree: &Tree<'_>) -> Result<String<MAX_BOOT_ARGUMENTS>, Failed> {
    let Some(node) = tree.chosen()? else {
        return Ok(String::new());
    };
    let (at, property) = (node.at, "bootargs");
    let text = node.text(property)?.unwrap_or_default();
    String::try_from(text).map_err(|_| tree.fail(Error::Text { at, property }))
}

/// The initial RAM disk, if there is one.
pub(crate) fn initrd(tree: &Tree<'_>, space: IpaSpace) -> Result<Option<AddressRange>, Failed> {
    let Some(node) = tree.chosen()? else {
        return Ok(None);
    };
    let (start, end) = ("linux,initrd-start", "linux,initrd-end");
    match (node.number(start)?, node.number(end)?) {
        (None, None) => Ok(None),
        (Some(base), Some(top)) => {
            let at = "initrd";
            let len = top.saturating_sub(base);
            let range = AddressRange::new(space, base, len);
            let outside = || node.fail(Error::Range { at, base, len });
            range.ok_or_else(outside).map(Some)
        }
        (at, _) => {
            let property = if at.is_none() { start } else { end };
            let at = node.at;
            Err(tree.fail(Error::NoProperty { at, property }))
        }
    }
}
