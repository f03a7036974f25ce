//! Whatever is in the file: it is read or refused, in bounds, and never with a panic.

use keyward_consortium::*;
use proptest::prelude::*;

use crate::{lines, network::network, EXAMPLE};

/// What may be told about one file: a line per entry and rule at most.
const MOST: usize = 20_000;

fn holds(text: &str) -> Result<(), TestCaseError> {
    let plan = Plan::parse(text);
    let network = Network::parse(text);
    for told in [lines(&plan), lines(&network)] {
        prop_assert!(told.len() < MOST);
        for line in told {
            prop_assert!(!line.contains('\u{1b}') && line.len() < 2_000, "{line}");
        }
    }
    if let Some(plan) = plan.value {
        prop_assert!(plan.network.minimum_validators as usize <= plan.validators().count());
        prop_assert!(!plan.council.is_empty());
        for gateway in &plan.gateways {
            prop_assert!(plan.machine(&gateway.machine).is_some());
        }
    }
    if let Some(network) = network.value {
        let again = Network::parse(&network.to_toml()).value;
        prop_assert_eq!(again, Some(network));
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,400}") {
        holds(&text)?;
    }

    #[test]
    fn a_line_that_is_anything_is_read_or_refused(at in 0_usize..150, line in ".{0,80}") {
        let lines: Vec<_> = EXAMPLE.lines().filter(|line| !line.starts_with('#')).collect();
        let at = at % lines.len();
        let text = lines.iter().enumerate().map(|(n, old)| if n == at { &line } else { *old });
        holds(&text.collect::<Vec<_>>().join("\n"))?;
    }

    #[test]
    fn bytes_that_are_cut_or_changed_are_read_or_refused(
        cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "[\\x00-\\x7f]",
    ) {
        for whole in [EXAMPLE.to_owned(), network().to_toml()] {
            let mut text: String = whole.chars().filter(char::is_ascii).collect();
            let place = at.index(text.len());
            text.replace_range(place..place + 1, &with);
            holds(&text)?;
            text.truncate(cut.index(text.len()));
            holds(&text)?;
        }
    }

    #[test]
    fn an_account_that_is_read_comes_back(bytes in any::<[u8; 32]>(), text in ".{0,80}") {
        let account = keyward_protocol::AccountId(bytes);
        prop_assert_eq!(account_from_text(&to_ss58(&account)), Ok(account));
        let _ = account_from_text(&text);
        let _ = text.parse::<PeerId>();
        if let Ok(host) = text.parse::<Host>() {
            prop_assert_eq!(host.to_string().parse(), Ok(host));
        }
    }
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let text = format!("{EXAMPLE}\n{}", "#".repeat(LONGEST));
    let told = lines(&Plan::parse(&text));
    assert!(told.len() == 1 && told[0].contains("at most"), "{told:?}");
}

#[test]
fn more_than_the_chain_has_room_for_is_refused() {
    let many: String = (0..101)
        .map(|n| format!("[[council]]\nname = \"m{n}\"\norganisation = \"roads\"\n"))
        .collect();
    let told = lines(&Plan::parse(&format!("{EXAMPLE}\n{many}"))).join("\n");
    assert!(
        told.contains("council: are 105; the chain has room for 100"),
        "{told}"
    );
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Plan::parse(&text).value.is_none());
}
