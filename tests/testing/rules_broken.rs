//! Handlers that break one rule about what they are and ask for, each as somebody would write it: H11, H12, H19 to H22; and
//! what a trace cannot tell.

use std::time::SystemTime;

use syncmgr::testing::mock::{Script as Steps, Step};
use syncmgr::testing::{Answer, Harness, Recorder, Rule, Severity, Trace};
use syncmgr::{
    Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerFlags, HandlerInfo, HandlerName,
    ItemFlags, ItemId, ItemList, ItemName, ItemStatus, LogLevel, LogRecord, LogSelector, Prepared,
    Session, SyncCallback, SyncItem, Uuid,
};

use support::handler::Script;
use support::rules::{bothering, broken, clean, copy_all, finish, named, obedient, only, tells};
use support::{id, item, items, status};

/// An obedient handler that does this on the host's thread before it copies.
fn before_work(work: impl Fn(&dyn SyncCallback) + Send + Sync + 'static) -> Script {
    obedient(1).synchronize(move |handler| {
        work(&*handler.callback());
        copy_all(handler);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    })
}

// H11 -------------------------------------------------------------------------------------------------------------

#[test]
fn h11_the_turn_is_given_back_on_one_way_out_only() {
    let ask = |callback: &dyn SyncCallback| -> Option<()> {
        if callback.enable_modeless(true) == Ok(Dialog::Granted) {
            let password: Option<&str> = None; // "Cancel" was pressed
            password?;
            let _ = callback.enable_modeless(false);
        }
        Some(())
    };
    let script = before_work(move |callback| {
        let _given_up = ask(callback);
    });
    let trace = Harness::new(script.build()).flags(bothering()).run();
    let found = only(&trace, Rule::DialogTurns);
    tells(found, named(&trace, "enable_modeless")[0], &[], &["dialog"]);
    assert_eq!(found.severity, Severity::Must);
}

#[test]
fn h11_the_turn_is_given_back_although_it_was_denied() {
    let script = || {
        before_work(|callback| {
            let answer = callback.enable_modeless(true);
            if answer == Ok(Dialog::Granted) { /* the dialog */ }
            let _ = callback.enable_modeless(false);
        })
    };
    clean(&Harness::new(script().build()).flags(bothering()).run());
    let trace = Harness::new(script().build())
        .flags(bothering())
        .deny_dialogs()
        .run();
    let calls = named(&trace, "enable_modeless");
    let found = only(&trace, Rule::DialogTurns);
    tells(found, calls[1], &[calls[0]], &["dialog"]);
}

#[test]
fn h11_the_turn_is_given_back_twice() {
    let script = before_work(|callback| {
        if callback.enable_modeless(true) == Ok(Dialog::Granted) {
            let _ = callback.enable_modeless(false);
        }
        let _ = callback.enable_modeless(false);
    });
    let trace = Harness::new(script.build()).flags(bothering()).run();
    let calls = named(&trace, "enable_modeless");
    let found = only(&trace, Rule::DialogTurns);
    tells(found, calls[2], &[calls[1]], &["dialog"]);
}

#[test]
fn h11_a_second_dialog_over_the_first() {
    let script = before_work(|callback| {
        if callback.enable_modeless(true) == Ok(Dialog::Granted) {
            // "Really?" It is shown although it was denied, and each of the two is closed.
            let _denied = callback.enable_modeless(true);
            let _ = callback.enable_modeless(false);
            let _ = callback.enable_modeless(false);
        }
    });
    let trace = Harness::new(script.build()).flags(bothering()).run();
    let calls = named(&trace, "enable_modeless");
    let found = only(&trace, Rule::DialogTurns);
    tells(found, calls[3], &[calls[0], calls[2]], &["dialog"]);
}

