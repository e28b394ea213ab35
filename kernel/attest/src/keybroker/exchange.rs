//! One request over one connection, within its limits.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::{future::Future, time::Duration};

use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use http::Request;

use crate::keybroker::{
    connector::{ConnectError, Connector},
    endpoint::Endpoint,
    error::{Error, Step},
    limits::Limits,
};

/// What is posted, and where.
pub(crate) struct Post<'a> {
    /// The path on the endpoint.
    pub path: &'a str,
    /// The media type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// What came back.
pub(crate) struct Answer {
    /// The status.
    pub status: u16,
    /// The field `Location`, if it is text.
    pub location: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Posts over a connection of its own and reads the whole answer.
pub(crate) async fn exchange<N: Connector>(
    network: &N,
    endpoint: &Endpoint,
    limits: Limits,
    step: Step,
    post: Post<'_>,
) -> Result<Answer, Error> {
    let connect = network.connect(endpoint.host(), endpoint.port());
    let mut stream = within(network, limits.connect, connect)
        .await
        .ok_or(Error::NotThere(ConnectError::TimedOut))??;
    let limit = limits.answer;
    within(network, limit, talk(&mut stream, endpoint, limits, post))
        .await
        .ok_or(Error::TimedOut { step, limit })?
        .map_err(|broken| match broken {
            Broken::Lost => Error::Lost { step },
            Broken::NotHttp => Error::NotHttp { step },
        })
}

/// What `work` returns, or `None` if it takes longer than `limit`.
async fn within<N: Connector, T>(
    network: &N,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    match select(work, network.sleep(limit)).await {
        Either::First(done) => Some(done),
        Either::Second(()) => None,
    }
}

/// How an exchange ends without an answer.
enum Broken {
    Lost,
    NotHttp,
}

impl<E> From<http::Error<E>> for Broken {
    fn from(error: http::Error<E>) -> Self {
        match error {
            http::Error::Stream(_) | http::Error::NoResponse | http::Error::Truncated => Self::Lost,
            _ => Self::NotHttp,
        }
    }
}

async fn talk<S: Read + Write>(
    stream: &mut S,
    endpoint: &Endpoint,
    limits: Limits,
    post: Post<'_>,
) -> Result<Answer, Broken> {
    let host = endpoint.authority();
    let request = Request::post(&host, post.path, post.content_type, post.body);
    let mut response = http::send(stream, &request).await?;
    let body = response.read_to_end(limits.body).await?;
    Ok(Answer {
        status: response.status(),
        location: response.field("Location").map(ToOwned::to_owned),
        body,
    })
}
