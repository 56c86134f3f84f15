//! Random sequences of calls against a session and against a simple model of it: every answer and every look agrees.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::{fs, io, thread};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};

use syncmgr_session_model::ops::Record;
use syncmgr_session_model::reached::Reached;
use syncmgr_session_model::{check, lives};

/// How many sequences the suite tries at least. `PROPTEST_CASES=1000000` tries more.
const SEQUENCES: u32 = 100_000;

/// The most calls of a sequence.
const CALLS: usize = 48;

fn fails(records: &[Record]) -> bool {
    check::try_check(records.as_flattened(), &mut Reached::new()).is_err()
}

/// Drops every record that the failure does not need, since a call may be of no more use once the others are small.
fn smallest(mut records: Vec<Record>) -> Vec<u8> {
    let mut dropped = true;
    while dropped {
        dropped = false;
        for at in (2..records.len()).rev() {
            let record = records.remove(at);
            if fails(&records) {
                dropped = true;
            } else {
                records.insert(at, record);
            }
        }
    }
    records.concat()
}

/// Where the fuzzer's seeds are.
fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/session")
}

#[test]
fn every_life_agrees_with_the_model() {
    for (_, bytes) in lives::lives() {
        check::check(&bytes);
    }
}

#[test]
fn every_seed_of_the_fuzzer_agrees_with_the_model() -> io::Result<()> {
    for seed in fs::read_dir(seeds())? {
        check::check(&fs::read(seed?.path())?);
    }
    Ok(())
}

/// Run it when a life or the meaning of the bytes was changed.
#[test]
#[ignore = "it writes the fuzzer's seeds"]
fn write_the_lives_as_seeds() -> io::Result<()> {
    fs::create_dir_all(seeds())?;
    for (name, bytes) in lives::lives() {
        let file = format!("life-{}", name.replace(' ', "-").replace('\'', ""));
        fs::write(seeds().join(file), bytes)?;
    }
    Ok(())
}

/// Tries so many sequences, and returns what they have met.
fn try_random_calls(cases: u32) -> Reached {
    let config = Config {
        cases,
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("failures"))),
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let reached = RefCell::new(Reached::new());
    let mut runner = TestRunner::new(config);
    let sequences = vec(any::<Record>(), 0..=2 + CALLS);
    let result = runner.run(&sequences, |records| {
        let bytes: Vec<u8> = records.into_iter().flatten().collect();
        check::try_check(&bytes, &mut reached.borrow_mut()).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(_, records)) => check::check(&smallest(records)),
        Err(error) => panic!("{error}"),
    }
    reached.into_inner()
}

#[test]
fn random_calls_agree_with_the_model() {
    let cases = Config::default().cases.max(SEQUENCES);
    // Two halves on two threads, because this takes longer than all other tests of the session together.
    let other = thread::spawn(move || try_random_calls(cases / 2));
    let mut reached = try_random_calls(cases - cases / 2);
    match other.join() {
        Ok(other) => reached.add(&other),
        Err(panic) => resume_unwind(panic),
    }
    let missed = reached.missed();
    assert!(missed.is_empty(), "never met: {missed:?}\n\n{reached}");
}
