//! Sealing a message at one end and opening it at the other, and what it adds to the payload.

mod keyward;
mod mls_rs;
mod openmls;
mod sframe;

use std::cell::RefCell;

use ::mls_rs::client_builder::PaddingMode;
use anyhow::{ensure, Context, Result};
use openmls_rust_crypto::OpenMlsRustCrypto;
use serde::Serialize;

use self::keyward::{Form, Keys, Sessions};
use crate::{
    contest::{contest, timed, Contender, Length, Series, Spent},
    sample::Sample,
};

/// Keyward's signed message, without bookkeeping.
pub const SIGNED: &str = "Keyward signed";
/// Keyward's unsigned message, without bookkeeping.
pub const UNSIGNED: &str = "Keyward unsigned";
/// Keyward's signed message, by a session.
pub const SIGNED_SESSION: &str = "Keyward signed, session";
/// Keyward's unsigned message, by a session.
pub const UNSIGNED_SESSION: &str = "Keyward unsigned, session";
/// mls-rs.
pub const MLS_RS: &str = "mls-rs (AWS-LC)";
/// Messages that are sealed, and then opened, in one measurement.
const BATCH: usize = 64;

/// Two ends.
trait Ends {
    /// At one.
    fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>>;
    /// At the other; gives the payload.
    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>>;
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Bytes of payload.
    pub sizes: Vec<usize>,
    /// Rounds, and time of the contest of one size.
    pub length: Length,
}

/// One contender with one size of payload; seconds of processor time for a message.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Bytes of payload.
    pub payload: usize,
    /// Who.
    pub who: String,
    /// Sealing.
    pub seal: Sample,
    /// Opening.
    pub open: Sample,
    /// Both.
    pub both: Sample,
    /// Both, over the signed message of Keyward.
    pub over_signed: Sample,
    /// Both, over the unsigned message of Keyward.
    pub over_unsigned: Sample,
    /// Both, over the signed message of Keyward with a session's bookkeeping.
    pub over_signed_session: Sample,
    /// Both, over the unsigned message of Keyward with a session's bookkeeping.
    pub over_unsigned_session: Sample,
}

/// Measures all sizes; `tell` is told how it goes.
pub fn measure(extent: &Extent, tell: &dyn Fn(&str)) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for payload in &extent.sizes {
        tell(&format!("messages of {payload} bytes"));
        rows.extend(measure_size(*payload, extent.length)?);
    }
    Ok(rows)
}

type Party = (String, Box<dyn Ends>);

fn party(name: &str, ends: impl Ends + 'static) -> Party {
    (name.into(), Box::new(ends))
}

fn parties() -> Result<Vec<Party>> {
    let signed = Form {
        signed: true,
        timed: false,
    };
    let unsigned = Form {
        signed: false,
        timed: false,
    };
    Ok(vec![
        party(SIGNED, Keys::new(signed)?),
        party(UNSIGNED, Keys::new(unsigned)?),
        party(SIGNED_SESSION, Sessions::new(true)?),
        party(UNSIGNED_SESSION, Sessions::new(false)?),
        (MLS_RS.into(), mls_rs::ends(PaddingMode::None)?),
        party(
            "OpenMLS (RustCrypto)",
            openmls::Two::<OpenMlsRustCrypto>::new()?,
        ),
        party(
            "OpenMLS (libcrux)",
            openmls::Two::<openmls_libcrux_crypto::Provider>::new()?,
        ),
        party("SFrame (sframe with ring)", sframe::Frames::new()?),
    ])
}

fn measure_size(size: usize, length: Length) -> Result<Vec<Row>> {
    let payload: Vec<u8> = (0..size).map(|at| at as u8).collect();
    let mut parties = parties()?;
    let parts: Vec<RefCell<Parts>> = parties.iter().map(|_| RefCell::default()).collect();
    let pairs = parties.iter_mut().zip(&parts);
    let contenders = pairs.map(|((who, ends), parts)| {
        let payload = &payload;
        Contender::new(who.as_str(), move || batch(ends.as_mut(), payload, parts))
    });
    let series = contest(contenders.collect(), length)?;
    let rows = series.iter().zip(&parts);
    rows.map(|(one, parts)| row(size, one, &series, &parts.borrow()))
        .collect()
}

