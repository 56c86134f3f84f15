//! Items with payloads whose work is a future, and futures that measure.

use std::collections::VecDeque;
use std::future::{pending, poll_fn, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use support::{id, item, items, until, within};
use syncmgr::per_item::{
    self, BatchItem, Cancelled, Error, HandlerBuilder, Payload, Task, TaskContext, each_async,
    from_async_items, on_thread,
};
use syncmgr::testing::{Harness, explore_cancellations, explore_faults};
use syncmgr::{
    ItemStatus, LogLevel, LogRecord, Outcome, ProgressUpdate, RunOptions, SyncItem, run_handler,
};

/// Lets other tasks go on.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Does the number of steps that the payload says, and returns their sum.
async fn steps(item: TaskContext, count: Payload<u64>) -> Result<u64, Error> {
    item.max(*count).await?;
    let mut sum = 0;
    for step in 0..*count {
        item.until_cancelled(pause()).await?;
        item.advance(1).await?;
        sum += step;
    }
    Ok(sum)
}

fn numbers(count: u64) -> impl Iterator<Item = (String, u64)> {
    (1..=count).map(|n| (format!("item {n}"), n))
}

#[test]
fn each_future_gets_its_payload_and_its_value_is_reported() {
    for workers in [1, 3] {
        let batch = each_async(numbers(9), on_thread, steps)
            .name("futures")
            .workers(workers)
            .measure_async(|count| async move {
                pause().await;
                Ok(*count)
            });
        let report = batch.run();
        assert!(report.is_success(), "{report:?}");
        let values = report.entries().map(|entry| {
            assert_eq!(
                (entry.view.value, entry.view.max),
                (*entry.payload, *entry.payload)
            );
            (*entry.payload, *entry.value.expect("it succeeded"))
        });
        assert!(values.eq((1..=9).map(|n| (n, (0..n).sum()))));
    }
}

#[test]
fn futures_of_a_batch_are_conformant_at_every_cancel_and_fault() {
    let make = || {
        let batch = each_async(numbers(2), on_thread, steps).workers(2);
        batch.measure_async(|count| ready(Ok(*count))).handler()
    };
    explore_cancellations(make).assert_conformant();
    explore_faults(make).assert_conformant();
}

#[test]
fn the_last_attempt_of_a_future_counts() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let count = attempts.clone();
    let batch = each_async(
        [("flaky", ()), ("steady", ())],
        on_thread,
        move |item, _| {
            let count = count.clone();
            async move {
                let attempt = match item.name() {
                    "flaky" => count.fetch_add(1, Ordering::Relaxed),
                    _ => 9,
                };
                match attempt {
                    0 => Err("the first attempt fails".into()),
                    attempt => Ok(attempt),
                }
            }
        },
    );
    let report = batch.run_with(RunOptions::new().retries(2));
    assert!(report.is_success(), "{report:?}");
    let values: Vec<_> = report.entries().map(|entry| entry.value.copied()).collect();
    assert_eq!(values, [Some(1), Some(9)]);
}

