//! Certificates of brokers: one authority for the consortium, one certificate for each broker, for the host that devices connect to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyward_consortium::Host;
use rcgen::{
    date_time_ymd, BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use zeroize::Zeroizing;

use super::NetworkFailed;

/// A day.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long the authority is valid.
const AUTHORITY_DAYS: u32 = 20 * 365;
/// How long a broker's certificate is valid.
pub const BROKER_DAYS: u32 = 5 * 365;

/// A certificate and its key, as PEM.
pub struct Certified {
    /// Public.
    pub certificate: String,
    /// Secret.
    pub key: Zeroizing<String>,
}

/// The consortium's authority for brokers.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate and key.
    pub pem: Certified,
}

fn failed(subject: &str) -> impl Fn(rcgen::Error) -> NetworkFailed + '_ {
    |source| NetworkFailed::Certificate {
        subject: subject.to_owned(),
        source,
    }
}

/// Valid since yesterday: clocks of gateways differ.
fn valid_for(params: &mut CertificateParams, days: u32) {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = date_time_ymd(1970, 1, 1) + since_1970.unwrap_or_default();
    params.not_before = now - DAY;
    params.not_after = now + DAY * days;
}

impl Authority {
    /// Makes a new one.
    pub fn new(network: &str) -> Result<Self, NetworkFailed> {
        let subject = format!("{network} broker authority");
        let failed = failed(&subject);
        let key = KeyPair::generate().map_err(&failed)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(&failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, &subject);
        valid_for(&mut params, AUTHORITY_DAYS);
        let certificate = params.self_signed(&key).map_err(&failed)?;
        let pem = Certified {
            certificate: certificate.pem(),
            key: Zeroizing::new(key.serialize_pem()),
        };
        Ok(Self {
            issuer: Issuer::new(params, key),
            pem,
        })
    }

    /// Makes the certificate of the broker on a host. The bridge beside it connects to 127.0.0.1.
    pub fn certify(&self, host: &Host, gateway: &str) -> Result<Certified, NetworkFailed> {
        let failed = failed(gateway);
        let mut names = vec![host.to_string()];
        for local in ["localhost", "127.0.0.1"] {
            if names[0] != local {
                names.push(local.to_owned());
            }
        }
        let key = KeyPair::generate().map_err(&failed)?;
        let mut params = CertificateParams::new(names).map_err(&failed)?;
        params.distinguished_name.push(DnType::CommonName, gateway);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid_for(&mut params, BROKER_DAYS);
        let certificate = params.signed_by(&key, &self.issuer).map_err(&failed)?;
        Ok(Certified {
            certificate: certificate.pem(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }
}
