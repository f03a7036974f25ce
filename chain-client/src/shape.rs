//! Fingerprints of SCALE types, to tell whether two runtimes encode something alike.
//!
//! Unlike subxt's hashes, these depend on the order of fields and on the index of each variant: this crate encodes and
//! decodes by position, with the types of `keyward-protocol`. Names of fields and variants count, names and docs of types do not.

use std::collections::HashMap;

use codec::Encode;
use scale_info::{form::PortableForm, Field, PortableRegistry, TypeDef};

/// Fingerprint of a type, or of anything that has types in it.
pub type Shape = [u8; 32];

/// Fingerprints the types of one registry.
pub struct Shapes<'a> {
    types: &'a PortableRegistry,
    /// Types that are being described now, with their depth: a type that contains itself is described by how far up it is.
    open: HashMap<u32, u32>,
}

impl<'a> Shapes<'a> {
    /// Of this registry's types.
    pub fn of(types: &'a PortableRegistry) -> Self {
        Self {
            types,
            open: HashMap::new(),
        }
    }

    /// Fingerprint of one type.
    pub fn shape(&mut self, id: u32) -> Shape {
        hash(&self.describe(id))
    }

    /// Fingerprint of fields in their order.
    pub fn fields(&mut self, fields: &[Field<PortableForm>]) -> Shape {
        hash(&self.describe_fields(fields))
    }

    fn describe(&mut self, id: u32) -> Vec<u8> {
        let depth = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        if let Some(at) = self.open.get(&id) {
            return ("again", depth.saturating_sub(*at)).encode();
        }
        let Some(ty) = self.types.resolve(id) else {
            return "unknown".encode();
        };
        self.open.insert(id, depth);
        let description = self.describe_definition(&ty.type_def);
        self.open.remove(&id);
        description
    }

    fn describe_definition(&mut self, definition: &TypeDef<PortableForm>) -> Vec<u8> {
        match definition {
            // A newtype is encoded as what it wraps.
            TypeDef::Composite(composite) => match composite.fields.as_slice() {
                [only] => self.describe(only.ty.id),
                fields => ("struct", self.describe_fields(fields)).encode(),
            },
            TypeDef::Variant(variants) => {
                let mut described: Vec<_> = variants
                    .variants
                    .iter()
                    .map(|v| (v.index, v.name.as_str(), self.describe_fields(&v.fields)))
                    .collect();
                described.sort();
                ("enum", described).encode()
            }
            TypeDef::Sequence(list) => ("list", self.shape(list.type_param.id)).encode(),
            TypeDef::Array(array) => ("array", array.len, self.shape(array.type_param.id)).encode(),
            TypeDef::Tuple(tuple) => {
                let parts: Vec<_> = tuple
                    .fields
                    .iter()
                    .map(|part| self.shape(part.id))
                    .collect();
                ("tuple", parts).encode()
            }
            TypeDef::Primitive(primitive) => ("primitive", format!("{primitive:?}")).encode(),
            TypeDef::Compact(compact) => ("compact", self.shape(compact.type_param.id)).encode(),
            TypeDef::BitSequence(_) => "bits".encode(),
        }
    }

    fn describe_fields(&mut self, fields: &[Field<PortableForm>]) -> Vec<u8> {
        let describe = |field: &Field<PortableForm>| (field.name.clone(), self.shape(field.ty.id));
        fields.iter().map(describe).collect::<Vec<_>>().encode()
    }
}

fn hash(bytes: &[u8]) -> Shape {
    sp_crypto_hashing::blake2_256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scale_info::{meta_type, Registry, TypeInfo};

    fn shape<T: TypeInfo + 'static>() -> Shape {
        let mut registry = Registry::new();
        let id = registry.register_type(&meta_type::<T>()).id;
        let types: PortableRegistry = registry.into();
        Shapes::of(&types).shape(id)
    }

    #[derive(TypeInfo)]
    #[expect(dead_code, reason = "only its type is looked at")]
    struct Ab {
        a: u32,
        b: u32,
    }
    #[derive(TypeInfo)]
    #[expect(dead_code, reason = "only its type is looked at")]
    struct Ba {
        b: u32,
        a: u32,
    }
    #[derive(TypeInfo)]
    #[expect(dead_code, reason = "only its type is looked at")]
    enum Recursive {
        #[codec(index = 1)]
        End,
        #[codec(index = 2)]
        More(Vec<Recursive>),
    }
    mod elsewhere {
        use super::TypeInfo;
        /// Other docs.
        #[derive(TypeInfo)]
        #[expect(dead_code, reason = "only its type is looked at")]
        pub struct Renamed {
            a: u32,
            b: u32,
        }
        #[derive(TypeInfo)]
        #[expect(dead_code, reason = "only its type is looked at")]
        pub enum Recursive {
            #[codec(index = 2)]
            End,
            #[codec(index = 1)]
            More(Vec<Recursive>),
        }
    }

    #[test]
    fn the_order_of_fields_counts() {
        assert_ne!(shape::<Ab>(), shape::<Ba>());
    }

    #[test]
    fn the_name_and_docs_of_a_type_do_not_count() {
        assert_eq!(shape::<Ab>(), shape::<elsewhere::Renamed>());
    }

    #[test]
    fn the_index_of_a_variant_counts_in_a_type_that_contains_itself() {
        assert_ne!(shape::<Recursive>(), shape::<elsewhere::Recursive>());
        assert_eq!(shape::<Recursive>(), shape::<Recursive>());
    }

    #[derive(TypeInfo)]
    #[expect(dead_code, reason = "only its type is looked at")]
    struct Wrapped(Vec<u8>);

    #[test]
    fn a_newtype_is_what_it_wraps() {
        assert_eq!(shape::<Wrapped>(), shape::<Vec<u8>>());
    }

    #[test]
    fn widths_and_lengths_count() {
        assert_ne!(shape::<u32>(), shape::<u64>());
        assert_ne!(shape::<[u8; 32]>(), shape::<[u8; 64]>());
        assert_ne!(shape::<Option<u8>>(), shape::<Vec<u8>>());
    }
}
