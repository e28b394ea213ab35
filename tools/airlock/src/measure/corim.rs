//! Reference values as a CoRIM, which a Veraison service can be provisioned with.
//!
//! The profile is Arm's for realms: the RIM names the environment, and each measurement has a key.
//! The service calls `rem0` what RMM and Airlock call REM 1.
//!
//! Ref: draft-ietf-rats-corim (corim-map, concise-mid-tag); draft-ydb-rats-cca-endorsements, "Arm CCA
//! Realm Endorsements".

use super::Measurements;
use ::measure::{Algorithm, Digest};
use minicbor::Encoder;
use minicbor::data::Tag;

/// The profile of the file, and the parameter `profile` of its media type.
pub const PROFILE: &str = "tag:arm.com,2025:cca_realm#1.0.0";

/// `tagged-unsigned-corim-map`.
const CORIM: Tag = Tag::new(501);
/// `tagged-concise-mid-tag`.
const COMID: Tag = Tag::new(506);
/// `tagged-bytes`.
const BYTES: Tag = Tag::new(560);
/// `uri`.
const URI: Tag = Tag::new(32);

/// Bytes of a tag identity: those of a UUID.
const IDENTITY: usize = 16;

type Writer = Encoder<Vec<u8>>;
type Written<'a> = Result<&'a mut Writer, minicbor::encode::Error<core::convert::Infallible>>;

/// The file: an unsigned CoRIM with one CoMID, the same bytes for the same measurements.
#[must_use]
pub fn corim(measurements: &Measurements) -> Vec<u8> {
    let comid = written(|to| comid(to, measurements));
    written(|to| {
        to.tag(CORIM)?.map(3)?;
        // id, tags, profile
        to.u8(0)?.bytes(&identity(measurements, "corim"))?;
        to.u8(1)?.array(1)?.tag(COMID)?.bytes(&comid)?;
        to.u8(3)?.tag(URI)?.str(PROFILE)
    })
}

fn comid<'a>(to: &'a mut Writer, measurements: &Measurements) -> Written<'a> {
    to.map(2)?;
    // tag-identity: tag-id
    to.u8(1)?.map(1)?;
    to.u8(0)?.bytes(&identity(measurements, "comid"))?;
    // triples: reference-triples: environment and measurements
    to.u8(4)?.map(1)?;
    to.u8(0)?.array(1)?.array(2)?;
    environment(to, &measurements.rim)?;
    let known = [
        ("cca.rim", Some(measurements.rim)),
        ("cca.rem0", measurements.rem1),
    ];
    let known: Vec<_> = known
        .into_iter()
        .filter_map(|(key, digest)| Some((key, digest?)))
        .collect();
    to.array(known.len() as u64)?;
    known
        .iter()
        .try_for_each(|(key, digest)| measurement(to, key, digest).map(drop))?;
    Ok(to)
}

/// class: class-id: the RIM.
fn environment<'a>(to: &'a mut Writer, rim: &Digest) -> Written<'a> {
    to.map(1)?.u8(0)?.map(1)?;
    to.u8(0)?.tag(BYTES)?.bytes(rim.as_bytes())
}

/// mkey, and mval: digests.
fn measurement<'a>(to: &'a mut Writer, key: &str, digest: &Digest) -> Written<'a> {
    to.map(2)?.u8(0)?.str(key)?;
    to.u8(1)?.map(1)?;
    to.u8(2)?.array(1)?.array(2)?;
    to.str(name(digest.algorithm()))?.bytes(digest.as_bytes())
}

/// The algorithm's name in the registry "Named Information Hash Algorithm".
const fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha256 => "sha-256",
        Algorithm::Sha512 => "sha-512",
    }
}

/// A UUID of version 8, made of what the tag says: so a file does not change unless its content does.
///
/// Ref: RFC 9562, 5.8.
fn identity(measurements: &Measurements, what: &str) -> [u8; IDENTITY] {
    let mut all = what.as_bytes().to_vec();
    all.extend(measurements.rim.as_bytes());
    all.extend(measurements.rem1.iter().flat_map(|rem1| rem1.as_bytes()));
    let digest = Algorithm::Sha256.hash(&all);
    let mut id = [0; IDENTITY];
    id.iter_mut()
        .zip(digest.as_bytes())
        .for_each(|(to, from)| *to = *from);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    id
}

/// What `write` writes into memory, which takes everything.
fn written(write: impl for<'a> Fn(&'a mut Writer) -> Written<'a>) -> Vec<u8> {
    let mut to = Encoder::new(Vec::new());
    match write(&mut to) {
        Ok(_) => to.into_writer(),
        Err(error) => unreachable!("memory takes everything: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurements(rem1: Option<Digest>) -> Measurements {
        Measurements {
            rim: Algorithm::Sha256.hash(b"image"),
            events: Vec::new(),
            rem1,
        }
    }

    /// In diagnostic notation, without its blanks.
    fn shown(bytes: &[u8]) -> String {
        minicbor::display(bytes).to_string().replace(' ', "")
    }

    #[test]
    fn the_file_has_the_form_of_the_profile() {
        let measurements = measurements(Some(Algorithm::Sha256.hash(b"arguments")));
        let file = corim(&measurements);
        let text = shown(&file);
        assert!(text.starts_with("501({0:h'"), "{text}");
        assert!(
            text.ends_with("3:32(\"tag:arm.com,2025:cca_realm#1.0.0\")})"),
            "{text}"
        );
        let comid = shown(&written(|to| comid(to, &measurements)));
        let (rim, rem1) = (measurements.rim, Algorithm::Sha256.hash(b"arguments"));
        let values = format!(
            "4:{{0:[[{{0:{{0:560(h'{rim}')}}}},\
             [{{0:\"cca.rim\",1:{{2:[[\"sha-256\",h'{rim}']]}}}},\
             {{0:\"cca.rem0\",1:{{2:[[\"sha-256\",h'{rem1}']]}}}}]]]}}}}"
        );
        assert!(comid.ends_with(&values), "{comid}\n{values}");
    }

    #[test]
    fn without_boot_arguments_any_are_good() {
        let comid = shown(&written(|to| comid(to, &measurements(None))));
        assert!(
            comid.contains("cca.rim") && !comid.contains("cca.rem"),
            "{comid}"
        );
    }

    #[test]
    fn the_same_measurements_give_the_same_bytes_and_others_another_identity() {
        let one = measurements(None);
        assert_eq!(corim(&one), corim(&one));
        let other = Measurements {
            rim: Algorithm::Sha256.hash(b"another image"),
            ..one.clone()
        };
        assert_ne!(identity(&one, "corim"), identity(&other, "corim"));
        assert_ne!(identity(&one, "corim"), identity(&one, "comid"));
        assert_eq!(identity(&one, "corim")[6] >> 4, 8);
    }
}
