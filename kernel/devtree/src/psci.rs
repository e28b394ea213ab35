//! How PSCI is called.

use crate::error::Failed;
use crate::{Error, Tree};

/// The instruction that PSCI is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PsciMethod {
    /// `smc`: the way in a realm.
    Smc,
    /// `hvc`: the way in an ordinary virtual machine. In a realm it is undefined.
    Hvc,
}

impl PsciMethod {
    /// Ref: Linux, Documentation/devicetree/bindings/arm/psci.yaml.
    pub(crate) fn parse(tree: &Tree<'_>) -> Result<Option<Self>, Failed> {
        let Some(node) = tree.psci_node()? else {
            return Ok(None);
        };
        let (at, property) = (node.at, "method");
        match node.text(property)? {
            Some("smc") => Ok(Some(Self::Smc)),
            Some("hvc") => Ok(Some(Self::Hvc)),
            Some(_) => Err(tree.fail(Error::Text { at, property })),
            None => Err(tree.fail(Error::NoProperty { at, property })),
        }
    }
}
