//! What a call does, in words: for whoever decides on it.

use keyward_chain_client::{account_to_ss58, Datum, DecodedCall};
use serde_json::{json, Map, Value};

use crate::chain::Names;

/// Bytes that are shown whole.
const WHOLE: usize = 64;
/// Items of a list that are shown.
const ITEMS: usize = 8;

/// What a call does. One that has no words of its own is shown with its arguments.
pub fn words(call: &DecodedCall, names: &Names) -> String {
    let reader = Reader { call, names };
    reader.known().unwrap_or_else(|| reader.plain())
}

/// A call's arguments, for programs.
pub fn arguments(call: &DecodedCall) -> Value {
    fields(&call.args)
}

fn fields(fields: &[(String, Datum)]) -> Value {
    match fields.iter().all(|(name, _)| name.is_empty()) {
        true if !fields.is_empty() => fields.iter().map(|(_, value)| json_of(value)).collect(),
        _ => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), json_of(value)))
                .collect::<Map<_, _>>(),
        ),
    }
}

fn json_of(value: &Datum) -> Value {
    match value {
        Datum::Bool(value) => json!(value),
        // Beyond 64 bits, JSON's numbers are not exact.
        Datum::Number(value) => {
            u64::try_from(*value).map_or(json!(value.to_string()), |n| json!(n))
        }
        Datum::Signed(value) => {
            i64::try_from(*value).map_or(json!(value.to_string()), |n| json!(n))
        }
        Datum::Text(text) => json!(text),
        Datum::Bytes(bytes) => json!(format!("0x{}", hex::encode(bytes))),
        Datum::Account(account) => json!(account_to_ss58(account)),
        Datum::Call(call) => json!({ "call": call.path(), "arguments": arguments(call) }),
        Datum::List(items) => items.iter().map(json_of).collect(),
        Datum::Fields(named) => fields(named),
        Datum::Variant(name, inner) if inner.is_empty() => json!(name),
        Datum::Variant(name, inner) => json!({ name.clone(): fields(inner) }),
    }
}

struct Reader<'a> {
    call: &'a DecodedCall,
    names: &'a Names,
}

