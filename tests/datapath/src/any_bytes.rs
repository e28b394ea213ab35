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
fn any_tree_rmm_bus_and_device_end_a_boot_in_a_driver_or_an_error() {
    let mut random = Seeded::new(3);
    for _ in 0..RUNS {
        let mut bytes = random.bytes(600);
        // A fuzzer finds few changes by itself, which leave most of the tree whole.
        bytes[0] %= 4;
        fuzz::whole_boot(&bytes);
    }
}

#[test]
fn any_messages_leave_the_stack_running() {
    let mut random = Seeded::new(4);
    for target in [fuzz::icmp, fuzz::ipv6_options, fuzz::dns, fuzz::dhcp] {
        for _ in 0..RUNS / 4 {
            let len = random.below(500);
            target(&random.bytes(len));
        }
    }
}

#[test]
fn any_answers_about_a_folder_end_in_an_error_and_leak_nothing() {
    let mut random = Seeded::new(5);
    for _ in 0..RUNS {
        let len = random.below(500);
        fuzz::ninep(&random.bytes(len));
    }
}

#[test]
fn any_host_leaves_ports_streams_and_memory_running_or_ended() {
    let mut random = Seeded::new(5);
    for target in [fuzz::console_ports, fuzz::vsock_packets, fuzz::balloon] {
        for _ in 0..RUNS {
            let len = random.below(900);
            target(&random.bytes(len));
        }
        target(&[]);
    }
}

#[test]
fn no_bytes_at_all_are_honest_devices() {
    fuzz::pci_config(&[]);
    fuzz::used_ring(&[]);
    fuzz::whole_boot(&[]);
    fuzz::ninep(&[]);
}
