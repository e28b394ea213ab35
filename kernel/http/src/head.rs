//! The head of a response.

use alloc::{string::String, vec::Vec};

use crate::{Error, MAX_FIELDS};

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// Status, fields and framing of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub status: u16,
    pub framing: Framing,
    fields: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// Parses a head at the start of `bytes`; gives it with its length. `None` when there is more
    /// to come.
    pub fn parse<E>(bytes: &[u8]) -> Result<Option<(Self, usize)>, Error<E>> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let len = match response.parse(bytes) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Error::HeadTooLong),
            Err(_) => return Err(Error::BadHead),
        };
        let status = response.code.ok_or(Error::BadHead)?;
        let fields = response
            .headers
            .iter()
            .map(|field| (String::from(field.name), field.value.to_vec()))
            .collect();
        let mut head = Self {
            status,
            framing: Framing::Close,
            fields,
        };
        head.framing = head.find_framing()?;
        Ok(Some((head, len)))
    }

    /// The value of the first field called `name`, in any case of letters, if it is text.
    pub fn field(&self, name: &str) -> Option<&str> {
        let value = self.values(name).next()?;
        core::str::from_utf8(value).ok().map(str::trim)
    }

    fn values<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.fields
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// Whether another head follows this one.
    pub const fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// Ref: RFC 9112, 6.3 "Message Body Length". A head with both a length and a transfer encoding
    /// is refused, which that section allows: it is how requests are smuggled.
    fn find_framing<E>(&self) -> Result<Framing, Error<E>> {
        if self.is_interim() || self.status == 204 || self.status == 304 {
            return Ok(Framing::Length(0));
        }
        let mut encodings = self.values("Transfer-Encoding");
        let length = self.length()?;
        match (encodings.next(), encodings.next(), length) {
            (None, _, Some(length)) => Ok(Framing::Length(length)),
            (None, _, None) => Ok(Framing::Close),
            (Some(_), _, Some(_)) => Err(Error::BadFraming),
            (Some(only), None, None) if only.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                Ok(Framing::Chunked)
            }
            (Some(_), _, None) => Err(Error::UnknownEncoding),
        }
    }

    /// The length that all fields of that name agree on.
    fn length<E>(&self) -> Result<Option<u64>, Error<E>> {
        let mut length = None;
        for value in self.values("Content-Length") {
            let value = decimal(value.trim_ascii()).ok_or(Error::BadFraming)?;
            if length.is_some_and(|known| known != value) {
                return Err(Error::BadFraming);
            }
            length = Some(value);
        }
        Ok(length)
    }
}

/// Digits and nothing else: no sign, no spaces, no lists.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(fields: &str) -> Result<Framing, Error<()>> {
        let head = alloc::format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        Head::parse(head.as_bytes()).map(|parsed| parsed.unwrap().0.framing)
    }

    #[test]
    fn a_length_a_chunked_body_and_neither_are_told_apart() {
        assert_eq!(framing("Content-Length: 7\r\n"), Ok(Framing::Length(7)));
        assert_eq!(
            framing("transfer-encoding: Chunked\r\n"),
            Ok(Framing::Chunked)
        );
        assert_eq!(framing(""), Ok(Framing::Close));
    }

    #[test]
    fn unclear_framing_is_refused() {
        for fields in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: +7\r\n",
            "Content-Length: 7, 7\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: \r\n",
        ] {
            assert_eq!(framing(fields), Err(Error::BadFraming), "{fields}");
        }
    }

    #[test]
    fn only_chunked_is_understood() {
        for fields in [
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(framing(fields), Err(Error::UnknownEncoding), "{fields}");
        }
    }

    #[test]
    fn half_a_head_is_not_an_error() {
        assert_eq!(Head::parse::<()>(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None));
    }

    #[test]
    fn a_head_with_too_many_fields_is_refused() {
        let fields = "A: b\r\n".repeat(MAX_FIELDS + 1);
        assert_eq!(framing(&fields), Err(Error::HeadTooLong));
    }
}
