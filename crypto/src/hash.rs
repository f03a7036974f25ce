//! BLAKE2b-256 (RFC 7693) of signing payloads: "the hash of" a thing (SIG-3).

use blake2::{digest::consts::U32, Blake2b, Digest as _};
use keyward_protocol::{
    registration::{Registration, Voucher},
    signing::{payload, Body, Purpose, Signed},
    statement::PublisherPage,
    Digest, Genesis,
};

/// BLAKE2b with an output of 256 bits, without key, salt or personalisation.
pub fn blake2b_256(bytes: &[u8]) -> Digest {
    Digest(Blake2b::<U32>::digest(bytes).into())
}

/// The hash of a signed message: of its payload, so that the signature is no part of it (SIG-3).
pub fn hash_of<T: Body>(signed: &Signed<T>) -> Digest {
    blake2b_256(&signed.payload())
}

/// The hash of a page of publishers, as it stands in the group statement (STM-6).
pub fn page_hash(genesis: &Genesis, page: &PublisherPage) -> Digest {
    blake2b_256(&page.payload(genesis))
}

/// The hash of a voucher, signed or not: what a registration names (REG-2).
pub fn voucher_hash(genesis: &Genesis, voucher: &Voucher) -> Digest {
    blake2b_256(&payload(genesis, Purpose::Voucher, voucher))
}

/// What a device signs to register with a voucher (REG-2).
pub fn registration(genesis: &Genesis, voucher: &Voucher) -> Registration {
    Registration {
        voucher: voucher_hash(genesis, voucher),
        gateway: voucher.gateway,
        signing_key: voucher.signing_key,
        agreement_key: voucher.agreement_key,
    }
}