impl Reader<'_> {
    fn known(&self) -> Option<String> {
        match self.call.pallet.as_str() {
            "Fleet" => self.fleet(),
            "ValidatorSet" => self.validator_set(),
            "Membership" => self.membership("council"),
            "TechnicalMembership" => self.membership("technical committee"),
            _ => self.system(),
        }
    }

    fn fleet(&self) -> Option<String> {
        let arg = |name| self.arg(name);
        Some(match self.call.name.as_str() {
            "admit_organisation" => format!(
                "admit organisation {} ('{}'{}; {})",
                arg("name")?,
                arg("label")?,
                match self.call.arg("bare_names")? {
                    Datum::Bool(true) => ", with the names without a dot",
                    _ => "",
                },
                arg("quotas")?
            ),
            "admit_gateway" => format!(
                "admit gateway {} of {}, with account {}, statement key {}, custody key {}",
                arg("name")?,
                arg("organisation")?,
                self.address("account")?,
                arg("statement_key")?,
                arg("custody_key")?
            ),
            "suspend_gateway" => format!("suspend gateway {}", arg("account")?),
            "reinstate_gateway" => format!("let gateway {} act again", arg("account")?),
            "expel_gateway" => format!("expel gateway {} for ever", arg("account")?),
            "replace_gateway_keys" => format!(
                "replace the keys of gateway {}: statement key {}, custody key {}",
                arg("account")?,
                arg("statement_key")?,
                arg("custody_key")?
            ),
            "admit_authority" => format!(
                "admit certificate authority {} of {}, with key {}",
                arg("id")?,
                arg("organisation")?,
                arg("key")?
            ),
            "revoke_authority" => format!("revoke certificate authority {} for ever", arg("id")?),
            "freeze_group" => format!(
                "freeze group {}: its publishers seal nothing",
                arg("group")?
            ),
            "thaw_group" => format!("let the frozen group {} go on", arg("group")?),
            _ => return None,
        })
    }

    fn validator_set(&self) -> Option<String> {
        let operator = || self.arg("account");
        Some(match self.call.name.as_str() {
            "approve" => format!("approve {} as operator of a validator", operator()?),
            "remove" => format!(
                "remove {} from the validators and their operators",
                operator()?
            ),
            "set_minimum" => format!("never have fewer than {} validators", self.arg("minimum")?),
            "clear_offences" => format!("mark the offences of {} as dealt with", operator()?),
            _ => return None,
        })
    }

    fn membership(&self, of: &str) -> Option<String> {
        Some(match self.call.name.as_str() {
            "add_member" => format!("make {} a member of the {of}", self.arg("who")?),
            "remove_member" => format!("take {} out of the {of}", self.arg("who")?),
            _ => return None,
        })
    }

    fn system(&self) -> Option<String> {
        Some(match self.call.path().as_str() {
            "Governance.as_root" => format!("as root: {}", self.inner("call")?),
            "Utility.batch_all" => format!("all or nothing: {}", self.arg("calls")?),
            "Utility.batch" | "Utility.force_batch" => {
                format!("one after the other: {}", self.arg("calls")?)
            }
            "System.authorize_upgrade" => format!(
                "authorize an upgrade to the runtime code with hash {}, if its version follows",
                self.arg("code_hash")?
            ),
            "System.authorize_upgrade_without_checks" => format!(
                "authorize the runtime code with hash {} WITHOUT a check of its name and version",
                self.arg("code_hash")?
            ),
            "Grandpa.note_stalled" => format!(
                "start a new set of GRANDPA voters on top of finalized block {}, {} blocks after the next session began",
                self.arg("best_finalized_block_number")?,
                self.arg("delay")?
            ),
            "TxPause.pause" => format!("pause calls of {}", self.call_name("full_name")?),
            "TxPause.unpause" => format!("let paused calls of {} go on", self.call_name("ident")?),
            _ => return None,
        })
    }

    /// A call's name as `TxPause` has it: pallet and call.
    fn call_name(&self, arg: &str) -> Option<String> {
        match self.call.arg(arg)? {
            Datum::List(parts) => match parts.as_slice() {
                [Datum::Text(pallet), Datum::Text(call)] => Some(format!("{pallet}.{call}")),
                _ => None,
            },
            _ => None,
        }
    }

    fn inner(&self, arg: &str) -> Option<String> {
        match self.call.arg(arg)? {
            Datum::Call(call) => Some(words(call, self.names)),
            _ => None,
        }
    }

    fn address(&self, arg: &str) -> Option<String> {
        match self.call.arg(arg)? {
            Datum::Account(account) => Some(account_to_ss58(account)),
            _ => None,
        }
    }

    fn arg(&self, name: &str) -> Option<String> {
        Some(self.value(self.call.arg(name)?))
    }

    fn plain(&self) -> String {
        format!("{}({})", self.call.path(), self.named(&self.call.args))
    }

    fn named(&self, fields: &[(String, Datum)]) -> String {
        let field = |(name, value): &(String, Datum)| match name.as_str() {
            "" => self.value(value),
            name => format!("{name}: {}", self.value(value)),
        };
        shortened(fields.iter().map(field), fields.len())
    }

    fn value(&self, value: &Datum) -> String {
        match value {
            Datum::Bool(true) => "yes".to_owned(),
            Datum::Bool(false) => "no".to_owned(),
            Datum::Number(number) => number.to_string(),
            Datum::Signed(number) => number.to_string(),
            Datum::Text(text) => text.clone(),
            Datum::Bytes(bytes) => bytes_text(bytes),
            Datum::Account(account) => self.names.name(account),
            Datum::Call(call) => words(call, self.names),
            Datum::List(items) => {
                let shown = items.iter().map(|item| self.value(item));
                format!("[{}]", shortened(shown, items.len()))
            }
            Datum::Fields(fields) => self.named(fields),
            Datum::Variant(name, fields) if fields.is_empty() => name.clone(),
            Datum::Variant(name, fields) => format!("{name}({})", self.named(fields)),
        }
    }
}

