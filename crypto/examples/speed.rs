//! How long each operation takes on this machine, on one thread:
//! `cargo run --release -p keyward-crypto --example speed`.

use keyward_crypto::{
    epoch::generate_secret, grant::seal, message::Expected, AgreementSecret, GroupKey, SealingPass,
    SigningKey, Verifier,
};
use keyward_protocol::{
    extension::Extensions,
    grant::{Grant, GrantedEpoch},
    message::{Message, Stream},
    DeviceId, Genesis, GroupId,
};
use rand_core::OsRng;
use std::{hint::black_box, time::Instant};

const MEMBERS: usize = 10_000;
const TOPIC: &str = "hsu0001";

fn main() {
    signatures();
    for length in [100, 1024] {
        messages(length, true);
        messages(length, false);
    }
    grants();
}

/// The best of twenty rounds: what else runs on the machine makes the others slower.
fn report(what: &str, times: u32, mut operation: impl FnMut(u32)) {
    let round = times / 20;
    let mut seconds = || {
        let started = Instant::now();
        (0..round).for_each(&mut operation);
        started.elapsed().as_secs_f64() / f64::from(round)
    };
    let best = (0..20).map(|_| seconds()).fold(f64::INFINITY, f64::min);
    println!("{what:<48} {:>9.2} µs", best * 1e6);
}

fn signatures() {
    let key = SigningKey::generate(&mut OsRng);
    let verifier = Verifier::new(&key.verifying_key()).unwrap();
    let signature = key.sign(b"payload");
    report("sign", 10_000, |_| {
        black_box(key.sign(black_box(b"payload")));
    });
    report("verify, decoded key kept", 10_000, |_| {
        assert!(verifier.verifies(black_box(b"payload"), &signature));
    });
    report("decode a verifying key", 10_000, |_| {
        black_box(Verifier::new(&black_box(key.verifying_key())).unwrap());
    });
}

fn messages(length: usize, signed: bool) {
    let secret = generate_secret(&mut OsRng);
    let group = GroupId::new("hsu0001").unwrap();
    let key = GroupKey::new(&Genesis([7; 32]), &group, 1, &secret);
    report("derive a message key, group key kept", 10_000, |boot| {
        black_box(key.message_key(1, boot, Stream::Live));
    });
    let key = key.message_key(1, 1, Stream::Live);
    let signer = SigningKey::generate(&mut OsRng);
    let verifier = Verifier::new(&signer.verifying_key()).unwrap();
    let payload = vec![0x5a; length];
    let expected = Expected {
        signed_by: signed.then_some(&verifier),
        timed: false,
    };
    let kind = if signed { "signed" } else { "unsigned" };
    report(
        &format!("seal and open {length} B, {kind}"),
        20_000,
        |counter| {
            let signer = signed.then_some(&signer);
            let wire = key
                .seal(counter.into(), TOPIC, None, &payload, signer)
                .unwrap();
            let message = Message::from_wire(&wire).unwrap();
            black_box(key.open(&message, TOPIC, expected).unwrap());
        },
    );
}

fn grants() {
    let grant = Grant {
        group: GroupId::new("hsu0001").unwrap(),
        device: DeviceId::new("1112").unwrap(),
        key_version: 1,
        epochs: vec![GrantedEpoch {
            epoch: 1,
            secret: generate_secret(&mut OsRng),
        }]
        .try_into()
        .unwrap(),
        extensions: Extensions::default(),
    };
    let members: Vec<_> = (0..MEMBERS)
        .map(|_| AgreementSecret::generate(&mut OsRng))
        .collect();
    let started = Instant::now();
    for member in &members {
        black_box(seal(&grant, &member.public(), &mut OsRng).unwrap());
    }
    println!("{MEMBERS} grants, a key each {:>30.0?}", started.elapsed());
    let started = Instant::now();
    let mut pass = SealingPass::begin(&mut OsRng);
    let sealed: Vec<_> = members
        .iter()
        .map(|member| pass.seal(&grant, &member.public()).unwrap())
        .collect();
    println!("{MEMBERS} grants, one pass {:>32.0?}", started.elapsed());
    report("open a sealed box", 1_000, |at| {
        let at = at as usize % MEMBERS;
        black_box(members[at].open(&sealed[at]).unwrap());
    });
}
