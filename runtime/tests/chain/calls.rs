//! Every call of the metadata, with an instance of each; and what docs/permissions.md says about it.

use std::collections::{BTreeMap, BTreeSet};

use codec::{Compact, Decode, Encode};
use keyward_runtime::RuntimeCall;
use scale_info::{
    form::PortableForm, MetaType, PortableRegistry, Registry, TypeDef, TypeDefPrimitive, Variant,
};

const TABLE: &str = include_str!("../../../docs/permissions.md");

/// A call: its name as in the metadata, `Pallet.call`, and an instance with the least that decodes.
#[derive(Clone)]
pub struct Sample {
    pub name: String,
    pub call: RuntimeCall,
}

/// Every call that the metadata lists. The metadata's type of a call is this one.
pub fn all() -> Vec<Sample> {
    let mut registry = Registry::new();
    let root = registry.register_type(&MetaType::new::<RuntimeCall>()).id;
    let types = PortableRegistry::from(registry);
    let pallets = variants(&types, root);
    let samples = pallets.iter().flat_map(|pallet| {
        let calls = variants(&types, pallet.fields[0].ty.id);
        let sample = |call: Variant<PortableForm>| sample(&types, pallet, &call);
        calls.into_iter().map(sample).collect::<Vec<_>>()
    });
    samples.collect()
}

/// The call of this name.
pub fn named(name: &str) -> RuntimeCall {
    let found = all().into_iter().find(|sample| sample.name == name);
    found.unwrap_or_else(|| panic!("{name} is no call")).call
}

fn variants(types: &PortableRegistry, id: u32) -> Vec<Variant<PortableForm>> {
    match &types.resolve(id).unwrap().type_def {
        TypeDef::Variant(all) => all.variants.clone(),
        other => panic!("calls are variants, not {other:?}"),
    }
}

fn sample(
    types: &PortableRegistry,
    pallet: &Variant<PortableForm>,
    call: &Variant<PortableForm>,
) -> Sample {
    let name = format!("{}.{}", pallet.name, call.name);
    let mut bytes = vec![pallet.index, call.index];
    for field in &call.fields {
        least(types, field.ty.id, &mut bytes);
    }
    let mut rest = &bytes[..];
    let decoded = RuntimeCall::decode(&mut rest);
    let call = decoded.unwrap_or_else(|error| panic!("{name} from {bytes:?}: {error}"));
    assert!(rest.is_empty(), "{name} left {rest:?}");
    Sample { name, call }
}

/// The least bytes that decode as this type: zeros, empty lists, first variants; an identifier has a letter.
fn least(types: &PortableRegistry, id: u32, bytes: &mut Vec<u8>) {
    let ty = types.resolve(id).unwrap();
    let path: Vec<&str> = ty.path.segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["keyward_protocol", "id", _] => return bytes.extend("a".encode()),
        // `System.remark` of nothing. First variants would go round in circles.
        ["keyward_runtime", "RuntimeCall"] => return bytes.extend([0, 0, 0]),
        _ => {}
    }
    match &ty.type_def {
        TypeDef::Composite(all) => all.fields.iter().for_each(|f| least(types, f.ty.id, bytes)),
        TypeDef::Tuple(all) => all.fields.iter().for_each(|f| least(types, f.id, bytes)),
        TypeDef::Array(array) => {
            (0..array.len).for_each(|_| least(types, array.type_param.id, bytes));
        }
        TypeDef::Variant(all) => {
            let first = all.variants.iter().min_by_key(|variant| variant.index);
            let first = first.expect("somebody can make it");
            bytes.push(first.index);
            first
                .fields
                .iter()
                .for_each(|f| least(types, f.ty.id, bytes));
        }
        TypeDef::Sequence(_) | TypeDef::Compact(_) | TypeDef::BitSequence(_) => {
            bytes.extend(Compact(0u32).encode());
        }
        TypeDef::Primitive(primitive) => bytes.extend(vec![0; width(primitive)]),
    }
}

fn width(primitive: &TypeDefPrimitive) -> usize {
    use TypeDefPrimitive::{
        Bool, Char, Str, I128, I16, I256, I32, I64, I8, U128, U16, U256, U32, U64, U8,
    };
    match primitive {
        Bool | Str | U8 | I8 => 1,
        U16 | I16 => 2,
        Char | U32 | I32 => 4,
        U64 | I64 => 8,
        U128 | I128 => 16,
        U256 | I256 => 32,
    }
}

/// What the table says about a call.
#[derive(Clone, Debug)]
pub struct Row {
    /// Roles that may sign it.
    pub signers: BTreeSet<String>,
    /// Words for the origins that it accepts.
    pub words: BTreeSet<String>,
}

/// The table of docs/permissions.md.
pub fn table() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in TABLE.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [call, signers, words] = cells.as_slice() else {
            continue;
        };
        let call = call.trim_matches('`');
        if !call.contains('.') || call.contains(' ') {
            continue;
        }
        let row = Row {
            signers: signers.split(", ").map(str::to_owned).collect(),
            words: words.split("; ").map(first_word).collect(),
        };
        let twice = rows.insert(call.to_owned(), row);
        assert!(twice.is_none(), "{call} has two rows");
    }
    rows
}

fn first_word(text: &str) -> String {
    let word = text.split([' ', ':', ',']).next();
    word.unwrap_or_default().to_owned()
}