#[test]
fn a_cancel_drops_the_future_that_it_may_drop() {
    within("the cancel", || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let count = dropped.clone();
        let running = each_async([("endless", ())], on_thread, move |item, payload| {
            let count = count.clone();
            async move {
                let guard = scopeguard(count);
                item.until_cancelled(async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
                .await?;
                let () = *payload;
                Ok(())
            }
        })
        .start(RunOptions::new());
        let session = running.session().unwrap();
        until("the item", || {
            session.snapshot().items[0].status == ItemStatus::Updating
        });
        running.cancel_all();
        let report = running.wait().unwrap();
        assert_eq!(report.counts().cancelled, 1);
        assert_eq!(report.entries().next().unwrap().value, None);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

/// Counts when it is dropped.
struct CountDrop(Arc<AtomicUsize>);

fn scopeguard(count: Arc<AtomicUsize>) -> CountDrop {
    CountDrop(count)
}

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_future_that_panics_fails_its_item_only() {
    let report = each_async(numbers(3), on_thread, |_, count| async move {
        assert_ne!(*count, 2, "on purpose");
        Ok(())
    })
    .run();
    assert_eq!(report.counts().to_string(), "2 succeeded, 1 failed");
    let failed = report.items_with(Outcome::Failed);
    assert_eq!(failed[0].name, "item 2");
}

#[test]
fn a_payload_is_shared_and_printed() {
    let report = each_async(
        [("shared", vec![1, 2])],
        on_thread,
        |item, payload| async move {
            let other = payload.clone();
            let text = format!("{payload:?}");
            item.text(&text).await?;
            assert_eq!(
                format!("{item:?}"),
                format!("TaskContext {{ item: {:?}, .. }}", item.item())
            );
            Ok(other.len())
        },
    )
    .run();
    let entry = report.entries().next().unwrap();
    assert_eq!(
        (entry.view.text.as_str(), entry.value),
        ("Payload([1, 2])", Some(&2))
    );
}

#[test]
fn an_item_that_is_added_has_no_payload_and_fails() {
    let report = each_async([("listed", ())], on_thread, |item, _| async move {
        item.add_item(support::item(77))?;
        Ok(())
    })
    .measure_async(|_| ready(Ok(1)))
    .run();
    assert_eq!(report.counts().to_string(), "1 succeeded, 1 failed");
    let log = report.session.as_ref().unwrap().log();
    assert_eq!(log[0].text, "the item is not one of the batch");
}

#[test]
fn explicit_items_must_be_told_apart() {
    let twice = [1, 2, 1].map(|n| (item(n), ()));
    let nil = [(SyncItem::new(id(0), "nothing".parse().unwrap()), ())];
    for items in [Vec::from(twice), Vec::from(nil)] {
        let items: Vec<BatchItem<()>> = items.into_iter().map(BatchItem::from).collect();
        let report = each_async(items.clone(), on_thread, |_, _| ready(Ok(()))).run();
        let threads = per_item::each(items, |_, ()| Ok(())).run();
        assert!(!report.is_success());
        let error = report.error.clone().unwrap();
        assert!(
            error.contains("is listed twice") || error.contains("the nil id"),
            "{error}"
        );
        assert_eq!(threads.error, report.error);
    }
}

#[test]
fn what_cannot_be_measured_is_a_warning_and_a_panic_is_contained() {
    let report = each_async(numbers(3), on_thread, |item, _| async move {
        Ok(item.set(1).await?)
    })
    .measure_async(|count| async move {
        pause().await;
        match *count {
            1 => Err("no length".into()),
            2 => panic!("on purpose"),
            count => Ok(count),
        }
    })
    .run();
    assert!(report.is_success(), "{report:?}");
    let maxima: Vec<u64> = report.items().iter().map(|item| item.max).collect();
    assert_eq!(maxima, [0, 0, 3]);
    let log = report.session.as_ref().unwrap().log();
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|entry| entry.level == LogLevel::Warning));
    assert_eq!(
        log[0].text,
        "how much there is to do is not known: no length"
    );
    assert_eq!(
        log[1].text,
        "how much there is to do is not known: panicked: on purpose"
    );
}

#[test]
fn a_handler_of_threads_blocks_on_a_future_that_measures() {
    let source = per_item::from_items(items(3), |item| Ok(item.advance(1)?));
    let handler = HandlerBuilder::new("test".parse().unwrap(), source)
        .measure_async(|item| async move {
            pause().await;
            Ok(item.item().id.as_u128() as u64)
        })
        .workers(2);
    let report = run_handler(handler.build(), RunOptions::new());
    assert!(report.is_success(), "{report:?}");
    let maxima: Vec<u64> = report.items().iter().map(|item| item.max).collect();
    assert_eq!(maxima, [1, 2, 3]);
}

#[test]
fn a_handler_of_tasks_measures_by_a_function_too() {
    let source = from_async_items(items(3), |item| async move { Ok(item.advance(1).await?) });
    let handler = HandlerBuilder::new_async("test".parse().unwrap(), source, on_thread)
        .measure(|item| Ok(item.item().id.as_u128() as u64));
    let report = run_handler(handler.build(), RunOptions::new());
    assert!(report.is_success(), "{report:?}");
    let maxima: Vec<u64> = report.items().iter().map(|item| item.max).collect();
    assert_eq!(maxima, [1, 2, 3]);
}

/// A runtime that polls when it is told.
#[derive(Clone, Default)]
struct Runtime(Arc<Mutex<VecDeque<Task>>>);

impl Runtime {
    fn spawn(&self) -> impl Fn(Task) + Send + Sync + 'static {
        let tasks = self.0.clone();
        move |task| tasks.lock().unwrap().push_back(task)
    }

    /// Polls each task once. Returns how many there are left.
    fn poll(&self) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        for mut task in tasks {
            if task.as_mut().poll(&mut context).is_pending() {
                self.0.lock().unwrap().push_back(task);
            }
        }
        self.0.lock().unwrap().len()
    }

    fn drop_all(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        drop(tasks);
    }
}

