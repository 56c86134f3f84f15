//! Ratios that hold on a noisy machine: two pieces of work alternate in short rounds in one process, and each round
//! gives one ratio. The median of the rounds is what is quoted, with the quartiles beside it.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How one piece of work compares with another, over some rounds.
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    /// Nanoseconds an operation of the floor takes, median of the rounds.
    pub floor: f64,
    /// Nanoseconds an operation of the subject takes, median of the rounds.
    pub subject: f64,
    /// The quartiles of the rounds' ratios, subject to floor.
    pub quartiles: [f64; 3],
}

/// The first, second and third quartile.
pub fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| {
        let place = (values.len() - 1) * quarter / 4;
        values.get(place).copied().unwrap_or(f64::NAN)
    })
}

/// Runs both in turn, `rounds` times after some that are thrown away; the one that begins changes each round. Each
/// function does one round of its work and answers how long it took and how many operations that were.
pub fn alternate(
    rounds: usize,
    mut floor: impl FnMut() -> (Duration, u64),
    mut subject: impl FnMut() -> (Duration, u64),
) -> Ratio {
    let each = |(took, operations): (Duration, u64)| took.as_secs_f64() * 1e9 / operations as f64;
    for _ in 0..rounds.div_ceil(10) {
        black_box(floor());
        black_box(subject());
    }
    let (mut floors, mut subjects, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (one, other);
        if round % 2 == 0 {
            one = each(floor());
            other = each(subject());
        } else {
            other = each(subject());
            one = each(floor());
        }
        floors.push(one);
        subjects.push(other);
        ratios.push(other / one);
    }
    Ratio {
        floor: quartiles(floors)[1],
        subject: quartiles(subjects)[1],
        quartiles: quartiles(ratios),
    }
}

/// Calls `operation` with 0, 1, 2 … and answers how long that took.
#[inline(always)]
pub fn timed(operations: u64, mut operation: impl FnMut(u64)) -> (Duration, u64) {
    let start = Instant::now();
    for n in 0..operations {
        operation(n);
    }
    (start.elapsed(), operations)
}

/// Measures the bars that the command line names, or all of them, and prints the table.
///
/// Without `--bench`, which `cargo bench` passes and `cargo test` does not, it does nothing: a bar means something only
/// in a release build.
pub fn bars(floor: &str, bars: &[(&str, fn())]) {
    let (options, wanted): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|arg| arg.starts_with('-'));
    if !options.iter().any(|option| option == "--bench") {
        return;
    }
    println!("| bar | what | {floor} | ours | ratio (quartiles) | wanted | |");
    println!("|---|---|---|---|---|---|---|");
    for (id, bar) in bars {
        if wanted.is_empty() || wanted.iter().any(|arg| arg == id) {
            bar();
        }
    }
}

/// Prints a row of it: the bar's id, what is compared, and the largest ratio that is wanted. What is no bar has the id `-`
/// and wants no more than infinity.
pub fn row(id: &str, what: &str, ratio: &Ratio, wanted: f64) {
    let [low, median, high] = ratio.quartiles;
    let (wanted, verdict) = match (wanted.is_finite(), median <= wanted) {
        (false, _) => ("no bar".to_owned(), ""),
        (true, true) => (format!("at most {wanted}"), "met"),
        (true, false) => (format!("at most {wanted}"), "missed"),
    };
    println!(
        "| {id} | {what} | {:.2} ns | {:.2} ns | {median:.3} ({low:.3} to {high:.3}) | {wanted} | {verdict} |",
        ratio.floor, ratio.subject
    );
}
