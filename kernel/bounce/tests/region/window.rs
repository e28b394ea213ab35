//! Loads, stores and copies.

use bounce::{Error, Window};
use testkit::shared::{HostMemory, shared_memory};
use untrusted::Untrusted;

use crate::{LOOK, TOLD};

fn one_page() -> (Window, HostMemory) {
    shared_memory(1, TOLD)
}

#[test]
fn words_are_little_endian_on_both_sides() {
    let (window, host) = one_page();
    window.store_u16(2, 0x1122).unwrap();
    window.store_u32(4, 0x3344_5566).unwrap();
    window.store_u64(8, 0x7788_99aa_bbcc_ddee).unwrap();
    assert_eq!(host.read(TOLD + 2, 2), [0x22, 0x11]);
    assert_eq!(host.read(TOLD + 4, 4), [0x66, 0x55, 0x44, 0x33]);
    assert_eq!(window.load_u16(2), Ok(Untrusted::from_host(0x1122)));
    assert_eq!(window.load_u32(4), Ok(Untrusted::from_host(0x3344_5566)));
    assert_eq!(
        window.load_u64(8),
        Ok(Untrusted::from_host(0x7788_99aa_bbcc_ddee))
    );
    host.write(TOLD + 16, &[1, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(window.load_u64(16), Ok(Untrusted::from_host(0x2_0000_0001)));
}

#[test]
fn a_window_is_empty_only_without_bytes() {
    assert!(!one_page().0.is_empty());
    assert!(shared_memory(0, TOLD).0.is_empty());
}

#[test]
fn a_word_lies_on_a_multiple_of_its_size() {
    let (window, _) = one_page();
    assert_eq!(window.load_u16(1), Err(Error::Unaligned { at: 1 }));
    assert_eq!(window.store_u32(6, 0), Err(Error::Unaligned { at: 6 }));
    assert_eq!(window.load_u64(4), Err(Error::Unaligned { at: 4 }));
}

#[test]
fn nothing_reaches_behind_the_end_or_wraps() {
    let (window, host) = one_page();
    let mut bytes = [7; 2];
    for at in [4095, 4096, usize::MAX - 1, usize::MAX] {
        let refused = Err(Error::OutOfBounds { at, len: 2 });
        assert_eq!(window.copy_out(at, &bytes), refused);
        assert_eq!(window.copy_in(at, &mut bytes).map(drop), refused);
        assert_eq!(window.clear(at, 2), refused);
        assert_eq!(window.store_u16(at & !1, 0).is_err(), at > 4095);
    }
    assert_eq!(bytes, [7; 2], "nothing was copied in");
    assert_eq!(host.load_u8(TOLD + 4093), 0xa5, "nothing was copied out");
    assert!(window.clear(1, usize::MAX).is_err());
}

#[test]
fn a_copy_of_nothing_right_behind_the_end_is_fine() {
    let (window, _) = one_page();
    assert_eq!(window.copy_out(4096, &[]), Ok(()));
    assert_eq!(window.copy_in(4096, &mut []).map(drop), Ok(()));
    assert_eq!(window.clear(4096, 0), Ok(()));
    assert!(window.copy_out(4097, &[]).is_err());
}

#[test]
fn an_address_is_of_a_byte_inside() {
    let (window, _) = one_page();
    assert_eq!(window.address(0).unwrap().get(), TOLD);
    assert_eq!(window.address(4095).unwrap().get(), TOLD + 4095);
    assert!(window.address(4096).is_err());
}

#[test]
#[should_panic(expected = "must not wrap")]
fn addresses_that_devices_are_told_do_not_wrap() {
    shared_memory(2, u64::MAX - 4096);
}

#[test]
fn copies_of_every_length_at_every_alignment_touch_their_range_and_no_more() {
    let (window, host) = one_page();
    let (offsets, lengths) = if cfg!(miri) { (2, 12) } else { (65, 200) };
    let all = 8 + offsets + lengths + 8;
    let pattern: Vec<u8> = (1..=250).collect();
    for at in 8..8 + offsets {
        for len in 0..lengths {
            let around = at..at + len;
            let bytes = &pattern[..len];
            window.copy_out(at, bytes).unwrap();
            let mut back = vec![0xee; len + 2];
            window.copy_in(at, &mut back[1..=len]).unwrap().opaque(LOOK);
            assert_eq!(
                (&back[1..=len], back[0], back[len + 1]),
                (bytes, 0xee, 0xee)
            );
            let seen = host.read(TOLD, all);
            for (i, byte) in seen.iter().enumerate() {
                let expected = if around.contains(&i) {
                    pattern[i - at]
                } else {
                    0xa5
                };
                assert_eq!(*byte, expected, "{len} bytes at {at}: byte {i}");
            }
            window.clear(at, len).unwrap();
            let cleared = host.read(TOLD, all);
            let zeros = cleared.iter().filter(|byte| **byte == 0).count();
            assert_eq!(zeros, len, "{len} bytes cleared at {at}");
            host.write(TOLD, &vec![0xa5; all]);
        }
    }
}
