//! The user's choices as JSON.

#![cfg(feature = "serde")]

use syncmgr::{Choices, HandlerId, ItemId};

#[test]
fn choices_are_kept_as_json_and_read_again() {
    let mut choices = Choices::new();
    for (handler, item, checked) in [(1, 2, false), (1, 3, true), (2, 2, true)] {
        let handler = HandlerId::from_u128(handler);
        choices.set(handler, ItemId::from_u128(item), checked);
    }
    for choices in [choices, Choices::new()] {
        let json = serde_json::to_string(&choices).unwrap();
        assert_eq!(serde_json::from_str::<Choices>(&json).unwrap(), choices);
    }
}

#[test]
fn what_is_no_choices_is_refused() {
    for text in ["", "7", "[]", "{}", "\"choices\""] {
        assert!(serde_json::from_str::<Choices>(text).is_err(), "{text}");
    }
}
