//! Anchor certificates (STM-11): what devices follow a gateway's new statement key by.

use keyward_crypto::{
    sign::{sign_message, verify},
    SigningKey,
};
use keyward_protocol::{
    beacon::AnchorCertificate, provisioning::AnchorFile, signing::Unverified, wire::WireInvalid,
    Genesis,
};

/// Signs a certificate. `key`: the statement key from before, or that of the devices' authority.
///
/// # Errors
/// When it breaks a rule of its format.
pub fn certify(
    genesis: Genesis,
    certificate: AnchorCertificate,
    key: &SigningKey,
) -> Result<AnchorFile, WireInvalid> {
    let signed = sign_message(genesis, certificate, key)?;
    Ok(AnchorFile {
        signer: key.verifying_key(),
        certificate: hex::encode(signed.to_wire()),
    })
}

/// What a file says, if its signer did sign it for this chain.
pub fn read(file: &AnchorFile, genesis: &Genesis) -> Option<AnchorCertificate> {
    let wire = hex::decode(&file.certificate).ok()?;
    let unverified = Unverified::<AnchorCertificate>::from_wire(&wire).ok()?;
    let signed = verify(unverified, genesis, &file.signer).ok()?;
    Some(signed.into_body())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_protocol::AccountId;

    /// SIG-2.
    #[test]
    fn a_certificate_is_its_signers_for_one_chain() {
        let key = |seed| SigningKey::from_seed(&[seed; 32]);
        let certificate = AnchorCertificate {
            gateway: AccountId([9; 32]),
            statement_key: key(2).verifying_key(),
            serial: 41,
        };
        let genesis = Genesis([3; 32]);
        let mut file = certify(genesis, certificate.clone(), &key(1)).unwrap();
        assert_eq!(read(&file, &genesis), Some(certificate));
        assert_eq!(read(&file, &Genesis([4; 32])), None);
        file.signer = key(2).verifying_key();
        assert_eq!(read(&file, &genesis), None);
    }
}
