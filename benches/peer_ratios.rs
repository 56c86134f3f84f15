//! The bars against other crates: P2, P2b, P3, P4, as ratios of alternating rounds in one process.
//!
//! Run by `cargo bench -p syncmgr-benches --bench peer_ratios`; with `-- P4` at its end, that bar alone. It prints a table and
//! fails nothing.

use std::hint::black_box;

use syncmgr_benches::peers::{ById, Indicatif, Peer, Prodash, Reporters};

use syncmgr_benches::ratio::{alternate, bars, row, timed};

/// Nobody cancels here: a benchmark that comes here measures something else.
#[cold]
#[inline(never)]
fn stopped() {
    panic!("a report was not answered Continue");
}

#[inline(always)]
fn go_on(answer: bool) {
    if !answer {
        stopped();
    }
}

const ROUNDS: usize = 401;
const REPORTS: u64 = 20_000;
const PEER: &str = "prodash `set` and `is_cancelled`";

fn p2() {
    let (theirs, ours) = (Prodash::new(1), ById::new(1));
    let ratio = alternate(
        ROUNDS,
        || timed(REPORTS, |n| go_on(black_box(&theirs).report(0, n))),
        || timed(REPORTS, |n| go_on(black_box(&ours).report(0, n))),
    );
    row(
        "P2",
        &format!("`progress` by id, one item, against {PEER}"),
        &ratio,
        0.75,
    );
}

fn p2b() {
    let theirs = Prodash::new(1);
    let many = ById::new(1_000);
    let ratio = alternate(
        ROUNDS,
        || timed(REPORTS, |n| go_on(black_box(&theirs).report(0, n))),
        || {
            timed(REPORTS, |n| {
                go_on(black_box(&many).report((n % 1_000) as usize, n));
            })
        },
    );
    row(
        "P2b",
        &format!("the same over 1,000 items in turn, against {PEER} of one"),
        &ratio,
        1.6,
    );

    let theirs_many = Prodash::new(1_000);
    let ratio = alternate(
        ROUNDS,
        || {
            timed(REPORTS, |n| {
                go_on(black_box(&theirs_many).report((n % 1_000) as usize, n));
            })
        },
        || {
            timed(REPORTS, |n| {
                go_on(black_box(&many).report((n % 1_000) as usize, n));
            })
        },
    );
    row(
        "P2b",
        &format!("the same over 1,000 items in turn, against {PEER} of 1,000"),
        &ratio,
        1.6,
    );

    let two = [ById::new(1), ById::new(1)];
    let ratio = alternate(
        ROUNDS,
        || timed(REPORTS, |n| go_on(black_box(&theirs).report(0, n))),
        || {
            timed(REPORTS, |n| {
                go_on(black_box(&two)[(n % 2) as usize].report(0, n));
            })
        },
    );
    row(
        "P2b",
        &format!("two sessions in turn, against {PEER}"),
        &ratio,
        1.6,
    );
}

fn p3() {
    let (theirs, reporters) = (Indicatif::new(1), Reporters::new(1));
    let ratio = alternate(
        ROUNDS,
        || timed(REPORTS, |n| black_box(&theirs).set_position(0, n)),
        || timed(REPORTS, |n| go_on(black_box(&reporters).report(0, n))),
    );
    row(
        "P3",
        "`ItemReporter::set` against indicatif's hidden `set_position`",
        &ratio,
        0.05,
    );
}

fn p4() {
    let (theirs, ours) = (Prodash::new(1), ById::new(1));
    let text = "photos/2026/11/23/0417.raw";
    let ratio = alternate(
        ROUNDS,
        || timed(REPORTS, |_| black_box(&theirs).set_name(0, text)),
        || timed(REPORTS, |n| go_on(black_box(&ours).report_text(0, text, n))),
    );
    row(
        "P4",
        "`progress` with text and value against prodash `set_name`",
        &ratio,
        0.2,
    );
}

fn main() {
    bars(
        "theirs",
        &[("P2", p2), ("P2b", p2b), ("P3", p3), ("P4", p4)],
    );
}
