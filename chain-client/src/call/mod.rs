//! Calls: what a transaction asks the chain to do.
//!
//! A [`Call`] knows its pallet and name and holds its arguments encoded; the indices come from the node's metadata when it
//! is signed, and the bytes are then decoded again with that metadata, so that a call that the node would read otherwise is
//! never signed.

mod collective;
mod fleet;
mod governance;
mod validators;

use std::borrow::Cow;

use codec::{Compact, Encode};
use keyward_protocol::limits;
use subxt::Metadata;

pub use collective::{two_thirds, Collective, Weight};
pub use fleet::{KeyAuthorisation, Quotas, ReceiptItem};
pub use validators::SessionKeys;

/// A call, ready to be submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pallet: Cow<'static, str>,
    name: Cow<'static, str>,
    args: Vec<Arg>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Arg {
    /// Encoded.
    Bytes(Vec<u8>),
    /// Encoded, but with more items than a call takes.
    TooMany(usize),
    /// Another call.
    Call(Box<Call>),
    /// The length of another call, compact.
    LengthOf(Box<Call>),
    /// Other calls.
    Calls(Vec<Call>),
    /// All arguments, as somebody else encoded them.
    Opaque(Vec<u8>),
}

/// Why a call cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallInvalid {
    /// The chain does not have it.
    #[error("the chain has no call {call}; it runs another version of Keyward than this program")]
    Unknown {
        /// `Pallet.name`.
        call: String,
    },
    /// A list is too long.
    #[error("{call} takes at most {max} items at once, not {actual}; split the list")]
    TooMany {
        /// `Pallet.name`.
        call: String,
        /// Most items.
        max: u32,
        /// Items given.
        actual: usize,
    },
    /// The chain would read it otherwise than it was meant.
    #[error("the chain reads {call} otherwise than this program writes it ({reason}); install the version of Keyward that the chain runs")]
    Misread {
        /// `Pallet.name`.
        call: String,
        /// How it differs.
        reason: String,
    },
}

impl Call {
    fn new(pallet: &'static str, name: &'static str) -> Self {
        Self {
            pallet: Cow::Borrowed(pallet),
            name: Cow::Borrowed(name),
            args: Vec::new(),
        }
    }

    /// A call that somebody else encoded, from its names and the bytes of all its arguments.
    pub(crate) fn opaque(pallet: String, name: String, args: Vec<u8>) -> Self {
        Self {
            pallet: Cow::Owned(pallet),
            name: Cow::Owned(name),
            args: vec![Arg::Opaque(args)],
        }
    }

    /// Adds an argument.
    fn arg(mut self, value: impl Encode) -> Self {
        self.args.push(Arg::Bytes(value.encode()));
        self
    }

    /// Adds a list of at most [`limits::BATCH`] items.
    fn list<T: Encode>(mut self, items: &[T]) -> Self {
        let fits = items.len() <= limits::BATCH as usize;
        self.args.push(match fits {
            true => Arg::Bytes(items.encode()),
            false => Arg::TooMany(items.len()),
        });
        self
    }

    fn with(mut self, arg: Arg) -> Self {
        self.args.push(arg);
        self
    }

    /// The pallet, as the runtime names it.
    pub fn pallet(&self) -> &str {
        &self.pallet
    }

    /// The call's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `Pallet.name`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.pallet, self.name)
    }

    /// `Pallet.name` of each call in it, itself included, whose arguments this crate encodes: what must have the form that
    /// this program was built for. Calls that hold others are left out: their form changes with every call of the runtime.
    pub(crate) fn encoded_here(&self) -> Vec<String> {
        let inner: Vec<&Call> = self.args.iter().flat_map(Arg::calls).collect();
        let opaque = |arg: &Arg| matches!(arg, Arg::Opaque(_));
        match inner.is_empty() {
            true if self.args.iter().any(opaque) => Vec::new(),
            true => vec![self.path()],
            false => inner.into_iter().flat_map(Call::encoded_here).collect(),
        }
    }

    /// The bytes of the call for a chain with this metadata.
    ///
    /// # Errors
    /// When the chain does not have the call, or a list is too long.
    pub fn encode_for(&self, metadata: &Metadata) -> Result<Vec<u8>, CallInvalid> {
        let unknown = || CallInvalid::Unknown { call: self.path() };
        let pallet = metadata.pallet_by_name(&self.pallet).ok_or_else(unknown)?;
        let variant = pallet
            .call_variant_by_name(&self.name)
            .ok_or_else(unknown)?;
        let mut bytes = vec![pallet.call_index(), variant.index];
        for arg in &self.args {
            bytes.extend(self.encode_arg(arg, metadata)?);
        }
        Ok(bytes)
    }

    fn encode_arg(&self, arg: &Arg, metadata: &Metadata) -> Result<Vec<u8>, CallInvalid> {
        match arg {
            Arg::Bytes(bytes) | Arg::Opaque(bytes) => Ok(bytes.clone()),
            Arg::Call(call) => call.encode_for(metadata),
            Arg::LengthOf(call) => Ok(Compact(length(&call.encode_for(metadata)?)).encode()),
            Arg::Calls(calls) => {
                let mut bytes = Compact(length(calls)).encode();
                for call in calls {
                    bytes.extend(call.encode_for(metadata)?);
                }
                Ok(bytes)
            }
            Arg::TooMany(actual) => Err(CallInvalid::TooMany {
                call: self.path(),
                max: limits::BATCH,
                actual: *actual,
            }),
        }
    }
}

impl Arg {
    fn calls(&self) -> &[Call] {
        match self {
            Self::Call(call) => std::slice::from_ref(call),
            Self::Calls(calls) => calls,
            _ => &[],
        }
    }
}

fn length<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// Every call of the `Fleet` pallet that this crate can make: what is compared when it connects.
pub(crate) const FLEET_CALLS: &[&str] = fleet::CALLS;
