//! Whether certificates are valid today, and for how long.

use std::time::{SystemTime, UNIX_EPOCH};

use keyward_consortium::Finding;
use x509_parser::pem::Pem;

/// Seconds of a day.
const DAY: i64 = 24 * 3600;
/// Who looks so many days before the end is warned.
const WARN_DAYS: i64 = 30;
const RENEW: &str = "renew it as its machine's README.md says, before devices refuse the broker";

/// Seconds since 1970.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

/// What is wrong with the certificates of a PEM file at a time, in seconds since 1970.
pub fn findings(place: &str, pem: &[u8], now: i64) -> Vec<Finding> {
    let validities: Option<Vec<(i64, i64)>> = Pem::iter_from_buffer(pem)
        .map(|pem| {
            let pem = pem.ok()?;
            let certificate = pem.parse_x509().ok()?;
            let validity = certificate.validity();
            Some((
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            ))
        })
        .collect();
    let validities = validities.unwrap_or_default();
    if validities.is_empty() {
        let remedy = "restore it from a backup";
        return vec![Finding::error(place, "is no certificate in PEM", remedy)];
    }
    let found = validities
        .into_iter()
        .filter_map(|(from, to)| finding(place, from, to, now));
    found.collect()
}

fn finding(place: &str, from: i64, to: i64, now: i64) -> Option<Finding> {
    let days = |seconds: i64| seconds / DAY;
    if now < from {
        let problem = format!("is not valid yet, but in {} day(s)", days(from - now) + 1);
        let remedy = "check this machine's clock; if it is right, make the certificate anew";
        return Some(Finding::error(place, problem, remedy));
    }
    if to < now {
        let problem = format!("expired {} day(s) ago", days(now - to));
        return Some(Finding::error(place, problem, RENEW));
    }
    let left = days(to - now);
    let problem = format!("expires in {left} day(s)");
    (left < WARN_DAYS).then(|| Finding::warning(place, problem, RENEW))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_consortium::Severity;
    use rcgen::{date_time_ymd, CertificateParams, KeyPair};

    /// Valid in 2030, from the first day to the last.
    fn certificate() -> String {
        let mut params = CertificateParams::new(vec!["gw1.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2030, 12, 31);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    fn at(pem: &str, year: i32, month: u8, day: u8) -> Vec<(Severity, String)> {
        let now = date_time_ymd(year, month, day).unix_timestamp();
        let found = findings("tls/broker.pem", pem.as_bytes(), now);
        found
            .into_iter()
            .map(|it| (it.severity, it.to_string()))
            .collect()
    }

    #[test]
    fn a_certificate_is_right_from_its_first_day_until_a_month_before_its_last() {
        let pem = certificate();
        assert_eq!(at(&pem, 2030, 1, 1), []);
        assert_eq!(at(&pem, 2030, 11, 30), []);
    }

    #[test]
    fn one_that_is_not_valid_is_an_error_and_one_that_soon_is_not_a_warning() {
        let pem = certificate();
        for (day, severity, words) in [
            ((2029, 12, 31), Severity::Error, "not valid yet"),
            ((2030, 12, 2), Severity::Warning, "expires in 29 day(s)"),
            ((2030, 12, 31), Severity::Warning, "expires in 0 day(s)"),
            ((2031, 1, 2), Severity::Error, "expired 2 day(s) ago"),
        ] {
            let found = at(&pem, day.0, day.1, day.2);
            let [(of, text)] = &found[..] else {
                panic!("{day:?}: {found:?}");
            };
            assert!(*of == severity && text.contains(words), "{day:?}: {text}");
        }
    }

    #[test]
    fn every_certificate_of_a_chain_is_looked_at() {
        let chain = format!("{}{}", certificate(), certificate());
        assert_eq!(at(&chain, 2031, 1, 2).len(), 2);
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        let key = KeyPair::generate().unwrap().serialize_pem();
        let broken = certificate().replace("MII", "MIJ");
        for text in ["", "hello", &key, &broken] {
            let found = at(text, 2030, 1, 1);
            assert!(found.len() == 1 && found[0].0 == Severity::Error, "{text}");
        }
    }
}