fn bytes_text(bytes: &[u8]) -> String {
    match bytes.get(..WHOLE) {
        None => format!("0x{}", hex::encode(bytes)),
        Some(_) if bytes.len() == WHOLE => format!("0x{}", hex::encode(bytes)),
        Some(beginning) => format!(
            "0x{}… ({} bytes)",
            hex::encode(beginning.get(..8).unwrap_or_default()),
            bytes.len()
        ),
    }
}

fn shortened(items: impl Iterator<Item = String>, count: usize) -> String {
    let mut shown: Vec<String> = items.take(ITEMS).collect();
    if count > shown.len() {
        shown.push(format!("and {} more", count - shown.len()));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_protocol::AccountId;

    const ACCOUNT: AccountId = AccountId([7; 32]);

    fn call(path: &str, args: Vec<(&str, Datum)>) -> DecodedCall {
        let (pallet, name) = path.split_once('.').unwrap();
        DecodedCall {
            pallet: pallet.into(),
            name: name.into(),
            args: args
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        }
    }

    fn names() -> Names {
        Names::from_iter([(ACCOUNT, "gw1".to_owned())])
    }

    #[test]
    fn known_calls_are_told_in_words_also_inside_of_root() {
        let suspend = call(
            "Fleet.suspend_gateway",
            vec![("account", Datum::Account(ACCOUNT))],
        );
        assert_eq!(words(&suspend, &names()), "suspend gateway gw1");
        let root = call(
            "Governance.as_root",
            vec![("call", Datum::Call(Box::new(suspend)))],
        );
        assert_eq!(words(&root, &names()), "as root: suspend gateway gw1");
        let name = Datum::List(vec![
            Datum::Text("Fleet".into()),
            Datum::Text("register_device".into()),
        ]);
        let pause = call("TxPause.pause", vec![("full_name", name)]);
        assert_eq!(
            words(&pause, &names()),
            "pause calls of Fleet.register_device"
        );
    }

    #[test]
    fn other_calls_are_shown_with_their_arguments_and_none_floods_the_screen() {
        let other = call(
            "Fleet.set_new",
            vec![
                ("group", Datum::Text("g".into())),
                ("code", Datum::Bytes(vec![1; 1000])),
                ("list", Datum::List(vec![Datum::Number(5); 100])),
            ],
        );
        assert_eq!(
            words(&other, &names()),
            "Fleet.set_new(group: g, code: 0x0101010101010101… (1000 bytes), list: [5, 5, 5, 5, 5, 5, 5, 5, and 92 more])"
        );
    }

    /// A call whose form changed is not told in words that do not fit.
    #[test]
    fn a_known_name_with_other_arguments_is_shown_plainly() {
        let changed = call("Fleet.suspend_gateway", vec![("who", Datum::Number(1))]);
        assert_eq!(words(&changed, &names()), "Fleet.suspend_gateway(who: 1)");
    }

    #[test]
    fn programs_get_exact_values() {
        let other = call(
            "P.c",
            vec![
                ("big", Datum::Number(u128::MAX)),
                ("small", Datum::Number(7)),
                ("form", Datum::Variant("None".into(), Vec::new())),
                (
                    "some",
                    Datum::Variant("Some".into(), vec![(String::new(), Datum::Bool(true))]),
                ),
            ],
        );
        let expected = json!({
            "big": u128::MAX.to_string(), "small": 7, "form": "None", "some": { "Some": [true] },
        });
        assert_eq!(arguments(&other), expected);
    }
}
