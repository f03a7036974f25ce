//! Calls as the chain reads them: for people who have to decide on one.

use codec::{Compact, Decode};
use keyward_protocol::AccountId;
use scale_info::{form::PortableForm, Field, PortableRegistry, TypeDef, TypeDefPrimitive};
use subxt::Metadata;

use crate::call::Call;

/// Deepest nesting that is read.
const DEEPEST: u32 = 32;
/// Most values of one call that are read.
const MOST: u32 = 1 << 16;

/// A call, read with the metadata of its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedCall {
    /// The pallet, as the runtime names it.
    pub pallet: String,
    /// The call's name.
    pub name: String,
    /// Its arguments: name and value.
    pub args: Vec<(String, Datum)>,
}

impl DecodedCall {
    /// `Pallet.name`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.pallet, self.name)
    }

    /// An argument by its name.
    pub fn arg(&self, name: &str) -> Option<&Datum> {
        let found = self.args.iter().find(|(arg, _)| arg == name);
        found.map(|(_, value)| value)
    }
}

/// A value of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(u128),
    /// A number that may be negative.
    Signed(i128),
    /// Text, or bytes that are text.
    Text(String),
    /// Other bytes.
    Bytes(Vec<u8>),
    /// An account.
    Account(AccountId),
    /// Another call.
    Call(Box<DecodedCall>),
    /// A list, or the parts of a tuple.
    List(Vec<Datum>),
    /// Named fields.
    Fields(Vec<(String, Datum)>),
    /// One of several forms: its name, and its fields, whose names may be empty.
    Variant(String, Vec<(String, Datum)>),
}

/// Bytes that are no call of the chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no call of this chain: {reason}")]
pub struct CallUnreadable {
    /// What is wrong with them.
    pub reason: String,
}

fn unreadable(reason: impl Into<String>) -> CallUnreadable {
    CallUnreadable {
        reason: reason.into(),
    }
}

/// Reads a call, all of it.
pub(crate) fn read(bytes: &[u8], metadata: &Metadata) -> Result<DecodedCall, CallUnreadable> {
    let mut reader = Reader {
        metadata,
        types: metadata.types(),
        input: bytes,
        read: 0,
    };
    let call = reader.call(0)?;
    match reader.input.len() {
        0 => Ok(call),
        left => Err(unreadable(format!(
            "{left} bytes follow after {}",
            call.path()
        ))),
    }
}

/// A call that somebody else encoded, ready to be submitted, and what it says.
pub(crate) fn adopt(
    bytes: &[u8],
    metadata: &Metadata,
) -> Result<(Call, DecodedCall), CallUnreadable> {
    let decoded = read(bytes, metadata)?;
    let args = bytes.get(2..).unwrap_or_default().to_vec();
    let call = Call::opaque(decoded.pallet.clone(), decoded.name.clone(), args);
    Ok((call, decoded))
}

struct Reader<'a> {
    metadata: &'a Metadata,
    types: &'a PortableRegistry,
    input: &'a [u8],
    read: u32,
}

