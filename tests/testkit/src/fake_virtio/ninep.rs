//! A folder of the host in small: a server of 9P2000.L that is honest until it is told otherwise.

use std::collections::BTreeMap;

use super::{Personality, Ring};

/// Changes an answer on its way out: the kind of the request, and the whole answer.
pub type AnswerLie = Box<dyn FnMut(u8, Vec<u8>) -> Vec<u8>>;

/// A folder of files in memory. Folders are the parts of paths that others begin with.
pub struct FakeNineP {
    /// What the device is called.
    pub name: Vec<u8>,
    /// What the configuration says of the name's length instead.
    pub name_len: Option<u16>,
    /// Whether the name reads as empty until FEATURES_OK.
    pub shy: bool,
    /// Content by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Paths that are symbolic links.
    pub links: Vec<String>,
    /// Folders without a file in them.
    pub folders: Vec<String>,
    /// Bytes that it agrees to have in a message.
    pub most: u32,
    /// What it makes of its answers.
    pub lie: Option<AnswerLie>,
    /// Numbers that are in use, and the paths behind them.
    pub fids: BTreeMap<u32, String>,
    /// Kinds of the requests so far.
    pub log: Vec<u8>,
}

impl FakeNineP {
    /// An empty folder called `name`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            name_len: None,
            shy: false,
            files: BTreeMap::new(),
            links: Vec::new(),
            folders: Vec::new(),
            most: u32::MAX,
            lie: None,
            fids: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// The same, with a file.
    #[must_use]
    pub fn with(mut self, path: &str, content: &[u8]) -> Self {
        self.files.insert(path.to_owned(), content.to_vec());
        self
    }

    /// Answers a message.
    pub fn answer(&mut self, message: &[u8]) -> Vec<u8> {
        let kind = message.get(4).copied().unwrap_or(0);
        let tag = message.get(5..7).unwrap_or(&[0, 0]).to_vec();
        self.log.push(kind);
        let (answer, body) = match self.body(kind, &mut Fields(&message[7.min(message.len())..])) {
            Ok(body) => (kind + 1, body),
            Err(errno) => (7, u32::to_le_bytes(errno).to_vec()),
        };
        let size = (7 + body.len()) as u32;
        let whole = [&size.to_le_bytes()[..], &[answer], &tag, &body].concat();
        match &mut self.lie {
            Some(lie) => lie(kind, whole),
            None => whole,
        }
    }

    fn body(&mut self, kind: u8, fields: &mut Fields<'_>) -> Result<Vec<u8>, u32> {
        match kind {
            100 => Ok(self.version(fields.word())),
            104 => {
                let fid = fields.word();
                self.fids.clear();
                self.fids.insert(fid, String::new());
                Ok(qid(0x80))
            }
            110 => self.walk(fields),
            12 => {
                let (path, flags) = (self.path(fields.word())?, fields.word());
                if flags & 0o1000 != 0 {
                    self.files.get_mut(&path).ok_or(21_u32)?.clear();
                }
                Ok([qid(self.kind(&path).ok_or(2_u32)?), vec![0; 4]].concat())
            }
            14 | 72 => self.make(kind, fields),
            76 => {
                let (folder, name) = (self.path(fields.word())?, fields.text());
                let path = join(&folder, &name);
                let known = self.files.remove(&path).is_some() | remove(&mut self.folders, &path);
                let known = known | remove(&mut self.links, &path);
                known.then(Vec::new).ok_or(2)
            }
            24 => {
                let path = self.path(fields.word())?;
                let size = self.files.get(&path).map_or(0, Vec::len) as u64;
                let kind = self.kind(&path).ok_or(2_u32)?;
                let front = [&[0; 8][..], &qid(kind), &[0; 28]].concat();
                Ok([&front[..], &size.to_le_bytes(), &[0; 96]].concat())
            }
            40 => self.list(fields),
            116 => self.read(fields),
            118 => self.write(fields),
            50 => self.path(fields.word()).map(|_| Vec::new()),
            120 => {
                let known = self.fids.remove(&fields.word()).is_some();
                known.then(Vec::new).ok_or(9)
            }
            _ => Err(95),
        }
    }

    fn version(&mut self, asked: u32) -> Vec<u8> {
        self.fids.clear();
        let agreed = asked.min(self.most);
        [&agreed.to_le_bytes()[..], &[8, 0], b"9P2000.L"].concat()
    }

    fn walk(&mut self, fields: &mut Fields<'_>) -> Result<Vec<u8>, u32> {
        let (mut path, to) = (self.path(fields.word())?, fields.word());
        let mut steps = Vec::new();
        let count = fields.half();
        for step in 0..count {
            path = join(&path, &fields.text());
            match self.kind(&path) {
                Some(kind) => steps.push(qid(kind)),
                None if step == 0 => return Err(2),
                None => break,
            }
        }
        if steps.len() == usize::from(count) {
            if self.fids.contains_key(&to) {
                return Err(22);
            }
            self.fids.insert(to, path);
        }
        let answered = (steps.len() as u16).to_le_bytes();
        Ok([&answered[..], &steps.concat()].concat())
    }

