//! What `per_item` costs: an empty item beside a pool of threads that takes jobs from a channel, a file copy beside
//! `std::fs::copy`, and 20,000 small files beside the same pool.
//!
//! Run by `cargo bench -p syncmgr-benches --bench per_item`. It prints tables and fails nothing. Each figure is the median of
//! rounds in which the subjects take turns. The files are in the directory for temporary files, or where `SYNCMGR_BENCH_DIR`
//! says.

use std::fs::{self, File};
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use syncmgr::per_item::{self, Batch};

const ITEMS: u64 = 100_000;
const ROUNDS: usize = 7;
const COPY_ROUNDS: usize = 9;
const COPY_BYTES: u64 = 512 << 20;

fn names() -> Vec<String> {
    (0..ITEMS).map(|n| format!("item {n:011}")).collect()
}

fn batch(names: &[String], workers: usize, measured: bool) -> Batch<(), ()> {
    let items = names.iter().map(|name| (name, ()));
    let batch = per_item::each(items, |_, ()| Ok(())).workers(workers);
    match measured {
        true => batch.measure(|()| Ok(1)),
        false => batch,
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Gives jobs through a channel to so many threads, which lock it to take the next one.
fn channel<J: Send + 'static>(
    jobs: impl Iterator<Item = J>,
    workers: usize,
    work: impl Fn(J) + Clone + Send + 'static,
) {
    let (give, take) = mpsc::channel::<J>();
    let take = Arc::new(Mutex::new(take));
    let threads: Vec<_> = (0..workers)
        .map(|_| {
            let (take, work) = (Arc::clone(&take), work.clone());
            thread::spawn(move || {
                let next = || take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(job) = next() {
                    work(job);
                }
            })
        })
        .collect();
    for job in jobs {
        give.send(job).expect("they wait");
    }
    drop(give);
    for thread in threads {
        thread.join().expect("it does not panic");
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn empty_items() {
    let names = names();
    println!("| an empty item, of {ITEMS} | one worker | four workers | four workers, measured |");
    println!("|---|---|---|---|");
    let mut rows = vec![Vec::new(); 3];
    let mut pools = vec![Vec::new(); 2];
    for _ in 0..ROUNDS {
        for (row, (workers, measured)) in rows.iter_mut().zip([(1, false), (4, false), (4, true)]) {
            // From the names to the report.
            row.push(timed(|| {
                let report = batch(&names, workers, measured).run();
                assert!(report.is_success(), "{report:?}");
            }));
        }
        for (pool, workers) in pools.iter_mut().zip([1, 4]) {
            pool.push(timed(|| {
                channel(names.iter().cloned(), workers, |name| drop(black_box(name)));
            }));
        }
    }
    let each = |times: &Vec<Duration>| median(times.clone()).as_secs_f64() * 1e6 / ITEMS as f64;
    println!(
        "| `per_item::each`, with its list and report | {:.2} us | {:.2} us | {:.2} us |",
        each(&rows[0]),
        each(&rows[1]),
        each(&rows[2])
    );
    println!(
        "| threads and a channel | {:.2} us | {:.2} us | |",
        each(&pools[0]),
        each(&pools[1])
    );
    let info = allocation_counter::measure(|| {
        let _ = black_box(batch(&names, 1, false).run());
    });
    let bytes = info.bytes_max as f64 / ITEMS as f64;
    println!("\npeak live heap of the thread that lists and runs: {bytes:.0} bytes an item\n");
}

fn copies() -> io::Result<()> {
    let directory = std::env::var_os("SYNCMGR_BENCH_DIR").map(PathBuf::from);
    let directory = directory.unwrap_or_else(std::env::temp_dir);
    let source = directory.join(format!("syncmgr-bench-{}", std::process::id()));
    let target = source.with_extension("copy");
    let mut content = File::create(&source)?;
    let block: Vec<u8> = (0..1 << 20).map(|n: u32| (n % 251) as u8).collect();
    for _ in 0..COPY_BYTES >> 20 {
        io::Write::write_all(&mut content, &block)?;
    }
    drop(content);
    let one = |wrap: bool| {
        let report = per_item::each(
            [("file", (source.clone(), target.clone()))],
            move |item, (source, target)| {
                let (source, mut target) = (File::open(source)?, File::create(target)?);
                item.max(source.metadata()?.len())?;
                Ok(match wrap {
                    true => io::copy(&mut item.wrap_read(source), &mut target)?,
                    false => item.copy(source, target)?,
                })
            },
        )
        .run();
        assert_eq!(
            report
                .entries()
                .next()
                .and_then(|entry| entry.value.copied()),
            Some(COPY_BYTES)
        );
    };
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..COPY_ROUNDS {
        times[0].push(timed(|| {
            fs::copy(&source, &target).expect("there is room");
        }));
        fs::remove_file(&target)?;
        times[1].push(timed(|| one(false)));
        fs::remove_file(&target)?;
        times[2].push(timed(|| one(true)));
        fs::remove_file(&target)?;
    }
    fs::remove_file(&source)?;
    let [floor, copy, wrapped] = times.map(|times| median(times).as_secs_f64() * 1e3);
    println!("| a copy of 512 MiB | median | against `std::fs::copy` |");
    println!("|---|---|---|");
    println!("| `std::fs::copy` | {floor:.0} ms | 1 |");
    println!(
        "| `ItemContext::copy` | {copy:.0} ms | {:.3} (wanted: at most 1.05) |",
        copy / floor
    );
    println!(
        "| `io::copy` and `wrap_read` | {wrapped:.0} ms | {:.3} |",
        wrapped / floor
    );
    Ok(())
}

/// The processor time that `work` takes, in all threads.
fn processor(work: impl FnOnce()) -> Duration {
    let start = ProcessTime::now();
    work();
    start.elapsed()
}

/// A small file each, copied by two threads.
fn files() -> io::Result<()> {
    const FILES: usize = 20_000;
    let directory = std::env::var_os("SYNCMGR_BENCH_DIR").map(PathBuf::from);
    let directory = directory.unwrap_or_else(std::env::temp_dir);
    let directory = directory.join(format!("syncmgr-bench-files-{}", std::process::id()));
    let (from, to) = (directory.join("from"), directory.join("to"));
    fs::create_dir_all(&from)?;
    let paths: Vec<(String, PathBuf, PathBuf)> = (0..FILES)
        .map(|n| {
            let name = format!("file {n:05}");
            (name.clone(), from.join(&name), to.join(&name))
        })
        .collect();
    for (_, source, _) in &paths {
        fs::write(source, [7; 1_000])?;
    }
    let afresh = || {
        let _ = fs::remove_dir_all(&to);
        fs::create_dir(&to).expect("there is room");
    };
    let (mut pools, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        afresh();
        pools.push(processor(|| {
            let jobs = paths.iter().map(|(_, from, to)| (from.clone(), to.clone()));
            channel(jobs, 2, |(source, target): (PathBuf, PathBuf)| {
                let (mut source, mut target) = (open(&source), create(&target));
                io::copy(&mut source, &mut target).expect("there is room");
            });
        }));
        afresh();
        batches.push(processor(|| {
            let items = paths
                .iter()
                .map(|(name, source, target)| (name, (source.clone(), target.clone())));
            let report = per_item::each(items, |item, (source, target)| {
                Ok(item.copy(open(source), create(target))?)
            })
            .workers(2)
            .run();
            assert!(report.is_success());
        }));
    }
    fs::remove_dir_all(&directory)?;
    let [pool, batch] = [pools, batches].map(|times| median(times).as_secs_f64() * 1e3);
    println!(
        "\n| {FILES} files of 1,000 bytes by two threads | processor time | against the pool |"
    );
    println!("|---|---|---|");
    println!("| a pool of threads | {pool:.0} ms | 1 |");
    println!(
        "| `per_item::each` | {batch:.0} ms | {:.3} (wanted: at most 1.10) |",
        batch / pool
    );
    Ok(())
}

fn open(path: &Path) -> File {
    File::open(path).expect("it is there")
}

fn create(path: &Path) -> File {
    File::create(path).expect("there is room")
}

fn main() -> io::Result<()> {
    empty_items();
    copies()?;
    files()
}