impl Reader<'_> {
    fn call(&mut self, depth: u32) -> Result<DecodedCall, CallUnreadable> {
        let (pallet, index) = (self.scale::<u8>()?, self.scale::<u8>()?);
        let found = self
            .metadata
            .pallet_by_call_index(pallet)
            .ok_or_else(|| unreadable(format!("no pallet has number {pallet}")))?;
        let variant = found.call_variant_by_index(index).ok_or_else(|| {
            unreadable(format!("{} has no call with number {index}", found.name()))
        })?;
        Ok(DecodedCall {
            pallet: found.name().to_owned(),
            name: variant.name.clone(),
            args: self.fields(&variant.fields, depth)?,
        })
    }

    fn fields(
        &mut self,
        fields: &[Field<PortableForm>],
        depth: u32,
    ) -> Result<Vec<(String, Datum)>, CallUnreadable> {
        let mut read = Vec::new();
        for field in fields {
            let name = field.name.clone().unwrap_or_default();
            read.push((name, self.value(field.ty.id, depth.saturating_add(1))?));
        }
        Ok(read)
    }

    fn value(&mut self, id: u32, depth: u32) -> Result<Datum, CallUnreadable> {
        self.read = self.read.saturating_add(1);
        if depth > DEEPEST || self.read > MOST {
            return Err(unreadable("it holds too much to be shown"));
        }
        if id == self.metadata.outer_enums().call_enum_ty() {
            return Ok(Datum::Call(Box::new(self.call(depth)?)));
        }
        let types = self.types;
        let ty = types
            .resolve(id)
            .ok_or_else(|| unreadable(format!("type {id} is not described")))?;
        let name = ty.path.segments.last().map_or("", String::as_str);
        if matches!(name, "AccountId" | "AccountId32") {
            return Ok(Datum::Account(AccountId(self.scale()?)));
        }
        match &ty.type_def {
            TypeDef::Composite(composite) => match composite.fields.as_slice() {
                [only] if only.name.is_none() => self.value(only.ty.id, depth.saturating_add(1)),
                fields if fields.iter().all(|field| field.name.is_none()) => {
                    let parts = self.fields(fields, depth)?;
                    Ok(Datum::List(
                        parts.into_iter().map(|(_, part)| part).collect(),
                    ))
                }
                fields => Ok(Datum::Fields(self.fields(fields, depth)?)),
            },
            TypeDef::Variant(variants) => {
                let index: u8 = self.scale()?;
                let variant = variants.variants.iter().find(|v| v.index == index);
                let variant =
                    variant.ok_or_else(|| unreadable(format!("{name} has no form {index}")))?;
                let mut fields = self.fields(&variant.fields, depth)?;
                match (name, fields.pop()) {
                    // How FRAME's pallets name an account.
                    ("MultiAddress", Some((_, account @ Datum::Account(_)))) => Ok(account),
                    (_, last) => {
                        fields.extend(last);
                        Ok(Datum::Variant(variant.name.clone(), fields))
                    }
                }
            }
            TypeDef::Sequence(list) if self.is_byte(list.type_param.id) => {
                let bytes: Vec<u8> = self.scale()?;
                Ok(text(&bytes).map_or(Datum::Bytes(bytes), Datum::Text))
            }
            TypeDef::Sequence(list) => {
                let length = self.scale::<Compact<u32>>()?.0;
                self.list(list.type_param.id, length, depth)
            }
            TypeDef::Array(array) if self.is_byte(array.type_param.id) => {
                self.bytes(array.len).map(Datum::Bytes)
            }
            TypeDef::Array(array) => self.list(array.type_param.id, array.len, depth),
            TypeDef::Tuple(tuple) => {
                let mut parts = Vec::new();
                for part in &tuple.fields {
                    parts.push(self.value(part.id, depth.saturating_add(1))?);
                }
                Ok(Datum::List(parts))
            }
            TypeDef::Primitive(primitive) => self.primitive(primitive),
            TypeDef::Compact(_) => Ok(Datum::Number(self.scale::<Compact<u128>>()?.0)),
            TypeDef::BitSequence(_) => Err(unreadable("it holds bits, which are not shown")),
        }
    }

    fn list(&mut self, id: u32, length: u32, depth: u32) -> Result<Datum, CallUnreadable> {
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(id, depth.saturating_add(1))?);
        }
        Ok(Datum::List(items))
    }

    fn primitive(&mut self, primitive: &TypeDefPrimitive) -> Result<Datum, CallUnreadable> {
        Ok(match primitive {
            TypeDefPrimitive::Bool => Datum::Bool(self.scale()?),
            TypeDefPrimitive::Char => {
                let code = self.scale::<u32>()?;
                let char = char::from_u32(code).ok_or_else(|| unreadable("no character"))?;
                Datum::Text(char.into())
            }
            TypeDefPrimitive::Str => Datum::Text(self.scale()?),
            TypeDefPrimitive::U8 => Datum::Number(self.scale::<u8>()?.into()),
            TypeDefPrimitive::U16 => Datum::Number(self.scale::<u16>()?.into()),
            TypeDefPrimitive::U32 => Datum::Number(self.scale::<u32>()?.into()),
            TypeDefPrimitive::U64 => Datum::Number(self.scale::<u64>()?.into()),
            TypeDefPrimitive::U128 => Datum::Number(self.scale()?),
            TypeDefPrimitive::I8 => Datum::Signed(self.scale::<i8>()?.into()),
            TypeDefPrimitive::I16 => Datum::Signed(self.scale::<i16>()?.into()),
            TypeDefPrimitive::I32 => Datum::Signed(self.scale::<i32>()?.into()),
            TypeDefPrimitive::I64 => Datum::Signed(self.scale::<i64>()?.into()),
            TypeDefPrimitive::I128 => Datum::Signed(self.scale()?),
            TypeDefPrimitive::U256 | TypeDefPrimitive::I256 => Datum::Bytes(self.bytes(32)?),
        })
    }

    fn is_byte(&self, id: u32) -> bool {
        let ty = self.types.resolve(id);
        ty.is_some_and(|ty| matches!(ty.type_def, TypeDef::Primitive(TypeDefPrimitive::U8)))
    }

    fn bytes(&mut self, length: u32) -> Result<Vec<u8>, CallUnreadable> {
        let split = self.input.split_at_checked(length as usize);
        let (bytes, rest) = split.ok_or_else(|| unreadable("it ends too early"))?;
        self.input = rest;
        Ok(bytes.to_vec())
    }

    fn scale<T: Decode>(&mut self) -> Result<T, CallUnreadable> {
        T::decode(&mut self.input).map_err(|error| unreadable(error.to_string()))
    }
}

