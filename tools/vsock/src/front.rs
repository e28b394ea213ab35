//! What QEMU asks for, and what it is answered.
//!
//! Ref: QEMU, `docs/interop/vhost-user.rst`, "Front-end message types".

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail, ensure};
use vm_memory::Permissions;

use crate::device::{Device, RINGS};
use crate::memory::Region;
use crate::message::{self, Message};
use crate::ring::{Places, Ring};
use crate::translations::Miss;

const INDIRECT_DESCRIPTORS: u64 = 1 << 28;
const EVENT_INDEX: u64 = 1 << 29;
const PROTOCOL_FEATURES: u64 = 1 << 30;
const VERSION_1: u64 = 1 << 32;
const ACCESS_PLATFORM: u64 = 1 << 33;
/// What the device can.
const FEATURES: u64 =
    INDIRECT_DESCRIPTORS | EVENT_INDEX | PROTOCOL_FEATURES | VERSION_1 | ACCESS_PLATFORM;

const MANY_QUEUES: u64 = 1;
const REPLY_ACK: u64 = 1 << 3;
const BACKEND_REQUESTS: u64 = 1 << 5;
const CONFIGURATION: u64 = 1 << 9;
/// What we can: QEMU gives translations to nobody who lacks the second and the third.
const PROTOCOL: u64 = MANY_QUEUES | REPLY_ACK | BACKEND_REQUESTS | CONFIGURATION;

/// Our request: a translation.
const BACKEND_IOTLB: u32 = 1;
const IOTLB_MISS: u8 = 1;
const IOTLB_UPDATE: u8 = 2;
const IOTLB_INVALIDATE: u8 = 3;

/// The most regions of memory in a table.
const MOST_REGIONS: u32 = 8;
/// A ring's number in the word that comes with its descriptor, and the flag that there is none.
const RING_NUMBER: u64 = 0xff;
const NO_DESCRIPTOR: u64 = 0x100;

/// What a request is answered.
enum Answer {
    /// That it was done, if QEMU wants to know.
    Done,
    Word(u64),
    Bytes(Vec<u8>),
}

/// QEMU's end of the talk.
pub struct Front {
    stream: UnixStream,
    /// Where we ask for translations.
    requests: Option<UnixStream>,
    cid: u64,
    features: u64,
    protocol: u64,
}

impl Front {
    /// Begins to talk.
    pub fn new(stream: UnixStream, cid: u64) -> Self {
        Self {
            stream,
            requests: None,
            cid,
            features: 0,
            protocol: 0,
        }
    }

    /// What QEMU is heard by.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Takes one message; `false` once QEMU has gone.
    ///
    /// # Errors
    /// QEMU says something that cannot be done, and does not want to know; or the talk breaks.
    pub fn take(&mut self, device: &mut Device) -> Result<bool> {
        let Some(mut message) = Message::read(&mut self.stream)? else {
            return Ok(false);
        };
        let request = message.request;
        let answer = self
            .answer(&mut message, device)
            .with_context(|| format!("request {request} of vhost-user"));
        let is_acknowledged = message.need_reply && self.protocol & REPLY_ACK != 0;
        let word = match answer {
            Ok(Answer::Bytes(bytes)) => {
                return message::reply(&mut self.stream, request, &bytes).map(|()| true);
            }
            Ok(Answer::Word(word)) => word,
            Ok(Answer::Done) if is_acknowledged => 0,
            Ok(Answer::Done) => return Ok(true),
            Err(error) if !is_acknowledged => return Err(error),
            Err(_) => 1,
        };
        message::reply(&mut self.stream, request, &word.to_le_bytes())?;
        Ok(true)
    }

    /// Asks for translations.
    ///
    /// # Errors
    /// QEMU gave us nowhere to ask, or does not listen.
    pub fn ask(&mut self, missed: &[Miss]) -> Result<()> {
        for miss in missed {
            let requests = self.requests.as_mut();
            let requests = requests
                .context("QEMU wants translations to be asked for, and takes no requests")?;
            let access: u8 = if miss.access.has_write() { 3 } else { 1 };
            let words = [
                miss.address,
                1,
                0,
                u64::from_le_bytes([access, IOTLB_MISS, 0, 0, 0, 0, 0, 0]),
            ];
            let body = words.map(u64::to_le_bytes).concat();
            message::say(requests, BACKEND_IOTLB, &body)?;
        }
        Ok(())
    }

    fn answer(&mut self, message: &mut Message, device: &mut Device) -> Result<Answer> {
        let mut fields = message.fields();
        match message.request {
            1 => return Ok(Answer::Word(FEATURES)),
            2 => self.set_features(fields.u64()?, device)?,
            // SET_OWNER, RESET_OWNER: there is nobody else.
            3 | 4 => {}
            5 => set_memory(message, device)?,
            8 => {
                let (index, size) = (fields.u32()?, fields.u32()?);
                ring(device, index.into())?.set_size(size)?;
            }
            9 => set_places(message, device)?,
            10 => {
                let (index, next) = (fields.u32()?, fields.u32()?);
                ring(device, index.into())?.set_next(u16::try_from(next)?);
            }
            11 => return stop(fields.u32()?, device),
            12 => {
                let word = fields.u64()?;
                self.start(word, message.file()?, device)?;
            }
            13 => {
                let word = fields.u64()?;
                let call = (word & NO_DESCRIPTOR == 0).then(|| message.file());
                ring(device, word & RING_NUMBER)?.call = call.transpose()?;
            }
            // SET_VRING_ERR: what is wrong is said to the user.
            14 => {}
            15 => return Ok(Answer::Word(PROTOCOL)),
            16 => self.protocol = fields.u64()? & PROTOCOL,
            17 => return Ok(Answer::Word(RINGS as u64)),
            18 => {
                let (index, enabled) = (fields.u32()?, fields.u32()?);
                ring(device, index.into())?.enabled = enabled != 0;
            }
            21 => {
                let requests = UnixStream::from(message.file()?);
                requests.set_write_timeout(Some(message::PATIENCE))?;
                self.requests = Some(requests);
            }
            22 => translate(message, device)?,
            24 => return self.configuration(message),
            other => bail!("nobody here knows it ({other})"),
        }
        Ok(Answer::Done)
    }

