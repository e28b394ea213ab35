//! One thing that is not as it should be.

use std::fmt;

/// One thing that is not as it should be, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    place: String,
    line: Option<usize>,
    text: String,
}

impl Finding {
    /// Something about a whole file or package.
    pub fn at(place: &str, text: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            line: None,
            text: text.into(),
        }
    }

    /// Something in one line, counted from 1.
    pub fn in_line(place: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::at(place, text)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.place, self.text),
            None => write!(f, "{}: {}", self.place, self.text),
        }
    }
}
