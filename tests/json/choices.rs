//! The user's choices as JSON.

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

/// The text is refused, and this is why.
#[track_caller]
fn refused(text: &str, why: &str) {
    let error = serde_json::from_str::<Choices>(text).unwrap_err();
    let error = error.to_string();
    let told = error.split(" at line ").next().unwrap_or_default();
    assert_eq!(told, why, "{text}");
}

#[test]
fn what_is_wrong_with_choices_is_told() {
    for text in ["7", "[]", "\"choices\""] {
        let error = serde_json::from_str::<Choices>(text).unwrap_err();
        let expected = "expected choices, an object with the field \"syncmgr_choices\"";
        assert!(error.to_string().contains(expected), "{error}");
    }
    refused("{}", "missing field `syncmgr_choices`");
    refused(r#"{"handlers":{}}"#, "missing field `syncmgr_choices`");
    refused(r#"{"syncmgr_choices":1}"#, "missing field `handlers`");
    refused(
        r#"{"syncmgr_choices":"1","handlers":{}}"#,
        "invalid type: string \"1\", expected u64",
    );
    for version in [0, 2, u64::MAX] {
        refused(
            &format!(r#"{{"syncmgr_choices":{version},"handlers":{{}}}}"#),
            &format!("the choices have the version {version}; versions 1 to 1 can be read"),
        );
    }
    refused(
        r#"{"syncmgr_choices":1,"handlers":7}"#,
        "invalid type: integer `7`, expected an object whose keys are ids, each once",
    );
    refused(
        r#"{"syncmgr_choices":1,"handlers":{"00000000-0000-0000-0000-000000000001":[]}}"#,
        "invalid type: sequence, expected an object whose keys are ids, each once",
    );
    for cut in [
        r#"{"syncmgr_choices":1,"#,
        r#"{"syncmgr_choices":1,"later":{"a":"#,
    ] {
        refused(cut, "EOF while parsing a value");
    }
    refused(r#"{7:1}"#, "key must be a string");
}

#[test]
fn no_field_and_no_id_of_choices_is_there_twice() {
    for twice in [
        r#""syncmgr_choices":1,"syncmgr_choices":1,"handlers":{}"#,
        // The old name of the same field.
        r#""syncmgr_choices":1,"handlers":{},"version":1"#,
        r#""version":1,"version":1,"handlers":{}"#,
    ] {
        refused(&format!("{{{twice}}}"), "duplicate field `syncmgr_choices`");
    }
    refused(
        r#"{"handlers":{},"syncmgr_choices":1,"handlers":{}}"#,
        "duplicate field `handlers`",
    );
    let id = "00000000-0000-0000-0000-000000000001";
    let why = format!("the id {id} is there twice; each may be there once");
    let item = r#"{"00000000-0000-0000-0000-000000000002":true}"#;
    refused(
        &format!(r#"{{"syncmgr_choices":1,"handlers":{{"{id}":{item},"{id}":{item}}}}}"#),
        &why,
    );
    let items = format!(r#"{{"{id}":true,"{id}":true}}"#);
    refused(
        &format!(r#"{{"syncmgr_choices":1,"handlers":{{"{id}":{items}}}}}"#),
        &why,
    );
    // What is not known may be there as often as it likes.
    let text = r#"{"a":1,"a":{"b":[null]},"version":1,"handlers":{}}"#;
    assert_eq!(
        serde_json::from_str::<Choices>(text).unwrap(),
        Choices::new()
    );
}