#[test]
fn h11_binds_the_showing_of_errors_too() {
    let error = ErrorId::from_u128(1);
    let script = obedient(1)
        .synchronize(move |handler| {
            let callback = handler.callback();
            let record = LogRecord::new(LogLevel::Error, "the disk is full");
            callback.log_error(&record.jump_text(error))?;
            copy_all(handler);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|handler, _| {
            let callback = handler.callback();
            let _granted = callback.enable_modeless(true)?;
            callback.show_error_completed(ErrorOutcome::Done)?;
            Ok(())
        });
    let trace = Harness::new(script.build()).show_errors().run();
    let found = only(&trace, Rule::DialogTurns);
    tells(found, named(&trace, "enable_modeless")[0], &[], &[]);
}

// H12 -------------------------------------------------------------------------------------------------------------

#[test]
fn h12_the_flags_of_the_start_are_not_kept() {
    let ask = |callback: &dyn SyncCallback| {
        if callback.enable_modeless(true) == Ok(Dialog::Granted) {
            let _ = callback.enable_modeless(false);
        }
    };
    let in_synchronize = || before_work(ask);
    let in_prepare = || {
        obedient(1).prepare(move |handler| {
            ask(&*handler.callback());
            handler.complete_prepare(HResult::S_OK);
            Ok(Prepared::Started)
        })
    };
    for script in [&in_synchronize as &dyn Fn() -> Script, &in_prepare] {
        clean(&Harness::new(script().build()).flags(bothering()).run());
        let trace = Harness::new(script().build()).run();
        let started = named(&trace, "initialize")[0];
        let found = only(&trace, Rule::NoDialogUnlessMayBother);
        let asked = named(&trace, "enable_modeless")[0];
        tells(found, asked, &[started], &["MAY_BOTHER_USER"]);
    }
}

// H19 -------------------------------------------------------------------------------------------------------------

#[test]
fn h19_an_object_or_another_error() {
    let interface = Uuid::from_u128(5);
    let object = obedient(1).item_object(|item, _| Ok(Box::new(item)));
    let refusal = obedient(1).item_object(|_, _| Err(HandlerError::InvalidArgument));
    let nothing = obedient(1).item_object(|_, _| Err(HandlerError::failed("no such interface")));
    for script in [object, refusal, nothing] {
        let trace = Harness::new(script.build())
            .item_object(id(1), interface)
            .run();
        let found = only(&trace, Rule::NoItemObject);
        tells(found, named(&trace, "item_object")[0], &[], &["E_NOTIMPL"]);
    }
}

// H20 -------------------------------------------------------------------------------------------------------------

#[test]
fn h20_the_errors_of_the_last_run_are_deleted_by_their_ids() {
    // It remembers from the run before which errors there were.
    let script = before_work(|callback| {
        let _ = callback.delete_log_error(LogSelector::ById(ErrorId::from_u128(77)));
    });
    let trace = Harness::new(script.build()).run();
    let found = only(&trace, Rule::DeleteOnlyOwnErrors);
    tells(found, named(&trace, "delete_log_error")[0], &[], &[]);
}

#[test]
fn h20_the_id_of_an_item_is_no_error_id() {
    let script = before_work(|callback| {
        let error = ErrorId::from(id(1).as_uuid());
        let _ = callback.log_error(&LogRecord::new(LogLevel::Warning, "slow").item(id(1)));
        let _ = callback.delete_log_error(LogSelector::ById(error));
    });
    let trace = Harness::new(script.build()).run();
    let found = only(&trace, Rule::DeleteOnlyOwnErrors);
    tells(found, named(&trace, "delete_log_error")[0], &[], &[]);
}

// H21 -------------------------------------------------------------------------------------------------------------

fn listed(list: Vec<SyncItem>) -> Trace {
    let script = obedient(1).items(move |_| Ok(ItemList::Complete(list.clone())));
    Harness::new(script.build()).run()
}

#[test]
fn h21_ids_that_come_twice_or_are_nil() {
    // Ids made of the file's name alone, and an id that was never set.
    for list in [
        vec![item(1), item(2), item(1)],
        vec![SyncItem::new(
            ItemId::NIL,
            ItemName::try_from("photos").unwrap(),
        )],
    ] {
        let trace = listed(list);
        let found = only(&trace, Rule::WellFormedItems);
        tells(found, named(&trace, "items")[0], &[], &[]);
        assert!(found.item.is_some(), "{found:?}");
    }
}

#[test]
fn h21_the_flag_of_a_time_that_is_not_there() {
    let mut never = item(1);
    never.flags |= ItemFlags::LAST_UPDATE_TIME; // the builder sets both
    let trace = listed(vec![never.clone()]);
    let found = only(&trace, Rule::WellFormedItems);
    tells(found, named(&trace, "items")[0], &[], &["LAST_UPDATE_TIME"]);
    assert_eq!(found.item, Some(id(1)));

    let mut added = item(2);
    added.flags |= ItemFlags::LAST_UPDATE_TIME;
    let script = obedient(1).synchronize(move |handler| {
        let callback = handler.callback();
        callback.add_item(added.clone())?;
        copy_all(handler);
        let _ = callback.progress(id(2), &status(ItemStatus::Updating))?;
        finish(&*callback, id(2), ItemStatus::Succeeded);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(script.build()).run();
    let found = only(&trace, Rule::WellFormedItems);
    tells(
        found,
        named(&trace, "add_item")[0],
        &[],
        &["LAST_UPDATE_TIME"],
    );
}

#[test]
fn h21_a_type_forbids_names_that_do_not_fit() {
    assert!(ItemName::try_from("x".repeat(128)).is_err());
    assert!(ItemName::try_from("a\0b").is_err());
    assert!(HandlerName::try_from("x".repeat(32)).is_err());
    assert!(HandlerName::try_from("a\0b").is_err());
    // UTF-16 units count: this is a name of 64 characters, each of two units.
    assert!(ItemName::try_from("𝄞".repeat(64)).is_err());
}

#[test]
fn h21_names_that_do_not_fit_in_a_trace_from_elsewhere() {
    for name in ["x".repeat(128), "𝄞".repeat(64), "a\0b".to_owned()] {
        let trace = Harness::new(obedient(1).build()).run();
        let mut calls = trace.calls().to_vec();
        let place = named(&trace, "items")[0];
        let Answer::List { items, .. } = &mut calls[place].answer else {
            panic!("{trace}");
        };
        items[0].name = name;
        let trace = Trace::from_calls(calls);
        let found = only(&trace, Rule::WellFormedItems);
        tells(found, place, &[], &["name"]);
    }
    for bad in ["x".repeat(32), "a\0b".to_owned()] {
        let trace = Harness::new(obedient(1).build()).run();
        let mut calls = trace.calls().to_vec();
        let place = named(&trace, "info")[0];
        let Answer::Info { name, .. } = &mut calls[place].answer else {
            panic!("{trace}");
        };
        *name = bad;
        let trace = Trace::from_calls(calls);
        let found = only(&trace, Rule::WellFormedItems);
        tells(found, place, &[], &["name"]);
    }
}

// H22 -------------------------------------------------------------------------------------------------------------

#[test]
fn h22_a_connection_without_the_flag() {
    let script = || {
        before_work(|callback| {
            let _ = callback.establish_connection(Some("vpn"));
        })
    };
    let trace = Harness::new(script().build()).run();
    let told = named(&trace, "info")[0];
    let asked = named(&trace, "establish_connection")[0];
    let found = only(&trace, Rule::ConnectOnlyIfDeclared);
    tells(found, asked, &[told], &["MAY_ESTABLISH_CONNECTION"]);

    let declared = script().info(|_| {
        let name = HandlerName::try_from("declared")?;
        Ok(HandlerInfo::new(name).flags(HandlerFlags::MAY_ESTABLISH_CONNECTION))
    });
    clean(&Harness::new(declared.build()).run());
}

// -----------------------------------------------------------------------------------------------------------------

#[test]
fn what_a_trace_lacks_is_said_and_not_guessed() {
    // A callback alone: nobody told of flags, lists, prepares.
    let recorder = Recorder::new();
    let session = Session::builder().items(items(1)).build().unwrap();
    let callback = recorder.callback(session);
    let _ = callback.enable_modeless(true).unwrap();
    let _ = callback.enable_modeless(false).unwrap();
    let _ = callback.establish_connection(None);
    let _ = callback
        .progress(id(1), &status(ItemStatus::Updating))
        .unwrap();
    let _ = callback
        .progress(id(1), &status(ItemStatus::Succeeded))
        .unwrap();
    let _ = callback.show_error_completed(ErrorOutcome::Retry(&[id(5)]));
    callback.synchronize_completed(HResult::S_OK).unwrap();
    let trace = recorder.trace();
    let undecided: Vec<Rule> = trace.undecided().iter().map(|entry| entry.rule).collect();
    println!("{trace}\n{:?}", trace.undecided());
    for rule in [
        Rule::OnlyPreparedItems,
        Rule::NoDialogUnlessMayBother,
        Rule::ConnectOnlyIfDeclared,
        Rule::RetryOnlyKnownItems,
    ] {
        assert!(
            undecided.contains(&rule),
            "{rule} in {:?}",
            trace.undecided()
        );
        assert!(!trace.breaks(rule), "{trace}");
    }
    assert!(trace.undecided().iter().all(|entry| !entry.why.is_empty()));
    assert!(!undecided.contains(&Rule::KeepChoicesOfUnlisted));
    assert!(
        !undecided.contains(&Rule::NoItemObject),
        "nothing touches it"
    );
}

#[test]
fn a_whole_trace_leaves_nothing_undecided() {
    let trace = Harness::new(obedient(2).build()).run();
    clean(&trace);
    assert_eq!(trace.undecided(), []);
}

#[test]
fn two_rules_broken_by_two_calls_are_two_breaches_in_order() {
    let script = before_work(|callback| {
        let _ = callback.establish_connection(None);
        let _ = callback.delete_log_error(LogSelector::ById(ErrorId::from_u128(1)));
    });
    let trace = Harness::new(script.build()).run();
    let rules = [Rule::ConnectOnlyIfDeclared, Rule::DeleteOnlyOwnErrors];
    assert_eq!(broken(&trace), rules, "{trace}");
    assert!(trace.violations().is_sorted_by_key(|found| found.at));
}

#[test]
fn a_violation_knows_its_rule_and_the_trace_its_text() {
    let steps = Steps::new()
        .item(id(1), "photos")
        .ignore_verdicts()
        .synchronize([Step::report(id(1)).status(ItemStatus::Succeeded)]);
    let trace = Harness::new(steps.handler()).run();
    let found = only(&trace, Rule::VerdictBeforeItem);
    let text = trace.report().to_string();
    for part in [
        "H01",
        "\"photos\"",
        &found.message,
        found.advice(),
        found.rule.text(),
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let all = trace.to_string();
    assert!(all.contains(&found.message), "{all}");
    let panic = std::panic::catch_unwind(|| trace.assert_conformant()).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains(&found.message), "{said}");
}

#[test]
fn every_rule_has_its_words() {
    assert_eq!(Rule::ALL.len(), 32);
    for (rule, number) in Rule::ALL.iter().zip((1..=22).chain(1..=10)) {
        assert_eq!(rule.id()[1..], format!("{number:02}"));
        assert_eq!(rule.to_string(), rule.id());
        assert_eq!(rule.binds_handler(), rule.id().starts_with('H'));
        assert!(!rule.text().is_empty() && !rule.advice().is_empty() && !rule.source().is_empty());
        let advisory = *rule == Rule::NoItemObject;
        let severity = if advisory {
            Severity::Should
        } else {
            Severity::Must
        };
        assert_eq!(rule.severity(), severity, "{rule}");
    }
    assert!(Severity::Should < Severity::Must);
}

#[test]
fn an_item_that_carries_its_time_is_well_formed() {
    clean(&listed(vec![item(1).last_update(SystemTime::UNIX_EPOCH)]));
}
