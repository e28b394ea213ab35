//! From an HTTP request to the broker, and back.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use log::{debug, info, warn};
use tokio::task::spawn_blocking;

use crate::protocol::{self, EVIDENCE_MEDIA_TYPE, MAX_EVIDENCE, MAX_REQUEST};
use crate::{Broker, Refusal};

/// What answering a request takes.
#[derive(Debug)]
pub(crate) struct Front {
    /// Who decides.
    pub broker: Broker,
    /// The URL that clients reach us by, without a slash at the end.
    pub endpoint: String,
    /// How long a body may take.
    pub body_time: Duration,
}

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    /// A key by its name.
    Key(String),
    /// Evidence for a challenge.
    Evidence(u32),
}

/// An answer that is not a refusal.
enum Answer {
    Challenge { id: u32, body: Vec<u8> },
    Key { body: Vec<u8> },
}

/// Answers one request. Never fails: a refusal is an answer.
pub(crate) async fn answer(
    front: Arc<Front>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    debug!("{peer}: {} {:?}", request.method(), request.uri().path());
    let response = match decide(&front, request).await {
        Ok(Answer::Challenge { id, body }) => {
            let location = format!("{}/keys/v1/evidence/{id}", front.endpoint);
            info!("Created attestation challenge at {location}");
            let mut response = respond(StatusCode::CREATED, body);
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        }
        Ok(Answer::Key { body }) => respond(StatusCode::OK, body),
        Err(refusal) => refuse(peer, refusal),
    };
    Ok(response)
}

fn refuse(peer: SocketAddr, refusal: Refusal) -> Response<Full<Bytes>> {
    warn!(
        "refused {peer}: {} {}: {refusal}",
        refusal.status(),
        refusal.kind()
    );
    let status = StatusCode::from_u16(refusal.status());
    respond(
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        protocol::refusal_answer(refusal),
    )
}

fn respond(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

async fn decide(front: &Arc<Front>, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let call = route(request.uri().path())?;
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let (limit, right_type) = match call {
        Call::Key(_) => (MAX_REQUEST, is_json(&request)),
        Call::Evidence(_) => (MAX_EVIDENCE, is_evidence(&request)),
    };
    if !right_type {
        return Err(Refusal::MediaType);
    }
    let body = body(request.into_body(), limit, front.body_time).await?;
    let front = Arc::clone(front);
    // Signatures and wrapping take milliseconds of processor time: not on a thread that serves others.
    let decided = spawn_blocking(move || front.call(call, &body)).await;
    decided.map_err(|_| Refusal::Internal)?
}

impl Front {
    fn call(&self, call: Call, body: &[u8]) -> Result<Answer, Refusal> {
        let now = Instant::now();
        match call {
            Call::Key(name) => {
                let issued = self.broker.request(&name, body, now)?;
                Ok(Answer::Challenge {
                    id: issued.id,
                    body: protocol::challenge_answer(&issued.nonce),
                })
            }
            Call::Evidence(id) => {
                let wrapped = self.broker.submit(id, body, now)?;
                Ok(Answer::Key {
                    body: protocol::key_answer(&wrapped),
                })
            }
        }
    }
}

fn route(path: &str) -> Result<Call, Refusal> {
    let call = path.strip_prefix("/keys/v1/");
    match call.and_then(|call| call.split_once('/')) {
        Some(("key", name)) if !name.contains('/') => Ok(Call::Key(name.to_owned())),
        Some(("evidence", id)) => {
            let id = id.parse().map_err(|_| Refusal::UnknownChallenge)?;
            Ok(Call::Evidence(id))
        }
        _ => Err(Refusal::NoSuchPath),
    }
}

/// The type of a body as sent, with quotes and blanks taken out, which say nothing.
fn media_type(request: &Request<Incoming>) -> String {
    let value = request.headers().get(CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok());
    bare(text.unwrap_or_default())
}

fn bare(media_type: &str) -> String {
    media_type.replace(['"', ' '], "")
}

fn is_json(request: &Request<Incoming>) -> bool {
    let media_type = media_type(request);
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
}

fn is_evidence(request: &Request<Incoming>) -> bool {
    media_type(request).eq_ignore_ascii_case(&bare(EVIDENCE_MEDIA_TYPE))
}

/// Reads a whole body, if it is not too long and does not take too long.
async fn body(body: Incoming, limit: usize, time: Duration) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::TooLong { limit });
    }
    let whole = tokio::time::timeout(time, Limited::new(body, limit).collect());
    match whole.await {
        Err(_) => Err(Refusal::TooSlow),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLong { limit }),
        Ok(Err(_)) => Err(Refusal::CutShort),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_calls() {
        assert_eq!(route("/keys/v1/key/a"), Ok(Call::Key("a".into())));
        assert_eq!(route("/keys/v1/evidence/7"), Ok(Call::Evidence(7)));
        for path in [
            "/",
            "",
            "/keys/v1/key",
            "/keys/v1/key/a/b",
            "/keys/v2/key/a",
        ] {
            assert_eq!(route(path), Err(Refusal::NoSuchPath), "{path}");
        }
        for id in ["", "-1", "4294967296", "x"] {
            let path = format!("/keys/v1/evidence/{id}");
            assert_eq!(route(&path), Err(Refusal::UnknownChallenge), "{path}");
        }
    }
}
