//! What a report costs, beside the floor under it: one load and one store.
//!
//! Run by `cargo bench --bench progress`. The numbers of one run can be compared with each other, not with those of
//! another machine.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use syncmgr::{ItemId, ItemName, ProgressUpdate, Session, SyncCallback, SyncItem};

fn session(items: u128) -> Arc<Session> {
    let items =
        (1..=items).map(|n| SyncItem::new(ItemId::from_u128(n), ItemName::shortened("item")));
    let session = Session::builder().items(items).build();
    session.unwrap_or_else(|error| panic!("the items of the benchmark: {error}"))
}

fn report(c: &mut Criterion) {
    let mut group = c.benchmark_group("report");
    let id = ItemId::from_u128(1);

    let (flag, value) = (AtomicU64::new(1), AtomicU64::new(0));
    let mut n = 0_u64;
    group.bench_function("floor: one load, one store", |b| {
        b.iter(|| {
            n += 1;
            let go_on = black_box(&flag).load(Ordering::Acquire) == 1;
            if go_on {
                black_box(&value).store(n, Ordering::Release);
            }
            go_on
        });
    });

    let one = session(1);
    let reporter = one.reporter(id).unwrap_or_else(|error| panic!("{error}"));
    group.bench_function("ItemReporter::set", |b| {
        b.iter(|| {
            n += 1;
            black_box(&reporter).set(n)
        });
    });
    group.bench_function("ItemReporter::advance", |b| {
        b.iter(|| black_box(&reporter).advance(1));
    });
    group.bench_function("ItemReporter::check", |b| {
        b.iter(|| black_box(&reporter).check());
    });

    let callback: Arc<dyn SyncCallback> = one.clone();
    group.bench_function("progress, a value, one item", |b| {
        b.iter(|| {
            n += 1;
            black_box(&callback).progress(id, &ProgressUpdate::new().value(n))
        });
    });
    group.bench_function("progress, a text and a value", |b| {
        b.iter(|| {
            n += 1;
            let update = ProgressUpdate::new().text("photos/2026/11/23.raw").value(n);
            black_box(&callback).progress(id, &update)
        });
    });

    let many: Arc<dyn SyncCallback> = session(1_000);
    group.bench_function("progress, a value, 1,000 items in turn", |b| {
        b.iter(|| {
            n += 1;
            let id = ItemId::from_u128(u128::from(n % 1_000) + 1);
            black_box(&many).progress(id, &ProgressUpdate::new().value(n))
        });
    });
    group.finish();
}

criterion_group!(benches, report);
criterion_main!(benches);