    fn set_features(&mut self, features: u64, device: &mut Device) -> Result<()> {
        ensure!(
            features & !FEATURES == 0,
            "features that were not offered: {:#x}",
            features & !FEATURES
        );
        self.features = features;
        device
            .memory
            .set_translated(features & ACCESS_PLATFORM != 0);
        device.translated();
        Ok(())
    }

    /// A ring runs from when it can be kicked.
    fn start(&mut self, word: u64, kick: OwnedFd, device: &mut Device) -> Result<()> {
        ensure!(
            word & NO_DESCRIPTOR == 0,
            "a ring without a descriptor to kick it"
        );
        let Device { rings, memory, .. } = device;
        let ring = usize::try_from(word & RING_NUMBER).ok();
        let ring = ring
            .and_then(|index| rings.get_mut(index))
            .context("no such ring")?;
        ring.start(kick, memory, self.features & EVENT_INDEX != 0)?;
        ring.enabled |= self.features & PROTOCOL_FEATURES == 0;
        Ok(())
    }

    /// The part of the configuration that was asked for, in the words that asked.
    fn configuration(&self, message: &Message) -> Result<Answer> {
        let mut fields = message.fields();
        let (offset, size) = (fields.u32()?, fields.u32()?);
        let (begin, len) = (usize::try_from(offset)?, usize::try_from(size)?);
        let head = message.body.get(..12).context("a message is too short")?;
        ensure!(
            message.body.len() == head.len() + len,
            "a configuration of another size"
        );
        let cid = self.cid.to_le_bytes();
        let bytes = cid.into_iter().chain(std::iter::repeat(0));
        let part: Vec<u8> = bytes.skip(begin.min(cid.len())).take(len).collect();
        Ok(Answer::Bytes([head, &part].concat()))
    }
}

fn ring(device: &mut Device, index: u64) -> Result<&mut Ring> {
    let index = usize::try_from(index)?;
    device.rings.get_mut(index).context("no such ring")
}

fn set_memory(message: &mut Message, device: &mut Device) -> Result<()> {
    let files = std::mem::take(&mut message.files);
    let mut fields = message.fields();
    let (count, _padding) = (fields.u32()?, fields.u32()?);
    ensure!(
        count <= MOST_REGIONS && usize::try_from(count)? == files.len(),
        "{count} regions of memory with {} files",
        files.len()
    );
    let mut regions = Vec::new();
    for file in files {
        let region = Region {
            guest: fields.u64()?,
            size: fields.u64()?,
            user: fields.u64()?,
            offset: fields.u64()?,
        };
        regions.push((region, file));
    }
    device.memory.replace(regions)
}

fn set_places(message: &Message, device: &mut Device) -> Result<()> {
    let mut fields = message.fields();
    let (index, _flags) = (fields.u32()?, fields.u32()?);
    let (descriptors, used, available) = (fields.u64()?, fields.u64()?, fields.u64()?);
    ring(device, index.into())?.set_places(Places {
        descriptors,
        available,
        used,
    });
    Ok(())
}

fn stop(index: u32, device: &mut Device) -> Result<Answer> {
    let next = device
        .stop(usize::try_from(index)?)
        .context("no such ring")?;
    let words = [index, next.into()];
    Ok(Answer::Bytes(words.map(u32::to_le_bytes).concat()))
}

/// A translation comes, or goes.
fn translate(message: &Message, device: &mut Device) -> Result<()> {
    let mut fields = message.fields();
    let (address, size, user) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let (access, kind) = (fields.u8()?, fields.u8()?);
    match kind {
        IOTLB_UPDATE => {
            let access = match access {
                1 => Permissions::Read,
                2 => Permissions::Write,
                3 => Permissions::ReadWrite,
                other => bail!("a translation for access {other}"),
            };
            device.memory.add_translation(address, size, user, access)?;
            device.translated();
        }
        IOTLB_INVALIDATE => device.memory.forget_translations(address, size),
        other => bail!("a message {other} about a translation"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qemu_that_does_not_take_what_is_asked_is_not_waited_for_without_end() {
        let (ours, _qemu) = UnixStream::pair().unwrap();
        let (requests, _taken_by_nobody) = UnixStream::pair().unwrap();
        let mut front = Front::new(ours, 3);
        let mut device = Device::new(3, |_| {}).unwrap();
        let mut message = Message {
            request: 21,
            need_reply: false,
            body: Vec::new(),
            files: vec![requests.into()],
        };
        assert!(front.answer(&mut message, &mut device).is_ok());
        let requests = front.requests.unwrap();
        assert_eq!(requests.write_timeout().unwrap(), Some(message::PATIENCE));
    }
}