    fn make(&mut self, kind: u8, fields: &mut Fields<'_>) -> Result<Vec<u8>, u32> {
        let fid = fields.word();
        let path = join(&self.path(fid)?, &fields.text());
        if self.kind(&path).is_some() {
            return Err(17);
        }
        if kind == 72 {
            self.folders.push(path);
            return Ok(qid(0x80));
        }
        self.files.insert(path.clone(), Vec::new());
        self.fids.insert(fid, path);
        Ok([qid(0), vec![0; 4]].concat())
    }

    fn list(&mut self, fields: &mut Fields<'_>) -> Result<Vec<u8>, u32> {
        let (folder, offset) = (self.path(fields.word())?, fields.long());
        let room = fields.word() as usize;
        let mut names = vec![String::from("."), String::from("..")];
        let all = self.files.keys().chain(&self.links).chain(&self.folders);
        for path in all {
            let inside = path.strip_prefix(&folder).unwrap_or_default();
            let name = inside.trim_start_matches('/').split('/').next();
            let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
            names.extend(name.filter(|name| !names.contains(name)));
        }
        let mut data = Vec::new();
        for (at, name) in names.iter().enumerate().skip(offset as usize) {
            let kind = self.kind(&join(&folder, name)).unwrap_or(0x80);
            let next = (at as u64 + 1).to_le_bytes();
            let len = (name.len() as u16).to_le_bytes();
            let entry = [&qid(kind)[..], &next, &[0], &len, name.as_bytes()].concat();
            if data.len() + entry.len() > room {
                break;
            }
            data.extend(entry);
        }
        Ok(counted(&data))
    }

    fn read(&mut self, fields: &mut Fields<'_>) -> Result<Vec<u8>, u32> {
        let path = self.path(fields.word())?;
        let (offset, count) = (fields.long() as usize, fields.word() as usize);
        let content = self.files.get(&path).ok_or(21_u32)?;
        let rest = content.get(offset..).unwrap_or_default();
        Ok(counted(&rest[..rest.len().min(count)]))
    }

    fn write(&mut self, fields: &mut Fields<'_>) -> Result<Vec<u8>, u32> {
        let path = self.path(fields.word())?;
        let (offset, count) = (fields.long() as usize, fields.word() as usize);
        let data = fields.take(count);
        let content = self.files.get_mut(&path).ok_or(21_u32)?;
        content.resize(content.len().max(offset + data.len()), 0);
        content[offset..offset + data.len()].copy_from_slice(data);
        Ok((data.len() as u32).to_le_bytes().to_vec())
    }

    fn path(&self, fid: u32) -> Result<String, u32> {
        self.fids.get(&fid).cloned().ok_or(9)
    }

    /// The kind of `path`, if there is something.
    fn kind(&self, path: &str) -> Option<u8> {
        let below = format!("{path}/");
        if self.links.iter().any(|link| link == path) {
            Some(0x02)
        } else if self.files.contains_key(path) {
            Some(0)
        } else {
            let mut all = self.files.keys().chain(&self.links);
            let folder = path.is_empty()
                || self.folders.iter().any(|folder| folder == path)
                || all.any(|known| known.starts_with(&below));
            folder.then_some(0x80)
        }
    }
}

impl Personality for FakeNineP {
    fn kind(&self) -> u16 {
        9
    }

    fn class(&self) -> u32 {
        0x01_8000
    }

    fn features(&self) -> u64 {
        1
    }

    fn queues(&self) -> usize {
        1
    }

    fn config(&self, at: u64, ready: bool) -> u8 {
        let shown = ready || !self.shy;
        let len = self.name_len.unwrap_or(self.name.len() as u16);
        let len = if shown { len } else { 0 };
        match at {
            0 | 1 => len.to_le_bytes()[at as usize],
            _ => self.name.get(at as usize - 2).copied().unwrap_or(0),
        }
    }

    fn process(&mut self, _index: usize, ring: &mut Ring<'_>) {
        while let Some(chain) = ring.take() {
            let message = ring.read(&chain);
            let answer = self.answer(&message);
            let written = ring.write(&chain, &answer);
            ring.complete(&chain, written as u32);
        }
    }
}

/// The fields of a message; zeros behind its end.
struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    fn take(&mut self, len: usize) -> &'m [u8] {
        let (now, later) = self.0.split_at(len.min(self.0.len()));
        self.0 = later;
        now
    }

    fn long(&mut self) -> u64 {
        let bytes = self.take(8).iter().rev();
        bytes.fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn word(&mut self) -> u32 {
        let bytes = self.take(4).iter().rev();
        bytes.fold(0, |value, byte| value << 8 | u32::from(*byte))
    }

    fn half(&mut self) -> u16 {
        let bytes = self.take(2).iter().rev();
        bytes.fold(0, |value, byte| value << 8 | u16::from(*byte))
    }

    fn text(&mut self) -> String {
        let len = usize::from(self.half());
        String::from_utf8_lossy(self.take(len)).into_owned()
    }
}

fn qid(kind: u8) -> Vec<u8> {
    let mut qid = vec![0; 13];
    qid[0] = kind;
    qid
}

fn counted(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32).to_le_bytes()[..], data].concat()
}

fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

fn remove(paths: &mut Vec<String>, path: &str) -> bool {
    let before = paths.len();
    paths.retain(|known| known != path);
    paths.len() != before
}
