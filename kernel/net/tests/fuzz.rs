//! The fuzz target `frames`, over a few seeded inputs.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a script that is made wrongly should fail its test"
)]

use testkit::{fuzz, random::Seeded};

/// A step of a script: its kind, and how its body begins.
type Step = (u8, &'static [u8]);

/// Steps that lead somewhere when nothing comes between them.
const CHAINS: [&[Step]; 13] = [
    // A peer connects to us, sends, ends.
    &[
        (2, &[0, 0, 0x02, 255, 0]),
        (2, &[0, 1, 0x10, 9, 0]),
        (2, &[0, 1, 0x18, 9, 0, b'h', b'i']),
        (2, &[0, 2, 0x11, 9, 0]),
    ],
    // A peer answers our request.
    &[
        (7, &[200]),
        (2, &[0, 1, 0x12, 9, 0]),
        (
            2,
            b"\x00\x12\x18\x09\x00HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        ),
    ],
    &[(2, &[0, 0, 0x04, 9, 0])],
    &[(2, &[])],
    // A lease.
    &[
        (7, &[9, 9, 9, 9]),
        (3, &[2, 7]),
        (3, &[5, 7, 51, 4, 0, 0, 1, 0]),
    ],
    &[(3, &[6])],
    // Neighbours and routers.
    &[(
        4,
        &[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4],
    )],
    &[(
        4,
        b"\x86\0\0\0\x40\0\x07\x08\0\0\0\0\0\0\0\0\x03\x04\x40\xc0\0\0\x07\x07\0\0\x05\x05\0\0\0\0\
          \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0",
    )],
    &[(4, &[135, 0])],
    &[(4, &[136, 0])],
    // A name.
    &[
        (7, &[40, 9, 9]),
        (
            5,
            &[1, 0, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4],
        ),
    ],
    &[(1, &[0x86, 0xdd, 0x60])],
    &[(0, &[]), (1, &[8, 0, 0x45]), (6, &[])],
];

/// A script of some chains. Bodies may go on with anything, or not at all.
fn script(random: &mut Seeded, chains: usize) -> Vec<u8> {
    let mut script = random.bytes(1);
    for _ in 0..chains {
        for (kind, start) in CHAINS[random.below(CHAINS.len())] {
            let len = [0, 0, 30][random.below(3)];
            let body = [start, &random.bytes(len)[..]].concat();
            let long = [0, 0, 0, 0x80][random.below(4)];
            script.extend([*kind | long, body.len() as u8]);
            script.extend(body);
        }
    }
    script
}

#[test]
fn any_network_is_survived() {
    for seed in 0..300 {
        let mut random = Seeded::new(seed);
        let script = script(&mut random, 100);
        fuzz::frames(&script);
        fuzz::frames(&random.mutated(&script));
    }
}
