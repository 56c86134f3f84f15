//! The quick files of `tests` in one binary. Mutation testing builds and runs the tests for each mutant; linking them one by
//! one would take longer than running them. `docs/mutants.md` says more.

// Each file brings its own `mod support`.
#![allow(clippy::duplicate_mod)]

/// The files beside this directory that are left out.
const LEFT_OUT: [&str; 13] = [
    "allocations",             // counts in an allocator of its own
    "api_types",               // needs every feature
    "failing_writers",         // needs serde_json
    "json_docs",               // needs serde_json
    "json_random",             // needs proptest
    "manager_choices_json",    // needs serde_json
    "rules_random",            // takes long, and proptest with it
    "session_observer_random", // needs proptest
    "stress",                  // takes long
    "telemetry",               // needs tracing, as do the three after it
    "telemetry_faults",
    "telemetry_runs",
    "telemetry_spans",
];

#[path = "../api.rs"]
mod api;
#[path = "../bad_input_hot_path.rs"]
mod bad_input_hot_path;
#[path = "../contract.rs"]
mod contract;
#[path = "../contract_data.rs"]
mod contract_data;
#[path = "../contract_flags.rs"]
mod contract_flags;
#[path = "../contract_traits.rs"]
mod contract_traits;
#[path = "../driver_answers.rs"]
mod driver_answers;
#[path = "../driver_completions.rs"]
mod driver_completions;
#[path = "../driver_deadline.rs"]
mod driver_deadline;
#[path = "../driver_faults.rs"]
mod driver_faults;
#[path = "../driver_life.rs"]
mod driver_life;
#[path = "../driver_panics.rs"]
mod driver_panics;
#[path = "../driver_properties.rs"]
mod driver_properties;
#[path = "../driver_reentrant.rs"]
mod driver_reentrant;
#[path = "../driver_retry.rs"]
mod driver_retry;
#[path = "../driver_selection.rs"]
mod driver_selection;
#[path = "../driver_skip.rs"]
mod driver_skip;
#[path = "../explorer.rs"]
mod explorer;
#[path = "../exploring.rs"]
mod exploring;
#[path = "../guide_names.rs"]
mod guide_names;
#[path = "../guide_tables.rs"]
mod guide_tables;
#[path = "../harness.rs"]
mod harness;
#[path = "../harness_items.rs"]
mod harness_items;
#[path = "../json_documents.rs"]
mod json_documents;
#[path = "../json_files.rs"]
mod json_files;
#[path = "../json_stream.rs"]
mod json_stream;
#[path = "../manager_attack.rs"]
mod manager_attack;
#[path = "../manager_attack_code.rs"]
mod manager_attack_code;
#[path = "../manager_bad_input.rs"]
mod manager_bad_input;
#[path = "../manager_connections.rs"]
mod manager_connections;
#[path = "../manager_control.rs"]
mod manager_control;
#[path = "../manager_deadline.rs"]
mod manager_deadline;
#[path = "../manager_errors.rs"]
mod manager_errors;
#[path = "../manager_faults.rs"]
mod manager_faults;
#[path = "../manager_listing.rs"]
mod manager_listing;
#[path = "../manager_observe.rs"]
mod manager_observe;
#[path = "../manager_pairs.rs"]
mod manager_pairs;
#[path = "../manager_pairs_retry.rs"]
mod manager_pairs_retry;
#[path = "../manager_pending.rs"]
mod manager_pending;
#[path = "../manager_prints.rs"]
mod manager_prints;
#[path = "../manager_properties.rs"]
mod manager_properties;
#[path = "../manager_runs.rs"]
mod manager_runs;
#[path = "../manager_shared.rs"]
mod manager_shared;
#[path = "../manager_starts.rs"]
mod manager_starts;
#[path = "../manager_threads.rs"]
mod manager_threads;
#[path = "../observe_async.rs"]
mod observe_async;
#[path = "../per_item.rs"]
mod per_item;
#[path = "../per_item_async.rs"]
mod per_item_async;
#[path = "../per_item_edges.rs"]
mod per_item_edges;
#[path = "../per_item_steps.rs"]
mod per_item_steps;
#[path = "../rules_broken.rs"]
mod rules_broken;
#[path = "../rules_broken_completions.rs"]
mod rules_broken_completions;
#[path = "../rules_broken_items.rs"]
mod rules_broken_items;
#[path = "../rules_host.rs"]
mod rules_host;
#[path = "../rules_kept.rs"]
mod rules_kept;
#[path = "../rules_traces.rs"]
mod rules_traces;
#[path = "../session_activity.rs"]
mod session_activity;
#[path = "../session_answers.rs"]
mod session_answers;
#[path = "../session_cancel.rs"]
mod session_cancel;
#[path = "../session_connections.rs"]
mod session_connections;
#[path = "../session_dialogs.rs"]
mod session_dialogs;
#[path = "../session_extra.rs"]
mod session_extra;
#[path = "../session_faults.rs"]
mod session_faults;
#[path = "../session_handles.rs"]
mod session_handles;
#[path = "../session_journal.rs"]
mod session_journal;
#[path = "../session_log.rs"]
mod session_log;
#[path = "../session_observe.rs"]
mod session_observe;
#[path = "../session_observer.rs"]
mod session_observer;
#[path = "../session_phases.rs"]
mod session_phases;
#[path = "../session_prints.rs"]
mod session_prints;
#[path = "../session_reentrant.rs"]
mod session_reentrant;
#[path = "../session_reporter.rs"]
mod session_reporter;
#[path = "../session_reports.rs"]
mod session_reports;
#[path = "../session_rounds.rs"]
mod session_rounds;
#[path = "../session_texts.rs"]
mod session_texts;
#[path = "../session_views.rs"]
mod session_views;
#[path = "../session_wakers.rs"]
mod session_wakers;
#[path = "../support/mod.rs"]
mod support;
#[path = "../testing_answers.rs"]
mod testing_answers;
#[path = "../testing_explorations.rs"]
mod testing_explorations;
#[path = "../testing_harness.rs"]
mod testing_harness;
#[path = "../testing_messages_of_completions.rs"]
mod testing_messages_of_completions;
#[path = "../testing_messages_of_reports.rs"]
mod testing_messages_of_reports;
#[path = "../testing_messages_of_the_handler.rs"]
mod testing_messages_of_the_handler;
#[path = "../testing_messages_of_the_host.rs"]
mod testing_messages_of_the_host;
#[path = "../testing_recorder.rs"]
mod testing_recorder;
#[path = "../testing_recorder_phases.rs"]
mod testing_recorder_phases;
#[path = "../testing_reports.rs"]
mod testing_reports;
#[path = "../testing_script.rs"]
mod testing_script;
#[path = "../testing_script_items.rs"]
mod testing_script_items;
#[path = "../testing_script_steps.rs"]
mod testing_script_steps;
#[path = "../testing_scripted_host.rs"]
mod testing_scripted_host;
#[path = "../testing_words.rs"]
mod testing_words;
#[path = "../trace_json.rs"]
mod trace_json;
#[path = "../waiting.rs"]
mod waiting;
#[path = "../wrapper.rs"]
mod wrapper;

#[test]
fn every_file_of_tests_is_here_or_left_out() {
    let here = include_str!("fast.rs");
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for entry in std::fs::read_dir(tests).expect("the directory is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let name = name.expect("a file has a name");
        let is_here = here.contains(&format!("\nmod {name};"));
        assert_ne!(is_here, LEFT_OUT.contains(&name), "{name}");
    }
}
