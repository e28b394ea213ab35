//! No memory that the client gives back still holds the key.
//!
//! An allocator looks at each block that is freed, for the key as it reads and for the key backwards,
//! as it stands in a number of many words.
// UNSAFETY: an allocator that looks into the blocks it is given back.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should say so, loudly"
)]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::alloc::{GlobalAlloc, Layout, System};

use attest::keybroker::{Client, Endpoint, Wrapping};
use base64ct::{Base64UrlUnpadded, Encoding};
use chacha20::ChaCha20Rng;
use embassy_futures::block_on;
use rand_core::SeedableRng;
use rsa::{BoxedUint, Oaep, Pkcs1v15Encrypt, RsaPublicKey};
use serde_json::Value;
use sha2::Sha256;
use testkit::{
    attestation::{TickingClock, token_of},
    broker::{BrokerNetwork, Reaction, Request},
};

const SECRET: &[u8; 26] = b"May the force be with you.";
const TOKEN: [u8; 4] = [0xd9, 0x01, 0x8f, 0xa0];

#[global_allocator]
static ALLOCATOR: Watching = Watching;
static WATCH: AtomicBool = AtomicBool::new(false);
static FOUND: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which looks for the key in what it is given back.
struct Watching;

// SAFETY: each block comes from and goes to `System`, with the layout that the caller names.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `alloc`, which are the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCH.load(SeqCst) {
            // SAFETY: the caller gives the block back, so that it is ours, `size` bytes long, and
            // has been written since `alloc` made it zero.
            let bytes = unsafe { core::slice::from_raw_parts(block, layout.size()) };
            look_at(bytes);
        }
        // SAFETY: the caller keeps the promises of `dealloc`, which are the same.
        unsafe { System.dealloc(block, layout) }
    }
}

fn look_at(bytes: &[u8]) {
    let holds = |part: &[u8]| part.iter().eq(SECRET.iter()) || part.iter().rev().eq(SECRET.iter());
    if bytes.windows(SECRET.len()).any(holds) {
        FOUND.fetch_add(1, SeqCst);
    }
}

/// The second answer of a broker: the key, wrapped as the first request asks. Not watched.
fn wrapped(request: &Request) -> Reaction {
    let json: Value = serde_json::from_slice(&request.body).unwrap();
    let number = |name: &str, bits| {
        let text = json["pubkey"][name].as_str().unwrap();
        BoxedUint::from_be_slice(&Base64UrlUnpadded::decode_vec(text).unwrap(), bits).unwrap()
    };
    let key = RsaPublicKey::new(number("n", 2048), number("e", 64)).unwrap();
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let cipher = match json["pubkey"]["alg"].as_str().unwrap() {
        "RSA-OAEP" => key.encrypt(&mut rng, Oaep::<Sha256>::new(), SECRET),
        _ => key.encrypt(&mut rng, Pkcs1v15Encrypt, SECRET),
    };
    let data = Base64UrlUnpadded::encode_string(&cipher.unwrap());
    answer("", &format!(r#"{{"data":"{data}"}}"#))
}

fn answer(fields: &str, body: &str) -> Reaction {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{fields}\r\n");
    Reaction::Send((head + body).into_bytes())
}

fn broker() -> BrokerNetwork {
    let mut first = None;
    BrokerNetwork::new(64, move |request| {
        WATCH.store(false, SeqCst);
        let reaction = match first.take() {
            None => {
                first = Some(request.clone());
                let challenge = Base64UrlUnpadded::encode_string(&[1; 64]);
                let body = format!(r#"{{"challenge":"{challenge}"}}"#);
                answer("Location: /keys/v1/evidence/1\r\n", &body)
            }
            Some(first) => wrapped(&first),
        };
        WATCH.store(true, SeqCst);
        reaction
    })
}

fn found_after(wrapping: Wrapping) -> usize {
    let network = broker();
    let clock = TickingClock::default();
    let endpoint = Endpoint::parse("http://broker").unwrap();
    let client = Client::new(endpoint, &network, &clock)
        .with_wrapping(wrapping)
        .answering_any_challenge();
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    FOUND.store(0, SeqCst);
    WATCH.store(true, SeqCst);
    let released =
        block_on(client.get_key("skywalker", &mut rng, |c| token_of(&TOKEN, c))).unwrap();
    assert_eq!(released.key.expose(), SECRET);
    drop(released);
    WATCH.store(false, SeqCst);
    FOUND.load(SeqCst)
}

#[test]
fn no_block_is_given_back_with_the_key_in_it() {
    for wrapping in [Wrapping::Oaep, Wrapping::Pkcs1v15] {
        assert_eq!(found_after(wrapping), 0, "{wrapping}");
    }
    WATCH.store(true, SeqCst);
    drop(SECRET.to_vec());
    WATCH.store(false, SeqCst);
    assert_eq!(FOUND.load(SeqCst), 1, "a key that is left behind is seen");
}
