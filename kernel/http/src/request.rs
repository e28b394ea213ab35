//! What a client says.

use alloc::{format, vec::Vec};

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// To read.
    Get,
    /// To hand over a body.
    Post,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    method: Method,
    host: &'a str,
    target: &'a str,
    fields: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads `target`, a path that may have a query, from `host`, a name or address that may have
    /// a port.
    pub const fn get(host: &'a str, target: &'a str) -> Self {
        Self {
            method: Method::Get,
            host,
            target,
            fields: Vec::new(),
            body: &[],
        }
    }

    /// Hands `body` over to `target` on `host`.
    pub fn post(host: &'a str, target: &'a str, content_type: &'a str, body: &'a [u8]) -> Self {
        Self {
            method: Method::Post,
            host,
            target,
            fields: Vec::from([("Content-Type", content_type)]),
            body,
        }
    }

    /// Adds a field to the head.
    #[must_use]
    pub fn with_field(mut self, name: &'a str, value: &'a str) -> Self {
        self.fields.push((name, value));
        self
    }

    /// What follows the head.
    pub(crate) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The head as it goes over the wire; `None` when a part of it would break out of its place.
    ///
    /// Ref: RFC 9112, 3 "Request Line" and 5 "Field Syntax".
    pub(crate) fn head(&self) -> Option<Vec<u8>> {
        let rooted = self.target.starts_with('/');
        if !rooted || !is_visible(self.target) || self.host.is_empty() || !is_visible(self.host) {
            return None;
        }
        let method = match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let mut head = format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.target, self.host
        );
        for (name, value) in &self.fields {
            if !is_token(name) || !is_field_value(value) {
                return None;
            }
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.method == Method::Post {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        Some(head.into_bytes())
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_field_value(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_says_how_long_its_body_is() {
        let request = Request::post("kbs:8080", "/kbs/v0/auth", "application/json", b"{}")
            .with_field("Cookie", "session=1");
        let head = "POST /kbs/v0/auth HTTP/1.1\r\nHost: kbs:8080\r\nConnection: close\r\n\
                    Content-Type: application/json\r\nCookie: session=1\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(request.head().unwrap(), head.as_bytes());
    }

    #[test]
    fn nothing_breaks_out_of_its_place() {
        let wrong = [
            Request::get("host", "/a b"),
            Request::get("host", "/a\r\nX: y"),
            Request::get("host", "a"),
            Request::get("ho\nst", "/"),
            Request::get("", "/"),
            Request::get("host", "/").with_field("A b", "c"),
            Request::get("host", "/").with_field("A", "b\r\nC: d"),
        ];
        for request in wrong {
            assert_eq!(request.head(), None, "{request:?}");
        }
    }
}
