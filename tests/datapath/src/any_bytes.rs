//! The bodies of the fuzz targets, over seeded inputs.

use testkit::fuzz;
use testkit::random::Seeded;

const RUNS: usize = 400;

#[test]
fn any_configuration_space_ends_in_a_driver_or_an_error() {
    let mut random = Seeded::new(1);
    for _ in 0..RUNS {
        let len = random.below(700);
        fuzz::pci_config(&random.bytes(len));
    }
}

#[test]
fn any_behaviour_of_a_device_ends_within_a_bound_and_leaks_nothing() {
    let mut random = Seeded::new(2);
    for _ in 0..RUNS {
        let len = random.below(600);
        fuzz::used_ring(&random.bytes(len));
    }
}

#[test]
fn no_bytes_at_all_are_honest_devices() {
    fuzz::pci_config(&[]);
    fuzz::used_ring(&[]);
}
