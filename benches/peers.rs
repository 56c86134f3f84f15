//! The same work on what a user would pick instead: report the value of an item, and ask whether to go on.
//!
//! Run by `cargo bench -p syncmgr-benches --bench peers`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use syncmgr_benches::peers::{
    AtomicProgress, ById, Channel, Howudoin, Indicatif, Map, Peer, Prodash, ProgressToken,
    Reporters, Token,
};

fn measure<P: Peer>(c: &mut Criterion, items: usize, name: &str, make: impl Fn(usize) -> P) {
    let peer = make(items);
    let mut n = 0_u64;
    let mut group = c.benchmark_group(format!("{items} items"));
    group.bench_function(name, |b| {
        b.iter(|| {
            n += 1;
            assert!(black_box(&peer).report(n as usize % items, n));
        });
    });
    group.finish();
}

fn peers(c: &mut Criterion) {
    for items in [1, 1_000] {
        measure(c, items, "syncmgr, a reporter an item", Reporters::new);
        measure(c, items, "syncmgr, by id", ById::new);
        measure(c, items, "AtomicU64 and CancellationToken", Token::new);
        measure(c, items, "prodash and CancellationToken", Prodash::new);
        measure(
            c,
            items,
            "atomic-progress and CancellationToken",
            AtomicProgress::new,
        );
        measure(
            c,
            items,
            "indicatif, hidden, and CancellationToken",
            Indicatif::new,
        );
        measure(c, items, "progress-token", ProgressToken::new);
        measure(c, items, "howudoin", Howudoin::new);
        measure(c, items, "mpsc channel and AtomicBool", Channel::new);
        measure(c, items, "Mutex<HashMap>", Map::new);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    targets = peers
}
criterion_main!(benches);
