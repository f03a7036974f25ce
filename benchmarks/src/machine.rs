//! On what it was measured, and with which versions: from the lock file that the program was built with.

use std::fs::read_to_string;

use serde::Serialize;

const LOCK: &str = include_str!("../Cargo.lock");
/// What is measured, and what it computes with.
const PACKAGES: &[&str] = &[
    "mls-rs",
    "mls-rs-crypto-awslc",
    "aws-lc-rs",
    "openmls",
    "openmls_rust_crypto",
    "openmls_libcrux_crypto",
    "openmls_basic_credential",
    "sframe",
    "ring",
    "curve25519-dalek",
    "ed25519-dalek",
    "aes-gcm-siv",
    "crypto_secretbox",
];

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model of its processor.
    pub processor: String,
    /// Instructions that matter here and that it has.
    pub instructions: Vec<String>,
    /// Threads that it runs at the same time.
    pub cores: usize,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// Its kernel.
    pub kernel: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = value_of(&cpu, "flags").unwrap_or_default();
        let has = |name: &&&str| flags.split(' ').any(|flag| flag == **name);
        let wanted = [
            "aes",
            "pclmulqdq",
            "vaes",
            "vpclmulqdq",
            "avx2",
            "avx512ifma",
            "sha_ni",
        ];
        let memory = read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = value_of(&memory, "MemTotal").and_then(|it| it.split(' ').next()?.parse().ok());
        Self {
            processor: value_of(&cpu, "model name").unwrap_or("unknown").into(),
            instructions: wanted.iter().filter(has).map(|&it| it.into()).collect(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kib.unwrap_or(0.0) / f64::from(1 << 20),
            kernel: read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .into(),
        }
    }

    /// In one sentence.
    pub fn sentence(&self) -> String {
        format!(
            "{}, {} cores, {:.0} GiB of memory, Linux {}; {}",
            self.processor,
            self.cores,
            self.memory_gib,
            self.kernel,
            self.instructions.join(" ")
        )
    }
}

fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let named = |line: &'a str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    };
    text.lines().find_map(named)
}

/// Names and versions of what is measured.
pub fn versions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for package in PACKAGES {
        let name = format!("name = \"{package}\"\nversion = \"");
        for (at, _) in LOCK.match_indices(&name) {
            let rest = LOCK.get(at + name.len()..).unwrap_or_default();
            let version = rest.split('"').next().unwrap_or_default();
            found.push(((*package).to_owned(), version.to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_everything_that_is_measured_is_known() {
        let found = versions();
        for package in PACKAGES {
            assert!(
                found
                    .iter()
                    .any(|(name, version)| name == package && !version.is_empty()),
                "{package}"
            );
        }
    }

    #[test]
    fn both_generations_of_a_crate_are_named() {
        let found = versions();
        let curves = found.iter().filter(|(name, _)| name == "curve25519-dalek");
        assert_eq!(curves.count(), 2);
    }
}