/// Bytes that are text without control characters.
fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let plain = !text.is_empty() && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use codec::Encode;
    use keyward_protocol::{AgreementKey, Digest, VerifyingKey};

    use super::*;
    use crate::{call::Collective, runtime::COMMITTED, Quotas};

    const ACCOUNT: AccountId = AccountId([7; 32]);

    fn decoded(call: &Call) -> DecodedCall {
        let metadata = COMMITTED.as_ref().unwrap();
        read(&call.encode_for(metadata).unwrap(), metadata).unwrap()
    }

    #[test]
    fn accounts_names_and_keys_of_a_call_are_readable() {
        let call = Call::admit_gateway(
            ACCOUNT,
            &"acme".parse().unwrap(),
            &"gw1".parse().unwrap(),
            VerifyingKey([2; 32]),
            AgreementKey([3; 32]),
        );
        let call = decoded(&call);
        assert_eq!(call.path(), "Fleet.admit_gateway");
        assert_eq!(call.arg("account"), Some(&Datum::Account(ACCOUNT)));
        assert_eq!(
            call.arg("organisation"),
            Some(&Datum::Text("acme".to_owned()))
        );
        assert_eq!(call.arg("statement_key"), Some(&Datum::Bytes(vec![2; 32])));
    }

    #[test]
    fn a_call_inside_of_root_is_read_too() {
        let call = Call::as_root(Call::authorize_upgrade(Digest([9; 32])));
        let call = decoded(&call);
        let Some(Datum::Call(inner)) = call.arg("call") else {
            panic!("{call:?}");
        };
        assert_eq!(inner.path(), "System.authorize_upgrade");
        assert_eq!(inner.arg("code_hash"), Some(&Datum::Bytes(vec![9; 32])));
    }

    #[test]
    fn an_address_is_an_account_and_quotas_have_names() {
        let call = decoded(&Call::add_member(Collective::Council, ACCOUNT));
        assert_eq!(call.arg("who"), Some(&Datum::Account(ACCOUNT)));
        let quotas = Quotas {
            devices: 1,
            groups: 2,
            members: 3,
        };
        let call = decoded(&Call::admit_organisation(
            &"acme".parse().unwrap(),
            "Acme",
            quotas,
            false,
        ));
        let Some(Datum::Fields(quotas)) = call.arg("quotas") else {
            panic!("{call:?}");
        };
        assert_eq!(quotas[2], ("members".to_owned(), Datum::Number(3)));
    }

    #[test]
    fn what_is_cut_short_has_bytes_left_over_or_is_unknown_is_refused() {
        let metadata = COMMITTED.as_ref().unwrap();
        let bytes = Call::note_stalled(5, 9).encode_for(metadata).unwrap();
        assert!(read(&bytes, metadata).is_ok());
        assert!(read(&bytes[..bytes.len() - 1], metadata).is_err());
        assert!(read(&[&bytes[..], &[0]].concat(), metadata).is_err());
        assert!(read(&[255, 0], metadata).is_err());
        assert!(read(&[], metadata).is_err());
    }

    #[test]
    fn a_call_nested_without_end_is_refused_and_not_followed() {
        let metadata = COMMITTED.as_ref().unwrap();
        let root = Call::as_root(Call::rotate(&"g".parse().unwrap()));
        let head = root.encode_for(metadata).unwrap()[..2].to_vec();
        let refused = read(&head.repeat(10_000), metadata).unwrap_err();
        assert!(refused.to_string().contains("too much"), "{refused}");
        // A list that says it has more items than it has bytes.
        let batch = Call::batch_all(Vec::new()).encode_for(metadata).unwrap();
        let endless = [&batch[..2], &Compact(u32::MAX).encode()[..]].concat();
        assert!(read(&endless, metadata).is_err());
    }

    #[test]
    fn bytes_that_would_steer_a_terminal_are_no_text() {
        assert_eq!(text(b"Acme"), Some("Acme".to_owned()));
        assert_eq!(
            (text(b"a\x1b[2J"), text(b""), text(&[0xff])),
            (None, None, None)
        );
    }

    #[test]
    fn an_adopted_call_is_sent_as_it_came() {
        let metadata = COMMITTED.as_ref().unwrap();
        let bytes = Call::remove_member(Collective::TechnicalCommittee, ACCOUNT)
            .encode_for(metadata)
            .unwrap();
        let (call, decoded) = adopt(&bytes, metadata).unwrap();
        assert_eq!(decoded.path(), "TechnicalMembership.remove_member");
        assert_eq!(call.encode_for(metadata).unwrap(), bytes);
    }
}
