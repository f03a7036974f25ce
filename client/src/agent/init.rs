//! `keyward-agent init`: keys, and the request for the authority.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt, path::Path};

use keyward_protocol::provisioning::EnrolmentRequest;

use super::{
    args::Init,
    exit::{self, Failed},
    identity::{self, IdentityFailed},
    output::{Line, Output},
    store::{KeySource, Store},
};

/// Runs the command.
pub fn run(
    arguments: &Init,
    directory: &Path,
    key: &KeySource,
    output: Output,
) -> Result<(), Failed> {
    let mut store = Store::create(directory, key)?;
    let made = identity::make(&mut store, &arguments.device, arguments.key_version);
    let (device, new) = made?;
    write(&arguments.out, &identity::request(&device))?;
    let line = Line::Initialised {
        device: device.device.to_string(),
        key_version: device.key_version,
        request: arguments.out.display().to_string(),
        new,
    };
    Ok(output.print(&line)?)
}

/// Writes the request, which is not secret.
fn write(path: &Path, request: &EnrolmentRequest) -> Result<(), Failed> {
    let written = serde_json::to_string_pretty(request)
        .map_err(std::io::Error::from)
        .and_then(|text| {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o644)
                .open(path)?;
            writeln!(file, "{text}")?;
            file.sync_all()
        });
    written.map_err(|source| {
        Failed::new(
            exit::FAILED,
            format!("cannot write {}: {source}", path.display()),
        )
    })
}

impl From<IdentityFailed> for Failed {
    fn from(error: IdentityFailed) -> Self {
        Self::new(exit::STORE, error)
    }
}

impl From<std::io::Error> for Failed {
    /// Standard output is gone.
    fn from(error: std::io::Error) -> Self {
        Self::new(exit::FAILED, format!("cannot print: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(device: &str, out: &Path) -> Init {
        Init {
            device: device.parse().unwrap(),
            key_version: 1,
            out: out.to_owned(),
        }
    }

    fn request(path: &Path) -> EnrolmentRequest {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn keys_that_were_made_once_are_kept_and_another_device_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let (directory, out) = (
            place.path().join("store"),
            place.path().join("request.json"),
        );
        let key = KeySource::find(&directory, None);
        let run = |device: &str| {
            run(
                &arguments(device, &out),
                &directory,
                &key,
                Output::new(true),
            )
        };
        run("1111").unwrap();
        let first = request(&out);
        run("1111").unwrap();
        assert_eq!(request(&out), first);
        assert!(first.signing_key.is_acceptable() && first.agreement_key.is_acceptable());
        let refused = run("2222").unwrap_err();
        assert_eq!(refused.code, exit::STORE);
        assert!(refused.message.contains("that of device 1111"), "{refused}");
        assert_eq!(request(&out), first);
    }
}