/// Processor time of each half, in every round.
#[derive(Default)]
struct Parts {
    seal: Vec<f64>,
    open: Vec<f64>,
}

fn batch(ends: &mut dyn Ends, payload: &[u8], parts: &RefCell<Parts>) -> Result<Spent> {
    let (sealed, sealing) = timed(|| {
        let sealed = (0..BATCH).map(|_| ends.seal(payload));
        sealed.collect::<Result<Vec<_>>>()
    });
    let sealed = sealed?;
    let (opened, opening) = timed(|| {
        let opened = sealed.iter().map(|sealed| ends.open(sealed));
        opened.collect::<Result<Vec<_>>>()
    });
    ensure!(
        opened?.iter().all(|opened| opened == payload),
        "another payload came out"
    );
    let mut parts = parts.borrow_mut();
    parts.seal.push(sealing.divided(BATCH).cpu);
    parts.open.push(opening.divided(BATCH).cpu);
    let both = Spent {
        wall: sealing.wall + opening.wall,
        cpu: sealing.cpu + opening.cpu,
    };
    Ok(both.divided(BATCH))
}

fn row(payload: usize, one: &Series, all: &[Series], parts: &Parts) -> Result<Row> {
    let over = |name: &str| {
        let other = all.iter().find(|series| series.name == name);
        one.cpu_over(other.context("an unknown contender")?)
    };
    // The first round warmed up.
    let part = |times: &[f64]| {
        let counted = times.get(1..).unwrap_or_default();
        Sample::of(counted).context("nothing was measured")
    };
    Ok(Row {
        payload,
        who: one.name.clone(),
        seal: part(&parts.seal)?,
        open: part(&parts.open)?,
        both: one.cpu()?,
        over_signed: over(SIGNED)?,
        over_unsigned: over(UNSIGNED)?,
        over_signed_session: over(SIGNED_SESSION)?,
        over_unsigned_session: over(UNSIGNED_SESSION)?,
    })
}

/// What a format adds to payloads of several sizes.
#[derive(Clone, Debug, Serialize)]
pub struct Added {
    /// Which format.
    pub who: String,
    /// For each size of payload the bytes added.
    pub bytes: Vec<(usize, usize)>,
}

/// What each format adds: all epochs, indices, boots and counters between 64 and 2^14, group ids of eleven bytes.
pub fn added(sizes: &[usize]) -> Result<Vec<Added>> {
    let form = |signed, timed| Keys::new(Form { signed, timed });
    let formats = vec![
        party("Keyward signed", form(true, false)?),
        party("Keyward signed, with time", form(true, true)?),
        party("Keyward unsigned", form(false, false)?),
        party("Keyward unsigned, with time", form(false, true)?),
        (
            "MLS PrivateMessage, mls-rs without padding".into(),
            mls_rs::ends(PaddingMode::None)?,
        ),
        (
            "MLS PrivateMessage, mls-rs as it comes".into(),
            mls_rs::ends(PaddingMode::StepFunction)?,
        ),
        party(
            "MLS PrivateMessage, OpenMLS without padding",
            openmls::Two::<OpenMlsRustCrypto>::new()?,
        ),
        party("SFrame, unsigned", sframe::Frames::new()?),
    ];
    let mut all = Vec::new();
    for (who, mut ends) in formats {
        // Counters of one byte are over.
        for _ in 0..70 {
            let sealed = ends.seal(b"x")?;
            ends.open(&sealed)?;
        }
        let mut bytes = Vec::new();
        for size in sizes {
            let sealed = ends.seal(&vec![7; *size])?;
            bytes.push((*size, sealed.len() - size));
        }
        all.push(Added { who, bytes });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_contender_opens_what_it_sealed() {
        let extent = Extent {
            sizes: vec![100],
            length: Length {
                least: 2,
                most: 2,
                time: Duration::ZERO,
            },
        };
        let rows = measure(&extent, &|_| {}).unwrap();
        assert_eq!(rows.len(), 8);
        assert!(rows
            .iter()
            .all(|row| row.both.median > 0.0 && row.both.count == 2));
    }

    #[test]
    fn ours_add_what_the_protocol_says() {
        let added = added(&[64, 1024]).unwrap();
        let ours: Vec<_> = added
            .iter()
            .take(4)
            .map(|format| format.bytes[1].1)
            .collect();
        assert_eq!(ours, [89, 93, 25, 29]);
    }
}
