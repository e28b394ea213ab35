//! What a client of ours asks for: the head of its request.

use alloc::string::String;
use alloc::vec::Vec;

use embedded_io_async::Read;

use crate::buffered::Buffered;
use crate::{Error, MAX_FIELDS};

/// A request for something, read and checked. It has no body: one that has is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its method, as it came: `GET`.
    pub method: String,
    /// Its path, decoded, without `/` in front and without a query.
    pub path: String,
    /// The run of bytes that it is for, if it is for one.
    pub range: Option<ByteRange>,
}

/// A run of bytes that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From a byte to another, both in it, or to the end.
    From {
        /// The first.
        first: u64,
        /// The last.
        last: Option<u64>,
    },
    /// So many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// Reads the value of the field `Range`; `None` for what is no single run of bytes, which is
    /// answered as if it were not there.
    ///
    /// Ref: RFC 9110, 14.1.2 "Byte Ranges" and 14.2 "Range".
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u64>().ok(),
            false => None,
        };
        match (first, last) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => {
                let first = number(first)?;
                Some(Self::From { first, last: None })
            }
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                let last = Some(last);
                (Some(first) <= last).then_some(Self::From { first, last })
            }
        }
    }

    /// Where it begins and how many bytes it has in something of `size` bytes; `None` if there are none.
    pub fn within(self, size: u64) -> Option<(u64, u64)> {
        let (first, end) = match self {
            Self::From { first, last } => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                (first, end)
            }
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        let len = end.checked_sub(first)?;
        (len != 0).then_some((first, len))
    }
}

impl Asked {
    /// Reads the head of a request from `stream`; `None` if the client goes away before it says anything.
    ///
    /// # Errors
    ///
    /// [`Error::HeadTooLong`], [`Error::BadHead`], [`Error::BadFraming`] for a body, [`Error::Stream`].
    pub async fn receive<S: Read>(stream: S) -> Result<Option<Self>, Error<S::Error>> {
        let mut stream = Buffered::new(stream);
        loop {
            if let Some(asked) = Self::parse(stream.pending())? {
                return Ok(Some(asked));
            }
            if !stream.fill().await? {
                return match stream.pending() {
                    [] => Ok(None),
                    _ => Err(Error::BadHead),
                };
            }
        }
    }

    /// Parses a head; `None` if there is more to come.
    pub(crate) fn parse<E>(bytes: &[u8]) -> Result<Option<Self>, Error<E>> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Error::HeadTooLong),
            Err(_) => return Err(Error::BadHead),
        }
        let values = |name: &'static str| {
            let fields = request.headers.iter();
            let fields = fields.filter(move |field| field.name.eq_ignore_ascii_case(name));
            fields.filter_map(|field| core::str::from_utf8(field.value).ok())
        };
        let has_body = values("Content-Length").any(|length| length.trim() != "0")
            || values("Transfer-Encoding").next().is_some();
        if has_body {
            return Err(Error::BadFraming);
        }
        let mut ranges = values("Range");
        // Two of them are none that we know.
        let range = ranges.next().filter(|_| ranges.next().is_none());
        Ok(Some(Self {
            method: String::from(request.method.ok_or(Error::BadHead)?),
            path: decode(request.path.ok_or(Error::BadHead)?).ok_or(Error::BadHead)?,
            range: range.and_then(ByteRange::parse),
        }))
    }
}

/// The path of a request's target, decoded.
///
/// Ref: RFC 9112, 3.2.1 "origin-form"; RFC 3986, 2.1 "Percent-Encoding".
fn decode(target: &str) -> Option<String> {
    let path = target.strip_prefix('/')?;
    let path = path.split(['?', '#']).next()?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn parse(head: &str) -> Result<Option<Asked>, Error<()>> {
        Asked::parse(head.as_bytes())
    }

    fn path(target: &str) -> Option<String> {
        let asked = parse(&format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        Some(asked.ok()??.path)
    }

    #[test]
    fn a_path_is_decoded_and_has_no_query() {
        assert_eq!(path("/").as_deref(), Some(""));
        assert_eq!(path("/a/b%20c.html?x=%2f").as_deref(), Some("a/b c.html"));
        assert_eq!(path("/%2e%2e/a").as_deref(), Some("../a"));
        for wrong in ["*", "http://x/", "/%", "/%2", "/%zz", "/%ff"] {
            assert_eq!(path(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_range_is_one_run_of_bytes_or_nothing() {
        let from = |first, last| Some(ByteRange::From { first, last });
        assert_eq!(ByteRange::parse("bytes=0-0"), from(0, Some(0)));
        assert_eq!(ByteRange::parse("bytes=5-"), from(5, None));
        assert_eq!(ByteRange::parse("bytes=-7"), Some(ByteRange::Last(7)));
        for wrong in [
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=+1-2",
            "bytes=0-1,3-4",
            "lines=0-1",
        ] {
            assert_eq!(ByteRange::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_range_is_cut_at_the_end_and_empty_ones_are_none() {
        let within = |text, size| ByteRange::parse(text).unwrap().within(size);
        assert_eq!(within("bytes=2-3", 10), Some((2, 2)));
        assert_eq!(within("bytes=8-100", 10), Some((8, 2)));
        assert_eq!(within("bytes=8-18446744073709551615", 10), Some((8, 2)));
        assert_eq!(within("bytes=-4", 10), Some((6, 4)));
        assert_eq!(within("bytes=-40", 10), Some((0, 10)));
        for none in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert_eq!(within(none, 10), None, "{none}");
        }
        assert_eq!(within("bytes=0-", 0), None);
    }

    #[test]
    fn a_request_with_a_body_is_refused() {
        for field in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            let head = format!("POST / HTTP/1.1\r\n{field}\r\n\r\n");
            assert_eq!(parse(&head), Err(Error::BadFraming));
        }
        assert!(parse("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").is_ok());
        assert_eq!(parse("GET / HTTP/1.1\r\n"), Ok(None));
        assert_eq!(parse("\u{1}"), Err(Error::BadHead));
    }
}
