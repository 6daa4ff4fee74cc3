//! A disk that keeps only what it was told to keep: what was written since the last fsync is there for whoever reads, and
//! gone, or torn, after a loss of power. One folder of files; a name lasts once the folder was synced. Pure: who mounts it
//! is in `mount.rs`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use fastrand::Rng;

/// What a disk writes at once, or not at all.
const SECTOR: usize = 512;

/// The number of a file.
pub(crate) type Number = u64;

/// What becomes of unsynced writes at a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// None survives.
    Gone,
    /// Each sector for itself, as chance will have it, whatever was written first.
    Torn,
}

/// Something that was done to a file and may not last.
#[derive(Debug)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Cut(usize),
}

/// One file.
#[derive(Debug, Default)]
struct File {
    /// As it is read.
    now: Vec<u8>,
    /// As it would be found.
    kept: Vec<u8>,
    pending: Vec<Change>,
}

/// Something that was done to a name and may not last.
#[derive(Debug)]
struct Naming {
    name: String,
    number: Option<Number>,
}

/// Something that a disk is asked for, and that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    Read,
    Write,
    Sync,
}

/// What is to fail.
#[derive(Debug, Clone, Copy)]
struct Failing {
    asked: Asked,
    /// So many of them are done before.
    after: u64,
    /// So many fail, one after the other.
    times: u64,
}

/// The power is gone, or the disk is out of order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// What has happened so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) syncs: u64,
    /// Reads, writes and syncs that failed.
    pub(crate) failed: [u64; 3],
    /// Writes that a loss of power found unsynced.
    pub(crate) lost_writes: u64,
}

/// The whole disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<Number, File>,
    names: BTreeMap<String, Number>,
    kept_names: BTreeMap<String, Number>,
    pending_names: Vec<Naming>,
    last: Number,
    is_off: bool,
    failing: Option<Failing>,
    /// Failures that were told of.
    told: u64,
    pub(crate) counts: Counts,
}

impl File {
    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.kept, &change);
        }
    }

    fn lose_power(&mut self, fate: Fate, random: &mut Rng) {
        for change in self.pending.drain(..) {
            match (fate, change) {
                (Fate::Gone, _) => {}
                (Fate::Torn, Change::Write { at, data }) => tear(&mut self.kept, (at, &data), random),
                (Fate::Torn, cut @ Change::Cut(_)) if random.bool() => apply(&mut self.kept, &cut),
                (Fate::Torn, Change::Cut(_)) => {}
            }
        }
        self.now.clone_from(&self.kept);
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, data } => put(bytes, *at, data),
        Change::Cut(length) => bytes.resize(*length, 0),
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(data);
}

/// Writes some of the sectors.
fn tear(bytes: &mut Vec<u8>, (at, data): (usize, &[u8]), random: &mut Rng) {
    let mut from = 0;
    while from < data.len() {
        let to = data.len().min(from + SECTOR - (at + from) % SECTOR);
        if random.bool() {
            put(bytes, at + from, &data[from..to]);
        }
        from = to;
    }
}

impl Disk {
    /// The file of that name.
    pub(crate) fn find(&self, name: &str) -> Option<Number> {
        self.names.get(name).copied()
    }

    /// All names.
    pub(crate) fn names(&self) -> Vec<(String, Number)> {
        self.names.iter().map(|(name, number)| (name.clone(), *number)).collect()
    }

    /// The length of a file.
    pub(crate) fn length(&self, number: Number) -> Option<usize> {
        self.files.get(&number).map(|file| file.now.len())
    }

