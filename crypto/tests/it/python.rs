//! Python with PyNaCl, that is libsodium: the other side of the interoperability tests.

use std::process::Command;

/// The interpreter that has PyNaCl: `KEYWARD_PYTHON`, or Debian's, for which `scripts/bootstrap` installs `python3-nacl`.
pub fn python() -> Command {
    let interpreter = std::env::var("KEYWARD_PYTHON").unwrap_or("/usr/bin/python3".into());
    let probe = Command::new(&interpreter)
        .args(["-c", "import nacl.public, nacl.signing"])
        .output();
    let usable = probe.as_ref().is_ok_and(|output| output.status.success());
    assert!(
        usable,
        "{interpreter} has no PyNaCl, which this test needs: run scripts/bootstrap, or `apt-get install python3-nacl`, \
         or name another interpreter in KEYWARD_PYTHON ({probe:?})"
    );
    Command::new(interpreter)
}
