//! Buffers that move between users and drivers.

use bounce::Buffer;

#[test]
fn a_buffer_knows_whether_it_has_bytes() {
    assert!(Buffer::on_heap(0).is_empty());
    assert!(!Buffer::on_heap(1).is_empty());
}

#[test]
fn what_is_printed_of_a_buffer_says_nothing_of_its_content() {
    let mut buffer = Buffer::on_heap(3);
    buffer.bytes_mut().copy_from_slice(b"key");
    assert_eq!(format!("{buffer:?}"), "Buffer of 3 bytes");
}
