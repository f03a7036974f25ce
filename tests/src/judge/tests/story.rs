//! A short run in which everything is as it should be: `d` is removed in block 3, and everything is well from block 40 on. Each test
//! changes one thing in it.

use super::forge::{secret, state_topic, time, Story};
use crate::judge::{
    evidence::{Line, What},
    judge, Conviction,
};

impl Story {
    /// Until the removal, in block 3, and what follows from it.
    pub fn until_the_removal(&mut self) {
        self.block(1, self.state(1, true));
        self.states(time(1) + 600, &self.statement(1));
        for device in ["w", "d"] {
            self.grants(time(1) + 610, device, &[(1, secret(1))]);
        }
        self.acknowledges(time(1) + 700, "p", 1, self.commitment(1));
        self.acknowledges(time(1) + 710, "s", 1, self.commitment(1));
        let bytes = self.sends(time(2), time(2) + 100, 1, "p 1");
        self.reads(time(2) + 110, &bytes, "p 1");
        self.block(2, self.state(1, true));
        self.block(3, self.state(2, false));
        self.states(time(3) + 600, &self.statement(2));
        self.grants(time(3) + 610, "w", &[(1, secret(1)), (2, secret(2))]);
        self.acknowledges(time(3) + 700, "p", 2, self.commitment(2));
        self.acknowledges(time(3) + 710, "s", 2, self.commitment(2));
    }

    /// From block 40 on everything is well: `p` sends, `s` reads, and the broker holds what it must.
    pub fn until_the_end(&mut self) {
        self.note(time(40), What::Healed);
        self.note(time(42), What::Quiet);
        let bytes = self.sends(time(43), time(43) + 100, 2, "p last");
        self.reads(time(43) + 110, &bytes, "p last");
        self.block(90, self.state(2, false));
        self.over();
    }

    pub fn over(&mut self) {
        for device in ["p", "s", "w"] {
            self.holds(time(91), device, true);
        }
        self.holds(time(91), "d", false);
        let statement = self.signed(&self.statement(2));
        self.held(time(91), state_topic(), statement);
        self.note(time(92), What::Over);
    }

    /// A whole story with something in the middle, after the removal.
    pub fn with(middle: impl FnOnce(&mut Self)) -> Self {
        let mut story = Self::new();
        story.until_the_removal();
        middle(&mut story);
        story.until_the_end();
        story
    }

    /// What the judge makes of it. It is shown what a file would hold.
    pub fn judged(&self) -> Vec<Conviction> {
        let text: Vec<String> = self
            .lines
            .iter()
            .map(|line| serde_json::to_string(line).unwrap())
            .collect();
        let lines: Vec<Line> = text
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        judge(&lines).unwrap().convictions
    }

    /// It is acquitted of everything.
    pub fn is_acquitted(&self) {
        let convictions = self.judged();
        assert!(convictions.is_empty(), "{}", show(&convictions));
    }

    /// It is convicted of this and of nothing else.
    pub fn is_convicted_of(&self, rule: &str, what: &str) {
        let convictions = self.judged();
        let only = !convictions.is_empty() && convictions.iter().all(|c| c.rule == rule);
        let named = convictions.iter().any(|c| c.what.contains(what));
        assert!(only && named, "{rule}, '{what}': {}", show(&convictions));
    }
}

fn show(convictions: &[Conviction]) -> String {
    let lines: Vec<String> = convictions.iter().map(ToString::to_string).collect();
    format!("{} convictions\n{}", lines.len(), lines.join("\n"))
}
