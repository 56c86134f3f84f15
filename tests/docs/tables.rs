//! The guide's table of rules has every rule of the checker, and its chapter on costs no number that was not measured.

use std::collections::BTreeSet;

use syncmgr::testing::Rule;

const RULES: &str = include_str!("../../docs/guide/rules.md");
const PERFORMANCE: &str = include_str!("../../docs/performance.md");
const COSTS: &str = include_str!("../../docs/guide/performance.md");

#[test]
fn every_rule_has_one_row_and_every_row_is_a_rule() {
    let rows = RULES.lines().filter_map(|line| line.strip_prefix("| "));
    let ids = rows.filter_map(|row| row.split(' ').next());
    let told: Vec<&str> = ids.filter(|id| *id != "rule").collect();
    let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    assert_eq!(told, rules);
}

/// The numbers in a text that somebody has measured: those with a fraction, and those of three digits and more.
fn measured(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
    let numbers = words.map(|word| word.trim_matches(['.', ',']));
    numbers
        .filter(|number| number.contains('.') || number.len() >= 3)
        .collect()
}

#[test]
fn the_costs_are_those_that_were_measured() {
    let there = measured(PERFORMANCE);
    // How many entries the log holds is no measurement.
    let told = measured(COSTS).into_iter().filter(|told| *told != "10,000");
    let made_up: Vec<&str> = told.filter(|told| !there.contains(told)).collect();
    assert_eq!(made_up, [""; 0], "not in docs/performance.md");
}
