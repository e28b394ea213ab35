//! Any bytes inside messages of one kind, so that a fuzzer gets behind the headers at once.

use super::Game;
use super::forge::{dhcp_answer, dns_answer, icmpv4, ipv6};
use crate::fuzz::input::Input;

/// Most messages of one run.
const STEPS: usize = 64;
/// Most bytes of one message.
const LONGEST: usize = 1400;

/// Runs the stack at `ip`; before each message, up to a quarter of a second passes.
fn play(ip: &str, bytes: &[u8], mut message: impl FnMut(&mut Input<'_>, &Game) -> Vec<u8>) {
    let mut input = Input::new(bytes);
    let mut game = Game::new(ip);
    game.run();
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        game.pass(u64::from(input.byte()));
        game.run();
        let frame = message(&mut input, &game);
        game.deliver(frame);
        game.run();
    }
    game.check();
}

/// The next piece: its length, and as many bytes.
fn piece(input: &mut Input<'_>) -> Vec<u8> {
    let len = usize::from(input.byte()) | usize::from(input.byte() & 7) << 8;
    input.bytes(len.min(LONGEST))
}

/// ICMP messages for a stack that pings.
pub fn icmp(bytes: &[u8]) {
    play("10.0.0.1/24,10.0.0.2,10.0.0.2", bytes, |input, _| {
        icmpv4(&piece(input))
    });
}

/// IPv6 packets with any extension headers, before any message.
pub fn ipv6_options(bytes: &[u8]) {
    const LAST: [u8; 4] = [58, 6, 17, 59];
    const EXTENSIONS: [u8; 6] = [0, 43, 44, 60, 51, 135];
    play("fd00::1/64,fe80::2", bytes, |input, _| {
        let last = LAST[usize::from(input.byte()) % LAST.len()];
        let mut kinds: Vec<u8> = Vec::new();
        for _ in 0..input.byte() % 5 {
            kinds.push(EXTENSIONS[usize::from(input.byte()) % EXTENSIONS.len()]);
        }
        let mut headers = Vec::new();
        for at in 0..kinds.len() {
            headers.push(kinds.get(at + 1).copied().unwrap_or(last));
            let words = input.byte() % 4;
            headers.push(words);
            headers.extend(input.bytes(6 + 8 * usize::from(words)));
        }
        let first = kinds.first().copied().unwrap_or(last);
        ipv6(first, &headers, last, &piece(input))
    });
}

/// Answers to questions about names: the right identifier and ports, and anything behind.
pub fn dns(bytes: &[u8]) {
    play("10.0.0.1/24,10.0.0.2,10.0.0.2", bytes, |input, game| {
        let mut message = piece(input);
        // Every second one answers the question that was asked.
        if input.byte() & 1 == 0 {
            let head = [
                0x81,
                0x80,
                0,
                1,
                0,
                input.byte(),
                0,
                input.byte(),
                0,
                input.byte(),
            ];
            let question = b"\x04good\x07example\x00\x00\x01\x00\x01";
            message = [&head, &question[..], &message].concat();
        }
        dns_answer(&message, &game.seen)
    });
}

/// Answers of a DHCP server, one after the other: the right transaction, and any options.
pub fn dhcp(bytes: &[u8]) {
    play("dhcp", bytes, |input, game| {
        let (host, kind, honest) = (input.byte(), input.byte() % 9, input.byte());
        let mut options = vec![53, 1, kind];
        if honest & 1 == 0 {
            options.extend([54, 4, 10, 0, 0, 2, 1, 4, 255, 255, 255, 0]);
            options.extend([51, 4, 0, 0, input.byte(), input.byte()]);
        }
        options.extend(piece(input));
        dhcp_answer(host, &options, &game.seen)
    });
}
