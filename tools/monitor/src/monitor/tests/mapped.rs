//! Pages that become shared while the guest still maps them.

use super::*;

#[test]
fn a_page_that_becomes_shared_while_it_or_its_alias_is_mapped_is_told() {
    let page = GUEST_RAM + 0x80_0000;
    for (mapped, text) in [
        (page, "became shared while it was mapped"),
        (page | SHARED, "became shared while its alias was mapped"),
    ] {
        let mut monitor = boot("");
        monitor.machine.mapped.set(Some(mapped));
        set_state(&mut monitor, page - GRANULE, 0);
        assert!(violations(&monitor).is_empty());
        set_state(&mut monitor, page, 0);
        assert!(violations(&monitor)[0].contains(text), "{mapped:#x}");
    }
}