    /// Makes an empty file, in place of any of that name.
    pub(crate) fn create(&mut self, name: &str) -> Result<Number, Broken> {
        self.is_on()?;
        // The first number is the folder's.
        self.last = self.last.max(1) + 1;
        self.files.insert(self.last, File::default());
        self.name(name, Some(self.last));
        Ok(self.last)
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<bool, Broken> {
        self.is_on()?;
        let is_there = self.names.contains_key(name);
        self.name(name, None);
        Ok(is_there)
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<bool, Broken> {
        self.is_on()?;
        let Some(number) = self.find(from) else { return Ok(false) };
        self.name(from, None);
        self.name(to, Some(number));
        Ok(true)
    }

    /// Nothing where there is no such file.
    pub(crate) fn read(&mut self, number: Number, at: usize, length: usize) -> Result<&[u8], Broken> {
        self.is_on()?;
        self.works(Asked::Read)?;
        let bytes = self.files.get(&number).map(|file| file.now.as_slice()).unwrap_or_default();
        Ok(&bytes[at.min(bytes.len())..(at + length).min(bytes.len())])
    }

    /// Where it fails, nothing is written.
    pub(crate) fn write(&mut self, number: Number, at: usize, data: &[u8]) -> Result<(), Broken> {
        self.is_on()?;
        self.works(Asked::Write)?;
        self.change(number, Change::Write { at, data: data.to_vec() })
    }

    pub(crate) fn cut(&mut self, number: Number, length: usize) -> Result<(), Broken> {
        self.change(number, Change::Cut(length))
    }

    fn change(&mut self, number: Number, change: Change) -> Result<(), Broken> {
        self.is_on()?;
        self.files.entry(number).or_default().change(change);
        Ok(())
    }

    /// What was written to the file lasts from now on. Where it fails, what was to be kept is read as before and never
    /// will be: a later sync that succeeds says nothing about it, as on Linux.
    pub(crate) fn sync(&mut self, number: Number) -> Result<(), Broken> {
        self.is_on()?;
        self.counts.syncs += 1;
        let works = self.works(Asked::Sync);
        let file = self.files.entry(number).or_default();
        match works {
            Ok(()) => file.sync(),
            Err(Broken) => file.pending.clear(),
        }
        works
    }

    /// Names last from now on.
    pub(crate) fn sync_names(&mut self) -> Result<(), Broken> {
        self.is_on()?;
        self.kept_names.clone_from(&self.names);
        self.pending_names.clear();
        Ok(())
    }

    /// After so many more of what is asked for, so many fail.
    pub(crate) fn fail(&mut self, asked: Asked, after: u64, times: u64) {
        self.failing = Some(Failing { asked, after, times });
    }

    /// How much has failed since this was last asked.
    pub(crate) fn take_failed(&mut self) -> u64 {
        let all: u64 = self.counts.failed.iter().sum();
        all - std::mem::replace(&mut self.told, all)
    }

    fn works(&mut self, asked: Asked) -> Result<(), Broken> {
        let Some(failing) = self.failing.as_mut().filter(|failing| failing.asked == asked) else { return Ok(()) };
        if failing.after > 0 {
            failing.after -= 1;
            return Ok(());
        }
        let Some(times) = failing.times.checked_sub(1) else { return Ok(()) };
        failing.times = times;
        self.counts.failed[asked as usize] += 1;
        Err(Broken)
    }

    /// From now on everything fails, until the power comes back.
    pub(crate) fn switch_off(&mut self) {
        self.is_off = true;
    }

    /// The power comes back, and what is found is what lasted.
    pub(crate) fn switch_on(&mut self, fate: Fate, random: &mut Rng) {
        // A folder's changes come in order, as far as they come.
        let survive = if fate == Fate::Torn { random.usize(..=self.pending_names.len()) } else { 0 };
        for naming in self.pending_names.drain(..).take(survive) {
            set(&mut self.kept_names, naming.name, naming.number);
        }
        self.names.clone_from(&self.kept_names);
        let numbers: Vec<_> = self.names.values().copied().collect();
        self.files.retain(|number, _| numbers.contains(number));
        for file in self.files.values_mut() {
            self.counts.lost_writes += file.pending.len() as u64;
            file.lose_power(fate, random);
        }
        (self.is_off, self.failing) = (false, None);
    }

    /// Writes all files, as they are read, into a folder.
    pub(crate) fn export(&self, folder: &Path) -> io::Result<()> {
        for (name, number) in &self.names {
            if let Some(file) = self.files.get(number) {
                std::fs::write(folder.join(name), &file.now)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &str, number: Option<Number>) {
        set(&mut self.names, name.to_owned(), number);
        self.pending_names.push(Naming { name: name.to_owned(), number });
    }

    fn is_on(&self) -> Result<(), Broken> {
        if self.is_off { Err(Broken) } else { Ok(()) }
    }
}

fn set(names: &mut BTreeMap<String, Number>, name: String, number: Option<Number>) {
    match number {
        Some(number) => drop(names.insert(name, number)),
        None => drop(names.remove(&name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(disk: &mut Disk, name: &str) -> Option<Vec<u8>> {
        Some(disk.read(disk.find(name)?, 0, 10_000).expect("it is on").to_vec())
    }

    /// A disk with a file of that content, which lasts.
    fn with(name: &str, content: &[u8]) -> (Disk, Number) {
        let mut disk = Disk::default();
        let number = disk.create(name).expect("it is on");
        disk.write(number, 0, content).expect("it is on");
        disk.sync(number).expect("it works");
        disk.sync_names().expect("it works");
        (disk, number)
    }

    #[test]
    fn what_was_not_synced_is_read_before_and_gone_after() {
        let (mut disk, number) = with("a", b"one");
        disk.write(number, 3, b"two").expect("it is on");
        let other = disk.create("b").expect("it is on");
        disk.sync(other).expect("it works");
        assert_eq!(all(&mut disk, "a").as_deref(), Some(&b"onetwo"[..]));
        disk.switch_off();
        assert_eq!((disk.write(number, 0, b"x"), disk.sync(number)), (Err(Broken), Err(Broken)));
        disk.switch_on(Fate::Gone, &mut Rng::with_seed(1));
        assert_eq!((all(&mut disk, "a").as_deref(), all(&mut disk, "b")), (Some(&b"one"[..]), None));
    }

    #[test]
    fn a_sync_that_fails_is_not_made_good_by_a_later_one() {
        let (mut disk, number) = with("a", b"one");
        disk.write(number, 3, b"two").expect("it is on");
        disk.fail(Asked::Sync, 0, 1);
        assert_eq!(disk.sync(number), Err(Broken));
        assert_eq!(disk.sync(number), Ok(()));
        assert_eq!(all(&mut disk, "a").as_deref(), Some(&b"onetwo"[..]));
        disk.switch_on(Fate::Torn, &mut Rng::with_seed(1));
        assert_eq!(all(&mut disk, "a").as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn what_is_to_fail_fails_when_and_as_often_as_it_is_told_to() {
        let (mut disk, number) = with("a", b"one");
        disk.fail(Asked::Write, 1, 2);
        let wrote: Vec<_> = [b"A", b"B", b"C", b"D"].map(|text| disk.write(number, 0, text).is_ok()).into();
        assert_eq!((wrote, disk.take_failed()), (vec![true, false, false, true], 2));
        disk.fail(Asked::Read, 0, 1);
        assert_eq!(disk.read(number, 0, 3), Err(Broken));
        assert_eq!((all(&mut disk, "a").as_deref(), disk.take_failed()), (Some(&b"Dne"[..]), 1));
        assert_eq!((disk.sync(number), disk.take_failed(), disk.counts.failed), (Ok(()), 0, [1, 2, 0]));
    }

    #[test]
    fn torn_writes_come_in_any_part_and_never_half_a_sector() {
        let mut found = std::collections::BTreeSet::new();
        for seed in 0..2_000 {
            let (mut disk, number) = with("a", &[0; 3 * SECTOR]);
            for fill in [1, 2] {
                disk.write(number, 0, &[fill; 3 * SECTOR]).expect("it is on");
            }
            disk.switch_on(Fate::Torn, &mut Rng::with_seed(seed));
            let bytes = all(&mut disk, "a").expect("its name lasts");
            let sectors: Vec<u8> = bytes.chunks(SECTOR).map(|sector| sector[0]).collect();
            assert!(bytes.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            found.insert(sectors);
        }
        assert_eq!(found.len(), 27, "each sector is of the first, the second or no write");
    }
}
