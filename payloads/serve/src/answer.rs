//! One request and its answer.

use alloc::format;
use alloc::string::String;

use airlock::{Folder, FolderError, FolderFile, TcpSocket, println};
use embedded_io_async::Write;
use http::Asked;

use crate::error::Error;
use crate::{Served, add};

/// What is given for a path that names a folder.
const INDEX: &str = "index.html";

/// What goes in front of a body.
struct Head {
    status: &'static str,
    kind: &'static str,
    length: u64,
    /// The field `Content-Range`.
    range: Option<String>,
}

impl Head {
    /// That of an answer without a body.
    fn bare(status: &'static str) -> Self {
        Self {
            status,
            kind: "text/plain",
            length: 0,
            range: None,
        }
    }

    async fn send(&self, socket: &mut TcpSocket) -> Result<(), Error> {
        let Self {
            status,
            kind,
            length,
            range,
        } = self;
        let mut head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
             Accept-Ranges: bytes\r\nConnection: close\r\n"
        );
        if let Some(range) = range {
            head.push_str(&format!("Content-Range: {range}\r\n"));
        }
        head.push_str("\r\n");
        socket.write_all(head.as_bytes()).await?;
        Ok(socket.flush().await?)
    }
}

/// Reads a request and answers it.
pub async fn respond(
    socket: &mut TcpSocket,
    folder: &Folder,
    served: &Served,
) -> Result<(), Error> {
    let asked = match Asked::receive(&mut *socket).await {
        Ok(Some(asked)) => asked,
        Ok(None) => return Ok(()),
        Err(http::Error::Stream(error)) => return Err(error.into()),
        Err(error) => {
            Head::bare("400 Bad Request").send(socket).await?;
            return Err(Error::Request(error));
        }
    };
    if asked.method != "GET" && asked.method != "HEAD" {
        return Head::bare("405 Method Not Allowed").send(socket).await;
    }
    let path = match &asked.path {
        path if path.is_empty() || path.ends_with('/') => format!("{path}{INDEX}"),
        path => path.clone(),
    };
    match folder.file(&path).await {
        Ok(file) => give(socket, file, &path, &asked, served).await,
        Err(FolderError::NotListed { .. }) => Head::bare("404 Not Found").send(socket).await,
        Err(error) => refuse(socket, &error).await,
    }
}

/// Says on the console what the host did, and to the client that it gets nothing.
async fn refuse(socket: &mut TcpSocket, error: &FolderError) -> Result<(), Error> {
    println!("serve: refused: {error}");
    Head::bare("502 Bad Gateway").send(socket).await
}

/// Gives what was asked for of a file.
async fn give(
    socket: &mut TcpSocket,
    mut file: FolderFile<'_>,
    path: &str,
    asked: &Asked,
    served: &Served,
) -> Result<(), Error> {
    let size = file.size();
    let (status, run) = match asked.range {
        None => ("200 OK", Some((0, size))),
        Some(range) => ("206 Partial Content", range.within(size)),
    };
    let Some((first, length)) = run else {
        let mut head = Head::bare("416 Range Not Satisfiable");
        head.range = Some(format!("bytes */{size}"));
        return head.send(socket).await;
    };
    // The first piece is there before anything is promised.
    if let Err(error) = file.read_at(first).await {
        return refuse(socket, &error).await;
    }
    let last = first.saturating_add(length).saturating_sub(1);
    let range = asked.range.map(|_| format!("bytes {first}-{last}/{size}"));
    let kind = kind(path);
    let head = Head {
        status,
        kind,
        length,
        range,
    };
    head.send(socket).await?;
    if asked.method == "GET" {
        send(socket, &mut file, (first, length), served).await?;
    }
    Ok(file.close().await?)
}

/// Sends a run of a file, piece by piece, each checked before.
async fn send(
    socket: &mut TcpSocket,
    file: &mut FolderFile<'_>,
    (first, length): (u64, u64),
    served: &Served,
) -> Result<(), Error> {
    let end = first.saturating_add(length);
    let mut at = first;
    while at < end {
        let piece = file.read_at(at).await?;
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        let piece = piece.get(..piece.len().min(left)).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        socket.write_all(piece).await?;
        at = at.saturating_add(piece.len() as u64);
        add(&served.bytes, piece.len() as u64);
    }
    Ok(socket.flush().await?)
}

/// The media type of a file by the end of its name.
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
