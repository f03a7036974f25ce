//! What the cryptography must do, judged from outside: frozen vectors, libsodium, Wycheproof, tampering, secrecy.
mod fixed;
mod grants;
mod keys;
mod libsodium;
mod messages;
mod python;
mod secrecy;
mod signatures;
mod vectors;
mod wrapping;
mod wycheproof;