#[test]
fn tasks_that_are_dropped_while_they_measure_end_the_prepare() {
    within("the end", || {
        // So many polls before the tasks are dropped.
        for polls in 0..4 {
            let runtime = Runtime::default();
            let batch = each_async(numbers(3), runtime.spawn(), |item, _| async move {
                Ok(item.advance(1).await?)
            })
            .workers(2)
            .measure_async(|count| async move {
                pause().await;
                Ok(*count)
            });
            let running = batch.start(RunOptions::new());
            until("the tasks", || runtime.0.lock().unwrap().len() == 2);
            for _ in 0..polls {
                runtime.poll();
            }
            runtime.drop_all();
            // Those that do the items.
            until("the other tasks", || {
                runtime.poll();
                running.is_over()
            });
            let report = running.wait().unwrap();
            assert!(report.is_success(), "after {polls}: {report:?}");
            assert_eq!(report.counts().succeeded, 3);
        }
    });
}

#[test]
fn tasks_yield_after_each_item_that_they_measure() {
    const ITEMS: u64 = 100;
    let runtime = Runtime::default();
    let batch = each_async(numbers(ITEMS), runtime.spawn(), |_, _| ready(Ok(())))
        .measure_async(|count| ready(Ok(*count)));
    let running = batch.start(RunOptions::new());
    until("the task", || runtime.0.lock().unwrap().len() == 1);
    let mut polls = 0;
    while runtime.poll() == 1 {
        polls += 1;
    }
    assert!(polls >= ITEMS, "{polls}");
    until("the end", || {
        runtime.poll();
        running.is_over()
    });
}

#[test]
fn a_future_may_ask_while_it_measures() {
    within("the cancel", || {
        let source = from_async_items(items(3), |_| ready(Ok(())));
        let handler = HandlerBuilder::new_async("test".parse().unwrap(), source, on_thread)
            .measure_async(|item| async move {
                if item.item().id == id(2) {
                    item.until_cancelled(pending::<()>()).await?;
                }
                Ok(1)
            })
            .build();
        let running = syncmgr::start(handler, RunOptions::new());
        let session = running.session().unwrap();
        until("the first maximum", || session.snapshot().items[0].max == 1);
        running.cancel_all();
        let report = running.wait().unwrap();
        assert_eq!(report.counts().cancelled, 3, "{report:?}");
        assert!(report.was_cancelled());
    });
}

#[test]
fn a_task_says_what_its_item_ends_as() {
    let report = each_async([("parts", ())], on_thread, |item, _| async move {
        assert_eq!(item.flags(), item.share().flags());
        item.report(&ProgressUpdate::new().value(2).max(3)).await?;
        let part: Result<u32, std::io::Error> = Err(std::io::Error::other("no such part"));
        assert_eq!(item.record_part("part 1", part).await, Ok(None));
        item.log_record(&LogRecord::new(LogLevel::Warning, "slow"))?;
        item.set_outcome(ItemStatus::Skipped);
        item.set_final_text("in parts");
        Ok(())
    })
    .run();
    let item = &report.items()[0];
    assert_eq!(
        (item.status, item.text.as_str()),
        (ItemStatus::Skipped, "in parts")
    );
    assert_eq!((item.value, item.max), (2, 3));
    let log = report.session.as_ref().unwrap().log();
    let texts: Vec<&str> = log.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["part 1: no such part", "slow"]);
}

#[test]
fn a_future_that_was_late_is_measured_by_its_function() {
    let source = from_async_items(items(1), |item| async move {
        if item.item().id == id(1) {
            item.add_item(support::item(2))?;
        }
        Ok(())
    });
    let handler = HandlerBuilder::new_async("test".parse().unwrap(), source, on_thread)
        .measure(|item| Ok(item.item().id.as_u128() as u64));
    let report = run_handler(handler.build(), RunOptions::new());
    let maxima: Vec<u64> = report.items().iter().map(|item| item.max).collect();
    assert_eq!(maxima, [1, 2]);
}

#[test]
fn a_task_answers_a_cancel_at_each_of_its_reports() {
    let trace = Harness::new(
        each_async([("reports", ())], on_thread, |item, _| async move {
            let answers: [Result<(), Cancelled>; 3] = [
                item.check().await,
                item.text("at work").await,
                item.set(1).await,
            ];
            answers.into_iter().collect::<Result<(), _>>()?;
            Ok(())
        })
        .handler(),
    )
    .run();
    trace.assert_conformant();
}
